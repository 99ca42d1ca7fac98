//! UCI text to sections, options and lists, as libuci reads it: `config TYPE 'name'`, `option`, `list`, quotes of
//! both kinds, backslashes, comments, statements parted by `;`, quoted values over several lines.
//!
//! Nothing here knows what an option means. A line that is no statement is reported with its number and skipped,
//! because a typing error in one line must not take the rest of a household's rules with it. The text may be
//! hostile (an import, a fuzzer): its size and the number of everything in it are bounded.

use std::fmt;

/// Longest text read; a household of 1,024 described devices needs about 150 KiB.
pub const MAX_TEXT_BYTES: usize = 512 * 1024;
/// Most sections kept; further ones are reported and skipped.
pub const MAX_SECTIONS: usize = 2_048;
/// Most options kept in one section.
pub const MAX_OPTIONS: usize = 128;
/// Most values kept in one list.
pub const MAX_VALUES: usize = 256;
/// Longest name or value kept.
pub const MAX_VALUE_BYTES: usize = 1_024;

/// A file as written, before anybody asked what it means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawConfig {
    /// In the order of the file; sections of the same type and name are one.
    pub sections: Vec<RawSection>,
    /// Lines that were skipped.
    pub errors: Vec<UciError>,
}

/// One `config` statement with what follows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawSection {
    /// Its type.
    pub kind: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The line of its (first) `config` statement.
    pub line: u32,
    /// In the order of the file; a later `option` replaces an earlier one, `list`s add up.
    pub options: Vec<RawOption>,
}

/// One option or list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawOption {
    /// Its name.
    pub name: String,
    /// One value for an `option`, any number for a `list`.
    pub values: Vec<String>,
    /// The line of the last statement about it.
    pub line: u32,
}

/// Why a line was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UciError {
    /// Line number, from 1.
    pub line: u32,
    /// What is wrong with it.
    pub what: UciFault,
}

/// What can be wrong with a line of UCI text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UciFault {
    /// The text is longer than [`MAX_TEXT_BYTES`]; the rest is not read.
    TooLong,
    /// A quote is never closed; everything after it is lost.
    UnclosedQuote,
    /// Not `package`, `config`, `option` or `list`.
    UnknownKeyword(String),
    /// Too few or too many words.
    WordCount {
        /// The statement.
        keyword: &'static str,
    },
    /// A name with characters other than letters, digits, `_` and `-`, or longer than the limit.
    BadName(String),
    /// `option` or `list` before any `config`, or in a section that was skipped.
    NoSection,
    /// More sections, options or values than are kept, or a value that is too long.
    TooMany(&'static str),
}

impl fmt::Display for UciFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "text longer than {MAX_TEXT_BYTES} bytes, the rest is not read"),
            Self::UnclosedQuote => f.write_str("quote is never closed"),
            Self::UnknownKeyword(word) => write!(f, "unknown keyword {:?}", clip(word)),
            Self::WordCount { keyword } => write!(f, "wrong number of words after {keyword}"),
            Self::BadName(name) => write!(f, "bad name {:?}", clip(name)),
            Self::NoSection => f.write_str("outside of any section"),
            Self::TooMany(what) => write!(f, "too many or too long: {what}"),
        }
    }
}

/// At most 40 characters, so that a finding stays a line.
pub(crate) fn clip(text: &str) -> &str {
    text.char_indices().nth(40).map_or(text, |(end, _)| &text[..end])
}

impl RawConfig {
    /// Reads UCI text. Never fails: what is wrong is listed in [`RawConfig::errors`].
    pub fn parse(text: &str) -> Self {
        let mut config = Self::default();
        let mut lexer = Lexer { rest: text, line: 1 };
        if text.len() > MAX_TEXT_BYTES {
            let end = (0..=MAX_TEXT_BYTES).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
            lexer.rest = text.get(..end).unwrap_or_default();
        }
        let mut reader = Reader { config: &mut config, open: None };
        while let Some((line, words)) = lexer.statement() {
            let done = words.and_then(|words| reader.statement(line, words));
            if let Err(what) = done {
                reader.config.report(line, what);
            }
        }
        if text.len() > MAX_TEXT_BYTES {
            config.report(lexer.line, UciFault::TooLong);
        }
        config
    }

    fn report(&mut self, line: u32, what: UciFault) {
        if self.errors.len() < MAX_VALUES {
            self.errors.push(UciError { line, what });
        }
    }
}

struct Reader<'a> {
    config: &'a mut RawConfig,
    /// The section that options go to.
    open: Option<usize>,
}

impl Reader<'_> {
    fn statement(&mut self, line: u32, words: Vec<String>) -> Result<(), UciFault> {
        let mut words = words.into_iter();
        let Some(keyword) = words.next() else { return Ok(()) };
        let (first, second, excess) = (words.next(), words.next(), words.next());
        match (keyword.as_str(), first, second, excess) {
            ("package", Some(_), None, None) => Ok(()),
            ("config", Some(kind), name, None) => self.section(line, kind, name),
            ("option", Some(name), Some(value), None) => self.value(line, name, Replace::With(value)),
            ("list", Some(name), Some(value), None) => self.value(line, name, Replace::Add(value)),
            ("package", ..) => Err(UciFault::WordCount { keyword: "package" }),
            ("config", ..) => {
                self.open = None;
                Err(UciFault::WordCount { keyword: "config" })
            }
            ("option", ..) => Err(UciFault::WordCount { keyword: "option" }),
            ("list", ..) => Err(UciFault::WordCount { keyword: "list" }),
            _ => Err(UciFault::UnknownKeyword(keyword)),
        }
    }

    fn section(&mut self, line: u32, kind: String, name: Option<String>) -> Result<(), UciFault> {
        self.open = None;
        let kind = good_name(kind)?;
        let name = name.filter(|name| !name.is_empty()).map(good_name).transpose()?;
        let sections = &mut self.config.sections;
        let same = |section: &RawSection| name.is_some() && section.name == name && section.kind == kind;
        if let Some(index) = sections.iter().position(same) {
            self.open = Some(index);
            return Ok(());
        }
        if sections.len() >= MAX_SECTIONS {
            return Err(UciFault::TooMany("sections"));
        }
        sections.push(RawSection { kind, name, line, options: Vec::new() });
        self.open = Some(sections.len() - 1);
        Ok(())
    }

    fn value(&mut self, line: u32, name: String, how: Replace) -> Result<(), UciFault> {
        let section = self.open.and_then(|index| self.config.sections.get_mut(index));
        let Some(section) = section else { return Err(UciFault::NoSection) };
        let name = good_name(name)?;
        let (Replace::With(text) | Replace::Add(text)) = &how;
        if text.len() > MAX_VALUE_BYTES {
            return Err(UciFault::TooMany("characters in a value"));
        }
        let Some(known) = section.options.iter_mut().find(|option| option.name == name) else {
            if section.options.len() >= MAX_OPTIONS {
                return Err(UciFault::TooMany("options in a section"));
            }
            let (Replace::With(text) | Replace::Add(text)) = how;
            section.options.push(RawOption { name, values: vec![text], line });
            return Ok(());
        };
        known.line = line;
        match how {
            Replace::With(text) => known.values = vec![text],
            Replace::Add(_) if known.values.len() >= MAX_VALUES => {
                return Err(UciFault::TooMany("values in a list"));
            }
            Replace::Add(text) => known.values.push(text),
        }
        Ok(())
    }
}

/// What a statement does to the values already there.
enum Replace {
    With(String),
    Add(String),
}

fn good_name(name: String) -> Result<String, UciFault> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let fits = (1..=64).contains(&name.len());
    if fits && name.bytes().all(good) { Ok(name) } else { Err(UciFault::BadName(name)) }
}

struct Lexer<'a> {
    rest: &'a str,
    line: u32,
}

impl Lexer<'_> {
    /// The words of the next statement and the line it begins on; `None` at the end of the text.
    fn statement(&mut self) -> Option<(u32, Result<Vec<String>, UciFault>)> {
        while self.rest.starts_with(['\n', ';']) {
            self.bump();
        }
        if self.rest.is_empty() {
            return None;
        }
        let line = self.line;
        let mut words = Vec::new();
        loop {
            while self.rest.starts_with([' ', '\t', '\r']) {
                self.bump();
            }
            match self.rest.chars().next() {
                None | Some('\n' | ';') => return Some((line, Ok(words))),
                Some('#') => self.skip_comment(),
                Some(_) => match self.word() {
                    Ok(word) if words.len() < 8 => words.push(word),
                    Ok(_) => {}
                    Err(fault) => return Some((line, Err(fault))),
                },
            }
        }
    }

    fn bump(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        self.line += u32::from(c == '\n');
        Some(c)
    }

    fn skip_comment(&mut self) {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
    }

    /// One word: quoted and bare pieces run together, as in `'it'\''s'`.
    fn word(&mut self) -> Result<String, UciFault> {
        let mut word = String::new();
        loop {
            match self.rest.chars().next() {
                None | Some(' ' | '\t' | '\r' | '\n' | ';' | '#') => return Ok(word),
                Some(quote @ ('\'' | '"')) => {
                    self.bump();
                    self.quoted(quote, &mut word)?;
                }
                Some('\\') => {
                    self.bump();
                    // A backslash before the end of the line joins the lines.
                    word.extend(self.bump().filter(|&c| c != '\n'));
                }
                Some(_) => word.extend(self.bump()),
            }
        }
    }

    fn quoted(&mut self, quote: char, word: &mut String) -> Result<(), UciFault> {
        loop {
            match self.bump() {
                None => return Err(UciFault::UnclosedQuote),
                Some(c) if c == quote => return Ok(()),
                Some('\\') if quote == '"' => word.extend(self.bump()),
                Some(c) => word.push(c),
            }
        }
    }
}

impl fmt::Display for RawConfig {
    /// As `uci export` writes it; reading it again gives the same sections.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for section in &self.sections {
            match &section.name {
                Some(name) => writeln!(f, "config {} '{name}'", section.kind)?,
                None => writeln!(f, "config {}", section.kind)?,
            }
            for option in &section.options {
                let keyword = if option.values.len() == 1 { "option" } else { "list" };
                for value in &option.values {
                    writeln!(f, "\t{keyword} {} '{}'", option.name, value.replace('\'', "'\\''"))?;
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Vec<(String, Vec<String>)> {
        let config = RawConfig::parse(text);
        assert_eq!(config.errors, [], "{text}");
        let options = config.sections.into_iter().flat_map(|section| section.options);
        options.map(|option| (option.name, option.values)).collect()
    }

    #[test]
    fn quotes_escapes_and_comments_read_as_libuci_does() {
        let cases = [
            ("option a 'b c'", "b c"),
            ("option a \"b \\\" c\"", "b \" c"),
            ("option a b\\ c # comment", "b c"),
            ("option a 'it'\\''s'", "it's"),
            ("option a 'x'#y", "x"),
            ("option a ''", ""),
            ("option a '# no comment; one word'", "# no comment; one word"),
            ("option a 'two\nlines'", "two\nlines"),
            ("option 'a' x; # done", "x"),
            ("option a 'früh ☕'", "früh ☕"),
        ];
        for (text, value) in cases {
            let read = only(&format!("config t 's'\n\t{text}\n"));
            assert_eq!(read, [("a".to_owned(), vec![value.to_owned()])], "{text}");
        }
    }

    #[test]
    fn same_named_sections_are_one_and_later_options_win() {
        let config = RawConfig::parse(
            "config t 's'\n option a 1\n list l x\nconfig t\n option a 2\nconfig t 's'\n option a 3\n list l y\n",
        );
        assert_eq!(config.sections.len(), 2);
        assert_eq!(config.sections[0].options[0].values, ["3"]);
        assert_eq!(config.sections[0].options[1].values, ["x", "y"]);
        assert_eq!(config.sections[1].name, None);
    }

    #[test]
    fn every_bad_line_is_reported_and_the_others_apply() {
        let config = RawConfig::parse(
            "option early 1\nconfig t 's'\nopton a 1\n option b\n option c 1 2\n option d! 1\n option e 5\n\
             config\n option f 1\nconfig t 'q\n option g 1\n",
        );
        let shown: Vec<String> = config.errors.iter().map(|e| format!("{}: {}", e.line, e.what)).collect();
        assert_eq!(
            shown,
            [
                "1: outside of any section",
                "3: unknown keyword \"opton\"",
                "4: wrong number of words after option",
                "5: wrong number of words after option",
                "6: bad name \"d!\"",
                "8: wrong number of words after config",
                "9: outside of any section",
                "10: quote is never closed",
            ]
        );
        assert_eq!(config.sections[0].options.len(), 1);
    }

    #[test]
    fn print_then_parse_is_identity() {
        let text =
            "config t 's'\n option a 'it'\\''s'\n list b 1\n list b '2\n3'\nconfig u\n option c '\\'\n";
        let mut first = RawConfig::parse(text);
        let mut second = RawConfig::parse(&first.to_string());
        let lines = |config: &mut RawConfig| {
            for section in &mut config.sections {
                section.line = 0;
                section.options.iter_mut().for_each(|option| option.line = 0);
            }
        };
        lines(&mut first);
        lines(&mut second);
        assert_eq!(first, second);
        assert_eq!(first.sections.len(), 2);
    }

    #[test]
    fn hostile_sizes_are_bounded() {
        let many = "config t\n".repeat(MAX_SECTIONS + 5_000);
        let config = RawConfig::parse(&many);
        assert_eq!(config.sections.len(), MAX_SECTIONS);
        assert!(config.errors.len() <= MAX_VALUES);
        let long = format!("config t s\n option a '{}'\n", "é".repeat(MAX_TEXT_BYTES));
        let config = RawConfig::parse(&long);
        assert!(config.sections[0].options.is_empty());
        let list = format!("config t s\n{}", " list a 1\n".repeat(MAX_VALUES + 10));
        assert_eq!(RawConfig::parse(&list).sections[0].options[0].values.len(), MAX_VALUES);
    }
}
