//! The grammar of RFC 8259, by cases in the shape of the public test suites: what every parser must accept, what it must
//! refuse, and what each decides for itself, with our decision.

use anthropic_messages::Json;
use serde_json::value::RawValue;

use crate::round_trip;

const ACCEPTED: &[&str] = &[
    // Structure
    "[]",
    "{}",
    "[[]   ]",
    "[\"\"]",
    "[null, 1, \"1\", {}]",
    "[1\n]",
    " [1]",
    "[2] ",
    "[1,null,null,null,2]",
    "[[[[[[]]]]]]",
    r#"{"asd":"sdf", "dfg":"fgh"}"#,
    r#"{"a":[]}"#,
    r#"{"":0}"#,
    r#"{"min": -1.0e+28, "max": 1.0e+28}"#,
    "{\n\"a\": \"b\"\n}",
    "\t\r\n [\t\r\n ] ",
    r#"{"x":[{"id": "x"}], "id": "x"}"#,
    // Words and numbers
    "true",
    "false",
    "null",
    "42",
    "-0.1",
    "[true]",
    "[123e65]",
    "[0e+1]",
    "[0e1]",
    "[ 4]",
    "[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]",
    "[20e1]",
    "[-0]",
    "[-123]",
    "[-1]",
    "[1E22]",
    "[1E-2]",
    "[1E+2]",
    "[123e45]",
    "[123.456e78]",
    "[1e-2]",
    "[1e+2]",
    "[123]",
    "[123.456789]",
    "0",
    "-0",
    // Strings
    "\"\"",
    "\" \"",
    "[\"\\u0060\\u012a\\u12AB\"]",
    "[\"\\uD801\\udc37\"]",
    "[\"\\ud83d\\ude39\\ud83d\\udc8d\"]",
    "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
    "[\"\\\\u0000\"]",
    "[\"\\\"\"]",
    "[\"a/*b*/c/*d//e\"]",
    "[\"\\\\a\"]",
    "[\"\\u0012\"]",
    "[\"\\uFFFF\"]",
    "[\"asd\"]",
    "[ \"asd\"]",
    "[\"\\uDBFF\\uDFFF\"]",
    "[\"new\\u00A0line\"]",
    "[\"\u{10FFFF}\"]",
    "[\"\u{FFFF}\"]",
    "[\"\\u0000\"]",
    "[\"\\u002c\"]",
    "[\"π\"]",
    "[\"\u{1BFFF}\"]",
    "[\"asd \"]",
    "[\"\\u0821\"]",
    "[\"\u{2028}\"]",
    "[\"\u{2029}\"]",
    "[\"\\u0061\\u30af\\u30EA\\u30b9\"]",
    "[\"new\\u000Aline\"]",
    "[\"\u{7F}\"]",
    "[\"\\uA66D\"]",
    "[\"\\u005C\"]",
    "[\"⍂㈴⍂\"]",
    "[\"\\u0022\"]",
    "[\"\\uD834\\uDd1e\"]",
    "[\"aa\u{7F}a\"]",
    // Keys
    r#"{"\u0000":1}"#,
    r#"{"a\"b":1}"#,
    r#"{"\ud834\udd1e":1}"#,
    "{\"\u{2028}\":1}",
];

const REFUSED: &[&str] = &[
    // Structure
    "",
    " ",
    "[1 true]",
    "[\"\": 1]",
    "[\"\"],",
    "[,1]",
    "[1,,2]",
    "[\"x\",,]",
    "[\"x\"]]",
    "[\"\",]",
    "[\"x\"",
    "[x",
    "[3[4]]",
    "[1:2]",
    "[,]",
    "[-]",
    "[   , \"\"]",
    "[\"a\",\n4\n,1,",
    "[1,]",
    "[1,\n1\n,1",
    "[1,1,",
    "[*]",
    "[",
    "[1",
    "]",
    "{]",
    "[}",
    "{",
    "}",
    "[[",
    "[]]",
    "{}}",
    "{\"x\", null}",
    "{\"x\"::\"b\"}",
    "{🇨🇭}",
    "{\"a\":\"a\" 123}",
    "{key: 'value'}",
    "{\"a\" b}",
    "{:\"b\"}",
    "{\"a\" \"b\"}",
    "{\"a\":",
    "{\"a\"",
    "{1:1}",
    "{9999E9999:1}",
    "{null:null,null:null}",
    "{\"id\":0,,,,,}",
    "{'a':0}",
    "{\"id\":0,}",
    "{\"a\":\"b\"}/**/",
    "{\"a\":\"b\"}//",
    "{\"a\":\"b\"}#",
    "{\"a\":\"b\",,\"c\":\"d\"}",
    "{a: \"b\"}",
    "{\"a\":\"a",
    "{ \"foo\" : \"bar\", \"a\" }",
    "[\"a\u{FEFF}\" \"b\"]",
    "<null>",
    "[<null>]",
    "/**/",
    "[1]x",
    "2@",
    "{\"a\": true} \"x\"",
    "[\"asd]",
    "{\"a\":b}",
    "'",
    "☃",
    "{\"\":",
    "[{\"\":[{\"\":",
    "{*:1}",
    "[\"a\",",
    "abc",
    "[\\u000A\"\"]",
    // White space that is none
    "[\u{0C}]",
    "[\u{A0}]",
    "[\u{2060}]",
    "\u{2029}",
    "[\u{0B}]",
    "[\u{3000}1]",
    // Words
    "[fals]",
    "[nul]",
    "[tru]",
    "[nulll]",
    "[True]",
    "nan",
    "[NaN]",
    "[Infinity]",
    "[-Infinity]",
    "[Inf]",
    "[undefined]",
    "truefalse",
    "t",
    "n",
    "f",
    "tru",
    "nul",
    "[nul",
    // Numbers
    "[-1.0.]",
    "[-01]",
    "[-2.]",
    "[.-1]",
    "[.2e-3]",
    "[0.1.2]",
    "[0.3e+]",
    "[0.3e]",
    "[0.e1]",
    "[0E+]",
    "[0E]",
    "[0e+]",
    "[0e]",
    "[1.0e+]",
    "[1.0e-]",
    "[1.0e]",
    "[1 000.0]",
    "[1eE2]",
    "[2.e+3]",
    "[2.e-3]",
    "[2.e3]",
    "[9.e+]",
    "[1+2]",
    "[0x1]",
    "[0x42]",
    "[0e+-1]",
    "[- 1]",
    "[-012]",
    "[-.123]",
    "[-1x]",
    "[1ea]",
    "[1.2a-3]",
    "[1.8011670033376514H-308]",
    "[012]",
    "[+1]",
    "[++1234]",
    "[1_000]",
    "[１]",
    "-",
    "01",
    "1.",
    "1e",
    "--1",
    "[--2.]",
    "[1e1.0]",
    ".5",
    // Strings
    "[\"\\uD800\\u\"]",
    "[\"\\uD800\\u1\"]",
    "[\"\\uD800\\u1x\"]",
    "[é]",
    "[\"\\x00\"]",
    "[\"\\\\\\\"]",
    "[\"\\\t\"]",
    "[\"\\🌀\"]",
    "[\"\\\"]",
    "[\"\\u00A\"]",
    "[\"\\uD834\\uDd\"]",
    "[\"\\a\"]",
    "[\"\\uqqqq\"]",
    "[\\u0020\"asd\"]",
    "[\\n]",
    "\"",
    "['single']",
    "[\"a\u{0}a\"]",
    "[\"new\nline\"]",
    "[\"\t\"]",
    "\"\\UA66D\"",
    "\"x",
    "[\"\u{1F}\"]",
    "\"\\u+123\"",
    "\"\\u 123\"",
    "\"\\",
    "\"\\u",
    "\"\\ud800\\",
    "{\"a\nb\":1}",
    "{\"\\x\":1}",
    "{\"\u{0}\":1}",
];

/// Cases the RFC leaves open, `true` if they are accepted, and the reason.
const DECIDED: &[(&str, bool, &str)] = &[
    ("[123.456e-789]", true, "numbers in free-form JSON are kept as text, whatever their size"),
    ("[0.4e00669999999999999999999999999999999999999999999999999999]", true, "as above"),
    ("[-1e+9999]", true, "as above"),
    ("[1.5e+9999]", true, "as above"),
    ("[-123123123123123123123123123123]", true, "as above"),
    ("[\"\\uDADA\"]", true, "half of a surrogate pair is kept as its escape"),
    ("[\"\\uD888\\u1234\"]", true, "as above"),
    ("[\"\\uD800\\n\"]", true, "as above"),
    ("[\"\\uDd1ea\"]", true, "as above"),
    ("[\"\\uD800\\uD800\\n\"]", true, "as above"),
    ("[\"\\ud800abc\"]", true, "as above"),
    ("[\"\\uDd1e\\uD834\"]", true, "as above"),
    ("[\"\\uDFAA\"]", true, "as above"),
    ("{\"\\uDFAA\":0}", true, "as above"),
    ("{\"a\":\"b\",\"a\":\"c\"}", true, "free-form JSON keeps members that are repeated"),
    ("{\"a\":\"b\",\"a\":\"b\"}", true, "as above"),
];

/// Returns whether a text is JSON wherever it may be: on its own, in a member that no type names, in a variant that no
/// union names, and where a union skips it to find its tag.
#[track_caller]
fn verdict(json: &str) -> bool {
    let alone = Json::parse(json);
    if let Ok(kept) = &alone {
        assert_eq!(kept.as_str(), json.trim_matches(['\u{FEFF}', ' ', '\t', '\r', '\n']), "kept as it is");
    }
    for around in
        [r#"{"type":"text","text":"","x":?}"#, r#"{"type":"novel","x":?}"#, r#"{"x":?,"type":"text","text":""}"#]
    {
        let document = around.replace('?', json);
        let found = round_trip("ContentBlock", &document);
        assert_eq!(found.is_ok(), alone.is_ok(), "{document}: {found:?}, {alone:?}");
        if let Ok(back) = found {
            assert_eq!(Json::parse(&back).unwrap(), Json::parse(&document).unwrap());
        }
    }
    alone.is_ok()
}

#[test]
fn json_is_accepted() {
    for json in ACCEPTED {
        assert!(verdict(json), "{json}");
        assert!(serde_json::from_str::<&RawValue>(json).is_ok(), "serde_json: {json}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for json in REFUSED {
        assert!(!verdict(json), "{json}");
        assert!(serde_json::from_str::<&RawValue>(json).is_err(), "serde_json: {json}");
        let error = Json::parse(json).unwrap_err();
        assert!(error.is_syntax() || error.is_eof(), "{json}: {error}");
        assert!(error.offset().unwrap() <= json.len(), "{json}: {error}");
    }
}

#[test]
fn the_cases_that_the_standard_leaves_open_are_decided() {
    for (json, accepted, why) in DECIDED {
        assert_eq!(verdict(json), *accepted, "{json}: {why}");
    }
}

#[test]
fn one_byte_order_mark_is_skipped_at_the_start() {
    let block = r#"{"type":"text","text":"\ufeff"}"#;
    assert_eq!(
        round_trip("ContentBlock", format!("\u{FEFF}{block}")).unwrap(),
        "{\"type\":\"text\",\"text\":\"\u{FEFF}\"}"
    );
    assert_eq!(Json::parse(&format!("\u{FEFF} {block} ")).unwrap().as_str(), block);
    for text in [
        format!("\u{FEFF}\u{FEFF}{block}"),
        format!(" \u{FEFF}{block}"),
        format!("{block}\u{FEFF}"),
        "[\u{FEFF}1]".to_owned(),
        "\u{FEFF}".to_owned(),
    ] {
        assert!(Json::parse(&text).is_err(), "{text:?}");
    }
}

#[test]
fn control_characters_are_refused_in_every_string_and_key() {
    for control in 0..0x20_u8 {
        let control = char::from(control);
        for document in [
            format!(r#"{{"type":"text","text":"a{control}b"}}"#),
            format!(r#"{{"type":"text","text":"\n{control}"}}"#),
            format!(r#"{{"type":"te{control}xt","text":""}}"#),
            format!(r#"{{"ty{control}pe":"text","text":""}}"#),
            format!(r#"{{"type":"text","text":"","{control}":1}}"#),
            format!(r#"{{"type":"tool_use","name":"f","input":{{"a":"{control}"}}}}"#),
        ] {
            let error = round_trip("ContentBlock", &document).unwrap_err();
            assert_eq!(error.offset(), document.find(control), "{document:?}: {error}");
            assert!(error.to_string().contains("control character"), "{document:?}: {error}");
        }
    }
}

#[test]
fn nothing_may_follow_a_document() {
    for rest in ["x", "{}", ",", "]", "}", "null", "\0", "\u{A0}"] {
        let document = format!("{{\"type\":\"text\",\"text\":\"\"}} \n{rest}");
        let error = round_trip("ContentBlock", &document).unwrap_err();
        assert_eq!(error.offset(), Some(27), "{error}");
        assert!(error.to_string().starts_with("trailing characters"), "{error}");
    }
    assert!(round_trip("ContentBlock", "{\"type\":\"text\",\"text\":\"\"} \t\r\n").is_ok());
}

#[test]
fn a_document_that_is_cut_anywhere_ended_early() {
    let document = r#"{"x":[1.5e3,{"\u00e9":null}],"type":"text","text":"a\n","citations":[],"y":true}"#;
    assert!(round_trip("ContentBlock", document).is_ok());
    for end in 1..document.len() {
        let (cut, _) = document.split_at(end);
        let error = round_trip("ContentBlock", cut).unwrap_err();
        // Half of an escape is no escape.
        assert!(error.is_eof() || error.to_string().starts_with("invalid escape"), "{cut}: {error}");
    }
}
