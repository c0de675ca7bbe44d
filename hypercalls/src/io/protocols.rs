// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Names of ring layouts (`io/protocols.h`), as a front end writes them to its `protocol` node.

/// 32-bit layout.
pub const PROTOCOL_X86_32: &str = "x86_32-abi";
/// 64-bit layout.
pub const PROTOCOL_X86_64: &str = "x86_64-abi";
/// Arm layout.
pub const PROTOCOL_ARM: &str = "arm-abi";
