// SPDX-License-Identifier: MIT OR Apache-2.0
//! Interrupts: vectors, lines, what guests own of them.

pub(crate) mod vector;
