// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bad input at boot: each is answered by one clear line that says what is wrong and what to do, and the machine
//! halts (`noreboot`) or restarts.

use harness::case::Case;

pub(crate) fn cases() -> Vec<Case> {
    Vec::new()
}
