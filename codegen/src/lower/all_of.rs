//! Merges `allOf` and the siblings of a `$ref` into one schema.

use indexmap::IndexMap;

use super::{LowerError, Lowering};
use crate::node::{Node, join};

/// The deepest nesting of `allOf`.
const MAX_DEPTH: usize = 200;

impl Lowering<'_> {
    /// Returns a schema with its `$ref` and `allOf` merged into it.
    pub(super) fn merged(&mut self, at: &str, schema: &Node, level: usize) -> Result<Node, LowerError> {
        let Node::Object(members) = schema else { return Ok(schema.clone()) };
        if !members.contains_key("$ref") && !members.contains_key("allOf") {
            return Ok(schema.clone());
        }
        if level > MAX_DEPTH {
            return Err(LowerError::new(at, format!("`allOf` is nested more than {MAX_DEPTH} deep")));
        }
        self.merging.push(at.to_owned());
        let merged = self.merged_members(at, members, level);
        self.merging.pop();
        if let Ok(merged) = &merged {
            self.spend(at, merged.size())?;
        }
        merged
    }

    fn merged_members(&mut self, at: &str, members: &IndexMap<String, Node>, level: usize) -> Result<Node, LowerError> {
        let mut own = members.clone();
        own.shift_remove("$ref");
        own.shift_remove("allOf");
        let mut merged = Node::Object(own);
        if let Some(target) = members.get("$ref").and_then(Node::as_str)
            && let Some(pointer) = self.target(at, target)?
        {
            let found = self.merged_target(at, &pointer, level)?;
            merged = self.merged_pair(at, &merged, &found);
        }
        for (index, branch) in members.get("allOf").and_then(Node::as_array).unwrap_or_default().iter().enumerate() {
            let branch_at = join(&join(at, "allOf"), index);
            let branch = self.merged(&branch_at, branch, level + 1)?;
            merged = self.merged_pair(&branch_at, &merged, &branch);
        }
        Ok(merged)
    }

    /// Returns the target of a `$ref` in a schema that is being merged.
    fn merged_target(&mut self, at: &str, pointer: &str, level: usize) -> Result<Node, LowerError> {
        if self.merging.iter().any(|merging| merging == pointer) {
            return Err(LowerError::new(at, "the `$ref` or `allOf` refers to itself"));
        }
        let mut found = match self.merged_targets.get(pointer) {
            Some(found) => {
                let found = found.clone();
                self.spend(at, found.size())?;
                found
            }
            None => {
                let document = self.document;
                let found = self.merged(pointer, document.pointer(pointer).unwrap_or(&Node::Bool(true)), level + 1)?;
                self.merged_targets.insert(pointer.to_owned(), found.clone());
                found
            }
        };
        // A parent may list the children that include it by `allOf`. The list isn't part of a child.
        for keyword in ["oneOf", "anyOf"] {
            let branches = found.get(keyword).and_then(Node::as_array).unwrap_or_default();
            let mut targets = branches.iter().filter_map(|branch| branch.get("$ref").and_then(Node::as_str));
            if targets.any(|target| self.merging.iter().any(|merging| target.strip_prefix('#') == Some(merging)))
                && let Node::Object(members) = &mut found
            {
                members.shift_remove(keyword);
                members.shift_remove("discriminator");
            }
        }
        Ok(found)
    }

    /// Merges two schemas. If they differ in a keyword, the first one's value is kept.
    pub(super) fn merged_pair(&mut self, at: &str, first: &Node, second: &Node) -> Node {
        let (Node::Object(first), Node::Object(second)) = (first, second) else { return first.clone() };
        let mut merged: IndexMap<String, Node> = first.clone();
        for (keyword, theirs) in second {
            let Some(ours) = merged.get_mut(keyword) else {
                merged.insert(keyword.clone(), theirs.clone());
                continue;
            };
            match (keyword.as_str(), ours, theirs) {
                ("properties", Node::Object(ours), Node::Object(theirs)) => {
                    for (name, theirs) in theirs {
                        match ours.get_mut(name) {
                            Some(own) if own != theirs => *own = both(own, theirs),
                            Some(_) => {}
                            None => drop(ours.insert(name.clone(), theirs.clone())),
                        }
                    }
                }
                ("required", Node::Array(ours), Node::Array(theirs)) => {
                    for name in theirs {
                        if !ours.contains(name) {
                            ours.push(name.clone());
                        }
                    }
                }
                ("description" | "title", _, _) => {}
                (_, ours, theirs) if ours == theirs => {}
                _ => self.note(at, format!("the branches of `allOf` differ in `{keyword}`; the first value is used")),
            }
        }
        Node::Object(merged)
    }
}

/// Returns the `allOf` of two schemas, without duplicates.
fn both(first: &Node, second: &Node) -> Node {
    let mut parts: Vec<&Node> = Vec::new();
    for schema in [first, second] {
        let inner = match schema {
            Node::Object(members) if members.len() == 1 => members.get("allOf").and_then(Node::as_array),
            _ => None,
        };
        for part in inner.unwrap_or(std::slice::from_ref(schema)) {
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
    }
    Node::Object(IndexMap::from([("allOf".to_owned(), Node::Array(parts.into_iter().cloned().collect()))]))
}
