// SPDX-License-Identifier: MIT OR Apache-2.0
//! A tiny PV kernel runtime for test guests.
