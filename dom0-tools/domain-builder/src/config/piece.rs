// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Text that still knows where it was written: what errors point at.

use std::ops::Range;

/// Where a byte of a value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Which of the sources.
    pub(crate) source: usize,
    /// The byte in it.
    pub(crate) offset: usize,
}

/// A value or a part of one. Escapes are resolved and pieces of several lines may be joined, so each byte has its mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    text: String,
    /// One mark for each byte of `text`.
    marks: Vec<Mark>,
    /// Where the piece starts, which an empty one has to say too.
    start: Mark,
}

impl Piece {
    /// An empty piece.
    pub(crate) fn empty(start: Mark) -> Self {
        Self { text: String::new(), marks: Vec::new(), start }
    }

    /// A piece that stands in the source as it is.
    pub(crate) fn verbatim(text: &str, start: Mark) -> Self {
        let marks = (0..text.len()).map(|n| Mark { source: start.source, offset: start.offset + n }).collect();
        Self { text: text.to_owned(), marks, start }
    }

    /// Appends a character that was written at `mark`.
    pub(crate) fn push(&mut self, character: char, mark: Mark) {
        self.text.push(character);
        self.marks.resize(self.text.len(), mark);
    }

    /// Appends another piece (`+=`).
    pub(crate) fn append(&mut self, other: &Self) {
        if self.text.is_empty() {
            self.start = other.start;
        }
        self.text.push_str(&other.text);
        self.marks.extend_from_slice(&other.marks);
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Where it starts.
    pub(crate) fn start(&self) -> Mark {
        self.marks.first().copied().unwrap_or(self.start)
    }

    /// The part in the given bytes; empty if they are no characters of this piece.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        let start = self.marks.get(range.start).or(self.marks.last()).copied().unwrap_or(self.start);
        match (self.text.get(range.clone()), self.marks.get(range)) {
            (Some(text), Some(marks)) => Self { text: text.to_owned(), marks: marks.to_vec(), start },
            _ => Self::empty(start),
        }
    }

    /// Without white space at both ends.
    pub(crate) fn trim(&self) -> Self {
        let from = self.text.len() - self.text.trim_start().len();
        self.slice(from..from + self.text.trim().len())
    }

    /// Without white space before it.
    pub(crate) fn trim_start(&self) -> Self {
        let from = self.text.len() - self.text.trim_start().len();
        self.slice(from..self.text.len())
    }

    /// The parts before and after the first `separator`.
    pub(crate) fn split_once(&self, separator: char) -> Option<(Self, Self)> {
        let at = self.text.find(separator)?;
        Some((self.slice(0..at), self.slice(at + separator.len_utf8()..self.text.len())))
    }

    /// All parts between `separator`s; one, if there is none.
    pub(crate) fn split(&self, separator: char) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut rest = self.clone();
        while let Some((part, after)) = rest.split_once(separator) {
            parts.push(part);
            rest = after;
        }
        parts.push(rest);
        parts
    }

    /// What follows `prefix`, if the piece starts with it.
    pub(crate) fn strip_prefix(&self, prefix: &str) -> Option<Self> {
        self.text.starts_with(prefix).then(|| self.slice(prefix.len()..self.text.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &str) -> Piece {
        Piece::verbatim(text, Mark { source: 0, offset: 100 })
    }

    #[test]
    fn parts_know_where_they_stand() {
        let parts = piece("ab, cd,").split(',');
        let seen: Vec<_> = parts.iter().map(|part| (part.as_str(), part.start().offset)).collect();
        assert_eq!(seen, [("ab", 100), (" cd", 103), ("", 106)]);
        assert_eq!(parts[1].trim().start().offset, 104);
        assert_eq!(piece("phy:/x").strip_prefix("phy:").unwrap().start().offset, 104);
    }

    #[test]
    fn a_part_across_characters_is_empty() {
        assert_eq!(piece("ä").slice(1..2).as_str(), "");
        assert_eq!(piece("a").slice(5..9).as_str(), "");
    }
}
