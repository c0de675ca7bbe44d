// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The emergency console (`xen.h`: `CONSOLEIO_*`). The usual console of a guest is a ring: [`crate::io::console`].

use crate::macros::open_enum;

open_enum! {
    /// First argument of `console_io`; then a byte count and a buffer.
    pub struct ConsoleIo: u32 {
        /// Prints.
        #[doc(alias = "CONSOLEIO_write")]
        WRITE = 0,
        /// Takes pending input; returns the number of bytes.
        #[doc(alias = "CONSOLEIO_read")]
        READ = 1,
    }
}
