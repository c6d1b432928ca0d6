//! The life of a batch, and its results.

use std::time::{Duration, SystemTime};

use anthropic_messages::{
    ErrorKind,
    types::{BatchRequest, CreateBatchRequest, ListBatchesParams, MessageBatchResult, MessageBatchStatus},
};
use anthropic_messages_testing::{At, Clock, Fault, Matcher, Reply, Server};

use crate::{SOON, create_batch, request, results, start};

#[tokio::test]
async fn a_batch_is_created_waited_for_read_and_deleted() {
    let (server, client) = start();
    let batch = create_batch(&client, &["a", "b"]).await;
    assert_eq!(batch.processing_status, MessageBatchStatus::InProgress);
    assert!(batch.id.starts_with("msgbatch_01"));
    assert_eq!(batch.request_counts.as_ref().unwrap().processing, Some(2));
    assert!(!batch.has_ended() && !batch.has_succeeded() && !batch.is_canceling());

    let ended = client.wait_for_batch(&batch.id, SOON).await.unwrap();
    assert!(ended.has_ended() && ended.has_succeeded());
    assert_eq!(ended.id, batch.id);
    assert!(ended.results_url.as_ref().unwrap().ends_with(&format!("/v1/messages/batches/{}/results", batch.id)));
    let texts: Vec<_> = results(&client, &batch.id)
        .await
        .into_iter()
        .map(|line| match line.result {
            MessageBatchResult::Succeeded(result) => (line.custom_id, result.message.text()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(texts, [("a".to_owned(), "a".to_owned()), ("b".to_owned(), "b".to_owned())]);

    let deleted = client.delete_batch(&batch.id).await.unwrap();
    assert_eq!(deleted.id, batch.id);
    assert_eq!(client.get_batch(&batch.id).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(client.list_batches(&ListBatchesParams::new()).await.unwrap().data, []);
    assert_eq!(server.requests().iter().filter(|request| request.operation() == Some("createMessage")).count(), 0);
}

#[tokio::test]
async fn results_have_all_four_kinds_in_any_order() {
    let (server, client) = start();
    server.when(Matcher::custom_id("refused")).reply(Reply::overloaded());
    server.when(Matcher::custom_id("late")).reply(Reply::expired());
    server.when(Matcher::custom_id("stopped")).reply(Reply::canceled());
    let batch = create_batch(&client, &["done", "refused", "late", "stopped"]).await;
    let ended = client.wait_for_batch(&batch.id, SOON).await.unwrap();
    assert!(ended.has_ended() && !ended.has_succeeded());
    let counts = ended.request_counts.as_ref().unwrap();
    assert_eq!(
        (counts.succeeded, counts.errored, counts.expired, counts.canceled, counts.processing),
        (Some(1), Some(1), Some(1), Some(1), Some(0))
    );
    let results = results(&client, &batch.id).await;
    let [done, late, refused, stopped] = &results[..] else { panic!("{results:?}") };
    assert!(matches!(&done.result, MessageBatchResult::Succeeded(result) if result.message.text() == "done"));
    assert!(matches!(late.result, MessageBatchResult::Expired(_)));
    assert!(matches!(stopped.result, MessageBatchResult::Canceled(_)));
    let MessageBatchResult::Errored(errored) = &refused.result else { panic!("{refused:?}") };
    let error = errored.error.as_ref().unwrap().error.as_ref().unwrap();
    assert_eq!(error.type_.as_ref().unwrap().as_str(), "overloaded_error");
}

#[tokio::test]
async fn results_of_a_batch_that_has_not_ended_are_a_clear_error() {
    let (server, client) = start();
    let batch = create_batch(&client, &["a"]).await;
    let error = client.batch_results(&batch.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let sentence = format!("batch `{}` has no results yet: its status is `in_progress`", batch.id);
    assert!(error.to_string().starts_with(&sentence), "{error}");
    assert!(error.request_id().is_some());
    assert_eq!(server.last_request().unwrap().operation(), Some("getBatch"));
}

#[tokio::test]
async fn a_canceled_batch_ends() {
    let (_server, client) = start();
    let batch = create_batch(&client, &["a", "b"]).await;
    assert!(client.delete_batch(&batch.id).await.is_err(), "it has not ended");
    let canceling = client.cancel_batch(&batch.id).await.unwrap();
    assert!(canceling.is_canceling() && canceling.cancel_initiated_at.is_some());
    let ended = client.wait_for_batch(&batch.id, SOON).await.unwrap();
    assert_eq!(ended.request_counts.as_ref().unwrap().canceled, Some(2));
    assert!(
        results(&client, &batch.id).await.iter().all(|line| matches!(line.result, MessageBatchResult::Canceled(_)))
    );
}

#[tokio::test]
async fn a_batch_can_end_by_the_clock() {
    let clock = Clock::manual();
    let builder = Server::builder().clock(clock.clone()).batches_end_after(Duration::from_secs(3600));
    let server = builder.start().unwrap();
    let client = server.client().unwrap();
    let batch = create_batch(&client, &["a"]).await;
    for _ in 0..5 {
        assert!(!client.get_batch(&batch.id).await.unwrap().has_ended());
    }
    clock.advance(Duration::from_secs(3600));
    let ended = client.get_batch(&batch.id).await.unwrap();
    assert!(ended.has_ended());
    let time =
        |text: &Option<String>| -> SystemTime { anthropic_messages::to_system_time(text.as_deref().unwrap()).unwrap() };
    assert_eq!(time(&ended.ended_at).duration_since(time(&ended.created_at)).unwrap(), Duration::from_secs(3600));
}

#[tokio::test]
async fn a_waiting_call_survives_failures_of_single_requests() {
    let server = Server::builder().batches_end_after_polls(2).start().unwrap();
    let client = server.client().unwrap();
    let batch = create_batch(&client, &["a"]).await;
    server
        .when(Matcher::operation("getBatch"))
        .reply(Reply::overloaded().retry_after(SOON))
        .then(Reply::status(500).retry_after(SOON));
    assert!(client.wait_for_batch(&batch.id, SOON).await.unwrap().has_ended());
    assert_eq!(server.requests().iter().filter(|request| request.operation() == Some("getBatch")).count(), 5);
}

#[tokio::test]
async fn requests_of_a_batch_are_checked() {
    let (server, client) = start();
    let twice = CreateBatchRequest::new([BatchRequest::new("a", request("1")), BatchRequest::new("a", request("2"))]);
    let error = client.create_batch(&twice).await.unwrap_err();
    assert_eq!((error.kind(), error.status().map(|status| status.as_u16())), (ErrorKind::BadRequest, Some(400)));
    // The contract is checked before anything is sent.
    let long = "x".repeat(65);
    let error =
        client.create_batch(&CreateBatchRequest::new([BatchRequest::new(long, request("1"))])).await.unwrap_err();
    assert_eq!((error.kind(), error.pointer()), (ErrorKind::Contract, Some("/requests/0/custom_id")));
    assert_eq!(server.requests().len(), 1);
}

/// Returns the result lines of a batch, and the errors, under a fault.
async fn faulty(fault: Fault) -> (usize, Vec<anthropic_messages::Error>) {
    let (server, client) = start();
    let batch = create_batch(&client, &["a", "b", "c"]).await;
    client.wait_for_batch(&batch.id, SOON).await.unwrap();
    server.when(Matcher::operation("batchResults")).reply(Reply::echo().fault(fault));
    let mut lines = client.batch_results(&batch.id).await.unwrap().into_inner();
    let (mut count, mut errors) = (0, Vec::new());
    while let Some(line) = lines.next().await {
        match line {
            Ok(_) => count += 1,
            Err(error) => errors.push(error),
        }
    }
    (count, errors)
}

#[tokio::test]
async fn a_cut_line_is_an_error_that_keeps_the_line() {
    let (count, errors) = faulty(Fault::end(At::AfterByte(20))).await;
    let [error] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!((count, error.kind()), (0, ErrorKind::Incomplete));
    assert_eq!(error.body().len(), 20);
    assert!(error.body().starts_with(b"{\"custom_id\":"));
    let (count, errors) = faulty(Fault::end(At::AfterEvent(2))).await;
    assert_eq!((count, errors.len()), (2, 0), "a cut between two lines can't be noticed");
    let (count, errors) = faulty(Fault::close(At::AfterEvent(2))).await;
    let [error] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!((count, error.kind()), (2, ErrorKind::Truncated));
}

#[tokio::test]
async fn a_line_that_can_not_be_decoded_loses_no_other() {
    let (server, client) = start();
    let batch = create_batch(&client, &["a"]).await;
    client.wait_for_batch(&batch.id, SOON).await.unwrap();
    let line = |id: &str| format!("{{\"custom_id\":\"{id}\",\"result\":{{\"type\":\"expired\"}}}}\n");
    let body = format!("{}{{\"custom_id\":5}}\n{}", line("a"), line("c"));
    server.when(Matcher::operation("batchResults")).reply(Reply::raw(200, "application/x-jsonl", body));
    let mut lines = client.batch_results(&batch.id).await.unwrap().into_inner();
    assert_eq!(lines.next().await.unwrap().unwrap().custom_id, "a");
    let error = lines.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.pointer()), (ErrorKind::Decode, Some("/custom_id")));
    assert!(error.to_string().contains("line 2"), "{error}");
    assert_eq!(lines.next().await.unwrap().unwrap().custom_id, "c");
    assert!(lines.next().await.is_none());
}
