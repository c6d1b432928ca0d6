//! Reading unions whose forms no tag tells apart.

use super::{
    error::DecodeError,
    read::FromJson,
    reader::{JsonType, Reader},
    value::Json,
};

/// One form of a union.
pub(crate) struct Form<U> {
    /// The JSON types that it can have.
    pub(crate) types: &'static [JsonType],
    /// The members that an object must have.
    pub(crate) required: &'static [&'static str],
    /// The members that have one value only, if they are there.
    pub(crate) constants: &'static [(&'static str, &'static str)],
    pub(crate) read: fn(&mut Reader<'_>) -> Result<U, DecodeError>,
}

/// Reads a union that no tag decides.
///
/// The type of the value decides first. Where several forms have it, one look at the keys of an object leaves those
/// whose required members are there and whose constants agree, and the first of them that can be read is taken. A value
/// that is none of them is kept as `unknown`.
pub(crate) fn untagged<U>(
    reader: &mut Reader<'_>,
    forms: &[Form<U>],
    expected: &'static str,
    unknown: fn(Json) -> U,
) -> Result<U, DecodeError> {
    let found = reader.peek_type()?;
    let mut candidates: Vec<&Form<U>> = forms.iter().filter(|form| form.types.contains(&found)).collect();
    match candidates[..] {
        [] => return Err(reader.wrong_type(expected)),
        [only] => return (only.read)(reader),
        _ => {}
    }
    if found == JsonType::Object {
        candidates = matching(reader, candidates)?;
    }
    let start = reader.place();
    for form in candidates {
        match (form.read)(reader) {
            Ok(value) => return Ok(value),
            Err(_) => reader.retry(start)?,
        }
    }
    Json::read(reader).map(unknown)
}

/// Returns the forms that the keys and constants of the object that follows allow.
fn matching<'f, U>(reader: &mut Reader<'_>, forms: Vec<&'f Form<U>>) -> Result<Vec<&'f Form<U>>, DecodeError> {
    let mut states: Vec<(&Form<U>, usize, bool)> =
        forms.into_iter().map(|form| (form, form.required.len(), true)).collect();
    reader.look_at_members(|key, value| {
        for (form, missing, agrees) in &mut states {
            *missing = missing.saturating_sub(usize::from(form.required.contains(&key)));
            let constant = form.constants.iter().find(|(name, _)| *name == key);
            *agrees &= constant.is_none_or(|(_, only)| value == Some(only));
        }
    })?;
    Ok(states.into_iter().filter(|(_, missing, agrees)| *missing == 0 && *agrees).map(|(form, ..)| form).collect())
}
