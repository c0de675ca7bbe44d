// SPDX-License-Identifier: MIT OR Apache-2.0
#![no_std]
//! The Xen PV ABI as plain types.
