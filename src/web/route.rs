//! Paths: the dashboard's files, the table of methods, and what is not a method.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap};
use hyper::{Method as Verb, Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::answer::{Answer, Payload, refusal, stream, value, with};
use super::guard::Login;
use super::settings::Purpose;
use super::{Gateway, assets, events, export, legacy, query};
use crate::methods::{self, Effect, Method, TABLE, openapi};

/// Longest body of a request.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// A body must be there by then.
const BODY_LIMIT: Duration = Duration::from_secs(10);

/// A request without its body.
pub(super) struct Asked {
    pub(super) verb: Verb,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) from: IpAddr,
}

/// Answers one request.
pub(super) async fn answer(gateway: &Arc<Gateway>, peer: SocketAddr, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let is_head = parts.method == Verb::HEAD;
    let asked = Asked {
        verb: if is_head { Verb::GET } else { parts.method },
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        from: peer.ip().to_canonical(),
    };
    let mut response = route(gateway, &asked, body).await.unwrap_or_else(|refused| refused);
    if is_head {
        *response.body_mut() = Payload::Whole(None);
    }
    response
}

async fn route(gateway: &Arc<Gateway>, asked: &Asked, body: Incoming) -> Result<Answer, Answer> {
    match asked.path.strip_prefix(openapi::ROOT) {
        Some(name) => api(gateway, asked, name, body).await,
        None if asked.path == "/metrics" => {
            only(asked, &[Verb::GET])?;
            gateway.guard.may_look(&asked.headers, asked.from).await?;
            Ok(metrics(gateway).await)
        }
        None => {
            let Some(asset) = assets::find(&asked.path) else {
                return legacy::answer(gateway, asked, body).await.unwrap_or_else(|| Err(no_such_page()));
            };
            only(asked, &[Verb::GET])?;
            gateway.guard.admit_page(&asked.headers)?;
            Ok(assets::serve(asset, &asked.headers))
        }
    }
}

async fn api(gateway: &Arc<Gateway>, asked: &Asked, name: &str, body: Incoming) -> Result<Answer, Answer> {
    if let Some(method) = methods::find(name) {
        return call(gateway, asked, method, body).await;
    }
    let guard = &gateway.guard;
    match name {
        "session" => {
            only(asked, &[Verb::GET])?;
            guard.admit(&asked.headers)?;
            Ok(session(gateway, guard.login(&asked.headers, asked.from).await?).await)
        }
        "openapi.json" => {
            only(asked, &[Verb::GET])?;
            guard.admit(&asked.headers)?;
            Ok(value(&legacy::described(openapi::document())))
        }
        "login" => {
            only(asked, &[Verb::POST])?;
            guard.admit(&asked.headers)?;
            guard.is_own_page(&asked.headers)?;
            let body = json_body(&asked.headers, body).await?;
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let token = body.get("token").and_then(Value::as_str);
            let token =
                token.ok_or_else(|| refusal(StatusCode::BAD_REQUEST, "bad_params", "token is missing"))?;
            let cookie = guard.open_session(token, asked.from).await?;
            Ok(with(value(&json!({ "login": "done" })), header::SET_COOKIE, &cookie))
        }
        "logout" => {
            only(asked, &[Verb::POST])?;
            guard.admit(&asked.headers)?;
            guard.is_own_page(&asked.headers)?;
            let cookie = guard.close_session(&asked.headers);
            Ok(with(value(&json!({ "login": "needed" })), header::SET_COOKIE, &cookie))
        }
        "events/stream" => {
            only(asked, &[Verb::GET])?;
            guard.may_look(&asked.headers, asked.from).await?;
            Ok(events::serve(gateway))
        }
        "settings" | "settings/check" => {
            let settings = gateway.settings.as_ref().ok_or_else(no_such_page)?;
            let purpose = if name == "settings" { Purpose::Show } else { Purpose::Check };
            settings.route(gateway, asked, purpose, body).await
        }
        _ => match (name.strip_prefix("recordings/"), name.strip_prefix("export/")) {
            (Some(file), _) => {
                only(asked, &[Verb::GET])?;
                guard.may_look(&asked.headers, asked.from).await?;
                recording(gateway, file).await
            }
            (None, Some(file)) => {
                only(asked, &[Verb::GET])?;
                guard.may_look(&asked.headers, asked.from).await?;
                export::serve(gateway, file, &asked.query).await
            }
            (None, None) => Err(no_such_page()),
        },
    }
}

/// A recording by its last name; the service says in which directory they lie.
async fn recording(gateway: &Gateway, name: &str) -> Result<Answer, Answer> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.bytes().all(plain) {
        return Err(no_such_page());
    }
    let directory = gateway.upstream.value("doctor", &json!({})).await.map_err(|trouble| trouble.answer())?;
    let directory = directory["recordings"].as_str().ok_or_else(no_such_page)?;
    let file =
        crate::os::recordings::open(std::path::Path::new(directory), name).map_err(|_| no_such_page())?;
    let response = stream("application/octet-stream", send_file(file));
    Ok(with(response, header::CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}\"")))
}

/// Reads a file while it is sent; reads of a RAM disk do not make the others wait.
fn send_file(mut file: impl std::io::Read + Send + 'static) -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        let mut chunk = vec![0; 64 * 1024];
        while let Ok(len) = file.read(&mut chunk) {
            if len == 0 || sender.send(Bytes::copy_from_slice(&chunk[..len])).await.is_err() {
                break;
            }
        }
    });
    receiver
}

/// A method of the table.
async fn call(
    gateway: &Gateway,
    asked: &Asked,
    method: &'static Method,
    body: Incoming,
) -> Result<Answer, Answer> {
    let bad = |why: String| refusal(StatusCode::BAD_REQUEST, "bad_params", &why);
    let params = match method.effect {
        Effect::Read => {
            only(asked, &[Verb::GET])?;
            gateway.guard.may_look(&asked.headers, asked.from).await?;
            query::from_query(method, &asked.query).map_err(bad)?
        }
        Effect::Write => {
            only(asked, &[Verb::POST])?;
            gateway.guard.may_act(&asked.headers, asked.from).await?;
            let body = json_body(&asked.headers, body).await?;
            query::from_body(method, &body).map_err(bad)?
        }
    };
    Ok(gateway.upstream.ask(method.name, &params).await)
}

/// What a page must know before it asks for more; and, for who may see it, what it asks for first.
async fn session(gateway: &Gateway, login: Login) -> Answer {
    let (login, status) = match login {
        Login::NotNeeded => ("not_needed", gateway.upstream.value("status", &json!({})).await.ok()),
        Login::Done => ("done", gateway.upstream.value("status", &json!({})).await.ok()),
        Login::Needed => ("needed", None),
    };
    let names: Vec<&str> = TABLE.iter().map(|method| method.name).collect();
    value(&json!({
        "login": login,
        "version": env!("CARGO_PKG_VERSION"),
        "methods": names,
        "settings": gateway.settings.is_some(),
        "status": status,
    }))
}

/// Numbers for Prometheus, if the daemon counts them.
async fn metrics(gateway: &Gateway) -> Answer {
    if methods::find("metrics").is_none() {
        return no_such_page();
    }
    match gateway.upstream.value("metrics", &json!({})).await {
        Ok(found) => {
            let text = found.get("text").or(Some(&found)).and_then(Value::as_str).unwrap_or_default();
            answer_text(text)
        }
        Err(trouble) => trouble.answer(),
    }
}

fn answer_text(text: &str) -> Answer {
    super::answer::answer(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text.to_owned())
}

/// A body that says it is JSON, in time and not too long.
pub(super) async fn json_body(headers: &HeaderMap, body: Incoming) -> Result<Bytes, Answer> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let body = timeout(BODY_LIMIT, Limited::new(body, MAX_BODY_BYTES).collect()).await;
    let body = body
        .map_err(|_| refusal(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body did not come in time"))?
        .map_err(|_| refusal(StatusCode::PAYLOAD_TOO_LARGE, "too_long", "the body is too long or broken"))?
        .to_bytes();
    if !body.is_empty() && !kind.eq_ignore_ascii_case("application/json") {
        return Err(refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "type", "the body is not application/json"));
    }
    Ok(body)
}

/// Refuses other verbs.
pub(super) fn only(asked: &Asked, verbs: &[Verb]) -> Result<(), Answer> {
    if verbs.contains(&asked.verb) {
        return Ok(());
    }
    let allowed: Vec<&str> = verbs.iter().map(Verb::as_str).collect();
    let refused = refusal(StatusCode::METHOD_NOT_ALLOWED, "verb", "GET reads, POST writes");
    Err(with(refused, header::ALLOW, &allowed.join(", ")))
}

/// Nothing here.
pub(super) fn no_such_page() -> Answer {
    refusal(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
}
