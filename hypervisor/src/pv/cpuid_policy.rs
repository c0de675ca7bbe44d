// SPDX-License-Identifier: MIT OR Apache-2.0
//! What CPUID shows to a guest.
//!
//! Feature words are allow-lists: a feature nobody thought about, or that lets a guest change state we do not switch, stays
//! hidden. The view is that of the forced CPUID and of a faulting one; where CPUID cannot be made to fault, user programs
//! see the hardware. Bit numbers: Intel SDM volume 2 (CPUID), AMD APM volume 3 appendix E. The leaves from 0x40000000:
//! Xen header `arch-x86/cpuid.h`.
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

/// The four registers of a leaf.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// eax
    pub(crate) eax: u32,
    /// ebx
    pub(crate) ebx: u32,
    /// ecx
    pub(crate) ecx: u32,
    /// edx
    pub(crate) edx: u32,
}

/// How time is told to guests (leaf 0x40000003).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TscView {
    /// TSC frequency.
    pub(crate) khz: u32,
    /// From TSC ticks to ns, 32.32 fixed point after `shift`.
    pub(crate) mul: u32,
    /// Shift before the multiplication.
    pub(crate) shift: i8,
    /// Added to the scaled TSC for system time.
    pub(crate) offset: u64,
    /// TSCs of all CPUs agree.
    pub(crate) reliable: bool,
}

/// What the view depends on besides the hardware.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    /// dom0.
    pub(crate) is_control: bool,
    /// The XCR0 bits a guest may set; 0 without XSAVE.
    pub(crate) xcr0: u64,
    /// CR4.FSGSBASE can be turned on per guest.
    pub(crate) fsgsbase: bool,
    /// Bits of the highest machine address with memory.
    pub(crate) machine_address_bits: u32,
    /// Time.
    pub(crate) tsc: TscView,
}

/// The highest basic leaf a guest sees.
const MAX_BASIC: u32 = 0xd;
/// The highest extended leaf a guest sees.
const MAX_EXTENDED: u32 = 0x8000_0021;
/// The hypervisor's first and last leaf.
const XEN_BASE: u32 = 0x4000_0000;
const XEN_LAST: u32 = 0x4000_0005;
/// The version whose ABI we speak: 4.17.
const XEN_VERSION: u32 = 4 << 16 | 17;
/// XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD
const FEATURE_PRESERVE_AD: u32 = 1;

const fn bits<const N: usize>(list: [u32; N]) -> u32 {
    let mut word = 0;
    let mut rest: &[u32] = &list;
    while let [bit, tail @ ..] = rest {
        word |= 1u32.wrapping_shl(*bit);
        rest = tail;
    }
    word
}

const XSAVE: u32 = 1 << 26;
const OSXSAVE: u32 = 1 << 27;
const HYPERVISOR: u32 = 1 << 31;
/// SSE3 PCLMULQDQ SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND
const L1_ECX: u32 = bits([0, 1, 9, 12, 13, 19, 20, 22, 23, 25, 26, 28, 29, 30]);
/// FMA AVX F16C
const L1_ECX_AVX: u32 = bits([12, 28, 29]);
/// FPU DE TSC MSR PAE MCE CX8 APIC SEP MCA CMOV PAT CLFSH ACPI MMX FXSR SSE SSE2 SS HTT. Not: VME PSE MTRR PGE PSE36 PSN DS TM.
const L1_EDX: u32 = bits([0, 2, 4, 5, 6, 7, 8, 9, 11, 14, 15, 16, 19, 22, 23, 24, 25, 26, 27, 28]);
const FSGSBASE: u32 = 1;
/// FSGSBASE BMI1 AVX2 FDP_EXCPTN_ONLY BMI2 ERMS ZERO_FCS_FDS RDSEED ADX CLFLUSHOPT CLWB SHA, and AVX512 below. Not: TSC_ADJUST
/// SGX SMEP INVPCID PQM MPX PQE SMAP PT, nor transactions (HLE RTM).
const L7_EBX: u32 = bits([0, 3, 5, 6, 8, 9, 13, 18, 19, 23, 24, 29]) | L7_EBX_AVX512;
/// F DQ IFMA PF ER CD BW VL
const L7_EBX_AVX512: u32 = bits([16, 17, 21, 26, 27, 28, 30, 31]);
/// AVX2
const L7_EBX_AVX: u32 = bits([5]);
/// PREFETCHWT1 GFNI VAES VPCLMULQDQ RDPID CLDEMOTE MOVDIRI MOVDIR64B, and AVX512 below. Not: UMIP PKU OSPKE WAITPKG CET LA57 ENQCMD.
const L7_ECX: u32 = bits([0, 8, 9, 10, 22, 25, 27, 28]) | L7_ECX_AVX512;
/// VBMI VBMI2 VNNI BITALG VPOPCNTDQ
const L7_ECX_AVX512: u32 = bits([1, 6, 11, 12, 14]);
/// VAES VPCLMULQDQ
const L7_ECX_AVX: u32 = bits([9, 10]);
/// FSRM MD_CLEAR, and AVX512 below. Not: the speculation-control MSRs, CET_IBT, AMX.
const L7_EDX: u32 = bits([4, 10]) | L7_EDX_AVX512;
/// 4VNNIW 4FMAPS VP2INTERSECT
const L7_EDX_AVX512: u32 = bits([2, 3, 8]);
/// AVX_VNNI AVX512_BF16 FZRM FSRS FSRCS
const L7_1_EAX: u32 = bits([4, 5, 10, 11, 12]);
const L7_1_EAX_AVX: u32 = bits([4]);
const L7_1_EAX_AVX512: u32 = bits([5]);
/// XSAVEOPT XSAVEC XGETBV1. Not: XSAVES XFD.
const LD_1_EAX: u32 = bits([0, 1, 2]);
/// LAHF CMP_LEGACY ABM SSE4A MISALIGNSSE 3DNOWPREFETCH XOP FMA4 TBM
const E1_ECX: u32 = bits([0, 1, 5, 6, 7, 8, 11, 16, 21]);
/// XOP FMA4
const E1_ECX_AVX: u32 = bits([11, 16]);
/// SYSCALL NX MMXEXT RDTSCP LM 3DNOWEXT 3DNOW, and AMD's copies of leaf 1. Not: FFXSR PAGE1GB.
const E1_EDX: u32 = bits([11, 20, 22, 27, 29, 30, 31]) | L1_EDX & bits([0, 2, 4, 5, 6, 7, 8, 9, 14, 15, 16, 23, 24]);
/// ITSC
const E7_EDX: u32 = bits([8]);
/// CLZERO RSTR_FP_ERR_PTRS
const E8_EBX: u32 = bits([0, 2]);
/// LFENCE_DISPATCH NULL_SELECTOR_CLEARS_BASE
const E21_EAX: u32 = bits([2, 6]);

/// XCR0: x87, SSE, AVX.
const XCR0_AVX: u64 = 7;
/// XCR0: opmask and the upper halves and registers.
const XCR0_AVX512: u64 = 0xe7;

/// Computes the guest's view of a leaf. `host(leaf, subleaf)` executes CPUID; leaf 0xd needs the guest's XCR0 to be loaded
/// then, because its sizes depend on it.
pub(crate) fn guest_leaf(leaf: u32, subleaf: u32, cx: &Context, host: impl Fn(u32, u32) -> Leaf) -> Leaf {
    match leaf {
        0x4000_0000..=0x4000_ffff => xen_leaf(leaf, subleaf, cx),
        0..=0x3fff_ffff if leaf > host(0, 0).eax.min(MAX_BASIC) => Leaf::default(),
        0..=0x3fff_ffff => basic_leaf(leaf, subleaf, cx, &host),
        0x8000_0000.. if leaf > host(0x8000_0000, 0).eax.min(MAX_EXTENDED) => Leaf::default(),
        0x8000_0000.. => extended_leaf(leaf, subleaf, cx, host(leaf, subleaf)),
        _ => Leaf::default(),
    }
}

fn basic_leaf(leaf: u32, subleaf: u32, cx: &Context, host: &impl Fn(u32, u32) -> Leaf) -> Leaf {
    let raw = host(leaf, subleaf);
    match leaf {
        0 => Leaf { eax: raw.eax.min(MAX_BASIC), ..raw },
        1 => features(raw, cx),
        // Caches: descriptors and parameters.
        2 | 4 => raw,
        7 => structured_features(subleaf, raw, cx),
        0xd => xsave_leaf(subleaf, raw, cx, host),
        // Serial number, MONITOR, thermal and power, direct cache access, performance counters, topology.
        _ => Leaf::default(),
    }
}

fn features(raw: Leaf, cx: &Context) -> Leaf {
    let mut ecx = without_vectors(raw.ecx & L1_ECX, cx, L1_ECX_AVX, 0);
    if cx.xcr0 == 0 {
        ecx &= !XSAVE;
    }
    if ecx & XSAVE != 0 {
        // A PV kernel looks at this before it could set CR4.OSXSAVE, and gives XSAVE up if it is clear.
        ecx |= OSXSAVE;
    }
    // The top byte of ebx would be the local APIC of whichever CPU this is.
    Leaf { eax: raw.eax, ebx: raw.ebx & 0x00ff_ffff, ecx: ecx | HYPERVISOR, edx: raw.edx & L1_EDX }
}

fn structured_features(subleaf: u32, raw: Leaf, cx: &Context) -> Leaf {
    match subleaf {
        0 => {
            let mut ebx = without_vectors(raw.ebx & L7_EBX, cx, L7_EBX_AVX, L7_EBX_AVX512);
            if !cx.fsgsbase {
                ebx &= !FSGSBASE;
            }
            Leaf {
                eax: raw.eax.min(1),
                ebx,
                ecx: without_vectors(raw.ecx & L7_ECX, cx, L7_ECX_AVX, L7_ECX_AVX512),
                edx: without_vectors(raw.edx & L7_EDX, cx, 0, L7_EDX_AVX512),
            }
        }
        1 => {
            let eax = without_vectors(raw.eax & L7_1_EAX, cx, L7_1_EAX_AVX, L7_1_EAX_AVX512);
            Leaf { eax, ..Leaf::default() }
        }
        _ => Leaf::default(),
    }
}

/// Hides instructions whose registers the guest may not enable.
fn without_vectors(word: u32, cx: &Context, avx: u32, avx512: u32) -> u32 {
    let word = if cx.xcr0 & XCR0_AVX == XCR0_AVX { word } else { word & !(avx | avx512) };
    if cx.xcr0 & XCR0_AVX512 == XCR0_AVX512 { word } else { word & !avx512 }
}

fn xsave_leaf(subleaf: u32, raw: Leaf, cx: &Context, host: &impl Fn(u32, u32) -> Leaf) -> Leaf {
    if cx.xcr0 == 0 {
        return Leaf::default();
    }
    match subleaf {
        0 => Leaf { eax: cx.xcr0 as u32, ebx: raw.ebx, ecx: xsave_size(cx.xcr0, host), edx: (cx.xcr0 >> 32) as u32 },
        1 => Leaf { eax: raw.eax & LD_1_EAX, ebx: raw.ebx, ecx: 0, edx: 0 },
        2..=62 if cx.xcr0 >> subleaf & 1 != 0 => raw,
        _ => Leaf::default(),
    }
}

/// Bytes of a standard XSAVE area with all components of `xcr0`: the legacy area and header, or the component that ends last.
pub(crate) fn xsave_size(xcr0: u64, host: &impl Fn(u32, u32) -> Leaf) -> u32 {
    const LEGACY_AND_HEADER: u32 = 576;
    (2..63u32)
        .filter(|component| xcr0 >> component & 1 != 0)
        .map(|component| {
            let leaf = host(0xd, component);
            leaf.ebx.saturating_add(leaf.eax)
        })
        .fold(LEGACY_AND_HEADER, u32::max)
}

fn extended_leaf(leaf: u32, _subleaf: u32, cx: &Context, raw: Leaf) -> Leaf {
    match leaf {
        0x8000_0000 => Leaf { eax: raw.eax.min(MAX_EXTENDED), ..raw },
        0x8000_0001 => Leaf { ecx: without_vectors(raw.ecx & E1_ECX, cx, E1_ECX_AVX, 0), edx: raw.edx & E1_EDX, ..raw },
        // Brand string, caches.
        0x8000_0002..=0x8000_0006 | 0x8000_001d => raw,
        // An invariant TSC is a promise about the machine; a guest may be moved to another one, dom0 not.
        0x8000_0007 if cx.is_control => Leaf { edx: raw.edx & E7_EDX, ..Leaf::default() },
        0x8000_0008 => Leaf { ebx: raw.ebx & E8_EBX, edx: 0, ..raw },
        0x8000_0021 => Leaf { eax: raw.eax & E21_EAX, ..Leaf::default() },
        _ => Leaf::default(),
    }
}

fn xen_leaf(leaf: u32, subleaf: u32, cx: &Context) -> Leaf {
    match leaf.wrapping_sub(XEN_BASE) {
        // "XenVMMXenVMM"
        0 => Leaf { eax: XEN_LAST, ebx: 0x566e_6558, ecx: 0x6558_4d4d, edx: 0x4d4d_566e },
        1 => Leaf { eax: XEN_VERSION, ..Leaf::default() },
        // One hypercall page; the MSR that fills it.
        2 => Leaf { eax: 1, ebx: 0x4000_0000, ecx: FEATURE_PRESERVE_AD, edx: 0 },
        3 => xen_time_leaf(subleaf, &cx.tsc),
        // 4 is about hardware-assisted guests: none of its bits holds here.
        5 => Leaf { ebx: cx.machine_address_bits, ..Leaf::default() },
        _ => Leaf::default(),
    }
}

fn xen_time_leaf(subleaf: u32, tsc: &TscView) -> Leaf {
    const HOST_TSC_RELIABLE: u32 = 1 << 1;
    match subleaf {
        // ebx 0: the default mode, in which the TSC is the hardware's.
        0 => Leaf { eax: if tsc.reliable { HOST_TSC_RELIABLE } else { 0 }, ebx: 0, ecx: tsc.khz, edx: 0 },
        1 => Leaf {
            eax: tsc.offset as u32,
            ebx: (tsc.offset >> 32) as u32,
            ecx: tsc.mul,
            edx: i32::from(tsc.shift) as u32,
        },
        2 => Leaf { eax: tsc.khz, ..Leaf::default() },
        _ => Leaf::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CX: Context = Context {
        is_control: true,
        xcr0: 0xe7,
        fsgsbase: true,
        machine_address_bits: 0x20,
        tsc: TscView { khz: 2_600_000, mul: 0xc4ec_4ec4, shift: -1, offset: 5 << 32 | 7, reliable: false },
    };

    /// A CPU with every feature there could ever be.
    fn full(leaf: u32, subleaf: u32) -> Leaf {
        let all = Leaf { eax: !0, ebx: !0, ecx: !0, edx: !0 };
        match (leaf, subleaf) {
            (0, _) => Leaf { eax: 0x20, ..all },
            (0x8000_0000, _) => Leaf { eax: 0x8000_0028, ..all },
            (0xd, 2) => Leaf { eax: 256, ebx: 576, ecx: 0, edx: 0 },
            (0xd, 5) => Leaf { eax: 64, ebx: 1088, ecx: 0, edx: 0 },
            (0xd, 6) => Leaf { eax: 512, ebx: 1152, ecx: 0, edx: 0 },
            (0xd, 7) => Leaf { eax: 1024, ebx: 1664, ecx: 0, edx: 0 },
            _ => all,
        }
    }

    fn view(leaf: u32, subleaf: u32) -> Leaf {
        guest_leaf(leaf, subleaf, &CX, full)
    }

    #[test]
    fn dangerous_features_are_hidden() {
        let hidden = |word: u32, list: &[u32]| list.iter().for_each(|bit| assert_eq!(word >> bit & 1, 0, "bit {bit}"));
        hidden(view(1, 0).edx, &[1, 3, 12, 13, 17, 18, 21, 29, 30, 31]);
        hidden(view(1, 0).ecx, &[2, 3, 4, 5, 6, 7, 8, 14, 15, 17, 18, 21, 24]);
        hidden(view(0x8000_0001, 0).edx, &[1, 3, 12, 13, 17, 25, 26]);
        hidden(view(0x8000_0001, 0).ecx, &[2, 3, 4, 9, 10, 12, 13, 15, 19, 22, 29]);
        hidden(view(7, 0).ebx, &[1, 2, 7, 10, 12, 14, 15, 20, 25]);
        hidden(view(7, 0).ecx, &[2, 3, 4, 5, 7, 16, 29]);
        hidden(view(7, 0).edx, &[20, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31]);
        hidden(view(0xd, 1).eax, &[3, 4]);
        hidden(view(0x8000_0008, 0).ebx, &[9, 12, 14, 15, 16, 17, 18, 19, 20, 23, 24, 25, 26]);
        hidden(view(0x8000_0021, 0).eax, &[8]);
        for leaf in [3, 5, 6, 9, 0xa, 0xb, 0xe, 0x1f, 0x21, 0x8000_000a, 0x8000_001c, 0x8000_001f, 0x8000_0022] {
            assert_eq!(view(leaf, 0), Leaf::default(), "leaf {leaf:#x}");
        }
    }

    #[test]
    fn linux_finds_what_it_needs() {
        assert_eq!(view(0, 0).eax, 0xd);
        assert_eq!(view(0x8000_0000, 0).eax, 0x8000_0021);
        let l1 = view(1, 0);
        assert_eq!(l1.ecx & (XSAVE | OSXSAVE | HYPERVISOR), XSAVE | OSXSAVE | HYPERVISOR);
        assert_eq!(l1.ebx >> 24, 0);
        for bit in [0, 4, 5, 6, 8, 15, 16, 24, 25, 26] {
            assert_eq!(l1.edx >> bit & 1, 1, "bit {bit}");
        }
        for bit in [11, 20, 29] {
            assert_eq!(view(0x8000_0001, 0).edx >> bit & 1, 1, "bit {bit}");
        }
        assert_eq!(view(7, 0).ebx & FSGSBASE, FSGSBASE);
    }

    #[test]
    fn vectors_follow_xcr0() {
        let cx = Context { xcr0: 3, ..CX };
        assert_eq!(guest_leaf(1, 0, &cx, full).ecx & L1_ECX_AVX, 0);
        assert_ne!(guest_leaf(1, 0, &cx, full).ecx & XSAVE, 0);
        assert_eq!(guest_leaf(7, 0, &cx, full).ebx & (L7_EBX_AVX | L7_EBX_AVX512), 0);
        let cx = Context { xcr0: 7, fsgsbase: false, ..CX };
        assert_ne!(guest_leaf(7, 0, &cx, full).ebx & L7_EBX_AVX, 0);
        assert_eq!(guest_leaf(7, 0, &cx, full).ebx & (L7_EBX_AVX512 | FSGSBASE), 0);
        assert_eq!(guest_leaf(0xd, 0, &cx, full), Leaf { eax: 7, ebx: !0, ecx: 832, edx: 0 });
        assert_eq!(guest_leaf(0xd, 5, &cx, full), Leaf::default());
        assert_eq!(view(0xd, 0).ecx, 2688);
        let cx = Context { xcr0: 0, ..CX };
        assert_eq!(guest_leaf(1, 0, &cx, full).ecx & (XSAVE | OSXSAVE), 0);
        assert_eq!(guest_leaf(0xd, 0, &cx, full), Leaf::default());
    }

    #[test]
    fn hypervisor_leaves() {
        assert_eq!(view(0x4000_0000, 0), Leaf { eax: 0x4000_0005, ebx: 0x566e6558, ecx: 0x65584d4d, edx: 0x4d4d566e });
        assert_eq!(view(0x4000_0001, 0).eax, 0x4_0011);
        assert_eq!(view(0x4000_0002, 0), Leaf { eax: 1, ebx: 0x4000_0000, ecx: 1, edx: 0 });
        assert_eq!(view(0x4000_0003, 0).ecx, 2_600_000);
        assert_eq!(view(0x4000_0003, 1), Leaf { eax: 7, ebx: 5, ecx: 0xc4ec_4ec4, edx: !0 });
        assert_eq!(view(0x4000_0005, 0).ebx, 0x20);
        assert_eq!(view(0x4000_0006, 0), Leaf::default());
        assert_eq!(view(0x4000_0100, 0), Leaf::default());
    }

    proptest! {
        #[test]
        fn control_only_sees_more_time(leaf: u32, subleaf in 0u32..70) {
            let guest = guest_leaf(leaf, subleaf, &Context { is_control: false, ..CX }, full);
            prop_assert!(guest == view(leaf, subleaf) || leaf == 0x8000_0007);
        }
    }
}
