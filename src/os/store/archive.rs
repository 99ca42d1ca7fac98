//! The database and its commits, which wait for flash beside the loop instead of in it.
//!
//! A commit ends when its files are synced, and that takes as long as the disk likes. A ring of 2 MB holds some 35 ms of
//! a flood, and an answer on the control socket is promised in 50: the loop cannot wait, and a file cannot be synced
//! without waiting. So the whole [`Database`] goes away with its rows to
//! a thread that lives as long as the commit. There is still one connection, used by one thread at a time, and
//! nothing is shared. Rows that come meanwhile wait in an [`Intake`] here; a question to history waits for the
//! database's return, so that its answer knows every row exactly once.

use std::cell::{OnceCell, RefCell};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};

use super::StoreError;
use super::database::{Committed, Database, Urgency};
use super::intake::Intake;
use crate::time::{LocalDay, Moment};

/// A quarter of what Rust gives a thread unasked; pages that are not touched cost nothing.
const STACK_BYTES: usize = 512 << 10;

/// The database as it comes back, and what became of its commit.
type Returned = (Database, Result<(), StoreError>);

/// The database, wherever it is.
#[derive(Debug)]
pub struct Archive {
    /// Empty while a commit is under way; `None` if one took the database with it.
    home: OnceCell<Option<Database>>,
    thread: RefCell<Option<JoinHandle<Option<Returned>>>>,
    /// Of the last commit, until somebody was told.
    outcome: RefCell<Option<Result<(), StoreError>>>,
    /// What comes while the database is away.
    beside: RefCell<Intake>,
    /// What was asked for while it was away.
    urgency: Urgency,
}

impl Archive {
    /// An archive whose database is at home.
    pub fn new(database: Database) -> Self {
        let beside = RefCell::new(database.intake.beside());
        Self {
            home: OnceCell::from(Some(database)),
            thread: RefCell::new(None),
            outcome: RefCell::new(None),
            beside,
            urgency: Urgency::Ordinary,
        }
    }

    /// Where rows are put; never waits.
    pub fn intake(&mut self) -> &mut Intake {
        match self.home.get_mut() {
            Some(Some(database)) => database.intake(),
            _ => self.beside.get_mut(),
        }
    }

    /// For questions; waits for a commit that is under way. `None` if there is no database any more.
    pub fn database(&self) -> Option<&Database> {
        self.home.get_or_init(|| self.bring_home()).as_ref()
    }

    /// For changes; waits for a commit that is under way.
    ///
    /// # Errors
    /// If there is no database any more.
    pub fn database_mut(&mut self) -> Result<&mut Database, StoreError> {
        self.database();
        self.home.get_mut().and_then(Option::as_mut).ok_or(StoreError::Lost)
    }

    /// Begins to write what waits, if it is time, and says what became of the commit before if that is news. A
    /// commit on leaving is waited for.
    ///
    /// # Errors
    /// If the disk was full or broken at the last commit; its rows wait again.
    pub fn commit(&mut self, urgency: Urgency, now: Moment, day: LocalDay) -> Result<Committed, StoreError> {
        let urgency = urgency.max(self.urgency);
        if urgency == Urgency::Leaving {
            return self.database_mut()?.commit(urgency, now, day);
        }
        if self.is_away() {
            self.urgency = urgency;
            return Ok(Committed::Underway);
        }
        self.urgency = Urgency::Ordinary;
        let due = self.database_mut()?.due(urgency, now, day);
        let before = self.outcome.take().transpose()?;
        match due? {
            Committed::Yes => self.send_away(day),
            other => Ok(before.map_or(other, |()| Committed::Yes)),
        }
    }

    fn is_away(&mut self) -> bool {
        self.thread.get_mut().as_ref().is_some_and(|thread| !thread.is_finished())
    }

    fn send_away(&mut self, day: LocalDay) -> Result<Committed, StoreError> {
        let beside = self.database_mut()?.intake.beside();
        // It lies here until the thread takes it; if there is none to be had, it is still here.
        let table = Arc::new(Mutex::new(self.home.take().flatten()));
        let taken = Arc::clone(&table);
        let write = move || {
            let mut database = taken.lock().ok()?.take()?;
            let outcome = database.write_out(day);
            Some((database, outcome))
        };
        match Builder::new().name("history".into()).stack_size(STACK_BYTES).spawn(write) {
            Ok(thread) => {
                self.beside = RefCell::new(beside);
                self.thread = RefCell::new(Some(thread));
                Ok(Committed::Underway)
            }
            Err(_) => {
                let database = table.lock().ok().and_then(|mut table| table.take());
                self.home = OnceCell::from(database);
                self.database_mut()?.write_out(day).map(|()| Committed::Yes)
            }
        }
    }

    /// Waits for the commit and puts what came meanwhile to what it left.
    fn bring_home(&self) -> Option<Database> {
        let (mut database, outcome) = self.thread.take()?.join().ok().flatten()?;
        database.intake.pending.absorb(self.beside.take().pending);
        self.outcome.replace(Some(outcome));
        Some(database)
    }
}
