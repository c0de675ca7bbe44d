// SPDX-License-Identifier: MIT OR Apache-2.0
//! Boots machines in QEMU and reads what they say.
//!
//! This crate is the one place that knows QEMU's command line ([`qemu`]), where Debian's packages come from
//! ([`debian`]), how dom0's initramfs is made ([`initramfs`]) and how a bootable image is laid out ([`iso`]).
//! [`dom0`] puts them together: boot a Linux dom0 on a hypervisor, run a script in it, hand back its output.
//! [`guest`] does the same for the test guests and reads their verdicts.
//!
//! Everything made lands under `target/`; nothing is ever installed on the host (that is `xtask`'s job, said aloud).
#![forbid(unsafe_code)]

pub mod case;
pub mod console;
pub mod cpio;
pub mod debian;
pub mod disk;
pub mod dom0;
pub mod guest;
pub mod initramfs;
pub mod iso;
pub mod paths;
pub mod process;
pub mod qemu;
pub mod qmp;
mod rootfs;
pub mod toolstack;
pub mod userland;
pub mod xl;
