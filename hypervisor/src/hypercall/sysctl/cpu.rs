// SPDX-License-Identifier: MIT OR Apache-2.0
//! get_cpu_featureset and physinfo's feature words: CPUID's features in the order of Xen's feature sets.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::errno::Errno;
use hypercalls::sysctl::cpu::{CpuFeatureset, FeaturesetIndex};

use crate::mm::guest_access;
use crate::pv::cpuid_policy::Leaf;
use crate::pv::cpuid_view;

/// Words of a feature set.
const WORDS: usize = 19;

/// Leaf 1 edx, ecx; 8000_0001 edx, ecx; d.1 eax; 7.0 ebx, ecx; 8000_0007 edx; 8000_0008 ebx; 7.0 edx; 7.1 eax; 8000_0021 eax;
/// 7.1 ebx; 7.2 edx; 7.1 ecx, edx; then zeros for an MSR that guests do not have and a leaf they do not see.
pub(super) fn words(view: impl Fn(u32, u32) -> Leaf) -> [u32; WORDS] {
    let (basic, extended) = (view(0, 0).eax, view(0x8000_0000, 0).eax);
    let leaf = |leaf: u32, subleaf: u32| {
        let last = if leaf >= 0x8000_0000 { extended } else { basic };
        if leaf <= last { view(leaf, subleaf) } else { Leaf::default() }
    };
    let (one, seven, e1) = (leaf(1, 0), leaf(7, 0), leaf(0x8000_0001, 0));
    let below_seven = |index: u32| if seven.eax >= index { leaf(7, index) } else { Leaf::default() };
    let (seven_1, seven_2) = (below_seven(1), below_seven(2));
    [
        one.edx,
        one.ecx,
        e1.edx,
        e1.ecx,
        leaf(0xd, 1).eax,
        seven.ebx,
        seven.ecx,
        leaf(0x8000_0007, 0).edx,
        leaf(0x8000_0008, 0).ebx,
        seven.edx,
        seven_1.eax,
        leaf(0x8000_0021, 0).eax,
        seven_1.ebx,
        seven_2.edx,
        seven_1.ecx,
        seven_1.edx,
        0,
        0,
        0,
    ]
}

/// get_cpu_featureset. ENOBUFS: not enough room, but what there was room for is written. EINVAL: no such set. EFAULT.
pub(super) fn featureset(request: &mut CpuFeatureset) -> Result<(), Errno> {
    if request.features.is_null() {
        request.nr_features = WORDS as u32;
        return Ok(());
    }
    let words = match request.index {
        FeaturesetIndex::RAW | FeaturesetIndex::HOST => words(cpuid_view::host),
        FeaturesetIndex::PV | FeaturesetIndex::PV_MAX => {
            words(|leaf, subleaf| cpuid_view::default(false, leaf, subleaf))
        }
        // Sets of hardware-assisted guests, and none at all.
        _ => return Err(Errno::EINVAL),
    };
    let room = request.nr_features as usize;
    for (index, word) in (0..).zip(words.iter().take(room)) {
        guest_access::write_at(request.features, index, word)?;
    }
    request.nr_features = room.min(WORDS) as u32;
    if room < WORDS { Err(Errno::ENOBUFS) } else { Ok(()) }
}
