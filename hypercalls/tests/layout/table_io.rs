// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Shared rings.

use crate::Facts;
use crate::macros::{c_name, table};

pub(crate) fn add(facts: &mut Facts) {
    io_blkif(facts);
    io_console(facts);
    io_netif(facts);
    io_ring(facts);
    io_xenbus(facts);
    io_xs_wire(facts);
}

fn io_blkif(facts: &mut Facts) {
    table!(facts, hypercalls::io::blkif, {
        enum BlkifOp { READ = "BLKIF_OP_READ", WRITE = "BLKIF_OP_WRITE", WRITE_BARRIER = "BLKIF_OP_WRITE_BARRIER",
            FLUSH_DISKCACHE = "BLKIF_OP_FLUSH_DISKCACHE", DISCARD = "BLKIF_OP_DISCARD",
            INDIRECT = "BLKIF_OP_INDIRECT" }
        enum BlkifStatus { OKAY = "BLKIF_RSP_OKAY", ERROR = "BLKIF_RSP_ERROR", EOPNOTSUPP = "BLKIF_RSP_EOPNOTSUPP" }
        consts { MAX_SEGMENTS_PER_REQUEST = "BLKIF_MAX_SEGMENTS_PER_REQUEST",
            MAX_INDIRECT_PAGES_PER_REQUEST = "BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST" }
        consts { VDISK_CDROM = "VDISK_CDROM", VDISK_REMOVABLE = "VDISK_REMOVABLE", VDISK_READONLY = "VDISK_READONLY"
            }
        struct BlkifRequestSegment = "struct blkif_request_segment" { gref, first_sect, last_sect }
        struct BlkifRequest = "struct blkif_request" { operation, nr_segments, handle, id, sector_number, seg }
        flags DiscardFlags { SECURE = "BLKIF_DISCARD_SECURE" }
        struct BlkifRequestDiscard = "struct blkif_request_discard" { operation, flag, handle, id, sector_number,
            nr_sectors }
        struct BlkifRequestIndirect = "struct blkif_request_indirect" { operation, indirect_op, nr_segments, id,
            sector_number, handle, indirect_grefs }
        struct BlkifResponse = "struct blkif_response" { id, operation, status }
    });
}

fn io_console(facts: &mut Facts) {
    table!(facts, hypercalls::io::console, {
        struct XenconsInterface = "struct xencons_interface" { in_ = "in", out, in_cons, in_prod, out_cons, out_prod
            }
    });
}

fn io_netif(facts: &mut Facts) {
    table!(facts, hypercalls::io::netif, {
        consts { NR_SLOTS_MIN = "XEN_NETIF_NR_SLOTS_MIN", MAX_TX_SIZE = "XEN_NETIF_MAX_TX_SIZE" }
        flags TxFlags { CSUM_BLANK = "NETTXF_csum_blank", DATA_VALIDATED = "NETTXF_data_validated",
            MORE_DATA = "NETTXF_more_data", EXTRA_INFO = "NETTXF_extra_info" }
        struct NetifTxRequest = "struct netif_tx_request" { gref, offset, flags, id, size }
        enum ExtraType { NONE = "XEN_NETIF_EXTRA_TYPE_NONE", GSO = "XEN_NETIF_EXTRA_TYPE_GSO",
            MCAST_ADD = "XEN_NETIF_EXTRA_TYPE_MCAST_ADD", MCAST_DEL = "XEN_NETIF_EXTRA_TYPE_MCAST_DEL",
            HASH = "XEN_NETIF_EXTRA_TYPE_HASH" }
        consts { EXTRA_FLAG_MORE = "XEN_NETIF_EXTRA_FLAG_MORE" }
        enum GsoType { NONE = "XEN_NETIF_GSO_TYPE_NONE", TCPV4 = "XEN_NETIF_GSO_TYPE_TCPV4",
            TCPV6 = "XEN_NETIF_GSO_TYPE_TCPV6" }
        struct NetifExtraInfo = "struct netif_extra_info" { extra_type = "type", flags, u }
        struct ExtraGso = "__typeof__(((struct netif_extra_info *)0)->u.gso)" { size, gso_type = "type", pad,
            features }
        struct ExtraHash = "__typeof__(((struct netif_extra_info *)0)->u.hash)" { hash_type = "type", algorithm,
            value }
        struct NetifTxResponse = "struct netif_tx_response" { id, status }
        struct NetifRxRequest = "struct netif_rx_request" { id, pad, gref }
        flags RxFlags { DATA_VALIDATED = "NETRXF_data_validated", CSUM_BLANK = "NETRXF_csum_blank",
            MORE_DATA = "NETRXF_more_data", EXTRA_INFO = "NETRXF_extra_info", GSO_PREFIX = "NETRXF_gso_prefix" }
        struct NetifRxResponse = "struct netif_rx_response" { id, offset, flags, status }
        enum NetifStatus { DROPPED = "NETIF_RSP_DROPPED", ERROR = "NETIF_RSP_ERROR", OKAY = "NETIF_RSP_OKAY",
            NULL = "NETIF_RSP_NULL" }
        struct NetifCtrlRequest = "struct xen_netif_ctrl_request" { id, ctrl_type = "type", data }
        struct NetifCtrlResponse = "struct xen_netif_ctrl_response" { id, ctrl_type = "type", status, data }
    });
}

fn io_ring(facts: &mut Facts) {
    table!(facts, hypercalls::io::ring, {
        fields SringHeader = "struct blkif_sring" { req_prod, req_event, rsp_prod, rsp_event, pvt, _pad = "__pad" }
        consts { RING_HEADER_SIZE = "offsetof(struct blkif_sring, ring)",
            BLKIF_RING_SLOTS = "__CONST_RING_SIZE(blkif, 4096)",
            NETIF_TX_RING_SLOTS = "__CONST_RING_SIZE(netif_tx, 4096)",
            NETIF_RX_RING_SLOTS = "__CONST_RING_SIZE(netif_rx, 4096)" }
    });
}

fn io_xenbus(facts: &mut Facts) {
    table!(facts, hypercalls::io::xenbus, {
        enum XenbusState {
            UNKNOWN = "XenbusStateUnknown",
            INITIALISING = "XenbusStateInitialising",
            INITWAIT = "XenbusStateInitWait",
            INITIALISED = "XenbusStateInitialised",
            CONNECTED = "XenbusStateConnected",
            CLOSING = "XenbusStateClosing",
            CLOSED = "XenbusStateClosed",
            RECONFIGURING = "XenbusStateReconfiguring",
            RECONFIGURED = "XenbusStateReconfigured",
        }
    });
}

fn io_xs_wire(facts: &mut Facts) {
    table!(facts, hypercalls::io::xs_wire, {
        enum XsMessageType { CONTROL = "XS_CONTROL", DIRECTORY = "XS_DIRECTORY", READ = "XS_READ",
            GET_PERMS = "XS_GET_PERMS", WATCH = "XS_WATCH", UNWATCH = "XS_UNWATCH",
            TRANSACTION_START = "XS_TRANSACTION_START", TRANSACTION_END = "XS_TRANSACTION_END",
            INTRODUCE = "XS_INTRODUCE", RELEASE = "XS_RELEASE", GET_DOMAIN_PATH = "XS_GET_DOMAIN_PATH",
            WRITE = "XS_WRITE", MKDIR = "XS_MKDIR", RM = "XS_RM", SET_PERMS = "XS_SET_PERMS",
            WATCH_EVENT = "XS_WATCH_EVENT", ERROR = "XS_ERROR", IS_DOMAIN_INTRODUCED = "XS_IS_DOMAIN_INTRODUCED",
            RESUME = "XS_RESUME", SET_TARGET = "XS_SET_TARGET", RESET_WATCHES = "XS_RESET_WATCHES",
            DIRECTORY_PART = "XS_DIRECTORY_PART", INVALID = "XS_INVALID" }
        struct XsdSockmsg = "struct xsd_sockmsg" { msg_type = "type", req_id, tx_id, len }
        consts { RING_SIZE = "XENSTORE_RING_SIZE", PAYLOAD_MAX = "XENSTORE_PAYLOAD_MAX",
            ABS_PATH_MAX = "XENSTORE_ABS_PATH_MAX", REL_PATH_MAX = "XENSTORE_REL_PATH_MAX" }
        flags ServerFeatures { RECONNECTION = "XENSTORE_SERVER_FEATURE_RECONNECTION",
            ERROR = "XENSTORE_SERVER_FEATURE_ERROR" }
        enum ConnectionState { CONNECTED = "XENSTORE_CONNECTED", RECONNECT = "XENSTORE_RECONNECT" }
        enum ConnectionError { NONE = "XENSTORE_ERROR_NONE", COMM = "XENSTORE_ERROR_COMM",
            RINGIDX = "XENSTORE_ERROR_RINGIDX", PROTO = "XENSTORE_ERROR_PROTO" }
        struct XenstoreDomainInterface = "struct xenstore_domain_interface" { req, rsp, req_cons, req_prod,
            rsp_cons, rsp_prod, server_features, connection, error }
    });
}
