//! Requests that the server refuses.

use std::io::{Read, Write};
use std::net::TcpStream;

use anthropic_messages_testing::{Reply, Server};
use serde_json::{Value, json};

use crate::support::{ask, http, post, post_json, with};

fn error(status: u16, answer: &(u16, Value), kind: &str) -> String {
    assert_eq!(answer.0, status, "{}", answer.1);
    assert_eq!(answer.1["type"], "error");
    assert_eq!(answer.1["error"]["type"], kind);
    assert!(answer.1["request_id"].as_str().unwrap().starts_with("req_01"));
    answer.1["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_invalid_body_is_refused_with_the_pointer_of_the_invalid_value() {
    let server = Server::start().unwrap();
    let mut missing = ask("hi");
    missing.as_object_mut().unwrap().remove("max_tokens");
    let wrong_role = json!([{"role": "robot", "content": []}]);
    let wrong_text = json!([{"role": "user", "content": [{"type": "text", "text": 5}]}]);
    let table = [
        (missing, "/max_tokens: "),
        (with(ask("hi"), "max_tokens", json!("many")), "/max_tokens: "),
        (with(ask("hi"), "messages", json!([])), "/messages: "),
        (with(ask("hi"), "messages", wrong_role), "/messages/0/role: "),
        (with(ask("hi"), "messages", wrong_text), "/messages/0/content/0/text: "),
        (json!([1, 2]), "the body: "),
    ];
    for (body, start) in table {
        let message = error(400, &post_json(&server, &body).await, "invalid_request_error");
        assert!(message.starts_with(start), "{message}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() {
    let server = Server::start().unwrap();
    let url = format!("{}/messages", server.base_url());
    let response = http().post(url).bearer_auth("key").body("{\"model\":").send().await.unwrap();
    let answer = (response.status().as_u16(), response.json().await.unwrap());
    assert!(error(400, &answer, "invalid_request_error").contains("not JSON"));
}

#[tokio::test]
async fn checking_can_be_disabled() {
    let server = Server::builder().api_key("right").check_requests(false).start().unwrap();
    assert_eq!(post(&server, &json!({"model": 5})).await.status(), 200);
    let without_key = http().post(format!("{}/messages", server.base_url())).json(&ask("hi")).send().await.unwrap();
    assert_eq!(without_key.status(), 200);
    let elsewhere = format!("http://{}/elsewhere", server.address());
    let unknown = http().get(&elsewhere).send().await.unwrap();
    error(404, &(unknown.status().as_u16(), unknown.json().await.unwrap()), "not_found_error");
    server.reply("scripted");
    let scripted = http().get(&elsewhere).send().await.unwrap();
    assert!(scripted.text().await.unwrap().contains("scripted"));
    let statuses: Vec<_> = server.requests().iter().map(|request| request.status()).collect();
    assert_eq!(statuses, [Some(200), Some(200), Some(404), Some(200)]);
}

#[test]
fn a_server_that_does_not_check_can_act_as_a_proxy() {
    let server = Server::builder().check_requests(false).start().unwrap();
    server.reply(Reply::empty(502));
    let mut socket = TcpStream::connect(server.address()).unwrap();
    socket.write_all(b"CONNECT api.example.test:443 HTTP/1.1\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{answer}");
    let asked = server.last_request().unwrap();
    assert_eq!((asked.method().as_str(), asked.uri().to_string().as_str()), ("CONNECT", "api.example.test:443"));
}

#[tokio::test]
async fn a_body_above_the_limit_of_the_api_is_refused() {
    let server = Server::start().unwrap();
    let answer = post_json(&server, &ask(&"x".repeat(33 * 1024 * 1024))).await;
    error(413, &answer, "request_too_large");
}

#[tokio::test]
async fn a_request_without_a_credential_is_refused() {
    let server = Server::start().unwrap();
    let url = format!("{}/messages", server.base_url());
    for request in [http().post(&url), http().post(&url).bearer_auth(""), http().post(&url).header("x-api-key", "")] {
        let response = request.json(&ask("hi")).send().await.unwrap();
        let answer = (response.status().as_u16(), response.json().await.unwrap());
        assert!(error(401, &answer, "authentication_error").starts_with("no credential"));
    }
    let response = http().post(&url).header("x-api-key", "any").json(&ask("hi")).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_server_with_a_key_accepts_only_that_key() {
    let server = Server::builder().api_key("right").start().unwrap();
    let url = format!("{}/messages", server.base_url());
    let wrong = http().post(&url).bearer_auth("wrong").json(&ask("hi")).send().await.unwrap();
    let answer = (wrong.status().as_u16(), wrong.json().await.unwrap());
    assert_eq!(error(401, &answer, "authentication_error"), "invalid API key");
    let right = http().post(&url).bearer_auth("right").json(&ask("hi")).send().await.unwrap();
    assert_eq!(right.status(), 200);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused() {
    let server = Server::start().unwrap();
    let unknown = http().post(format!("{}/massages", server.base_url())).send().await.unwrap();
    error(404, &(unknown.status().as_u16(), unknown.json().await.unwrap()), "not_found_error");
    let wrong = http().get(format!("{}/messages", server.base_url())).send().await.unwrap();
    assert_eq!(wrong.headers()["allow"], "POST");
    error(405, &(wrong.status().as_u16(), wrong.json().await.unwrap()), "invalid_request_error");
}

#[tokio::test]
async fn the_base_path_may_be_left_out() {
    let server = Server::start().unwrap();
    let url = format!("http://{}/messages", server.address());
    assert_eq!(http().post(url).bearer_auth("key").json(&ask("hi")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn every_reply_has_a_request_id_and_an_error_repeats_it() {
    let server = Server::start().unwrap();
    let good = post(&server, &ask("hi")).await;
    assert!(good.headers()["request-id"].to_str().unwrap().starts_with("req_01"));
    let bad = post(&server, &json!({})).await;
    let header = bad.headers()["request-id"].to_str().unwrap().to_owned();
    assert_eq!(bad.json::<Value>().await.unwrap()["request_id"], header);
}

#[tokio::test]
async fn a_refused_request_uses_up_no_reply() {
    let server = Server::start().unwrap();
    server.reply("scripted");
    assert_eq!(post(&server, &json!({})).await.status(), 400);
    assert_eq!(crate::support::answer(&server, &ask("hi")).await, "scripted");
}
