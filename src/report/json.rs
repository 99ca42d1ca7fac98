//! One JSON document, written member by member as its parts become known.
//!
//! Lists are written while they are made, so that a report over millions of rows never exists in memory at once.

use std::io::{self, Write};

use serde::Serialize;

/// A JSON object being written.
pub struct JsonObject<W: Write> {
    out: W,
    next: &'static str,
}

impl<W: Write> JsonObject<W> {
    /// Opens the object.
    pub fn new(out: W) -> Self {
        Self { out, next: "{" }
    }

    /// Writes one member.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn member(&mut self, name: &str, value: &impl Serialize) -> io::Result<()> {
        self.name(name)?;
        serde_json::to_writer(&mut self.out, value)?;
        Ok(())
    }

    /// Writes a member that is a list.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn list<T: Serialize>(&mut self, name: &str, items: impl Iterator<Item = T>) -> io::Result<()> {
        self.open_list(name)?;
        for (index, item) in items.enumerate() {
            self.item(index == 0, &item)?;
        }
        self.close_list()
    }

    /// Begins a list that is written item by item.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn open_list(&mut self, name: &str) -> io::Result<()> {
        self.name(name)?;
        self.out.write_all(b"[")
    }

    /// Writes one item of an open list.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn item(&mut self, first: bool, item: &impl Serialize) -> io::Result<()> {
        if !first {
            self.out.write_all(b",")?;
        }
        serde_json::to_writer(&mut self.out, item)?;
        Ok(())
    }

    /// Ends a list.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn close_list(&mut self) -> io::Result<()> {
        self.out.write_all(b"]")
    }

    /// Ends the object and the line.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn end(mut self) -> io::Result<()> {
        if self.next == "{" {
            self.out.write_all(b"{")?;
        }
        self.out.write_all(b"}\n")?;
        self.out.flush()
    }

    fn name(&mut self, name: &str) -> io::Result<()> {
        self.out.write_all(self.next.as_bytes())?;
        self.next = ",";
        serde_json::to_writer(&mut self.out, name)?;
        self.out.write_all(b":")
    }
}
