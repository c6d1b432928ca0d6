//! Instances of a JSON Schema, as text: serde_json can't hold every number that JSON can.

use fastrand::Rng;
use serde_json::Value;

/// Makes instances of the contract's schemas from a seed.
pub struct Generator<'a> {
    document: &'a Value,
    random: Rng,
    beyond_serde_json: bool,
}

/// An instance, which has to come back as it is.
pub struct Sample {
    pub sent: String,
    /// `true` if it contains a number that serde_json would round or refuse.
    pub beyond_serde_json: bool,
}

impl<'a> Generator<'a> {
    pub fn new(document: &'a Value, seed: u64) -> Self {
        Self { document, random: Rng::with_seed(seed), beyond_serde_json: false }
    }

    pub fn sample(&mut self, schema: &str) -> Sample {
        self.beyond_serde_json = false;
        let pointer = format!("/components/schemas/{schema}");
        let schema = self.document.pointer(&pointer).expect("the schema exists");
        let sent = self.instance(schema, 3);
        Sample { sent, beyond_serde_json: self.beyond_serde_json }
    }

    fn instance(&mut self, schema: &'a Value, levels: usize) -> String {
        if let Some(target) = schema["$ref"].as_str() {
            let target = self.document.pointer(target.trim_start_matches('#')).expect("no dangling reference");
            return self.instance(target, levels);
        }
        if let Some(branches) = schema["oneOf"].as_array() {
            let branch = self.random.choice(branches).expect("a union has branches");
            return self.instance(branch, levels);
        }
        if let Some(value) = schema.get("const") {
            return value.to_string();
        }
        if let Some(values) = schema["enum"].as_array() {
            return self.random.choice(values).expect("an enum has values").to_string();
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::String(name) => vec![name],
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        match self.random.choice(&types).copied() {
            Some("object") => self.object(schema, levels),
            Some("array") => self.array(schema, levels),
            Some("string") => self.string(),
            Some("integer") => self.integer(),
            Some("null") => "null".to_owned(),
            Some(other) => panic!("the generator does not know the type {other}"),
            None => self.any(levels),
        }
    }

    fn object(&mut self, schema: &'a Value, levels: usize) -> String {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut members: Vec<(String, String)> = Vec::new();
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            if required.contains(&name.as_str()) || self.random.bool() {
                members.push((name.clone(), self.instance(schema, levels.saturating_sub(1))));
            }
        }
        for number in 0..self.random.usize(0..3) {
            let name =
                format!("{}_{number}", self.random.choice(["x", "größe", "a/b~c", "ключ", "🦀"]).expect("not empty"));
            members.push((name, self.any(levels)));
        }
        if schema.get("properties").is_none() {
            // Free-form: any member, also one that is called like a tag.
            members.extend((0..self.random.usize(0..3)).map(|number| (format!("free_{number}"), self.any(levels))));
        }
        self.random.shuffle(&mut members);
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str()))).collect();
        format!("{{{}}}", members.join(","))
    }

    fn array(&mut self, schema: &'a Value, levels: usize) -> String {
        let least = schema["minItems"].as_u64().map_or(0, |least| usize::try_from(least).expect("a small bound"));
        let most = if levels == 0 { least } else { least + 3 };
        let items: Vec<String> = (0..self.random.usize(least..=most))
            .map(|_| self.instance(&schema["items"], levels.saturating_sub(1)))
            .collect();
        format!("[{}]", items.join(" , "))
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
