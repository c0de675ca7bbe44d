// SPDX-License-Identifier: MIT OR Apache-2.0
//! domctl and sysctl as a toolstack makes them: a buffer of words, with fields at byte offsets of the operation's own structure.
#![forbid(unsafe_code)]

use crate::abi;
use crate::hypercall::{addr, call};

/// `XEN_DOMCTL_INTERFACE_VERSION`, and sysctl's.
pub const VERSION: u64 = 0x15;
/// Where the operation's structure begins, in words.
const DOMCTL_UNION: usize = 2;
const SYSCTL_UNION: usize = 1;

/// An argument of `domctl` or `sysctl`.
#[derive(Clone, Copy, Debug)]
pub struct Control {
    words: [u64; 18],
    number: u64,
    union: usize,
}

/// A `domctl` of a command on a domain, its structure zeroed.
pub fn domctl(cmd: u64, dom: u64) -> Control {
    let mut words = [0; 18];
    (words[0], words[1]) = (cmd | VERSION << 32, dom);
    Control { words, number: abi::HC_DOMCTL, union: DOMCTL_UNION }
}

/// A `sysctl` of a command, its structure zeroed.
pub fn sysctl(cmd: u64) -> Control {
    let mut words = [0; 18];
    words[0] = cmd | VERSION << 32;
    Control { words, number: abi::HC_SYSCTL, union: SYSCTL_UNION }
}

impl Control {
    /// With a 64-bit field.
    pub fn set64(mut self, offset: usize, value: u64) -> Self {
        self.words[self.union + offset / 8] = value;
        self
    }

    /// With a 32-bit field.
    pub fn set32(mut self, offset: usize, value: u32) -> Self {
        let (word, shift) = (&mut self.words[self.union + offset / 8], 8 * (offset % 8));
        *word = *word & !(0xffff_ffff << shift) | u64::from(value) << shift;
        self
    }

    /// With another interface version.
    pub fn version(mut self, version: u64) -> Self {
        self.words[0] = self.words[0] & 0xffff_ffff | version << 32;
        self
    }

    /// Makes the call.
    pub fn call(&mut self) -> i64 {
        call(self.number, [addr(&mut self.words), 0, 0, 0, 0])
    }

    /// A 64-bit field, after the call.
    pub fn get64(&self, offset: usize) -> u64 {
        self.words[self.union + offset / 8]
    }

    /// A 32-bit field, after the call.
    pub fn get32(&self, offset: usize) -> u32 {
        (self.get64(offset) >> (8 * (offset % 8))) as u32
    }

    /// The domain that the call was about.
    pub fn domain(&self) -> u64 {
        self.words[1] & 0xffff
    }
}

/// `XEN_DOMCTL_createdomain` of any number, for one vCPU, with everything else as tools have it by default.
pub fn createdomain(dom: u64) -> Control {
    domctl(1, dom).set32(0x1c, 1).set32(0x20, 1023).set32(0x24, u32::MAX).set32(0x28, u32::MAX).set32(0x2c, 2)
}
