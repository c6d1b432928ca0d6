//! Documents that are not quite as the contract has them: every type reads them as it should.
//!
//! Valid documents are made from the merged contract and then changed in one place. What has to
//! happen is judged by the contract alone, see `support/contract.rs`.

#![cfg(test)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use anthropic_messages::{DecodeError, Json};
use fastrand::Rng;
use serde_json::{Map, Value, json};
use support::{
    contract::{
        Contract, Form, LONE_SURROGATE, RAW, Refusal, Selected, is_free_form, property_names, required, tags, text,
        types,
    },
    types::{RoundTrip, TYPES},
};

/// The types that a server sends.
const ANSWERS: [&str; 4] = ["MessageResponse", "StreamEvent", "MessageTokensCount", "ErrorResponse"];

#[test]
fn every_change_of_an_answer_is_kept_or_refused_at_its_place() {
    let contract = Contract::merged();
    let answers = reachable(&contract, &ANSWERS);
    let mut tally = Tally::default();
    for (name, pointer, round_trip) in TYPES.iter().filter(|(_, pointer, _)| answers.contains(*pointer)) {
        mutate(&contract, name, pointer, *round_trip, &mut tally);
    }
    print!("{} types that a server sends\n{tally}", answers.len());
    tally.assert_every_type_is_counted();
    assert!(tally.inputs() >= 20_000, "only {} inputs", tally.inputs());
}

#[test]
fn every_change_of_a_request_is_kept_or_refused_at_its_place() {
    let contract = Contract::merged();
    let answers = reachable(&contract, &ANSWERS);
    let mut tally = Tally::default();
    for (name, pointer, round_trip) in TYPES.iter().filter(|(_, pointer, _)| !answers.contains(*pointer)) {
        mutate(&contract, name, pointer, *round_trip, &mut tally);
    }
    print!("{} types of requests alone\n{tally}", TYPES.len() - answers.len());
    tally.assert_every_type_is_counted();
}

/// A change to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Nothing,
    DropsRequired,
    DropsOptional,
    Null,
    WrongType,
    UnknownValue,
    UnknownTag,
    ExtraMember,
    InFreeForm,
    OtherValue,
}

#[derive(Default)]
struct Tally(BTreeMap<Change, (usize, usize)>);

impl Tally {
    fn count(&mut self, change: Change, is_kept: bool) {
        let (kept, refused) = self.0.entry(change).or_default();
        *(if is_kept { kept } else { refused }) += 1;
    }

    fn inputs(&self) -> usize {
        self.0.values().map(|(kept, refused)| kept + refused).sum()
    }

    /// Checks that every kind of change occurred, with the expected outcome.
    #[track_caller]
    fn assert_every_type_is_counted(&self) {
        use Change::*;
        let outcomes = |change| self.0.get(&change).copied().unwrap_or_default();
        for change in [Nothing, DropsOptional, UnknownValue, UnknownTag, ExtraMember, InFreeForm] {
            let (kept, refused) = outcomes(change);
            assert!(kept > 20 && refused == 0, "{change:?}: {kept} kept, {refused} refused");
        }
        for change in [DropsRequired, WrongType] {
            let (kept, refused) = outcomes(change);
            assert!(kept == 0 && refused > 20, "{change:?}: {kept} kept, {refused} refused");
        }
        let (kept, refused) = outcomes(Null);
        assert!(kept > 20 && refused > 20, "null: {kept} kept, {refused} refused");
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (change, (kept, refused)) in &self.0 {
            let change = format!("{change:?}");
            writeln!(f, "{change:14} {kept:7} kept, {refused:7} refused")?;
        }
        writeln!(f, "{} inputs, 0 panics", self.inputs())
    }
}

fn mutate(contract: &Contract, name: &str, pointer: &str, round_trip: RoundTrip, tally: &mut Tally) {
    // Each place that refers to a type decides on its own if `null` is allowed.
    let form = Form { nullable: false, ..contract.form(pointer) };
    let mut random = Rng::with_seed(20_261_021);
    for fill in [Fill::Least, Fill::Most] {
        let document = instance(contract, &form, &mut random, 0, fill);
        assert_eq!(contract.judge(&form, &document, "").err(), None, "{name}: the contract refuses {document}");
        for (change, changed) in changes(contract, &form, &document) {
            let verdict = contract.judge(&form, &changed, "");
            for tag_first in [true, false] {
                tally.count(change, verdict.is_ok());
                let sent = text(&changed, tag_first);
                assert_outcome(name, change, &sent, round_trip(&sent), &verdict);
            }
        }
    }
}

#[track_caller]
fn assert_outcome(
    name: &str,
    change: Change,
    sent: &str,
    found: Result<String, DecodeError>,
    verdict: &Result<Value, Refusal>,
) {
    match (found, verdict) {
        (Ok(back), Ok(expected)) => {
            let expected = Json::parse(&text(expected, true)).unwrap();
            assert_eq!(Json::parse(&back).unwrap(), expected, "{name}, {change:?}: {sent}");
        }
        (Err(error), Err(Refusal { pointer, missing })) => {
            assert_eq!(error.pointer(), pointer, "{name}, {change:?}: {error}: {sent}");
            let message = error.to_string();
            let names_one = missing.iter().any(|name| message.starts_with(&format!("missing field `{name}`")));
            assert!(missing.is_empty() || names_one, "{name}, {change:?}: {error}: {sent}");
        }
        (Ok(back), Err(refusal)) => {
            panic!("{name}, {change:?}: must be refused, {refusal:?}: {sent}, came back as {back}")
        }
        (Err(error), Ok(_)) => panic!("{name}, {change:?}: must be read: {error}: {sent}"),
    }
}

/// Every document with one change.
fn changes(contract: &Contract, form: &Form<'_>, document: &Value) -> Vec<(Change, Value)> {
    let mut changes = vec![(Change::Nothing, document.clone())];
    for place in places(contract, form, document, String::new(), None, false) {
        let found = document.pointer(&place.pointer).unwrap();
        let replaced = |value: &Value| {
            let mut changed = document.clone();
            *changed.pointer_mut(&place.pointer).unwrap() = value.clone();
            changed
        };
        if let Some((parent, name, is_required)) = &place.member {
            let mut changed = document.clone();
            changed.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
            changes.push((if *is_required { Change::DropsRequired } else { Change::DropsOptional }, changed));
        }
        changes.push((Change::Null, replaced(&Value::Null)));
        for value in odd_values() {
            changes.push((change_by(contract, &place, &value), replaced(&value)));
        }
        if found.is_object() {
            for (name, value) in [("novel", raw("1e400")), ("größe/~", odd_object()), ("x", Value::Null)] {
                let mut changed = found.clone();
                changed.as_object_mut().unwrap().insert(name.to_owned(), value);
                changes.push((Change::ExtraMember, replaced(&changed)));
            }
        }
        if place.is_tagged_union && found.is_object() {
            let mut changed = found.clone();
            changed["type"] = json!("a_tag_of_next_year");
            changes.push((Change::UnknownTag, replaced(&changed)));
        }
    }
    changes
}

/// Returns the kind of change that a value makes in a place, if its outcome is always the same.
fn change_by(contract: &Contract, place: &Place<'_>, value: &Value) -> Change {
    let arms = contract.arms(&place.form);
    let forms = if arms.is_empty() { std::slice::from_ref(&place.form) } else { &arms };
    let kinds: Vec<&str> = forms.iter().flat_map(|form| types(form.schema)).collect();
    let is_shorthand = kinds.contains(&"array") && value.is_string();
    let is_numeric = ["integer", "number"].iter().any(|kind| kinds.contains(kind));
    let fits = match value {
        Value::Bool(_) => kinds.contains(&"boolean"),
        Value::Number(_) => is_numeric,
        Value::String(text) if text.starts_with(RAW) => is_numeric,
        Value::String(_) => {
            kinds.contains(&"string") || is_shorthand || place.form.schema["x-incomplete-as-string"] == true
        }
        Value::Array(_) => kinds.contains(&"array"),
        Value::Object(_) => kinds.contains(&"object"),
        Value::Null => false,
    };
    match value {
        _ if is_free_form(place.form.schema) && (fits || kinds.is_empty()) => Change::InFreeForm,
        Value::String(text) if text == "a_value_of_next_year" && place.form.schema.get("enum").is_some() => {
            if place.is_tag { Change::OtherValue } else { Change::UnknownValue }
        }
        _ if !fits && !place.is_tag && !place.is_lenient => Change::WrongType,
        _ => Change::OtherValue,
    }
}

/// Values that one type or another can't hold.
fn odd_values() -> Vec<Value> {
    vec![
        json!(true),
        json!(-7),
        json!(1.0),
        json!(1.5),
        json!(u64::MAX),
        raw("123456789012345678901234567890"),
        raw("1e400"),
        json!("a_value_of_next_year"),
        json!(format!("cut {LONE_SURROGATE} emoji")),
        json!([]),
        json!([7]),
        json!({}),
        odd_object(),
    ]
}

fn odd_object() -> Value {
    json!({
        "type": "hologram",
        "voxels": [raw("1e400"), raw("-0.1234567890123456789012345678901234567890"), u64::MAX, null],
        "name": format!("{LONE_SURROGATE}"),
    })
}

fn raw(number: &str) -> Value {
    Value::from(format!("{RAW}{number}"))
}

/// A place in a document that the contract says something about.
struct Place<'c> {
    pointer: String,
    form: Form<'c>,
    /// The object that it is a member of, its name there, and whether it may not be absent.
    member: Option<(String, String, bool)>,
    is_tag: bool,
    is_tagged_union: bool,
    /// It is in a place where a value of another shape is kept.
    is_lenient: bool,
}

fn places<'c>(
    contract: &'c Contract,
    form: &Form<'c>,
    value: &Value,
    pointer: String,
    member: Option<(String, String, bool)>,
    is_lenient: bool,
) -> Vec<Place<'c>> {
    let arms = contract.arms(form);
    let is_tagged_union = arms.len() > 1 && arms.iter().all(|arm| !tags(arm.schema).is_empty());
    let is_tag = member.as_ref().is_some_and(|(_, name, _)| name == "type");
    let mut all =
        vec![Place { pointer: pointer.clone(), form: form.clone(), member, is_tag, is_tagged_union, is_lenient }];
    let Selected::Form(form) = contract.select(form, value, "") else { return all };
    match value {
        Value::Array(items) => {
            let item = contract.items(&form);
            for (index, value) in items.iter().enumerate() {
                all.extend(places(contract, &item, value, format!("{pointer}/{index}"), None, is_lenient));
            }
        }
        Value::Object(members) => {
            for name in property_names(form.schema) {
                let Some(value) = members.get(name) else { continue };
                let property = contract.property(&form, name);
                let is_required = required(form.schema).contains(&name) && !property.nullable;
                let member = Some((pointer.clone(), name.to_owned(), is_required));
                let is_lenient = is_lenient || support::contract::is_lenient(form.schema, name);
                all.extend(places(contract, &property, value, format!("{pointer}/{name}"), member, is_lenient));
            }
        }
        _ => {}
    }
    all
}

#[derive(Clone, Copy, PartialEq)]
enum Fill {
    /// Required fields only.
    Least,
    /// All fields, to a certain depth.
    Most,
}

/// A valid document.
fn instance(contract: &Contract, form: &Form<'_>, random: &mut Rng, depth: usize, fill: Fill) -> Value {
    let arms = contract.arms(form);
    if let Some(arm) = random.choice(&arms) {
        return instance(contract, arm, random, depth, fill);
    }
    if let Some(only) = form.schema.get("const") {
        return only.clone();
    }
    if let Some(values) = form.schema["enum"].as_array() {
        let values: Vec<&Value> = values.iter().filter(|value| !value.is_null()).collect();
        return random.choice(values).unwrap().clone();
    }
    let kinds: Vec<&str> = types(form.schema).into_iter().filter(|kind| *kind != "null").collect();
    match random.choice(kinds).unwrap_or("anything") {
        "string" => json!("text"),
        "integer" => json!(random.i64(0..1000)),
        "number" => json!(0.5),
        "boolean" => json!(random.bool()),
        "array" => {
            let count = if fill == Fill::Most && depth < 3 { random.usize(1..3) } else { 0 };
            let item = contract.items(form);
            (0..count).map(|_| instance(contract, &item, random, depth + 1, fill)).collect()
        }
        "object" => {
            let mut members = Map::new();
            for name in property_names(form.schema) {
                let is_wanted = fill == Fill::Most && (depth == 0 || (depth < 3 && random.bool()));
                if required(form.schema).contains(&name) || is_wanted {
                    let property = contract.property(form, name);
                    members.insert(name.to_owned(), instance(contract, &property, random, depth + 1, fill));
                }
            }
            Value::Object(members)
        }
        _ => json!({"key": [1, null]}),
    }
}

/// The places of all schemas that some schemas refer to, themselves included.
fn reachable(contract: &Contract, roots: &[&str]) -> BTreeSet<String> {
    fn visit(contract: &Contract, form: &Form<'_>, seen: &mut BTreeSet<String>) {
        if !seen.insert(form.pointer.clone()) {
            return;
        }
        for arm in contract.arms(form) {
            visit(contract, &arm, seen);
        }
        for name in property_names(form.schema) {
            visit(contract, &contract.property(form, name), seen);
        }
        if form.schema.get("items").is_some() {
            visit(contract, &contract.items(form), seen);
        }
    }
    let mut seen = BTreeSet::new();
    for root in roots {
        visit(contract, &contract.form(&format!("/components/schemas/{root}")), &mut seen);
    }
    seen.retain(|pointer| TYPES.iter().any(|(_, own, _)| own == pointer));
    seen
}
