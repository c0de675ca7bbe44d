// SPDX-License-Identifier: MIT OR Apache-2.0
//! Machines that take turns, so that what else the host does falls on all of them. A script asks for its next turn by printing
//! `turn` and reading a line from the console.

use anyhow::Result;
use harness::dom0::{Dom0, Spec};
use std::time::Duration;

/// One of the machines.
pub struct Player {
    /// What it runs.
    pub dom0: Dom0,
    /// What its script said so far.
    pub said: Vec<String>,
    /// Its script has come to its end.
    pub ended: bool,
    patience: Duration,
}

impl Player {
    /// Boots `spec` with `script`, up to its /init: another one's boot would be in its way. No turn may take longer than
    /// `patience`.
    ///
    /// # Errors
    /// When it does not come so far.
    pub fn start(spec: &Spec, log: &str, script: &str, patience: Duration) -> Result<Self> {
        let mut dom0 = spec.start(log, Some(script))?;
        dom0.wait_for_init(patience)?;
        Ok(Self { dom0, said: Vec::new(), ended: false, patience })
    }

    /// Lets it go on until it asks for its next turn, or has ended.
    ///
    /// # Errors
    /// When it does neither in time.
    pub fn take_turn(&mut self) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        self.dom0.running.send("go\n")?;
        self.finish_turn()
    }

    /// Waits until it asks for its next turn, or has ended.
    ///
    /// # Errors
    /// When it does neither in time.
    pub fn finish_turn(&mut self) -> Result<()> {
        loop {
            match self.dom0.next_line(self.patience)? {
                None => self.ended = true,
                Some(line) if line != "turn" => {
                    self.said.push(line);
                    continue;
                }
                Some(_) => {}
            }
            return Ok(());
        }
    }

    /// All values of `word` in lines `time WORD SECONDS`.
    #[must_use]
    pub fn times(&self, word: &str) -> Vec<f64> {
        let start = format!("time {word} ");
        self.said.iter().filter_map(|line| line.strip_prefix(&start)?.trim().parse().ok()).collect()
    }
}
