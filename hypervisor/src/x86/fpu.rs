// SPDX-License-Identifier: MIT OR Apache-2.0
//! FPU, SSE and AVX state of vCPUs. SDM vol. 1 chapter 13. The hypervisor itself uses none of it.
//!
//! State is saved and restored whole at every vCPU switch; CR0.TS is only ever set because the guest set it.
// UNSAFETY: executes XSAVE and XSETBV.
#![expect(unsafe_code, reason = "FPU instructions")]

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::x86::{instr, uaccess};

/// x87, SSE, AVX, AVX-512 (3): what we save and guests may use. Not MPX, PKRU, AMX.
const SUPPORTED: u64 = 0xe7;
/// Largest XSAVE image of the supported components (AVX-512: 2688 bytes).
const AREA_BYTES: usize = 2816;

/// XCR0 bits that this machine and we support; 0 without XSAVE.
static HOST_XCR0: AtomicU64 = AtomicU64::new(0);

#[derive(Clone)]
#[repr(C, align(64))]
struct Image([u8; AREA_BYTES]);

/// A vCPU's image and its XCR0.
#[derive(Clone)]
pub(crate) struct FpuArea {
    image: Box<Image>,
    /// XCR0 of the guest.
    pub(crate) xcr0: u64,
}

/// XCR0 bits that guests may set.
pub(crate) fn supported_xcr0() -> u64 {
    HOST_XCR0.load(Ordering::Relaxed)
}

/// Turns XSAVE on for this CPU, if there is one; on the boot CPU also finds out what there is.
pub(crate) fn init_cpu() {
    const CR4_OSXSAVE: u64 = 1 << 18;
    if instr::cpuid(1, 0).ecx >> 26 & 1 == 0 {
        return;
    }
    let leaf = instr::cpuid(0xd, 0);
    let mut mask = (u64::from(leaf.edx) << 32 | u64::from(leaf.eax)) & SUPPORTED;
    if mask & 0xe0 != 0xe0 {
        mask &= !0xe0;
    }
    // SAFETY: the CPU has XSAVE; the mask is a subset of what CPUID reports and holds x87 and SSE.
    unsafe {
        instr::write_cr4(instr::read_cr4() | CR4_OSXSAVE);
        instr::xsetbv(0, mask);
    }
    HOST_XCR0.store(mask, Ordering::Relaxed);
}

impl FpuArea {
    /// The state after reset: FCW 0x37f, MXCSR 0x1f80.
    pub(crate) fn new() -> Self {
        let mut image = Box::new(Image([0; AREA_BYTES]));
        image.0[0..2].copy_from_slice(&0x037f_u16.to_le_bytes());
        image.0[24..28].copy_from_slice(&0x1f80_u32.to_le_bytes());
        if supported_xcr0() != 0 {
            // XSTATE_BV: x87 and SSE come from the image, the rest starts at its initial value.
            image.0[512] = 3;
        }
        Self { image, xcr0: 1 }
    }

    /// Saves the CPU's state here.
    pub(crate) fn save(&mut self) {
        let area = self.image.0.as_mut_ptr();
        let mask = supported_xcr0();
        if mask == 0 {
            // SAFETY: 512 bytes, 16-byte aligned.
            unsafe { core::arch::asm!("fxsave64 [{}]", in(reg) area, options(nostack)) };
            return;
        }
        if self.xcr0 != mask {
            // SAFETY: a mask the CPU supports; all components are saved whatever the guest has enabled now.
            unsafe { instr::xsetbv(0, mask) };
        }
        // SAFETY: the image is 64-byte aligned and as large as the components in XCR0 need.
        unsafe {
            core::arch::asm!("xsave64 [{}]", in(reg) area, in("eax") mask as u32, in("edx") (mask >> 32) as u32,
                options(nostack));
        }
    }

    /// Loads the CPU's state from here and sets the guest's XCR0. A bad image (from the toolstack) becomes reset state.
    pub(crate) fn restore(&mut self) {
        let mask = supported_xcr0();
        if mask != 0 {
            // SAFETY: a mask the CPU supports.
            unsafe { instr::xsetbv(0, mask) };
        }
        if uaccess::restore_fpu(&self.image.0, mask).is_err() {
            let xcr0 = self.xcr0;
            *self = Self { xcr0, ..Self::new() };
            let _ = uaccess::restore_fpu(&self.image.0, mask);
        }
        if mask != 0 && self.xcr0 != mask {
            // SAFETY: the guest's value was checked to be a subset of `mask` with x87 when it was set.
            unsafe { instr::xsetbv(0, self.xcr0) };
        }
    }

    /// Sets the legacy image (`vcpu_guest_context.fpu_ctxt`).
    pub(crate) fn set_legacy(&mut self, fxsave: &[u8; 512]) {
        self.image.0[..512].copy_from_slice(fxsave);
        self.image.0[512..576].fill(0);
        self.image.0[512] = 3;
        // Reserved MXCSR bits would make the restore fault: keep what every CPU has.
        self.image.0[25] &= 0xff;
        self.image.0[26..28].fill(0);
    }

    /// The legacy image.
    pub(crate) fn legacy(&self) -> [u8; 512] {
        let mut out = [0; 512];
        out.copy_from_slice(&self.image.0[..512]);
        out
    }
}

/// Sets the FPU up as code that expects it fresh wants it: FCW 0x37f, MXCSR 0x1f80. What was in it is lost.
pub(crate) fn reset() {
    let mxcsr = 0x1f80_u32;
    // SAFETY: no compiled code uses the FPU; TS is clear, as for XSAVE.
    unsafe { core::arch::asm!("fninit", "ldmxcsr [{}]", in(reg) &raw const mxcsr, options(nostack)) };
}

/// Is a value acceptable for XCR0? SDM vol. 1 13.3; CVE-2013-2078.
pub(crate) fn is_valid_xcr0(value: u64) -> bool {
    let supported = supported_xcr0();
    value & 1 != 0
        && value & !supported == 0
        && (value & 4 == 0 || value & 2 != 0)
        && (value & 0xe0 == 0 || (value & 0xe0 == 0xe0 && value & 4 != 0))
}

/// Sets XCR0 now, a value that [`is_valid_xcr0`] accepted.
pub(crate) fn set_xcr0(area: &mut FpuArea, value: u64) {
    area.xcr0 = value;
    if is_valid_xcr0(value) {
        // SAFETY: an invalid value would fault, and was ruled out once more.
        unsafe { instr::xsetbv(0, value) };
    }
}
