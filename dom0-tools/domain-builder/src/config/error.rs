// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Every way a configuration is refused, with the place that has to be corrected.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::piece::{Mark, Piece};
use super::source::Source;

/// A place in a configuration file, for messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file's name as the user gave it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What is wrong at the place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The file is not UTF-8 text.
    NotText,
    /// A character that has no meaning there.
    Stray,
    /// A string without its closing quote on the same line.
    OpenString,
    /// A backslash followed by something that is no escape.
    Escape,
    /// A list without its closing bracket.
    OpenList,
    /// Something else has to stand here.
    Expected(&'static str),
    /// A word where a value belongs, which needs quotes.
    NeedsQuotes,
    /// More nested lists than any option has.
    TooDeep,
    /// The name of no option.
    UnknownOption,
    /// An option, value or device that PV guests under Xenolith cannot have: what they cannot do.
    Refused(String),
    /// A value of the wrong kind: what the option takes.
    WrongKind(&'static str),
    /// Text that is no number.
    NotANumber,
    /// A number outside the limits, both inclusive.
    OutOfRange {
        /// Least value.
        least: u64,
        /// Greatest value.
        greatest: u64,
    },
    /// None of the words that may stand here.
    NotOneOf(Vec<&'static str>),
    /// Not of the form that belongs here: how it looks.
    Malformed(&'static str),
    /// An option every guest needs: its name.
    Missing(&'static str),
    /// Given a second time.
    Repeated,
    /// `+=` for an option that can only be set.
    CannotAdd,
    /// Two settings that exclude each other: why.
    Contradiction(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => f.write_str("the file is not UTF-8 text; is it the right file?"),
            Self::Stray => f.write_str("this character means nothing here; remove it"),
            Self::OpenString => f.write_str("the closing quote is missing; strings end on the line they start on"),
            Self::Escape => {
                f.write_str("unknown escape; after a backslash may stand \\ ' \" n r t, x and two hex digits, or three octal digits")
            }
            Self::OpenList => f.write_str("the list that starts here has no closing ']'"),
            Self::Expected(what) => write!(f, "expected {what}"),
            Self::NeedsQuotes => f.write_str("text must stand in quotes"),
            Self::TooDeep => f.write_str("lists in lists: no option takes that"),
            Self::UnknownOption => f.write_str("unknown option; correct or remove it"),
            Self::Refused(what) => write!(f, "PV guests under Xenolith cannot {what}"),
            Self::WrongKind(what) => write!(f, "this option takes {what}"),
            Self::NotANumber => f.write_str("not a number (decimal, 0x for hexadecimal or 0 for octal)"),
            Self::OutOfRange { least, greatest } => write!(f, "must be from {least} to {greatest}"),
            Self::NotOneOf(words) => write!(f, "must be one of: {}", words.join(", ")),
            Self::Malformed(form) => write!(f, "must look like {form}"),
            Self::Missing(option) => write!(f, "'{option}' is not set; every guest needs it"),
            Self::Repeated => f.write_str("given a second time; remove one"),
            Self::CannotAdd => f.write_str("'+=' works for text and lists only; use '='"),
            Self::Contradiction(why) => f.write_str(why),
        }
    }
}

/// A refused configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where.
    pub place: Place,
    /// The offending text, cut to one short line; empty at the end of a file.
    pub text: String,
    /// What is wrong with it.
    pub problem: Problem,
    /// The valid word nearest to the text.
    pub nearest: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.text.is_empty() {
            write!(f, "'{}': ", self.text)?;
        }
        write!(f, "{}", self.problem)?;
        match &self.nearest {
            Some(word) => write!(f, "; did you mean '{word}'?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Something the user should know about a configuration that is accepted all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where.
    pub place: Place,
    /// The text it is about.
    pub text: String,
    /// What about it.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: '{}': {}", self.place, self.text, self.message)
    }
}

/// An error as the parsers make it, which do not know the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    mark: Mark,
    text: String,
    problem: Problem,
    nearest: Option<String>,
}

impl Fault {
    /// Something wrong with all of `piece`.
    pub(crate) fn new(piece: &Piece, problem: Problem) -> Self {
        Self { mark: piece.start(), text: piece.as_str().to_owned(), problem, nearest: None }
    }

    /// Something wrong at a place.
    pub(crate) fn at(mark: Mark, text: &str, problem: Problem) -> Self {
        Self { mark, text: text.to_owned(), problem, nearest: None }
    }

    /// None of `words`, but perhaps nearly one.
    pub(crate) fn not_one_of(piece: &Piece, words: &[&'static str]) -> Self {
        Self::new(piece, Problem::NotOneOf(words.to_vec())).suggest(words.iter().copied())
    }

    /// With the nearest of `words`.
    pub(crate) fn suggest<'a>(mut self, words: impl IntoIterator<Item = &'a str>) -> Self {
        self.nearest = super::nearest::nearest(&self.text, words).map(str::to_owned);
        self
    }

    /// With its place spelled out.
    pub(crate) fn resolve(self, sources: &[Source<'_>]) -> ConfigError {
        ConfigError {
            place: place_of(self.mark, sources),
            text: shorten(&self.text),
            problem: self.problem,
            nearest: self.nearest,
        }
    }
}

/// Spells out a mark.
pub(crate) fn place_of(mark: Mark, sources: &[Source<'_>]) -> Place {
    match sources.get(mark.source) {
        Some(source) => source.place(mark.offset),
        None => Place { file: String::new(), line: 1, column: 1 },
    }
}

/// One line, at most 60 characters, nothing that would move a terminal's cursor.
pub(crate) fn shorten(text: &str) -> String {
    const ROOM: usize = 60;
    let mut short: String = text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    if let Some((at, _)) = short.char_indices().nth(ROOM) {
        short.truncate(at);
        short.push_str("...");
    }
    short
}
