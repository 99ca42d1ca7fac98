//! From host names to the names people use: googlevideo.com is YouTube.
//!
//! What stands in [`service_table`](super::service_table) gets the service's name; every other host is grouped by
//! its registrable domain. A label and a grouping, never a verdict on what a flow carries: video CDNs also serve
//! pictures, and clouds also serve video.

use super::hash::{BASIS, fold, heapsort, step};
use super::service_table::ROWS;
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
            || row(row_of(name)).is_some_and(|row| row.label.eq_ignore_ascii_case(wanted)))
}

/// The part of a lower-case host name that stands for its service: the domain of the table that it is below, the
/// whole name where a CDN's customers show only there, the registrable domain if the table does not know it.
pub fn domain_of(name: &str) -> &str {
    if parents(name).find_map(by_pattern(name)).is_some() {
        return name;
    }
    let known = parents(name).find(|domain| by_domain(domain).is_some());
    known.unwrap_or_else(|| suffix::registrable(name))
}

/// Number of a row plus one, small enough to be kept beside each name; 0 = not in the table. Patterns come
/// first, then the longest domain.
pub(super) fn row_of(name: &str) -> u8 {
    parents(name).find_map(by_pattern(name)).or_else(|| parents(name).find_map(by_domain)).unwrap_or(0)
}

/// A name and the domains above it, longest first.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, parent)| parent))
}

fn by_domain(domain: &str) -> Option<u8> {
    find(fold(domain.as_bytes(), BASIS)).filter(|row| *row != SHARED)
}

/// Whether the name begins with a word that stands before `*.domain` in the table.
fn by_pattern(name: &str) -> impl Fn(&str) -> Option<u8> {
    move |domain| {
        find(fold(domain.as_bytes(), fold(b"*.", BASIS))).filter(|row| *row == SHARED)?;
        let (mut word, ending) = (BASIS, [b"*.", domain.as_bytes()]);
        name.bytes().take(MAX_WORD).find_map(|byte| {
            word = step(word, byte);
            find(fold(ending[1], fold(ending[0], word)))
        })
    }
}

fn find(hash: u32) -> Option<u8> {
    let at = DOMAINS.partition_point(|entry| entry >> 8 < u64::from(hash));
    let entry = DOMAINS.get(at).filter(|entry| **entry >> 8 == u64::from(hash))?;
    Some(*entry as u8)
}

/// The inverse of [`row_of`], with the domain to fall back to.
pub(super) fn by_row(number: u8, domain: &str) -> Service<'_> {
    match row(number) {
        Some(&service) => service,
        None => Service { label: domain, kind: ServiceKind::Web },
    }
}

fn row(number: u8) -> Option<&'static Service<'static>> {
    SERVICES.get(usize::from(number).checked_sub(1)?)
}

/// In [`DOMAINS`], instead of a row: the domain behind `*.` is one that patterns are about.
const SHARED: u8 = u8::MAX;

/// Longest word before `*.`.
const MAX_WORD: usize = 24;

const ENTRIES: usize = count_entries();

/// Hash of each domain (32 bits) and number of its row (8 bits), sorted. Made at compile time, so that the
/// domains' text is not in the binary.
static DOMAINS: [u64; ENTRIES] = compile_domains();

static SERVICES: [Service<'static>; ROWS.len()] = compile_services();

/// One entry per domain, two per pattern.
const fn count_entries() -> usize {
    let (mut count, mut row) = (0, 0);
    while row < ROWS.len() {
        let mut at = 0;
        while at < ROWS[row].domains.len() {
            count += if star_of(ROWS[row].domains[at].as_bytes()) == 0 { 1 } else { 2 };
            at += 1;
        }
        row += 1;
    }
    count
}

const fn compile_domains() -> [u64; ENTRIES] {
    let mut table = [0; ENTRIES];
    let (mut count, mut row) = (0, 0);
    while row < ROWS.len() {
        let mut at = 0;
        while at < ROWS[row].domains.len() {
            let domain = ROWS[row].domains[at].as_bytes();
            table[count] = (fold(domain, BASIS) as u64) << 8 | (row + 1) as u64;
            count += 1;
            let star = star_of(domain);
            if star != 0 {
                table[count] = (fold(domain.split_at(star).1, BASIS) as u64) << 8 | SHARED as u64;
                count += 1;
            }
            at += 1;
        }
        row += 1;
    }
    heapsort(&mut table);
    table
}

/// Offset of the `*` of a pattern, 0 if it is none.
const fn star_of(domain: &[u8]) -> usize {
    let mut at = 0;
    while at < domain.len() {
        if domain[at] == b'*' {
            return at;
        }
        at += 1;
    }
    0
}

const fn compile_services() -> [Service<'static>; ROWS.len()] {
    let mut services = [Service { label: "", kind: ServiceKind::Web }; ROWS.len()];
    let mut row = 0;
    while row < ROWS.len() {
        services[row] = Service { label: ROWS[row].name, kind: ROWS[row].kind };
        row += 1;
    }
    services
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
    fn what_stands_for_a_service_is_no_more_than_the_service() {
        for (name, domain) in [
            ("r4---sn-4g5e6nz7.googlevideo.com", "googlevideo.com"),
            ("youtubei.googleapis.com", "youtubei.googleapis.com"),
            ("aivottevtad-a.akamaihd.net", "aivottevtad-a.akamaihd.net"),
            ("static.news.example.co.uk", "example.co.uk"),
        ] {
            assert_eq!(domain_of(name), domain);
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
    fn every_domain_of_the_table_leads_to_its_row_alone() {
        assert!(ROWS.len() < usize::from(SHARED));
        for (index, row) in ROWS.iter().enumerate() {
            for domain in row.domains {
                assert_eq!(*domain, domain.to_ascii_lowercase());
                let name = domain.replacen("*.", "-1.", 1);
                assert_eq!(usize::from(row_of(&name)), index + 1, "{domain} of {}", row.name);
                assert!(
                    domain.split_once('*').is_none_or(|(word, _)| (1..=MAX_WORD).contains(&word.len())),
                    "{domain}"
                );
            }
        }
        // Equal hashes are two patterns of one CDN, or a domain that stands twice.
        let doubles = DOMAINS.windows(2).filter(|pair| pair[0] >> 8 == pair[1] >> 8);
        assert!(doubles.clone().all(|pair| pair[1] as u8 == SHARED), "{:x?}", doubles.collect::<Vec<_>>());
    }
}
