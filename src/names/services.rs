//! From host names to the names people use: googlevideo.com is YouTube.
//!
//! What stands in [`service_table`](super::service_table) gets the service's name; every other host is grouped by
//! its registrable domain. A label and a grouping, never a verdict on what a flow carries: video CDNs also serve
//! pictures, and clouds also serve video.

use super::service_table::{ROWS, Row};
use super::suffix;

/// What a service is mainly used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceKind {
    /// Films, series, live streams, clips.
    Video,
    /// Music and radio.
    Audio,
    /// Feeds with pictures and clips.
    Social,
    /// Calls, meetings, chat.
    Call,
    /// Games and their stores.
    Game,
    /// System and app updates.
    Update,
    /// Files, photos, backups, office.
    Cloud,
    /// Everything else.
    Web,
}

impl ServiceKind {
    /// One lower-case word, for reports and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Social => "social",
            Self::Call => "call",
            Self::Game => "game",
            Self::Update => "update",
            Self::Cloud => "cloud",
            Self::Web => "web",
        }
    }
}

/// The service behind a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service<'a> {
    /// Name to show: of the table, or the registrable domain.
    pub label: &'a str,
    /// What it is mainly used for; [`ServiceKind::Web`] if the table does not know it.
    pub kind: ServiceKind,
}

/// The service behind a lower-case host name.
pub fn service_of(name: &str) -> Service<'_> {
    by_row(row_of(name), suffix::registrable(name))
}

/// Whether a name belongs to what a user wrote in a list of services: a service's name (`YouTube`) or a domain
/// (`khanacademy.org`, its subdomains included), in any case.
pub fn is_of_service(name: &str, wanted: &str) -> bool {
    let wanted = wanted.trim_matches('.');
    !wanted.is_empty()
        && (is_within_ignoring_case(name, wanted)
            || row(row_of(name)).is_some_and(|row| row.name.eq_ignore_ascii_case(wanted)))
}

/// Number of a row plus one, small enough to be kept beside each name; 0 = not in the table.
pub(super) fn row_of(name: &str) -> u8 {
    let row = ROWS.iter().position(|row| row.domains.iter().any(|domain| is_within(name, domain)));
    row.map_or(0, |index| index as u8 + 1)
}

/// The inverse of [`row_of`], with the domain to fall back to.
pub(super) fn by_row(number: u8, domain: &str) -> Service<'_> {
    match row(number) {
        Some(row) => Service { label: row.name, kind: row.kind },
        None => Service { label: domain, kind: ServiceKind::Web },
    }
}

fn row(number: u8) -> Option<&'static Row> {
    ROWS.get(usize::from(number).checked_sub(1)?)
}

/// Whether `name` is `domain` or a name below it. A pattern `word*.domain` asks that the first label begin with
/// the word (shared CDNs whose customers show only there).
fn is_within(name: &str, domain: &str) -> bool {
    match domain.split_once("*.") {
        Some((word, rest)) => name.starts_with(word) && is_within(name, rest),
        None => match name.strip_suffix(domain) {
            Some(head) => head.is_empty() || head.ends_with('.'),
            None => false,
        },
    }
}

fn is_within_ignoring_case(name: &str, domain: &str) -> bool {
    let Some(from) = name.len().checked_sub(domain.len()) else { return false };
    let (head, tail) = (name.get(..from), name.get(from..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(domain))
        && head.is_some_and(|head| head.is_empty() || head.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn big_video_cdns_go_by_the_name_people_use() {
        for (name, label, kind) in [
            ("r4---sn-4g5e6nz7.googlevideo.com", "YouTube", ServiceKind::Video),
            ("youtu.be", "YouTube", ServiceKind::Video),
            ("ipv4-c001-fra001-ix.1.oca.nflxvideo.net", "Netflix", ServiceKind::Video),
            ("s3-dub-2.cf.dash.row.aiv-cdn.net", "Prime Video", ServiceKind::Video),
            ("aivottevtad-a.akamaihd.net", "Prime Video", ServiceKind::Video),
            ("vod-akc-eu-central-1.media.dssott.com", "Disney+", ServiceKind::Video),
            ("video-weaver.fra02.hls.ttvnw.net", "Twitch", ServiceKind::Video),
            ("v16-webapp-prime.tiktok.com", "TikTok", ServiceKind::Video),
            ("scontent-fra3-1.cdninstagram.com", "Instagram", ServiceKind::Social),
            ("audio-ak-spotify-com.akamaized.net", "Spotify", ServiceKind::Audio),
            ("hls-amt.itunes.apple.com", "Apple TV", ServiceKind::Video),
            ("meet.google.com", "Google Meet", ServiceKind::Call),
            ("drive.google.com", "Google Drive", ServiceKind::Cloud),
            ("mail.google.com", "Google", ServiceKind::Web),
        ] {
            assert_eq!(service_of(name), Service { label, kind }, "{name}");
        }
    }

    #[test]
    fn an_unknown_host_is_grouped_by_its_site() {
        let service = service_of("static.news.example.co.uk");
        assert_eq!(service, Service { label: "example.co.uk", kind: ServiceKind::Web });
    }

    #[test]
    fn a_name_that_only_ends_alike_is_another_site() {
        assert_eq!(service_of("notyoutube.com").label, "notyoutube.com");
        assert_eq!(service_of("youtube.com.evil.example").label, "evil.example");
    }

    #[test]
    fn lists_of_services_take_names_and_domains() {
        assert!(is_of_service("r1.googlevideo.com", "youtube"));
        assert!(is_of_service("www.khanacademy.org", "KhanAcademy.org"));
        assert!(is_of_service("khanacademy.org", ".khanacademy.org"));
        assert!(!is_of_service("notkhanacademy.org", "khanacademy.org"));
        assert!(!is_of_service("a.example", ""));
    }

    #[test]
    fn the_table_is_lower_case_and_no_row_hides_another() {
        assert!(ROWS.len() < usize::from(u8::MAX));
        for (index, row) in ROWS.iter().enumerate() {
            for domain in row.domains {
                assert_eq!(*domain, domain.to_ascii_lowercase());
                let name = domain.replace('*', "");
                assert_eq!(
                    usize::from(row_of(&name)),
                    index + 1,
                    "{domain} of {} is taken by an earlier row",
                    row.name
                );
            }
        }
    }
}
