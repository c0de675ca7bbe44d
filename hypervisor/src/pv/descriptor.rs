// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which segment descriptors a guest may have in its GDT and LDT, and how they are made safe.
//!
//! Guest kernels run at CPL 3, so descriptors lose their privilege levels: present ones are raised to DPL 3. Of the system
//! descriptors only call gates exist for guests, and they are made to fault (DPL 0), so that the hypervisor could carry out
//! the transfer itself. Segment bases and limits need no check: 64-bit code ignores them, and 32-bit code cannot reach the
//! hypervisor's half of the address space.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects
    )
)]

use hypercalls::trap::{FIRST_RESERVED_GDT_ENTRY, FLAT_RING3_CS32, FLAT_RING3_CS64};

const PRESENT: u64 = 1 << 47;
const DPL_SHIFT: u32 = 45;
const DPL: u64 = 3 << DPL_SHIFT;
/// Set for code and data, clear for system descriptors.
const CODE_OR_DATA: u64 = 1 << 44;
const TYPE_SHIFT: u32 = 40;
const TYPE_CALL_GATE: u64 = 0xc;
/// A call gate's selector stands here.
const GATE_SELECTOR_SHIFT: u32 = 16;
/// The bits of a gate's high word that must be zero (no stack switching table in 64-bit mode).
const GATE_RESERVED: u64 = 0xff << 32;

/// The value to put into the table for the guest's descriptor, or `None` if the guest may not have it.
///
/// Idempotent: what was made safe once stays as it is.
pub(crate) fn make_safe(descriptor: u64) -> Option<u64> {
    if descriptor & PRESENT == 0 {
        return Some(descriptor);
    }
    if descriptor & CODE_OR_DATA != 0 {
        return Some(descriptor | DPL);
    }
    match descriptor >> TYPE_SHIFT & 0xf {
        // Reserved, faults on use; also the upper half of a 16-byte gate.
        0 => Some(descriptor | DPL),
        TYPE_CALL_GATE => call_gate(descriptor),
        _ => None,
    }
}

/// The gate's own DPL is remembered in the selector's RPL, where the emulation finds it.
fn call_gate(descriptor: u64) -> Option<u64> {
    let selector = (descriptor >> GATE_SELECTOR_SHIFT) as u16;
    if descriptor & GATE_RESERVED != 0 || !is_gate_target(selector) {
        return None;
    }
    let dpl = descriptor >> DPL_SHIFT & 3;
    // A gate that was made safe already has DPL 0 and its true level in the selector.
    let level = if dpl == 0 { u64::from(selector & 3) } else { dpl };
    let selector_rpl = 3u64 << GATE_SELECTOR_SHIFT;
    Some(descriptor & !DPL & !selector_rpl | level << GATE_SELECTOR_SHIFT)
}

/// Null, a descriptor of the guest's own, or one of the flat code segments.
fn is_gate_target(selector: u16) -> bool {
    let index = u32::from(selector >> 3);
    let is_local = selector & 4 != 0;
    is_local || index < FIRST_RESERVED_GDT_ENTRY || matches!(selector | 3, FLAT_RING3_CS32 | FLAT_RING3_CS64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn code_and_data_are_raised() {
        // Linux: kernel code, kernel data, user code, TLS-like not present.
        assert_eq!(make_safe(0x00af_9b00_0000_ffff), Some(0x00af_fb00_0000_ffff));
        assert_eq!(make_safe(0x00cf_9300_0000_ffff), Some(0x00cf_f300_0000_ffff));
        assert_eq!(make_safe(0x00cf_fb00_0000_ffff), Some(0x00cf_fb00_0000_ffff));
        assert_eq!(make_safe(0), Some(0));
        assert_eq!(make_safe(0x0000_0900_1234_0067), Some(0x0000_0900_1234_0067));
    }

    #[test]
    fn system_descriptors_are_refused() {
        for kind in 0..16u64 {
            let descriptor = PRESENT | kind << TYPE_SHIFT | 0x10 << GATE_SELECTOR_SHIFT;
            assert_eq!(make_safe(descriptor).is_some(), kind == 0 || kind == 0xc, "type {kind:#x}");
        }
    }

    #[test]
    fn call_gates_fault() {
        let gate = |selector: u64, dpl: u64| PRESENT | dpl << DPL_SHIFT | 0xc << TYPE_SHIFT | selector << 16;
        assert_eq!(make_safe(gate(0x10, 3)), Some(gate(0x13, 0)));
        assert_eq!(make_safe(gate(0xe033, 1)), Some(gate(0xe031, 0)));
        assert_eq!(make_safe(gate(0xe008, 3)), None);
        assert_eq!(make_safe(gate(0xe02b, 3)), None);
        assert_eq!(make_safe(gate(0x10, 3) | 1 << 32), None);
        assert!(make_safe(gate(0xffff, 3)).is_some());
    }

    proptest! {
        #[test]
        fn result_is_safe_and_stable(descriptor: u64) {
            if let Some(safe) = make_safe(descriptor) {
                prop_assert_eq!(make_safe(safe), Some(safe));
                if safe & PRESENT != 0 {
                    let is_gate = safe & CODE_OR_DATA == 0 && safe >> TYPE_SHIFT & 0xf == TYPE_CALL_GATE;
                    prop_assert_eq!(safe & DPL, if is_gate { 0 } else { DPL });
                }
            }
        }
    }
}
