// SPDX-License-Identifier: MIT OR Apache-2.0
//! What happens when a guest reads or writes a model-specific register.
//!
//! A register that is not listed here does not exist for guests: #GP, which Linux catches. Registers that hold state of the
//! vCPU are named, and `emulate.rs` does the work. Numbers: Intel SDM volume 4, AMD APM volume 2 appendix A.
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

/// The page attribute table all guests share, and which the hardware must be loaded with: WB WT UC- UC WC WP UC UC.
pub(crate) const PAT: u64 = 0x0000_0501_0007_0406;

/// The guest's EFER: syscall, long mode enabled and active, no-execute.
pub(crate) const EFER: u64 = 0xd01;

/// State of a vCPU that is reached through an MSR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Register {
    /// Base of fs.
    FsBase,
    /// Base of gs as it is now (guest kernel mode).
    GsBase,
    /// Base of gs in the other mode (guest user mode).
    KernelGsBase,
    /// What rdtscp returns in ecx.
    TscAux,
    /// The time-stamp counter.
    Tsc,
}

/// The answer to a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// This value.
    Value(u64),
    /// The value of this part of the vCPU's state.
    Register(Register),
    /// The value of the hardware's register of the same number.
    Host,
    /// #GP(0).
    Fault,
}

/// The answer to a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    /// Succeeds without effect.
    Ignore,
    /// Sets this part of the vCPU's state; the value was checked.
    Register(Register, u64),
    /// Fills the frame of this guest-physical page number (a PV guest's machine frame) as hypercall page.
    HypercallPage(u64),
    /// #GP(0).
    Fault,
}

/// What the answers depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    /// vCPU 0.
    pub(crate) is_boot_vcpu: bool,
    /// AMD's registers exist rather than Intel's.
    pub(crate) is_amd: bool,
}

const TSC: u32 = 0x10;
const PLATFORM_ID: u32 = 0x17;
const APIC_BASE: u32 = 0x1b;
/// Microcode revision; AMD calls it PATCH_LEVEL.
const UCODE_REV: u32 = 0x8b;
const PLATFORM_INFO: u32 = 0xce;
const MISC_FEATURES_ENABLES: u32 = 0x140;
const MCG_CAP: u32 = 0x179;
const MCG_STATUS: u32 = 0x17a;
const MISC_ENABLE: u32 = 0x1a0;
const IA32_PAT: u32 = 0x277;
/// Where the hypervisor leaves put the hypercall page.
const XEN_HYPERCALL_PAGE: u32 = 0x4000_0000;
const IA32_EFER: u32 = 0xc000_0080;
const FS_BASE: u32 = 0xc000_0100;
const GS_BASE: u32 = 0xc000_0101;
const KERNEL_GS_BASE: u32 = 0xc000_0102;
const TSC_AUX: u32 = 0xc000_0103;
/// AMD's four event selectors and counters.
const K7_PERF_FIRST: u32 = 0xc001_0000;
const K7_PERF_LAST: u32 = 0xc001_0007;
const HWCR: u32 = 0xc001_0015;
const DE_CFG: u32 = 0xc001_1029;

/// Fast strings on; branch trace and precise event stores not there.
const MISC_ENABLE_VALUE: u64 = 1 << 0 | 1 << 11 | 1 << 12;
/// lfence waits for what is before it; the hypervisor sees to that, and Linux would else try to.
const DE_CFG_LFENCE_SERIALIZE: u64 = 1 << 1;
/// At the standard address, enabled.
const APIC_BASE_VALUE: u64 = 0xfee0_0800;
const APIC_BASE_BOOT_CPU: u64 = 1 << 8;

/// Answers rdmsr.
pub(crate) fn read(msr: u32, cx: &Context) -> Read {
    match msr {
        FS_BASE => Read::Register(Register::FsBase),
        GS_BASE => Read::Register(Register::GsBase),
        KERNEL_GS_BASE => Read::Register(Register::KernelGsBase),
        TSC_AUX => Read::Register(Register::TscAux),
        TSC => Read::Register(Register::Tsc),
        IA32_EFER => Read::Value(EFER),
        IA32_PAT => Read::Value(PAT),
        APIC_BASE if cx.is_boot_vcpu => Read::Value(APIC_BASE_VALUE | APIC_BASE_BOOT_CPU),
        APIC_BASE => Read::Value(APIC_BASE_VALUE),
        UCODE_REV => Read::Host,
        // No machine-check banks.
        MCG_CAP | MCG_STATUS => Read::Value(0),
        K7_PERF_FIRST..=K7_PERF_LAST | HWCR if cx.is_amd => Read::Value(0),
        DE_CFG if cx.is_amd => Read::Value(DE_CFG_LFENCE_SERIALIZE),
        PLATFORM_ID if !cx.is_amd => Read::Host,
        MISC_ENABLE if !cx.is_amd => Read::Value(MISC_ENABLE_VALUE),
        PLATFORM_INFO | MISC_FEATURES_ENABLES if !cx.is_amd => Read::Value(0),
        _ => Read::Fault,
    }
}

/// Answers wrmsr.
pub(crate) fn write(msr: u32, value: u64, cx: &Context) -> Write {
    match msr {
        FS_BASE => base(Register::FsBase, value),
        GS_BASE => base(Register::GsBase, value),
        KERNEL_GS_BASE => base(Register::KernelGsBase, value),
        TSC_AUX if value >> 32 == 0 => Write::Register(Register::TscAux, value),
        IA32_EFER if value == EFER => Write::Ignore,
        // Zero is written before the revision is read.
        UCODE_REV | MCG_STATUS | MISC_FEATURES_ENABLES if value == 0 => Write::Ignore,
        K7_PERF_FIRST..=K7_PERF_LAST | HWCR | DE_CFG if cx.is_amd => Write::Ignore,
        MISC_ENABLE if !cx.is_amd => Write::Ignore,
        XEN_HYPERCALL_PAGE if value & 0xfff == 0 => Write::HypercallPage(value >> 12),
        _ => Write::Fault,
    }
}

fn base(register: Register, value: u64) -> Write {
    if is_canonical(value) { Write::Register(register, value) } else { Write::Fault }
}

/// Whether bits 63 to 47 are all alike, as an address with four levels of tables needs.
pub(crate) fn is_canonical(address: u64) -> bool {
    let top = (address as i64) >> 47;
    top == 0 || top == -1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AMD: Context = Context { is_boot_vcpu: true, is_amd: true };
    const INTEL: Context = Context { is_boot_vcpu: false, is_amd: false };

    #[test]
    fn linux_boot() {
        assert_eq!(
            write(0xc000_0101, 0xffff_ffff_8300_0000, &AMD),
            Write::Register(Register::GsBase, 0xffff_ffff_8300_0000)
        );
        assert_eq!(read(0xc000_0102, &AMD), Read::Register(Register::KernelGsBase));
        assert_eq!(read(0x1b, &AMD), Read::Value(0xfee0_0900));
        assert_eq!(read(0x1b, &INTEL), Read::Value(0xfee0_0800));
        assert_eq!(read(0x277, &AMD), Read::Value(0x0000_0501_0007_0406));
        assert_eq!(read(0xc001_0015, &AMD), Read::Value(0));
        assert_eq!(read(0xc001_0015, &INTEL), Read::Fault);
        assert_eq!(read(0xc001_1029, &AMD), Read::Value(2));
        assert_eq!(read(0x1a0, &INTEL), Read::Value(0x1801));
        assert_eq!(write(0xc000_0080, 0xd01, &AMD), Write::Ignore);
        assert_eq!(write(0x277, PAT, &AMD), Write::Fault);
        assert_eq!(write(0xc000_0080, 0x501, &AMD), Write::Fault);
        assert_eq!(write(0xc000_0103, 1 << 32, &AMD), Write::Fault);
        assert_eq!(write(0x4000_0000, 0x1234_5000, &AMD), Write::HypercallPage(0x12345));
    }

    #[test]
    fn speculation_and_range_registers_do_not_exist() {
        for msr in [0x48, 0x49, 0x10a, 0x10b, 0x122, 0xfe, 0x200, 0x2ff, 0x174, 0xc000_0082, 0x6e0, 0x800, 0xc001_0055]
        {
            for cx in [AMD, INTEL] {
                assert_eq!(read(msr, &cx), Read::Fault);
                assert_eq!(write(msr, 0, &cx), Write::Fault);
            }
        }
    }

    proptest! {
        #[test]
        fn bases_are_canonical(value: u64, which in 0u32..3) {
            let fits = (-(1i64 << 47)..1 << 47).contains(&(value as i64));
            prop_assert_eq!(write(FS_BASE + which, value, &AMD) != Write::Fault, fits);
        }
    }
}
