//! Comma-separated values (RFC 4180) that a spreadsheet cannot take for a program.
//!
//! Names come off the wire, and spreadsheets run cells that begin like a formula. Such cells get a leading
//! apostrophe, which spreadsheets hide and everybody else can strip; control characters become spaces.

use std::fmt::{self, Display};
use std::io::{self, Write};

/// One cell, made harmless.
pub struct Cell<'a>(pub &'a str);

impl Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text) = self;
        let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_signed_number(text);
        let quoted = text.contains(['"', ',', '\n', '\r', ';']);
        if quoted {
            f.write_str("\"")?;
        }
        if formula {
            f.write_str("'")?;
        }
        for c in text.chars() {
            match c {
                '"' => f.write_str("\"\"")?,
                c if c.is_control() => f.write_str(" ")?,
                c => write!(f, "{c}")?,
            }
        }
        if quoted { f.write_str("\"") } else { Ok(()) }
    }
}

/// A minus or plus and digits: no program.
fn is_signed_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Writes one row.
///
/// # Errors
/// Those of the writer.
pub fn row(out: &mut impl Write, cells: &[&dyn Display]) -> io::Result<()> {
    let mut text = String::new();
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        text.clear();
        fmt::Write::write_fmt(&mut text, format_args!("{cell}")).map_err(io::Error::other)?;
        write!(out, "{}", Cell(&text))?;
    }
    out.write_all(b"\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        let shown = |text| Cell(text).to_string();
        assert_eq!(shown("plain"), "plain");
        assert_eq!(shown("a,\"b\""), "\"a,\"\"b\"\"\"");
        for (hostile, harmless) in [
            ("=1+1", "'=1+1"),
            ("+A1", "'+A1"),
            ("-A1", "'-A1"),
            ("-1+1", "'-1+1"),
            ("-", "'-"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "' =1"),
            ("\r=1", "\"' =1\""),
        ] {
            assert_eq!(shown(hostile), harmless);
        }
        assert_eq!(shown("-0.5"), "-0.5", "numbers stay numbers");
    }
}
