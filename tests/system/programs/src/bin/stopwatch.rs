// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stopwatch WORD COMMAND...` runs the command and prints `time WORD SECONDS`; it exits as the command did.
//! `stopwatch --until FILE TEXT WORD COMMAND...` goes on until FILE has TEXT in it, and prints `time WORD-until SECONDS` too.
#![forbid(unsafe_code)]

use dom0_programs::await_text;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// How long a text is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// The time between two looks.
const PAUSE: Duration = Duration::from_millis(2);

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let mut awaited = None;
    if words.first().is_some_and(|word| word == "--until") && words.len() > 3 {
        let text = words.remove(2);
        awaited = Some((words.remove(1), text));
        words.remove(0);
    }
    let [word, program, arguments @ ..] = words.as_slice() else {
        eprintln!("usage: stopwatch [--until FILE TEXT] WORD COMMAND...");
        return ExitCode::from(2);
    };
    let start = Instant::now();
    let status = match Command::new(program).args(arguments).status() {
        Ok(status) => status,
        Err(error) => {
            eprintln!("stopwatch: {program}: {error}");
            return ExitCode::from(127);
        }
    };
    let took = start.elapsed();
    println!("time {word} {:.4}", took.as_secs_f64());
    if let Some((file, text)) = awaited.filter(|_| status.success()) {
        let why = match await_text(file.as_ref(), &text, start + PATIENCE, PAUSE) {
            Ok(true) => None,
            Ok(false) => Some(format!("has no '{text}'")),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = why {
            eprintln!("stopwatch: {file}: {why}");
            return ExitCode::from(1);
        }
        println!("time {word}-until {:.4}", start.elapsed().as_secs_f64());
    }
    ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1))
}
