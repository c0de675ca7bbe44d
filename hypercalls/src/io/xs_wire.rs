// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The xenstore protocol (`io/xs_wire.h`): messages, and the page of a domain's connection.

use crate::errno::Errno;
use crate::macros::{flags, open_enum};
use zerocopy::{FromBytes, Immutable, IntoBytes};

open_enum! {
    /// [`XsdSockmsg::msg_type`].
    pub struct XsMessageType: u32 {
        /// Commands to the server itself.
        #[doc(alias = "XS_CONTROL")]
        CONTROL = 0,
        /// Lists children.
        #[doc(alias = "XS_DIRECTORY")]
        DIRECTORY = 1,
        /// Reads a value.
        #[doc(alias = "XS_READ")]
        READ = 2,
        /// Reads permissions.
        #[doc(alias = "XS_GET_PERMS")]
        GET_PERMS = 3,
        /// Starts to watch a path.
        #[doc(alias = "XS_WATCH")]
        WATCH = 4,
        /// Stops.
        #[doc(alias = "XS_UNWATCH")]
        UNWATCH = 5,
        /// Starts a transaction.
        #[doc(alias = "XS_TRANSACTION_START")]
        TRANSACTION_START = 6,
        /// Commits it (`T`) or drops it (`F`).
        #[doc(alias = "XS_TRANSACTION_END")]
        TRANSACTION_END = 7,
        /// Tells the server of a domain.
        #[doc(alias = "XS_INTRODUCE")]
        INTRODUCE = 8,
        /// Tells it that one is gone.
        #[doc(alias = "XS_RELEASE")]
        RELEASE = 9,
        /// Asks for a domain's home.
        #[doc(alias = "XS_GET_DOMAIN_PATH")]
        GET_DOMAIN_PATH = 10,
        /// Writes a value.
        #[doc(alias = "XS_WRITE")]
        WRITE = 11,
        /// Makes an empty node.
        #[doc(alias = "XS_MKDIR")]
        MKDIR = 12,
        /// Removes a node and all below.
        #[doc(alias = "XS_RM")]
        RM = 13,
        /// Writes permissions.
        #[doc(alias = "XS_SET_PERMS")]
        SET_PERMS = 14,
        /// From the server: something changed.
        #[doc(alias = "XS_WATCH_EVENT")]
        WATCH_EVENT = 15,
        /// From the server: the name of an error.
        #[doc(alias = "XS_ERROR")]
        ERROR = 16,
        /// Asks whether the server knows a domain.
        #[doc(alias = "XS_IS_DOMAIN_INTRODUCED")]
        IS_DOMAIN_INTRODUCED = 17,
        /// A suspend was cancelled.
        #[doc(alias = "XS_RESUME")]
        RESUME = 18,
        /// One domain serves another.
        #[doc(alias = "XS_SET_TARGET")]
        SET_TARGET = 19,
        /// Drops all watches and transactions.
        #[doc(alias = "XS_RESET_WATCHES")]
        RESET_WATCHES = 21,
        /// Lists children from an offset.
        #[doc(alias = "XS_DIRECTORY_PART")]
        DIRECTORY_PART = 22,
        /// Never valid.
        #[doc(alias = "XS_INVALID")]
        INVALID = 0xffff,
    }
}

/// The head of each message; [`XsdSockmsg::len`] bytes follow.
#[doc(alias = "xsd_sockmsg")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct XsdSockmsg {
    /// What it is.
    pub msg_type: XsMessageType,
    /// The answer has the same.
    pub req_id: u32,
    /// Transaction, or 0.
    pub tx_id: u32,
    /// Bytes that follow.
    pub len: u32,
}

/// Bytes of each ring.
#[doc(alias = "XENSTORE_RING_SIZE")]
pub const RING_SIZE: usize = 1024;
/// The most that may follow a head.
#[doc(alias = "XENSTORE_PAYLOAD_MAX")]
pub const PAYLOAD_MAX: usize = 4096;
/// The longest absolute path, without NUL.
#[doc(alias = "XENSTORE_ABS_PATH_MAX")]
pub const ABS_PATH_MAX: usize = 3072;
/// The longest relative path, without NUL.
#[doc(alias = "XENSTORE_REL_PATH_MAX")]
pub const REL_PATH_MAX: usize = 2048;

flags! {
    /// [`XenstoreDomainInterface::server_features`].
    pub struct ServerFeatures: u32 {
        /// `connection` is honoured.
        #[doc(alias = "XENSTORE_SERVER_FEATURE_RECONNECTION")]
        RECONNECTION = 1,
        /// `error` is set.
        #[doc(alias = "XENSTORE_SERVER_FEATURE_ERROR")]
        ERROR = 2,
    }
}

open_enum! {
    /// [`XenstoreDomainInterface::connection`].
    pub struct ConnectionState: u32 {
        /// In use.
        #[doc(alias = "XENSTORE_CONNECTED")]
        CONNECTED = 0,
        /// The guest asks to start afresh.
        #[doc(alias = "XENSTORE_RECONNECT")]
        RECONNECT = 1,
    }
}

open_enum! {
    /// [`XenstoreDomainInterface::error`].
    pub struct ConnectionError: u32 {
        /// None.
        #[doc(alias = "XENSTORE_ERROR_NONE")]
        NONE = 0,
        /// Trouble with the connection.
        #[doc(alias = "XENSTORE_ERROR_COMM")]
        COMM = 1,
        /// Bad ring indices.
        #[doc(alias = "XENSTORE_ERROR_RINGIDX")]
        RINGIDX = 2,
        /// A bad message.
        #[doc(alias = "XENSTORE_ERROR_PROTO")]
        PROTO = 3,
    }
}

/// The page of a domain's connection: two byte rings. Indices run freely; the slot is the index modulo
/// [`RING_SIZE`].
#[doc(alias = "xenstore_domain_interface")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct XenstoreDomainInterface {
    /// From the guest.
    pub req: [u8; RING_SIZE],
    /// To the guest, watch events among them.
    pub rsp: [u8; RING_SIZE],
    /// The server has read so far.
    pub req_cons: u32,
    /// The guest has written so far.
    pub req_prod: u32,
    /// The guest has read so far.
    pub rsp_cons: u32,
    /// The server has written so far.
    pub rsp_prod: u32,
    /// What the server can do.
    pub server_features: ServerFeatures,
    /// State of the connection.
    pub connection: ConnectionState,
    /// Why it failed.
    pub error: ConnectionError,
}

/// The errors the server may name in an [`XsMessageType::ERROR`] message, with their names.
#[doc(alias = "xsd_errors")]
pub const ERROR_NAMES: [(&str, Errno); 16] = [
    ("EINVAL", Errno::EINVAL),
    ("EACCES", Errno::EACCES),
    ("EEXIST", Errno::EEXIST),
    ("EISDIR", Errno::EISDIR),
    ("ENOENT", Errno::ENOENT),
    ("ENOMEM", Errno::ENOMEM),
    ("ENOSPC", Errno::ENOSPC),
    ("EIO", Errno::EIO),
    ("ENOTEMPTY", Errno::ENOTEMPTY),
    ("ENOSYS", Errno::ENOSYS),
    ("EROFS", Errno::EROFS),
    ("EBUSY", Errno::EBUSY),
    ("EAGAIN", Errno::EAGAIN),
    ("EISCONN", Errno::EISCONN),
    ("E2BIG", Errno::E2BIG),
    ("EPERM", Errno::EPERM),
];

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<XsdSockmsg>() == 0x10);
    assert!(size_of::<XenstoreDomainInterface>() == 0x81c);
};
