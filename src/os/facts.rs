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

/// Replaces a small file: at every instant the old or the new one is there, whole.
///
/// # Errors
/// If it cannot be written; then the old one stays.
pub fn replace_text(path: &Path, text: &str) -> io::Result<()> {
    let mut fresh = path.to_owned().into_os_string();
    fresh.push(".new");
    std::fs::write(&fresh, text)?;
    std::fs::rename(&fresh, path)
}

/// Whether [`replace_text`] could replace a file: its directory lets us make files.
pub fn can_replace(path: &Path) -> bool {
    let mut probe = path.to_owned().into_os_string();
    probe.push(".new");
    let made = std::fs::File::create(&probe).is_ok();
    made && std::fs::remove_file(&probe).is_ok()
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

/// Whether anybody listens to datagrams at a local port (`/proc/net/udp`: hexadecimal, state 07 = unconnected).
pub fn listens_to_datagrams(port: u16) -> bool {
    let ending = format!(":{port:04X}");
    let is_it = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next().is_some_and(|local| local.ends_with(&ending)) && fields.nth(1) == Some("07")
    };
    let tables = ["/proc/net/udp", "/proc/net/udp6"].into_iter();
    tables.filter_map(|path| read_text(Path::new(path)).ok()).any(|text| text.lines().any(is_it))
}

/// Whether the kernel counts what its connections carry (`nf_conntrack_acct`); `None` if it tracks none.
pub fn kernel_counts() -> Option<bool> {
    let text = read_text(Path::new("/proc/sys/net/netfilter/nf_conntrack_acct")).ok()?;
    Some(text.trim() == "1")
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

/// Becomes the service's user, if we are root and there is one, and gives it its run directory. Returns whether
/// anything was given up.
///
/// # Errors
/// If a step is refused.
pub fn become_user(name: &str, run_dir: &Path) -> io::Result<Became> {
    if super::sys::own_uid() != 0 {
        return Ok(Became::Already);
    }
    let Some((uid, gid)) = user(name) else { return Ok(Became::Root) };
    std::os::unix::fs::chown(run_dir, Some(uid), Some(gid))?;
    for entry in std::fs::read_dir(run_dir)?.flatten() {
        std::os::unix::fs::lchown(entry.path(), Some(uid), Some(gid))?;
    }
    super::sys::drop_privileges(uid, gid, super::sys::Keep::Capture)?;
    Ok(Became::User)
}

/// Becomes the service's user without any capability, if we are root and there is one.
///
/// # Errors
/// If a step is refused.
pub fn become_nobody(name: &str) -> io::Result<Became> {
    if super::sys::own_uid() != 0 {
        return Ok(Became::Already);
    }
    let Some((uid, gid)) = user(name) else { return Ok(Became::Root) };
    super::sys::drop_privileges(uid, gid, super::sys::Keep::Nothing)?;
    Ok(Became::User)
}

/// What [`become_user`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// We were somebody else than root from the beginning.
    Already,
    /// There is no such user: we stay root.
    Root,
    /// The user, with two capabilities.
    User,
}

/// A new directory that only we can enter; it goes when this value does.
///
/// # Errors
/// If it cannot be made.
pub fn private_dir() -> io::Result<PrivateDir> {
    use std::os::unix::fs::DirBuilderExt;
    let name: [u8; 8] = random()?;
    let path = std::env::temp_dir().join(format!("streamguard-{:016x}", u64::from_le_bytes(name)));
    std::fs::DirBuilder::new().mode(0o700).create(&path)?;
    Ok(PrivateDir(path))
}

/// See [`private_dir`].
#[derive(Debug)]
pub struct PrivateDir(PathBuf);

impl PrivateDir {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        // Best effort: it lies where temporary things lie.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where sockets and the state of this minute live.
pub fn run_dir() -> PathBuf {
    std::env::var_os("STREAMGUARD_RUN_DIR")
        .map_or_else(|| PathBuf::from("/var/run/streamguard"), PathBuf::from)
}

/// Bytes nobody can guess.
///
/// # Errors
/// If the kernel has none.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
