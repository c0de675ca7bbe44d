// SPDX-License-Identifier: MIT OR Apache-2.0
//! Progress lines and the one verdict of a guest.
#![forbid(unsafe_code)]

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::{abi, console, hypercall};

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every check held.
    Success,
    /// The machine lacks what the test needs.
    Skip,
    /// The test itself is broken.
    Error,
    /// The hypervisor behaves wrongly.
    Failure,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Success => "success",
            Verdict::Skip => "skip",
            Verdict::Error => "error",
            Verdict::Failure => "failure",
        }
    }
}

static NAME: name::Name = name::Name::new();

/// The guest's name, set once before the test runs.
mod name {
    use core::sync::atomic::{AtomicUsize, Ordering};

    const ROOM: usize = 64;

    pub(super) struct Name {
        bytes: [core::sync::atomic::AtomicU8; ROOM],
        len: AtomicUsize,
    }

    impl Name {
        pub(super) const fn new() -> Self {
            Name { bytes: [const { core::sync::atomic::AtomicU8::new(0) }; ROOM], len: AtomicUsize::new(0) }
        }

        pub(super) fn set(&self, name: &str) {
            let len = name.len().min(ROOM);
            for (slot, byte) in self.bytes.iter().zip(name.bytes()) {
                slot.store(byte, Ordering::Relaxed);
            }
            self.len.store(len, Ordering::Release);
        }

        pub(super) fn copy(&self, to: &mut [u8; ROOM]) -> usize {
            let len = self.len.load(Ordering::Acquire);
            for (byte, slot) in to.iter_mut().zip(self.bytes.iter()) {
                *byte = slot.load(Ordering::Relaxed);
            }
            len
        }
    }

    impl core::fmt::Display for Name {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            let mut bytes = [0; ROOM];
            let len = self.copy(&mut bytes);
            f.write_str(core::str::from_utf8(&bytes[..len]).unwrap_or("?"))
        }
    }
}

/// Sets the name that every line carries.
pub fn set_name(name: &str) {
    NAME.set(name);
}

/// Prints one progress line.
pub fn step(text: fmt::Arguments<'_>) {
    console::print(format_args!("XENOLITH-TEST {NAME}: {text}\n"));
}

/// Prints the verdict and ends the machine: a reboot, which QEMU takes as its end with `-no-reboot`. (`SHUTDOWN_poweroff` of dom0
/// only halts the CPUs; powering off goes by ACPI.)
pub fn finish(verdict: Verdict, reason: fmt::Arguments<'_>) -> ! {
    // A check that fails inside the report of another must not print a second verdict.
    static ONCE: AtomicBool = AtomicBool::new(false);
    if !ONCE.swap(true, Ordering::SeqCst) {
        console::print(format_args!("XENOLITH-VERDICT {NAME} {}: {reason}\n", verdict.word()));
    }
    loop {
        let mut reason = abi::SHUTDOWN_REBOOT;
        hypercall::sched_op(abi::SCHEDOP_SHUTDOWN, &mut reason);
    }
}

/// Prints one progress line.
#[macro_export]
macro_rules! step {
    ($($arg:tt)*) => { $crate::report::step(format_args!($($arg)*)) };
}

/// The hypervisor must make the condition true; otherwise the guest ends with *failure*.
#[macro_export]
macro_rules! check {
    ($cond:expr, $($arg:tt)*) => {
        if !$cond {
            $crate::report::finish(
                $crate::report::Verdict::Failure,
                format_args!("line {}: {}", line!(), format_args!($($arg)*)),
            );
        }
    };
}

/// Both values must be equal; otherwise the guest ends with *failure* and shows both in hexadecimal.
#[macro_export]
macro_rules! check_eq {
    ($left:expr, $right:expr, $($arg:tt)*) => {{
        let (left, right) = ($left, $right);
        if left != right {
            $crate::report::finish(
                $crate::report::Verdict::Failure,
                format_args!("line {}: {}: got {:x?}, want {:x?}", line!(), format_args!($($arg)*), left, right),
            );
        }
    }};
}

/// Ends the guest with *skip*.
#[macro_export]
macro_rules! skip {
    ($($arg:tt)*) => { $crate::report::finish($crate::report::Verdict::Skip, format_args!($($arg)*)) };
}

/// The test needs this to be true to mean anything; otherwise the guest ends with *error*.
#[macro_export]
macro_rules! need {
    ($cond:expr, $($arg:tt)*) => {
        if !$cond {
            $crate::report::finish(
                $crate::report::Verdict::Error,
                format_args!("line {}: {}", line!(), format_args!($($arg)*)),
            );
        }
    };
}
