//! The registrable domain of a name: what a household would call "the site".
//!
//! The Public Suffix List (ICANN section; suffixes.dat, MPL-2.0, made by .ci/vendor-suffixes) is hashed at
//! compile time into one sorted table of 32-bit numbers, 4 bytes a rule: 23 KiB in the binary instead of the 76
//! KiB of text (and the 690 KiB that crate `psl` costs). A name that is in no rule meets a colliding hash with a
//! probability of about 2 in 100,000, and then its group is one label too long; grouping is all this is used for.

use super::hash::{BASIS, fold, heapsort, step};

const LIST: &[u8] = include_bytes!("suffixes.dat");

const RULES: usize = count_rules(LIST);

static TABLE: [u32; RULES] = compile_rules(LIST);

/// Labels of the longest rule.
const MAX_RULE_LABELS: usize = 4;

/// The registrable domain of a lower-case host name: one label more than its public suffix, or the whole name
/// if it is no longer than that.
pub fn registrable(name: &str) -> &str {
    // Where the last labels begin, the last first.
    let mut starts = [0; MAX_RULE_LABELS + 1];
    let mut labels = 0;
    for (at, byte) in name.bytes().enumerate().rev() {
        if byte == b'.' {
            if labels == starts.len() {
                break;
            }
            starts[labels] = at + 1;
            labels += 1;
        }
    }
    // The first label begins at 0, as the array does.
    labels = (labels + 1).min(starts.len());
    let mut suffix_labels = 1;
    for (index, &start) in starts.iter().enumerate().take(labels.min(MAX_RULE_LABELS)).skip(1) {
        let (end, parent) = (&name[start..], &name[starts[index - 1]..]);
        if is_rule(b"!", end) {
            suffix_labels = index;
            break;
        }
        if is_rule(b"", end) || is_rule(b"*.", parent) {
            suffix_labels = index + 1;
        }
    }
    starts[..labels].get(suffix_labels).map_or(name, |&start| &name[start..])
}

fn is_rule(mark: &[u8], suffix: &str) -> bool {
    let hash = fold(suffix.as_bytes(), fold(mark, BASIS));
    TABLE.binary_search(&hash).is_ok()
}

/// Lines that are no comment; every line of the file ends with a line feed.
const fn count_rules(list: &[u8]) -> usize {
    let (mut count, mut at, mut line_start) = (0, 0, 0);
    while at < list.len() {
        if list[at] == b'\n' {
            if list[line_start] != b'/' {
                count += 1;
            }
            line_start = at + 1;
        }
        at += 1;
    }
    count
}

const fn compile_rules(list: &[u8]) -> [u32; RULES] {
    let mut hashes = [0; RULES];
    let (mut count, mut at, mut line_start, mut hash) = (0, 0, 0, BASIS);
    while at < list.len() {
        if list[at] == b'\n' {
            if list[line_start] != b'/' {
                hashes[count] = hash as u64;
                count += 1;
            }
            line_start = at + 1;
            hash = BASIS;
        } else {
            hash = step(hash, list[at]);
        }
        at += 1;
    }
    heapsort(&mut hashes);
    let mut table = [0; RULES];
    let mut at = 0;
    while at < RULES {
        table[at] = hashes[at] as u32;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_one_label_more_than_its_public_suffix() {
        for (name, site) in [
            ("r4---sn-4g5e6nz7.googlevideo.com", "googlevideo.com"),
            ("www.bbc.co.uk", "bbc.co.uk"),
            ("a.b.example.com.au", "example.com.au"),
            ("video.xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("localhost", "localhost"),
            ("co.uk", "co.uk"),
            ("x.unknown-tld", "x.unknown-tld"),
            ("d1.cloudfront.net", "cloudfront.net"),
        ] {
            assert_eq!(registrable(name), site, "{name}");
        }
    }

    #[test]
    fn wildcards_and_their_exceptions_hold() {
        // *.ck with !www.ck, *.kawasaki.jp with !city.kawasaki.jp (from the list's own test file).
        for (name, site) in [
            ("b.test.ck", "b.test.ck"),
            ("a.b.test.ck", "b.test.ck"),
            ("www.ck", "www.ck"),
            ("www.www.ck", "www.ck"),
            ("a.b.c.kawasaki.jp", "b.c.kawasaki.jp"),
            ("www.city.kawasaki.jp", "city.kawasaki.jp"),
        ] {
            assert_eq!(registrable(name), site, "{name}");
        }
    }

    #[test]
    fn every_rule_of_the_list_is_in_the_table() {
        let text = std::str::from_utf8(LIST).unwrap();
        let rules: Vec<&str> = text.lines().filter(|line| !line.starts_with("//")).collect();
        assert_eq!(rules.len(), RULES);
        assert!(TABLE.is_sorted());
        for rule in &rules {
            assert!(is_rule(b"", rule), "{rule}");
            assert!(rule.split('.').count() <= MAX_RULE_LABELS, "{rule}");
        }
        // No two rules share a hash, so none hides that another was lost.
        assert!(TABLE.is_sorted_by(|a, b| a < b));
    }
}
