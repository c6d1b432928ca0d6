//! Documents out of choices: each byte of the input picks what stands next.

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use serde_json::{Map, Value, json};

/// Names that Rust, progenitor or typify may stumble over, and plain ones so that references meet.
const NAMES: [&str; 32] = [
    "A", "B", "C", "D", "a", "b", "type", "Type", "self", "Self", "extra", "Option", "Client", "types", "body", "gen",
    "", " ", "3d", "a-b", "a_b", "aB", "über", "日本", "🦀", "a/b~c", "new", "Unknown", "params", "X", "String",
    "stream",
];

const TYPES: [&str; 8] = ["object", "array", "string", "integer", "number", "boolean", "null", "text"];

const PATHS: [&str; 12] =
    ["/a", "/a/{id}", "/{a}/{b}", "/a/{id}/", "/", "", "a", "/a?b=c", "/a#b", "/{a-b}/{a_b}", "/a/{id}:{verb}", "/{a"];

const MEDIA_TYPES: [&str; 9] = [
    "application/json",
    "application/problem+json; charset=utf-8",
    "*/*",
    "text/event-stream",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "image/png",
    "",
];

const STATUSES: [&str; 8] = ["200", "201", "204", "2XX", "2xx", "default", "400", "20"];

/// The document that the choices make.
pub fn document(choices: &[u8]) -> Value {
    Document { choices: Unstructured::new(choices), named: Vec::new() }
        .whole()
        .unwrap_or_else(|_| json!({"openapi": "3.1.0"}))
}

struct Document<'c> {
    choices: Unstructured<'c>,
    /// The names of the schemas, so that references find them.
    named: Vec<String>,
}

impl Document<'_> {
    fn whole(&mut self) -> Result<Value> {
        for _ in 0..self.choices.int_in_range(1..=6)? {
            let name = self.name()?;
            self.named.push(name);
        }
        let mut schemas = Map::new();
        for name in self.named.clone() {
            schemas.insert(name, self.schema(0)?);
        }
        let mut paths = Map::new();
        for _ in 0..self.choices.int_in_range(0..=3)? {
            paths.insert((*self.choices.choose(&PATHS)?).to_owned(), self.path_item()?);
        }
        let parameter = self.parameter()?;
        let body = self.body()?;
        let item = self.path_item()?;
        Ok(json!({
            "openapi": "3.1.0",
            "info": {"title": self.name()?, "version": self.name()?},
            "servers": [{"url": "https://{host}/v1"}],
            "paths": paths,
            "components": {
                "schemas": schemas,
                "parameters": {"A": parameter},
                "requestBodies": {"A": body.clone()},
                "responses": {"A": body},
                "pathItems": {"A": item},
            },
        }))
    }

    fn name(&mut self) -> Result<String> {
        Ok((*self.choices.choose(&NAMES)?).to_owned())
    }

    fn names(&mut self) -> Result<Vec<String>> {
        (0..self.choices.int_in_range(0..=3)?).map(|_| self.name()).collect()
    }

    fn schema(&mut self, level: usize) -> Result<Value> {
        if level > 4 || self.choices.is_empty() {
            return self.leaf();
        }
        let mut schema = Map::new();
        for _ in 0..self.choices.int_in_range(0..=4)? {
            let (keyword, value) = self.keyword(level + 1)?;
            schema.insert(keyword.to_owned(), value);
        }
        Ok(Value::Object(schema))
    }

    fn leaf(&mut self) -> Result<Value> {
        Ok(match self.choices.int_in_range(0..=5)? {
            0 => json!(true),
            1 => json!(false),
            2 => json!({"type": *self.choices.choose(&TYPES[..7])?}),
            3 => json!({"const": self.value()?}),
            4 => json!({}),
            _ => json!({"$ref": self.reference()?}),
        })
    }

    fn keyword(&mut self, level: usize) -> Result<(&'static str, Value)> {
        Ok(match self.choices.int_in_range(0..=33)? {
            0..=3 => ("type", json!("object")),
            4 => ("type", json!(*self.choices.choose(&TYPES[..7])?)),
            5 => ("type", json!(["string", *self.choices.choose(&TYPES[..7])?, *self.choices.choose(&TYPES[..7])?])),
            6..=10 => ("properties", self.properties(level)?),
            11..=12 => ("required", json!(self.names()?)),
            13 => ("items", self.schema(level)?),
            14 => ("prefixItems", self.schemas(level)?),
            15 => ("additionalProperties", self.schema(level)?),
            16..=17 => ("allOf", self.schemas(level)?),
            18 => ("anyOf", self.schemas(level)?),
            19..=20 => ("oneOf", self.schemas(level)?),
            21..=22 => ("$ref", json!(self.reference()?)),
            23 => ("enum", json!([self.value()?, self.value()?, self.value()?])),
            24 => ("enum", json!(self.names()?)),
            25 => ("const", self.value()?),
            26 => ("discriminator", self.discriminator()?),
            27 => ("nullable", json!(true)),
            28 => ("$defs", self.properties(level)?),
            29 => ("patternProperties", self.properties(level)?),
            30 => ("description", json!(*self.choices.choose(&["*/ \"# ```", "\n    code\n", "[a](b) <c>", ""])?)),
            31 => ("x-string-shorthand", json!(self.name()?)),
            32 => (
                *self.choices.choose(&["minimum", "exclusiveMaximum", "minItems", "maxLength", "format", "default"])?,
                self.value()?,
            ),
            _ => (*self.choices.choose(&["not", "if", "propertyNames", "unevaluatedProperties"])?, self.schema(level)?),
        })
    }

    fn schemas(&mut self, level: usize) -> Result<Value> {
        (0..self.choices.int_in_range(0..=3)?).map(|_| self.schema(level)).collect::<Result<Vec<_>>>().map(Value::from)
    }

    fn properties(&mut self, level: usize) -> Result<Value> {
        let mut properties = Map::new();
        for _ in 0..self.choices.int_in_range(0..=3)? {
            properties.insert(self.name()?, self.schema(level)?);
        }
        Ok(Value::Object(properties))
    }

    fn discriminator(&mut self) -> Result<Value> {
        let mut mapping = Map::new();
        for _ in 0..self.choices.int_in_range(0..=2)? {
            mapping.insert(self.name()?, json!(self.reference()?));
        }
        Ok(json!({"propertyName": self.name()?, "mapping": mapping}))
    }

    fn value(&mut self) -> Result<Value> {
        Ok(match self.choices.int_in_range(0..=11)? {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(1),
            3 => json!(-1.5),
            4 => json!(u64::MAX),
            5 => json!(f64::MAX),
            6 => json!([]),
            7 => json!({"a": 1}),
            _ => json!(self.name()?),
        })
    }

    fn reference(&mut self) -> Result<String> {
        let name = self.choices.choose(&self.named)?.replace('~', "~0").replace('/', "~1");
        Ok(match self.choices.int_in_range(0..=39)? {
            0 => format!("#/components/schemas/{name}/properties/a"),
            1 => format!("#/components/schemas/{name}/$defs/A"),
            2 => format!("#/components/schemas/{name}/oneOf/0"),
            3 => format!("other.json#/{name}"),
            4 => format!("#{name}"),
            _ => format!("#/components/schemas/{name}"),
        })
    }

    fn path_item(&mut self) -> Result<Value> {
        if self.choices.ratio(1, 12)? {
            return Ok(json!({"$ref": "#/components/pathItems/A"}));
        }
        let mut item = Map::from_iter([("parameters".to_owned(), json!([self.parameter()?]))]);
        for _ in 0..self.choices.int_in_range(0..=2)? {
            let method = *self.choices.choose(&["get", "put", "post", "delete", "head", "patch", "trace"])?;
            item.insert(method.to_owned(), self.operation()?);
        }
        Ok(Value::Object(item))
    }

    fn operation(&mut self) -> Result<Value> {
        let mut operation = Map::new();
        if self.choices.ratio(3, 4)? {
            operation.insert("operationId".to_owned(), json!(self.name()?));
        }
        if self.choices.ratio(1, 2)? {
            operation.insert("requestBody".to_owned(), self.body()?);
        }
        let parameters =
            (0..self.choices.int_in_range(0..=3)?).map(|_| self.parameter()).collect::<Result<Vec<_>>>()?;
        operation.insert("parameters".to_owned(), parameters.into());
        let mut responses = Map::new();
        for _ in 0..self.choices.int_in_range(0..=3)? {
            responses.insert((*self.choices.choose(&STATUSES)?).to_owned(), self.body()?);
        }
        operation.insert("responses".to_owned(), responses.into());
        Ok(Value::Object(operation))
    }

    /// A request's body or a response, which look alike.
    fn body(&mut self) -> Result<Value> {
        if self.choices.ratio(1, 12)? {
            let holder = *self.choices.choose(&["requestBodies", "responses"])?;
            return Ok(json!({"$ref": format!("#/components/{holder}/A")}));
        }
        let mut content = Map::new();
        for _ in 0..self.choices.int_in_range(0..=2)? {
            let media = if self.choices.ratio(1, 8)? { json!({}) } else { json!({"schema": self.schema(1)?}) };
            content.insert((*self.choices.choose(&MEDIA_TYPES)?).to_owned(), media);
        }
        Ok(json!({"description": "", "required": true, "content": content}))
    }

    fn parameter(&mut self) -> Result<Value> {
        if self.choices.ratio(1, 12)? {
            return Ok(json!({"$ref": "#/components/parameters/A"}));
        }
        Ok(json!({
            "name": self.name()?,
            "in": *self.choices.choose(&["path", "query", "query", "query", "header", "cookie", "body"])?,
            "required": self.choices.arbitrary::<bool>()?,
            "style": *self.choices.choose(&["form", "deepObject", "simple"])?,
            "schema": self.schema(2)?,
        }))
    }
}
