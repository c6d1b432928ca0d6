//! Uploads and downloads.

use std::{fs, path::PathBuf, process::Command};

use anthropic_messages::{Client, ErrorKind, FileUpload, types::UploadFileRequest};
use anthropic_messages_testing::{At, Fault, Matcher, Reply, Server};

use crate::{SOON, start};

/// Returns an empty folder.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("family").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[tokio::test]
async fn a_file_is_uploaded_described_downloaded_and_deleted() {
    let (server, client) = start();
    let folder = folder("round-trip");
    let content: Vec<u8> = (0..100_000_u32).flat_map(|number| number.to_le_bytes()).collect();
    let path = folder.join("report \"1\".pdf");
    fs::write(&path, &content).unwrap();

    let upload = UploadFileRequest::new(FileUpload::from_path(&path).await.unwrap()).expires_in_seconds(3600);
    let file = client.upload_file(&upload).await.unwrap();
    assert!(file.id.starts_with("file_01"));
    assert_eq!(file.filename.as_deref(), Some("report \"1\".pdf"));
    assert_eq!(file.mime_type.as_deref(), Some("application/pdf"));
    assert_eq!(file.size_bytes, Some(content.len() as i64));
    assert!(file.expires_at.is_some() && file.created_at < file.expires_at);
    assert_eq!(client.get_file(&file.id).await.unwrap().into_inner(), *file);

    let bytes = client.download_file(&file.id).await.unwrap().into_inner().bytes().await.unwrap();
    assert_eq!(bytes, content);
    let target = folder.join("download.pdf");
    let length = client.download_file(&file.id).await.unwrap().into_inner().save_to(&target).await.unwrap();
    assert_eq!(length, content.len() as u64);
    assert_eq!(fs::read(&target).unwrap(), content);

    assert_eq!(client.delete_file(&file.id).await.unwrap().id, file.id);
    for error in [
        client.get_file(&file.id).await.unwrap_err(),
        client.download_file(&file.id).await.unwrap_err(),
        client.delete_file(&file.id).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    assert_eq!(server.requests().len(), 8);
}

#[tokio::test]
async fn a_failed_upload_is_sent_again() {
    let server = Server::start().unwrap();
    let client = server.client().unwrap();
    server.when(Matcher::operation("uploadFile")).reply(Reply::overloaded().retry_after(SOON));
    let upload = UploadFileRequest::new(FileUpload::from_bytes("a.txt", "text"));
    let file = client.upload_file(&upload).await.unwrap();
    assert_eq!(file.attempts(), 2);
    let bytes = client.download_file(&file.id).await.unwrap().into_inner().bytes().await.unwrap();
    assert_eq!(bytes, "text");
}

#[tokio::test]
async fn a_download_that_is_cut_leaves_no_file() {
    let (server, client) = start();
    let upload = UploadFileRequest::new(FileUpload::from_bytes("a.bin", vec![7; 100_000]));
    let file = client.upload_file(&upload).await.unwrap();
    let folder = folder("cut");
    for fault in [Fault::close(At::AfterByte(50_000)), Fault::reset(At::AfterByte(50_000))] {
        server.when(Matcher::operation("downloadFile")).reply(Reply::echo().fault(fault));
        let mut download = client.download_file(&file.id).await.unwrap().into_inner();
        let error = download.save_to(folder.join("a.bin")).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Closed), "{error:?}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }
}

const SIZE: u64 = 100 * 1024 * 1024;

#[test]
fn an_upload_of_100_mb_needs_less_than_8_mib() {
    let server = Server::start().unwrap();
    let path = folder("large").join("large.bin");
    fs::File::create(&path).unwrap().set_len(SIZE).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["family::files::upload_of_a_large_file", "--exact", "--ignored", "--nocapture"])
        .env("URL", server.base_url())
        .env("FILE", &path)
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let growth = printed.lines().find_map(|line| line.split_once("growth ")).unwrap().1;
    let growth: u64 = growth.trim().parse().unwrap();
    assert!(growth < 8 * 1024, "{growth} KiB");
    assert_eq!(server.last_request().unwrap().status(), Some(200));
    fs::remove_file(&path).unwrap();
}

#[tokio::test]
#[ignore = "started by the test of large uploads, in a process of its own"]
async fn upload_of_a_large_file() {
    let builder = Client::builder().api_key("k").base_url(std::env::var("URL").unwrap()).no_proxy();
    let client = builder.build().unwrap();
    // The first call allocates what all calls share.
    client.upload_file(&UploadFileRequest::new(FileUpload::from_bytes("small", "x"))).await.unwrap();
    let before = peak();
    let upload = FileUpload::from_path(std::env::var("FILE").unwrap()).await.unwrap();
    let file = client.upload_file(&UploadFileRequest::new(upload)).await.unwrap();
    assert_eq!(file.size_bytes, Some(SIZE as i64));
    println!("growth {}", peak() - before);
}

/// Returns the peak of the process's resident memory, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
