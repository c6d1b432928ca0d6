//! Schemas that the API can't compile into a grammar.
//!
//! For strict tools and for `output_config` the API compiles a schema into a grammar, which expresses less than JSON Schema.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// A part of a schema that no grammar expresses.
pub(crate) struct Unsupported {
    /// The place, as a JSON pointer.
    pub(crate) pointer: String,
    /// A clause whose subject is the schema.
    pub(crate) problem: &'static str,
}

/// The members that make the grammar of a schema large.
#[derive(Default)]
pub(super) struct Complexity {
    /// Members that `required` doesn't name.
    pub(super) optional: usize,
    /// Members with an array of types, or with `anyOf`.
    pub(super) unions: usize,
}

pub(super) fn complexity(schema: &Value) -> Complexity {
    let mut complexity = Complexity::default();
    walk(schema, &mut String::new(), &mut |schema, _| {
        let Some(members) = schema.get("properties").and_then(Value::as_object) else { return };
        let required = schema.get("required").and_then(Value::as_array);
        for (name, member) in members {
            let is_required = required.is_some_and(|names| names.iter().any(|required| required == name));
            complexity.optional += usize::from(!is_required);
            complexity.unions +=
                usize::from(member.get("anyOf").is_some() || member.get("type").is_some_and(Value::is_array));
        }
    });
    complexity
}

/// Returns the first part of a strict schema that the API rejects.
pub(crate) fn unsupported(schema: &Value) -> Option<Unsupported> {
    let mut first = None;
    walk(schema, &mut String::new(), &mut |schema, pointer| {
        if first.is_none()
            && let Some((keyword, problem)) = problem(schema)
        {
            let pointer = if keyword.is_empty() { pointer.to_owned() } else { format!("{pointer}/{keyword}") };
            first = Some(Unsupported { pointer, problem });
        }
    });
    first
}

/// Returns what is wrong with one schema: the keyword, or nothing for the schema as a whole, and a clause.
fn problem(schema: &Value) -> Option<(&'static str, &'static str)> {
    let Value::Object(keywords) = schema else {
        return (*schema == Value::Bool(true)).then_some(("", "accepts any value, which a strict schema can't"));
    };
    if let Some(Value::String(pattern)) = keywords.get("pattern")
        && let Some(problem) = pattern_problem(pattern)
    {
        return Some(("pattern", problem));
    }
    if keywords.contains_key("prefixItems") {
        return Some(("prefixItems", "has a tuple, which a strict schema can't have; use a struct"));
    }
    accepts_anything(keywords).then_some(("", "accepts any value, which a strict schema can't"))
}

/// Returns `true` if a schema has nothing but annotations.
fn accepts_anything(keywords: &Map<String, Value>) -> bool {
    const ANNOTATIONS: [&str; 8] =
        ["title", "description", "default", "examples", "deprecated", "$comment", "$defs", "$schema"];
    keywords.keys().all(|keyword| ANNOTATIONS.contains(&keyword.as_str()))
}

/// Returns why no grammar expresses a regular expression.
fn pattern_problem(pattern: &str) -> Option<&'static str> {
    let (mut characters, mut in_class) = (pattern.char_indices(), false);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some((_, 'b' | 'B')) if !in_class => {
                    return Some("has a pattern with a word boundary, which a strict schema can't have");
                }
                Some((_, '1'..='9' | 'k')) if !in_class => {
                    return Some("has a pattern with a back-reference, which a strict schema can't have");
                }
                _ => {}
            },
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => {
                let group = pattern.get(at..).unwrap_or_default();
                if ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|around| group.starts_with(around)) {
                    return Some("has a pattern with look-around, which a strict schema can't have");
                }
            }
            _ => {}
        }
    }
    None
}

/// Returns the names of definitions that refer to each other in a circle, the first one repeated at the end. The schema itself
/// is named `#`.
pub(crate) fn circular_reference(schema: &Value) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    let mut names: Vec<String> = vec!["#".to_owned()];
    names.extend(schema.get("$defs").and_then(Value::as_object).into_iter().flat_map(|defs| defs.keys().cloned()));
    names.iter().find_map(|name| circle_from(schema, name, &mut Vec::new(), &mut done))
}

fn circle_from(
    document: &Value,
    name: &str,
    path: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if let Some(start) = path.iter().position(|earlier| earlier == name) {
        return Some(path.iter().skip(start).cloned().chain([name.to_owned()]).collect());
    }
    if done.contains(name) {
        return None;
    }
    path.push(name.to_owned());
    let circle = references_of(document, name).iter().find_map(|next| circle_from(document, next, path, done));
    path.pop();
    done.insert(name.to_owned());
    circle
}

/// The names that a definition, or the schema itself, refers to.
fn references_of(document: &Value, name: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut collect = |schema: &Value, _: &str| {
        let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { return };
        names.push(match reference.strip_prefix("#/$defs/") {
            Some(name) => unescaped(name),
            None => reference.to_owned(),
        });
    };
    if name == "#" {
        walk_members(document, &mut String::new(), &mut collect, false);
    } else if let Some(definition) = document.get("$defs").and_then(|definitions| definitions.get(name)) {
        walk(definition, &mut String::new(), &mut collect);
    }
    names
}

/// The name in a reference: percent-encoded, and escaped as in a JSON pointer.
pub(crate) fn unescaped(name: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
    decoded.replace("~1", "/").replace("~0", "~")
}

/// Calls a function with a schema and all schemas in it, definitions included, and their places as JSON pointers.
fn walk(schema: &Value, pointer: &mut String, visit: &mut impl FnMut(&Value, &str)) {
    walk_members(schema, pointer, visit, true);
}

fn walk_members(schema: &Value, pointer: &mut String, visit: &mut impl FnMut(&Value, &str), with_definitions: bool) {
    visit(schema, pointer);
    let Value::Object(keywords) = schema else { return };
    for (keyword, value) in keywords {
        match (keyword.as_str(), value) {
            ("$defs", _) if !with_definitions => {}
            ("properties" | "$defs", Value::Object(schemas)) => {
                for (name, schema) in schemas {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    at(pointer, &format!("/{keyword}/{name}"), |pointer| walk(schema, pointer, visit));
                }
            }
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(schemas)) => {
                for (index, schema) in schemas.iter().enumerate() {
                    at(pointer, &format!("/{keyword}/{index}"), |pointer| walk(schema, pointer, visit));
                }
            }
            ("items", schema) if schema.is_object() || *schema == Value::Bool(true) => {
                at(pointer, "/items", |pointer| walk(schema, pointer, visit));
            }
            _ => {}
        }
    }
}

/// Runs a function with a longer pointer.
fn at(pointer: &mut String, part: &str, within: impl FnOnce(&mut String)) {
    let length = pointer.len();
    pointer.push_str(part);
    within(pointer);
    pointer.truncate(length);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patterns_are_told_by_their_meaning() {
        for pattern in [r"(?=a)", r"a(?!b)", r"(?<=a)b", r"(?<!a)b", r"(a)\1", r"(?<n>a)\k<n>", r"\bword\b", r"\B"] {
            assert!(pattern_problem(pattern).is_some(), "{pattern}");
        }
        for pattern in [r"^[a-z]+$", r"\\b", r"[\b]", r"\(?=", r"[(?=]", r"(?:a|b)", r"(?<name>a)", r"\d{1,2}"] {
            assert!(pattern_problem(pattern).is_none(), "{pattern}");
        }
    }

    #[test]
    fn circles_are_found_directly_mutually_and_at_the_root() {
        let circle = |schema: Value| circular_reference(&schema).map(|names| names.join(" -> "));
        assert_eq!(circle(json!({"properties": {"a": {"items": {"$ref": "#"}}}})).unwrap(), "# -> #");
        let definitions =
            json!({"A": {"properties": {"b": {"$ref": "#/$defs/B"}}}, "B": {"anyOf": [{"$ref": "#/$defs/A"}]}});
        assert_eq!(circle(json!({"$ref": "#/$defs/A", "$defs": definitions})).unwrap(), "A -> B -> A");
        let twice = json!({"A": {"type": "string"}, "B": {"properties": {"a": {"$ref": "#/$defs/A"}}}});
        assert_eq!(circle(json!({"anyOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}], "$defs": twice})), None);
    }
}
