// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The syntax: settings, values, comments. What the options mean is decided elsewhere.
//!
//! ```text
//! file    = { [ setting ] [ comment ] ( newline | ';' ) }
//! setting = name ( '=' | '+=' ) value
//! value   = "string" | 'string' | number | '[' [ value { ',' value } [ ',' ] ] ']'
//! ```
//! Inside a list, newlines and comments may stand anywhere. Strings know the escapes of C. Seen with xl 4.17, which
//! differs in one point: it takes no carriage returns.

use super::error::{Fault, Problem};
use super::piece::{Mark, Piece};
use super::source::Source;

/// Lists in lists beyond this are nonsense, and a recursion limit.
const MAX_DEPTH: usize = 4;

/// A value, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A quoted string.
    Text(Piece),
    /// A number as it was written.
    Number(Piece),
    /// A list, and where it starts.
    List(Vec<Value>, Mark),
}

/// How a setting changes what the option had before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `=`: replaces it.
    Set,
    /// `+=`: adds to it.
    Add,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The option's name.
    pub(crate) name: Piece,
    /// What to do with the value.
    pub(crate) operator: Operator,
    /// The value.
    pub(crate) value: Value,
}

/// All settings of a source, in order.
pub(crate) fn parse(index: usize, source: &Source<'_>) -> Result<Vec<Setting>, Fault> {
    let text = std::str::from_utf8(source.text).map_err(|error| {
        let mark = Mark { source: index, offset: error.valid_up_to() };
        Fault::at(mark, "", Problem::NotText)
    })?;
    Parser { text, at: 0, source: index }.file()
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    source: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn mark(&self) -> Mark {
        Mark { source: self.source, offset: self.at }
    }

    fn take(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Takes all characters `wanted` accepts.
    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> Piece {
        let start = self.mark();
        let rest = self.rest();
        let len = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += len;
        Piece::verbatim(rest.get(..len).unwrap_or_default(), start)
    }

    /// Takes `token` if it comes next.
    fn eat(&mut self, token: &str) -> bool {
        let there = self.rest().starts_with(token);
        if there {
            self.at += token.len();
        }
        there
    }

    fn skip_blanks(&mut self) {
        self.take_while(|c| matches!(c, ' ' | '\t' | '\r'));
        if self.peek() == Some('#') {
            self.take_while(|c| c != '\n');
        }
    }

    /// Also over the ends of lines, as inside lists.
    fn skip_lines(&mut self) {
        loop {
            self.skip_blanks();
            if !self.eat("\n") {
                return;
            }
        }
    }

    /// What stands here, for an error: a word, or a character.
    fn found(&self) -> &'a str {
        let rest = self.rest();
        let word = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
        let len = if word > 0 { word } else { rest.chars().next().filter(|&c| c != '\n').map_or(0, char::len_utf8) };
        rest.get(..len).unwrap_or_default()
    }

    fn expected(&self, what: &'static str) -> Fault {
        Fault::at(self.mark(), self.found(), Problem::Expected(what))
    }

    fn file(mut self) -> Result<Vec<Setting>, Fault> {
        let mut settings = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek() {
                None => return Ok(settings),
                Some('\n' | ';') => {
                    self.take();
                }
                Some(_) => {
                    settings.push(self.setting()?);
                    self.skip_blanks();
                    if !matches!(self.peek(), None | Some('\n' | ';')) {
                        return Err(self.expected("the end of the line or ';' before the next option"));
                    }
                }
            }
        }
    }

    fn setting(&mut self) -> Result<Setting, Fault> {
        if !self.peek().is_some_and(|c| c.is_alphabetic() || c == '_') {
            return Err(Fault::at(self.mark(), self.found(), Problem::Stray));
        }
        let name = self.take_while(is_name);
        self.skip_blanks();
        let operator = if self.eat("+=") {
            Operator::Add
        } else if self.eat("=") {
            Operator::Set
        } else {
            return Err(self.expected("'=' after the option's name"));
        };
        self.skip_blanks();
        Ok(Setting { name, operator, value: self.value(0)? })
    }

    fn value(&mut self, depth: usize) -> Result<Value, Fault> {
        match self.peek() {
            Some(quote @ ('"' | '\'')) => self.string(quote),
            Some('[') if depth == MAX_DEPTH => Err(Fault::at(self.mark(), "[", Problem::TooDeep)),
            Some('[') => self.list(depth),
            Some(c) if c.is_ascii_digit() || c == '-' || c == '+' => {
                let start = self.at;
                self.take();
                self.take_while(|c| c.is_alphanumeric() || c == '.');
                let written = self.text.get(start..self.at).unwrap_or_default();
                Ok(Value::Number(Piece::verbatim(written, Mark { source: self.source, offset: start })))
            }
            Some(c) if is_name(c) || c == '/' => {
                let word = self.take_while(|c| !c.is_whitespace() && !matches!(c, ';' | ',' | ']' | '#'));
                Err(Fault::new(&word, Problem::NeedsQuotes))
            }
            _ => Err(self.expected("a value: \"text\", a number or a [list]")),
        }
    }

    fn string(&mut self, quote: char) -> Result<Value, Fault> {
        let opening = self.mark();
        self.take();
        let mut piece = Piece::empty(self.mark());
        loop {
            let mark = self.mark();
            match self.take() {
                None | Some('\n') => {
                    let written = self.text.get(opening.offset..mark.offset).unwrap_or_default();
                    return Err(Fault::at(opening, written.trim_end(), Problem::OpenString));
                }
                Some('\\') => {
                    let character = self.escape().ok_or_else(|| {
                        let shown = self.text.get(mark.offset..self.at).unwrap_or("\\");
                        Fault::at(mark, shown, Problem::Escape)
                    })?;
                    piece.push(character, mark);
                }
                Some(c) if c == quote => return Ok(Value::Text(piece)),
                Some(c) => piece.push(c, mark),
            }
        }
    }

    /// The character behind a backslash that has been taken.
    fn escape(&mut self) -> Option<char> {
        let digits = |parser: &mut Self, radix: u32, count: usize| {
            let digits = parser.rest().get(..count)?.to_owned();
            if !digits.chars().all(|c| c.is_digit(radix)) {
                return None;
            }
            parser.at += count;
            // NUL and bytes that are no ASCII would not be the text anybody wants.
            u8::from_str_radix(&digits, radix).ok().filter(|byte| (1..0x80).contains(byte)).map(char::from)
        };
        match self.peek()? {
            c @ ('\\' | '\'' | '"') => self.take().map(|_| c),
            'n' => self.take().map(|_| '\n'),
            'r' => self.take().map(|_| '\r'),
            't' => self.take().map(|_| '\t'),
            'x' => {
                self.take();
                digits(self, 16, 2)
            }
            '0'..='7' => digits(self, 8, 3),
            _ => {
                self.take();
                None
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, Fault> {
        let start = self.mark();
        let open = || Fault::at(start, "[", Problem::OpenList);
        self.take();
        let mut values = Vec::new();
        loop {
            self.skip_lines();
            self.peek().ok_or_else(open)?;
            if self.eat("]") {
                return Ok(Value::List(values, start));
            }
            values.push(self.value(depth + 1)?);
            self.skip_lines();
            let next = self.peek().ok_or_else(open)?;
            if !self.eat(",") && next != ']' {
                return Err(self.expected("',' or ']' after a value of a list"));
            }
        }
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.'
}
