//! Names for Rust: one for each type, one for each method, none of them typify's to invent.

use std::collections::{HashMap, HashSet};

use heck::{ToPascalCase, ToSnakeCase};

/// Names that a generated type can't have: they are in scope in the generated code.
const RESERVED: [&str; 10] = ["Box", "Err", "None", "Ok", "Option", "Result", "Self", "Some", "String", "Vec"];

#[derive(Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    reserved: HashMap<String, String>,
}

impl Names {
    /// Keeps a name for the schema at a pointer.
    pub(super) fn reserve(&mut self, pointer: &str, name: &str) {
        let name = self.unique(name);
        self.reserved.insert(pointer.to_owned(), name);
    }

    /// The name for the schema at a pointer.
    pub(super) fn of_type(&mut self, pointer: &str, hint: &str) -> String {
        match self.reserved.get(pointer) {
            Some(name) => name.clone(),
            None => self.unique(hint),
        }
    }

    /// A name for a type that no schema stands for.
    pub(super) fn claim(&mut self, hint: &str) -> String {
        self.unique(hint)
    }

    fn unique(&mut self, hint: &str) -> String {
        // typify writes the name once more, and "a-b" is `AB` the first time, `Ab` the second.
        let mut name = type_name(hint);
        let mut again = type_name(&name);
        while again.len() <= name.len() && again != name {
            name = again;
            again = type_name(&name);
        }
        let mut candidate = name.clone();
        let mut number = 2;
        while RESERVED.contains(&candidate.as_str()) || !self.taken.insert(candidate.clone()) {
            candidate = format!("{}{number}", name.trim_end_matches('_'));
            number += 1;
        }
        candidate
    }
}

/// The name of a type or a variant, as typify writes it.
pub(crate) fn type_name(text: &str) -> String {
    identifier(&separated(text).to_pascal_case(), 'X')
}

/// The name of a field, an argument or a method, as typify writes it.
pub(crate) fn field_name(text: &str) -> String {
    identifier(&separated(text).to_snake_case(), 'x')
}

fn separated(text: &str) -> String {
    text.replace('\'', "").replace(|character: char| !(character == '_' || character.is_alphanumeric()), "-")
}

fn identifier(name: &str, prefix: char) -> String {
    let name = match name.chars().next() {
        None => prefix.to_string(),
        Some(first) if first.is_alphabetic() => name.to_owned(),
        Some(_) => format!("{prefix}{name}"),
    };
    // `syn` knows the keywords of every edition but the youngest.
    if syn::parse_str::<syn::Ident>(&name).is_ok() && name != "gen" { name } else { format!("{name}_") }
}
