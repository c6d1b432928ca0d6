//! Instances of a JSON Schema, as text: serde_json can't hold every number that JSON can.

use fastrand::Rng;
use serde_json::Value;

/// Makes instances of the contract's schemas from a seed.
pub struct Generator<'a> {
    document: &'a Value,
    random: Rng,
    beyond_serde_json: bool,
}

/// An instance, and what has to come back for it.
pub struct Sample {
    pub sent: String,
    /// The same without the nulls that stand for absent fields.
    pub expected: String,
    /// Whether it holds a number that serde_json would round or refuse.
    pub beyond_serde_json: bool,
}

type Pair = (String, String);

impl<'a> Generator<'a> {
    pub fn new(document: &'a Value, seed: u64) -> Self {
        Self { document, random: Rng::with_seed(seed), beyond_serde_json: false }
    }

    pub fn sample(&mut self, schema: &str) -> Sample {
        self.beyond_serde_json = false;
        let pointer = format!("/components/schemas/{schema}");
        let schema = self.document.pointer(&pointer).expect("the schema exists");
        let (sent, expected) = self.instance(schema, 3);
        Sample { sent, expected, beyond_serde_json: self.beyond_serde_json }
    }

    fn instance(&mut self, schema: &'a Value, levels: usize) -> Pair {
        if let Some(target) = schema["$ref"].as_str() {
            let target = self.document.pointer(target.trim_start_matches('#')).expect("no dangling reference");
            return self.instance(target, levels);
        }
        if let Some(branches) = schema["oneOf"].as_array() {
            let branch = self.random.choice(branches).expect("a union has branches");
            return self.instance(branch, levels);
        }
        if let Some(value) = schema.get("const") {
            return same(value.to_string());
        }
        if let Some(values) = schema["enum"].as_array() {
            return same(self.random.choice(values).expect("an enum has values").to_string());
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::String(name) => vec![name],
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        match self.random.choice(&types).copied() {
            Some("object") => self.object(schema, levels),
            Some("array") => self.array(schema, levels),
            Some("string") => same(self.string()),
            Some("integer") => same(self.integer()),
            Some("null") => same("null".to_owned()),
            Some(other) => panic!("the generator does not know the type {other}"),
            None => same(self.any(levels)),
        }
    }

    fn object(&mut self, schema: &'a Value, levels: usize) -> Pair {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut members: Vec<(String, Pair)> = Vec::new();
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            if required.contains(&name.as_str()) || self.random.bool() {
                let (sent, expected) = self.instance(schema, levels.saturating_sub(1));
                let expected =
                    if expected == "null" && !required.contains(&name.as_str()) { String::new() } else { expected };
                members.push((name.clone(), (sent, expected)));
            }
        }
        for number in 0..self.random.usize(0..3) {
            let name =
                format!("{}_{number}", self.random.choice(["x", "größe", "a/b~c", "ключ", "🦀"]).expect("not empty"));
            members.push((name, same(self.any(levels))));
        }
        if schema.get("properties").is_none() {
            // Free-form: any member, also one that is called like a tag.
            members
                .extend((0..self.random.usize(0..3)).map(|number| (format!("free_{number}"), same(self.any(levels)))));
        }
        self.random.shuffle(&mut members);
        let text = |part: fn(&Pair) -> &str| {
            let members: Vec<String> = members
                .iter()
                .filter(|(_, pair)| !part(pair).is_empty())
                .map(|(name, pair)| format!("{}:{}", Value::from(name.as_str()), part(pair)))
                .collect();
            format!("{{{}}}", members.join(","))
        };
        (text(|pair| &pair.0), text(|pair| &pair.1))
    }

    fn array(&mut self, schema: &'a Value, levels: usize) -> Pair {
        let least = schema["minItems"].as_u64().map_or(0, |least| usize::try_from(least).expect("a small bound"));
        let most = if levels == 0 { least } else { least + 3 };
        let items: Vec<Pair> = (0..self.random.usize(least..=most))
            .map(|_| self.instance(&schema["items"], levels.saturating_sub(1)))
            .collect();
        let list = |items: Vec<&str>| format!("[{}]", items.join(" , "));
        (
            list(items.iter().map(|item| item.0.as_str()).collect()),
            list(items.iter().map(|item| item.1.as_str()).collect()),
        )
    }

    /// Any JSON, with the numbers and names that decoders trip over.
    fn any(&mut self, levels: usize) -> String {
        match self.random.u8(0..if levels == 0 { 5 } else { 7 }) {
            0 => "null".to_owned(),
            1 => self.random.bool().to_string(),
            2 => self.number(),
            3 | 4 => self.string(),
            5 => {
                let items: Vec<String> = (0..self.random.usize(0..4)).map(|_| self.any(levels - 1)).collect();
                format!("[{}]", items.join(","))
            }
            _ => {
                let members: Vec<String> = (0..self.random.usize(0..4))
                    .map(|number| {
                        format!(
                            "\"{}{number}\":{}",
                            self.random.choice(["type", "k", "\\u0041"]).expect("not empty"),
                            self.any(levels - 1)
                        )
                    })
                    .collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }

    fn number(&mut self) -> String {
        let exact = ["0", "-1", "12345", "0.5", "1.25", "18446744073709551615", "-9223372036854775808"];
        let beyond = [
            "1e400",
            "-1e-400",
            "123456789012345678901234567890",
            "0.1234567890123456789",
            "1E+2",
            "-0",
            "1.0",
            "1e99999999999999999999",
        ];
        if self.random.u8(0..4) > 0 {
            (*self.random.choice(exact).get_or_insert("0")).to_owned()
        } else {
            self.beyond_serde_json = true;
            (*self.random.choice(beyond).get_or_insert("0")).to_owned()
        }
    }

    fn integer(&mut self) -> String {
        match self.random.u8(0..5) {
            0 => self.random.i64(..).to_string(),
            1 => "1.0".to_owned(),
            2 => "0".to_owned(),
            _ => self.random.i64(-5..100_000).to_string(),
        }
    }

    fn string(&mut self) -> String {
        let texts = [
            r#""""#,
            r#""text""#,
            r#""tool_use""#,
            r#""a \"quoted\" word""#,
            r#""\n\t\u0000\u001f""#,
            r#""\ud83d\ude00 and 😀""#,
            r#""größe ключ 鍵""#,
            r#""{\"type\":\"text\"}""#,
            r#""\/ and /""#,
        ];
        (*self.random.choice(texts).get_or_insert("\"\"")).to_owned()
    }
}

fn same(text: String) -> Pair {
    (text.clone(), text)
}
