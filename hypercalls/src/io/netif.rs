// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Network devices (`io/netif.h`): requests and responses.

use crate::ids::GrantRef;
use crate::macros::{flags, open_enum, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Slots per packet every backend takes.
#[doc(alias = "XEN_NETIF_NR_SLOTS_MIN")]
pub const NR_SLOTS_MIN: usize = 18;
/// The longest packet in bytes.
#[doc(alias = "XEN_NETIF_MAX_TX_SIZE")]
pub const MAX_TX_SIZE: usize = 0xffff;

flags! {
    /// [`NetifTxRequest::flags`].
    pub struct TxFlags: u16 {
        /// The checksum is still to be filled in.
        #[doc(alias = "NETTXF_csum_blank")]
        CSUM_BLANK = 1 << 0,
        /// The data is known to be good.
        #[doc(alias = "NETTXF_data_validated")]
        DATA_VALIDATED = 1 << 1,
        /// The packet goes on in the next slot.
        #[doc(alias = "NETTXF_more_data")]
        MORE_DATA = 1 << 2,
        /// A [`NetifExtraInfo`] follows.
        #[doc(alias = "NETTXF_extra_info")]
        EXTRA_INFO = 1 << 3,
    }
}

/// A part of a packet to send.
#[doc(alias = "netif_tx_request")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct NetifTxRequest {
    /// Where it is.
    pub gref: GrantRef,
    /// In bytes.
    pub offset: u16,
    /// What follows.
    pub flags: TxFlags,
    /// The response has the same.
    pub id: u16,
    /// In the first slot the packet's bytes, later the slot's.
    pub size: u16,
}

open_enum! {
    /// [`NetifExtraInfo::extra_type`].
    pub struct ExtraType: u8 {
        /// Nothing.
        #[doc(alias = "XEN_NETIF_EXTRA_TYPE_NONE")]
        NONE = 0,
        /// To be segmented ([`ExtraGso`]).
        #[doc(alias = "XEN_NETIF_EXTRA_TYPE_GSO")]
        GSO = 1,
        /// Join a multicast group (6 bytes of address).
        #[doc(alias = "XEN_NETIF_EXTRA_TYPE_MCAST_ADD")]
        MCAST_ADD = 2,
        /// Leave it.
        #[doc(alias = "XEN_NETIF_EXTRA_TYPE_MCAST_DEL")]
        MCAST_DEL = 3,
        /// A hash ([`ExtraHash`]).
        #[doc(alias = "XEN_NETIF_EXTRA_TYPE_HASH")]
        HASH = 4,
    }
}

/// In [`NetifExtraInfo::flags`]: another one follows.
#[doc(alias = "XEN_NETIF_EXTRA_FLAG_MORE")]
pub const EXTRA_FLAG_MORE: u8 = 1;

open_enum! {
    /// [`ExtraGso::gso_type`].
    pub struct GsoType: u8 {
        /// None.
        #[doc(alias = "XEN_NETIF_GSO_TYPE_NONE")]
        NONE = 0,
        /// TCP over IPv4.
        #[doc(alias = "XEN_NETIF_GSO_TYPE_TCPV4")]
        TCPV4 = 1,
        /// TCP over IPv6.
        #[doc(alias = "XEN_NETIF_GSO_TYPE_TCPV6")]
        TCPV6 = 2,
    }
}

/// More about the packet.
#[doc(alias = "netif_extra_info")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(2))]
pub struct NetifExtraInfo {
    /// What.
    pub extra_type: ExtraType,
    /// [`EXTRA_FLAG_MORE`].
    pub flags: u8,
    /// [`ExtraGso`], [`ExtraHash`] or an address.
    pub u: [u8; 6],
}

payload!(NetifExtraInfo, u);

/// Segmentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ExtraGso {
    /// Bytes per segment.
    pub size: u16,
    /// Protocol.
    pub gso_type: GsoType,
    /// Zero.
    pub pad: u8,
    /// Zero.
    pub features: u16,
}

/// A hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ExtraHash {
    /// Of what.
    pub hash_type: u8,
    /// How.
    pub algorithm: u8,
    /// Little endian.
    pub value: [u8; 4],
}

/// An answer.
#[doc(alias = "netif_tx_response")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct NetifTxResponse {
    /// As in the request.
    pub id: u16,
    /// How it went.
    pub status: NetifStatus,
}

/// Room for a packet, or a part.
#[doc(alias = "netif_rx_request")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct NetifRxRequest {
    /// The response has the same.
    pub id: u16,
    /// Zero.
    pub pad: u16,
    /// Where.
    pub gref: GrantRef,
}

flags! {
    /// [`NetifRxResponse::flags`].
    pub struct RxFlags: u16 {
        /// The data is known to be good.
        #[doc(alias = "NETRXF_data_validated")]
        DATA_VALIDATED = 1 << 0,
        /// The checksum is still to be filled in.
        #[doc(alias = "NETRXF_csum_blank")]
        CSUM_BLANK = 1 << 1,
        /// The packet goes on in the next slot.
        #[doc(alias = "NETRXF_more_data")]
        MORE_DATA = 1 << 2,
        /// A [`NetifExtraInfo`] follows.
        #[doc(alias = "NETRXF_extra_info")]
        EXTRA_INFO = 1 << 3,
        /// The slot only tells the segment size.
        #[doc(alias = "NETRXF_gso_prefix")]
        GSO_PREFIX = 1 << 4,
    }
}

/// A packet, or a part.
#[doc(alias = "netif_rx_response")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct NetifRxResponse {
    /// As in the request.
    pub id: u16,
    /// In bytes.
    pub offset: u16,
    /// What follows.
    pub flags: RxFlags,
    /// Bytes if positive, else how it failed.
    pub status: NetifStatus,
}

open_enum! {
    /// A response's status; positive values in [`NetifRxResponse::status`] are bytes.
    pub struct NetifStatus: i16 {
        /// The packet was dropped.
        #[doc(alias = "NETIF_RSP_DROPPED")]
        DROPPED = -2,
        /// Failed.
        #[doc(alias = "NETIF_RSP_ERROR")]
        ERROR = -1,
        /// Done.
        #[doc(alias = "NETIF_RSP_OKAY")]
        OKAY = 0,
        /// The slot held an extra info.
        #[doc(alias = "NETIF_RSP_NULL")]
        NULL = 1,
    }
}

/// A request on the control ring.
#[doc(alias = "xen_netif_ctrl_request")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct NetifCtrlRequest {
    /// The response has the same.
    pub id: u16,
    /// What to do.
    pub ctrl_type: u16,
    /// Arguments.
    pub data: [u32; 3],
}

/// An answer on the control ring.
#[doc(alias = "xen_netif_ctrl_response")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct NetifCtrlResponse {
    /// As in the request.
    pub id: u16,
    /// As in the request.
    pub ctrl_type: u16,
    /// 0 done, 1 not supported, 2 bad argument, 3 too large.
    pub status: u32,
    /// Result.
    pub data: u32,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<NetifTxRequest>() == 0xc);
    assert!(size_of::<NetifExtraInfo>() == 0x8);
    assert!(size_of::<ExtraGso>() == 0x6);
    assert!(size_of::<ExtraHash>() == 0x6);
    assert!(size_of::<NetifTxResponse>() == 0x4);
    assert!(size_of::<NetifRxRequest>() == 0x8);
    assert!(size_of::<NetifRxResponse>() == 0x8);
    assert!(size_of::<NetifCtrlRequest>() == 0x10);
    assert!(size_of::<NetifCtrlResponse>() == 0xc);
};
