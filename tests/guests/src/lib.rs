// SPDX-License-Identifier: MIT OR Apache-2.0
//! Test guests: one PV kernel per behaviour.
