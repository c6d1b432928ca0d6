//! Lists of none, one, a page and more than a page, in both directions.

use anthropic_messages::{
    ErrorKind, FileUpload,
    types::{ListBatchesParams, ListFilesParams, ListModelsParams, ModelLifecycle, UploadFileRequest},
};
use anthropic_messages_testing::{Matcher, Reply, Server};
use serde_json::json;

use crate::{create_batch, start};

const LIMIT: usize = 3;
const COUNTS: [usize; 6] = [0, 1, LIMIT, LIMIT + 1, 2 * LIMIT, 2 * LIMIT + 1];

fn requests(server: &Server, operation: &str) -> usize {
    server.requests().iter().filter(|request| request.operation() == Some(operation)).count()
}

/// Returns the number of pages that a list of this many items has.
fn pages(count: usize) -> usize {
    count.div_ceil(LIMIT).max(1)
}

#[tokio::test]
async fn batches_are_listed_page_by_page_in_both_directions() {
    for count in COUNTS {
        let (server, client) = start();
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(create_batch(&client, &["a"]).await.id);
        }
        // The newest batch comes first.
        ids.reverse();
        let params = ListBatchesParams::new().limit(LIMIT as i64);
        let mut all = client.list_batches_all(&params);
        let mut found = Vec::new();
        while let Some(batch) = all.next().await {
            found.push(batch.unwrap().id);
        }
        assert_eq!(found, ids);
        assert_eq!(requests(&server, "listBatches"), pages(count), "{count}");

        let mut lengths = Vec::new();
        let mut stream = client.list_batches_pages(&params);
        while let Some(page) = stream.next().await {
            let page = page.unwrap();
            assert!(page.request_id().is_some());
            lengths.push(page.data.len());
        }
        assert_eq!((lengths.len(), lengths.iter().sum::<usize>()), (pages(count), count));

        let Some(last) = ids.pop() else { continue };
        let before = requests(&server, "listBatches");
        let mut backward = client.list_batches_pages(&params.before_id(last));
        let mut found = Vec::new();
        while let Some(page) = backward.next().await {
            let page = page.unwrap().into_inner().data.into_iter().map(|batch| batch.id).collect::<Vec<_>>();
            found.splice(0..0, page);
        }
        assert_eq!(found, ids, "backward");
        assert_eq!(requests(&server, "listBatches") - before, pages(ids.len()), "{count} backward");
    }
}

#[tokio::test]
async fn files_are_listed_page_by_page() {
    for count in COUNTS {
        let (server, client) = start();
        let mut ids = Vec::new();
        for number in 0..count {
            let upload = FileUpload::from_bytes(format!("{number}.txt"), "x");
            ids.push(client.upload_file(&UploadFileRequest::new(upload)).await.unwrap().id.clone());
        }
        ids.reverse();
        let mut all = client.list_files_all(&ListFilesParams::new().limit(LIMIT as i64));
        let mut found = Vec::new();
        while let Some(file) = all.next().await {
            found.push(file.unwrap().id);
        }
        assert_eq!(found, ids);
        assert_eq!(requests(&server, "listFiles"), pages(count), "{count}");
        if let [first, .., last] = &ids[..] {
            let params = ListFilesParams::new().ids(vec![first.clone(), last.clone()]);
            let page = client.list_files(&params).await.unwrap();
            assert_eq!(page.data.iter().map(|file| &file.id).collect::<Vec<_>>(), [first, last]);
        }
    }
}

#[tokio::test]
async fn models_are_listed_by_lifecycle_and_found_by_alias() {
    let (server, client) = start();
    let ids = |page: &anthropic_messages::types::ModelInfoPage| -> Vec<String> {
        page.data.iter().map(|model| model.id.clone()).collect()
    };
    let page = client.list_models(&ListModelsParams::new()).await.unwrap();
    assert_eq!(page.data.len(), 4);
    let retired = ListModelsParams::new().lifecycle(["retired"].map(Into::into).to_vec());
    let page = client.list_models(&retired).await.unwrap();
    assert_eq!(ids(&page), ["claude-2.1"]);
    let sent = server.last_request().unwrap();
    assert!(sent.query().unwrap().contains("lifecycle"), "{:?}", sent.query());
    let both = ListModelsParams::new().lifecycle(["retired", "deprecated"].map(Into::into).to_vec());
    assert_eq!(client.list_models(&both).await.unwrap().data.len(), 2);

    let model = client.get_model("claude-sonnet-5").await.unwrap();
    assert_eq!(model.id, "claude-sonnet-5-20260801");
    assert_eq!(model.lifecycle, Some(ModelLifecycle::Active));
    assert!(anthropic_messages::to_system_time(model.created_at.as_deref().unwrap()).is_some());
    assert_eq!(client.get_model(&model.id).await.unwrap().id, model.id);
    assert_eq!(client.get_model("gpt").await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn models_of_a_test_are_listed_page_by_page() {
    for count in 1..=2 * LIMIT {
        let models = (0..count).map(|number| json!({"id": format!("model-{number}"), "type": "model"}));
        let server = Server::builder().models(models).start().unwrap();
        let client = server.client().unwrap();
        let mut all = client.list_models_all(&ListModelsParams::new().limit(LIMIT as i64));
        let mut found = 0;
        while let Some(model) = all.next().await {
            assert_eq!(model.unwrap().id, format!("model-{found}"));
            found += 1;
        }
        assert_eq!((found, requests(&server, "listModels")), (count, pages(count)));
    }
}

#[tokio::test]
async fn a_server_that_repeats_a_cursor_is_an_error() {
    let (server, client) = start();
    let page = json!({"data": [{"id": "file_1"}], "next_page": "again"});
    server.when(Matcher::operation("listFiles")).reply(Reply::json(200, &page)).times(2);
    let mut all = client.list_files_all(&ListFilesParams::new());
    assert!(all.next().await.unwrap().is_ok());
    assert!(all.next().await.unwrap().is_ok());
    assert_eq!(all.next().await.unwrap().unwrap_err().kind(), ErrorKind::Protocol);
    assert!(all.next().await.is_none());
}
