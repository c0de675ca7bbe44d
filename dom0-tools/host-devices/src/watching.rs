// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Waiting for the store to say something, by watches, through a restart of the server.

use crate::error::{Error, ErrorKind};
use crate::wait::Deadline;
use std::time::Duration;
use xenstore::client::{Client, Error as StoreError, Nodes};

/// How long a server that went away is waited for.
pub(crate) const RETURN: Duration = Duration::from_secs(15);

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let remedy = if error.is_closed() { "start xenstored again" } else { "" };
        Self::new(ErrorKind::Store, error.to_string(), remedy)
    }
}

/// Runs `act` in a transaction, again after each conflict or restart of the server; `act` hears whether an earlier run may have been committed
/// already. Nothing is changed if it ends in an [`Error`].
pub(crate) fn transaction<T>(
    store: &Client,
    mut act: impl FnMut(&Nodes<'_>, bool) -> Result<Result<T, Error>, StoreError>,
) -> Result<T, Error> {
    let mut runs = 0_u32;
    let mut refusal = None;
    let done = store.persist(RETURN, |store| {
        runs = runs.saturating_add(1);
        store.transaction(|nodes| match act(nodes, runs > 1)? {
            Ok(value) => Ok(value),
            Err(error) => {
                refusal = Some(error);
                // Any error makes the client drop the transaction.
                Err(StoreError::Argument { operation: "transaction", subject: String::new(), what: "given up" })
            }
        })
    });
    match done {
        Ok(value) => Ok(value),
        Err(error) => Err(refusal.unwrap_or_else(|| error.into())),
    }
}

/// Runs `look` now and after each change at or below one of `paths`, until it finds something or the deadline passes.
pub(crate) fn until<T>(
    store: &Client,
    paths: &[String],
    deadline: Deadline,
    mut look: impl FnMut(&Nodes<'_>) -> Result<Option<T>, StoreError>,
) -> Result<Option<T>, StoreError> {
    let watched = set(store, paths);
    let found = watched.and_then(|()| {
        loop {
            if let Some(found) = store.persist(RETURN, |store| look(&store.nodes()))? {
                return Ok(Some(found));
            }
            match store.next_event(Some(deadline.left())) {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                Err(error) if error.is_closed() => store.reconnect(RETURN)?,
                Err(error) => return Err(error),
            }
        }
    });
    for path in paths {
        match store.unwatch(path, TOKEN) {
            Err(error) if !error.is_not_found() && !error.is_closed() => return Err(error),
            _ => {}
        }
    }
    found
}

/// The token of these watches; events left over from an earlier wait only cause one look too many.
const TOKEN: &str = "host-devices";

fn set(store: &Client, paths: &[String]) -> Result<(), StoreError> {
    for path in paths {
        store.persist(RETURN, |store| match store.watch(path, TOKEN) {
            Err(error) if error.reason() == Some(xenstore::Error::Exists) => Ok(()),
            other => other,
        })?;
    }
    Ok(())
}
