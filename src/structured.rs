//! Structured output: replies that decode into a Rust type.

#[cfg(feature = "schemars")]
mod extract;
mod partial;

use bytes::Bytes;
use serde::de::DeserializeOwned;

#[cfg(feature = "schemars")]
pub use self::extract::{Extraction, InvalidOutput};
pub use self::partial::PartialStream;
use crate::{
    error::{Error, ErrorKind, Result},
    generated::types::{MessageResponse, StopReason},
    json::Json,
    response::{Head, Response},
};
#[cfg(feature = "schemars")]
use crate::{
    generated::types::{JsonOutputFormat, MessageCreateRequest, OutputConfig},
    json::Empty,
};

#[cfg(feature = "schemars")]
impl JsonOutputFormat {
    /// Creates the format with the schema of a Rust type, for `output_config`.
    ///
    /// The schema is strict, see [`AnthropicTool::strict_of`](crate::AnthropicTool::strict_of). Unlike the input of a tool, it
    /// can have any type at its root.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Contract`] if the type has no strict schema, for example because it contains a map.
    pub fn of<T: schemars::JsonSchema + ?Sized>() -> Result<Self> {
        Ok(Self { schema: crate::schema::of_output::<T>()?, ..Self::empty() })
    }
}

#[cfg(feature = "schemars")]
impl MessageCreateRequest {
    /// Requests a reply whose text is JSON of a Rust type, to be decoded by [`MessageResponse::structured`]. Sets
    /// `output_config.format` and keeps the rest of `output_config`.
    ///
    /// ```no_run
    /// use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest, schemars::{self, JsonSchema}};
    ///
    /// #[derive(serde::Deserialize, JsonSchema)]
    /// struct Contact { name: String, email: Option<String> }
    ///
    /// # async fn sample(client: Client) -> anthropic_messages::Result<()> {
    /// let letter = [AnthropicMessage::user("Who wrote this? Yours, Ada <ada@example.com>")];
    /// let request = MessageCreateRequest::new("claude-sonnet-5", letter, 1024).structured::<Contact>()?;
    /// let reply = client.create_message(&request).await?;
    /// let contact: Contact = reply.structured()?;
    /// println!("{} <{}>", contact.name, contact.email.unwrap_or_default());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Fails as [`JsonOutputFormat::of`] does.
    pub fn structured<T: schemars::JsonSchema + ?Sized>(mut self) -> Result<Self> {
        let format = JsonOutputFormat::of::<T>()?;
        self.output_config.get_or_insert_with(OutputConfig::empty).format = Some(format);
        Ok(self)
    }
}

impl MessageResponse {
    /// Decodes the text of a reply to a request made with
    /// [`MessageCreateRequest::structured`](crate::MessageCreateRequest).
    ///
    /// Borrows the reply, so that its text, stop reason and usage remain available. Works for replies of any origin: of a
    /// stream or a tool run as well. On a [`Response`], the error also carries the metadata of the response.
    ///
    /// # Errors
    /// The stop reason is checked first, because a refusal or a reply that was cut off need not match the schema:
    /// - [`ErrorKind::Refusal`] if the model refused,
    /// - [`ErrorKind::CutOff`] if `max_tokens` or the context window ended the reply,
    /// - [`ErrorKind::Decode`] if the text is not JSON of the type. [`Error::pointer`] names the place in that JSON,
    ///   which is in [`Error::body`].
    pub fn structured<T: DeserializeOwned>(&self) -> Result<T> {
        decode(self, Head { may_have_been_processed: true, ..Head::default() })
    }
}

impl Response<MessageResponse> {
    /// Decodes the text of a reply as [`MessageResponse::structured`] does.
    ///
    /// # Errors
    /// Fails as [`MessageResponse::structured`] does. The error carries the metadata of the response: request id, attempts,
    /// headers.
    pub fn structured<T: DeserializeOwned>(&self) -> Result<T> {
        decode(self, self.head().clone())
    }
}

fn decode<T: DeserializeOwned>(reply: &MessageResponse, head: Head) -> Result<T> {
    match &reply.stop_reason {
        Some(reason) if reason.is_refusal() => return Err(refused(reply).with_head(head)),
        Some(reason) if reason.is_truncated() => return Err(cut_off(reason).with_head(head)),
        _ => {}
    }
    let text = reply.text();
    if text.is_empty() {
        let sentence = "failed to decode the structured output: the reply has no text";
        return Err(Error::new(ErrorKind::Decode, sentence).with_pointer("").with_head(head));
    }
    Json::parse(&text).and_then(|json| json.decode()).map_err(|error| {
        let body = Bytes::copy_from_slice(text.as_bytes());
        Error::undecodable("the structured output", error.pointer(), body).with_source(error).with_head(head)
    })
}

fn refused(reply: &MessageResponse) -> Error {
    let category = reply.stop_details.as_ref().and_then(|details| details.category.as_ref());
    let sentence = match category {
        Some(category) => format!("the model refused to answer ({category})"),
        None => "the model refused to answer".to_owned(),
    };
    Error::new(ErrorKind::Refusal, sentence)
}

fn cut_off(reason: &StopReason) -> Error {
    Error::new(ErrorKind::CutOff, format!("the reply was cut off by `{reason}` before its JSON was complete"))
}
