// SPDX-License-Identifier: MIT OR Apache-2.0
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod build;
pub mod config;
mod error;
mod kernel;
mod progress;
mod ramdisk;

pub use build::{Built, BuiltDomain, Link, Prepared};
pub use config::Config;
pub use error::{BuildError, Class, Result, Step};
pub use kernel::{Cache, DEFAULT_BOUND, DEFAULT_FOLDER, KernelImage, Origin};
pub use progress::{Callback, Progress};
pub use ramdisk::Ramdisk;
