//! Reads unions without a tag.

use super::{
    error::DecodeError,
    read::FromJson,
    reader::{JsonType, Reader},
    value::Json,
};

/// A variant of a union without a tag.
pub(crate) struct Variant<U> {
    /// The JSON types that a value can have.
    pub(crate) types: &'static [JsonType],
    /// The members that an object must have.
    pub(crate) required: &'static [&'static str],
    /// The members with one value only, which may be absent.
    pub(crate) constants: &'static [(&'static str, &'static str)],
    pub(crate) read: fn(&mut Reader<'_>) -> Result<U, DecodeError>,
}

/// Reads a union without a tag.
///
/// The JSON type selects the variant. If several have it, the keys of an object rule out those whose required members are
/// missing or whose constants differ, and the first remaining variant that can be read is used. A value that fits none
/// is kept as `unknown`.
pub(crate) fn untagged<U>(
    reader: &mut Reader<'_>,
    schema: &'static str,
    variants: &[Variant<U>],
    expected: &'static str,
    unknown: fn(Json) -> U,
) -> Result<U, DecodeError> {
    let found = reader.peek_type()?;
    let mut candidates: Vec<&Variant<U>> = variants.iter().filter(|variant| variant.types.contains(&found)).collect();
    match candidates[..] {
        [] => return Err(reader.wrong_type(expected)),
        [only] => return (only.read)(reader),
        _ => {}
    }
    if found == JsonType::Object {
        candidates = matching(reader, candidates)?;
    }
    let start = reader.checkpoint();
    for variant in candidates {
        match (variant.read)(reader) {
            Ok(value) => return Ok(value),
            Err(_) => reader.retry(start)?,
        }
    }
    reader.unknown_variant(schema, found.name());
    Json::read(reader).map(unknown)
}

/// Returns the variants that the keys and constants of the object that follows allow.
fn matching<'f, U>(reader: &mut Reader<'_>, variants: Vec<&'f Variant<U>>) -> Result<Vec<&'f Variant<U>>, DecodeError> {
    let mut states: Vec<(&Variant<U>, usize, bool)> =
        variants.into_iter().map(|variant| (variant, variant.required.len(), true)).collect();
    reader.peek_members(|key, value| {
        for (variant, missing, agrees) in &mut states {
            *missing = missing.saturating_sub(usize::from(variant.required.contains(&key)));
            let constant = variant.constants.iter().find(|(name, _)| *name == key);
            *agrees &= constant.is_none_or(|(_, only)| value == Some(only));
        }
    })?;
    Ok(states
        .into_iter()
        .filter(|(_, missing, agrees)| *missing == 0 && *agrees)
        .map(|(variant, ..)| variant)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{
        object::ObjectReader,
        read::{read_recording, read_str},
    };

    /// A variant with members of its own, one of which holds the union again.
    #[derive(Debug, PartialEq)]
    enum Union {
        Text(String),
        Number(i64),
        Named(String, Option<Box<Union>>),
        Counted(i64, Option<Box<Union>>),
        Kind(String),
        Open(usize),
        Texts(Vec<String>),
        Numbers(Vec<i64>),
        Unknown(Json),
    }

    type Members<T> = (Option<T>, Option<Box<Union>>, usize);

    fn read_object<T: FromJson>(
        reader: &mut Reader<'_>,
        names: &'static [&'static str],
    ) -> Result<Members<T>, DecodeError> {
        let mut object = ObjectReader::new(reader, names, "an object")?;
        let (mut first, mut of) = (None, None);
        while let Some(index) = object.next()? {
            match index {
                0 => object.required(&mut first)?,
                _ => object.optional(&mut of)?,
            }
        }
        Ok((first, of, object.into_extra().len()))
    }

    impl FromJson for Union {
        fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
            const OBJECT: Variant<Union> =
                Variant { types: &[JsonType::Object], required: &[], constants: &[], read: |_| Ok(Union::Open(0)) };
            let variants = [
                Variant { types: &[JsonType::String], read: |reader| String::read(reader).map(Self::Text), ..OBJECT },
                Variant { types: &[JsonType::Number], read: |reader| i64::read(reader).map(Self::Number), ..OBJECT },
                Variant {
                    required: &["value"],
                    constants: &[("kind", "named")],
                    read: |reader| {
                        let (value, of, _) = read_object(reader, &["value", "of"])?;
                        Ok(Self::Named(value.unwrap_or_default(), of))
                    },
                    ..OBJECT
                },
                Variant {
                    required: &["value"],
                    constants: &[("kind", "counted")],
                    read: |reader| {
                        let (value, of, _) = read_object(reader, &["value", "of"])?;
                        Ok(Self::Counted(value.unwrap_or_default(), of))
                    },
                    ..OBJECT
                },
                Variant {
                    required: &["kind"],
                    read: |reader| {
                        let (kind, ..) = read_object(reader, &["kind"])?;
                        Ok(Self::Kind(kind.unwrap_or_default()))
                    },
                    ..OBJECT
                },
                Variant {
                    constants: &[("open", "yes")],
                    read: |reader| read_object::<Json>(reader, &["open"]).map(|(.., others)| Self::Open(others)),
                    ..OBJECT
                },
                Variant { types: &[JsonType::Array], read: |reader| Vec::read(reader).map(Self::Texts), ..OBJECT },
                Variant { types: &[JsonType::Array], read: |reader| Vec::read(reader).map(Self::Numbers), ..OBJECT },
            ];
            untagged(reader, "Union", &variants, "one of: array, number, object, string", Self::Unknown)
        }
    }

    #[test]
    fn the_type_then_the_members_then_the_order_decide() {
        let named = |text: &str, of| Union::Named(text.to_owned(), of);
        let cases = [
            (r#""a""#, Union::Text("a".into())),
            ("5", Union::Number(5)),
            (r#"{"value":"a"}"#, named("a", None)),
            (r#"{"value":5}"#, Union::Counted(5, None)),
            (r#"{"x":1,"value":"a","of":{"value":7}}"#, named("a", Some(Box::new(Union::Counted(7, None))))),
            (r#"{"of":"b","value":7}"#, Union::Counted(7, Some(Box::new(Union::Text("b".into()))))),
            // A constant that disagrees rules a variant out, first or last.
            (r#"{"kind":"counted","value":"a"}"#, Union::Kind("counted".into())),
            (r#"{"value":5,"kind":"counted"}"#, Union::Counted(5, None)),
            (r#"{"value":5,"kind":"named"}"#, Union::Kind("named".into())),
            (r#"{"kind":"other","value":5}"#, Union::Kind("other".into())),
            (r#"{"k\u0069nd":"other"}"#, Union::Kind("other".into())),
            (r#"{}"#, Union::Open(0)),
            (r#"{"x":1,"y":[{"value":"a"}]}"#, Union::Open(2)),
            (r#"{"open":"no"}"#, Union::Unknown(Json::from(serde_json::json!({"open": "no"})))),
            (r#"{"open":5}"#, Union::Unknown(Json::from(serde_json::json!({"open": 5})))),
            ("[]", Union::Texts(Vec::new())),
            ("[1,2]", Union::Numbers(vec![1, 2])),
            (r#"[1,"a"]"#, Union::Unknown(Json::from(serde_json::json!([1, "a"])))),
        ];
        for (json, expected) in cases {
            assert_eq!(read_str::<Union>(json).unwrap(), expected, "{json}");
        }
    }

    #[test]
    fn one_variant_of_a_type_has_its_own_errors() {
        assert_eq!(
            read_str::<Union>("5.5").unwrap_err().message(),
            "invalid value: floating point, expected an integer of 64 bits"
        );
        let error = read_str::<Union>("true").unwrap_err();
        assert_eq!(error.message(), "invalid type: boolean, expected one of: array, number, object, string");
        // Invalid JSON fits no variant, and is an error.
        assert!(read_str::<Union>(r#"{"value":tru}"#).unwrap_err().is_syntax());
        assert!(read_str::<Union>(r#"[1,"a"#).unwrap_err().is_eof());
    }

    /// The unknown members of a failed attempt are not reported.
    #[test]
    fn a_failed_attempt_leaves_nothing_behind() {
        let json = r#"{"x":1,"of":{"y":1,"value":"a"},"value":5}"#;
        let (value, unknown) = read_recording::<Union>(json.as_bytes()).unwrap();
        assert_eq!(value, Union::Counted(5, Some(Box::new(Union::Named("a".into(), None)))));
        let names: Vec<String> = unknown.into_iter().map(|part| part.name).collect();
        assert_eq!(names, ["x", "y"]);
        let (value, unknown) = read_recording::<Union>(br#"[{"x":1},true]"#).unwrap();
        assert!(matches!(value, Union::Unknown(_)));
        let parts: Vec<_> = unknown.into_iter().map(|part| (part.schema, part.name)).collect();
        assert_eq!(parts, [(Some("Union"), "array".to_owned())]);
        let (value, unknown) = read_recording::<Union>(br#"{"of":[1,{"z":1}],"value":true}"#).unwrap();
        assert!(matches!(value, Union::Open(2)));
        assert_eq!(unknown.into_iter().map(|part| part.name).collect::<Vec<_>>(), ["of", "value"]);
    }

    #[test]
    fn attempts_do_not_multiply_with_the_levels() {
        // At each level two variants read all that is within before they fail.
        let nested =
            |levels: usize| format!("{}1{}", r#"{"of":"#.repeat(levels), r#","value":true,"kind":5}"#.repeat(levels));
        for levels in [3, 60, 126] {
            let document = nested(levels);
            // Nothing fits `kind`, so that the innermost decides quickly.
            assert!(matches!(read_str::<Union>(&document), Ok(Union::Open(_) | Union::Unknown(_))), "{levels}");
        }
        let ambiguous =
            |levels: usize| format!("{}1{}", r#"{"of":"#.repeat(levels), r#","value":true}"#.repeat(levels));
        assert!(read_str::<Union>(&ambiguous(3)).is_ok());
        let error = read_str::<Union>(&ambiguous(60)).unwrap_err();
        assert_eq!(error.message(), "too many attempts to find the variant of a union");
    }

    /// The text that a failed attempt scanned ahead counts too, even if the attempt didn't read it.
    #[test]
    fn looking_ahead_is_limited_in_attempts_that_fail() {
        let late_tag = format!(r#"{{"content":"{}","type":"text"}}"#, "x".repeat(1000));
        let mut reader = Reader::new(&late_tag);
        let start = reader.checkpoint();
        let attempts = (1..100).find(|_| {
            reader.tag("type", "an object").unwrap();
            reader.retry(start).is_err()
        });
        assert_eq!(attempts, Some(17));

        // The last member decides, so that each level is looked over and then read once.
        let nested = format!("{}1{}", r#"{"of":"#.repeat(100), r#","value":5,"kind":"counted"}"#.repeat(100));
        assert!(read_str::<Union>(&nested).is_ok());
    }
}
