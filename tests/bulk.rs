//! A bulk job answers each request once, wherever it is interrupted.

#![cfg(test)]

mod bulk {
    mod crash;
    mod scale;
}

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
    time::Duration,
};

use anthropic_messages::{
    AnthropicMessage, Client, ErrorKind, MessageCreateRequest, Result,
    bulk::{Bulk, BulkJob},
    types::MessageBatchResult,
};
use anthropic_messages_testing::{Matcher, Reply, Server};

/// `custom_id`s with requests.
fn requests(count: usize) -> impl Iterator<Item = (String, MessageCreateRequest)> + Clone + Send + 'static {
    (0..count).map(|n| (format!("request-{n}"), request(&n.to_string())))
}

fn request(text: &str) -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user(text)], 100)
}

/// Opens a journal with settings that don't wait.
fn open(journal: &Path) -> Result<Bulk> {
    Ok(Bulk::open(journal)?.lookup_time(Duration::ZERO).poll_interval(|_| Duration::ZERO))
}

/// The number of batches that each request was sent in, by the server's count.
fn times_sent(server: &Server) -> BTreeMap<String, usize> {
    let mut sent = BTreeMap::new();
    for received in server.requests().iter().filter(|received| received.operation() == Some("createBatch")) {
        for request in received.pointer("/requests").unwrap().as_array().unwrap() {
            *sent.entry(request["custom_id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    sent
}

fn text_of(result: &MessageBatchResult) -> String {
    match result {
        MessageBatchResult::Succeeded(succeeded) => succeeded.message.text(),
        other => format!("{other:?}"),
    }
}

/// Reads a job to its end.
async fn answers(job: &mut BulkJob) -> Vec<(String, MessageBatchResult)> {
    let mut answers = Vec::new();
    while let Some(answer) = job.next().await {
        let answer = answer.unwrap();
        answers.push((answer.custom_id, answer.result));
    }
    answers
}

fn journal() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job.journal");
    (folder, path)
}

fn server() -> (Server, Client) {
    let server = Server::builder().batches_end_after_polls(1).start().unwrap();
    let client = server.client().unwrap();
    (server, client)
}

#[tokio::test]
async fn each_request_is_answered_once() {
    let (server, client) = server();
    let (_folder, path) = journal();
    let mut job = open(&path).unwrap().batch_size(4).max_batches(2).start(&client, requests(10)).unwrap();
    let answers = answers(&mut job).await;
    let ids: HashSet<&str> = answers.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!((answers.len(), ids.len()), (10, 10));
    assert!(answers.iter().all(|(_, result)| matches!(result, MessageBatchResult::Succeeded(_))));
    let sizes: Vec<usize> = server
        .requests()
        .iter()
        .filter(|received| received.operation() == Some("createBatch"))
        .map(|received| received.pointer("/requests").unwrap().as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [4, 4, 2]);
    let progress = job.progress();
    assert_eq!((progress.answered, progress.in_batches, progress.waiting, progress.batches), (10, 0, 0, 0));
    assert!(progress.has_read_all && progress.first_submitted_at.is_some());
}

#[tokio::test]
async fn a_batch_is_limited_by_bytes_as_well() {
    let (server, client) = server();
    let (_folder, path) = journal();
    let large = "x".repeat(40_000);
    let requests = (0..5).map(move |n| (n.to_string(), request(&large)));
    let mut job = open(&path).unwrap().batch_bytes(100_000).start(&client, requests).unwrap();
    assert_eq!(answers(&mut job).await.len(), 5);
    assert_eq!(times_sent(&server).len(), 5);
    let batches = server.requests().iter().filter(|received| received.operation() == Some("createBatch")).count();
    assert_eq!(batches, 3);
}

#[tokio::test]
async fn a_finished_job_asks_for_nothing() {
    let (server, client) = server();
    let (_folder, path) = journal();
    let mut job = open(&path).unwrap().start(&client, requests(3)).unwrap();
    assert_eq!(answers(&mut job).await.len(), 3);
    drop(job);
    let before = server.requests().len();
    let mut job = open(&path).unwrap().start(&client, requests(3)).unwrap();
    assert!(job.next().await.is_none());
    let creations = server.requests()[before..].iter().filter(|r| r.operation() == Some("createBatch")).count();
    assert_eq!(creations, 0);
}

#[tokio::test]
async fn an_answer_is_acknowledged_by_done() {
    let (server, client) = server();
    let (_folder, path) = journal();
    let mut job = open(&path).unwrap().start(&client, requests(2)).unwrap();
    let first = job.next().await.unwrap().unwrap().custom_id;
    drop(job);
    let mut job = open(&path).unwrap().start(&client, requests(2)).unwrap();
    assert_eq!(job.next().await.unwrap().unwrap().custom_id, first, "not acknowledged, so returned once more");
    job.done().unwrap();
    drop(job);
    let mut job = open(&path).unwrap().start(&client, requests(2)).unwrap();
    let rest = answers(&mut job).await;
    assert_eq!(rest.len(), 1);
    assert_ne!(rest[0].0, first);
    assert!(times_sent(&server).values().all(|times| *times == 1));
}

#[tokio::test]
async fn expired_and_overloaded_requests_are_sent_again() {
    let (server, client) = server();
    server.when(Matcher::custom_id("request-1")).reply(Reply::expired()).then(Reply::text("one"));
    server.when(Matcher::custom_id("request-2")).reply(Reply::overloaded()).then(Reply::text("two"));
    let invalid = Reply::error(400, "invalid_request_error", "no");
    server.when(Matcher::custom_id("request-3")).reply(invalid);
    let (_folder, path) = journal();
    let mut job = open(&path).unwrap().start(&client, requests(5)).unwrap();
    let answers: BTreeMap<String, MessageBatchResult> = answers(&mut job).await.into_iter().collect();
    assert_eq!(answers.len(), 5);
    assert_eq!(text_of(&answers["request-1"]), "one");
    assert_eq!(text_of(&answers["request-2"]), "two");
    assert!(matches!(answers["request-3"], MessageBatchResult::Errored(_)));
    let sent = times_sent(&server);
    let times = |id: &str| sent[id];
    assert_eq!(["0", "1", "2", "3", "4"].map(|n| times(&format!("request-{n}"))), [1, 2, 2, 1, 1]);
}

#[tokio::test]
async fn a_request_that_always_expires_is_returned_after_the_last_try() {
    let (server, client) = server();
    server.when(Matcher::custom_id("request-0")).reply(Reply::expired()).times(2);
    let (_folder, path) = journal();
    let mut job = open(&path).unwrap().max_tries(2).start(&client, requests(1)).unwrap();
    let answers = answers(&mut job).await;
    assert!(matches!(answers[..], [(_, MessageBatchResult::Expired(_))]), "{answers:?}");
    assert_eq!(times_sent(&server)["request-0"], 2);
}

#[tokio::test]
async fn a_changed_request_is_refused() {
    let (_server, client) = server();
    let (_folder, path) = journal();
    let mut job = open(&path).unwrap().start(&client, requests(2)).unwrap();
    assert_eq!(answers(&mut job).await.len(), 2);
    drop(job);
    let changed = [("request-0".to_owned(), request("another"))];
    let mut job = open(&path).unwrap().start(&client, changed).unwrap();
    let error = job.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Contract);
    assert!(error.to_string().contains("`request-0` differs"), "{error}");
    assert!(!error.to_string().contains("another"));
    assert!(job.next().await.is_none());
}

#[tokio::test]
async fn bad_requests_are_left_out_and_the_others_are_sent() {
    let (server, client) = server();
    let (_folder, path) = journal();
    let mut streaming = request("a");
    streaming.stream = Some(true);
    let requests = [
        ("good".to_owned(), request("a")),
        ("good".to_owned(), request("a")),
        ("not an id".to_owned(), request("a")),
        ("stream".to_owned(), streaming),
        ("other".to_owned(), request("b")),
    ];
    let mut job = open(&path).unwrap().start(&client, requests).unwrap();
    let (mut ids, mut errors) = (Vec::new(), Vec::new());
    while let Some(answer) = job.next().await {
        match answer {
            Ok(answer) => ids.push(answer.custom_id),
            Err(error) => errors.push(error.kind()),
        }
    }
    ids.sort();
    assert_eq!(ids, ["good", "other"]);
    assert_eq!(errors, [ErrorKind::Contract; 3]);
    assert!(times_sent(&server).values().all(|times| *times == 1));
}

#[tokio::test]
async fn a_rejected_batch_ends_the_job_until_it_is_resumed() {
    let (server, client) = server();
    let invalid = Reply::error(400, "invalid_request_error", "no");
    server.when(Matcher::operation("createBatch")).reply(invalid);
    let (_folder, path) = journal();
    let mut job = open(&path).unwrap().start(&client, requests(2)).unwrap();
    assert_eq!(job.next().await.unwrap().unwrap_err().kind(), ErrorKind::BadRequest);
    assert!(job.next().await.is_none());
    drop(job);
    let mut job = open(&path).unwrap().start(&client, requests(2)).unwrap();
    assert_eq!(answers(&mut job).await.len(), 2);
}

#[tokio::test]
async fn a_batch_is_sent_again_after_a_rate_limit() {
    let (server, client) = server();
    server
        .when(Matcher::operation("createBatch"))
        .reply(Reply::rate_limited())
        .then(Reply::overloaded())
        .then(Reply::echo());
    let (_folder, path) = journal();
    let mut job = open(&path).unwrap().start(&client, requests(2)).unwrap();
    assert_eq!(answers(&mut job).await.len(), 2);
}

#[tokio::test]
async fn a_canceled_job_returns_what_was_sent_and_sends_no_more() {
    let (server, client) = server();
    let (_folder, path) = journal();
    let mut job = open(&path).unwrap().batch_size(2).max_batches(1).start(&client, requests(6)).unwrap();
    let first = job.next().await.unwrap().unwrap();
    assert!(matches!(first.result, MessageBatchResult::Succeeded(_)));
    job.cancel().await.unwrap();
    let rest = answers(&mut job).await;
    assert_eq!(rest.len(), 1);
    drop(job);
    let mut job = open(&path).unwrap().start(&client, requests(6)).unwrap();
    assert!(job.next().await.is_none());
    assert_eq!(times_sent(&server).len(), 2);
}

#[tokio::test]
async fn a_journal_holds_no_prompt_completion_or_key() {
    let server = Server::builder().batches_end_after_polls(0).start().unwrap();
    server.when(Matcher::custom_id("request-1")).reply(Reply::error(400, "invalid_request_error", "canary-error"));
    server.when(Matcher::custom_id("request-0")).reply(Reply::text("canary-completion"));
    let client = server.client_builder().api_key("sk-ant-canary-key").build().unwrap();
    let (_folder, path) = journal();
    let requests = (0..2).map(|n| (format!("request-{n}"), request("canary-prompt")));
    let mut job = open(&path).unwrap().start(&client, requests).unwrap();
    let answers = answers(&mut job).await;
    assert!(answers.iter().any(|(_, result)| text_of(result) == "canary-completion"));
    for shown in [std::fs::read_to_string(&path).unwrap(), format!("{job:?}")] {
        assert!(shown.contains("bulk") || shown.contains("Bulk"));
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[tokio::test]
async fn a_second_job_on_a_journal_is_refused() {
    let (_folder, path) = journal();
    let _first = open(&path).unwrap();
    let error = Bulk::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::File);
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("another job"), "{source}");
}

#[tokio::test]
async fn a_batch_of_another_job_is_not_taken() {
    let (server, client) = server();
    // The response of the first creation is lost, before the service has the batch; another job has one of that size.
    server.when(Matcher::operation("createBatch")).reply(Reply::status(500));
    let (_folder, path) = journal();
    let mut job = open(&path).unwrap().start(&client, requests(2)).unwrap();
    let (_others, other_path) = journal();
    let others = (0..2).map(|n| (format!("other-{n}"), request("x")));
    let error = job.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    let mut other = open(&other_path).unwrap().start(&client, others).unwrap();
    assert_eq!(answers(&mut other).await.len(), 2);
    let ids: HashSet<String> = answers(&mut job).await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, HashSet::from(["request-0".to_owned(), "request-1".to_owned()]));
}

#[test]
fn limits_of_zero_are_refused() {
    let (_server, client) = server();
    for set in [
        (|bulk: Bulk| bulk.batch_size(0)) as fn(Bulk) -> Bulk,
        |bulk| bulk.batch_bytes(0),
        |bulk| bulk.max_batches(0),
        |bulk| bulk.max_tries(0),
    ] {
        let (_folder, path) = journal();
        let error = set(open(&path).unwrap()).start(&client, requests(1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
}
