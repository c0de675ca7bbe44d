// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rows: one operation, what it costs on Xenolith and on its peer, and how much of the peer's cost is allowed.

use super::stats;
use serde::Serialize;

/// One value that a guest or a script printed: `bench ROW UNIT VALUE`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measured {
    pub(crate) row: String,
    pub(crate) unit: String,
    pub(crate) value: f64,
}

/// Finds a measurement in a console line, whatever stands before it.
pub(crate) fn parse(line: &str) -> Option<Measured> {
    const MARK: &str = "bench ";
    let at = line.find(MARK)?;
    if line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '-' || c == '_') {
        return None;
    }
    let mut words = line[at + MARK.len()..].split_whitespace();
    let (row, unit, value) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
    let whole = words.next().is_none() && f64::is_finite(value) && value > 0.0;
    whole.then(|| Measured { row: row.into(), unit: unit.into(), value })
}

/// Whose value it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    Peer,
}

/// What a row is held to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    /// The largest ratio.
    Ratio(f64),
    /// The largest value of ours, in the row's unit, whatever the peer has.
    Value(f64),
}

/// A row that may be over its limit: how far, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Exception {
    pub(crate) row: &'static str,
    /// The largest ratio all the same, or the largest value where values are limited, so that the row cannot get worse unseen.
    pub(crate) at_most: f64,
    /// Why, and what was tried.
    pub(crate) why: &'static str,
}

/// A row with all its values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) group: &'static str,
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) ours: Vec<f64>,
    pub(crate) peer: Vec<f64>,
    pub(crate) limit: Option<Limit>,
    pub(crate) exception: Option<Exception>,
}

impl Row {
    pub(crate) fn our_median(&self) -> f64 {
        stats::median(&self.ours)
    }

    pub(crate) fn peer_median(&self) -> f64 {
        stats::median(&self.peer)
    }

    /// The greater of both sides' spreads.
    pub(crate) fn spread(&self) -> f64 {
        stats::spread(&self.ours).max(stats::spread(&self.peer))
    }

    /// Ours by the peer's: below 1 we are cheaper. No number when a side is missing.
    pub(crate) fn ratio(&self) -> f64 {
        self.our_median() / self.peer_median()
    }

    /// Whether it is over what is allowed; a missing value is.
    pub(crate) fn is_over(&self) -> bool {
        let within = match self.limit {
            None => true,
            Some(Limit::Ratio(most)) => self.ratio() <= most,
            Some(Limit::Value(most)) => self.our_median() <= most,
        };
        !within
    }

    /// Over, and nothing says why, or further than that explains.
    pub(crate) fn is_wrong(&self) -> bool {
        let limited = if let Some(Limit::Value(_)) = self.limit { self.our_median() } else { self.ratio() };
        let is_excused = self.exception.is_some_and(|exception| limited <= exception.at_most);
        self.is_over() && !is_excused
    }

    /// As it is printed with `--json` and kept.
    pub(crate) fn record(&self) -> Record<'_> {
        Record {
            row: &self.name,
            unit: &self.unit,
            xenolith: self.our_median(),
            peer: self.peer_median(),
            ratio: self.ratio(),
            group: self.group,
            spread: self.spread(),
            rounds: self.ours.len().min(self.peer.len()),
            at_most_ratio: self.limit.and_then(|limit| if let Limit::Ratio(most) = limit { Some(most) } else { None }),
            at_most: self.limit.and_then(|limit| if let Limit::Value(most) = limit { Some(most) } else { None }),
            exception: self.exception.map(|exception| exception.why),
        }
    }
}

/// A row in numbers. A side without values is a `null`.
#[derive(Serialize)]
pub(crate) struct Record<'a> {
    row: &'a str,
    unit: &'a str,
    xenolith: f64,
    peer: f64,
    ratio: f64,
    group: &'static str,
    spread: f64,
    rounds: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_most_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_most: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exception: Option<&'static str>,
}

/// What each row of a group is held to.
#[derive(Clone, Copy)]
pub(crate) struct Targets {
    /// The name of the group.
    pub(crate) group: &'static str,
    /// For rows that are not named.
    pub(crate) usual: Option<Limit>,
    /// Rows with a limit of their own, or with none.
    pub(crate) own: &'static [(&'static str, Option<Limit>)],
    /// Rows that may be over their limit, and why.
    pub(crate) exceptions: &'static [Exception],
}

/// Rows in the order in which they were first seen.
pub(crate) struct Rows {
    targets: Targets,
    pub(crate) rows: Vec<Row>,
}

impl Rows {
    pub(crate) fn new(targets: Targets) -> Self {
        Self { targets, rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, side: Side, measured: &Measured) {
        let at = self.rows.iter().position(|row| row.name == measured.row && row.unit == measured.unit);
        let at = at.unwrap_or_else(|| {
            let Targets { group, usual, own, exceptions } = self.targets;
            self.rows.push(Row {
                group,
                name: measured.row.clone(),
                unit: measured.unit.clone(),
                ours: Vec::new(),
                peer: Vec::new(),
                limit: own.iter().find(|(name, _)| *name == measured.row).map_or(usual, |(_, limit)| *limit),
                exception: exceptions.iter().find(|exception| exception.row == measured.row).copied(),
            });
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        match side {
            Side::Ours => row.ours.push(measured.value),
            Side::Peer => row.peer.push(measured.value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: Targets = Targets {
        group: "g",
        usual: Some(Limit::Ratio(0.5)),
        own: &[("null", Some(Limit::Ratio(0.3))), ("size", Some(Limit::Value(1024.0))), ("free", None)],
        exceptions: &[Exception { row: "slow", at_most: 0.95, why: "physics" }],
    };

    fn rows(values: &[(&str, f64, f64)]) -> Vec<Row> {
        let mut rows = Rows::new(TARGETS);
        for (row, ours, peer) in values {
            for (side, value) in [(Side::Ours, *ours), (Side::Peer, *peer)] {
                rows.add(side, &Measured { row: (*row).into(), unit: "instructions".into(), value });
            }
        }
        rows.rows
    }

    #[test]
    fn measurements_are_found_amid_other_text() {
        let wanted = Measured { row: "null".into(), unit: "instructions".into(), value: 280.5 };
        assert_eq!(parse("bench null instructions 280.5"), Some(wanted.clone()));
        assert_eq!(parse("(XEN) (d0) bench null instructions 280.5"), Some(wanted));
        assert_eq!(parse("bench null instructions"), None);
        assert_eq!(parse("bench null instructions many"), None);
        assert_eq!(parse("bench null instructions -1"), None);
        assert_eq!(parse("bench null instructions NaN"), None);
        assert_eq!(parse("bench null instructions 1 2"), None);
        assert_eq!(parse("workbench null instructions 1"), None);
    }

    #[test]
    fn rows_are_held_to_their_limits() {
        let rows = rows(&[
            ("null", 40.0, 100.0),
            ("send", 40.0, 100.0),
            ("slow", 90.0, 100.0),
            ("size", 1000.0, 500.0),
            ("size2", 1000.0, 500.0),
            ("free", 9.0, 1.0),
        ]);
        let judged: Vec<_> = rows.iter().map(|row| (row.is_over(), row.is_wrong())).collect();
        assert_eq!(judged, [(true, true), (false, false), (true, false), (false, false), (true, true), (false, false)]);
    }

    #[test]
    fn an_exception_has_an_end() {
        let judged: Vec<_> = [40.0, 95.0, 96.0].map(|ours| rows(&[("slow", ours, 100.0)])[0].is_wrong()).into();
        assert_eq!(judged, [false, false, true]);
    }

    #[test]
    fn a_row_without_a_peer_is_over() {
        let mut rows = Rows::new(TARGETS);
        rows.add(Side::Ours, &Measured { row: "send".into(), unit: "us".into(), value: 1.0 });
        assert!(rows.rows[0].is_wrong());
    }

    #[test]
    fn a_record_has_medians_and_their_ratio() {
        let mut rows = rows(&[("send", 10.0, 40.0)]);
        rows[0].ours.extend([20.0, 90.0]);
        let text = serde_json::to_string(&rows[0].record()).expect("numbers");
        assert!(
            text.starts_with(r#"{"row":"send","unit":"instructions","xenolith":20.0,"peer":40.0,"ratio":0.5,"#),
            "{text}"
        );
    }
}
