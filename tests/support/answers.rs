//! Replies of the test server whose headers and bytes are fixed.

use anthropic_messages_testing::{At, Fault, Reply, Server};

use super::bodies::{error_body, message_body};

/// A server that answers each request with the next of `replies`, and all further ones with the last.
pub fn answering(replies: impl IntoIterator<Item = Reply>) -> Server {
    scripted(Server::start().unwrap(), replies)
}

/// A server that answers as [`answering`], whatever the request: its path, its method, its credential
/// and its body.
pub fn answering_all(replies: impl IntoIterator<Item = Reply>) -> Server {
    scripted(Server::builder().check_requests(false).start().unwrap(), replies)
}

/// A server that reads requests and never answers.
pub fn silent() -> Server {
    answering([message("Hi").fault(Fault::stall(At::BeforeHeaders))])
}

fn scripted(server: Server, replies: impl IntoIterator<Item = Reply>) -> Server {
    let mut replies = replies.into_iter();
    let first = server.reply(replies.next().unwrap());
    replies.fold(first, |expectation, reply| expectation.then(reply)).any_times();
    server
}

/// An answer with these headers, and none that the server would add.
pub fn answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Reply {
    let reply =
        Reply::raw(status, "", body.as_ref().to_vec()).without_header("content-type").without_header("request-id");
    headers.iter().fold(reply, |reply, (name, value)| reply.header(name, value))
}

/// A JSON answer.
pub fn json(status: u16, body: impl AsRef<[u8]>) -> Reply {
    answer(status, &[("content-type", "application/json"), ("request-id", "req_1")], body)
}

/// Returns a message with `text`, which is inserted into the JSON unescaped.
pub fn message(text: &str) -> Reply {
    json(200, message_body(text))
}

/// An error of the API.
pub fn api_error(status: u16, error_type: &str) -> Reply {
    json(status, error_body(error_type, "Said by the test."))
}
