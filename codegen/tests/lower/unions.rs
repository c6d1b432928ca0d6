//! Tests of `oneOf` and `anyOf`: the tags that distinguish branches, and branches that nothing distinguishes.

use serde_json::{Value, json};

use crate::{generate, schemas};

#[test]
fn a_union_with_constant_tags_is_named_by_them() {
    let branch = |tag: &str| json!({"type": "object", "required": ["kind"], "properties": {"kind": {"const": tag}, "n": {"type": "integer"}}});
    let outcome = generate(&schemas(&json!({
        "Circle": branch("circle"),
        "Shape": {"anyOf": [{"$ref": "#/components/schemas/Circle"}, branch("big_square")]},
    })));
    let outcome = outcome.unwrap();
    outcome.has(&["enum Shape", "Circle(Circle)", "BigSquare(ShapeBigSquare)", "Unknown(Json)"]);
    outcome.lacks("kind:").notes(&[]);
}

#[test]
fn one_branch_may_come_without_the_tag() {
    let outcome = generate(&schemas(&json!({"Tool": {"oneOf": [
        {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "type": {"enum": ["custom"]}}},
        {"type": "object", "required": ["type"], "properties": {"type": {"enum": ["search_1", "search_2"]}}},
    ]}})));
    let outcome = outcome.unwrap();
    outcome.has(&[
        "Custom(ToolCustom)",
        "Search1(ToolSearch1)",
        "type_: Option<ToolCustomType>",
        "type_: ToolSearch1Type",
    ]);
    let source: String = outcome.source.split_whitespace().collect();
    assert!(source.contains("tag.as_deref().or(::std::option::Option::Some(\"custom\"))"));
}

#[test]
fn a_discriminator_gives_its_branches_their_constant() {
    let pet = |name: &str| json!({"type": "object", "required": ["pet_type"], "properties": {"pet_type": {"type": "string"}, name: {"type": "string"}}});
    let outcome = generate(&schemas(&json!({
        "Cat": pet("meow"), "Dog": pet("bark"),
        "Pet": {"oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
            "discriminator": {"propertyName": "pet_type", "mapping": {"the_cat": "#/components/schemas/Cat"}}},
    })));
    let outcome = outcome.unwrap();
    outcome.has(&["TheCat(Cat)", "Dog(Dog)"]).lacks("pet_type:").notes(&[]);
    assert!(outcome.source.contains("0usize => ::std::option::Option::Some(&\"the_cat\")"));
}

#[test]
fn an_untagged_union_tries_what_asks_for_most_first() {
    let object = |required: &[&str]| json!({"type": "object", "required": required, "properties": {"a": {"type": "string"}, "b": {"type": "string"}}});
    let outcome = generate(&schemas(&json!({
        "None": object(&[]), "Both": object(&["a", "b"]), "One": object(&["a"]),
        "U": {"oneOf": [{"$ref": "#/components/schemas/None"}, {"$ref": "#/components/schemas/One"}, {"$ref": "#/components/schemas/Both"}]},
    })));
    let outcome = outcome.unwrap();
    let at = outcome.surface.find("enum U").unwrap();
    let order: Vec<&str> = outcome.surface.split_at(at).1.lines().skip(1).take(4).map(str::trim).collect();
    assert_eq!(order, ["Both(Both)", "One(One)", "None2(None2)", "Unknown(Json)"]);
}

#[test]
fn a_string_beside_its_enum_is_a_string() {
    let outcome = generate(&schemas(
        &json!({"A": {"type": "object", "properties": {"m": {"anyOf": [{"type": "string"}, {"enum": ["x"]}]}}}}),
    ));
    outcome.unwrap().has(&["m: Option<String>"]).lacks("enum").notes(&[]);
}

#[test]
fn a_union_of_required_properties_is_the_object() {
    let outcome = generate(&schemas(
        &json!({"A": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}}),
    ));
    outcome
        .unwrap()
        .has(&["struct A", "a: Option<String>"])
        .notes(&["/components/schemas/A: `required` in the branches of a union is not checked"]);
}

#[test]
fn a_variant_that_must_hold_an_object_is_in_a_box() {
    let branch = |tag: &str, required: &[&str], more: Value| {
        let mut properties = json!({"kind": {"const": tag}});
        properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let required: Vec<&str> = ["kind"].iter().chain(required).copied().collect();
        json!({"type": "object", "required": required, "properties": properties})
    };
    let object = json!({"type": "object", "properties": {"x": {"type": "integer"}}});
    // However many: one more optional member must not change the type of a variant.
    let mut many = json!({"object": object, "list": {"type": "array", "items": object}});
    for number in 0..40 {
        many[format!("text_{number}")] = json!({"type": "string"});
    }
    let mut marked = branch("marked", &[], json!({}));
    marked["x-boxed"] = json!(true);
    let outcome = generate(&schemas(&json!({"Shape": {"oneOf": [
        branch("optional", &[], many),
        branch("list", &["points"], json!({"points": {"type": "array", "items": object}})),
        branch("object", &["at"], json!({"at": object})),
        marked,
    ]}})));
    let outcome = outcome.unwrap();
    outcome.has(&[
        "Optional(ShapeOptional)",
        "List(ShapeList)",
        "Object(Box<ShapeObject>)",
        "Marked(Box<ShapeMarked>)",
    ]);
    let source: String = outcome.source.split_whitespace().collect();
    assert!(source.contains("fnfrom(value:ShapeObject)->Self{Self::Object(::std::boxed::Box::new(value))}"));
}

#[test]
fn a_null_in_a_branch_makes_the_union_nullable() {
    let outcome = generate(&schemas(&json!({
        "Text": {"type": ["string", "null"]},
        "A": {"type": "object", "required": ["x"], "properties": {
            "x": {"oneOf": [{"$ref": "#/components/schemas/Text"}, {"type": "integer"}]},
            "y": {"type": "array", "items": {"anyOf": [{"enum": ["a", null]}, {"type": "boolean"}]}},
        }},
    })))
    .unwrap();
    outcome.has(&["x: Option<Ax>", "y: Option<Vec<Option<AyItem>>>"]).notes(&[]);
}

#[test]
fn a_discriminator_with_optional_constants_is_a_tag() {
    let outcome = generate(&schemas(&json!({
        "Function": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "type": {"enum": ["function"], "default": "function"}}},
        "Search": {"type": "object", "properties": {"type": {"enum": ["search"], "default": "search"}}},
        "Tool": {"oneOf": [{"$ref": "#/components/schemas/Function"}, {"$ref": "#/components/schemas/Search"}], "discriminator": {"propertyName": "type"}},
    })))
    .unwrap();
    outcome.has(&["Function(Function)", "Search(Search)", "type_: Option<FunctionType>"]).notes(&[]);
    // A value that is made has its tag, so that the union can be told apart on the wire.
    let source: String = outcome.source.split_whitespace().collect();
    assert!(source.contains("type_:::std::option::Option::Some(FunctionType::Function)"), "{source}");
}

#[test]
fn unsigned_integers_of_64_bits_keep_their_range() {
    generate(&schemas(&json!({"A": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "format": "uint64"}}}})))
        .unwrap()
        .has(&["n: u64", "new(n: impl Into<u64>)"]);
}

#[test]
fn identical_inline_unions_and_enums_are_one_type() {
    let pets = json!({"type": "array", "items": {"oneOf": [
        {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "cat"}, "mood": {"enum": ["calm", "hungry"]}}},
        {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "dog"}}},
    ]}});
    let other = json!({"type": "array", "items": {"oneOf": [
        {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "cat"}, "mood": {"enum": ["calm"]}}},
        {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "dog"}}},
    ]}});
    let object = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    let outcome = generate(&schemas(&json!({
        "A": {"type": "object", "properties": {"pets": pets, "size": {"enum": ["s", "l"]}, "o": object}},
        "B": {"type": "object", "properties": {"pets": pets, "size": {"$ref": "#/components/schemas/Size"}, "o": object}},
        "C": {"type": "object", "properties": {"pets": other}},
        "Size": {"enum": ["s", "l"]},
    })))
    .unwrap();
    outcome.has(&[
        "enum APetsItem",
        "type BPetsItem = APetsItem",
        "type BPetsItemCat = APetsItemCat",
        "type BPetsItemCatMood = APetsItemCatMood",
        "enum CPetsItem",
        "struct CPetsItemCat",
        // A named schema is the original, and objects stay apart.
        "type ASize = Size",
        "struct Ao",
        "struct Bo",
    ]);
    outcome.lacks("type CPetsItemCat ").lacks("enum BPetsItem");
}
