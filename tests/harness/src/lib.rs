// SPDX-License-Identifier: MIT OR Apache-2.0
//! Boots machines in QEMU and reads their verdicts.
