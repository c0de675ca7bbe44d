// SPDX-License-Identifier: MIT OR Apache-2.0
//! CPUID and MSR policies as lists, the form in which toolstacks read and write them (domctl and sysctl).
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::sync::Arc;
use alloc::vec::Vec;

use hypercalls::domctl::{CPUID_NO_SUBLEAF, CpuPolicy, CpuidLeaf, MsrEntry};
use hypercalls::errno::Errno;
use hypercalls::handle::GuestHandle;
use hypercalls::sysctl::cpu::{CpuPolicyIndex, SysctlCpuPolicy};

use crate::domain::DomainRef;
use crate::hypercall::Cx;
use crate::mm::guest_access;
use crate::pv::cpuid_policy::Leaf;
use crate::pv::cpuid_view;

/// The last leaves that toolstacks know.
const LAST_BASIC: u32 = 0xd;
const LAST_EXTENDED: u32 = 0x8000_0021;
/// Leaves that only say how many there are, of Xen and of what else a guest may be told it runs on.
const HYPERVISOR_LEAVES: [u32; 2] = [0x4000_0000, 0x4000_0100];
/// Levels of leaf 0xb: threads of a core, cores of a package.
const TOPOLOGY_LEVELS: u32 = 2;
/// Caches a leaf 4 may describe.
const MAX_CACHES: u32 = 8;
/// More than the leaves below can be.
const MAX_LEAVES: u32 = 160;
/// `MSR_INTEL_PLATFORM_INFO` and `MSR_ARCH_CAPABILITIES`: both read as zero, or not at all.
const MSRS: [u32; 2] = [0xce, 0x10a];
/// `err_leaf`, `err_subleaf`, `err_msr` when nothing was refused.
const NOTHING: u32 = !0;

/// Every leaf of a view in ascending order.
fn leaves(view: impl Fn(u32, u32) -> Leaf) -> Vec<CpuidLeaf> {
    let mut list = Vec::with_capacity(MAX_LEAVES as usize);
    let mut add = |leaf: u32, subleaf: u32, words: Leaf| {
        list.push(CpuidLeaf { leaf, subleaf, a: words.eax, b: words.ebx, c: words.ecx, d: words.edx });
    };
    for leaf in 0..=view(0, 0).eax.min(LAST_BASIC) {
        let first = view(leaf, 0);
        match leaf {
            4 => {
                for index in 0..MAX_CACHES {
                    let words = view(4, index);
                    add(4, index, words);
                    if words.eax & 0x1f == 0 {
                        break;
                    }
                }
            }
            // Those who read the list expect both levels.
            0xb => (0..TOPOLOGY_LEVELS).for_each(|index| add(0xb, index, view(0xb, index))),
            7 => (0..=first.eax.min(1)).for_each(|index| add(7, index, view(7, index))),
            0xd => (0..63).for_each(|index| {
                let words = view(0xd, index);
                if index < 2 || words != Leaf::default() {
                    add(0xd, index, words);
                }
            }),
            _ => add(leaf, CPUID_NO_SUBLEAF, first),
        }
    }
    for leaf in HYPERVISOR_LEAVES {
        add(leaf, CPUID_NO_SUBLEAF, Leaf::default());
    }
    for leaf in 0x8000_0000..=view(0x8000_0000, 0).eax.min(LAST_EXTENDED) {
        add(leaf, CPUID_NO_SUBLEAF, view(leaf, 0));
    }
    list
}

/// Fills the caller's lists; both numbers become what there is. ENOBUFS: not enough room. EFAULT.
fn write_lists(
    known: &[CpuidLeaf],
    (nr_leaves, leaves): (&mut u32, GuestHandle<CpuidLeaf>),
    (nr_msrs, msrs): (&mut u32, GuestHandle<MsrEntry>),
) -> Result<(), Errno> {
    let (room, msr_room) = (*nr_leaves as usize, *nr_msrs as usize);
    // A list that the caller has no address for is not wanted, whatever its length says.
    if !leaves.is_null() && room < known.len() || !msrs.is_null() && msr_room < MSRS.len() {
        return Err(Errno::ENOBUFS);
    }
    if !leaves.is_null() {
        for (index, leaf) in (0..).zip(known) {
            guest_access::write_at(leaves, index, leaf)?;
        }
        *nr_leaves = known.len() as u32;
    }
    if !msrs.is_null() {
        for (index, idx) in (0..).zip(MSRS) {
            guest_access::write_at(msrs, index, &MsrEntry { idx, flags: 0, val: 0 })?;
        }
        *nr_msrs = MSRS.len() as u32;
    }
    Ok(())
}

/// sysctl get_cpu_policy. Without lists: how long they may be. EINVAL: no such policy. EOPNOTSUPP: one of hardware-assisted guests.
/// ENOBUFS, EFAULT.
pub(super) fn of_system(mut request: SysctlCpuPolicy) -> Result<SysctlCpuPolicy, Errno> {
    if request._rsvd != 0 {
        return Err(Errno::EINVAL);
    }
    let known = match request.index {
        CpuPolicyIndex::RAW | CpuPolicyIndex::HOST => leaves(cpuid_view::host),
        CpuPolicyIndex::PV_MAX | CpuPolicyIndex::PV_DEFAULT => {
            leaves(|leaf, subleaf| cpuid_view::default(false, leaf, subleaf))
        }
        CpuPolicyIndex::HVM_MAX | CpuPolicyIndex::HVM_DEFAULT => return Err(Errno::EOPNOTSUPP),
        _ => return Err(Errno::EINVAL),
    };
    if request.leaves.is_null() && request.msrs.is_null() {
        request.nr_leaves = MAX_LEAVES;
        request.nr_msrs = MSRS.len() as u32;
        return Ok(request);
    }
    write_lists(&known, (&mut request.nr_leaves, request.leaves), (&mut request.nr_msrs, request.msrs))?;
    Ok(request)
}

/// domctl get_cpu_policy. Without lists: how long they may be. ENOBUFS, EFAULT.
pub(super) fn of_domain(domain: &DomainRef, mut request: CpuPolicy) -> Result<CpuPolicy, Errno> {
    if request.leaves.is_null() && request.msrs.is_null() {
        request.nr_leaves = MAX_LEAVES;
        request.nr_msrs = MSRS.len() as u32;
        return Ok(request);
    }
    let known = leaves(|leaf, subleaf| cpuid_view::guest(domain, leaf, subleaf));
    write_lists(&known, (&mut request.nr_leaves, request.leaves), (&mut request.nr_msrs, request.msrs))?;
    Ok(request)
}

/// domctl set_cpu_policy: features that are not in the lists go; none come. EINVAL: oneself, more leaves than the machine has, a
/// register that is not one of the policy's. EEXIST: the domain has run. E2BIG, ERANGE: lists or leaves beyond what there is. EFAULT.
pub(super) fn set(cx: &Cx<'_>, domain: &DomainRef, request: &mut CpuPolicy) -> Result<(), Errno> {
    (request.err_leaf, request.err_subleaf, request.err_msr) = (NOTHING, NOTHING, NOTHING);
    if Arc::ptr_eq(domain, cx.domain()) {
        return Err(Errno::EINVAL);
    }
    if domain.settings.lock().is_complete {
        return Err(Errno::EEXIST);
    }
    if request.nr_leaves > MAX_LEAVES || request.nr_msrs > MSRS.len() as u32 {
        return Err(Errno::E2BIG);
    }
    let mut chosen = Vec::with_capacity(request.nr_leaves as usize);
    for index in 0..request.nr_leaves {
        let leaf = guest_access::read_at(request.leaves, index.into())?;
        if let Err(errno) = check_leaf(&leaf) {
            (request.err_leaf, request.err_subleaf) = (leaf.leaf, leaf.subleaf);
            return Err(errno);
        }
        chosen.push(leaf);
    }
    for index in 0..request.nr_msrs {
        let msr = guest_access::read_at(request.msrs, index.into())?;
        let known = MSRS.contains(&msr.idx);
        if !known || msr.flags != 0 || msr.val != 0 {
            request.err_msr = msr.idx;
            return Err(if known { Errno::EINVAL } else { Errno::ERANGE });
        }
    }
    *domain.cpuid.lock() = chosen;
    Ok(())
}

fn check_leaf(leaf: &CpuidLeaf) -> Result<(), Errno> {
    // Where subleaves do not matter none may be named.
    let subleaves = match leaf.leaf {
        4 => MAX_CACHES,
        7 => 2,
        0xb => TOPOLOGY_LEVELS,
        0xd => 63,
        0..=LAST_BASIC | 0x4000_0000 | 0x4000_0100 | 0x8000_0000..=LAST_EXTENDED => 0,
        _ => return Err(Errno::ERANGE),
    };
    if leaf.subleaf >= subleaves && (subleaves != 0 || leaf.subleaf != CPUID_NO_SUBLEAF) {
        return Err(Errno::ERANGE);
    }
    match leaf.leaf {
        0 if leaf.a > cpuid_view::host(0, 0).eax => Err(Errno::EINVAL),
        0x8000_0000 if leaf.a > cpuid_view::host(0x8000_0000, 0).eax => Err(Errno::EINVAL),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rich(leaf: u32, subleaf: u32) -> Leaf {
        let all = Leaf { eax: !0, ebx: !0, ecx: !0, edx: !0 };
        match (leaf, subleaf) {
            (4, 3) => Leaf::default(),
            (0xd, 9..) => Leaf::default(),
            _ => all,
        }
    }

    #[test]
    fn a_machine_with_everything_fits() {
        let list = leaves(rich);
        assert!(list.len() < MAX_LEAVES as usize);
        assert!(list.is_sorted_by_key(|leaf| (leaf.leaf, leaf.subleaf)));
        assert_eq!(list.iter().filter(|leaf| leaf.leaf == 4).count(), 4);
        assert_eq!(list.iter().filter(|leaf| leaf.leaf == 0xd).count(), 9);
        assert_eq!(list.iter().filter(|leaf| leaf.leaf == 7).count(), 2);
        assert!(list.iter().all(|leaf| check_leaf(&CpuidLeaf { a: 0, ..*leaf }).is_ok()));
    }

    #[test]
    fn leaves_beyond_the_range_are_refused() {
        let leaf = |leaf| CpuidLeaf { leaf, subleaf: CPUID_NO_SUBLEAF, a: 0, b: 0, c: 0, d: 0 };
        for bad in [0xe, 0x3fff_ffff, 0x4000_0001, 0x4000_0200, 0x8000_0022, !0] {
            assert_eq!(check_leaf(&leaf(bad)), Err(Errno::ERANGE));
        }
    }
}
