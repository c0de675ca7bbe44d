// SPDX-License-Identifier: MIT OR Apache-2.0
//! Binding VIRQs and IPIs: status, errors, moving between vCPUs.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{DOMID_SELF, EEXIST, EINVAL, ENOENT, VIRQ_CONSOLE, VIRQ_DEBUG, VIRQ_DOM_EXC, VIRQ_TIMER};
use guest_rt::event::{Status, bind_ipi, bind_vcpu, bind_virq};
use guest_rt::{check, check_eq, event, guest_main, vcpu};

guest_main!(main);

fn main() {
    event::clear_all();
    let timer = bind_virq(VIRQ_TIMER, 0);
    check_eq!(timer, Ok(1), "VIRQ_TIMER");
    check_eq!(
        event::status(DOMID_SELF, 1),
        Ok(Status { status: 4, vcpu: 0, detail: VIRQ_TIMER, remote_port: 0 }),
        "status"
    );
    check_eq!(bind_virq(VIRQ_TIMER, 0), Err(EEXIST), "bound already");
    check_eq!(bind_virq(VIRQ_TIMER, 31), Err(ENOENT), "no such vCPU");
    check_eq!(bind_virq(24, 0), Err(EINVAL), "no such VIRQ");
    check_eq!(bind_virq(99, 0), Err(EINVAL), "no such VIRQ");
    let console = bind_virq(VIRQ_CONSOLE, 0);
    check_eq!(console, Ok(2), "VIRQ_CONSOLE");
    if vcpu::exists(1) {
        check_eq!(bind_virq(VIRQ_DOM_EXC, 1), Err(EINVAL), "a global VIRQ starts on vCPU 0");
        check_eq!(bind_virq(VIRQ_TIMER, 1), Ok(3), "VIRQ_TIMER of vCPU 1");
        check_eq!(event::close(3), 0, "close");
        check_eq!(bind_vcpu(2, 1), 0, "a global VIRQ moves");
        check_eq!(
            event::status(DOMID_SELF, 2),
            Ok(Status { status: 4, vcpu: 1, detail: VIRQ_CONSOLE, remote_port: 0 }),
            "status"
        );
        check_eq!(bind_vcpu(2, 0), 0, "and back");
    }
    check_eq!(bind_vcpu(1, 0), EINVAL, "a timer does not move");
    let ipi = bind_ipi(0);
    check_eq!(ipi, Ok(3), "an IPI");
    check_eq!(bind_ipi(0), Ok(4), "another");
    check_eq!(event::status(DOMID_SELF, 3), Ok(Status { status: 5, vcpu: 0, detail: 0, remote_port: 0 }), "status");
    check_eq!(bind_ipi(31), Err(ENOENT), "no such vCPU");
    check_eq!(bind_vcpu(3, 0), EINVAL, "an IPI does not move");
    check_eq!(event::send(3), 0, "send an IPI");
    check!(event::pending(3), "it arrives");
    check_eq!(event::send(1), EINVAL, "a VIRQ cannot be sent");
    check_eq!(bind_virq(VIRQ_DEBUG, 0), Ok(5), "VIRQ_DEBUG");
    check_eq!(event::close(1), 0, "close");
    check_eq!(bind_virq(VIRQ_TIMER, 0), Ok(1), "bind it again");
}
