//! The token as it is kept: PBKDF2-HMAC-SHA-256 with a salt, never the token itself.
//!
//! `pbkdf2-sha256$ROUNDS$SALT$HASH`, salt and hash in hexadecimal.

use std::fmt;
use std::fmt::Write as _;

use pbkdf2::pbkdf2_hmac;
use sha2::Sha256;

use crate::os::facts;

/// Rounds of a new hash: a second or so on a slow router, once for each login.
const ROUNDS: u32 = 100_000;
/// More rounds than this in a configuration would let each login block the gateway.
const MAX_ROUNDS: u32 = 2_000_000;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// Letters of a new token: no 0, o, l, i. 32 of them, so that each letter is five bits.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz123456789";
/// 24 letters are 120 bits.
const TOKEN_LETTERS: usize = 24;

/// The hash of a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    rounds: u32,
    salt: Vec<u8>,
    hash: [u8; HASH_BYTES],
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pbkdf2-sha256${}${}${}", self.rounds, hex(&self.salt), hex(&self.hash))
    }
}

impl Secret {
    /// Hashes a token with a fresh salt.
    ///
    /// # Errors
    /// If the kernel has no random bytes.
    pub fn of(token: &str) -> std::io::Result<Self> {
        let salt: [u8; SALT_BYTES] = facts::random()?;
        Ok(Self { rounds: ROUNDS, salt: salt.to_vec(), hash: derive(token, &salt, ROUNDS) })
    }

    /// Reads what [`Secret`] displays; `None` if it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("pbkdf2-sha256$")?.split('$');
        let rounds = parts.next()?.parse().ok().filter(|rounds| (1..=MAX_ROUNDS).contains(rounds))?;
        let salt = unhex(parts.next()?).filter(|salt| (8..=64).contains(&salt.len()))?;
        let hash = unhex(parts.next()?)?.try_into().ok()?;
        parts.next().is_none().then_some(Self { rounds, salt, hash })
    }

    /// Whether this is the token. Slow on purpose.
    pub fn matches(&self, token: &str) -> bool {
        same(&derive(token, &self.salt, self.rounds), &self.hash)
    }
}

fn derive(token: &str, salt: &[u8], rounds: u32) -> [u8; HASH_BYTES] {
    let mut hash = [0; HASH_BYTES];
    pbkdf2_hmac::<Sha256>(token.as_bytes(), salt, rounds, &mut hash);
    hash
}

/// Compares without telling by the time taken where the difference is.
pub(super) fn same(a: &[u8; HASH_BYTES], b: &[u8; HASH_BYTES]) -> bool {
    std::hint::black_box(a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b))) == 0
}

/// A token nobody can guess, in groups that can be typed.
///
/// # Errors
/// If the kernel has no random bytes.
pub fn fresh_token() -> std::io::Result<String> {
    let bytes: [u8; TOKEN_LETTERS] = facts::random()?;
    let letters = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    let mut token = String::new();
    for (index, letter) in letters.enumerate() {
        if index > 0 && index % 6 == 0 {
            token.push('-');
        }
        token.push(letter);
    }
    Ok(token)
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_back_and_knows_its_token() {
        let token = fresh_token().unwrap();
        let secret = Secret { rounds: 10, ..Secret::of(&token).unwrap() };
        let secret = Secret { hash: derive(&token, &secret.salt, 10), ..secret };
        let read = Secret::parse(&secret.to_string()).unwrap();
        assert_eq!(read, secret);
        assert!(read.matches(&token) && !read.matches("guess") && !read.matches(""));
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        let hash = "00".repeat(32);
        let salt = "00".repeat(8);
        assert!(Secret::parse(&format!("pbkdf2-sha256$1${salt}${hash}")).is_some());
        for bad in [
            String::new(),
            format!("pbkdf2-sha256$0${salt}${hash}"),
            format!("pbkdf2-sha256$99999999${salt}${hash}"),
            format!("pbkdf2-sha256$1${salt}$00"),
            format!("pbkdf2-sha256$1$$${hash}"),
            format!("pbkdf2-sha256$1${salt}${hash}$"),
            format!("pbkdf2-sha256$1$zz${hash}"),
            "secret".into(),
        ] {
            assert_eq!(Secret::parse(&bad), None, "{bad}");
        }
    }

    /// RFC 7914, section 11: the first 32 bytes of PBKDF2-HMAC-SHA-256("passwd", "salt", 1).
    #[test]
    fn the_derivation_is_the_standard_one() {
        let hash = derive("passwd", b"salt", 1);
        assert_eq!(hex(&hash), "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    }
}
