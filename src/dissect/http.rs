//! The Host header of an HTTP/1 request (RFC 9112 §3.2): a label for what is still spoken in the clear.
//!
//! Only the segment that begins with a request line is looked at, and of it only the first [`MAX_HEADER`] bytes.

use crate::dissect::hostname::HostName;

/// Bytes of a request in which the Host header is looked for.
const MAX_HEADER: usize = 1024;

/// Whether a TCP payload may begin a request: the cheap test before anything else.
pub fn begins_request(payload: &[u8]) -> bool {
    matches!(
        payload,
        [b'G', b'E', b'T', b' ', ..] | [b'P', b'O', b'S' | b'U', b'T', ..] | [b'H', b'E', b'A', b'D', ..]
    ) || matches!(payload, [b'O', b'P', b'T', b'I', ..] | [b'D', b'E', b'L', b'E', ..])
}

/// The host that a request names, without its port.
pub fn request_host(payload: &[u8]) -> Option<HostName> {
    let header = &payload[..payload.len().min(MAX_HEADER)];
    let mut lines = header.split(|&byte| byte == b'\n');
    let request = lines.next()?.trim_ascii_end();
    if !request.ends_with(b" HTTP/1.1") && !request.ends_with(b" HTTP/1.0") {
        return None;
    }
    let value = lines.take_while(|line| !line.trim_ascii().is_empty()).find_map(|line| {
        let (field, value) = line.split_at_checked(5)?;
        // A line that the capture cuts off is no value.
        (field.eq_ignore_ascii_case(b"host:") && value.ends_with(b"\r")).then(|| value.trim_ascii())
    })?;
    // An IPv6 literal only repeats the address.
    if value.first() == Some(&b'[') {
        return None;
    }
    HostName::from_text(value.split(|&byte| byte == b':').next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(request: &str) -> Option<String> {
        request_host(request.as_bytes()).map(|name| name.to_string())
    }

    #[test]
    fn the_host_header_names_the_server_whatever_its_case_and_port() {
        assert_eq!(
            host("GET /a HTTP/1.1\r\nAccept: */*\r\nhOST:  CDN.Example.net:8080 \r\n\r\n").as_deref(),
            Some("cdn.example.net")
        );
    }

    #[test]
    fn no_request_no_host_header_or_an_address_gives_no_name() {
        assert_eq!(host("GET /a HTTP/1.1\r\nAccept: x\r\n\r\nHost: body.example\r\n"), None);
        assert_eq!(host("GET /a HTTP/2\r\nHost: a.example\r\n\r\n"), None);
        assert_eq!(host("GET /a HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n"), None);
        assert_eq!(host("GET /a HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n"), None);
        assert_eq!(host("GET /a HTTP/1.1\r\nHost: cut.exam"), None);
    }

    #[test]
    fn a_host_header_cannot_smuggle_markup() {
        assert_eq!(host("GET / HTTP/1.0\r\nHost: <b>.x\r\n\r\n").as_deref(), Some("\\060b\\062.x"));
    }
}
