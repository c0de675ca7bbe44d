// SPDX-License-Identifier: MIT OR Apache-2.0
//! Event channels: the calls, the two-level bitmaps in shared_info, and the upcall.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};

use crate::abi::{self, EVTCHNOP_ALLOC_UNBOUND, EVTCHNOP_BIND_INTERDOMAIN, EVTCHNOP_BIND_IPI, EVTCHNOP_BIND_VIRQ};
use crate::hypercall::event_channel_op;
use crate::{hypercall, memory};

/// Offset of `evtchn_pending` in shared_info.
pub const PENDING: u64 = 0x800;
/// Offset of `evtchn_mask` in shared_info.
pub const MASK: u64 = 0xa00;

static SHARED: AtomicU64 = AtomicU64::new(0);
/// Address of the boot vCPU's vcpu_info.
static INFO: AtomicU64 = AtomicU64::new(0);
static UPCALLS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn init() {
    let window = memory::alloc();
    let shared = memory::start_info_word(memory::start_info::SHARED_INFO);
    memory::must(memory::update_va(window.va, shared | memory::RW, memory::UVMF_INVLPG_ALL), "map shared_info");
    SHARED.store(window.va, Ordering::SeqCst);
    INFO.store(window.va, Ordering::SeqCst);
}

/// Where shared_info is mapped.
pub fn shared_info() -> u64 {
    SHARED.load(Ordering::SeqCst)
}

/// Where the boot vCPU's vcpu_info is.
pub fn vcpu_info() -> u64 {
    INFO.load(Ordering::SeqCst)
}

/// Tells the runtime that the boot vCPU's vcpu_info moved.
pub fn set_vcpu_info(va: u64) {
    INFO.store(va, Ordering::SeqCst);
}

/// The boot vCPU's `evtchn_upcall_mask` (1 before shared_info is mapped: nothing is delivered then).
pub fn upcall_mask() -> u8 {
    if vcpu_info() == 0 { 1 } else { memory::read8(vcpu_info() + 1) }
}

/// Sets the upcall mask, without asking for delivery.
pub fn set_upcall_mask(mask: u8) {
    memory::write8(vcpu_info() + 1, mask);
}

/// The boot vCPU's `evtchn_upcall_pending`.
pub fn upcall_pending() -> u8 {
    memory::read8(vcpu_info())
}

/// Sets the boot vCPU's `evtchn_upcall_pending`.
pub fn set_upcall_pending(value: u8) {
    memory::write8(vcpu_info(), value);
}

/// The boot vCPU's `evtchn_pending_sel`.
pub fn pending_sel() -> u64 {
    memory::read64(vcpu_info() + 8)
}

/// The boot vCPU's `arch.cr2`.
pub fn cr2() -> u64 {
    if vcpu_info() == 0 { 0 } else { memory::read64(vcpu_info() + 0x10) }
}

/// Forgets everything pending: the two-level way of starting afresh.
pub fn clear_all() {
    for word in 0..64 {
        memory::atomic64(shared_info() + PENDING + word * 8).store(0, Ordering::SeqCst);
    }
    memory::atomic64(vcpu_info() + 8).store(0, Ordering::SeqCst);
    set_upcall_pending(0);
}

fn bit(base: u64, port: u32) -> bool {
    memory::read64(shared_info() + base + u64::from(port / 64) * 8) >> (port % 64) & 1 == 1
}

/// Is the port pending (two-level)?
pub fn pending(port: u32) -> bool {
    bit(PENDING, port)
}

/// Is the port masked (two-level)?
pub fn masked(port: u32) -> bool {
    bit(MASK, port)
}

/// Masks or unmasks a port in shared memory (two-level).
pub fn set_masked(port: u32, masked: bool) {
    let word = memory::atomic64(shared_info() + MASK + u64::from(port / 64) * 8);
    let bit = 1 << (port % 64);
    if masked {
        word.fetch_or(bit, Ordering::SeqCst)
    } else {
        word.fetch_and(!bit, Ordering::SeqCst)
    };
}

/// Clears a port's pending bit (two-level); tells whether it was set.
pub fn take_pending(port: u32) -> bool {
    let bit = 1 << (port % 64);
    memory::atomic64(shared_info() + PENDING + u64::from(port / 64) * 8).fetch_and(!bit, Ordering::SeqCst) & bit != 0
}

/// How many upcalls the event callback has seen.
pub fn upcalls() -> u64 {
    UPCALLS.load(Ordering::SeqCst)
}

/// The default handler: counts, and takes back what made the hypervisor call, so that it does not call for ever.
pub(crate) fn on_upcall() {
    UPCALLS.fetch_add(1, Ordering::SeqCst);
    set_upcall_pending(0);
}

/// Opens upcalls and makes a hypercall, whose exit delivers what is pending; masks again.
pub fn deliver() {
    set_upcall_mask(0);
    hypercall::call(abi::HC_XEN_VERSION, [0; 5]);
    set_upcall_mask(1);
}

fn port_or_error(result: i64, port: u32) -> Result<u32, i64> {
    if result == 0 { Ok(port) } else { Err(result) }
}

/// `EVTCHNOP_alloc_unbound`.
pub fn alloc_unbound(dom: u64, remote: u64) -> Result<u32, i64> {
    let mut arg = [(dom | remote << 16) as u32, 0];
    port_or_error(event_channel_op(EVTCHNOP_ALLOC_UNBOUND, &mut arg), arg[1])
}

/// `EVTCHNOP_bind_interdomain`.
pub fn bind_interdomain(remote_dom: u64, remote_port: u32) -> Result<u32, i64> {
    let mut arg = [remote_dom as u32, remote_port, 0];
    port_or_error(event_channel_op(EVTCHNOP_BIND_INTERDOMAIN, &mut arg), arg[2])
}

/// `EVTCHNOP_bind_virq`.
pub fn bind_virq(virq: u32, vcpu: u32) -> Result<u32, i64> {
    let mut arg = [virq, vcpu, 0];
    port_or_error(event_channel_op(EVTCHNOP_BIND_VIRQ, &mut arg), arg[2])
}

/// `EVTCHNOP_bind_ipi`.
pub fn bind_ipi(vcpu: u32) -> Result<u32, i64> {
    let mut arg = [vcpu, 0];
    port_or_error(event_channel_op(EVTCHNOP_BIND_IPI, &mut arg), arg[1])
}

/// `EVTCHNOP_close`.
pub fn close(port: u32) -> i64 {
    event_channel_op(abi::EVTCHNOP_CLOSE, &mut [port])
}

/// `EVTCHNOP_send`.
pub fn send(port: u32) -> i64 {
    event_channel_op(abi::EVTCHNOP_SEND, &mut [port])
}

/// `EVTCHNOP_unmask`.
pub fn unmask(port: u32) -> i64 {
    event_channel_op(abi::EVTCHNOP_UNMASK, &mut [port])
}

/// `EVTCHNOP_bind_vcpu`.
pub fn bind_vcpu(port: u32, vcpu: u32) -> i64 {
    event_channel_op(abi::EVTCHNOP_BIND_VCPU, &mut [port, vcpu])
}

/// `EVTCHNOP_set_priority`.
pub fn set_priority(port: u32, priority: u32) -> i64 {
    event_channel_op(abi::EVTCHNOP_SET_PRIORITY, &mut [port, priority])
}

/// `EVTCHNOP_expand_array`.
pub fn expand_array(mfn: u64) -> i64 {
    event_channel_op(abi::EVTCHNOP_EXPAND_ARRAY, &mut [mfn])
}

/// `EVTCHNOP_init_control`: gives the result and the link bits.
pub fn init_control(mfn: u64, offset: u32, vcpu: u32) -> (i64, u8) {
    let mut arg = [mfn, u64::from(offset) | u64::from(vcpu) << 32, 0];
    let result = event_channel_op(abi::EVTCHNOP_INIT_CONTROL, &mut arg);
    (result, arg[2] as u8)
}

/// What `EVTCHNOP_status` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// 0 closed, 1 unbound, 2 interdomain, 3 pirq, 4 virq, 5 ipi.
    pub status: u32,
    /// The vCPU that is notified.
    pub vcpu: u32,
    /// The union: domain (low 16 bits), pirq or virq.
    pub detail: u32,
    /// The remote port of an interdomain channel.
    pub remote_port: u32,
}

/// `EVTCHNOP_status`.
pub fn status(dom: u64, port: u32) -> Result<Status, i64> {
    let mut arg = [dom as u32, port, 0, 0, 0, 0];
    let result = event_channel_op(abi::EVTCHNOP_STATUS, &mut arg);
    let status = Status { status: arg[2], vcpu: arg[3], detail: arg[4], remote_port: arg[5] };
    if result == 0 { Ok(status) } else { Err(result) }
}
