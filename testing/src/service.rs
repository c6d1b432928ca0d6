//! Receives a request and chooses the reply.

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;

use crate::clock::Clock;
use crate::contract::{Contract, NoRoute, Operation};
use crate::counts::{Counters, InFlightGuard};
use crate::defaults;
use crate::identifiers::Identifiers;
use crate::render::render;
use crate::reply::{Reply, ReplyContent, UnansweredResult};
use crate::request::{ReceivedRequest, redact};
use crate::resources::{BatchRequest, BatchResult, Resources};
use crate::script::{Script, catch_panic, lock};
use crate::wire::WireReply;

/// The state that the connections of a server share.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) contract: &'static Contract,
    pub(crate) api_key: Option<String>,
    pub(crate) default_reply: Reply,
    pub(crate) strict: bool,
    pub(crate) checks_requests: bool,
    pub(crate) identifiers: Identifiers,
    pub(crate) pacer: Pacer,
    pub(crate) script: Script,
    pub(crate) resources: Resources,
    pub(crate) requests: Mutex<Vec<ReceivedRequest>>,
}

/// A clock whose pauses are counted.
#[derive(Clone, Debug)]
pub(crate) struct Pacer {
    pub(crate) clock: Clock,
    pub(crate) counters: Counters,
}

impl Pacer {
    /// Returns a future that completes after `duration`, counted from this call.
    pub(crate) fn pause(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        if duration.is_zero() {
            return Box::pin(std::future::ready(()));
        }
        // Set the deadline before counting the pause: a test may advance the clock as soon as it is counted.
        let pause = self.clock.pause(duration);
        let counted = self.counters.begin_pause();
        Box::pin(async move {
            pause.await;
            drop(counted);
        })
    }
}

/// Returns the maximum size of a request body, in megabytes.
fn max_body(operation: Option<&str>) -> usize {
    match operation {
        Some("createBatch") => 256,
        Some("uploadFile") => 500,
        _ => 32,
    }
}

impl Service {
    /// Receives a whole request and returns the reply.
    pub(crate) async fn answer(&self, request: Request<Incoming>, connection: usize) -> (WireReply, InFlightGuard) {
        let in_flight = self.pacer.counters.begin_request();
        let arrived_at = self.pacer.clock.now();
        let (head, body) = request.into_parts();
        let credential = CredentialCheck::new(&head.headers, self.api_key.as_deref());
        let operation = self.contract.route(&head.method, head.uri.path()).ok().map(|operation| operation.name.clone());
        let max_body = max_body(operation.as_deref());
        let body = Limited::new(body, max_body * 1024 * 1024).collect().await.map(http_body_util::Collected::to_bytes);
        let (body, unreadable) = match body {
            Ok(body) => (body, None),
            Err(error) if error.is::<LengthLimitError>() => (Bytes::new(), Some(too_large(max_body))),
            Err(_) => (Bytes::new(), Some(Reply::error(400, "invalid_request_error", "the body could not be read"))),
        };
        let (headers, credentials) = redact(&head.headers);
        let mut received = ReceivedRequest {
            number: 0,
            connection,
            method: head.method,
            uri: head.uri,
            version: head.version,
            headers,
            credentials,
            operation,
            custom_id: None,
            json: serde_json::from_slice(&body).ok(),
            body,
            arrived_at,
            status: None,
        };
        self.record(&mut received);
        let reply = match unreadable {
            Some(reply) => reply,
            None => self.choose(&received, credential),
        };
        let delivery = self.render(&reply, &received);
        if !delivery.headless {
            self.record_status(received.number, delivery.status.as_u16());
        }
        (delivery, in_flight)
    }

    fn record(&self, received: &mut ReceivedRequest) {
        let mut requests = lock(&self.requests);
        received.number = requests.len() + 1;
        requests.push(received.clone());
        // Count under the lock, so that a test that waited for the count finds the request.
        self.pacer.counters.change(|counts| counts.requests += 1);
    }

    fn record_status(&self, number: usize, status: u16) {
        let mut requests = lock(&self.requests);
        if let Some(request) = number.checked_sub(1).and_then(|index| requests.get_mut(index)) {
            request.status = Some(status);
        }
    }

    fn choose(&self, request: &ReceivedRequest, credential: CredentialCheck) -> Reply {
        let operation = self.contract.route(&request.method, request.path());
        if self.checks_requests
            && let Some(refusal) = refusal(request, operation.as_ref(), credential)
        {
            return refusal;
        }
        self.scripted(request, operation).unwrap_or_else(|failure| {
            self.script.fail(failure.clone());
            Reply::error(500, "api_error", failure)
        })
    }

    /// Returns the scripted reply, or the default one.
    ///
    /// # Errors
    ///
    /// Fails with the message of a failure that fails the test.
    fn scripted(&self, request: &ReceivedRequest, operation: Result<&Operation, NoRoute>) -> Result<Reply, String> {
        let mut reply = match self.script.pick(request)? {
            Some(reply) => reply,
            None if self.strict => {
                let (number, name) = (request.number, operation.as_ref().map_or(request.path(), |known| &known.name));
                return Err(format!("no reply is scripted for request {number} ({name}), and the server is strict"));
            }
            None => self.default_reply.clone(),
        };
        while let ReplyContent::Dynamic(make) = &reply.content {
            let made =
                catch_panic(|| make(request)).map_err(|panic| format!("the closure of a reply panicked: {panic}"))?;
            reply = made.with_settings_of(reply);
        }
        if matches!(reply.content, ReplyContent::Default) {
            let made = match operation {
                Ok(operation) => self
                    .resource_reply(request, operation)
                    .unwrap_or_else(|| defaults::default_reply(request, operation, self.contract)),
                Err(no_route) => return Ok(not_found(request, &no_route)),
            };
            reply = made.with_settings_of(reply);
        }
        Ok(reply)
    }

    /// Returns the reply to a request about batches, files or models.
    fn resource_reply(&self, request: &ReceivedRequest, operation: &Operation) -> Option<Reply> {
        let process = |index: usize, batch_request: &BatchRequest| self.process(request, index, batch_request);
        self.resources.reply(&operation.name, request, &self.pacer.clock, self.identifiers, &process)
    }

    /// Returns the result of a batch's request, which the script replies to as if it had been received by itself.
    fn process(&self, request: &ReceivedRequest, index: usize, batch_request: &BatchRequest) -> BatchResult {
        let body = Bytes::from(batch_request.params.to_string());
        let (method, path) = (Method::POST, "/v1/messages");
        let operation = self.contract.route(&method, path);
        let request = ReceivedRequest {
            // Identifiers depend on the number.
            number: request.number.saturating_mul(1_000_000).saturating_add(index + 1),
            method,
            uri: Uri::from_static(path),
            operation: operation.as_ref().ok().map(|operation| operation.name.clone()),
            custom_id: Some(batch_request.custom_id.clone()),
            json: Some(batch_request.params.clone()),
            body,
            ..request.clone()
        };
        let reply = self.scripted(&request, operation).unwrap_or_else(|failure| {
            self.script.fail(failure.clone());
            Reply::error(500, "api_error", failure)
        });
        match reply.content {
            ReplyContent::BatchResult(UnansweredResult::Canceled) => return BatchResult::Canceled,
            ReplyContent::BatchResult(UnansweredResult::Expired) => return BatchResult::Expired,
            _ => {}
        }
        let wire_reply = self.render(&reply.as_json(), &request);
        let text = String::from_utf8_lossy(&wire_reply.chunks.concat()).into_owned();
        if wire_reply.status.is_success() { BatchResult::Succeeded(text) } else { BatchResult::Errored(text) }
    }

    fn render(&self, reply: &Reply, request: &ReceivedRequest) -> WireReply {
        render(reply, request, self.identifiers).unwrap_or_else(|mistake| {
            let failure = format!("the reply to request {} can't be sent: {mistake}", request.number);
            self.script.fail(failure.clone());
            let reply = Reply::error(500, "api_error", failure);
            // This error has no mistake, so it renders.
            render(&reply, request, self.identifiers).unwrap_or_else(|_| WireReply::bare_error())
        })
    }
}

/// Returns the API's error for a request that it refuses.
fn refusal(
    request: &ReceivedRequest,
    operation: Result<&&Operation, &NoRoute>,
    credential: CredentialCheck,
) -> Option<Reply> {
    match operation {
        Err(no_route) => Some(not_found(request, no_route)),
        Ok(operation) => credential.refusal().or_else(|| {
            let message = operation.check(&request.body).err()?;
            Some(Reply::error(400, "invalid_request_error", message))
        }),
    }
}

fn not_found(request: &ReceivedRequest, no_route: &NoRoute) -> Reply {
    let path = request.path();
    match no_route {
        NoRoute::UnknownPath => Reply::error(404, "not_found_error", format!("there is no {path}")),
        NoRoute::WrongMethod { allowed } => {
            let message = format!("{path} takes {allowed}, not {}", request.method);
            Reply::error(405, "invalid_request_error", message).header("allow", allowed)
        }
    }
}

fn too_large(max_body: usize) -> Reply {
    Reply::error(413, "request_too_large", format!("the body is larger than {max_body} MB"))
}

/// The result of checking the credentials of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CredentialCheck {
    Missing,
    Wrong,
    Right,
}

impl CredentialCheck {
    /// Checks `authorization: Bearer` and `x-api-key`. A request with both needs both to be right.
    fn new(headers: &HeaderMap, wanted: Option<&str>) -> Self {
        let bearer = headers.get_all(AUTHORIZATION).iter().filter_map(|value| bearer_token(value.as_bytes()));
        let keys = headers.get_all("x-api-key").iter().map(http::HeaderValue::as_bytes);
        let mut given = bearer.chain(keys).map(<[u8]>::trim_ascii).filter(|key| !key.is_empty()).peekable();
        if given.peek().is_none() {
            return Self::Missing;
        }
        match wanted {
            Some(wanted) if !given.all(|key| key == wanted.as_bytes()) => Self::Wrong,
            _ => Self::Right,
        }
    }

    fn refusal(self) -> Option<Reply> {
        let message = match self {
            Self::Missing => "no credential: send `authorization: Bearer KEY` or `x-api-key: KEY`",
            Self::Wrong => "invalid API key",
            Self::Right => return None,
        };
        Some(Reply::error(401, "authentication_error", message))
    }
}

fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_credential_is_a_bearer_token_or_a_key_and_never_empty() {
        let check = |headers: &[(&'static str, &'static str)], wanted| {
            let headers =
                headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect();
            CredentialCheck::new(&headers, wanted)
        };
        assert_eq!(check(&[], None), CredentialCheck::Missing);
        assert_eq!(check(&[("authorization", "Bearer ")], None), CredentialCheck::Missing);
        assert_eq!(check(&[("authorization", "Basic a2V5")], None), CredentialCheck::Missing);
        assert_eq!(check(&[("x-api-key", " ")], None), CredentialCheck::Missing);
        assert_eq!(check(&[("authorization", "bearer key")], None), CredentialCheck::Right);
        assert_eq!(check(&[("x-api-key", "key")], Some("key")), CredentialCheck::Right);
        assert_eq!(check(&[("authorization", "Bearer other")], Some("key")), CredentialCheck::Wrong);
        let both = [("authorization", "Bearer key"), ("x-api-key", "other")];
        assert_eq!(check(&both, Some("key")), CredentialCheck::Wrong);
    }
}
