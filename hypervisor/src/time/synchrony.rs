// SPDX-License-Identifier: MIT OR Apache-2.0
//! Do the CPUs' counters read the same? Two CPUs throw a ball to and fro on which each writes its counter: whoever reads less than
//! came with the ball lags. What this cannot see, a difference shorter than the ball's flight, nobody else can see either.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How often each side throws.
const THROWS: u32 = 100;

/// Who holds the ball next; its lowest bit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    /// Throws first.
    First = 0,
    /// Answers.
    Second = 1,
}

/// A game between two CPUs at a time, any number of them one after another.
#[derive(Debug)]
pub(crate) struct Volley {
    /// The counter of who threw it, shifted left, and whose turn it is.
    ball: AtomicU64,
    in_step: AtomicBool,
}

impl Volley {
    /// Before the first game.
    pub(crate) const fn new() -> Self {
        Self { ball: AtomicU64::new(Side::First as u64), in_step: AtomicBool::new(true) }
    }

    /// Plays one side of a game; the other side is played by another CPU. `wait` is called while the ball is away, and ends the game when it
    /// says so: a counter that could not be compared counts as one that lags.
    pub(crate) fn play(&self, side: Side, counter: impl Fn() -> u64, wait: impl Fn() -> bool) {
        let other = side as u64 ^ 1;
        for _ in 0..THROWS {
            let thrown = loop {
                let ball = self.ball.load(Ordering::Acquire);
                if ball & 1 == side as u64 {
                    break ball >> 1;
                }
                if !wait() {
                    self.in_step.store(false, Ordering::Relaxed);
                    return;
                }
            };
            let now = counter();
            if now < thrown {
                self.in_step.store(false, Ordering::Relaxed);
            }
            self.ball.store(now << 1 | other, Ordering::Release);
        }
    }

    /// Has no counter lagged in any game so far?
    pub(crate) fn is_in_step(&self) -> bool {
        self.in_step.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::time::Instant;

    /// Games against CPUs whose counters differ by so many nanoseconds from the first one's.
    fn in_step(differences: &[i64]) -> bool {
        let (volley, start) = (Volley::new(), Instant::now());
        let counter =
            |difference: i64| (start.elapsed().as_nanos() as u64 + 1_000_000_000).wrapping_add_signed(difference);
        let wait = || {
            std::thread::yield_now();
            true
        };
        for &difference in differences {
            std::thread::scope(|scope| {
                scope.spawn(|| volley.play(Side::Second, || counter(difference), wait));
                volley.play(Side::First, || counter(0), wait);
            });
        }
        volley.is_in_step()
    }

    #[test]
    fn equal_counters_are_in_step() {
        assert!(in_step(&[]));
        assert!(in_step(&[0, 0, 0]));
    }

    #[test]
    fn one_that_lags_or_leads_is_found() {
        assert!(!in_step(&[0, -500_000_000]));
        assert!(!in_step(&[500_000_000, 0]));
    }

    #[test]
    fn a_game_without_an_answer_tells_nothing_good() {
        let volley = Volley::new();
        volley.play(Side::First, || 1, || false);
        assert!(!volley.is_in_step());
    }
}
