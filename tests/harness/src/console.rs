// SPDX-License-Identifier: MIT OR Apache-2.0
//! A serial console: everything that was said, and waiting for something to be said.

use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Why [`Console::expect`] came back without a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// The machine went away.
    Closed,
    /// The deadline passed.
    Timeout,
}

#[derive(Default)]
struct Shared {
    text: String,
    closed: bool,
}

/// What one console said so far. Carriage returns are dropped.
pub struct Console {
    shared: Arc<(Mutex<Shared>, Condvar)>,
    /// Everything before this was matched already.
    cursor: usize,
}

impl Console {
    /// Reads `source` to its end in a thread of its own and copies it to `log`.
    pub fn reading(mut source: impl Read + Send + 'static, mut log: impl Write + Send + 'static) -> Self {
        let shared = Arc::new((Mutex::new(Shared::default()), Condvar::new()));
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = source.read(&mut bytes) {
                let piece: Vec<u8> = bytes.iter().take(count).copied().filter(|&b| b != b'\r').collect();
                // A full disk must not stop the machine; the text is still in memory.
                let _ = log.write_all(&piece);
                let _ = log.flush();
                lock(&theirs.0).text.push_str(&String::from_utf8_lossy(&piece));
                theirs.1.notify_all();
            }
            lock(&theirs.0).closed = true;
            theirs.1.notify_all();
        });
        Self { shared, cursor: 0 }
    }

    /// Waits for the next complete line.
    ///
    /// # Errors
    /// When the console closes or `deadline` passes first. At the end an unfinished last line counts as complete.
    pub fn line(&mut self, deadline: Instant) -> Result<String, Silence> {
        self.wait(deadline, |rest, closed| match rest.find('\n') {
            Some(end) => Some((rest[..end].to_owned(), end + 1)),
            None if closed && !rest.is_empty() => Some((rest.to_owned(), rest.len())),
            None => None,
        })
    }

    /// Waits until `needle` has been said since the last match; returns what came before it.
    ///
    /// # Errors
    /// When the console closes or `deadline` passes first.
    pub fn expect(&mut self, needle: &str, deadline: Instant) -> Result<String, Silence> {
        self.wait(deadline, |rest, _| rest.find(needle).map(|at| (rest[..at].to_owned(), at + needle.len())))
    }

    /// Everything said so far.
    #[must_use]
    pub fn text(&self) -> String {
        lock(&self.shared.0).text.clone()
    }

    fn wait<T>(
        &mut self,
        deadline: Instant,
        mut look: impl FnMut(&str, bool) -> Option<(T, usize)>,
    ) -> Result<T, Silence> {
        let (mutex, changed) = &*self.shared;
        let mut shared = lock(mutex);
        loop {
            let rest = shared.text.get(self.cursor..).unwrap_or_default();
            if let Some((found, used)) = look(rest, shared.closed) {
                self.cursor += used;
                return Ok(found);
            }
            if shared.closed {
                return Err(Silence::Closed);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return Err(Silence::Timeout);
            }
            shared = changed.wait_timeout(shared, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn lock(mutex: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[test]
    fn lines_come_in_order_and_the_end_is_seen() {
        let mut console = Console::reading(&b"one\r\ntwo\nthree"[..], std::io::sink());
        assert_eq!(console.line(soon()), Ok("one".into()));
        assert_eq!(console.expect("o\n", soon()), Ok("tw".into()));
        assert_eq!(console.line(soon()), Ok("three".into()));
        assert_eq!(console.line(soon()), Err(Silence::Closed));
        assert_eq!(console.text(), "one\ntwo\nthree");
    }

    #[test]
    fn a_silent_console_times_out() {
        let (reader, _writer) = std::io::pipe().expect("a pipe");
        let mut console = Console::reading(reader, std::io::sink());
        assert_eq!(console.line(Instant::now() + Duration::from_millis(20)), Err(Silence::Timeout));
    }
}
