//! What happens to a request between its arrival and its answer.

use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, HeaderMap};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;

use super::clock::Clock;
use super::contract::{Contract, NoRoute, Operation};
use super::counts::{Counters, InFlight};
use super::defaults;
use super::delivery::Delivery;
use super::identifiers::Identifiers;
use super::render::render;
use super::reply::{Content, Reply};
use super::request::{ReceivedRequest, redact};
use super::script::{Script, catching, lock};

/// What the connections of a server share.
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
    pub(crate) requests: Mutex<Vec<ReceivedRequest>>,
}

/// Pauses that show in the counts.
#[derive(Clone, Debug)]
pub(crate) struct Pacer {
    pub(crate) clock: Clock,
    pub(crate) counters: Counters,
}

impl Pacer {
    /// A pause that counts from this call.
    pub(crate) fn pause(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        if duration.is_zero() {
            return Box::pin(std::future::ready(()));
        }
        // The deadline must stand before the count says that someone waits for it.
        let pause = self.clock.pause(duration);
        let counted = self.counters.begin_pause();
        Box::pin(async move {
            pause.await;
            drop(counted);
        })
    }
}

/// The largest body that the API takes, 32 MB.
const LARGEST_BODY: usize = 32 * 1024 * 1024;

impl Service {
    /// Receives a request whole and returns what it is answered with.
    pub(crate) async fn answer(&self, request: Request<Incoming>, connection: usize) -> (Delivery, InFlight) {
        let in_flight = self.pacer.counters.begin_request();
        let arrived_at = self.pacer.clock.now();
        let (head, body) = request.into_parts();
        let credential = Credential::of(&head.headers, self.api_key.as_deref());
        let body = Limited::new(body, LARGEST_BODY).collect().await.map(http_body_util::Collected::to_bytes);
        let (body, unreadable) = match body {
            Ok(body) => (body, None),
            Err(error) if error.is::<LengthLimitError>() => (Bytes::new(), Some(too_large())),
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
        // Counted under the lock, so that whoever waited for the count finds the request.
        self.pacer.counters.change(|counts| counts.requests += 1);
    }

    fn record_status(&self, number: usize, status: u16) {
        let mut requests = lock(&self.requests);
        if let Some(request) = number.checked_sub(1).and_then(|index| requests.get_mut(index)) {
            request.status = Some(status);
        }
    }

    fn choose(&self, request: &ReceivedRequest, credential: Credential) -> Reply {
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

    /// The reply of the script, or the default one.
    ///
    /// # Errors
    /// A sentence about what fails the test.
    fn scripted(&self, request: &ReceivedRequest, operation: Result<&Operation, NoRoute>) -> Result<Reply, String> {
        let mut reply = match self.script.pick(request)? {
            Some(reply) => reply,
            None if self.strict => {
                let (number, name) = (request.number, operation.as_ref().map_or(request.path(), |known| &known.name));
                return Err(format!("no reply is scripted for request {number} ({name}), and the server is strict"));
            }
            None => self.default_reply.clone(),
        };
        while let Content::Made(make) = &reply.content {
            let made =
                catching(|| make(request)).map_err(|panic| format!("the closure of a reply panicked: {panic}"))?;
            reply = made.with_options_of(reply);
        }
        if matches!(reply.content, Content::Default) {
            let made = match operation {
                Ok(operation) => defaults::answer(request, operation, self.contract),
                Err(no_route) => return Ok(not_found(request, &no_route)),
            };
            reply.content = made.content;
            reply.mistake = reply.mistake.or(made.mistake);
        }
        Ok(reply)
    }

    fn render(&self, reply: &Reply, request: &ReceivedRequest) -> Delivery {
        render(reply, request, self.identifiers).unwrap_or_else(|mistake| {
            let failure = format!("the reply to request {} can't be sent: {mistake}", request.number);
            self.script.fail(failure.clone());
            let reply = Reply::error(500, "api_error", failure);
            // An API error of our own has no mistake to fail on again.
            render(&reply, request, self.identifiers).unwrap_or_else(|_| Delivery::bare_error())
        })
    }
}

/// The API's answer to a request that it does not let in.
fn refusal(
    request: &ReceivedRequest,
    operation: Result<&&Operation, &NoRoute>,
    credential: Credential,
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

fn too_large() -> Reply {
    Reply::error(413, "request_too_large", "the body is larger than 32 MB")
}

/// What a request shows to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credential {
    Missing,
    Wrong,
    Right,
}

impl Credential {
    /// Either `Authorization: Bearer` or `x-api-key`; of two, both must be right.
    fn of(headers: &HeaderMap, wanted: Option<&str>) -> Self {
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
            Credential::of(&headers, wanted)
        };
        assert_eq!(check(&[], None), Credential::Missing);
        assert_eq!(check(&[("authorization", "Bearer ")], None), Credential::Missing);
        assert_eq!(check(&[("authorization", "Basic a2V5")], None), Credential::Missing);
        assert_eq!(check(&[("x-api-key", " ")], None), Credential::Missing);
        assert_eq!(check(&[("authorization", "bearer key")], None), Credential::Right);
        assert_eq!(check(&[("x-api-key", "key")], Some("key")), Credential::Right);
        assert_eq!(check(&[("authorization", "Bearer other")], Some("key")), Credential::Wrong);
        let both = [("authorization", "Bearer key"), ("x-api-key", "other")];
        assert_eq!(check(&both, Some("key")), Credential::Wrong);
    }
}
