//! The merged contract, read without the generator's code: the judge of what generated types do.

use serde_json::{Map, Value};

/// A number that serde_json would round or refuse is a string with this mark before its digits.
pub const RAW: char = '\u{1}';

/// Stands in a string for half of a surrogate pair, which no Rust string can hold.
pub const LONE_SURROGATE: char = '\u{2}';

pub struct Contract(Value);

/// A schema with its references followed and `null` taken out.
#[derive(Clone)]
pub struct Form<'c> {
    pub pointer: String,
    pub schema: &'c Value,
    pub nullable: bool,
}

/// The schema of a union that a value matches.
pub enum Selected<'c> {
    Form(Form<'c>),
    /// A tag that the contract does not know.
    Unknown,
    Refused(Refusal),
}

/// The reason a document can't be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub pointer: String,
    /// The required members that are not there.
    pub missing: Vec<String>,
}

impl Contract {
    pub fn merged() -> Self {
        let text = include_str!(concat!(env!("OUT_DIR"), "/contract.json"));
        Self(serde_json::from_str(text).expect("the merged contract is JSON"))
    }

    pub fn document(&self) -> &Value {
        &self.0
    }

    pub fn form(&self, pointer: &str) -> Form<'_> {
        let schema = self.0.pointer(pointer).unwrap_or_else(|| panic!("the contract has no {pointer}"));
        if let Some(target) = schema["$ref"].as_str() {
            return self.form(target.trim_start_matches('#'));
        }
        let is_null = |schema: &Value| schema["type"] == "null";
        if let Some(arms) = schema["oneOf"].as_array()
            && arms.iter().any(is_null)
            && let [index] = (0..arms.len()).filter(|index| !is_null(&arms[*index])).collect::<Vec<_>>()[..]
        {
            return Form { nullable: true, ..self.form(&format!("{pointer}/oneOf/{index}")) };
        }
        let nullable = types(schema).contains(&"null");
        Form { pointer: pointer.to_owned(), schema, nullable }
    }

    pub fn property(&self, form: &Form<'_>, name: &str) -> Form<'_> {
        self.form(&format!("{}/properties/{name}", form.pointer))
    }

    pub fn items(&self, form: &Form<'_>) -> Form<'_> {
        self.form(&format!("{}/items", form.pointer))
    }

    pub fn arms(&self, form: &Form<'_>) -> Vec<Form<'_>> {
        let count = form.schema["oneOf"].as_array().map_or(0, Vec::len);
        (0..count).map(|index| self.form(&format!("{}/oneOf/{index}", form.pointer))).collect()
    }

    /// The form itself, or the arm of the union that a value has.
    pub fn select<'c>(&'c self, form: &Form<'c>, value: &Value, at: &str) -> Selected<'c> {
        let arms = self.arms(form);
        if arms.is_empty() {
            return Selected::Form(form.clone());
        }
        let refused = |pointer: String, missing: &[&str]| {
            Selected::Refused(Refusal { pointer, missing: missing.iter().copied().map(str::to_owned).collect() })
        };
        let of_kind: Vec<&Form<'c>> = arms.iter().filter(|arm| types(arm.schema).contains(&kind(value))).collect();
        match (&of_kind[..], value) {
            // One of the alternatives may be a union itself.
            ([], _) => match arms.iter().find(|arm| !self.arms(arm).is_empty()) {
                Some(union) => self.select(union, value, at),
                None => refused(at.to_owned(), &[]),
            },
            ([only], _) => Selected::Form((*only).clone()),
            (several, Value::Object(members)) => match members.get("type") {
                Some(Value::String(tag)) if !tag.starts_with(RAW) => {
                    match several.iter().find(|arm| tags(arm.schema).contains(&tag.as_str())) {
                        Some(arm) => Selected::Form((*arm).clone()),
                        None => Selected::Unknown,
                    }
                }
                None | Some(Value::Null) => match several.iter().find(|arm| !required(arm.schema).contains(&"type")) {
                    Some(arm) => Selected::Form((*arm).clone()),
                    None => refused(at.to_owned(), &["type"]),
                },
                Some(_) => refused(format!("{at}/type"), &[]),
            },
            _ => panic!("the contract has a union that its tests do not know, at {}", form.pointer),
        }
    }

    /// Returns the document that must be written back, or the reason it must be refused.
    pub fn judge(&self, form: &Form<'_>, value: &Value, at: &str) -> Result<Value, Refusal> {
        let refused = || Err(Refusal { pointer: at.to_owned(), missing: Vec::new() });
        if value.is_null() {
            return if form.nullable || is_anything(form.schema) { Ok(Value::Null) } else { refused() };
        }
        let form = match self.select(form, value, at) {
            Selected::Form(form) => form,
            Selected::Unknown => return Ok(value.clone()),
            Selected::Refused(refusal) => return Err(refusal),
        };
        if is_anything(form.schema) {
            return Ok(value.clone());
        }
        let kinds = types(form.schema);
        match value {
            Value::Array(items) if kinds.contains(&"array") => {
                let item = self.items(&form);
                let items =
                    items.iter().enumerate().map(|(index, value)| self.judge(&item, value, &format!("{at}/{index}")));
                items.collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            Value::Object(members) if kinds.contains(&"object") => self.judge_object(&form, members, at),
            Value::Number(number) if kinds.contains(&"number") => Ok(number.as_f64().into()),
            Value::String(text) if kind(value) == "integer" && kinds.contains(&"number") => {
                let number: f64 = text.trim_start_matches(RAW).parse().unwrap();
                // A number is an `f64`.
                if number.is_finite() { Ok(number.into()) } else { refused() }
            }
            Value::String(_) if kind(value) == "string" => {
                if kinds.contains(&"string") {
                    let is_other = form.schema.get("const").is_some_and(|only| only != value);
                    if is_other { refused() } else { Ok(readable(value)) }
                } else if form.schema["x-incomplete-as-string"] == true {
                    Ok(value.clone())
                } else if kinds.contains(&"array") && self.items(&form).schema.get("x-string-shorthand").is_some() {
                    Ok(serde_json::json!([{"type": "text", "text": readable(value)}]))
                } else {
                    refused()
                }
            }
            Value::Bool(_) if kinds.contains(&"boolean") => Ok(value.clone()),
            Value::Number(number) if kinds.contains(&"integer") => {
                if number.is_i64() || number.as_f64().is_some_and(|float| float.fract() == 0.0 && float.abs() < 1e15) {
                    Ok(value.clone())
                } else {
                    refused()
                }
            }
            _ => refused(),
        }
    }

    fn judge_object(&self, form: &Form<'_>, members: &Map<String, Value>, at: &str) -> Result<Value, Refusal> {
        let mut judged = members.clone();
        let mut missing = Vec::new();
        for name in property_names(form.schema) {
            let property = self.property(form, name);
            let is_required = required(form.schema).contains(&name);
            match members.get(name) {
                Some(Value::Null) if !is_required => {}
                Some(value) => {
                    let judgement = match self.judge(&property, value, &format!("{at}/{name}")) {
                        Err(_) if is_lenient(form.schema, name) => value.clone(),
                        judgement => judgement?,
                    };
                    judged.insert(name.to_owned(), judgement);
                }
                None if is_required && property.nullable => drop(judged.insert(name.to_owned(), Value::Null)),
                None if is_required => missing.push(name.to_owned()),
                None => {}
            }
        }
        if missing.is_empty() { Ok(Value::Object(judged)) } else { Err(Refusal { pointer: at.to_owned(), missing }) }
    }
}

/// Returns `true` if a member with a value of another shape is kept.
pub fn is_lenient(object: &Value, name: &str) -> bool {
    object["x-lenient"] == true || object["properties"][name]["x-lenient"] == true
}

/// A string as Rust can hold it.
fn readable(string: &Value) -> Value {
    string.as_str().unwrap_or_default().replace(LONE_SURROGATE, "\u{FFFD}").into()
}

/// A schema that says nothing: any JSON.
fn is_anything(schema: &Value) -> bool {
    ["type", "const", "oneOf"].iter().all(|keyword| schema.get(keyword).is_none())
}

/// Any JSON, or any object.
pub fn is_free_form(schema: &Value) -> bool {
    is_anything(schema) || (schema["type"] == "object" && schema.get("properties").is_none())
}

pub fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ if schema.get("const").is_some() => vec!["string"],
        _ => Vec::new(),
    }
}

/// The JSON type of a value, whole numbers apart from others only by [`Contract::judge`].
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(text) if text.starts_with(RAW) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The values that tell a schema apart from the others of its union.
pub fn tags(schema: &Value) -> Vec<&str> {
    let tag = &schema["properties"]["type"];
    match tag["const"].as_str() {
        Some(only) => vec![only],
        None => tag["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
    }
}

pub fn required(schema: &Value) -> Vec<&str> {
    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

pub fn property_names(schema: &Value) -> Vec<&str> {
    schema["properties"].as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect()
}

/// Writes a document, marks replaced by what they stand for; the tag first, as the API does, or last.
pub fn text(value: &Value, tag_first: bool) -> String {
    match value {
        Value::String(text) => match text.strip_prefix(RAW) {
            Some(number) => number.to_owned(),
            None => value.to_string().replace("\\u0002", "\\ud800"),
        },
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| text(item, tag_first)).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(name, _)| (*name == "type") != tag_first);
            let members: Vec<String> = members
                .into_iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), text(value, tag_first)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        _ => value.to_string(),
    }
}
