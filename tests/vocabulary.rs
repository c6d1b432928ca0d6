//! The whole vocabulary of the API against the types.
//!
//! `tests/data/vocabulary.json` lists what API version 2026-10-21 says; `tests/data/vocabulary_map.json`
//! names the type that each schema of it has here:
//!
//! - `{"type": T}`: an instance of the schema is read as the type `T`.
//! - `{"type": T, "within": X}`: what is read as `T` is `X`, with the instance in place of `"$instance"`.
//! - `{"type": T, "requires": [F]}`: `T` also requires fields that every server sends and a value is useless without.
//! - `{"out_of_scope": why}`: the crate has no type for it.

#![cfg(test)]

mod support;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use anthropic_messages::Json;
use serde_json::{Map, Value, json};
use support::{
    contract::{Contract, Form, Selected, is_free_form, property_names, tags, types},
    types::TYPES,
};

const VOCABULARY: &str = include_str!("data/vocabulary.json");
const MAP: &str = include_str!("data/vocabulary_map.json");
const SURFACE: &str = include_str!(concat!(env!("OUT_DIR"), "/surface.txt"));

#[test]
fn every_schema_field_and_value_of_the_api_round_trips_and_has_a_type() {
    let vocabulary = Vocabulary::read();
    let contract = Contract::merged();
    let typed = Typed::new(&contract);
    let mut covered = Covered::default();
    for (name, place) in vocabulary.in_scope() {
        let own = place["type"].as_str().unwrap();
        let (.., pointer, round_trip) = TYPES.iter().find(|(name, ..)| *name == own).unwrap();
        let form = contract.form(pointer);
        covered.schemas += 1;
        covered.free_form += usize::from(is_carried_in_free_form(&contract, &form, place));
        for instance in vocabulary.instances(name) {
            covered.instances += 1;
            let sent = place.get("within").map_or_else(|| instance.clone(), |within| fill(within, &instance));
            let back =
                round_trip(&sent.to_string()).unwrap_or_else(|error| panic!("{name} is no {own}: {error}: {sent}"));
            let found: Value = serde_json::from_str(&back).unwrap();
            assert!(is_same_but_for_nulls(&sent, &found), "{name} came back changed:\n{sent}\n{found}");
            typed.assert_knows(&form, &sent, name);
        }
        let (fields, values) = vocabulary.size(name);
        covered.fields += fields;
        covered.values += values;
    }
    let out_of_scope = vocabulary.out_of_scope();
    println!(
        "{} of {} schemas in scope, {} of them carried in free-form JSON; {} fields; {} listed values; {} instances",
        covered.schemas,
        vocabulary.schemas.len() - out_of_scope.values().map(Vec::len).sum::<usize>(),
        covered.free_form,
        covered.fields,
        covered.values,
        covered.instances
    );
    for (reason, names) in &out_of_scope {
        println!("out of scope, {reason}: {}", names.join(", "));
    }
    println!(
        "out of scope, beta: {}",
        vocabulary.whole["beta_only"].as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(", ")
    );
    assert!(covered.schemas > 250 && covered.fields > 700 && covered.values > 300, "{covered:?}");
}

#[test]
fn every_schema_of_the_vocabulary_is_on_the_map() {
    let vocabulary = Vocabulary::read();
    let listed: BTreeSet<&String> = vocabulary.schemas.keys().collect();
    assert_eq!(vocabulary.map.keys().collect::<BTreeSet<_>>(), listed);
    for (name, place) in &vocabulary.map {
        let keys: Vec<&str> = place.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(
            matches!(keys[..], ["type"] | ["type", "within"] | ["requires", "type"] | ["out_of_scope"]),
            "{name}: {keys:?}"
        );
    }
}

#[test]
fn every_error_code_of_the_api_is_a_value_of_its_type() {
    let vocabulary = Vocabulary::read();
    let contract = Contract::merged();
    let typed = Typed::new(&contract);
    let form = contract.form("/components/schemas/ErrorDetails");
    let (.., round_trip) = TYPES.iter().find(|(name, ..)| *name == "ErrorDetails").unwrap();
    let codes = vocabulary.whole["error_codes"].as_array().unwrap();
    assert!(codes.len() >= 36);
    for code in codes {
        let mut details = json!({"error_code": code["error_code"]});
        for (name, kind) in code["extra_fields"].as_object().unwrap() {
            details[name] = vocabulary.value(kind.as_str().unwrap(), &Value::Null, 0, 0);
        }
        let back = round_trip(&details.to_string()).unwrap();
        assert_eq!(Json::parse(&back).unwrap(), Json::from(details.clone()));
        typed.assert_knows(&form, &details, "ErrorDetails");
    }
}

/// The codes that the operations of the feature `family` add.
#[test]
fn every_error_code_of_batches_models_and_files_has_a_variant() {
    let contract = Contract::merged();
    let typed = Typed::new(&contract);
    let form = contract.form("/components/schemas/ErrorDetails");
    for code in [
        "workspace_human_review_disabled",
        "file_expired",
        "file_not_downloadable",
        "storage_quota_exceeded",
        "cmek_context_unavailable",
    ] {
        typed.assert_knows(&form, &json!({"error_code": code}), code);
    }
}

/// The types of files, which the vocabulary doesn't list, with all their members and with those that are required.
#[test]
fn every_type_of_files_round_trips() {
    let contract = Contract::merged();
    let typed = Typed::new(&contract);
    let file = json!({
        "id": "file_1", "type": "file", "filename": "a.txt", "mime_type": "text/plain", "size_bytes": 5,
        "created_at": "2026-10-21T00:00:00Z", "downloadable": true, "expires_at": "2026-10-22T00:00:00Z"
    });
    for (name, value) in [
        ("FileMetadata", file.clone()),
        ("FileMetadata", json!({"id": "file_1"})),
        ("FileMetadata", json!({"id": "file_1", "downloadable": null, "expires_at": null})),
        ("FileMetadataPage", json!({"data": [file], "next_page": "page_1"})),
        ("FileMetadataPage", json!({"data": [], "next_page": null})),
        ("DeletedFile", json!({"id": "file_1", "type": "file_deleted"})),
        ("DeletedFile", json!({"id": "file_1"})),
    ] {
        assert_round_trip(&contract, &typed, name, &value);
    }
}

/// `tests/data/beta.json` has instances of the shapes that need an `anthropic-beta` header, by the name of their type.
#[test]
#[cfg(feature = "beta")]
fn every_shape_of_betas_round_trips_and_has_a_type() {
    let contract = Contract::merged();
    let typed = Typed::new(&contract);
    let instances: Vec<(String, Value)> = serde_json::from_str(include_str!("data/beta.json")).unwrap();
    assert!(instances.len() > 10);
    for (name, value) in &instances {
        assert_round_trip(&contract, &typed, name, value);
    }
}

/// Decodes a value, encodes it again, and looks for a type, a field or a variant for all of it.
#[track_caller]
fn assert_round_trip(contract: &Contract, typed: &Typed<'_>, name: &str, value: &Value) {
    let (.., pointer, round_trip) = TYPES.iter().find(|(own, ..)| *own == name).unwrap();
    let back = round_trip(&value.to_string()).unwrap_or_else(|error| panic!("{name}: {error}: {value}"));
    assert_eq!(serde_json::from_str::<Value>(&back).unwrap(), *value, "{name}");
    typed.assert_knows(&contract.form(pointer), value, name);
}

#[derive(Debug, Default)]
struct Covered {
    schemas: usize,
    free_form: usize,
    fields: usize,
    values: usize,
    instances: usize,
}

struct Vocabulary {
    whole: Value,
    schemas: Map<String, Value>,
    map: Map<String, Value>,
}

impl Vocabulary {
    fn read() -> Self {
        let whole: Value = serde_json::from_str(VOCABULARY).unwrap();
        let mut schemas = whole["schemas"].as_object().unwrap().clone();
        // The values of this one field stand in a list of their own.
        let codes = whole["error_codes"].as_array().unwrap().iter().map(|code| code["error_code"].clone()).collect();
        schemas["ErrorDetails"]["fields"]["error_code"]["enum"] = codes;
        Self { whole, schemas, map: serde_json::from_str(MAP).unwrap() }
    }

    fn in_scope(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.map.iter().filter(|(_, place)| place.get("type").is_some()).map(|(name, place)| (name.as_str(), place))
    }

    fn out_of_scope(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut by_reason = BTreeMap::<&str, Vec<&str>>::new();
        for (name, place) in &self.map {
            if let Some(reason) = place["out_of_scope"].as_str() {
                by_reason.entry(reason).or_default().push(name);
            }
        }
        by_reason
    }

    /// Returns the number of fields and of listed values in a schema.
    fn size(&self, name: &str) -> (usize, usize) {
        let schema = &self.schemas[name];
        let count = |list: &Value| list.as_array().map_or(0, Vec::len);
        let fields = || schema["fields"].as_object().into_iter().flat_map(Map::values);
        let values: usize = fields()
            .map(|field| {
                count(&field["enum"]) + count(&field["items_enum"]) + usize::from(field.get("const").is_some())
            })
            .sum();
        (fields().count(), values + count(&schema["values"]))
    }

    /// One instance with what is required, some with everything, so that each listed value and
    /// each form of a field is there once, and one with every `null` that is allowed.
    fn instances(&self, name: &str) -> Vec<Value> {
        let schema = &self.schemas[name];
        let choices = match schema["fields"].as_object() {
            Some(fields) => fields.values().map(|field| self.choices(field)).max().unwrap_or(1),
            None => 3 * schema["values"].as_array().or(schema["variants"].as_array()).map_or(1, Vec::len),
        };
        let mut instances: Vec<Value> = (0..choices).map(|pick| self.instance(name, pick, 0)).collect();
        let Some(fields) = schema["fields"].as_object() else { return instances };
        instances.push(self.object(name, fields, 0, Depth::Least));
        let with_null = |(name, field): (&String, &Value)| {
            let value = if field["nullable"] == true { Value::Null } else { instances[0][name].clone() };
            (name.clone(), value)
        };
        let nulls = Value::Object(fields.iter().map(with_null).collect());
        instances.push(nulls);
        for alias in schema["tag_aliases"].as_array().into_iter().flatten() {
            let mut aliased = instances[0].clone();
            aliased["type"] = alias.clone();
            instances.push(aliased);
        }
        instances
    }

    /// Returns the number of instances needed to show every form of a field.
    fn choices(&self, field: &Value) -> usize {
        if let Some(values) = field["enum"].as_array().or(field["items_enum"].as_array()) {
            return values.len();
        }
        let alternatives = alternatives(field["type"].as_str().unwrap());
        let of_one = |alternative: &&str| {
            let item =
                alternative.strip_prefix("array<").and_then(|rest| rest.strip_suffix('>')).unwrap_or(alternative);
            let named = self.schemas.get(item);
            let listed = named.and_then(|schema| schema["values"].as_array().or(schema["variants"].as_array()));
            listed.map_or(1, Vec::len)
        };
        alternatives.len() * alternatives.iter().map(of_one).max().unwrap_or(1)
    }

    fn instance(&self, name: &str, pick: usize, depth: usize) -> Value {
        let schema = &self.schemas[name];
        if let Some(values) = schema["values"].as_array() {
            return values[pick % values.len()].clone();
        }
        if let Some(variants) = schema["variants"].as_array() {
            let variant = variants[pick % variants.len()].as_str().unwrap();
            return self.value(variant, &Value::Null, pick / variants.len(), depth);
        }
        let depth_of_fields = if depth < 2 { Depth::Most(depth) } else { Depth::Least };
        self.object(name, schema["fields"].as_object().unwrap(), pick, depth_of_fields)
    }

    fn object(&self, name: &str, fields: &Map<String, Value>, pick: usize, depth: Depth) -> Value {
        let required = self.map[name]["requires"].as_array().map(Vec::as_slice).unwrap_or_default();
        let (is_full, depth) = match depth {
            Depth::Most(depth) => (true, depth),
            Depth::Least => (false, 3),
        };
        let wanted = fields.iter().filter(|(name, field)| {
            is_full || field["required"] == true || required.iter().any(|required| required == *name)
        });
        let members = wanted
            .map(|(name, field)| (name.clone(), self.value(field["type"].as_str().unwrap(), field, pick, depth + 1)));
        Value::Object(members.collect())
    }

    /// A value of a type as the vocabulary writes it: names and `array<…>`, separated by `|`.
    fn value(&self, kind: &str, field: &Value, pick: usize, depth: usize) -> Value {
        if let Some(only) = field.get("const") {
            return only.clone();
        }
        if let Some(values) = field["enum"].as_array() {
            return values[pick % values.len()].clone();
        }
        let alternatives = alternatives(kind);
        let kind = alternatives[pick % alternatives.len()];
        let pick = pick / alternatives.len();
        if let Some(item) = kind.strip_prefix("array<").and_then(|rest| rest.strip_suffix('>')) {
            return match field["items_enum"].as_array() {
                Some(values) => json!(values),
                None => json!([
                    self.value(item, &Value::Null, pick, depth),
                    self.value(item, &Value::Null, pick + 1, depth)
                ]),
            };
        }
        match kind {
            "string" => json!("text"),
            "integer" => json!(7),
            "number" => json!(1.5),
            "boolean" => json!(pick.is_multiple_of(2)),
            "any" | "object" => json!({"key": [1, null]}),
            name => self.instance(name, pick, depth),
        }
    }
}

#[derive(Clone, Copy)]
enum Depth {
    Most(usize),
    Least,
}

/// The parts of `A|array<B|C>` at the top.
fn alternatives(kind: &str) -> Vec<&str> {
    let mut level = 0;
    kind.split(|character| {
        match character {
            '<' => level += 1,
            '>' => level -= 1,
            _ => {}
        }
        character == '|' && level == 0
    })
    .collect()
}

fn fill(template: &Value, instance: &Value) -> Value {
    match template {
        Value::String(text) if text == "$instance" => instance.clone(),
        Value::Array(items) => items.iter().map(|item| fill(item, instance)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), fill(value, instance))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// Returns `true` if the type has free-form JSON in the place of the instance.
fn is_carried_in_free_form(contract: &Contract, form: &Form<'_>, place: &Value) -> bool {
    fn visit(contract: &Contract, form: &Form<'_>, template: &Value, in_free_form: bool) -> bool {
        let in_free_form = in_free_form || is_free_form(form.schema);
        match template {
            Value::String(text) => text == "$instance" && in_free_form,
            Value::Object(members) if in_free_form => {
                members.values().any(|value| visit(contract, form, value, in_free_form))
            }
            Value::Object(members) => {
                let Selected::Form(form) = contract.select(form, template, "") else { return false };
                members.iter().any(|(name, value)| visit(contract, &contract.property(&form, name), value, false))
            }
            _ => false,
        }
    }
    place.get("within").is_some_and(|template| visit(contract, form, template, false))
}

/// `null` stands for absence, and a bare string for one block of text; nothing else may differ.
fn is_same_but_for_nulls(sent: &Value, back: &Value) -> bool {
    match (sent, back) {
        (Value::Object(sent), Value::Object(back)) => {
            let names: BTreeSet<&String> = sent.keys().chain(back.keys()).collect();
            let member = |members: &Map<String, Value>, name: &str| members.get(name).cloned().unwrap_or_default();
            names.into_iter().all(|name| is_same_but_for_nulls(&member(sent, name), &member(back, name)))
        }
        (Value::Array(sent), Value::Array(back)) => {
            sent.len() == back.len() && sent.iter().zip(back).all(|(sent, back)| is_same_but_for_nulls(sent, back))
        }
        (Value::String(text), Value::Array(_)) => *back == json!([{"type": "text", "text": text}]),
        _ => sent == back,
    }
}

/// The types, fields and variants of the generated source.
struct Typed<'c> {
    contract: &'c Contract,
    /// The names of fields and variants by type.
    names: BTreeMap<String, Vec<String>>,
    /// Places that have been found before.
    known: RefCell<BTreeSet<String>>,
}

impl<'c> Typed<'c> {
    fn new(contract: &'c Contract) -> Self {
        let mut names = BTreeMap::<String, Vec<String>>::new();
        let mut current = String::new();
        for line in SURFACE.lines() {
            if let Some(name) = line.strip_prefix("struct ").or_else(|| line.strip_prefix("enum ")) {
                current = name.to_owned();
                names.entry(current.clone()).or_default();
            } else if let Some(member) = line.strip_prefix("  ") {
                let name = member.split([':', '(']).next().unwrap();
                names.entry(current.clone()).or_default().push(plain(name));
            }
        }
        Self { contract, names, known: RefCell::default() }
    }

    /// Checks that every member and every listed value of a document is a field or a variant, and nothing
    /// of it travels as an unknown one.
    #[track_caller]
    fn assert_knows(&self, form: &Form<'_>, value: &Value, whose: &str) {
        if value.is_null() || is_free_form(form.schema) {
            return;
        }
        let union = form;
        let Selected::Form(form) = self.contract.select(form, value, "") else {
            panic!("{whose}: {} has no variant for {value}", union.pointer)
        };
        if form.pointer != union.pointer && value.is_object() && !tags(form.schema).is_empty() {
            let variant = tags(form.schema)[0].to_owned();
            self.assert_named(&union.pointer, &variant, whose);
        }
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    let is_declared = property_names(form.schema).contains(&name.as_str());
                    assert!(is_declared, "{whose}: {} has no property {name}", form.pointer);
                    let property = self.contract.property(&form, name);
                    if property.schema.get("const").is_none() {
                        self.assert_named(&form.pointer, name, whose);
                    }
                    self.assert_knows(&property, value, whose);
                }
            }
            Value::Array(items) => {
                let item = self.contract.items(&form);
                items.iter().for_each(|value| self.assert_knows(&item, value, whose));
            }
            Value::String(text) => {
                if let Some(values) = form.schema["enum"].as_array() {
                    assert!(values.contains(value), "{whose}: {} does not list {value}", form.pointer);
                    self.assert_named(&form.pointer, text, whose);
                }
                let is_shorthand = !types(form.schema).contains(&"string");
                assert!(!is_shorthand || types(form.schema).contains(&"array"), "{whose}: {} is no text", form.pointer);
            }
            _ => {}
        }
    }

    /// Checks that the type of a schema has a field or a variant for a name of the contract.
    #[track_caller]
    fn assert_named(&self, pointer: &str, name: &str, whose: &str) {
        if !self.known.borrow_mut().insert(format!("{pointer} {name}")) {
            return;
        }
        // Schemas that differ in nothing but words share a type.
        let shape = without_words(self.contract.form(pointer).schema);
        let is_same = |own: &str| without_words(self.contract.form(own).schema) == shape;
        let own = TYPES.iter().find(|(_, own, _)| *own == pointer);
        let Some((own, ..)) = own.or_else(|| TYPES.iter().find(|(_, own, _)| is_same(own))) else {
            panic!("{whose}: there is no type for {pointer}")
        };
        let names = &self.names[*own];
        assert!(names.contains(&plain(name)), "{whose}: {own} has nothing for {name}, only {names:?}");
    }
}

/// Returns a schema without its descriptions.
fn without_words(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let members = members.iter().filter(|(name, value)| *name != "description" || !value.is_string());
            members.map(|(name, value)| (name.clone(), without_words(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(without_words).collect(),
        other => other.clone(),
    }
}

/// A name without what Rust's spelling adds or takes away.
fn plain(name: &str) -> String {
    let plain: String = name.trim_start_matches("r#").chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_lowercase();
    match plain.strip_prefix('x') {
        Some(rest) if rest.starts_with(|character: char| character.is_ascii_digit()) => rest.to_owned(),
        _ => plain,
    }
}
