// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A blocking client of the store: [`Client`] is a connection, [`Nodes`] the tree in or out of a transaction.
//!
//! ```no_run
//! use std::time::Duration;
//! use xenstore::client::{Client, Error};
//!
//! # fn main() -> Result<(), Error> {
//! let client = Client::connect()?;
//! client.write("/tool/example", "1")?;
//! client.transaction(|nodes| {
//!     let old = nodes.read_text("/tool/example")?;
//!     nodes.write("/tool/example", format!("{old}1"))
//! })?;
//! client.watch("/tool", "token")?;
//! while let Some(event) = client.next_event(Some(Duration::from_secs(1)))? {
//!     println!("{} {}", event.path, event.token);
//! }
//! # Ok(())
//! # }
//! ```

mod connection;
mod error;
mod link;
mod nodes;
mod permissions;

pub use connection::{Client, Event};
pub use error::Error;
pub use nodes::Nodes;
pub use permissions::{Access, Permission};
