//! What goes back to the browser: a status, headers that keep it from doing harm, bytes at once or bit by bit.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// A response.
pub(super) type Answer = Response<Payload>;

/// The bytes of a response.
#[derive(Debug)]
pub(super) enum Payload {
    /// All there is.
    Whole(Option<Bytes>),
    /// As they come.
    Stream(mpsc::Receiver<Bytes>),
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(receiver) => {
                receiver.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// No script but ours, no style but ours, nothing from anywhere else, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

const SAFETY: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
];

/// A response with a body of a type.
pub(super) fn answer(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Payload::Whole(Some(body.into())));
    *response.status_mut() = status;
    dress(&mut response, kind);
    response
}

/// A response whose bytes are sent as they come.
pub(super) fn stream(kind: &'static str, receiver: mpsc::Receiver<Bytes>) -> Answer {
    let mut response = Response::new(Payload::Stream(receiver));
    dress(&mut response, kind);
    response
}

fn dress(response: &mut Answer, kind: &'static str) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in SAFETY {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// A JSON value.
pub(super) fn value(value: &Value) -> Answer {
    answer(StatusCode::OK, JSON, value.to_string())
}

/// The type of JSON.
pub(super) const JSON: &str = "application/json";

/// A negative answer, as JSON.
pub(super) fn refusal(status: StatusCode, code: &str, message: &str) -> Answer {
    answer(status, JSON, json!({ "error": { "code": code, "message": message } }).to_string())
}

/// Adds a header; what cannot be one is left out.
pub(super) fn with(mut response: Answer, name: HeaderName, text: &str) -> Answer {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert(name, value);
    }
    response
}
