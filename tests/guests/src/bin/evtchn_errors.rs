// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bad ports, domains, vCPUs and commands in every event-channel operation.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{DOMID_INVALID, DOMID_SELF, EFAULT, EINVAL, ENOENT, ENOSYS, ESRCH};
use guest_rt::event::{alloc_unbound, bind_interdomain, bind_vcpu, close, send, status, unmask};
use guest_rt::hypercall::{call, event_channel_op};
use guest_rt::{abi, check_eq, event, guest_main};

guest_main!(main);

fn main() {
    event::clear_all();
    for port in [0, 5, 4096, u32::MAX] {
        check_eq!(close(port), EINVAL, "close {port}");
        check_eq!(send(port), EINVAL, "send {port}");
        check_eq!(bind_vcpu(port, 0), EINVAL, "bind_vcpu {port}");
        // Unmasking a free port of the range is harmless, and is not refused.
        check_eq!(unmask(port), if port < 4096 { 0 } else { EINVAL }, "unmask {port}");
    }
    check_eq!(status(DOMID_SELF, 4096), Err(EINVAL), "status of a port beyond");
    check_eq!(status(77, 1), Err(ESRCH), "status of no domain");
    check_eq!(status(DOMID_SELF, 5).map(|s| s.status), Ok(0), "status of a free port");
    check_eq!(alloc_unbound(77, 0), Err(ESRCH), "alloc_unbound for no domain");
    check_eq!(alloc_unbound(DOMID_SELF, 77), Ok(1), "alloc_unbound for a domain that may come");
    check_eq!(status(DOMID_SELF, 1).map(|s| (s.status, s.detail & 0xffff)), Ok((1, 77)), "its status");
    check_eq!(bind_interdomain(DOMID_SELF, 1), Err(EINVAL), "it is not for us");
    check_eq!(bind_interdomain(77, 1), Err(ESRCH), "no such domain");
    check_eq!(bind_interdomain(DOMID_INVALID, 1), Err(ESRCH), "the invalid domain");
    check_eq!(bind_interdomain(DOMID_SELF, 0), Err(EINVAL), "port 0");
    check_eq!(bind_interdomain(DOMID_SELF, 9), Err(EINVAL), "a free port");
    check_eq!(bind_vcpu(1, 31), ENOENT, "no such vCPU");
    check_eq!(event_channel_op(99, &mut [0u64; 4]), ENOSYS, "unknown command");
    check_eq!(event_channel_op(abi::EVTCHNOP_BIND_PIRQ, &mut [9999u32, 0, 0]), EINVAL, "no such pirq");
    check_eq!(event_channel_op(abi::EVTCHNOP_RESET, &mut [77u32]), ESRCH, "reset of no domain");
    check_eq!(event::set_priority(1, 0), ENOSYS, "priorities need FIFO");
    check_eq!(event::expand_array(1), abi::EOPNOTSUPP, "so does expand_array");
    for cmd in 0..11 {
        check_eq!(call(abi::HC_EVENT_CHANNEL_OP, [cmd, 0x10, 0, 0, 0]), EFAULT, "unreadable argument of {cmd}");
    }
    check_eq!(event_channel_op(abi::EVTCHNOP_RESET, &mut [DOMID_SELF as u32]), 0, "reset");
    check_eq!(status(DOMID_SELF, 1).map(|s| s.status), Ok(0), "closed everything");
}
