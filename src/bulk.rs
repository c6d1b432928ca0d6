//! Jobs of any number of requests, run by the batches of the service and resumed after a crash.
//!
//! The service has an engine for large jobs: [batches](crate::Client::create_batch), at half the price of single calls. This
//! module does what is left between a list of requests and their answers: it splits the list into batches, waits for them,
//! and records its progress in a journal, so that a program that is interrupted goes on where it was.
//!
//! ```no_run
//! use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest, bulk::Bulk, types::MessageBatchResult};
//!
//! # async fn sample(client: Client, documents: Vec<String>) -> anthropic_messages::Result<()> {
//! let requests = documents.into_iter().enumerate().map(|(n, text)| {
//!     let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user(text)], 1024);
//!     (format!("document-{n}"), request)
//! });
//! let mut job = Bulk::open("job.journal")?.start(&client, requests)?;
//! while let Some(answer) = job.next().await {
//!     let answer = answer?;
//!     if let MessageBatchResult::Succeeded(succeeded) = &answer.result {
//!         println!("{}: {}", answer.custom_id, succeeded.message.text());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Resuming
//!
//! Run the same program again. It opens the same journal and passes the same requests, and each request is known by its
//! `custom_id` and a hash of its JSON. A request that was answered is skipped, one that is in a batch is waited for, and the
//! others are sent. A request that differs from the one of its `custom_id` that was sent before is an error.
//!
//! An answer is *acknowledged* by the next call of [`next`](BulkJob::next), or by [`done`](BulkJob::done). An acknowledged
//! answer is never returned again. An answer that the program was handling when it was interrupted is returned once more,
//! from the results that the service keeps for 29 days: nothing is sent or billed for it.
//!
//! # Billing
//!
//! The API has no idempotency key: a batch that is created twice is billed twice. When the response to a batch's creation is
//! lost, the job doesn't create it again. It first looks for a newer batch with that number of requests, waits until it has
//! ended, and compares the `custom_id`s of its results. Only when there is no such batch
//! [some time](Bulk::lookup_time) after the failure, the requests are sent again.
//!
//! That leaves one case in which a batch can be taken for another: two jobs in one workspace that use the same `custom_id`s.
//! Give each job its own, for instance by a prefix.
//!
//! # Journal
//!
//! The journal is a text file to which lines are appended, each with a check sum. It contains `custom_id`s, hashes of requests
//! and ids of batches, but no prompts, completions or keys. An interrupted last line is dropped. Any other damage is an error
//! that names the line. The file is locked while it is open, so that a second process can't run the same job.

mod journal;
mod state;

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    fmt, mem,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Serialize;
use tokio::time::{Instant, sleep, sleep_until};

use self::{
    journal::{Abort, Entry, Journal, NewestBatch, RequestEntry, hash},
    state::{Place, State},
};
use crate::{
    error::{Error, ErrorKind, Result},
    generated::{
        Client,
        types::{
            AnthropicMessage, BatchRequest, CreateBatchRequest, ListBatchesParams, MessageBatch,
            MessageBatchIndividualResponse, MessageBatchRequestCounts, MessageBatchResult, MessageBatchStatus,
            MessageCreateRequest,
        },
    },
    response::{Response, to_system_time},
    transport::JsonLines,
};

/// The number of times that a response with results is requested again without a new result.
const RESULT_RETRIES: u32 = 3;

/// The number of times that a rejected batch is sent again.
const CREATION_RETRIES: u32 = 4;

/// A journal and the settings of a job.
#[derive(Debug)]
#[must_use = "does nothing until it is started"]
pub struct Bulk {
    path: PathBuf,
    journal: Journal,
    state: State,
    settings: Settings,
}

struct Settings {
    batch_size: usize,
    batch_bytes: usize,
    max_batches: usize,
    max_tries: u32,
    lookup_time: Duration,
    poll_interval: Box<dyn Fn(u32) -> Duration + Send + Sync>,
}

impl Bulk {
    /// Opens a journal, or creates it. Reads and writes the file without yielding to the runtime, as all of a job's entries.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::File`] if the file can't be opened, is in use by another process, or is damaged. The source
    /// names the line of the damage.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let mut state = State::default();
        let journal = Journal::open(&path, |entry| state.apply(&entry)).map_err(|error| file_error(&path, error))?;
        let settings = Settings {
            batch_size: 100_000,
            batch_bytes: 16 << 20,
            max_batches: 4,
            max_tries: 3,
            lookup_time: Duration::from_secs(300),
            poll_interval: Box::new(default_poll_interval),
        };
        Ok(Self { path, journal, state, settings })
    }

    /// Sets the maximum number of requests in a batch. Defaults to 100,000, which is also what the service accepts.
    pub fn batch_size(mut self, requests: usize) -> Self {
        self.settings.batch_size = requests;
        self
    }

    /// Sets the maximum size of a batch, in bytes of memory. Defaults to 16 MiB. The requests of one batch are in memory at
    /// once, and take more there than their JSON, of which the service accepts 256 MB. A single request that is larger is a
    /// batch by itself.
    pub fn batch_bytes(mut self, bytes: usize) -> Self {
        self.settings.batch_bytes = bytes;
        self
    }

    /// Sets how many batches are processed at once. Defaults to 4.
    pub fn max_batches(mut self, batches: usize) -> Self {
        self.settings.max_batches = batches;
        self
    }

    /// Sets how often a request is sent that expires in its batch or finds the service overloaded. Defaults to 3. After the
    /// last time, its answer is returned like any other.
    pub fn max_tries(mut self, tries: u32) -> Self {
        self.settings.max_tries = tries;
        self
    }

    /// Sets how long after a failed creation a batch that the service doesn't list can still appear. Defaults to 5 minutes.
    pub fn lookup_time(mut self, time: Duration) -> Self {
        self.settings.lookup_time = time;
        self
    }

    /// Sets the time between two looks at the batches. The function gets the number of looks since a batch last ended.
    /// Defaults to 5 seconds, which grow to a minute.
    pub fn poll_interval(mut self, interval: impl Fn(u32) -> Duration + Send + Sync + 'static) -> Self {
        self.settings.poll_interval = Box::new(interval);
        self
    }

    /// Starts the job, or goes on with it.
    ///
    /// `requests` yields each `custom_id` with its request. It is read as batches are filled. It is cloned to read it once
    /// more when requests have to be sent again, since what was sent is not kept.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Configuration`] if a limit is 0.
    pub fn start<I, S>(self, client: &Client, requests: I) -> Result<BulkJob>
    where
        I: IntoIterator<Item = (S, MessageCreateRequest)> + Clone + Send + 'static,
        I::IntoIter: Send,
        S: Into<String>,
    {
        let Settings { batch_size, batch_bytes, max_batches, max_tries, .. } = self.settings;
        if batch_size == 0 || batch_bytes == 0 || max_batches == 0 || max_tries == 0 {
            return Err(Error::configuration("the limits of a bulk job must be greater than 0"));
        }
        let requests = move || -> Requests {
            Box::new(requests.clone().into_iter().map(|(custom_id, request)| (custom_id.into(), request)))
        };
        Ok(BulkJob {
            bulk: self,
            // The client also retries what may have been processed. A batch that was created without a response must be found.
            creating: client.with_options(|options| options.max_retries(0)),
            client: client.clone(),
            pass: Pass::new(requests()),
            filling: Vec::new(),
            filling_bytes: 0,
            left_over: None,
            requests: Box::new(requests),
            results: None,
            ended: VecDeque::new(),
            unacknowledged: None,
            counts: BTreeMap::new(),
            creation_errors: BTreeMap::new(),
            foreign: HashSet::new(),
            polls: 0,
            next_poll: None,
            has_failed: false,
        })
    }

    /// Stops at a write to the journal, as if the process had been killed.
    pub(crate) fn abort_at(mut self, after: u64, torn: usize) -> Self {
        self.journal.abort_at(Abort { after, torn });
        self
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("batch_size", &self.batch_size)
            .field("batch_bytes", &self.batch_bytes)
            .field("max_batches", &self.max_batches)
            .field("max_tries", &self.max_tries)
            .field("lookup_time", &self.lookup_time)
            .finish_non_exhaustive()
    }
}

/// A running job.
///
/// Nothing runs in the background: batches are created, polled and read while [`next`](Self::next) is polled. Dropping the
/// job leaves its batches running. Open the journal again to go on with it.
pub struct BulkJob {
    bulk: Bulk,
    client: Client,
    creating: Client,
    requests: Box<dyn Fn() -> Requests + Send>,
    pass: Pass,
    /// The requests of the next batch.
    filling: Vec<Unsent>,
    filling_bytes: usize,
    /// A request that did not fit into the batch before.
    left_over: Option<Unsent>,
    /// The results that are being read.
    results: Option<Results>,
    /// The batches that have ended and are not being read.
    ended: VecDeque<u32>,
    /// The request whose answer the caller is handling.
    unacknowledged: Option<String>,
    /// The last counts that the service reported for the batches in progress.
    counts: BTreeMap<u32, MessageBatchRequestCounts>,
    /// The errors that left it unknown if a batch was created.
    creation_errors: BTreeMap<u32, Error>,
    /// Batches that turned out to be of another job.
    foreign: HashSet<String>,
    /// The number of looks at the batches since one last ended.
    polls: u32,
    next_poll: Option<Instant>,
    has_failed: bool,
}

type Requests = Box<dyn Iterator<Item = (String, MessageCreateRequest)> + Send>;

/// One pass over the caller's requests.
struct Pass {
    requests: Requests,
    /// Hashes of the ids so far.
    seen: HashSet<u64>,
    /// The number of requests that were to be sent again when the pass began.
    waiting: usize,
    has_sent: bool,
    is_over: bool,
}

impl Pass {
    fn new(requests: Requests) -> Self {
        Self { requests, seen: HashSet::new(), waiting: 0, has_sent: false, is_over: false }
    }
}

/// A request that is about to be sent.
struct Unsent {
    custom_id: String,
    request: MessageCreateRequest,
    /// The hash of its JSON.
    content: u64,
    /// The memory that it takes, roughly, which is more than the bytes that are sent for it.
    bytes: usize,
}

struct Results {
    batch: u32,
    id: String,
    lines: Response<JsonLines<MessageBatchIndividualResponse>>,
    /// The number of interruptions since the last result.
    interruptions: u32,
}

/// The answer to one request of a job.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BulkAnswer {
    /// The `custom_id` of the request.
    pub custom_id: String,
    /// The result: a message, an error, or why there is neither.
    pub result: MessageBatchResult,
}

/// The progress of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BulkProgress {
    /// The number of requests whose answers were acknowledged.
    pub answered: usize,
    /// The number of requests in batches, including those whose results haven't been read.
    pub in_batches: usize,
    /// The number of requests that were sent and must be sent again.
    pub waiting: usize,
    /// The number of batches that aren't done.
    pub batches: usize,
    /// The number of requests that are being processed, by what the service said last.
    pub processing: u64,
    /// The number of requests of the current batches that produced a message. The service counts them when a batch ends.
    pub succeeded: u64,
    /// The number of requests of the current batches that failed.
    pub errored: u64,
    /// The number of requests of the current batches that were canceled.
    pub canceled: u64,
    /// The number of requests of the current batches that expired.
    pub expired: u64,
    /// `true` once all requests of the caller have been read, and the counts above include all of them.
    pub has_read_all: bool,
    /// The time at which the first batch was submitted.
    pub first_submitted_at: Option<SystemTime>,
}

impl BulkJob {
    /// Returns the next answer, or `None` if all requests are answered. Acknowledges the answer before it.
    ///
    /// Answers arrive as batches end, in the order of the service's results. Can be dropped at any time without a loss.
    ///
    /// # Errors
    ///
    /// A call that failed, after the client's retries, does not end the job: call `next` again to go on. The same is true of
    /// a result that can't be decoded ([`ErrorKind::Decode`]): the other results follow, and then an error says how many are
    /// lacking, since their requests have no answer. It is also true of a request that breaks the contract or has a
    /// `custom_id` that another request has ([`ErrorKind::Contract`]), which is left out.
    ///
    /// A journal that can't be written ([`ErrorKind::File`]) ends the job, and so do a batch that the service rejects and a
    /// request that differs from the one sent before ([`ErrorKind::Contract`]): then `None` follows. Open the journal again to
    /// go on.
    pub async fn next(&mut self) -> Option<Result<BulkAnswer>> {
        if self.has_failed {
            return None;
        }
        self.advance().await.transpose()
    }

    /// Acknowledges the last answer. Call it before a program ends that doesn't call [`next`](Self::next) again.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::File`] if the journal can't be written.
    pub fn done(&mut self) -> Result<()> {
        match self.unacknowledged.take() {
            Some(custom_id) => self.record(&Entry::Answered { custom_id }),
            None => Ok(()),
        }
    }

    /// Cancels the job: its batches are canceled and no others are created, now or after a resume.
    ///
    /// [`next`](Self::next) goes on to return the answers to everything that was sent, `canceled` ones included.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::File`] if the journal can't be written, and with the error of the first call that failed. The
    /// job cancels those batches when it next looks at them.
    pub async fn cancel(&mut self) -> Result<()> {
        if !self.bulk.state.is_canceled {
            self.record(&Entry::Canceled)?;
            self.sync()?;
        }
        let ids: Vec<String> = self.bulk.state.batches().values().filter_map(|batch| batch.id.clone()).collect();
        let mut first = Ok(());
        for id in ids {
            let canceled = self.client.cancel_batch(&id).await;
            first = first.and(canceled.map(drop));
        }
        first
    }

    /// Returns the progress, for example for a progress bar.
    #[must_use]
    pub fn progress(&self) -> BulkProgress {
        let sum = |count: fn(&MessageBatchRequestCounts) -> Option<i64>| {
            self.counts.values().filter_map(count).filter_map(|count| u64::try_from(count).ok()).sum()
        };
        let state = &self.bulk.state;
        BulkProgress {
            answered: state.answered,
            in_batches: state.open(),
            waiting: state.waiting(),
            batches: state.batches().len(),
            processing: sum(|counts| counts.processing),
            succeeded: sum(|counts| counts.succeeded),
            errored: sum(|counts| counts.errored),
            canceled: sum(|counts| counts.canceled),
            expired: sum(|counts| counts.expired),
            has_read_all: self.pass.is_over,
            first_submitted_at: state.first_submitted_at.map(|at| UNIX_EPOCH + Duration::from_secs(at)),
        }
    }

    async fn advance(&mut self) -> Result<Option<BulkAnswer>> {
        self.done()?;
        loop {
            if let Some(answer) = self.read_results().await? {
                return Ok(Some(answer));
            }
            if let Some(batch) = self.ended.pop_front() {
                self.open_results(batch).await?;
            } else if self.submit().await? {
            } else if self.bulk.state.batches().is_empty() {
                return Ok(None);
            } else {
                self.wait().await;
                self.poll().await?;
            }
        }
    }

    /// Returns the next answer of the results that are being read.
    async fn read_results(&mut self) -> Result<Option<BulkAnswer>> {
        while let Some(results) = &mut self.results {
            let batch = results.batch;
            match results.lines.next().await {
                Some(Ok(line)) => {
                    results.interruptions = 0;
                    if let Some(answer) = self.take(batch, line)? {
                        return Ok(Some(answer));
                    }
                }
                Some(Err(error)) if error.kind() == ErrorKind::Decode => return Err(error),
                Some(Err(error)) => {
                    let interruptions = results.interruptions + 1;
                    self.results = None;
                    if interruptions > RESULT_RETRIES {
                        return Err(error);
                    }
                    self.open_results(batch).await?;
                    if let Some(results) = &mut self.results {
                        results.interruptions = interruptions;
                    }
                }
                None => {
                    let head = results.lines.head().clone();
                    let id = mem::take(&mut results.id);
                    self.results = None;
                    if let Some(batch) = self.bulk.state.batches().get(&batch) {
                        let sentence = format!("results of batch {id} lack {} of its requests", batch.open);
                        return Err(Error::new(ErrorKind::Protocol, sentence).with_head(head));
                    }
                    self.counts.remove(&batch);
                }
            }
        }
        Ok(None)
    }

    /// Takes a line of results. Returns nothing for a request that is answered already or is sent again.
    fn take(&mut self, batch: u32, line: MessageBatchIndividualResponse) -> Result<Option<BulkAnswer>> {
        let MessageBatchIndividualResponse { custom_id, result, .. } = line;
        if !self.bulk.state.is_open_in(&custom_id, batch) {
            if self.bulk.state.knows(&custom_id) {
                return Ok(None);
            }
            return Err(Error::new(ErrorKind::Protocol, "results contain an answer to a request that was not sent"));
        }
        let can_send = !self.bulk.state.is_canceled && self.bulk.state.tries(&custom_id) < self.bulk.settings.max_tries;
        if can_send && is_worth_another_try(&result) {
            self.record(&Entry::Again { custom_id })?;
            return Ok(None);
        }
        self.unacknowledged = Some(custom_id.clone());
        Ok(Some(BulkAnswer { custom_id, result }))
    }

    async fn open_results(&mut self, batch: u32) -> Result<()> {
        let Some(id) = self.bulk.state.batches().get(&batch).and_then(|batch| batch.id.clone()) else { return Ok(()) };
        let lines = self.client.batch_results(&id).await?;
        self.results = Some(Results { batch, id, lines, interruptions: 0 });
        Ok(())
    }

    /// Creates a batch if there is room for one. Returns `false` if there is nothing to send now.
    async fn submit(&mut self) -> Result<bool> {
        let state = &self.bulk.state;
        if state.is_canceled || state.batches().len() >= self.bulk.settings.max_batches {
            return Ok(false);
        }
        let has_pulled = !self.filling.is_empty() || self.left_over.is_some();
        if self.pass.is_over && !has_pulled && state.waiting() == 0 {
            return Ok(false);
        }
        // If the response to the creation is lost, the batch is one that is newer.
        let page = self.client.list_batches(&ListBatchesParams::default().limit(1)).await?.into_inner();
        let newest = page.data.into_iter().next();
        let newest = newest.map(|batch| NewestBatch { id: batch.id, created_at: batch.created_at });
        let unsent = self.fill_batch()?;
        if unsent.is_empty() {
            return Ok(false);
        }
        let batch = self.bulk.state.next_batch();
        let requests = unsent.iter().map(|unsent| RequestEntry(unsent.custom_id.clone(), unsent.content)).collect();
        self.record(&Entry::Creating { batch, at: seconds_of(SystemTime::now()), newest, requests })?;
        self.sync()?;
        let requests = unsent.into_iter().map(|unsent| BatchRequest::new(unsent.custom_id, unsent.request));
        let request = CreateBatchRequest::new(requests.collect::<Vec<_>>());
        for retry in 0.. {
            let error = match self.creating.create_batch(&request).await {
                Ok(created) => {
                    self.created(batch, created.into_inner().id)?;
                    break;
                }
                Err(error) => error,
            };
            if error.may_have_been_processed() {
                self.creation_errors.insert(batch, error);
                break;
            }
            if retry == CREATION_RETRIES || !error.is_transient() {
                self.record(&Entry::NotCreated { batch })?;
                // The same requests would be rejected again.
                self.has_failed = true;
                return Err(error);
            }
            let pause = (self.bulk.settings.poll_interval)(retry);
            sleep(pause.max(error.retry_after().unwrap_or_default())).await;
        }
        Ok(true)
    }

    /// Takes the requests of a batch from the caller. An error leaves those that were taken before it for the next call.
    fn fill_batch(&mut self) -> Result<Vec<Unsent>> {
        while self.filling.len() < self.bulk.settings.batch_size {
            let Some(unsent) = self.next_unsent()? else { break };
            if !self.filling.is_empty() && self.filling_bytes + unsent.bytes > self.bulk.settings.batch_bytes {
                self.left_over = Some(unsent);
                break;
            }
            self.filling_bytes += unsent.bytes;
            self.filling.push(unsent);
        }
        self.filling_bytes = 0;
        self.pass.has_sent |= !self.filling.is_empty();
        Ok(mem::take(&mut self.filling))
    }

    /// Returns the next request to send. Begins another pass only if the batch is empty.
    fn next_unsent(&mut self) -> Result<Option<Unsent>> {
        if let Some(unsent) = self.left_over.take() {
            return Ok(Some(unsent));
        }
        loop {
            while !self.pass.is_over {
                let Some((custom_id, request)) = self.pass.requests.next() else {
                    self.pass.is_over = true;
                    break;
                };
                if let Some(unsent) = self.unsent(custom_id, request)? {
                    return Ok(Some(unsent));
                }
            }
            let waiting = self.bulk.state.waiting();
            if waiting == 0 || !self.filling.is_empty() {
                return Ok(None);
            }
            if self.pass.waiting > 0 && !self.pass.has_sent {
                self.has_failed = true;
                let sentence =
                    format!("{waiting} requests that must be sent again are not among the caller's requests");
                return Err(Error::new(ErrorKind::Contract, sentence));
            }
            self.pass = Pass { waiting, ..Pass::new((self.requests)()) };
        }
    }

    /// Returns one of the caller's requests, unless it was already sent.
    fn unsent(&mut self, custom_id: String, request: MessageCreateRequest) -> Result<Option<Unsent>> {
        let contract = |sentence: String| Error::new(ErrorKind::Contract, sentence);
        let json = serde_json::to_vec(&request)
            .map_err(|error| contract(format!("request `{custom_id}` can't be encoded")).with_source(error))?;
        let content = hash(&json);
        if !self.pass.seen.insert(hash(custom_id.as_bytes())) {
            return Err(contract(format!("two requests have the custom_id `{custom_id}`")));
        }
        match self.bulk.state.place(&custom_id, content) {
            Ok(None | Some(Place::Waiting)) => {}
            Ok(Some(Place::Batch(_) | Place::Answered)) => return Ok(None),
            Err(sentence) => {
                self.has_failed = true;
                return Err(contract(sentence));
            }
        }
        let is_id_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !(1..=64).contains(&custom_id.len()) || !custom_id.bytes().all(is_id_byte) {
            return Err(contract("a custom_id must have 1 to 64 letters, digits, `_` or `-`".to_owned()));
        }
        if request.stream == Some(true) {
            return Err(contract(format!("request `{custom_id}` asks for a stream, which a batch can't return")));
        }
        let request = BatchRequest::new(custom_id, request);
        request.check()?;
        let messages = request.params.messages.len() * mem::size_of::<AnthropicMessage>();
        let bytes = mem::size_of::<BatchRequest>() + messages + json.len();
        Ok(Some(Unsent { custom_id: request.custom_id, request: request.params, content, bytes }))
    }

    async fn wait(&mut self) {
        let interval = (self.bulk.settings.poll_interval)(self.polls);
        let next = *self.next_poll.get_or_insert_with(|| Instant::now() + interval);
        sleep_until(next).await;
        self.next_poll = None;
        self.polls = self.polls.saturating_add(1);
    }

    /// Looks at all batches. An error of one doesn't keep it from the others.
    async fn poll(&mut self) -> Result<()> {
        let numbers: Vec<u32> = self.bulk.state.batches().keys().copied().collect();
        let mut first = Ok(());
        for batch in numbers {
            let id = self.bulk.state.batches().get(&batch).and_then(|batch| batch.id.clone());
            let looked = match id {
                Some(id) => self.look_at(batch, &id).await,
                None => self.look_for(batch).await,
            };
            first = first.and(looked);
        }
        first
    }

    async fn look_at(&mut self, batch: u32, id: &str) -> Result<()> {
        let mut found = self.client.get_batch(id).await?.into_inner();
        if self.bulk.state.is_canceled && found.processing_status == MessageBatchStatus::InProgress {
            found = self.client.cancel_batch(id).await?.into_inner();
        }
        if found.processing_status == MessageBatchStatus::Ended && !self.ended.contains(&batch) {
            self.ended.push_back(batch);
            self.polls = 0;
        }
        if let Some(counts) = found.request_counts {
            self.counts.insert(batch, counts);
        }
        Ok(())
    }

    /// Looks for a batch that may have been created without a response.
    async fn look_for(&mut self, number: u32) -> Result<()> {
        let Some(batch) = self.bulk.state.batches().get(&number).cloned() else { return Ok(()) };
        let newest = batch.newest.as_ref();
        let oldest = newest.and_then(|newest| to_system_time(newest.created_at.as_deref()?));
        let mut is_undecided = false;
        let mut list = self.client.list_batches_all(&ListBatchesParams::default());
        while let Some(found) = list.next().await {
            let found = found?;
            let at = found.created_at.as_deref().and_then(to_system_time);
            if newest.is_some_and(|newest| newest.id == found.id)
                || at.is_some_and(|at| oldest.is_some_and(|oldest| at < oldest))
            {
                break;
            }
            let is_known = self.bulk.state.has_created(&found.id) || self.foreign.contains(&found.id);
            if is_known || !may_contain(&found, batch.requests) {
                continue;
            }
            if !self.client.get_batch(&found.id).await?.has_ended() {
                is_undecided = true;
            } else if self.answers(&found.id, number, batch.requests).await? {
                return self.created(number, found.id);
            } else {
                self.foreign.insert(found.id);
            }
        }
        let given_up_at = UNIX_EPOCH + Duration::from_secs(batch.at) + self.bulk.settings.lookup_time;
        if !is_undecided && SystemTime::now() >= given_up_at {
            self.record(&Entry::NotCreated { batch: number })?;
            return self.creation_errors.remove(&number).map_or(Ok(()), Err);
        }
        Ok(())
    }

    /// Returns `true` if the results of a batch answer the requests of a batch of this job.
    async fn answers(&self, id: &str, number: u32, requests: usize) -> Result<bool> {
        let mut lines = self.client.batch_results(id).await?;
        let mut answers = 0;
        while let Some(line) = lines.next().await {
            if !self.bulk.state.is_open_in(&line?.custom_id, number) {
                return Ok(false);
            }
            answers += 1;
        }
        Ok(answers == requests)
    }

    fn created(&mut self, batch: u32, id: String) -> Result<()> {
        self.creation_errors.remove(&batch);
        self.record(&Entry::Created { batch, id })?;
        self.sync()
    }

    /// Records an entry and takes it.
    fn record(&mut self, entry: &Entry) -> Result<()> {
        let written = self.bulk.journal.write(entry);
        self.journaled(written)?;
        let applied = self.bulk.state.apply(entry);
        self.journaled(applied.map_err(std::io::Error::other))
    }

    fn sync(&mut self) -> Result<()> {
        let synced = self.bulk.journal.sync();
        self.journaled(synced)
    }

    fn journaled(&mut self, written: std::io::Result<()>) -> Result<()> {
        written.map_err(|error| {
            self.has_failed = true;
            file_error(&self.bulk.path, error)
        })
    }
}

impl fmt::Debug for BulkJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkJob").field("bulk", &self.bulk).field("progress", &self.progress()).finish_non_exhaustive()
    }
}

fn file_error(path: &Path, error: std::io::Error) -> Error {
    Error::file(format!("journal {} can't be used", path.display()), error)
}

fn default_poll_interval(polls: u32) -> Duration {
    Duration::from_secs(5).saturating_mul(polls.saturating_add(1)).min(Duration::from_secs(60))
}

fn seconds_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Returns `true` if a batch may have this number of requests. Only its results can tell if the service reports no counts.
fn may_contain(batch: &MessageBatch, requests: usize) -> bool {
    let Some(counts) = &batch.request_counts else { return true };
    let counts = [counts.processing, counts.succeeded, counts.errored, counts.canceled, counts.expired];
    let mut known = counts.into_iter().flatten().peekable();
    known.peek().is_none() || usize::try_from(known.sum::<i64>()) == Ok(requests)
}

/// Returns `true` if the request was not processed for a reason that passes.
fn is_worth_another_try(result: &MessageBatchResult) -> bool {
    match result {
        MessageBatchResult::Expired(_) => true,
        MessageBatchResult::Errored(errored) => {
            let kind =
                errored.error.as_ref().and_then(|error| error.error.as_ref()).and_then(|error| error.type_.as_ref());
            kind.is_some_and(|kind| kind.as_str() == "overloaded_error")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_ruled_out_by_counts_that_are_reported() {
        let rows = [
            (r#"{"id":"a","processing_status":"ended"}"#, true),
            (r#"{"id":"a","processing_status":"ended","request_counts":{}}"#, true),
            (r#"{"id":"a","processing_status":"ended","request_counts":{"succeeded":2,"errored":1}}"#, true),
            (r#"{"id":"a","processing_status":"in_progress","request_counts":{"processing":3}}"#, true),
            (r#"{"id":"a","processing_status":"in_progress","request_counts":{"processing":2}}"#, false),
            (r#"{"id":"a","processing_status":"ended","request_counts":{"succeeded":-3}}"#, false),
        ];
        for (json, expected) in rows {
            let batch: MessageBatch = serde_json::from_str(json).unwrap();
            assert_eq!(may_contain(&batch, 3), expected, "{json}");
        }
    }
}
