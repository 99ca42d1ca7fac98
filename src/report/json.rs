//! One JSON document, written member by member as its parts become known.
//!
//! Lists are written while they are made, so that a report over millions of rows never exists in memory at once.

use std::io::{self, Write};

use serde::Serialize;

use super::row::{Row, Rows};

/// A JSON object being written.
#[derive(Debug)]
pub struct JsonObject {
    next: &'static str,
}

impl Default for JsonObject {
    fn default() -> Self {
        Self { next: "{" }
    }
}

impl JsonObject {
    /// Writes one member.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn member(&mut self, out: &mut impl Write, name: &str, value: &impl Serialize) -> io::Result<()> {
        self.name(out, name)?;
        serde_json::to_writer(out, value)?;
        Ok(())
    }

    /// Writes a member that is a list.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn list<T: Serialize>(
        &mut self,
        out: &mut impl Write,
        name: &str,
        items: impl Iterator<Item = T>,
    ) -> io::Result<()> {
        self.items(out, name, items, |out, is_first, item| Self::item(out, is_first, &item))
    }

    /// Writes a member that is a list of rows.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn rows<R: Row>(
        &mut self,
        out: &mut impl Write,
        name: &str,
        rows: impl Iterator<Item = R>,
    ) -> io::Result<()> {
        let mut lines = Rows::default();
        self.items(out, name, rows, |out, is_first, row| lines.json(out, is_first, &row))
    }

    fn items<W: Write, T>(
        &mut self,
        out: &mut W,
        name: &str,
        items: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut W, bool, T) -> io::Result<()>,
    ) -> io::Result<()> {
        self.open_list(out, name)?;
        let mut is_first = true;
        for item in items {
            write(out, std::mem::replace(&mut is_first, false), item)?;
        }
        Self::close_list(out)
    }

    /// Begins a list that is written item by item.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn open_list(&mut self, out: &mut impl Write, name: &str) -> io::Result<()> {
        self.name(out, name)?;
        out.write_all(b"[")
    }

    /// Writes one item of an open list.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn item(out: &mut impl Write, first: bool, item: &impl Serialize) -> io::Result<()> {
        if !first {
            out.write_all(b",")?;
        }
        serde_json::to_writer(out, item)?;
        Ok(())
    }

    /// Ends a list.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn close_list(out: &mut impl Write) -> io::Result<()> {
        out.write_all(b"]")
    }

    /// Ends the object and the line.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn end(self, out: &mut impl Write) -> io::Result<()> {
        if self.next == "{" {
            out.write_all(b"{")?;
        }
        out.write_all(b"}\n")?;
        out.flush()
    }

    fn name(&mut self, out: &mut impl Write, name: &str) -> io::Result<()> {
        out.write_all(self.next.as_bytes())?;
        self.next = ",";
        serde_json::to_writer(&mut *out, name)?;
        out.write_all(b":")
    }
}
