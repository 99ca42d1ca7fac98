//! Batches that wait on disk for a collector, and how far history has been taken into them.
//!
//! A batch is a file named by its number, written whole or not at all. First the batches of a turn are written, then
//! the progress that counts them: after a crash in between, files with numbers that were never counted are removed,
//! because nobody has sent them and their rows will be taken again. So a number stands for the same rows for ever.
//!
//! The directory is bounded. What finds no room stays in the household's history, which keeps it for weeks.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::uplink::Progress;

const PROGRESS: &str = "progress.json";
const ENDING: &str = "ndjson";

/// A batch that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its number.
    pub number: u64,
    /// Its file: lines of JSON.
    pub path: PathBuf,
    /// The file's size.
    pub bytes: u64,
}

/// A directory of batches.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    limit_bytes: u64,
    /// Locked as long as we live: two that number batches would both be wrong.
    _lock: File,
}

impl Spool {
    /// Opens the directory, or makes it, and removes what a crash left half done. Progress that cannot be read is
    /// put aside and begins anew: rows carry names, so a collector does not count them twice. Anew, numbers begin at
    /// `first`, which is the clock's seconds, so that a number that a collector has seen does not come again.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(directory: &Path, limit_bytes: u64, first: u64) -> io::Result<(Self, Progress)> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let lock = File::create(directory.join("lock"))?;
        lock.try_lock().map_err(io::Error::from)?;
        let spool = Self { directory: directory.to_owned(), limit_bytes, _lock: lock };
        let path = spool.directory.join(PROGRESS);
        let mut progress = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).or_else(|error| {
                log::error!("{}: {error}; put aside, uplink begins anew", path.display());
                fs::rename(&path, path.with_extension("damaged")).map(|()| Progress::default())
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Progress::default(),
            Err(error) => return Err(error),
        };
        let waiting = spool.waiting()?;
        if path.exists() {
            for batch in waiting.iter().filter(|batch| batch.number >= progress.next) {
                fs::remove_file(&batch.path)?;
            }
        } else {
            progress.next = waiting.last().map_or(first, |batch| first.max(batch.number + 1));
        }
        Ok((spool, progress))
    }

    /// Keeps bodies as the next batches and then the progress that has them. `Ok(false)`: there is no room, and
    /// nothing was kept. An empty spool takes a turn of any size.
    ///
    /// # Errors
    /// Those of the file system; then nothing counts as kept.
    pub fn keep(&self, bodies: &[String], progress: &mut Progress) -> io::Result<bool> {
        let held: u64 = self.waiting()?.iter().map(|batch| batch.bytes).sum();
        let added: u64 = bodies.iter().map(|body| body.len() as u64).sum();
        if held > 0 && held + added > self.limit_bytes {
            return Ok(false);
        }
        let mut number = progress.next;
        for body in bodies {
            self.write(&format!("{number:020}.{ENDING}"), body.as_bytes())?;
            number += 1;
        }
        progress.next = number;
        self.write(PROGRESS, &serde_json::to_vec(&progress)?)?;
        Ok(true)
    }

    /// What waits, the oldest first.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn waiting(&self) -> io::Result<Vec<Batch>> {
        waiting(&self.directory)
    }

    /// Forgets a batch that the collector has.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn sent(&self, batch: &Batch) -> io::Result<()> {
        fs::remove_file(&batch.path)
    }

    /// How full the spool of a directory is, for people and programs; nothing is touched.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn status(directory: &Path, limit_bytes: u64) -> io::Result<Value> {
        let waiting = waiting(directory)?;
        let bytes: u64 = waiting.iter().map(|batch| batch.bytes).sum();
        Ok(json!({ "waiting": waiting.len(), "waiting_bytes": bytes, "spool_bytes": limit_bytes }))
    }

    /// On flash when this returns, and under its name only then.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let fresh = self.directory.join(format!("{name}.new"));
        let mut file: File =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, self.directory.join(name))
    }
}

fn waiting(directory: &Path) -> io::Result<Vec<Batch>> {
    let mut batches = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        let (Some(number), Some(true)) = (stem, path.extension().map(|ending| ending == ENDING)) else {
            continue;
        };
        let bytes = fs::metadata(&path)?.len();
        batches.push(Batch { number, path, bytes });
    }
    batches.sort_unstable_by_key(|batch| batch.number);
    Ok(batches)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("streamguard-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        directory
    }

    /// Opens a spool again. Another test that starts a program just now lends it the lock until it executes.
    fn reopened(directory: &Path) -> (Spool, Progress) {
        for _ in 0..500 {
            match Spool::open(directory, 1_000, 5) {
                Err(busy) if busy.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
                opened => return opened.unwrap(),
            }
        }
        panic!("{} stays locked", directory.display());
    }

    fn bodies(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn batches_keep_their_numbers_over_a_restart_and_wait_in_order() {
        let directory = scratch("spool-order");
        let (spool, mut progress) = Spool::open(&directory, 1_000, 5).unwrap();
        assert!(spool.keep(&bodies(&["a\n", "b\n"]), &mut progress).unwrap());
        let first = spool.waiting().unwrap().remove(0);
        assert_eq!((first.number, fs::read_to_string(&first.path).unwrap().as_str()), (5, "a\n"));
        spool.sent(&first).unwrap();
        drop(spool);
        let (spool, mut progress) = reopened(&directory);
        assert!(Spool::open(&directory, 1_000, 5).is_err(), "one at a time");
        assert_eq!(progress.next, 7);
        assert!(spool.keep(&bodies(&["c\n"]), &mut progress).unwrap());
        let numbers: Vec<u64> = spool.waiting().unwrap().iter().map(|batch| batch.number).collect();
        assert_eq!(numbers, [6, 7]);
    }

    #[test]
    fn what_a_crash_left_uncounted_is_taken_again() {
        let directory = scratch("spool-crash");
        let (spool, mut progress) = Spool::open(&directory, 1_000, 5).unwrap();
        spool.keep(&bodies(&["a\n"]), &mut progress).unwrap();
        // The batch was written, the progress that counts it was not.
        fs::write(directory.join(format!("{:020}.{ENDING}", 6)), "half").unwrap();
        fs::write(directory.join("progress.json.new"), "{").unwrap();
        drop(spool);
        let (spool, progress) = reopened(&directory);
        assert_eq!((progress.next, spool.waiting().unwrap().len()), (6, 1));
    }

    #[test]
    fn a_full_spool_takes_nothing_and_loses_nothing() {
        let directory = scratch("spool-full");
        let (spool, mut progress) = Spool::open(&directory, 10, 5).unwrap();
        let large = bodies(&["0123456789abcdef\n"]);
        assert!(spool.keep(&large, &mut progress).unwrap(), "an empty spool takes any turn");
        let before = progress.clone();
        assert!(!spool.keep(&bodies(&["x\n"]), &mut progress).unwrap());
        assert_eq!((&progress, spool.waiting().unwrap().len()), (&before, 1));
        assert_eq!(Spool::status(&directory, 10).unwrap()["waiting_bytes"], 17);
    }

    #[test]
    fn damaged_progress_is_put_aside_and_numbers_go_on() {
        let directory = scratch("spool-damaged");
        let (spool, mut progress) = Spool::open(&directory, 1_000, 5).unwrap();
        spool.keep(&bodies(&["a\n", "b\n"]), &mut progress).unwrap();
        fs::write(directory.join(PROGRESS), "{\"next\": 1}").unwrap();
        drop(spool);
        let (_, progress) = reopened(&directory);
        assert_eq!(progress.next, 7, "batches 5 and 6 wait still");
        assert!(directory.join("progress.damaged").exists());
    }
}
