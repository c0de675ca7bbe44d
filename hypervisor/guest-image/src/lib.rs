// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a PV kernel is put into memory: image parsing and the plan.
