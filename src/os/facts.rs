//! What the machine's own files say: time zone, resolvers, users, configuration.

use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::net::Addr;
use crate::time::Zone;

/// Larger files than this are not what they should be.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// Resolvers trusted at most.
const MAX_RESOLVERS: usize = 8;

/// Reads a small file as text; what is not UTF-8 is replaced, for a comment in a foreign encoding must not keep a
/// household unprotected.
///
/// # Errors
/// If it cannot be read or is larger than a mebibyte.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 MiB"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes a small file.
///
/// # Errors
/// If it cannot be written.
pub fn write_text(path: &Path, text: &str) -> io::Result<()> {
    std::fs::write(path, text)
}

/// The household's time zone: what OpenWrt's system settings say, else the system's zone file, else UTC.
pub fn zone() -> Zone {
    let posix = || read_text(Path::new("/etc/TZ")).ok().and_then(|text| Zone::from_posix(&text).ok());
    let file = || {
        let bytes = std::fs::read("/etc/localtime").ok()?;
        Zone::from_tzfile(&bytes).ok()
    };
    posix().or_else(file).unwrap_or_default()
}

/// The resolvers this machine asks: what they answer is believed.
pub fn resolvers() -> Vec<Addr> {
    let files = ["/etc/resolv.conf", "/tmp/resolv.conf.d/resolv.conf.auto"];
    let mut found = Vec::new();
    for text in files.iter().filter_map(|path| read_text(Path::new(path)).ok()) {
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some("nameserver"), Some(addr)) = (words.next(), words.next()) else { continue };
            let Ok(addr) = addr.parse::<IpAddr>() else { continue };
            let addr = Addr::from(addr);
            if found.len() < MAX_RESOLVERS && !found.contains(&addr) && !addr.is_special() {
                found.push(addr);
            }
        }
    }
    found
}

/// Whether this is a router that may boot in the past.
pub fn is_openwrt() -> bool {
    Path::new("/etc/openwrt_release").exists()
}

/// Ids of a user and its group, from the files every small system has.
pub fn user(name: &str) -> Option<(u32, u32)> {
    let passwd = read_text(Path::new("/etc/passwd")).ok()?;
    let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = fields.into_iter().find(|fields| fields.first() == Some(&name))?;
    Some((found.get(2)?.parse().ok()?, found.get(3)?.parse().ok()?))
}

/// The id of a group.
pub fn group(name: &str) -> Option<u32> {
    let groups = read_text(Path::new("/etc/group")).ok()?;
    let line = groups.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
}

/// Where sockets and the state of this minute live.
pub fn run_dir() -> PathBuf {
    std::env::var_os("STREAMGUARD_RUN_DIR")
        .map_or_else(|| PathBuf::from("/var/run/streamguard"), PathBuf::from)
}
