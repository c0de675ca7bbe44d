// SPDX-License-Identifier: MIT OR Apache-2.0
//! CPUID as domains see it on this machine: the policy applied to the hardware's answers, less what a toolstack took away.
#![forbid(unsafe_code)]

use hypercalls::domctl::{CPUID_NO_SUBLEAF, CpuidLeaf};

use crate::domain::Domain;
use crate::mm::frame_table;
use crate::pv::cpuid_policy::{self, Context, Leaf, TscView};
use crate::time;
use crate::x86::{cpu, fpu, instr};

/// CPUID.1:ECX bits that say nothing about the CPU: OSXSAVE follows XSAVE, the other says that there is a hypervisor.
const OSXSAVE: u32 = 1 << 27;
const XSAVE: u32 = 1 << 26;
const HYPERVISOR: u32 = 1 << 31;

/// What the hardware answers.
pub(crate) fn host(leaf: u32, subleaf: u32) -> Leaf {
    let raw = instr::cpuid(leaf, subleaf);
    Leaf { eax: raw.eax, ebx: raw.ebx, ecx: raw.ecx, edx: raw.edx }
}

/// What a domain sees that nobody took anything from.
pub(crate) fn default(is_control: bool, leaf: u32, subleaf: u32) -> Leaf {
    let scale = time::system::clock().scale();
    let cx = Context {
        is_control,
        xcr0: fpu::supported_xcr0(),
        fsgsbase: cpu::has_fsgsbase(),
        machine_address_bits: 64_u32.wrapping_sub((frame_table::max_page() << 12).wrapping_sub(1).leading_zeros()),
        tsc: TscView {
            khz: (time::system::clock().hz() / 1000) as u32,
            mul: scale.multiplier,
            shift: scale.shift,
            offset: 0,
            reliable: false,
        },
    };
    cpuid_policy::guest_leaf(leaf, subleaf, &cx, host)
}

/// What a domain sees.
pub(crate) fn guest(domain: &Domain, leaf: u32, subleaf: u32) -> Leaf {
    let view = default(domain.is_control, leaf, subleaf);
    let chosen = domain.cpuid.lock();
    let matches =
        |known: &&CpuidLeaf| known.leaf == leaf && (known.subleaf == subleaf || known.subleaf == CPUID_NO_SUBLEAF);
    chosen.iter().find(matches).map_or(view, |chosen| narrow(view, chosen))
}

/// Takes away the features that the choice for a leaf does not have. Nothing is ever added, and what is no feature stays.
pub(crate) fn narrow(view: Leaf, chosen: &CpuidLeaf) -> Leaf {
    let mut out = view;
    match (chosen.leaf, chosen.subleaf) {
        (0 | 0x8000_0000, _) => out.eax = view.eax.min(chosen.a),
        (1, _) => {
            let kept = if chosen.c & XSAVE != 0 { HYPERVISOR | OSXSAVE } else { HYPERVISOR };
            out.ecx &= chosen.c | kept;
            out.edx &= chosen.d;
        }
        (7, 0) => (out.ebx, out.ecx, out.edx) = (view.ebx & chosen.b, view.ecx & chosen.c, view.edx & chosen.d),
        (7 | 0xd, 1) | (0x8000_0021, _) => out.eax &= chosen.a,
        (0x8000_0001, _) => (out.ecx, out.edx) = (view.ecx & chosen.c, view.edx & chosen.d),
        (0x8000_0007, _) => out.edx &= chosen.d,
        (0x8000_0008, _) => out.ebx &= chosen.b,
        _ => {}
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn features_go_and_the_rest_stays() {
        let view = Leaf { eax: 0x600, ebx: 0x800, ecx: HYPERVISOR | OSXSAVE | XSAVE | 1, edx: 0xff };
        let chosen = CpuidLeaf { leaf: 1, subleaf: CPUID_NO_SUBLEAF, a: 0, b: 0, c: XSAVE, d: 0x0f };
        assert_eq!(narrow(view, &chosen), Leaf { ecx: HYPERVISOR | OSXSAVE | XSAVE, edx: 0x0f, ..view });
        assert_eq!(narrow(view, &CpuidLeaf { c: 0, ..chosen }).ecx, HYPERVISOR);
        assert_eq!(narrow(view, &CpuidLeaf { leaf: 2, ..chosen }), view);
    }

    proptest! {
        #[test]
        fn nothing_is_added(leaf in 0u32..0x20, extended: bool, subleaf in 0u32..2, words: [u32; 4], chosen: [u32; 4]) {
            let [eax, ebx, ecx, edx] = words;
            let [a, b, c, d] = chosen;
            let leaf = if extended { 0x8000_0000 | leaf } else { leaf };
            let view = Leaf { eax, ebx, ecx, edx };
            let out = narrow(view, &CpuidLeaf { leaf, subleaf, a, b, c, d });
            prop_assert!(out.eax <= view.eax);
            prop_assert_eq!((out.ebx & !ebx, out.ecx & !ecx, out.edx & !edx), (0, 0, 0));
        }
    }
}
