//! Waiting for batches and reading their results.
//!
//! Compiled as far as the contract has the operations: a build without the feature `family` has none of them.

#[cfg(operation = "get_batch")]
use std::time::Duration;

#[cfg(all(operation = "get_batch", operation = "batch_results"))]
use crate::{
    error::ErrorKind,
    generated::{BatchResultsArguments, types::MessageBatchIndividualResponse},
    transport::JsonLines,
};
#[cfg(operation = "get_batch")]
use crate::{
    error::{Error, Result},
    generated::{
        Client,
        types::{MessageBatch, MessageBatchStatus},
    },
    response::Response,
};

#[cfg(operation = "get_batch")]
impl Client {
    /// Waits until a batch has ended, and returns it.
    ///
    /// Requests the batch immediately and then after every pause of `poll`. Batches take minutes to hours, so a minute is a
    /// reasonable pause. There is no time limit: a batch ends within 24 hours of its creation. Dropping the future stops
    /// waiting and leaves the batch as it is.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest};
    /// use anthropic_messages::types::{BatchRequest, CreateBatchRequest, MessageBatchResult};
    ///
    /// # async fn sample(client: Client) -> anthropic_messages::Result<()> {
    /// let question = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 100);
    /// let batch = client.create_batch(&CreateBatchRequest::new([BatchRequest::new("hello", question)])).await?;
    /// let batch = client.wait_for_batch(&batch.id, Duration::from_secs(60)).await?;
    ///
    /// let mut results = client.batch_results(&batch.id).await?.into_inner();
    /// while let Some(line) = results.next().await {
    ///     let line = line?;
    ///     match &line.result {
    ///         MessageBatchResult::Succeeded(result) => println!("{}: {}", line.custom_id, result.message.text()),
    ///         other => println!("{}: {other:?}", line.custom_id),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if a request for the batch fails, after the client's retries. The batch isn't affected, so the call can be
    /// repeated.
    pub async fn wait_for_batch(&self, message_batch_id: &str, poll: Duration) -> Result<Response<MessageBatch>> {
        loop {
            let batch = self.get_batch(message_batch_id).await?;
            if batch.has_ended() {
                return Ok(batch);
            }
            self.transport.sleep(poll).await;
        }
    }

    /// Returns the results of a batch, as a stream of lines.
    ///
    /// There is one result for each request of the batch, in any order: match them by `custom_id`. Requests the batch first
    /// and then its results. Use [`wait_for_batch`](Self::wait_for_batch) to wait for a batch that hasn't ended.
    ///
    /// # Errors
    ///
    /// Fails with [`ErrorKind::NotFound`] if the batch hasn't ended or its results are no longer available, which they are
    /// for 29 days after its creation. Errors while reading are described at [`JsonLines`].
    #[cfg(operation = "batch_results")]
    pub async fn batch_results(
        &self,
        message_batch_id: &str,
    ) -> Result<Response<JsonLines<MessageBatchIndividualResponse>>> {
        let batch = self.get_batch(message_batch_id).await?;
        if !batch.has_ended() {
            let status = batch.processing_status.as_str();
            let sentence = format!("batch `{message_batch_id}` has no results yet: its status is `{status}`");
            return Err(Error::new(ErrorKind::NotFound, sentence).with_head(batch.head().clone()));
        }
        self.batch_results_whole(message_batch_id, &BatchResultsArguments::default()).await
    }
}

#[cfg(operation = "get_batch")]
impl MessageBatch {
    /// Returns `true` if no request of the batch is being processed any more. Its results are then available.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.processing_status == MessageBatchStatus::Ended
    }

    /// Returns `true` if the batch is being canceled and hasn't ended yet.
    #[must_use]
    pub fn is_canceling(&self) -> bool {
        self.processing_status == MessageBatchStatus::Canceling
    }

    /// Returns `true` if the batch has ended and every request of it succeeded.
    #[must_use]
    pub fn has_succeeded(&self) -> bool {
        let failed = self.request_counts.as_ref().map(|counts| {
            [counts.errored, counts.canceled, counts.expired, counts.processing].into_iter().flatten().sum::<i64>()
        });
        self.has_ended() && failed == Some(0)
    }
}
