// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who lets whom touch which page: Xen grant tables as pure logic.
