//! Documents that double, loop, run deep or take names: a sentence or a client, never a panic.

use serde_json::{Map, Value, json};

use crate::{generate, paths, schemas};

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// `A0` to `A{length}`, each made of the next; the last one is an object.
fn chain(length: usize, link: impl Fn(usize, Value) -> Value) -> Value {
    let mut all = Map::new();
    for index in 0..length {
        all.insert(format!("A{index}"), link(index, reference(&format!("A{}", index + 1))));
    }
    all.insert(format!("A{length}"), json!({"type": "object", "properties": {"x": {"type": "string"}}}));
    schemas(&Value::Object(all))
}

#[test]
fn references_as_deep_as_a_document_is_long_are_followed() {
    let outcome = generate(&chain(600, |_, next| json!({"type": "object", "properties": {"next": next}}))).unwrap();
    outcome.has(&["next: Option<A600>"]).notes(&[]);
    let outcome = generate(&chain(2_500, |_, next| json!({"type": "array", "items": next}))).unwrap();
    assert!(outcome.notes.iter().all(|note| note.ends_with("the schema is nested too deeply; it becomes any JSON")));
    assert!((1..=5).contains(&outcome.notes.len()), "{:?}", outcome.notes);
}

#[test]
fn parents_that_come_twice_cost_no_more_than_once() {
    let link =
        |_, next: Value| json!({"allOf": [next, next, {"type": "object", "properties": {"y": {"type": "string"}}}]});
    let outcome = generate(&chain(60, link)).unwrap();
    outcome.has(&["struct A0", "struct A60"]).notes(&[]);
}

#[test]
fn schemas_that_multiply_end_in_a_sentence() {
    let link = |index, next: Value| {
        let more = json!({"allOf": [next, {"required": ["z"]}]});
        json!({"properties": {format!("p{index}"): {"type": "string"}}, "oneOf": [next, more]})
    };
    let error = generate(&chain(40, link)).err().unwrap();
    let problem = "spec.json: the schemas multiply beyond the generator's limit when merged, at #/components";
    assert!(error.starts_with(problem), "{error}");
    let error = generate(&chain(300, |_, next| json!({"allOf": [next, {"required": ["x"]}]}))).err().unwrap();
    assert!(error.starts_with("spec.json: `allOf` is nested more than 200 deep"), "{error}");
}

#[test]
fn an_object_that_is_a_property_of_itself_and_more_is_one_type() {
    let outcome = generate(&schemas(&json!({"A": {"type": "object", "properties": {
        "plain": {"$ref": "#/components/schemas/A", "type": "object"},
        "more": {"$ref": "#/components/schemas/A", "required": ["plain"]},
    }}})));
    let outcome = outcome.unwrap();
    outcome.has(&["plain: Option<APlain>", "plain: Option<Box<APlain>>", "more: Option<Box<AMore>>"]);
    outcome.lacks("APlainPlain").lacks("Option<Box<Option").notes(&[]);
}

#[test]
fn parents_that_list_their_children_are_no_circle() {
    let child =
        |name: &str| json!({"allOf": [reference("Pet"), {"type": "object", "properties": {name: {"type": "string"}}}]});
    let outcome = generate(&schemas(&json!({
        "Pet": {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}},
            "oneOf": [reference("Cat"), reference("Dog")],
            "discriminator": {"propertyName": "kind", "mapping": {"cat": "#/components/schemas/Cat", "dog": "#/components/schemas/Dog"}}},
        "Cat": child("meow"), "Dog": child("bark"),
    })));
    let outcome = outcome.unwrap();
    outcome.has(&["enum Pet", "Cat(Cat)", "Dog(Dog)", "meow: Option<String>"]).lacks("enum Cat");
}

#[test]
fn unions_that_are_branches_of_each_other_are_tried_once() {
    let outcome = generate(&schemas(&json!({
        "A": {"oneOf": [reference("B"), {"type": "string"}]}, "B": {"oneOf": [reference("A"), {"type": "integer"}]},
        "C": {"oneOf": [{"type": "array", "items": reference("C")}, {"type": "array", "items": reference("C")}, true]},
        "D": {"oneOf": [reference("D"), {"type": "string"}, {"type": "boolean"}]},
    })));
    let outcome = outcome.unwrap();
    outcome.has(&["enum C", "Array(Vec<C>)", "Any(Json)", "enum D", "Boolean(bool)"]);
    let note = "/components/schemas/B: a branch is a union that contains this one; it is left out";
    assert!(outcome.notes.iter().any(|found| found == note), "{:?}", outcome.notes);
}

#[test]
fn an_object_is_told_apart_by_one_property_only() {
    let object = |tag: &str, kind: &str| json!({"type": "object", "required": ["type", "kind"], "properties": {"type": {"const": tag}, "kind": {"const": kind}}});
    let outcome = generate(&schemas(&json!({
        "One": object("one", "k1"), "Two": object("two", "k2"), "Three": object("one", "k3"),
        "ByType": {"oneOf": [reference("One"), reference("Two")]},
        "ByKind": {"oneOf": [reference("One"), reference("Three")]},
    })));
    let outcome = outcome.unwrap();
    // The union that is met first has it.
    assert_eq!(outcome.notes.len(), 1, "{:?}", outcome.notes);
    assert!(
        outcome.notes[0].ends_with("alone doesn't tell the branches apart; they are tried in order"),
        "{:?}",
        outcome.notes
    );
    let source: String = outcome.source.split_whitespace().collect();
    assert_eq!(source.matches("reader.tag(").count(), 1);
}

#[test]
fn a_schema_that_stands_on_its_own_gets_no_tag_of_a_discriminator() {
    let outcome = generate(&schemas(&json!({
        "Cat": {"type": "object", "properties": {"meow": {"type": "string"}}},
        "Dog": {"type": "object", "properties": {"bark": {"type": "string"}}},
        "Pet": {"oneOf": [reference("Cat"), reference("Dog")], "discriminator": {"propertyName": "kind"}},
        "Home": {"type": "object", "properties": {"cat": reference("Cat")}},
    })));
    let outcome = outcome.unwrap();
    let entry = |tag: &str| outcome.source.contains(&format!("0usize => ::std::option::Option::Some(&\"{tag}\")"));
    assert!(entry("Dog") && !entry("Cat"));
}

#[test]
fn tags_with_one_rust_name_are_numbered() {
    let branch = |tag: &str| json!({"type": "object", "required": ["type"], "properties": {"type": {"const": tag}}});
    let outcome = generate(&schemas(&json!({"E": {"oneOf": [branch("a-b"), branch("a_b"), branch("Unknown")]}})));
    outcome.unwrap().has(&["AB(Eab)", "AB2(Eab2)", "Unknown2(EUnknown2)", "Unknown(Json)"]);
}

#[test]
fn names_that_generated_code_has_for_itself_can_be_taken() {
    let object =
        json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "d": reference("D")}});
    let outcome = generate(&schemas(
        &json!({"A": object, "D": object, "S": object, "a-b": object, "Self": object, "self": object}),
    ));
    let outcome = outcome.unwrap();
    outcome.has(&["struct A", "struct D", "struct S", "struct Ab", "struct Self_", "struct Self2"]);
    assert!(
        !outcome.source.contains("<'de, A:") && !outcome.source.contains("<'de, D:") && !outcome.source.contains("<S:")
    );
}

#[test]
fn operations_keep_clear_of_names_that_are_taken() {
    let ok = json!({"200": {"description": ""}});
    let query = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
    let outcome = generate(&json!({"openapi": "3.1.0", "info": {"title": "t"},
        "components": {"schemas": {"ListParams": {"type": "object", "properties": {"x": {"type": "string"}}}}},
        "paths": {"/a": {
            "get": {"operationId": "list", "parameters": [query("new"), query("default")], "responses": ok},
            "post": {"operationId": "post", "responses": ok},
            "put": {"operationId": "url", "responses": ok},
        }},
    }));
    let outcome = outcome.unwrap();
    outcome.has(&["struct ListParams", "struct ListParams2", "async fn list(params: &types::ListParams2) -> ()"]);
    outcome.has(&["async fn post() -> ()", "async fn url() -> ()"]);
    let source: String = outcome.source.split_whitespace().collect();
    assert!(source.contains("pubfnnew_(mutself"));
}

#[test]
fn routes_that_progenitor_could_not_read_are_left_out() {
    let get = |id: &str| json!({"get": {"operationId": id, "responses": {"200": {"description": ""}}}});
    let outcome = generate(&paths(&json!({
        "/open/{a": get("open"), "/twice/{a-b}/{a_b}": get("twice"), "no-slash": get("no_slash"), "x-note": "words",
        "/same#one": get("one"), "/same#two": get("two"), "/two/{id}:{verb}": get("verb"),
    })));
    let outcome = outcome.unwrap();
    outcome.has(&["async fn one() -> ()", "async fn two() -> ()", "async fn verb(id: &str, verb: &str) -> ()"]);
    assert_eq!(outcome.notes.len(), 3, "{:?}", outcome.notes);
    for path in ["no-slash", "~1open~1{a", "~1twice~1{a-b}~1{a_b}"] {
        let note =
            format!("/paths/{path}: the path is none that a client can be written for; its operations are left out");
        assert!(outcome.notes.contains(&note), "{note}");
    }
}

#[test]
fn headers_that_no_operation_can_set_are_left_out() {
    let header = |name: &str| json!({"name": name, "in": "header", "schema": {"type": "string"}});
    let outcome = generate(&paths(&json!({"/a": {"get": {"operationId": "a",
        "parameters": [header("two words"), header("Content-Type"), header("X-Ok")],
        "responses": {"20": {"description": ""}, "2xx": {"description": "", "content": {"application/json": {"schema": {"type": "string"}}}}},
    }}})));
    let outcome = outcome.unwrap();
    outcome.has(&["async fn a(params: &types::AParams) -> String", "x_ok: Option<String>"]);
    assert_eq!(outcome.notes.len(), 2, "{:?}", outcome.notes);
}

#[test]
fn a_body_that_may_be_null_is_sent_as_what_it_is_else() {
    let schema = json!({"type": ["object", "null"], "properties": {"x": {"type": "string"}}});
    let body = |media_type: &str| json!({"requestBody": {"required": true, "content": {media_type: {"schema": schema}}}, "responses": {"200": {"description": ""}}});
    let outcome = generate(&paths(
        &json!({"/a": {"put": body("application/json"), "post": body("application/x-www-form-urlencoded")}}),
    ));
    let outcome = outcome.unwrap();
    outcome
        .has(&["async fn put_a(body: &types::PutARequest) -> ()", "async fn post_a(body: &types::PostARequest) -> ()"]);
    assert!(outcome.notes.iter().all(|note| note.ends_with("a body of `null` can't be sent")));
}

#[test]
fn an_enum_as_a_body_is_checked_where_it_is_taken_by_value() {
    let outcome = generate(&paths(
        &json!({"/a": {"put": {"requestBody": {"required": true, "content": {"application/json": {"schema": {"enum": ["x"]}}}},
        "responses": {"200": {"description": ""}}}}}),
    ));
    let source: String = outcome.unwrap().source.split_whitespace().collect();
    assert!(source.contains("body:types::PutARequest") && source.contains("Check::check(&body)?"));
}

#[test]
fn shared_parts_that_refer_to_each_other_are_followed_and_circles_are_errors() {
    let document = |target: &str| {
        json!({"openapi": "3.1.0", "info": {"title": "t"},
            "paths": {"/a": {"get": {"operationId": "a", "responses": {"200": {"$ref": "#/components/responses/One"}}}}},
            "components": {"responses": {"One": {"$ref": "#/components/responses/T%77o"}, "Two": {"$ref": target},
                "Three": {"description": "", "content": {"application/json": {"schema": {"type": "integer"}}}}}}})
    };
    generate(&document("#/components/responses/Three")).unwrap().has(&["async fn a() -> i64"]);
    let error = generate(&document("#/components/responses/One")).err().unwrap();
    assert!(error.contains("itself, at #/paths/~1a/get/responses/200"), "{error}");
}
