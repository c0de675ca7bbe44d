// SPDX-License-Identifier: MIT OR Apache-2.0
//! The state of one interrupt source that a guest drives, and what the controller must be told at each step.
//!
//! A level-triggered line is masked when it fires and unmasked when the guest says that it has served the device; the local APIC is
//! always acknowledged at once, so no guest can hold back another's interrupts. Edges and messages are never masked for that.
#![forbid(unsafe_code)]

/// Trigger and polarity of an interrupt line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct LineMode {
    /// Level triggered, else edge.
    pub(crate) level: bool,
    /// Active low, else high.
    pub(crate) active_low: bool,
}

impl LineMode {
    /// What the ISA bus uses unless a table says otherwise, and what a message is.
    pub(crate) const EDGE: Self = Self { level: false, active_low: false };
    /// What PCI INTx lines are.
    pub(crate) const PCI: Self = Self { level: true, active_low: true };
}

/// What to do to the source's mask bit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub(crate) enum MaskChange {
    /// Leave it.
    Keep,
    /// Set it.
    Mask,
    /// Clear it.
    Unmask,
}

/// A source's state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Line {
    level: bool,
    /// A guest listens.
    bound: bool,
    /// Fired, masked, and not yet ended by the guest.
    in_service: bool,
}

impl Line {
    /// A source nobody listens to; its mask bit is set.
    pub(crate) const fn new(level: bool) -> Self {
        Self { level, bound: false, in_service: false }
    }

    /// Whether the guest must end each interrupt (`PHYSDEVOP_eoi`).
    pub(crate) const fn needs_eoi(&self) -> bool {
        self.level
    }

    /// Whether a guest listens.
    pub(crate) const fn is_bound(&self) -> bool {
        self.bound
    }

    /// Whether it waits for the guest's end of interrupt.
    pub(crate) const fn is_in_service(&self) -> bool {
        self.in_service
    }

    /// The trigger mode changes; only while nobody listens.
    pub(crate) fn set_level(&mut self, level: bool) {
        debug_assert!(!self.bound, "trigger mode of a line in use");
        self.level = level;
        self.in_service = false;
    }

    /// A guest begins to listen.
    pub(crate) fn bind(&mut self) -> MaskChange {
        if self.bound {
            return MaskChange::Keep;
        }
        self.bound = true;
        self.in_service = false;
        MaskChange::Unmask
    }

    /// The guest no longer listens.
    pub(crate) fn unbind(&mut self) -> MaskChange {
        self.bound = false;
        self.in_service = false;
        MaskChange::Mask
    }

    /// It fired. An interrupt that was under way while the line was unbound is masked and otherwise forgotten.
    pub(crate) fn fire(&mut self) -> MaskChange {
        self.in_service = self.bound && self.level;
        if self.bound && !self.level { MaskChange::Keep } else { MaskChange::Mask }
    }

    /// The guest (or the hypervisor for it) ends the interrupt; nothing happens if none is in service.
    pub(crate) fn end(&mut self) -> MaskChange {
        if !self.in_service {
            return MaskChange::Keep;
        }
        self.in_service = false;
        MaskChange::Unmask
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_level_line_waits_for_its_guest() {
        let mut line = Line::new(true);
        assert_eq!(line.bind(), MaskChange::Unmask);
        assert_eq!(line.fire(), MaskChange::Mask);
        assert!(line.is_in_service());
        assert_eq!(line.end(), MaskChange::Unmask);
        assert_eq!(line.end(), MaskChange::Keep);
    }

    #[test]
    fn an_edge_is_not_masked() {
        let mut line = Line::new(false);
        assert_eq!(line.bind(), MaskChange::Unmask);
        assert_eq!(line.fire(), MaskChange::Keep);
        assert_eq!(line.end(), MaskChange::Keep);
        assert!(!line.needs_eoi());
    }

    proptest! {
        /// Following the changes, the mask bit is clear exactly when a guest listens and owes no end of interrupt.
        #[test]
        fn the_mask_bit_tells_the_truth(level: bool, steps in prop::collection::vec(0_u8..4, 0..50)) {
            let mut line = Line::new(level);
            let mut masked = true;
            for step in steps {
                let change = match step {
                    0 => line.bind(),
                    1 => line.unbind(),
                    2 => line.fire(),
                    _ => line.end(),
                };
                match change {
                    MaskChange::Keep => {}
                    MaskChange::Mask => masked = true,
                    MaskChange::Unmask => masked = false,
                }
                prop_assert_eq!(masked, !line.is_bound() || line.is_in_service());
            }
        }
    }
}
