//! Host names as data from strangers.
//!
//! Whatever a DNS answer, a ClientHello or a DHCP lease calls itself ends up in logs, tables, JSON and HTML. So
//! there are two gates. On the way in, a [`HostName`] is at most 253 bytes of lower-case ASCII host-name
//! characters; every other byte is written `\DDD` as in RFC 1035 §5.1, and what does not fit is no name. On the
//! way out, [`is_visible`] says of a character whether a person may be shown it as it is: no control characters, no
//! bidirectional overrides, no invisible ones.

use std::fmt;

/// Longest host name in text form, in bytes (RFC 1035 §2.3.4 without the root's dot).
pub const MAX_HOST_NAME: usize = 253;

/// Longest label of a host name, in bytes.
const MAX_LABEL: usize = 63;

/// A host name: 1 to 253 bytes of `a-z 0-9 - _ .` and `\DDD` escapes, without the root's dot.
#[derive(Clone, Copy)]
pub struct HostName {
    len: u8,
    bytes: [u8; MAX_HOST_NAME],
}

impl HostName {
    const EMPTY: Self = Self { len: 0, bytes: [0; MAX_HOST_NAME] };

    /// From text with dots: an SNI, a Host header, a DHCP host name. Only the first 253 bytes count.
    ///
    /// `None` if it is empty, an address, has an empty or overlong label, or does not fit.
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let text = text.strip_suffix(b".").unwrap_or(text);
        if text.len() > MAX_HOST_NAME || is_ipv4(text) {
            return None;
        }
        let mut name = Self::EMPTY;
        for label in text.split(|&byte| byte == b'.') {
            name.push_label(label)?;
        }
        Some(name)
    }

    /// From labels as they stand in a DNS message; a dot within a label is escaped. Where escapes make it too
    /// long, the leftmost labels give way: the registrable domain is at the right.
    pub fn from_labels<'a>(
        labels: impl DoubleEndedIterator<Item = &'a [u8]> + ExactSizeIterator + Clone,
    ) -> Option<Self> {
        let whole = Self::join(labels.clone());
        if whole.is_some() {
            return whole;
        }
        let mut room = MAX_HOST_NAME + 1;
        let fits = |label: &&[u8]| match room.checked_sub(escaped_len(label) + 1) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        };
        let fitting = labels.clone().rev().take_while(fits).count();
        let too_many = labels.len() - fitting;
        Self::join(labels.skip(too_many))
    }

    fn join<'a>(labels: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut name = Self::EMPTY;
        for label in labels {
            name.push_label(label)?;
        }
        (name.len > 0).then_some(name)
    }

    #[cfg_attr(router, optimize(speed))]
    fn push_label(&mut self, label: &[u8]) -> Option<()> {
        if label.is_empty() || label.len() > MAX_LABEL {
            return None;
        }
        if self.len > 0 {
            self.push(b'.')?;
        }
        let at = usize::from(self.len);
        let room = self.bytes.get_mut(at..at + label.len())?;
        let mut is_all_plain = true;
        for (to, &byte) in room.iter_mut().zip(label) {
            *to = byte.to_ascii_lowercase();
            is_all_plain &= is_plain(byte);
        }
        if is_all_plain {
            self.len += label.len() as u8;
            return Some(());
        }
        for &byte in label {
            if is_plain(byte) {
                self.push(byte.to_ascii_lowercase())?;
            } else {
                for escaped in [b'\\', b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10] {
                    self.push(escaped)?;
                }
            }
        }
        Some(())
    }

    fn push(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(usize::from(self.len))? = byte;
        self.len += 1;
        Some(())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        // ASCII by construction; the fallback is never taken.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The name as bytes, all ASCII.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl PartialEq for HostName {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for HostName {}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Longest name of a device, in bytes.
pub const MAX_DEVICE_NAME: usize = 63;

/// What a device calls itself (DHCP, mDNS): 1 to 63 bytes of visible UTF-8, case kept; what a person should not
/// be shown is a `?`.
#[derive(Clone, Copy)]
pub struct DeviceName {
    len: u8,
    bytes: [u8; MAX_DEVICE_NAME],
}

impl DeviceName {
    /// From a DHCP option or a DNS label; what does not fit is cut off. `None` if nothing visible remains.
    pub fn from_bytes(raw: &[u8]) -> Option<Self> {
        let mut name = Self { len: 0, bytes: [0; MAX_DEVICE_NAME] };
        let raw = raw.trim_ascii();
        for chunk in raw[..raw.len().min(MAX_HOST_NAME)].utf8_chunks() {
            let broken = (!chunk.invalid().is_empty()).then_some('?');
            for c in chunk.valid().chars().chain(broken) {
                name.push(if is_visible(c) { c } else { '?' });
            }
        }
        name.as_str().chars().any(|c| c != '?' && c != ' ').then_some(name)
    }

    fn push(&mut self, c: char) {
        let from = usize::from(self.len);
        if let Some(room) = self.bytes.get_mut(from..from + c.len_utf8()) {
            c.encode_utf8(room);
            self.len += c.len_utf8() as u8;
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        // UTF-8 by construction; the fallback is never taken.
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl PartialEq for DeviceName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for DeviceName {}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Bytes that a host name shows as they are (upper case as lower).
#[cfg_attr(router, optimize(speed))]
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn escaped_len(label: &[u8]) -> usize {
    label.iter().map(|&byte| if is_plain(byte) { 1 } else { 4 }).sum()
}

/// Dotted decimal: four all-digit labels. Such a "name" would only repeat the address it stands for.
fn is_ipv4(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'.').count() == 4
        && text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// Whether a character shows itself and nothing else: no controls (C0, C1), no invisible, bidirectional,
/// variation or tag characters, no private use, no combining marks that climb over their neighbours.
pub fn is_visible(c: char) -> bool {
    !matches!(u32::from(c),
        0..=0x1f | 0x7f..=0xa0 | 0xad
        | 0x300..=0x36f | 0x483..=0x489 | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f
        | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x2000..=0x200f | 0x2028..=0x202f | 0x205f..=0x206f
        | 0x20d0..=0x20ff | 0x2800 | 0x3000 | 0x3164 | 0xe000..=0xf8ff | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f
        | 0xfeff | 0xffa0 | 0xfff0..=0xffff | 0x1d173..=0x1d17a | 0xe0000..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Option<String> {
        HostName::from_text(bytes).map(|name| name.to_string())
    }

    #[test]
    fn names_are_lower_case_ascii_whatever_comes() {
        assert_eq!(text(b"WWW.YouTube.com.").as_deref(), Some("www.youtube.com"));
        assert_eq!(text(b"xn--bcher-kva.example").as_deref(), Some("xn--bcher-kva.example"));
        assert_eq!(text("bücher.example".as_bytes()).as_deref(), Some("b\\195\\188cher.example"));
        assert_eq!(text(b"a\x1b[2J<script>.x").as_deref(), Some("a\\027\\0912j\\060script\\062.x"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in [&b""[..], b".", b"a..b", b".a", b"192.168.1.1", &[b'a'; 64], &[b'\xff'; 63]] {
            let long = bad.len() == 63;
            // 63 escaped bytes fit (252); with one more label they do not.
            let name = if long { [bad, b".a"].concat() } else { bad.to_vec() };
            assert_eq!(text(&name), None, "{name:?}");
        }
        assert_eq!(text(&[b'\xff'; 63]).map(|name| name.len()), Some(252));
        assert_eq!(text(&[[b'a'; 61].as_slice(); 5].join(&b'.')), None);
    }

    #[test]
    fn a_dot_inside_a_dns_label_stays_inside() {
        let name = HostName::from_labels([&b"ev.il"[..], b"com"].into_iter());
        assert_eq!(name.map(|n| n.to_string()).as_deref(), Some("ev\\046il.com"));
        assert_eq!(HostName::from_labels(std::iter::empty()), None);
    }

    #[test]
    fn of_a_name_too_long_for_escapes_the_right_end_remains() {
        let binary = [0xfe; 50];
        let name = HostName::from_labels([&binary[..], &binary, b"tunnel", b"example"].into_iter()).unwrap();
        assert_eq!(name.as_bytes().len(), 4 * 50 + ".tunnel.example".len());
        assert!(name.as_str().ends_with("\\254.tunnel.example"));
    }

    #[test]
    fn device_names_keep_their_case_and_lose_what_hides() {
        let name = |raw: &[u8]| DeviceName::from_bytes(raw).map(|name| name.to_string());
        assert_eq!(name("Zoë’s iPad\0".as_bytes()).as_deref(), Some("Zoë’s iPad?"));
        assert_eq!(name(b"a\xff\x1b[31m").as_deref(), Some("a??[31m"));
        assert_eq!(name(&[b'x'; 200]).map(|name| name.len()), Some(MAX_DEVICE_NAME));
        assert_eq!((name(b""), name(b"\x01\x02"), name(b"  ")), (None, None, None));
    }

    #[test]
    fn control_bidi_and_invisible_characters_are_not_shown() {
        assert!("Lä’s TV 電視".chars().all(is_visible));
        let hidden = "\n\u{1b}\u{7f}\u{85}\u{200b}\u{202e}\u{2066}\u{feff}\u{e0041}";
        assert!(!hidden.chars().any(is_visible));
    }
}
