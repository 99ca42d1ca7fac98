//! Files that a person asked for and did not name: recordings, below one directory.
//!
//! Whoever asks may be a browser that somebody tricked, so it chooses neither path nor name, and the directory must
//! be ours: in `/tmp` anybody can make one first, or a link in its place.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::sys;
use crate::time::{LocalDay, WallTime};

/// Bytes of recordings kept; more are not begun until some are removed.
pub const MAX_KEPT_BYTES: u64 = 64_000_000;
/// Recordings of one second.
const MAX_A_SECOND: u32 = 20;

/// Opens a recording by its name, which is no path. A link is not followed.
///
/// # Errors
/// If there is no such file.
pub fn open(directory: &Path, name: &str) -> io::Result<File> {
    if name.contains('/') || name.starts_with('.') {
        return Err(io::ErrorKind::NotFound.into());
    }
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(directory.join(name))?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Makes a new file below the directory, named by what it holds and when.
///
/// # Errors
/// If the directory is not ours or full of recordings, or the disk says no.
pub fn create(directory: &Path, (what, ending): (&str, &str), at: WallTime) -> io::Result<(PathBuf, File)> {
    fs::DirBuilder::new().recursive(true).mode(0o750).create(directory)?;
    let found = fs::symlink_metadata(directory)?;
    if !found.is_dir() || found.uid() != sys::own_uid() {
        let message = format!("{}: not a directory of our own", directory.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    let sizes = fs::read_dir(directory)?.flatten().filter_map(|entry| entry.metadata().ok());
    if sizes.map(|file| file.len()).sum::<u64>() >= MAX_KEPT_BYTES {
        let message = format!("{}: {MAX_KEPT_BYTES} bytes of recordings; remove some", directory.display());
        return Err(io::Error::new(io::ErrorKind::StorageFull, message));
    }
    let (day, of_day) = (at.as_secs().div_euclid(86_400), at.as_secs().rem_euclid(86_400));
    let (year, month, date) = LocalDay::from_days(i32::try_from(day).unwrap_or(0)).ymd();
    let stamp = format!(
        "{year:04}{month:02}{date:02}T{:02}{:02}{:02}Z",
        of_day / 3_600,
        of_day / 60 % 60,
        of_day % 60
    );
    for number in 1..=MAX_A_SECOND {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let path = directory.join(format!("{what}-{stamp}{suffix}.{ending}"));
        match OpenOptions::new().write(true).create_new(true).mode(0o640).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many recordings at once"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_new_and_a_link_is_not_followed() {
        let base = std::env::temp_dir().join(format!("streamguard-recordings-{}", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        let at = WallTime::from_secs(1_795_187_400);
        let named = |name: &Path| name.file_name().unwrap().to_str().unwrap().to_owned();
        let (first, _) = create(&base.join("own"), ("packets", "pcapng"), at).unwrap();
        let (second, _) = create(&base.join("own"), ("packets", "pcapng"), at).unwrap();
        assert_eq!(named(&first), "packets-20261120T151000Z.pcapng");
        assert_eq!(named(&second), "packets-20261120T151000Z-2.pcapng");
        std::os::unix::fs::symlink(base.join("own"), base.join("link")).unwrap();
        let refused = create(&base.join("link"), ("packets", "pcapng"), at).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        fs::remove_dir_all(&base).unwrap();
    }
}
