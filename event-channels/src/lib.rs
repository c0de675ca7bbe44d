// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who wakes whom: Xen event channels as pure logic.
