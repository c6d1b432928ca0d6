//! Values of structured output while it is streamed.

use std::{fmt, marker::PhantomData};

use futures_util::FutureExt;
use serde::{
    Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
        VariantAccess, Visitor,
    },
    forward_to_deserialize_any,
};

use crate::{
    error::Result,
    stream::{MessageStream, TextStream},
};

impl MessageStream {
    /// Returns values of structured output as they grow, for example to fill in a form while the model writes.
    ///
    /// `T` must be readable from an incomplete object: give members that arrive later a default, or make them an `Option`.
    ///
    /// ```no_run
    /// use anthropic_messages::{Client, MessageCreateRequest};
    ///
    /// #[derive(serde::Deserialize)]
    /// #[serde(default)]
    /// # #[derive(Default)]
    /// struct Recipe { title: String, steps: Vec<String> }
    ///
    /// # async fn sample(client: Client, request: MessageCreateRequest) -> anthropic_messages::Result<()> {
    /// let mut stream = client.stream_message(&request).await?;
    /// let mut partial = stream.partial::<Recipe>();
    /// while let Some(recipe) = partial.next().await {
    ///     let recipe = recipe?;
    ///     println!("{} ({} steps)", recipe.title, recipe.steps.len());
    /// }
    /// let recipe: Recipe = stream.final_message().await?.structured()?;
    /// # let _ = recipe;
    /// # Ok(())
    /// # }
    /// ```
    pub fn partial<T: DeserializeOwned>(&mut self) -> PartialStream<'_, T> {
        PartialStream { text: self.text_stream(), document: PartialJson::default(), value: PhantomData }
    }
}

/// The growing values of a streamed reply. Created by [`MessageStream::partial`].
///
/// A later value extends the earlier ones: strings and lists get longer, and members are added. Therefore numbers, names of
/// members, `true`, `false`, `null` and the values of enums appear when they are complete. So do strings in types that
/// serde buffers (untagged and internally tagged enums, flattened members). An element that lacks a required member is left
/// out until it has it.
///
/// The text is parsed once. A value is made for each call of [`next`](Self::next), from all text that has arrived.
pub struct PartialStream<'a, T> {
    text: TextStream<&'a mut MessageStream>,
    document: PartialJson,
    value: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> PartialStream<'_, T> {
    /// Returns the next value, or `None` at the end of the reply. Dropping the future loses no text.
    ///
    /// # Errors
    /// Fails as [`MessageStream::next`] does. Text that is not JSON of the type is not an error here: no more values follow,
    /// and [`MessageResponse::structured`](crate::MessageResponse::structured) says what is wrong.
    pub async fn next(&mut self) -> Option<Result<T>> {
        loop {
            match self.text.next().await? {
                Ok(piece) => self.document.push(&piece),
                Err(error) => return Some(Err(error)),
            }
            while let Some(Some(piece)) = self.text.next().now_or_never() {
                match piece {
                    Ok(piece) => self.document.push(&piece),
                    Err(error) => return Some(Err(error)),
                }
            }
            if let Some(value) = self.document.value() {
                return Some(Ok(value));
            }
        }
    }
}

impl<T> fmt::Debug for PartialStream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartialStream").finish_non_exhaustive()
    }
}

/// A complete value.
enum Node {
    Null,
    Bool(bool),
    Number(String),
    String(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// An array or object that is not closed.
enum Open {
    Array(Vec<Node>),
    /// The members, and the name of the one that is being read.
    Object(Vec<(String, Node)>, Option<String>),
}

/// A parser of JSON that arrives in pieces. It keeps its state between them, so that each character is looked at once.
#[derive(Default)]
struct PartialJson {
    open: Vec<Open>,
    root: Option<Node>,
    token: Token,
    is_invalid: bool,
    steps: usize,
}

/// The token that is being read.
#[derive(Default)]
enum Token {
    #[default]
    None,
    /// A number or a literal.
    Word(String),
    String(Text),
}

/// A string that is not closed.
#[derive(Default)]
struct Text {
    text: String,
    /// The characters of an escape that is not complete, from its backslash.
    escape: String,
    /// The first half of a surrogate pair.
    half: Option<u32>,
    is_name: bool,
}

impl PartialJson {
    fn push(&mut self, piece: &str) {
        for character in piece.chars() {
            self.steps += 1;
            if self.is_invalid {
                return;
            }
            self.is_invalid = self.take(character).is_none();
        }
    }

    /// Takes a character. `None` if it can't follow.
    fn take(&mut self, character: char) -> Option<()> {
        match &mut self.token {
            Token::String(text) => match text.take(character)? {
                false => Some(()),
                true => {
                    let Token::String(text) = std::mem::take(&mut self.token) else { return None };
                    if text.is_name {
                        match self.open.last_mut()? {
                            Open::Object(_, name) => *name = Some(text.text),
                            Open::Array(_) => return None,
                        }
                        return Some(());
                    }
                    self.add(Node::String(text.text))
                }
            },
            Token::Word(word) if character.is_ascii_alphanumeric() || "+-.".contains(character) => {
                word.push(character);
                Some(())
            }
            Token::Word(_) => {
                self.end_word()?;
                self.structure(character)
            }
            Token::None => self.structure(character),
        }
    }

    fn structure(&mut self, character: char) -> Option<()> {
        match character {
            ' ' | '\n' | '\r' | '\t' | ',' | ':' => Some(()),
            '{' => self.begin(Open::Object(Vec::new(), None)),
            '[' => self.begin(Open::Array(Vec::new())),
            '}' | ']' => {
                let node = match (self.open.pop()?, character) {
                    (Open::Object(members, None), '}') => Node::Object(members),
                    (Open::Array(items), ']') => Node::Array(items),
                    _ => return None,
                };
                self.add(node)
            }
            '"' => {
                let is_name = matches!(self.open.last(), Some(Open::Object(_, None)));
                self.token = Token::String(Text { is_name, ..Text::default() });
                Some(())
            }
            _ => {
                self.token = Token::Word(character.to_string());
                Some(())
            }
        }
    }

    fn begin(&mut self, open: Open) -> Option<()> {
        if self.root.is_some() {
            return None;
        }
        self.open.push(open);
        Some(())
    }

    fn end_word(&mut self) -> Option<()> {
        let Token::Word(word) = std::mem::take(&mut self.token) else { return None };
        let node = match word.as_str() {
            "null" => Node::Null,
            "true" => Node::Bool(true),
            "false" => Node::Bool(false),
            _ => Node::Number(word),
        };
        self.add(node)
    }

    fn add(&mut self, node: Node) -> Option<()> {
        match self.open.last_mut() {
            Some(Open::Array(items)) => items.push(node),
            Some(Open::Object(members, name)) => members.push((name.take()?, node)),
            None if self.root.is_none() => self.root = Some(node),
            None => return None,
        }
        Some(())
    }

    /// Makes a value of what has arrived. Open values are left out, from the innermost on, until the rest fits the type.
    fn value<T: DeserializeOwned>(&self) -> Option<T> {
        if self.is_invalid {
            return None;
        }
        if let Some(root) = &self.root {
            return T::deserialize(Value::Complete(root)).ok();
        }
        let has_text = matches!(&self.token, Token::String(text) if !text.is_name);
        let open = self.open.len() + usize::from(has_text);
        (1..=open).rev().find_map(|shown| T::deserialize(Value::Open(View { document: self, level: 0, shown })).ok())
    }
}

impl Text {
    /// Takes a character. `true` if it closes the string.
    fn take(&mut self, character: char) -> Option<bool> {
        if self.escape.is_empty() {
            match character {
                '"' => {
                    self.end_half();
                    return Some(true);
                }
                '\\' => self.escape.push('\\'),
                _ => {
                    self.end_half();
                    self.text.push(character);
                }
            }
            return Some(false);
        }
        self.escape.push(character);
        let plain = match self.escape.as_bytes() {
            [_, b'u', digits @ ..] if digits.len() < 4 => return Some(false),
            [_, b'u', ..] => {
                let unit = u32::from_str_radix(self.escape.get(2..)?, 16).ok()?;
                self.escape.clear();
                self.unit(unit);
                return Some(false);
            }
            [_, b'n'] => '\n',
            [_, b't'] => '\t',
            [_, b'r'] => '\r',
            [_, b'b'] => '\u{8}',
            [_, b'f'] => '\u{c}',
            [_, other @ (b'"' | b'\\' | b'/')] => char::from(*other),
            _ => return None,
        };
        self.escape.clear();
        self.end_half();
        self.text.push(plain);
        Some(false)
    }

    fn unit(&mut self, unit: u32) {
        match (self.half.take(), unit) {
            (Some(high), 0xDC00..=0xDFFF) => {
                let scalar = 0x1_0000 + ((high - 0xD800) << 10) + (unit - 0xDC00);
                self.text.push(char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            (half, _) => {
                self.half = half;
                self.end_half();
                match unit {
                    0xD800..=0xDBFF => self.half = Some(unit),
                    _ => self.text.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)),
                }
            }
        }
    }

    fn end_half(&mut self) {
        if self.half.take().is_some() {
            self.text.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// An open value: its level, and the number of levels that are shown.
#[derive(Clone, Copy)]
struct View<'a> {
    document: &'a PartialJson,
    level: usize,
    shown: usize,
}

/// A value to deserialize.
#[derive(Clone, Copy)]
enum Value<'a> {
    Complete(&'a Node),
    Open(View<'a>),
}

/// The shape of a value.
enum Shape<'a> {
    Scalar(&'a Node),
    /// A string that is not closed.
    Text(&'a str),
    Array(&'a [Node], Option<View<'a>>),
    Object(&'a [(String, Node)], Option<(&'a str, View<'a>)>),
}

impl<'a> View<'a> {
    /// The open value within this one, if it is shown.
    fn inner(self) -> Option<Self> {
        let exists = self.level + 1 < self.document.open.len()
            || (self.level + 1 == self.document.open.len()
                && matches!(&self.document.token, Token::String(text) if !text.is_name));
        (exists && self.level + 1 < self.shown).then_some(Self { level: self.level + 1, ..self })
    }
}

impl<'a> Value<'a> {
    fn shape(self) -> Shape<'a> {
        match self {
            Self::Complete(Node::Array(items)) => Shape::Array(items, None),
            Self::Complete(Node::Object(members)) => Shape::Object(members, None),
            Self::Complete(scalar) => Shape::Scalar(scalar),
            Self::Open(view) => match (view.document.open.get(view.level), &view.document.token) {
                (Some(Open::Array(items)), _) => Shape::Array(items, view.inner()),
                (Some(Open::Object(members, name)), _) => {
                    Shape::Object(members, name.as_deref().and_then(|name| Some((name, view.inner()?))))
                }
                (None, Token::String(text)) => Shape::Text(&text.text),
                (None, _) => Shape::Scalar(&Node::Null),
            },
        }
    }
}

type Failure = serde::de::value::Error;

/// Fails for a string that is not closed, where a longer one could be another value.
fn held_back() -> Failure {
    Failure::custom("the string is not complete")
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.shape() {
            Shape::Text(_) => Err(held_back()),
            Shape::Scalar(Node::Bool(value)) => visitor.visit_bool(*value),
            Shape::Scalar(Node::String(text)) => visitor.visit_borrowed_str(text),
            Shape::Scalar(Node::Number(number)) => {
                if let Ok(number) = number.parse::<i64>() {
                    visitor.visit_i64(number)
                } else if let Ok(number) = number.parse::<u64>() {
                    visitor.visit_u64(number)
                } else {
                    visitor.visit_f64(number.parse().map_err(Failure::custom)?)
                }
            }
            Shape::Scalar(_) => visitor.visit_unit(),
            Shape::Array(items, open) => {
                let items = items.iter().map(Value::Complete).chain(open.map(Value::Open));
                visitor.visit_seq(Items(items))
            }
            Shape::Object(members, open) => {
                let members = members.iter().map(|(name, node)| (name.as_str(), Value::Complete(node)));
                let members = members.chain(open.map(|(name, view)| (name, Value::Open(view))));
                visitor.visit_map(Members { members, value: None })
            }
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.shape() {
            Shape::Text(text) => visitor.visit_borrowed_str(text),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.shape() {
            Shape::Scalar(Node::Null) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match self.shape() {
            Shape::Scalar(Node::String(variant)) => visitor.visit_enum(Variant { name: variant, value: None }),
            Shape::Object([(name, value)], None) => {
                visitor.visit_enum(Variant { name, value: Some(Value::Complete(value)) })
            }
            Shape::Object([], Some((name, view))) => {
                visitor.visit_enum(Variant { name, value: Some(Value::Open(view)) })
            }
            _ => Err(held_back()),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}

struct Items<I>(I);

impl<'de, I: Iterator<Item = Value<'de>>> SeqAccess<'de> for Items<I> {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Failure> {
        self.0.next().map(|item| seed.deserialize(item)).transpose()
    }
}

struct Members<'de, I> {
    members: I,
    value: Option<Value<'de>>,
}

impl<'de, I: Iterator<Item = (&'de str, Value<'de>)>> MapAccess<'de> for Members<'de, I> {
    type Error = Failure;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Failure> {
        let Some((name, value)) = self.members.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(serde::de::value::BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Failure> {
        seed.deserialize(self.value.take().ok_or_else(held_back)?)
    }
}

/// The variant of an enum, with its value if it has one.
struct Variant<'de> {
    name: &'de str,
    value: Option<Value<'de>>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Failure;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Failure> {
        let name: serde::de::value::StrDeserializer<'_, Failure> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Failure;

    fn unit_variant(self) -> Result<(), Failure> {
        if self.value.is_some() { Err(held_back()) } else { Ok(()) }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Failure> {
        seed.deserialize(self.value.ok_or_else(held_back)?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Failure> {
        self.value.ok_or_else(held_back)?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Failure> {
        self.value.ok_or_else(held_back)?.deserialize_any(visitor)
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Urgency {
        Urgent,
        UrgentNow,
        #[serde(other)]
        Unknown,
    }

    #[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
    #[serde(default)]
    struct Order {
        customer: String,
        urgency: Option<Urgency>,
        count: Option<f64>,
        paid: Option<bool>,
        items: Vec<Item>,
        rest: Option<Box<Order>>,
    }

    #[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
    struct Item {
        article: String,
        count: i64,
    }

    fn order(random: &mut fastrand::Rng, depth: usize) -> Order {
        const LETTERS: [&str; 9] = ["a", "é", "😀", "\n", "\"", "\\", "\u{1}", "/", "{"];
        let text = |random: &mut fastrand::Rng| {
            (0..random.usize(0..8)).map(|_| LETTERS[random.usize(0..9)]).collect::<String>()
        };
        let items =
            (0..random.usize(0..3)).map(|_| Item { article: text(random), count: random.i64(-1000..1000) }).collect();
        Order {
            customer: text(random),
            urgency: [None, Some(Urgency::Urgent), Some(Urgency::UrgentNow)][random.usize(0..3)],
            count: random.bool().then(|| f64::from(random.i32(-1000..1000)) / 8.0),
            paid: [None, Some(true), Some(false)][random.usize(0..3)],
            items,
            rest: (depth > 0 && random.bool()).then(|| Box::new(order(random, depth - 1))),
        }
    }

    /// Returns `true` if the later value keeps everything in the earlier one.
    fn extends(later: &Order, earlier: &Order) -> bool {
        later.customer.starts_with(&earlier.customer)
            && (earlier.urgency.is_none() || later.urgency == earlier.urgency)
            && (earlier.count.is_none() || later.count == earlier.count)
            && (earlier.paid.is_none() || later.paid == earlier.paid)
            && later.items.len() >= earlier.items.len()
            && later
                .items
                .iter()
                .zip(&earlier.items)
                .all(|(later, earlier)| later.article.starts_with(&earlier.article) && later.count == earlier.count)
            && earlier
                .rest
                .as_ref()
                .is_none_or(|earlier| later.rest.as_ref().is_some_and(|later| extends(later, earlier)))
    }

    #[test]
    fn every_prefix_of_a_document_extends_the_one_before() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut values = 0;
        for number in 0..500 {
            let whole = order(&mut random, 3);
            let mut json =
                if number % 2 == 0 { serde_json::to_string(&whole) } else { serde_json::to_string_pretty(&whole) }
                    .unwrap();
            if number % 3 == 0 {
                json = json.replace('é', "\\u00e9").replace('😀', "\\ud83d\\ude00");
            }
            let mut document = PartialJson::default();
            let mut last: Option<Order> = None;
            for character in json.chars() {
                document.push(character.encode_utf8(&mut [0; 4]));
                let value: Option<Order> = document.value();
                if let Some(last) = &last {
                    let value = value.as_ref().expect("a value never disappears");
                    assert!(extends(value, last), "{last:?} then {value:?}");
                }
                values += usize::from(value.is_some());
                last = value;
            }
            assert_eq!(last, Some(whole));
        }
        assert!(values > 20_000, "{values}");
    }

    #[test]
    fn reading_is_linear() {
        let steps = |count: usize| {
            let json = serde_json::to_string(&vec![Item { article: "bag".repeat(5), count: 3 }; count]).unwrap();
            let mut document = PartialJson::default();
            for start in (0..json.len()).step_by(7) {
                document.push(json.get(start..(start + 7).min(json.len())).unwrap());
            }
            assert_eq!(document.value::<Vec<Item>>().unwrap().len(), count);
            document.steps
        };
        let (once, twice) = (steps(1000), steps(2000));
        assert!(twice * 10 <= once * 22, "{once} then {twice}");
    }

    #[test]
    fn what_is_not_json_makes_no_value() {
        for text in ["Sure! {\"a\": 1}", "[1}", "{\"a\" \"b\"}", "{} {}"] {
            let mut document = PartialJson::default();
            document.push(text);
            assert!(document.value::<Vec<i64>>().is_none(), "{text}");
        }
    }
}
