//! Extraction: structured output with validation and a bounded number of corrections.

use std::{error, fmt, pin::Pin};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{
    error::{Error, ErrorKind, Result},
    generated::{
        Client,
        types::{AnthropicMessage, MessageCreateRequest},
    },
    response::Response,
};

impl Client {
    /// Sends a request for a reply that is JSON of a Rust type, and decodes it.
    ///
    /// Returns an [`Extraction`]: set its options, then `.await` it. The request is sent with
    /// [`structured`](MessageCreateRequest::structured).
    ///
    /// ```no_run
    /// use anthropic_messages::{AnthropicMessage, Client, InvalidOutput, MessageCreateRequest, schemars::{self, JsonSchema}};
    ///
    /// #[derive(serde::Deserialize, JsonSchema)]
    /// struct Order { article: String, count: u32 }
    ///
    /// # async fn sample(client: Client) -> anthropic_messages::Result<()> {
    /// let letter = [AnthropicMessage::user("Please send a dozen bags of coffee.")];
    /// let request = MessageCreateRequest::new("claude-sonnet-5", letter, 1024);
    /// let order = client
    ///     .extract::<Order>(request)
    ///     .validate(|order| match order.count {
    ///         0 => Err(InvalidOutput::at("/count", "must be at least 1")),
    ///         _ => Ok(()),
    ///     })
    ///     .max_tries(3)
    ///     .await?;
    /// println!("{} x {} ({:?})", order.count, order.article, order.request_id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn extract<T>(&self, request: MessageCreateRequest) -> Extraction<T>
    where
        T: DeserializeOwned + JsonSchema + Send + 'static,
    {
        Extraction { client: self.clone(), request: request.structured::<T>(), validate: None, max_tries: 1 }
    }
}

/// A request whose reply is read into a Rust type. Created by [`Client::extract`].
///
/// Resolves to the value, with the metadata of its response.
///
/// # Errors
/// Fails as [`Client::create_message`] and [`MessageResponse::structured`](crate::MessageResponse::structured) do, and with
/// [`ErrorKind::Contract`] if the type has no strict schema. If the last reply fails validation, the kind is
/// [`ErrorKind::Decode`], [`Error::pointer`] is the place, and the source is the [`InvalidOutput`].
#[must_use = "an extraction does nothing until it is awaited"]
pub struct Extraction<T> {
    client: Client,
    request: Result<MessageCreateRequest>,
    validate: Option<Validate<T>>,
    max_tries: usize,
}

type Validate<T> = Box<dyn Fn(&T) -> Result<(), InvalidOutput> + Send + Sync>;

impl<T> Extraction<T> {
    /// Sets a function that checks the value. A value that it rejects counts as a reply that does not fit the type. Defaults
    /// to none.
    pub fn validate(mut self, validate: impl Fn(&T) -> Result<(), InvalidOutput> + Send + Sync + 'static) -> Self {
        self.validate = Some(Box::new(validate));
        self
    }

    /// Limits the number of requests. After a reply that does not fit the type or fails validation, another request tells the
    /// model the place and the reason. Refusals and replies that were cut off are not corrected. 0 counts as 1. Defaults to 1,
    /// which is no correction.
    pub fn max_tries(mut self, tries: usize) -> Self {
        self.max_tries = tries;
        self
    }
}

impl<T: DeserializeOwned + Send + 'static> Extraction<T> {
    async fn run(self) -> Result<Response<T>> {
        let mut request = self.request?;
        let mut tries = 1;
        loop {
            let reply = self.client.create_message(&request).await?;
            let decoded = reply.structured::<T>().and_then(|value| match &self.validate {
                Some(validate) => match validate(&value) {
                    Ok(()) => Ok(value),
                    Err(invalid) => Err(invalid.into_error().with_head(reply.head().clone())),
                },
                None => Ok(value),
            });
            let error = match decoded {
                Ok(value) => return Ok(reply.map(|_| value)),
                Err(error) => error,
            };
            if tries >= self.max_tries || error.kind() != ErrorKind::Decode {
                return Err(error);
            }
            tries += 1;
            let correction = correction(&error);
            let turn = AnthropicMessage::from(reply);
            if !turn.content.is_empty() {
                request.messages.push(turn);
            }
            request.messages.push(AnthropicMessage::user(correction));
        }
    }
}

/// The turn that asks for a correction.
fn correction(error: &Error) -> String {
    let reason = error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    let place = error.pointer().filter(|pointer| !pointer.is_empty());
    let place = place.map(|pointer| format!(" at `{pointer}`")).unwrap_or_default();
    format!("That JSON is invalid{place}: {reason}. Answer with the corrected JSON and nothing else.")
}

impl<T: DeserializeOwned + Send + 'static> IntoFuture for Extraction<T> {
    type Output = Result<Response<T>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<T> fmt::Debug for Extraction<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extraction").field("max_tries", &self.max_tries).finish_non_exhaustive()
    }
}

/// The reason why a value is invalid, which the model reads if the extraction has tries left.
#[derive(Clone, Debug)]
pub struct InvalidOutput {
    pointer: String,
    reason: String,
}

impl InvalidOutput {
    /// Creates a reason for the value at a JSON pointer, such as `/items/0/count`.
    #[must_use]
    pub fn at(pointer: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), reason: reason.into() }
    }

    fn into_error(self) -> Error {
        let sentence = "the structured output failed validation";
        Error::new(ErrorKind::Decode, sentence).with_pointer(&self.pointer.clone()).with_source(self)
    }
}

/// Creates a reason for the value as a whole.
impl From<&str> for InvalidOutput {
    fn from(reason: &str) -> Self {
        Self::at("", reason)
    }
}

/// Creates a reason for the value as a whole.
impl From<String> for InvalidOutput {
    fn from(reason: String) -> Self {
        Self::at("", reason)
    }
}

impl fmt::Display for InvalidOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl error::Error for InvalidOutput {}
