// SPDX-License-Identifier: MIT OR Apache-2.0
//! A domain's watchdogs (SCHEDOP_watchdog): it must set them again before they run out, or it is shut down.
#![forbid(unsafe_code)]

use hypercalls::errno::Errno;

/// How many a domain has.
const COUNT: usize = 2;

/// When each watchdog runs out, ns of system time; `None` if not in use.
#[derive(Debug, Default)]
pub(crate) struct Watchdogs([Option<u64>; COUNT]);

impl Watchdogs {
    /// SCHEDOP_watchdog: number 0 takes a free one and returns its number; else sets that one again, or with no time stops it.
    /// EINVAL: not in use. ENOSPC: none free.
    pub(crate) fn set(&mut self, number: u32, timeout_ns: u64, now: u64) -> Result<u32, Errno> {
        let deadline = now.saturating_add(timeout_ns);
        if number == 0 {
            let free = self.0.iter().position(Option::is_none).ok_or(Errno::ENOSPC)?;
            if let Some(slot) = self.0.get_mut(free) {
                *slot = Some(deadline);
            }
            return Ok(free as u32 + 1);
        }
        let slot = self.0.get_mut(number as usize - 1).filter(|slot| slot.is_some()).ok_or(Errno::EINVAL)?;
        *slot = (timeout_ns != 0).then_some(deadline);
        Ok(0)
    }

    /// When the next one runs out.
    pub(crate) fn next(&self) -> Option<u64> {
        self.0.iter().flatten().copied().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_watchdogs() {
        let mut dogs = Watchdogs::default();
        assert_eq!(dogs.set(1, 5, 0), Err(Errno::EINVAL));
        assert_eq!(dogs.set(3, 5, 0), Err(Errno::EINVAL));
        assert_eq!(dogs.next(), None);
        assert_eq!((dogs.set(0, 50, 0), dogs.set(0, 20, 0), dogs.set(0, 9, 0)), (Ok(1), Ok(2), Err(Errno::ENOSPC)));
        assert_eq!(dogs.next(), Some(20));
        assert_eq!(dogs.set(2, 100, 10), Ok(0));
        assert_eq!(dogs.next(), Some(50));
        assert_eq!(dogs.set(1, 0, 10), Ok(0));
        assert_eq!(dogs.next(), Some(110));
    }
}
