//! The schemas of Rust types, as tools and structured output send them.

#![cfg(test)]

use std::collections::BTreeMap;

use anthropic_messages::{
    AnthropicTool, ErrorKind, Json,
    schemars::{self, JsonSchema},
    types::JsonOutputFormat,
    types::ToolUnion,
};
use indexmap::IndexMap;
use proptest::{collection, option, prelude::*};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Point {
    x: i32,
    y: i32,
}

/// A place on a map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Place {
    /// Its name.
    name: String,
    zoom: Option<u8>,
    /// Its middle.
    centre: Point,
    tags: Vec<String>,
    exit: Option<Point>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Maps {
    counts: BTreeMap<String, i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Unit {
    Celsius,
    DegreesFahrenheit,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
enum External {
    Nothing,
    Number(i64),
    Place { x: i32 },
    Pair(bool, String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind")]
enum Internal {
    Nothing,
    Point(Point),
    Place { name: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "value")]
enum Adjacent {
    Nothing,
    Number(i64),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Point(Point),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Enums {
    unit: Unit,
    external: External,
    internal: Internal,
    adjacent: Adjacent,
    untagged: Untagged,
}

/// An enum that is flattened into a struct; not at the root, where tools can't have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Outer {
    inner: Flattened,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Flattened {
    id: i64,
    #[serde(flatten)]
    internal: Internal,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Tree {
    value: i64,
    children: Vec<Tree>,
}

/// A type that contains itself in a variant whose members are next to the tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind")]
enum Expression {
    Leaf { value: i64 },
    Node(Node),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Node {
    left: Box<Expression>,
    right: Box<Expression>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Formula {
    formula: Expression,
}

fn int32() -> Value {
    json!({"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX})
}

fn int64() -> Value {
    json!({"type": "integer", "minimum": i64::MIN, "maximum": i64::MAX})
}

fn strict_int32() -> Value {
    json!({"type": "integer", "description": "(minimum: -2147483648, maximum: 2147483647)"})
}

fn strict_int64() -> Value {
    json!({"type": "integer", "description": "(minimum: -9223372036854775808, maximum: 9223372036854775807)"})
}

fn tool<T: JsonSchema>() -> AnthropicTool {
    AnthropicTool::of::<T>("name", "What it does").unwrap()
}

fn schema<T: JsonSchema>() -> Value {
    tool::<T>().input_schema.decode().unwrap()
}

fn strict_schema<T: JsonSchema>() -> Value {
    let tool = AnthropicTool::strict_of::<T>("name", "What it does").unwrap();
    assert_eq!(tool.strict, Some(true));
    tool.input_schema.decode().unwrap()
}

fn output_schema<T: JsonSchema>() -> Value {
    JsonOutputFormat::of::<T>().unwrap().schema.decode().unwrap()
}

/// Asserts that two schemas are the same, but for the order of members.
#[track_caller]
fn same(schema: &Value, expected: Value) {
    assert_eq!(*schema, expected);
}

/// The names of the members at a place in JSON, in the order of its text.
#[track_caller]
fn names(json: &Json, path: &[&str]) -> Vec<String> {
    let mut json = json.clone();
    for part in path {
        json = match part.parse::<usize>() {
            Ok(index) => json.decode::<Vec<Json>>().unwrap().swap_remove(index),
            Err(_) => json.decode::<IndexMap<String, Json>>().unwrap().swap_remove(*part).unwrap(),
        };
    }
    json.decode::<IndexMap<String, Json>>().unwrap().into_keys().collect()
}

#[test]
fn required_fields_stand_in_the_order_of_the_type_and_before_others() {
    #[derive(JsonSchema)]
    #[expect(dead_code)]
    struct Judgement {
        reasons: Vec<Reason>,
        zeal: Option<u8>,
        properties: Reason,
        aside: Option<String>,
        answer: bool,
    }
    #[derive(JsonSchema)]
    #[expect(dead_code)]
    struct Reason {
        weight: f64,
        required: bool,
        because: String,
    }
    let judgement = ["reasons", "properties", "answer", "aside", "zeal"];
    let reason = ["weight", "required", "because"];
    let tool = tool::<Judgement>();
    let strict = AnthropicTool::strict_of::<Judgement>("name", "").unwrap();
    let output = JsonOutputFormat::of::<Judgement>().unwrap();
    for schema in [tool.input_schema, strict.input_schema, output.schema] {
        assert_eq!(names(&schema, &["properties"]), judgement, "{schema:?}");
        assert_eq!(names(&schema, &["$defs", "Reason", "properties"]), reason, "{schema:?}");
    }
    let strict = AnthropicTool::strict_of::<Outer>("name", "").unwrap().input_schema;
    assert_eq!(names(&strict, &["$defs", "Flattened", "anyOf", "2", "properties"]), ["id", "kind", "name"]);
}

#[test]
fn values_in_a_schema_keep_their_members() {
    #[derive(JsonSchema)]
    #[expect(dead_code)]
    struct Form {
        #[schemars(extend("examples" = [{"properties": {"a": 1, "b": 2}, "required": ["b", "a"]}]))]
        value: Value,
    }
    let schema = tool::<Form>().input_schema;
    assert_eq!(names(&schema, &["properties", "value", "examples", "0", "properties"]), ["a", "b"]);
}

#[test]
fn a_struct_has_its_fields_and_its_comments() {
    let point = json!({
        "type": "object",
        "properties": {"x": int32(), "y": int32()},
        "required": ["x", "y"]
    });
    same(
        &schema::<Place>(),
        json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "Its name."},
                "zoom": {"type": ["integer", "null"], "minimum": 0, "maximum": 255},
                "centre": {"$ref": "#/$defs/Point", "description": "Its middle."},
                "tags": {"type": "array", "items": {"type": "string"}},
                "exit": {"anyOf": [{"$ref": "#/$defs/Point"}, {"type": "null"}]}
            },
            "required": ["name", "centre", "tags"],
            "description": "A place on a map.",
            "$defs": {"Point": point}
        }),
    );
}

#[test]
fn a_strict_struct_is_closed_and_its_limits_are_words() {
    let point = |description: Option<&str>| {
        let mut point = json!({
            "type": "object",
            "properties": {
                "x": strict_int32(),
                "y": strict_int32()
            },
            "required": ["x", "y"],
            "additionalProperties": false
        });
        if let Some(description) = description {
            let mut described = json!({"description": description});
            described.as_object_mut().unwrap().append(point.as_object_mut().unwrap());
            return described;
        }
        point
    };
    same(
        &strict_schema::<Place>(),
        json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "Its name."},
                "zoom": {"type": "integer", "description": "(minimum: 0, maximum: 255)"},
                "centre": point(Some("Its middle.")),
                "tags": {"type": "array", "items": {"type": "string"}},
                "exit": {"$ref": "#/$defs/Point"}
            },
            "required": ["name", "centre", "tags"],
            "description": "A place on a map.",
            "additionalProperties": false,
            "$defs": {"Point": point(None)}
        }),
    );
}

#[test]
fn a_map_takes_members_of_any_name() {
    let counts = json!({"type": "object", "additionalProperties": int64()});
    same(&schema::<Maps>(), json!({"type": "object", "properties": {"counts": counts}, "required": ["counts"]}));
    same(&schema::<BTreeMap<String, i64>>(), counts);
}

#[test]
fn enums_keep_their_representation_and_their_constants() {
    let schema = schema::<Enums>();
    let integer = int64();
    let x = json!({"type": "object", "properties": {"x": int32()}, "required": ["x"]});
    let tag = |kind: &str| json!({"type": "string", "const": kind});
    same(&schema["$defs"]["Unit"], json!({"type": "string", "enum": ["celsius", "degrees_fahrenheit"]}));
    same(
        &schema["$defs"]["External"],
        json!({"oneOf": [
            {"type": "string", "enum": ["Nothing"]},
            {"type": "object", "properties": {"Number": integer}, "required": ["Number"],
             "additionalProperties": false},
            {"type": "object", "properties": {"Place": x}, "required": ["Place"], "additionalProperties": false},
            {"type": "object", "properties": {"Pair": {"type": "array", "prefixItems": [{"type": "boolean"},
             {"type": "string"}], "minItems": 2, "maxItems": 2}}, "required": ["Pair"],
             "additionalProperties": false}
        ]}),
    );
    same(
        &schema["$defs"]["Internal"],
        json!({"oneOf": [
            {"type": "object", "properties": {"kind": tag("Nothing")}, "required": ["kind"]},
            {"$ref": "#/$defs/Point", "type": "object", "properties": {"kind": tag("Point")}, "required": ["kind"]},
            {"type": "object", "properties": {"kind": tag("Place"), "name": {"type": "string"}},
             "required": ["kind", "name"]}
        ]}),
    );
    same(
        &schema["$defs"]["Adjacent"],
        json!({"oneOf": [
            {"type": "object", "properties": {"kind": tag("Nothing")}, "required": ["kind"]},
            {"type": "object", "properties": {"kind": tag("Number"), "value": integer}, "required": ["kind", "value"]}
        ]}),
    );
    same(&schema["$defs"]["Untagged"], json!({"anyOf": [integer, {"$ref": "#/$defs/Point"}]}));
}

#[test]
fn a_strict_enum_names_all_members_in_each_variant() {
    let number = strict_int32();
    let variant = |kind: &str, members: Value| {
        let mut properties = json!({"id": strict_int64(),
            "kind": {"type": "string", "const": kind}});
        properties.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let names: Vec<_> = properties.as_object().unwrap().keys().cloned().collect();
        json!({"type": "object", "properties": properties, "required": names, "additionalProperties": false})
    };
    same(
        &strict_schema::<Outer>()["$defs"]["Flattened"],
        json!({"anyOf": [
            variant("Nothing", json!({})),
            variant("Point", json!({"x": number, "y": number})),
            variant("Place", json!({"name": {"type": "string"}}))
        ]}),
    );
}

#[test]
fn a_recursive_type_refers_to_itself() {
    let integer = int64();
    let children = json!({"type": "array", "items": {"$ref": "#"}});
    let properties = json!({"value": integer, "children": children});
    same(&schema::<Tree>(), json!({"type": "object", "properties": properties, "required": ["value", "children"]}));
}

#[test]
fn a_newtype_has_the_schema_of_what_it_wraps() {
    #[derive(JsonSchema)]
    #[expect(dead_code)]
    struct Wrapper(Point);
    same(&schema::<Wrapper>(), schema::<Point>());
    assert!(schema::<Wrapper>().get("$defs").is_none());
}

#[test]
fn a_root_that_is_no_object_is_an_error_that_names_the_type() {
    let refused = |result: anthropic_messages::Result<AnthropicTool>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Contract);
        error.to_string()
    };
    let rest = "the input of a tool must be a struct with named fields or a map";
    let cases = [
        (AnthropicTool::of::<Internal>("a", "b"), "`Internal` has `oneOf` at its root"),
        (AnthropicTool::of::<Flattened>("a", "b"), "`Flattened` has `oneOf` at its root"),
        (AnthropicTool::of::<Option<Point>>("a", "b"), "`Nullable_Point` has `anyOf` at its root"),
        (AnthropicTool::of::<Unit>("a", "b"), "`Unit` is not an object"),
        (AnthropicTool::of::<Vec<Point>>("a", "b"), "`Array_of_Point` is not an object"),
        (AnthropicTool::of::<(i32, i32)>("a", "b"), "is not an object"),
        (AnthropicTool::of::<String>("a", "b"), "`string` is not an object"),
        (AnthropicTool::of::<()>("a", "b"), "`null` is not an object"),
        (AnthropicTool::of::<Value>("a", "b"), "`AnyValue` is not an object"),
    ];
    for (result, problem) in cases {
        let message = refused(result);
        assert!(message.contains(problem) && message.ends_with(rest), "{message}");
    }
}

#[test]
fn what_has_no_strict_schema_is_an_error_that_names_the_place() {
    #[derive(JsonSchema)]
    #[expect(dead_code)]
    struct Both {
        #[serde(flatten)]
        internal: Internal,
        #[serde(flatten)]
        external: External,
    }
    let error = AnthropicTool::strict_of::<Maps>("name", "").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the schema of the tool `name` has members of any name, which a strict schema can't have; use a list of pairs, at \
         /properties/counts"
    );
    let error = JsonOutputFormat::of::<Both>().unwrap_err();
    assert_eq!(error.to_string(), "the schema of `Both` combines several enums, which a strict schema can't");
    assert_eq!(error.kind(), ErrorKind::Contract);
}

#[test]
fn an_output_may_be_of_any_shape() {
    same(&output_schema::<Unit>(), json!({"type": "string", "enum": ["celsius", "degrees_fahrenheit"]}));
    same(&output_schema::<f64>(), json!({"type": "number"}));
    same(&output_schema::<Vec<String>>(), json!({"type": "array", "items": {"type": "string"}}));
    assert_eq!(output_schema::<Internal>()["anyOf"].as_array().unwrap().len(), 3);
}

/// The keywords that schemas under the contract's `strict` can't have.
fn keywords(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            for (name, member) in members {
                found.push(name.clone());
                match (name.as_str(), member) {
                    ("properties" | "$defs", Value::Object(members)) => {
                        members.values().for_each(|member| keywords(member, found));
                    }
                    _ => keywords(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keywords(item, found)),
        _ => {}
    }
}

#[track_caller]
fn accepted<T: JsonSchema>() {
    let contract: Value = serde_json::from_str(include_str!("../openapi.json")).unwrap();
    let contract = jsonschema::validator_for(&contract["components"]["schemas"]["AnthropicTool"]).unwrap();
    let mut tools = vec![tool::<T>()];
    tools.extend(AnthropicTool::strict_of::<T>("name", "What it does"));
    for tool in tools {
        let value = serde_json::to_value(&tool).unwrap();
        assert!(contract.is_valid(&value), "{value}");
        let schema = &value["input_schema"];
        assert!(jsonschema::draft202012::meta::is_valid(schema), "{schema}");
        assert_eq!(schema["type"], "object");
        for keyword in ["$schema", "title", "oneOf", "anyOf", "allOf"] {
            assert!(schema.get(keyword).is_none(), "{keyword} in {schema}");
        }
        let sent: ToolUnion = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(sent, tool.into());
    }
}

#[test]
fn every_schema_is_accepted_by_the_meta_schema_and_the_contract() {
    accepted::<Point>();
    accepted::<Place>();
    accepted::<Maps>();
    accepted::<Enums>();
    accepted::<Outer>();
    accepted::<Tree>();
    accepted::<Formula>();
    let mut found = Vec::new();
    for strict in [strict_schema::<Place>(), strict_schema::<Outer>()] {
        keywords(&strict, &mut found);
    }
    for keyword in ["oneOf", "allOf", "minimum", "maximum", "maxItems"] {
        assert!(!found.iter().any(|name| name == keyword), "{keyword}");
    }
}

/// Checks that a value is valid under the schemas of its type, and reads back unchanged.
fn holds<T>(value: &T) -> Result<(), TestCaseError>
where
    T: Serialize + DeserializeOwned + JsonSchema + PartialEq + std::fmt::Debug,
{
    let json = serde_json::to_value(value).unwrap();
    let mut schemas = vec![schema::<T>()];
    schemas.extend(JsonOutputFormat::of::<T>().ok().map(|format| format.schema.decode::<Value>().unwrap()));
    for (schema, json) in schemas.into_iter().zip([json.clone(), without_nulls(&json)]) {
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        prop_assert!(validator.is_valid(&json), "{json} under {schema}");
    }
    prop_assert_eq!(&serde_json::from_value::<T>(json).unwrap(), value);
    Ok(())
}

/// A value as a model writes it under a strict schema, where an absent member is never `null`.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), without_nulls(value)))
            .collect(),
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        value => value.clone(),
    }
}

fn point() -> impl Strategy<Value = Point> {
    any::<(i32, i32)>().prop_map(|(x, y)| Point { x, y })
}

fn place() -> impl Strategy<Value = Place> {
    (".*", any::<Option<u8>>(), point(), collection::vec(".*", 0..3), option::of(point()))
        .prop_map(|(name, zoom, centre, tags, exit)| Place { name, zoom, centre, tags, exit })
}

fn internal() -> impl Strategy<Value = Internal> {
    prop_oneof![
        Just(Internal::Nothing),
        point().prop_map(Internal::Point),
        ".*".prop_map(|name| Internal::Place { name })
    ]
}

fn external() -> impl Strategy<Value = External> {
    prop_oneof![
        Just(External::Nothing),
        any::<i64>().prop_map(External::Number),
        any::<i32>().prop_map(|x| External::Place { x }),
        (any::<bool>(), ".*").prop_map(|(flag, text)| External::Pair(flag, text))
    ]
}

fn enums() -> impl Strategy<Value = Enums> {
    let unit = prop_oneof![Just(Unit::Celsius), Just(Unit::DegreesFahrenheit)];
    let adjacent = prop_oneof![Just(Adjacent::Nothing), any::<i64>().prop_map(Adjacent::Number)];
    let untagged = prop_oneof![any::<i64>().prop_map(Untagged::Number), point().prop_map(Untagged::Point)];
    (unit, external(), internal(), adjacent, untagged).prop_map(|(unit, external, internal, adjacent, untagged)| {
        Enums { unit, external, internal, adjacent, untagged }
    })
}

fn expression() -> impl Strategy<Value = Expression> {
    let leaf = any::<i64>().prop_map(|value| Expression::Leaf { value });
    leaf.prop_recursive(4, 16, 2, |inner| {
        (inner.clone(), inner)
            .prop_map(|(left, right)| Expression::Node(Node { left: Box::new(left), right: Box::new(right) }))
    })
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = any::<i64>().prop_map(|value| Tree { value, children: Vec::new() });
    leaf.prop_recursive(4, 16, 3, |inner| {
        (any::<i64>(), collection::vec(inner, 0..3)).prop_map(|(value, children)| Tree { value, children })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn values_fit_the_schemas_of_their_type(
        place in place(),
        counts in collection::btree_map(".*", any::<i64>(), 0..3),
        enums in enums(),
        (id, internal) in (any::<i64>(), internal()),
        tree in tree(),
        formula in expression(),
    ) {
        holds(&place)?;
        holds(&Maps { counts })?;
        holds(&enums)?;
        holds(&Outer { inner: Flattened { id, internal } })?;
        holds(&tree)?;
        holds(&Formula { formula })?;
    }
}

#[test]
fn a_type_that_contains_itself_has_no_strict_schema() {
    #[derive(JsonSchema)]
    #[expect(dead_code)]
    struct Mutual {
        first: First,
    }
    #[derive(JsonSchema)]
    #[expect(dead_code)]
    struct First {
        second: Option<Box<Second>>,
    }
    #[derive(JsonSchema)]
    #[expect(dead_code)]
    struct Second {
        first: Vec<First>,
    }
    let message = |tool: anthropic_messages::Result<AnthropicTool>| tool.unwrap_err().to_string();
    let cases = [
        (
            AnthropicTool::strict_of::<Tree>("t", ""),
            "the schema of the tool `t` contains itself, which a strict schema can't",
        ),
        (
            AnthropicTool::strict_of::<Mutual>("t", ""),
            "the schema of the tool `t` contains itself, which a strict schema can't: First -> Second -> First",
        ),
        (
            AnthropicTool::strict_of::<Formula>("t", ""),
            "the schema of the tool `t` contains itself, which a strict schema can't: Expression -> Node -> Expression",
        ),
    ];
    for (tool, expected) in cases {
        assert_eq!(message(tool), expected);
    }
    assert_eq!(JsonOutputFormat::of::<Tree>().unwrap_err().kind(), ErrorKind::Contract);
}

#[test]
fn what_no_grammar_expresses_is_an_error_with_its_place() {
    #[derive(JsonSchema)]
    #[expect(dead_code)]
    struct Code {
        #[schemars(regex(pattern = r"^(?=.*\d)\w+$"))]
        code: String,
    }
    #[derive(JsonSchema)]
    #[expect(dead_code)]
    struct Pair {
        pair: (bool, String),
    }
    #[derive(JsonSchema)]
    #[expect(dead_code)]
    struct Any {
        any: Value,
    }
    let cases = [
        (AnthropicTool::strict_of::<Code>("t", ""), "a pattern with look-around", "/properties/code/pattern"),
        (AnthropicTool::strict_of::<Pair>("t", ""), "a tuple", "/properties/pair/prefixItems"),
        (AnthropicTool::strict_of::<Any>("t", ""), "accepts any value", "/properties/any"),
    ];
    for (tool, problem, place) in cases {
        let message = tool.unwrap_err().to_string();
        assert!(message.contains(problem) && message.ends_with(&format!(", at {place}")), "{message}");
    }
    assert!(AnthropicTool::of::<Code>("t", "").is_ok() && AnthropicTool::of::<Pair>("t", "").is_ok());
}

#[test]
fn a_struct_without_fields_has_properties() {
    #[derive(JsonSchema)]
    struct NoArgs {}
    same(&schema::<NoArgs>(), json!({"type": "object", "properties": {}}));
    same(&strict_schema::<NoArgs>(), json!({"type": "object", "properties": {}, "additionalProperties": false}));
}

#[test]
fn the_ranges_of_integers_are_bounds_and_in_strict_schemas_words() {
    #[derive(JsonSchema)]
    #[expect(dead_code)]
    struct Integers {
        a: i8,
        b: u16,
        c: u32,
        d: u64,
        e: i128,
        f: u128,
        g: usize,
    }
    let plain = &schema::<Integers>()["properties"];
    let bounds = |name: &str| (plain[name].get("minimum").cloned(), plain[name].get("maximum").cloned());
    assert_eq!(bounds("a"), (Some(json!(-128)), Some(json!(127))));
    assert_eq!(bounds("b"), (Some(json!(0)), Some(json!(65_535))));
    assert_eq!(bounds("c"), (Some(json!(0)), Some(json!(u32::MAX))));
    assert_eq!(bounds("d"), (Some(json!(0)), Some(json!(u64::MAX))));
    assert_eq!(bounds("e"), (None, None));
    assert_eq!(bounds("f"), (Some(json!(0)), None));
    assert_eq!(bounds("g"), (Some(json!(0)), Some(json!(u64::MAX))));
    let mut found = Vec::new();
    keywords(plain, &mut found);
    keywords(&strict_schema::<Integers>(), &mut found);
    assert!(found.iter().any(|name| name == "minimum") && !found.iter().any(|name| name == "format"), "{found:?}");
    same(&strict_schema::<Integers>()["properties"]["a"]["description"], json!("(minimum: -128, maximum: 127)"));
}

#[test]
fn an_option_costs_one_optional_member_and_no_union() {
    #[derive(JsonSchema)]
    #[expect(dead_code)]
    struct Options {
        number: Option<f64>,
        unit: Option<Unit>,
        list: Option<Vec<Option<String>>>,
        point: Option<Point>,
    }
    let strict = strict_schema::<Options>();
    let properties = &strict["properties"];
    same(&properties["number"], json!({"type": "number"}));
    same(&properties["unit"], json!({"$ref": "#/$defs/Unit"}));
    same(&properties["point"], json!({"$ref": "#/$defs/Point"}));
    same(&properties["list"], json!({"type": "array", "items": {"type": ["string", "null"]}}));
    assert!(strict.get("required").is_none());
}
