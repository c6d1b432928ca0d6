//! `allOf` and `$ref` with siblings: one schema that says all of it.

use indexmap::IndexMap;

use super::{LowerError, Lowering};
use crate::pipeline::node::{Node, below};

/// How many `allOf` may stand in each other before it is taken for a circle.
const LEVELS: usize = 32;

impl Lowering<'_> {
    /// A schema with its `$ref` followed and its `allOf` merged in.
    pub(super) fn merged(&mut self, at: &str, schema: &Node, level: usize) -> Result<Node, LowerError> {
        let Node::Object(members) = schema else { return Ok(schema.clone()) };
        if !members.contains_key("$ref") && !members.contains_key("allOf") {
            return Ok(schema.clone());
        }
        if level > LEVELS {
            return Err(LowerError::new(at, "the `$ref` or `allOf` leads back to itself"));
        }
        let mut own = members.clone();
        own.shift_remove("$ref");
        own.shift_remove("allOf");
        let mut merged = Node::Object(own);
        if let Some(target) = members.get("$ref").and_then(Node::as_str)
            && let Some(pointer) = self.target(at, target)?
        {
            let document = self.document;
            let found = document.pointer(&pointer).cloned().unwrap_or(Node::Bool(true));
            let found = self.merged(&pointer, &found, level + 1)?;
            merged = self.merged_pair(at, &merged, &found);
        }
        for (index, branch) in members.get("allOf").and_then(Node::as_array).unwrap_or_default().iter().enumerate() {
            let branch_at = below(&below(at, "allOf"), index);
            let branch = self.merged(&branch_at, branch, level + 1)?;
            merged = self.merged_pair(&branch_at, &merged, &branch);
        }
        Ok(merged)
    }

    /// Both schemas at once. Where they differ in a keyword, the first one's stays.
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
                            Some(own) if own != theirs => {
                                *own = Node::Object(IndexMap::from([(
                                    "allOf".to_owned(),
                                    Node::Array(vec![own.clone(), theirs.clone()]),
                                )]));
                            }
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
                _ => self.note(at, format!("the branches of `allOf` differ in `{keyword}`; the first one counts")),
            }
        }
        Node::Object(merged)
    }
}
