//! The dashboard's files, embedded.

use std::io::Read;

use flate2::read::GzDecoder;
use hyper::header::{self, HeaderMap};
use hyper::{Response, StatusCode};

use super::answer::{Answer, Payload, answer, with};

/// A file of files/www.
pub(super) struct Asset {
    pub(super) path: &'static str,
    kind: &'static str,
    tag: &'static str,
    gzip: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The file at a path of the URL, if it is one of ours.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    let name = path.strip_prefix('/')?;
    let name = if name.is_empty() { "index.html" } else { name };
    ASSETS.iter().find(|asset| asset.path == name)
}

/// The file, or "you have it already".
pub(super) fn serve(asset: &Asset, headers: &HeaderMap) -> Answer {
    let text =
        |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok()).unwrap_or("");
    let fresh =
        text(header::IF_NONE_MATCH).split(',').any(|tag| tag.trim().trim_start_matches("W/") == asset.tag);
    let response = if fresh {
        let mut response = Response::new(Payload::Whole(None));
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else if text(header::ACCEPT_ENCODING).split(',').any(|coding| coding.trim().starts_with("gzip")) {
        with(answer(StatusCode::OK, asset.kind, asset.gzip), header::CONTENT_ENCODING, "gzip")
    } else {
        let mut plain = Vec::new();
        // Our own bytes: they unpack.
        let _ = GzDecoder::new(asset.gzip).read_to_end(&mut plain);
        answer(StatusCode::OK, asset.kind, plain)
    };
    let response = with(response, header::ETAG, asset.tag);
    let response = with(response, header::VARY, "accept-encoding");
    with(response, header::CACHE_CONTROL, "no-cache")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kibibytes of the whole dashboard as browsers load it.
    const PAYLOAD_MAX: usize = 150 * 1024;

    #[test]
    fn the_whole_dashboard_fits_in_its_budget() {
        let bytes: usize = ASSETS.iter().map(|asset| asset.gzip.len()).sum();
        assert!(bytes <= PAYLOAD_MAX, "{bytes} bytes gzipped");
    }

    #[test]
    fn no_page_has_a_script_or_style_of_its_own_or_from_elsewhere() {
        for asset in ASSETS {
            let mut text = String::new();
            GzDecoder::new(asset.gzip).read_to_string(&mut text).unwrap();
            if asset.path.ends_with(".html") {
                assert!(!text.contains("<style") && !text.contains(" style=") && !text.contains(" onclick"));
                assert!(!text.contains("<script>"), "{}", asset.path);
            }
            if !asset.path.starts_with("vendor/") {
                for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
                    assert!(!text.contains(word), "{}: {word}", asset.path);
                }
            }
        }
    }
}
