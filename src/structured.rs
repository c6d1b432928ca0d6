//! Structured output: replies that are a Rust type.

use serde::de::DeserializeOwned;

use crate::{
    error::{Error, ErrorKind, Result},
    generated::types::{MessageResponse, StopReason},
    runtime::Json,
};
#[cfg(feature = "schemars")]
use crate::{
    generated::types::{JsonOutputFormat, MessageCreateRequest, OutputConfig},
    runtime::Blank,
};

#[cfg(feature = "schemars")]
impl JsonOutputFormat {
    /// The format whose schema is that of a Rust type, for `output_config`.
    ///
    /// The schema is a strict one, see [`AnthropicTool::strict_of`](crate::AnthropicTool::strict_of),
    /// and may be of any shape.
    ///
    /// # Errors
    /// [`ErrorKind::Contract`] for a type without a strict schema, such as one with a map in it.
    pub fn of<T: schemars::JsonSchema + ?Sized>() -> Result<Self> {
        Ok(Self { schema: crate::schema::of_output::<T>()?, ..Self::blank() })
    }
}

#[cfg(feature = "schemars")]
impl MessageCreateRequest {
    /// Asks for a reply whose text is JSON of a Rust type, to be read by
    /// [`MessageResponse::structured`]. It sets `output_config.format` and keeps the rest of
    /// `output_config`.
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
    /// As [`JsonOutputFormat::of`].
    pub fn structured<T: schemars::JsonSchema + ?Sized>(mut self) -> Result<Self> {
        let format = JsonOutputFormat::of::<T>()?;
        self.output_config.get_or_insert_with(OutputConfig::blank).format = Some(format);
        Ok(self)
    }
}

impl MessageResponse {
    /// Reads the text of a reply that was asked for by
    /// [`MessageCreateRequest::structured`](crate::MessageCreateRequest).
    ///
    /// It borrows the reply, so that the text, the stop reason and the usage are at hand whatever
    /// comes out. It reads replies of any origin: of a stream or a tool run as well.
    ///
    /// # Errors
    /// What the reply is comes before what its text is, since a refusal and a reply that was cut
    /// off need not fit the schema:
    /// - [`ErrorKind::Refusal`] when the model refused,
    /// - [`ErrorKind::CutOff`] when `max_tokens` or the context window ended the reply,
    /// - [`ErrorKind::Decode`] when the text is no JSON, or JSON of another shape; the source is a
    ///   [`DecodeError`](crate::DecodeError), which names the place.
    pub fn structured<T: DeserializeOwned>(&self) -> Result<T> {
        match &self.stop_reason {
            Some(reason) if reason.is_refusal() => return Err(refused(self)),
            Some(reason) if reason.is_truncated() => return Err(cut_off(reason)),
            _ => {}
        }
        let text = self.text();
        if text.is_empty() {
            return Err(Error::new(ErrorKind::Decode, "the reply has no text to read"));
        }
        let undecodable =
            |error| Error::new(ErrorKind::Decode, "the text of the reply is not of the type asked for").because(error);
        Json::parse(&text).and_then(|json| json.to()).map_err(undecodable)
    }
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
    Error::new(ErrorKind::CutOff, format!("the reply was cut off by `{reason}`, before its JSON was whole"))
}
