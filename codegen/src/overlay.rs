//! Applies [OpenAPI Overlays](https://spec.openapis.org/overlay/v1.0.0.html) to a contract.
//!
//! An overlay opens and describes. It may add a member, repeat one, or append to an array. It never changes a value of
//! the contract, except that the contract's descriptions take precedence over the overlay's, and it never excludes a
//! value that the contract allows. It may remove a schema only to add a wider one in its place.

use std::fmt;

use serde_json_path::JsonPath;

use super::{
    lower::{keywords::types, model::Note},
    node::{Node, join},
};

/// The treatment of an action that excludes values the contract allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum OnNarrowing {
    /// The overlay fails.
    Refuse,
    /// The excluding keyword isn't applied, and noted.
    Note,
}

/// Applies the actions of an overlay in order.
///
/// # Errors
/// Fails if the overlay is malformed, the target of an action matches nothing, or an action contradicts or narrows the
/// document. The error has the action and the JSON pointer.
pub(crate) fn apply(
    document: Node,
    overlay: &Node,
    on_narrowing: OnNarrowing,
    notes: &mut Vec<Note>,
) -> Result<Node, OverlayError> {
    let version = overlay.get("overlay").and_then(Node::as_str).unwrap_or_default();
    if !version.starts_with("1.") {
        return Err(OverlayError::from_document(
            "`overlay` must be a version 1.x of the OpenAPI Overlay Specification",
        ));
    }
    let actions = overlay.get("actions").and_then(Node::as_array).unwrap_or_default();
    let original = document.clone();
    let mut merge = Merge { original: &original, document, removed: Vec::new(), on_narrowing, notes };
    for (index, action) in actions.iter().enumerate() {
        merge.action(action).map_err(|(pointer, problem)| OverlayError {
            action: Some((index, action.get("target").and_then(Node::as_str).unwrap_or_default().to_owned())),
            pointer,
            problem,
        })?;
    }
    merge.finish(actions)
}

/// The error of an overlay that can't be applied.
#[derive(Debug)]
pub(crate) struct OverlayError {
    action: Option<(usize, String)>,
    pointer: String,
    problem: String,
}

impl OverlayError {
    fn from_document(problem: &str) -> Self {
        Self { action: None, pointer: String::new(), problem: problem.to_owned() }
    }
}

impl fmt::Display for OverlayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((index, target)) = &self.action {
            write!(f, "action {index} (target {target}): ")?;
        }
        f.write_str(&self.problem)?;
        if !self.pointer.is_empty() {
            write!(f, ", at #{}", self.pointer)?;
        }
        Ok(())
    }
}

impl std::error::Error for OverlayError {}

/// The JSON pointer and the problem.
type Refusal = (String, String);

struct Merge<'a> {
    original: &'a Node,
    document: Node,
    /// The pointers and values that were removed, with the targets of the actions.
    removed: Vec<(String, Node, String)>,
    on_narrowing: OnNarrowing,
    notes: &'a mut Vec<Note>,
}

impl Merge<'_> {
    fn action(&mut self, action: &Node) -> Result<(), Refusal> {
        let refuse = |problem: &str| (String::new(), problem.to_owned());
        let target = action.get("target").and_then(Node::as_str).ok_or_else(|| refuse("an action needs a `target`"))?;
        let path =
            JsonPath::parse(target).map_err(|error| refuse(&format!("the target is not a JSONPath: {error}")))?;
        let value = self.document.to_value();
        let places: Vec<String> =
            path.query_located(&value).locations().map(|location| location.to_json_pointer()).collect();
        if places.is_empty() {
            return Err(refuse(
                "the target matches nothing in the contract; remove the action, or point it to where the schema is now",
            ));
        }
        for place in places {
            if action.get("remove").and_then(Node::as_bool) == Some(true) {
                self.remove(&place, target)?;
            } else if let Some(update) = action.get("update") {
                let node = self.document.pointer_mut(&place).ok_or_else(|| refuse("the target is gone"))?;
                let mut updating =
                    Update { original: self.original, on_narrowing: self.on_narrowing, notes: &mut *self.notes };
                updating.apply(node, update, &place)?;
            } else {
                return Err(refuse("an action needs `update` or `remove`"));
            }
        }
        Ok(())
    }

    fn remove(&mut self, place: &str, target: &str) -> Result<(), Refusal> {
        let refuse = || (place.to_owned(), "only a member of an object can be removed".to_owned());
        let (parent, _) = place.rsplit_once('/').ok_or_else(refuse)?;
        let step = super::node::reference_tokens(place).and_then(|steps| steps.last().cloned()).ok_or_else(refuse)?;
        let Some(Node::Object(members)) = self.document.pointer_mut(parent) else { return Err(refuse()) };
        let node = members.shift_remove(&step).ok_or_else(refuse)?;
        self.removed.push((place.to_owned(), node, target.to_owned()));
        Ok(())
    }

    fn finish(self, actions: &[Node]) -> Result<Node, OverlayError> {
        for (place, removed, target) in &self.removed {
            let added = self.document.pointer(place);
            if !added.is_some_and(|added| widens(&self.document, added, removed, 8)) {
                let index =
                    actions.iter().position(|action| action.get("target").and_then(Node::as_str) == Some(target));
                return Err(OverlayError {
                    action: index.map(|index| (index, target.clone())),
                    pointer: place.clone(),
                    problem: "the removed value must be added again in a form that allows at least the same values"
                        .to_owned(),
                });
            }
        }
        Ok(self.document)
    }
}

/// Updates a schema or any other part of the document.
struct Update<'a> {
    /// The document before any action.
    original: &'a Node,
    on_narrowing: OnNarrowing,
    notes: &'a mut Vec<Note>,
}

impl Update<'_> {
    fn apply(&mut self, node: &mut Node, update: &Node, pointer: &str) -> Result<(), Refusal> {
        match (node, update) {
            (Node::Array(items), Node::Array(added)) => added.iter().for_each(|item| append(items, item)),
            (Node::Array(items), item) => append(items, item),
            (Node::Object(members), Node::Object(updates)) => {
                let before = self.original.pointer(pointer).filter(|_| is_schema(pointer));
                for (name, update) in updates {
                    let at = join(pointer, name);
                    if before.is_some_and(|schema| narrows(schema, name, update)) {
                        match self.on_narrowing {
                            OnNarrowing::Refuse => {
                                return Err((at, "the overlay would narrow a schema of the contract".to_owned()));
                            }
                            OnNarrowing::Note => {
                                let text =
                                    format!("the contract allows more than the overlay; its `{name}` is not applied");
                                self.notes.push(Note { pointer: at, text });
                            }
                        }
                        continue;
                    }
                    match members.get_mut(name) {
                        // The contract's own words stay.
                        Some(Node::String(_)) if matches!(name.as_str(), "description" | "summary") => {}
                        // A list of types opens the one type that the contract has.
                        Some(own @ Node::String(_)) if name == "type" && update.as_array().is_some() => {
                            let mut types = vec![own.clone()];
                            update.as_array().into_iter().flatten().for_each(|name| append(&mut types, name));
                            if types.len() > 1 {
                                *own = Node::Array(types);
                            }
                        }
                        Some(node) => self.apply(node, update, &at)?,
                        None => drop(members.insert(name.clone(), update.clone())),
                    }
                }
            }
            (node, update) if node == update => {}
            _ => {
                return Err((
                    pointer.to_owned(),
                    "the overlay would replace a value that the contract gives".to_owned(),
                ));
            }
        }
        Ok(())
    }
}

/// Returns `true` if a keyword excludes values that a schema of the contract allows.
fn narrows(schema: &Node, keyword: &str, update: &Node) -> bool {
    let has = |keyword: &str| schema.get(keyword).is_some();
    let is_wide =
        schema.as_object().is_some_and(|members| !members.keys().any(|name| RESTRICTIVE.contains(&name.as_str())));
    let types = types(schema);
    let allows = |name: &str| types.iter().any(|own| own == name) || (types.is_empty() && is_wide);
    match keyword {
        // A list of alternatives narrows where there was none. Another alternative opens.
        "enum" | "const" => !has("enum") && !has("const"),
        "type" | "oneOf" | "anyOf" | "$ref" => !has(keyword),
        "allOf" | "not" | "if" => true,
        "required" => {
            let own = schema.get("required").and_then(Node::as_array).unwrap_or_default();
            let mut added = update.as_array().unwrap_or_default().iter();
            added.any(|name| !own.contains(name))
        }
        "items" | "prefixItems" | "minItems" | "maxItems" | "contains" | "uniqueItems" => {
            !has(keyword) && allows("array")
        }
        "minLength" | "maxLength" | "pattern" => !has(keyword) && allows("string"),
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
            !has(keyword) && (allows("number") || allows("integer"))
        }
        "additionalProperties"
        | "patternProperties"
        | "propertyNames"
        | "minProperties"
        | "maxProperties"
        | "unevaluatedProperties"
        | "dependentRequired"
        | "dependentSchemas" => !has(keyword) && allows("object") && *update != Node::Bool(true),
        _ => false,
    }
}

/// Keywords that restrict values of every type.
const RESTRICTIVE: [&str; 7] = ["$ref", "allOf", "anyOf", "const", "enum", "not", "oneOf"];

/// Returns `true` if a JSON pointer is the place of a schema.
fn is_schema(pointer: &str) -> bool {
    let Some(tokens) = super::node::reference_tokens(pointer) else { return false };
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let mut rest = match tokens.as_slice() {
        ["components", "schemas", _, rest @ ..] => rest,
        tokens => match tokens.iter().position(|token| *token == "schema") {
            Some(index) => tokens.get(index + 1..).unwrap_or_default(),
            None => return false,
        },
    };
    loop {
        rest = match rest {
            [] => return true,
            [
                "properties" | "patternProperties" | "$defs" | "oneOf" | "anyOf" | "allOf" | "prefixItems",
                _,
                rest @ ..,
            ]
            | ["items" | "additionalProperties" | "not" | "if" | "then" | "else" | "contains", rest @ ..] => rest,
            _ => return false,
        };
    }
}

fn append(items: &mut Vec<Node>, item: &Node) {
    if !items.contains(item) {
        items.push(item.clone());
    }
}

/// Returns `true` if a schema clearly allows all values that another one allows.
fn widens(document: &Node, wide: &Node, narrow: &Node, levels: usize) -> bool {
    if wide == narrow || wide.as_object().is_some_and(indexmap::IndexMap::is_empty) {
        return true;
    }
    if levels == 0 {
        return false;
    }
    let branches = ["oneOf", "anyOf"].iter().filter_map(|union| wide.get(union).and_then(Node::as_array)).flatten();
    if branches.into_iter().any(|branch| widens(document, branch, narrow, levels - 1)) {
        return true;
    }
    match wide.get("$ref").and_then(Node::as_str).and_then(|target| target.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).is_some_and(|target| widens(document, target, narrow, levels - 1)),
        None => false,
    }
}
