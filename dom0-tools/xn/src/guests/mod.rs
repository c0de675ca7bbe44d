// SPDX-License-Identifier: MIT OR Apache-2.0
//! The life of domains as this toolstack sees it: made, kept on record, taken down.

pub(crate) mod configuration;
pub(crate) mod creation;
pub(crate) mod devices;
pub(crate) mod hot_plug;
pub(crate) mod names;
pub(crate) mod nodes;
pub(crate) mod record;
pub(crate) mod signals;
pub(crate) mod teardown;
pub(crate) mod together;
