//! The child's page: the caller's own time left, nothing else, no login.
//!
//! Its own listener, because a child must not reach the dashboard's. Who asks is told by the address the request
//! comes from, which the household knows to belong to a device; behind a proxy there is nobody to tell.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Body;
use hyper::{Method as Verb, Request, StatusCode};
use serde_json::{Value, json};

use super::answer::{Answer, refusal, value};
use super::route::no_such_page;
use super::upstream::Trouble;
use super::{Gateway, assets};

/// What a child may know of a device.
const SHOWN: [&str; 6] = ["name", "standing", "used_s", "quota_s", "left_s", "until"];

/// The files of its page, besides the translations.
const FILES: [&str; 6] = ["/child.html", "/child.js", "/i18n.js", "/language.js", "/style.css", "/icon.svg"];

/// Answers one request.
pub(super) async fn answer<B: Body>(
    gateway: &Arc<Gateway>,
    peer: SocketAddr,
    request: &Request<B>,
) -> Answer {
    if request.method() != Verb::GET {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "verb", "GET only");
    }
    let file = match request.uri().path() {
        "/" => "/child.html",
        path => path,
    };
    match file {
        "/api/v1/mine" => mine(gateway, peer).await,
        _ => match assets::find(file).filter(|_| FILES.contains(&file) || file.starts_with("/po/")) {
            Some(asset) => assets::serve(asset, request.headers()),
            None => no_such_page(),
        },
    }
}

async fn mine(gateway: &Gateway, peer: SocketAddr) -> Answer {
    let who = peer.ip().to_canonical().to_string();
    match gateway.upstream.value("client", &json!({ "who": who })).await {
        Ok(client) => {
            let shown =
                SHOWN.iter().map(|name| ((*name).to_owned(), client.get(name).cloned().unwrap_or_default()));
            value(&Value::Object(shown.collect()))
        }
        Err(Trouble::Refused { .. }) => {
            refusal(StatusCode::NOT_FOUND, "unknown_client", "this device is not known yet")
        }
        Err(trouble) => trouble.answer(),
    }
}
