// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What can go wrong for a client: always with the operation and what it was about.

use std::fmt;
use std::io;

/// Why a call failed.
#[derive(Debug)]
pub enum Error {
    /// No server could be reached.
    Connect {
        /// Where it was looked for.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// The server refused.
    Refused {
        /// The request, such as `write`.
        operation: &'static str,
        /// The path or domain it was about.
        subject: String,
        /// The server's reason; a name that is not known here counts as [`crate::Error::Invalid`], as for any client.
        error: crate::Error,
        /// The name as the server sent it.
        name: String,
    },
    /// The server closed the connection, or died: it may or may not have carried out the request. See [`Client::reconnect`].
    ///
    /// [`Client::reconnect`]: super::Client::reconnect
    Closed {
        /// The request.
        operation: &'static str,
        /// The path or domain it was about.
        subject: String,
    },
    /// The connection failed in another way.
    Io {
        /// The request.
        operation: &'static str,
        /// The path or domain it was about.
        subject: String,
        /// Why.
        source: io::Error,
    },
    /// The answer makes no sense.
    Protocol {
        /// The request.
        operation: &'static str,
        /// The path or domain it was about.
        subject: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The arguments make a request no server would take.
    Argument {
        /// The request.
        operation: &'static str,
        /// The path or domain it was about.
        subject: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl Error {
    /// The server's reason, if the server refused.
    #[must_use]
    pub fn reason(&self) -> Option<crate::Error> {
        match self {
            Self::Refused { error, .. } => Some(*error),
            _ => None,
        }
    }

    /// Whether the server said that there is no such node, domain, watch or transaction.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.reason() == Some(crate::Error::NotFound)
    }

    /// Whether the connection is gone, so that [`Client::reconnect`] may help.
    ///
    /// [`Client::reconnect`]: super::Client::reconnect
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed { .. } | Self::Connect { .. })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { address, source } => {
                write!(f, "cannot reach xenstored at {address}: {source}; is xenstored running?")
            }
            Self::Refused { operation, subject, name, .. } => write!(f, "xenstore {operation} {subject}: {name}"),
            Self::Closed { operation, subject } => {
                write!(
                    f,
                    "xenstore {operation} {subject}: xenstored closed the connection; was it stopped or restarted?"
                )
            }
            Self::Io { operation, subject, source } => write!(f, "xenstore {operation} {subject}: {source}"),
            Self::Protocol { operation, subject, what } => {
                write!(f, "xenstore {operation} {subject}: bad answer: {what}")
            }
            Self::Argument { operation, subject, what } => write!(f, "xenstore {operation} {subject}: {what}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect { source, .. } | Self::Io { source, .. } => Some(source),
            Self::Refused { error, .. } => Some(error),
            _ => None,
        }
    }
}
