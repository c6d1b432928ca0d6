//! The contract's rules for requests: paths, methods and body schemas.

use std::sync::OnceLock;

use http::Method;
use jsonschema::Validator;
use jsonschema::error::{ValidationError, ValidationErrorKind};
use serde_json::{Map, Value, json};

use anthropic_messages::{CONTRACT_DOCUMENT, MessageCreateRequest, rules};

/// The routes of a contract document and the schemas of their request bodies.
#[derive(Debug)]
pub(crate) struct Contract {
    document: Value,
    routes: Vec<Route>,
}

/// One operation of the contract.
#[derive(Debug)]
pub(crate) struct Operation {
    method: Method,
    /// The operation id, or the path if it has none.
    pub(crate) name: String,
    body: Option<BodySchema>,
    /// The schema of a 200's JSON body.
    pub(crate) response: Option<Value>,
    /// `true` if the operation creates messages, so that its reply is a message and may be streamed.
    pub(crate) creates_messages: bool,
}

/// The reason why no operation matches a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoRoute {
    UnknownPath,
    WrongMethod { allowed: String },
}

#[derive(Debug)]
struct Route {
    template: String,
    operations: Vec<Operation>,
}

#[derive(Debug)]
struct BodySchema {
    required: bool,
    validator: Validator,
}

impl Contract {
    /// Returns the contract that the client was built from, prepared once per process.
    ///
    /// # Errors
    ///
    /// Fails if the document can't be read or a request schema can't be compiled.
    pub(crate) fn embedded() -> Result<&'static Self, String> {
        static CONTRACT: OnceLock<Result<Contract, String>> = OnceLock::new();
        CONTRACT.get_or_init(|| Contract::parse(CONTRACT_DOCUMENT)).as_ref().map_err(Clone::clone)
    }

    /// Parses a contract document.
    ///
    /// # Errors
    ///
    /// As [`Contract::embedded`].
    pub(crate) fn parse(document: &str) -> Result<Self, String> {
        let mut document: Value =
            serde_json::from_str(document).map_err(|error| format!("the contract document is not JSON: {error}"))?;
        allow_string_shorthand(&mut document);
        let no_paths = Map::new();
        let paths = document.get("paths").and_then(Value::as_object).unwrap_or(&no_paths);
        let mut routes = Vec::new();
        for (template, item) in paths {
            let mut operations = Vec::new();
            for (method, operation) in item.as_object().into_iter().flatten() {
                if let Ok(method) = Method::from_bytes(method.to_ascii_uppercase().as_bytes())
                    && METHODS.contains(&method)
                {
                    operations.push(Operation::parse(&document, template, method, operation)?);
                }
            }
            routes.push(Route { template: template.clone(), operations });
        }
        Ok(Self { document, routes })
    }

    /// Returns the operation of a request. The path may start with `/v1`, the API's base path.
    ///
    /// # Errors
    ///
    /// Fails if the contract doesn't have the path, or the path doesn't have the method.
    pub(crate) fn route(&self, method: &Method, path: &str) -> Result<&Operation, NoRoute> {
        let path = path.strip_prefix("/v1").filter(|rest| rest.starts_with('/')).unwrap_or(path);
        // A literal segment takes precedence over a parameter: `/models/latest` before `/models/{id}`.
        let route = self
            .routes
            .iter()
            .filter(|route| fits(&route.template, path))
            .min_by_key(|route| route.template.matches('{').count())
            .ok_or(NoRoute::UnknownPath)?;
        route.operations.iter().find(|operation| operation.method == *method).ok_or_else(|| {
            let allowed: Vec<&str> = route.operations.iter().map(|known| known.method.as_str()).collect();
            NoRoute::WrongMethod { allowed: allowed.join(", ") }
        })
    }

    /// Returns the whole document, which references in schemas point into.
    pub(crate) fn document(&self) -> &Value {
        &self.document
    }
}

impl Operation {
    fn parse(document: &Value, template: &str, method: Method, operation: &Value) -> Result<Self, String> {
        let name = operation.get("operationId").and_then(Value::as_str).unwrap_or(template).to_owned();
        let request = operation.get("requestBody");
        let schema = request.and_then(|body| body.pointer("/content/application~1json/schema"));
        let body = match schema {
            None => None,
            Some(schema) => Some(BodySchema {
                required: request.and_then(|body| body.get("required")).and_then(Value::as_bool).unwrap_or(false),
                validator: compile(document, schema)
                    .map_err(|error| format!("the request schema of {name} can't be compiled: {error}"))?,
            }),
        };
        let reference = schema.and_then(|schema| schema.get("$ref")).and_then(Value::as_str);
        Ok(Self {
            method,
            name,
            body,
            response: operation.pointer("/responses/200/content/application~1json/schema").cloned(),
            creates_messages: reference == Some("#/components/schemas/MessageCreateRequest"),
        })
    }

    /// Checks the body of a request against its schema.
    ///
    /// # Errors
    ///
    /// Returns a message that starts with the JSON pointer of the invalid value.
    pub(crate) fn check(&self, body: &[u8]) -> Result<(), String> {
        let Some(expected) = &self.body else {
            return Ok(());
        };
        if body.is_empty() && !expected.required {
            return Ok(());
        }
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| self.violation(body).unwrap_or_else(|| format!("the body is not JSON: {error}")))?;
        expected.validator.validate(&value).map_err(|error| explain(&error))?;
        self.violation(body).map_or(Ok(()), Err)
    }

    /// The sentence that the API answers with to a message that breaks a rule which the contract doesn't state.
    fn violation(&self, body: &[u8]) -> Option<String> {
        let request: MessageCreateRequest = self.creates_messages.then(|| serde_json::from_slice(body).ok())??;
        rules::check(&request).err().map(|violation| violation.message().to_owned())
    }
}

/// The fields of an OpenAPI path item that are methods.
const METHODS: [Method; 8] = [
    Method::GET,
    Method::PUT,
    Method::POST,
    Method::DELETE,
    Method::OPTIONS,
    Method::HEAD,
    Method::PATCH,
    Method::TRACE,
];

/// Allows a string in place of an array whose items are marked `x-string-shorthand`.
///
/// The API accepts both, and the extension means nothing to JSON Schema.
fn allow_string_shorthand(document: &mut Value) {
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    let shorthand: Vec<String> = schemas
        .into_iter()
        .flatten()
        .filter(|(_, schema)| schema.get("x-string-shorthand").is_some())
        .map(|(name, _)| format!("#/components/schemas/{name}"))
        .collect();
    widen(document, &shorthand);
}

fn widen(value: &mut Value, shorthand: &[String]) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| widen(item, shorthand)),
        Value::Object(fields) => {
            let item = fields.get("items").and_then(|items| items.get("$ref")).and_then(Value::as_str);
            let is_shorthand = item.is_some_and(|item| shorthand.iter().any(|name| name == item));
            if is_shorthand && let Some(kind) = fields.get_mut("type") {
                let mut kinds = match kind.take() {
                    Value::Array(kinds) => kinds,
                    single => vec![single],
                };
                if !kinds.contains(&json!("string")) {
                    kinds.push(json!("string"));
                }
                *kind = Value::Array(kinds);
            }
            fields.values_mut().for_each(|field| widen(field, shorthand));
        }
        _ => {}
    }
}

fn compile(document: &Value, schema: &Value) -> Result<Validator, String> {
    let mut root = Map::new();
    root.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    root.insert("components".into(), document.get("components").cloned().unwrap_or_default());
    root.insert("allOf".into(), json!([schema]));
    jsonschema::options().offline().build(&Value::Object(root)).map_err(|error| error.to_string())
}

fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(segment), Some(value)) if segment.starts_with('{') && !value.is_empty() => {}
            (Some(segment), Some(value)) if segment == value => {}
            _ => return false,
        }
    }
}

/// The maximum length of a message, in characters. An error quotes the invalid value, which can be a whole image.
const MAX_EXPLANATION: usize = 400;

/// Returns a message that starts with the JSON pointer of the invalid value.
fn explain(error: &ValidationError<'_>) -> String {
    let error = most_specific(error);
    let mut pointer = error.instance_path().to_string();
    let mut sentence = if let ValidationErrorKind::Required { property } = error.kind() {
        let property = property.as_str().unwrap_or_default().replace('~', "~0").replace('/', "~1");
        pointer = format!("{pointer}/{property}");
        "this field is required".to_owned()
    } else {
        error.to_string()
    };
    if sentence.chars().count() > MAX_EXPLANATION {
        sentence = sentence.chars().take(MAX_EXPLANATION).chain(['…']).collect();
    }
    let place = if pointer.is_empty() { "the body" } else { &pointer };
    format!("{place}: {sentence}")
}

/// Returns the error of the one alternative whose tag matches, if `error` is about a union.
fn most_specific<'error, 'value>(error: &'error ValidationError<'value>) -> &'error ValidationError<'value> {
    let (ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context }) = error.kind() else {
        return error;
    };
    let depth = error.instance_path().to_string().len();
    let mut fitting = context.iter().filter(|errors| !errors.iter().any(|inner| is_tag_mismatch(inner, depth)));
    match (fitting.next().and_then(|errors| errors.first()), fitting.next()) {
        (Some(inner), None) => most_specific(inner),
        _ => error,
    }
}

/// Returns `true` if the error means that another alternative of the union applies: the tag or the JSON type differs.
fn is_tag_mismatch(error: &ValidationError<'_>, depth: usize) -> bool {
    let place = error.instance_path().to_string();
    let below = place.get(depth..).unwrap_or_default();
    match error.kind() {
        ValidationErrorKind::Constant { .. } | ValidationErrorKind::Enum { .. } => below == "/type" || below == "/role",
        ValidationErrorKind::Type { .. } => below.is_empty(),
        ValidationErrorKind::Required { property } => {
            below.is_empty() && matches!(property.as_str(), Some("type" | "role"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract() -> Contract {
        let document = json!({
            "paths": {
                "/models": {"get": {"operationId": "listModels"}, "summary": "models"},
                "/models/{id}": {"get": {"operationId": "getModel"}},
                "/models/latest": {"get": {"operationId": "latestModel"}, "parameters": []},
                "/turns": {"post": {"operationId": "turn", "requestBody": {"required": true, "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/Turn"}}}}}}
            },
            "components": {"schemas": {
                "Turn": {"type": "object", "required": ["a/b", "content"], "properties": {
                    "a/b": {"type": "integer"},
                    "content": {"type": "array", "items": {"$ref": "#/components/schemas/Block"}}}},
                "Block": {"x-string-shorthand": "text", "oneOf": [
                    {"type": "object", "required": ["type", "text"],
                     "properties": {"type": {"const": "text"}, "text": {"type": "string"}}},
                    {"type": "object", "required": ["type", "data"],
                     "properties": {"type": {"const": "image"}, "data": {"type": "string"}}}]}
            }}
        });
        Contract::parse(&document.to_string()).unwrap()
    }

    fn refusal(body: Value) -> String {
        let contract = contract();
        let operation = contract.route(&Method::POST, "/v1/turns").unwrap();
        operation.check(body.to_string().as_bytes()).unwrap_err()
    }

    #[test]
    fn literal_paths_take_precedence_over_parameters() {
        let contract = contract();
        let name = |path: &str| contract.route(&Method::GET, path).map(|operation| operation.name.clone());
        assert_eq!(name("/models").unwrap(), "listModels");
        assert_eq!(name("/v1/models/latest").unwrap(), "latestModel");
        assert_eq!(name("/v1/models/other").unwrap(), "getModel");
        assert_eq!(name("/v1/models/"), Err(NoRoute::UnknownPath));
        assert_eq!(name("/v1models"), Err(NoRoute::UnknownPath));
        assert_eq!(name("/turns"), Err(NoRoute::WrongMethod { allowed: "POST".into() }));
    }

    #[test]
    fn a_missing_field_is_named_by_its_own_pointer() {
        assert_eq!(refusal(json!({"content": []})), "/a~1b: this field is required");
    }

    #[test]
    fn an_error_inside_a_tagged_union_names_its_pointer() {
        let body = json!({"a/b": 1, "content": [{"type": "image", "data": 5}]});
        assert_eq!(refusal(body), r#"/content/0/data: 5 is not of type "string""#);
        let body = json!({"a/b": 1, "content": [{"type": "image"}]});
        assert_eq!(refusal(body), "/content/0/data: this field is required");
        let body = json!({"a/b": 1, "content": [{"type": "video"}]});
        assert!(refusal(body).starts_with("/content/0: "));
    }

    #[test]
    fn a_string_may_stand_for_an_array_of_shorthand_items() {
        let contract = contract();
        let operation = contract.route(&Method::POST, "/turns").unwrap();
        assert!(operation.check(br#"{"a/b":1,"content":"hi"}"#).is_ok());
        assert!(operation.check(br#"{"a/b":1,"content":5}"#).is_err());
    }

    #[test]
    fn an_explanation_is_bounded() {
        let body = json!({"a/b": "x".repeat(100_000), "content": []});
        assert!(refusal(body).chars().count() < 500);
    }
}
