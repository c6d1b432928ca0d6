//! serde's buffers, and formats that are not JSON.

use std::collections::BTreeMap;

use anthropic_messages::{AnthropicMessage, ContentBlock, Json, MessageResponse, StreamEvent};
use ciborium::Value as Cbor;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// A message with everything that a format might lose: unknown members in their order, a null, a late tag.
const TURN: &str = r#"{"zeta":[1,2.5,-3,true,null],"role":"user","content":[{"text":"größe \n 😀","type":"text","citations":null,"alpha":{"b":18446744073709551615,"a":""}},{"type":"novel","n":1}]}"#;

fn turn() -> AnthropicMessage {
    serde_json::from_str(TURN).unwrap()
}

#[track_caller]
fn assert_turn(found: &AnthropicMessage) {
    assert_eq!(*found, turn());
    assert_eq!(serde_json::to_string(found).unwrap(), serde_json::to_string(&turn()).unwrap());
}

#[test]
fn every_deserializer_of_serde_json_reads_the_types() {
    assert_turn(&serde_json::from_str(TURN).unwrap());
    assert_turn(&serde_json::from_slice(TURN.as_bytes()).unwrap());
    assert_turn(&serde_json::from_reader(TURN.as_bytes()).unwrap());
    assert_turn(&Json::parse(TURN).unwrap().decode().unwrap());
    assert_turn(&serde_json::Deserializer::from_str(TURN).into_iter().next().unwrap().unwrap());
    let value: Value = serde_json::from_str(TURN).unwrap();
    assert_eq!(serde_json::from_value::<AnthropicMessage>(value.clone()).unwrap(), turn());
    assert_eq!(AnthropicMessage::deserialize(&value).unwrap(), turn());
}

#[derive(Debug, Deserialize)]
struct Flat {
    id: u8,
    #[serde(flatten)]
    turn: AnthropicMessage,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u8),
    Turn(AnthropicMessage),
    Event(StreamEvent),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind")]
enum Internal {
    Turn(AnthropicMessage),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", content = "of")]
enum Adjacent {
    Turn(AnthropicMessage),
    Free(Json),
}

#[test]
fn values_that_serde_has_buffered_are_read() {
    let with = |member: &str| TURN.replacen('{', &format!("{{{member},"), 1);
    let flat: Flat = serde_json::from_str(&with(r#""id":7"#)).unwrap();
    // To serde all members belong to what is flattened, but those that the struct has itself.
    assert_eq!(flat.id, 7);
    assert_turn(&flat.turn);
    let untagged: Vec<Untagged> = serde_json::from_str(&format!(r#"[5,{TURN},{{"type":"ping","x":1}}]"#)).unwrap();
    let [Untagged::Number(5), Untagged::Turn(found), Untagged::Event(StreamEvent::Ping(_))] = &untagged[..] else {
        panic!("{untagged:?}");
    };
    assert_turn(found);
    let Internal::Turn(found) = serde_json::from_str(&with(r#""kind":"Turn""#)).unwrap();
    assert_turn(&found);
    for order in [format!(r#"{{"kind":"Turn","of":{TURN}}}"#), format!(r#"{{"of":{TURN},"kind":"Turn"}}"#)] {
        let Adjacent::Turn(found) = serde_json::from_str(&order).unwrap() else { panic!("another variant") };
        assert_turn(&found);
    }
    let Adjacent::Free(found) = serde_json::from_str(&format!(r#"{{"of":{TURN},"kind":"Free"}}"#)).unwrap() else {
        panic!("another variant");
    };
    assert_eq!(found, Json::parse(TURN).unwrap());
    // By way of the crate's own reader too.
    let flat: Flat = Json::parse(&with(r#""id":7"#)).unwrap().decode().unwrap();
    assert_turn(&flat.turn);
}

fn message_pack<T: DeserializeOwned>(value: &impl serde::Serialize) -> Result<T, rmp_serde::decode::Error> {
    rmp_serde::from_slice(&rmp_serde::to_vec(value).unwrap())
}

fn cbor<T: DeserializeOwned>(value: &impl serde::Serialize) -> Result<T, ciborium::de::Error<std::io::Error>> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    ciborium::from_reader(&*bytes)
}

#[test]
fn message_pack_and_cbor_are_read() {
    let value: Value = serde_json::from_str(TURN).unwrap();
    assert_eq!(message_pack::<AnthropicMessage>(&value).unwrap(), turn());
    assert_eq!(cbor::<AnthropicMessage>(&value).unwrap(), turn());
    let reply =
        json!({"id": "m", "content": [{"text": "a", "type": "text"}], "stop_reason": "end_turn", "usage": null});
    let expected: MessageResponse = serde_json::from_value(reply.clone()).unwrap();
    assert_eq!(message_pack::<MessageResponse>(&reply).unwrap(), expected);
    assert_eq!(cbor::<MessageResponse>(&reply).unwrap(), expected);
    assert_eq!(cbor::<Vec<Option<ContentBlock>>>(&json!([null, {"type": "text", "text": ""}])).unwrap().len(), 2);
}

#[test]
fn other_formats_keep_what_json_has() {
    let text = |name: &str| Cbor::Text(name.to_owned());
    let map = Cbor::Map(vec![
        (text("zeta"), Cbor::Float(1e300)),
        (text("text"), text("\u{1}\"")),
        (text("alpha"), Cbor::Integer(u64::MAX.into())),
        (text("type"), text("text")),
        (text("beta"), Cbor::Array(vec![Cbor::Null, Cbor::Bool(true), Cbor::Array(vec![]), Cbor::Map(vec![])])),
        (Cbor::Integer(7.into()), Cbor::Float(1.0)),
    ]);
    let block: ContentBlock = cbor(&map).unwrap();
    let expected = r#"{"type":"text","text":"\u0001\"","zeta":1e300,"alpha":18446744073709551615,"beta":[null,true,[],{}],"7":1.0}"#;
    assert_eq!(serde_json::to_string(&block).unwrap(), expected);
    let short: Json = message_pack(&BTreeMap::from([("a", 0.1_f32)])).unwrap();
    assert_eq!(short.as_str(), r#"{"a":0.1}"#);
    // JSON has none of these, and nothing else takes their place.
    for other in [Cbor::Float(f64::NAN), Cbor::Float(f64::INFINITY), Cbor::Bytes(vec![1])] {
        assert!(cbor::<Json>(&Cbor::Array(vec![other.clone()])).is_err(), "{other:?}");
    }
}

#[test]
fn errors_are_the_same_in_every_format() {
    let wrong = json!({"role": "user", "content": [{"type": "text", "text": ["secret"]}]});
    let message = "invalid type: sequence, expected a string, at /content/0/text";
    for error in [
        serde_json::from_value::<AnthropicMessage>(wrong.clone()).unwrap_err().to_string(),
        serde_json::from_str::<AnthropicMessage>(&wrong.to_string()).unwrap_err().to_string(),
        message_pack::<AnthropicMessage>(&wrong).unwrap_err().to_string(),
        cbor::<AnthropicMessage>(&wrong).unwrap_err().to_string(),
        Json::from(wrong).decode::<AnthropicMessage>().unwrap_err().to_string(),
    ] {
        assert!(error.contains(message), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn deep_values_of_other_formats_are_refused() {
    let deep = (0..200).fold(Cbor::Null, |inner, _| Cbor::Array(vec![inner]));
    assert!(cbor::<Json>(&deep).unwrap_err().to_string().contains("128 levels"));
    let edge = (0..128).fold(Cbor::Null, |inner, _| Cbor::Array(vec![inner]));
    assert!(cbor::<Json>(&edge).is_ok());
}

/// A key that names serde_json's own text of a value must be that.
#[test]
fn the_private_names_of_serde_json_smuggle_nothing_in() {
    for name in ["$serde_json::private::RawValue", "$serde_json::private::Number"] {
        for text in ["1,\"role\":\"user\"", "{", "", "1 2"] {
            let map = Cbor::Map(vec![(Cbor::Text(name.to_owned()), Cbor::Text(text.to_owned()))]);
            assert!(cbor::<Json>(&map).is_err(), "{name}: {text}");
        }
        let map = Cbor::Map(vec![(Cbor::Text(name.to_owned()), Cbor::Text("1e400".to_owned()))]);
        assert_eq!(cbor::<Json>(&map).unwrap().as_str(), "1e400");
    }
}

/// serde's own deserializers hand out what a newtype contains instead of the newtype.
#[test]
fn formats_that_see_through_newtypes_are_read() {
    use serde::de::{
        Deserialize, IntoDeserializer,
        value::{Error, MapDeserializer, SeqDeserializer},
    };
    let map = |entries: [(&'static str, &'static str); 2]| MapDeserializer::<_, Error>::new(entries.into_iter());
    let read = Json::deserialize(map([("role", "{\"x\":1}"), ("content", "hi")])).unwrap();
    assert_eq!(read.as_str(), r#"{"role":"{\"x\":1}","content":"hi"}"#);
    let read = Json::deserialize(map([("a", "b"), ("$serde_json::private::RawValue", "1")])).unwrap();
    assert_eq!(read.as_str(), r#"{"a":"b","$serde_json::private::RawValue":"1"}"#);
    let text: &str = "{}";
    assert_eq!(Json::deserialize(IntoDeserializer::<Error>::into_deserializer(text)).unwrap().as_str(), r#""{}""#);
    let numbers = SeqDeserializer::<_, Error>::new([1_u64, 2].into_iter());
    assert_eq!(Json::deserialize(numbers).unwrap().as_str(), "[1,2]");
}
