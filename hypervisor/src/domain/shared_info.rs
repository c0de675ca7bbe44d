// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the hypervisor writes into pages that a guest shares: time, the wall clock, run states.
#![forbid(unsafe_code)]

use core::sync::atomic::{Ordering, fence};

use hypercalls::handle::GuestHandle;
use hypercalls::vcpu::VcpuRunstateInfo;

use crate::config::LEGACY_MAX_VCPUS;
use crate::domain::Domain;
use crate::domain::vcpu::{Vcpu, pending};
use crate::mm::guest_access;
use crate::mm::map;
use crate::time::{self, guest_time};

/// Offsets in shared_info.
const WC_VERSION: usize = 0xc00;
/// Size of vcpu_info; the first is at the start of shared_info.
const VCPU_INFO: usize = 64;
/// evtchn_upcall_mask in the first word of vcpu_info.
const UPCALL_MASK: u64 = 1 << 8;
/// Offset of vcpu_time_info in vcpu_info.
const TIME: usize = 0x20;
/// Time is being updated (top bit of state_entry_time, VMASST_TYPE_runstate_update_flag).
const RUNSTATE_UPDATE: u64 = 1 << 63;
const VMASST_RUNSTATE_UPDATE_FLAG: u32 = 5;

/// Masks the events of every vCPU that a new shared info page has room for, whether or not the domain has so many.
pub(crate) fn mask_upcalls(domain: &Domain) {
    let slots = map::words(domain.shared_info).chunks(VCPU_INFO / 8).take(LEGACY_MAX_VCPUS as usize);
    for first in slots.filter_map(<[_]>::first) {
        first.fetch_or(UPCALL_MASK, Ordering::Relaxed);
    }
}

/// Writes the vCPU's vcpu_time_info, if it is not there: the toolstack may have cleared the page since (libxenguest does), the guest may
/// have written to it. The guest may read at any moment.
pub(crate) fn write_time_info(vcpu: &Vcpu) {
    let words = time::system::guest_time().words();
    let info = vcpu.info();
    if (0..).zip(words).all(|(index, word)| info.word(TIME + 8 + 8 * index).load(Ordering::Relaxed) == word) {
        return;
    }
    let version = info.word(TIME);
    let old = version.load(Ordering::Relaxed);
    let (writing, done) = guest_time::versions(old as u32);
    let rest = old & !0xffff_ffff;
    version.store(rest | u64::from(writing), Ordering::Relaxed);
    fence(Ordering::Release);
    for (index, word) in words.into_iter().enumerate() {
        info.word(TIME + 8 + 8 * index).store(word, Ordering::Relaxed);
    }
    fence(Ordering::Release);
    version.store(rest | u64::from(done), Ordering::Release);
    vcpu.pending.fetch_or(pending::TIME, Ordering::AcqRel);
}

/// Writes the date into a domain's shared info page.
pub(crate) fn update_wallclock(domain: &Domain) {
    let (seconds, high, nanoseconds) = time::system::wallclock().words();
    let offset = domain.settings.lock().time_offset;
    let shifted = (u64::from(high) << 32 | u64::from(seconds)).wrapping_add_signed(offset);
    let (seconds, high) = (shifted as u32, (shifted >> 32) as u32);
    let words = map::words32(domain.shared_info);
    let at = |offset: usize| &words[(WC_VERSION + offset) / 4];
    let (writing, done) = guest_time::versions(at(0).load(Ordering::Relaxed));
    at(0).store(writing, Ordering::Relaxed);
    fence(Ordering::Release);
    at(4).store(seconds, Ordering::Relaxed);
    at(8).store(nanoseconds, Ordering::Relaxed);
    at(12).store(high, Ordering::Relaxed);
    fence(Ordering::Release);
    at(0).store(done, Ordering::Release);
}

/// Copies run state and time to the areas the guest registered by virtual address; its kernel's tables are loaded. A copy
/// that faults is the guest's loss.
pub(crate) fn write_guest_areas(vcpu: &Vcpu) {
    let due = vcpu.pending.fetch_and(!(pending::RUNSTATE | pending::TIME), Ordering::AcqRel);
    let (runstate_area, time_area) =
        (vcpu.runstate_area.load(Ordering::Acquire), vcpu.time_area.load(Ordering::Acquire));
    if due & pending::RUNSTATE != 0 && runstate_area != 0 {
        write_runstate(vcpu, GuestHandle::new(runstate_area));
    }
    if due & pending::TIME != 0 && time_area != 0 {
        write_time(vcpu, time_area);
    }
}

/// The runstate structure of a vCPU now.
pub(crate) fn runstate_info(vcpu: &Vcpu) -> VcpuRunstateInfo {
    let (state, since, time) = vcpu.runstate.lock().snapshot();
    VcpuRunstateInfo { state: hypercalls::vcpu::Runstate(state as i32), _pad: [0; 4], state_entry_time: since, time }
}

fn write_runstate(vcpu: &Vcpu, area: GuestHandle<VcpuRunstateInfo>) {
    let mut info = runstate_info(vcpu);
    if !vcpu.domain.assists(VMASST_RUNSTATE_UPDATE_FLAG) {
        let _ = guest_access::write(area, &info);
        return;
    }
    let entry_time: GuestHandle<u64> = GuestHandle::new(area.addr().wrapping_add(8));
    let real = info.state_entry_time;
    info.state_entry_time |= RUNSTATE_UPDATE;
    let _ = guest_access::write(entry_time, &info.state_entry_time);
    fence(Ordering::Release);
    let _ = guest_access::write(area, &info);
    fence(Ordering::Release);
    let _ = guest_access::write(entry_time, &real);
}

fn write_time(vcpu: &Vcpu, area: u64) {
    let info = vcpu.info();
    let version: GuestHandle<u32> = GuestHandle::new(area);
    let old = guest_access::read(version).unwrap_or(0);
    let (writing, done) = guest_time::versions(old);
    let _ = guest_access::write(version, &writing);
    fence(Ordering::Release);
    for index in 0..3_u64 {
        let word = info.word(TIME + 8 + 8 * index as usize).load(Ordering::Relaxed);
        let _ = guest_access::write(GuestHandle::<u64>::new(area.wrapping_add(8 + 8 * index)), &word);
    }
    fence(Ordering::Release);
    let _ = guest_access::write(version, &done);
}
