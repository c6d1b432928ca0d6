//! Unique Rust names for types, fields and methods, so that typify never makes up one.

use std::collections::{HashMap, HashSet};

use heck::{ToPascalCase, ToSnakeCase};

/// Names that are in scope in the generated code, which a generated type can't have.
const RESERVED: [&str; 10] = ["Box", "Err", "None", "Ok", "Option", "Result", "Self", "Some", "String", "Vec"];

#[derive(Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    reserved: HashMap<String, String>,
}

impl Names {
    /// Reserves a name for the schema at a pointer.
    pub(super) fn reserve(&mut self, pointer: &str, name: &str) {
        let name = self.unique(name);
        self.reserved.insert(pointer.to_owned(), name);
    }

    /// Returns the name of the schema at a pointer: the reserved one, or a new one like `hint`.
    pub(super) fn of_type(&mut self, pointer: &str, hint: &str) -> String {
        match self.reserved.get(pointer) {
            Some(name) => name.clone(),
            None => self.unique(hint),
        }
    }

    /// Returns a new name for a type that isn't a schema.
    pub(super) fn claim(&mut self, hint: &str) -> String {
        self.unique(hint)
    }

    fn unique(&mut self, hint: &str) -> String {
        // typify converts the name again, and "a-b" becomes `AB` the first time and `Ab` the second.
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

/// Returns the name of a type or a variant, as typify writes it.
pub(crate) fn type_name(text: &str) -> String {
    identifier(&separated(text).to_pascal_case(), 'X')
}

/// Returns the name of a field, an argument or a method, as typify writes it.
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
    // `syn` doesn't know the keyword of edition 2024.
    if syn::parse_str::<syn::Ident>(&name).is_ok() && name != "gen" { name } else { format!("{name}_") }
}
