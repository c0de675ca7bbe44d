// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! How far a long operation is, and the way to stop it.

use std::ops::ControlFlow;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use hypercalls::DomId;

use crate::error::{BuildError, Class, Result, Step};

/// What is being done right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Unpacking a kernel that is not in the cache, which takes seconds.
    Unpacking,
    /// Checking a RAM disk that was not seen before.
    CheckingRamdisk,
    /// The domain exists and has a number, but no memory yet. What it needs besides can be made from here on.
    Created {
        /// Its number.
        domid: DomId,
    },
    /// Giving the domain its memory.
    Populating {
        /// Pages it has.
        done: u64,
        /// Pages it gets.
        total: u64,
    },
    /// Filling its memory.
    Loading {
        /// Bytes of kernel and RAM disk done.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
}

/// Told about progress; answers [`ControlFlow::Break`] to have everything undone.
pub type Callback<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// Tells the callback, and makes its wish an error.
pub(crate) fn report(callback: &mut Callback<'_>, step: impl FnOnce() -> Step, progress: Progress) -> Result<()> {
    match callback(progress) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(BuildError::cancelled(step())),
    }
}

/// How often the callback is asked while something else works.
const ASKED: Duration = Duration::from_millis(50);

/// Does work that cannot be stopped in a thread of its own, so that the callback's wish is heard all the same: the thread
/// is left to itself then, as the program is about to end.
pub(crate) fn beside<T: Send + 'static>(
    callback: &mut Callback<'_>,
    step: impl Fn() -> Step,
    progress: Progress,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    report(callback, &step, progress)?;
    let (done, answer) = mpsc::channel();
    let started = thread::Builder::new().spawn(move || {
        // Nobody listens any more after a wish to stop.
        let _ = done.send(work());
    });
    let broken = |cause: String| BuildError::new(step(), Class::Refused, cause, "try again");
    started.map_err(|error| broken(format!("cannot start a thread: {error}")))?;
    loop {
        match answer.recv_timeout(ASKED) {
            Ok(value) => return Ok(value),
            Err(RecvTimeoutError::Timeout) => report(callback, &step, progress)?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(broken("the thread that did it ended unexpectedly".into()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_to_stop_is_heard_while_something_works() {
        let mut asked = 0;
        let mut callback = |_| {
            asked += 1;
            if asked == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let step = || Step::Layout;
        assert_eq!(beside(&mut callback, step, Progress::Unpacking, || 7).unwrap(), 7);
        let (end, wait) = mpsc::channel::<()>();
        let stuck = beside(&mut callback, step, Progress::Unpacking, move || wait.recv().is_ok());
        assert_eq!(stuck.unwrap_err().class, Class::Cancelled);
        drop(end);
    }
}
