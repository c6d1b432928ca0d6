//! Applies an OpenAPI Overlay (1.0.0) to the contract, and refuses to contradict it.
//!
//! <https://spec.openapis.org/overlay/v1.0.0.html>. The overlay opens and describes: it may add a
//! member, repeat one, or append to an array. It never changes a value that the contract gives
//! (where both describe something the contract's words stay), and it may remove a schema only to
//! put a wider one in its place.

use std::fmt;

use serde_json_path::JsonPath;

use super::node::{Node, join};

/// Applies the actions of the overlay in their order.
///
/// # Errors
/// When the overlay is malformed, an action's target matches nothing, or an action contradicts
/// the document. The error names the action and the place.
pub(crate) fn apply(document: Node, overlay: &Node) -> Result<Node, OverlayError> {
    let version = overlay.get("overlay").and_then(Node::as_str).unwrap_or_default();
    if !version.starts_with("1.") {
        return Err(OverlayError::of_document("`overlay` must be a version 1.x of the OpenAPI Overlay Specification"));
    }
    let actions = overlay.get("actions").and_then(Node::as_array).unwrap_or_default();
    let mut merge = Merge { document, removed: Vec::new() };
    for (index, action) in actions.iter().enumerate() {
        merge.action(action).map_err(|(pointer, problem)| OverlayError {
            action: Some((index, action.get("target").and_then(Node::as_str).unwrap_or_default().to_owned())),
            pointer,
            problem,
        })?;
    }
    merge.finish(actions)
}

/// Why an overlay could not be applied.
#[derive(Debug)]
pub(crate) struct OverlayError {
    action: Option<(usize, String)>,
    pointer: String,
    problem: String,
}

impl OverlayError {
    fn of_document(problem: &str) -> Self {
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

/// A place in the document and what is wrong there.
type Refusal = (String, String);

struct Merge {
    document: Node,
    /// What was removed where, and by which action's target.
    removed: Vec<(String, Node, String)>,
}

impl Merge {
    fn action(&mut self, action: &Node) -> Result<(), Refusal> {
        let refuse = |problem: &str| (String::new(), problem.to_owned());
        let target = action.get("target").and_then(Node::as_str).ok_or_else(|| refuse("an action needs a `target`"))?;
        let path = JsonPath::parse(target).map_err(|error| refuse(&format!("the target is no JSONPath: {error}")))?;
        let value = self.document.to_value();
        let places: Vec<String> =
            path.query_located(&value).locations().map(|location| location.to_json_pointer()).collect();
        if places.is_empty() {
            return Err(refuse(
                "the target matches nothing in the contract: it has changed, and this action needs a look",
            ));
        }
        for place in places {
            if action.get("remove").and_then(Node::as_bool) == Some(true) {
                self.remove(&place, target)?;
            } else if let Some(update) = action.get("update") {
                let node = self.document.pointer_mut(&place).ok_or_else(|| refuse("the target is gone"))?;
                update_at(node, update, &place)?;
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
                    problem: "what is removed must be added again in a form that allows all that was allowed before"
                        .to_owned(),
                });
            }
        }
        Ok(self.document)
    }
}

fn update_at(node: &mut Node, update: &Node, pointer: &str) -> Result<(), Refusal> {
    match (node, update) {
        (Node::Array(items), Node::Array(added)) => added.iter().for_each(|item| append(items, item)),
        (Node::Array(items), item) => append(items, item),
        (Node::Object(members), Node::Object(added)) => {
            for (name, update) in added {
                match members.get_mut(name) {
                    // Where the contract has words of its own, they are the ones to read.
                    Some(Node::String(_)) if matches!(name.as_str(), "description" | "summary") => {}
                    Some(node) => update_at(node, update, &join(pointer, name))?,
                    None => drop(members.insert(name.clone(), update.clone())),
                }
            }
        }
        (node, update) if node == update => {}
        _ => {
            return Err((pointer.to_owned(), "the overlay would replace a value that the contract gives".to_owned()));
        }
    }
    Ok(())
}

fn append(items: &mut Vec<Node>, item: &Node) {
    if !items.contains(item) {
        items.push(item.clone());
    }
}

/// Whether a schema allows all that another one allows, as far as its text shows.
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
