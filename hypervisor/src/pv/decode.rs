// SPDX-License-Identifier: MIT OR Apache-2.0
//! Decodes the privileged instructions a guest may use, from the bytes at its instruction pointer.
//!
//! Only what `emulate.rs` acts on is recognised; everything else is `None` and becomes the guest's own fault. The bytes
//! were copied once: a guest that rewrites its code meanwhile gains nothing. Writes to page tables are decoded by
//! [`super::decode_write`], which shares the prefix reader. Source: Intel SDM volume 2, appendix A.
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

/// An instruction is at most this long.
pub(crate) const INSN_MAX: usize = 15;

/// What kind of code segment the instruction was fetched from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeMode {
    /// 64-bit.
    Long,
    /// 32-bit compatibility mode: user code only.
    Compat32,
}

/// A segment whose base takes part in an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Segment {
    /// es
    Es,
    /// cs
    Cs,
    /// ss
    Ss,
    /// ds
    Ds,
    /// fs
    Fs,
    /// gs
    Gs,
}

/// Where a port number comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    /// The instruction.
    Imm(u8),
    /// Register dx.
    Dx,
}

/// A privileged instruction. Register numbers are the hardware's (0 rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, 5 rbp, 6 rsi, 7 rdi,
/// 8 r8 and on); sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Insn {
    /// in al/ax/eax
    In {
        /// The port.
        port: Port,
        /// 1, 2 or 4.
        size: u8,
    },
    /// out al/ax/eax
    Out {
        /// The port.
        port: Port,
        /// 1, 2 or 4.
        size: u8,
    },
    /// ins: port dx to es:rdi
    Ins {
        /// 1, 2 or 4.
        size: u8,
        /// rcx times.
        rep: bool,
        /// Addresses and the count are 32 bits wide.
        addr32: bool,
    },
    /// outs: seg:rsi to port dx
    Outs {
        /// 1, 2 or 4.
        size: u8,
        /// rcx times.
        rep: bool,
        /// Addresses and the count are 32 bits wide.
        addr32: bool,
        /// The source's segment, ds unless overridden.
        segment: Segment,
    },
    /// cli
    Cli,
    /// sti
    Sti,
    /// clts
    Clts,
    /// wbinvd and wbnoinvd
    Wbinvd,
    /// mov reg, cr
    ReadCr {
        /// Control register.
        cr: u8,
        /// General register.
        reg: u8,
    },
    /// mov cr, reg
    WriteCr {
        /// Control register.
        cr: u8,
        /// General register.
        reg: u8,
    },
    /// mov reg, dr
    ReadDr {
        /// Debug register.
        dr: u8,
        /// General register.
        reg: u8,
    },
    /// mov dr, reg
    WriteDr {
        /// Debug register.
        dr: u8,
        /// General register.
        reg: u8,
    },
    /// rdmsr
    Rdmsr,
    /// wrmsr
    Wrmsr,
    /// rdtsc
    Rdtsc,
    /// rdtscp
    Rdtscp,
    /// cpuid
    Cpuid,
    /// xsetbv
    Xsetbv,
}

/// Decodes a privileged instruction: what it is, and its length in bytes.
pub(crate) fn decode(bytes: &[u8], mode: CodeMode) -> Option<(Insn, u8)> {
    let mut code = Cursor::new(bytes);
    let prefixes = Prefixes::read(&mut code, mode)?;
    let insn = one_byte(&mut code, &prefixes, mode)?;
    Some((insn, code.len()))
}

/// Whether the bytes are the forced CPUID: `ud2`, the letters `xen`, then `cpuid`; 7 bytes in all.
pub(crate) fn is_forced_cpuid(bytes: &[u8]) -> bool {
    bytes.starts_with(&FORCED_CPUID)
}

/// The forced CPUID's bytes.
pub(crate) const FORCED_CPUID: [u8; 7] = [0x0f, 0x0b, b'x', b'e', b'n', 0x0f, 0xa2];

fn one_byte(code: &mut Cursor<'_>, p: &Prefixes, mode: CodeMode) -> Option<Insn> {
    let opcode = code.next()?;
    // Bit 0 of these opcodes chooses between a byte and the operand size, which is never 8 bytes for I/O.
    let size = match (opcode & 1, p.operand16 && p.rex & REX_W == 0) {
        (0, _) => 1,
        (_, true) => 2,
        (_, false) => 4,
    };
    let addr32 = (mode == CodeMode::Compat32) != p.address_override;
    let rep = p.rep || p.repne;
    Some(match opcode {
        0xe4 | 0xe5 => Insn::In { port: Port::Imm(code.next()?), size },
        0xe6 | 0xe7 => Insn::Out { port: Port::Imm(code.next()?), size },
        0xec | 0xed => Insn::In { port: Port::Dx, size },
        0xee | 0xef => Insn::Out { port: Port::Dx, size },
        // 16-bit addressing in compatibility mode: no program does this, so it stays a fault.
        0x6c..=0x6f if mode == CodeMode::Compat32 && p.address_override => return None,
        0x6c | 0x6d => Insn::Ins { size, rep, addr32 },
        0x6e | 0x6f => Insn::Outs { size, rep, addr32, segment: p.segment.unwrap_or(Segment::Ds) },
        0xfa => Insn::Cli,
        0xfb => Insn::Sti,
        0x0f => return two_byte(code, p),
        _ => return None,
    })
}

fn two_byte(code: &mut Cursor<'_>, p: &Prefixes) -> Option<Insn> {
    Some(match code.next()? {
        0x01 => match code.next()? {
            0xd1 if !p.operand16 && !p.rep && !p.repne => Insn::Xsetbv,
            0xf9 => Insn::Rdtscp,
            _ => return None,
        },
        0x06 => Insn::Clts,
        0x09 => Insn::Wbinvd,
        opcode @ 0x20..=0x23 => {
            // The mod field is ignored: always registers.
            let modrm = code.next()?;
            let system = (modrm >> 3 & 7) | p.rex_bit(REX_R) << 3;
            let reg = (modrm & 7) | p.rex_bit(REX_B) << 3;
            match opcode {
                0x20 => Insn::ReadCr { cr: system, reg },
                0x21 => Insn::ReadDr { dr: system, reg },
                0x22 => Insn::WriteCr { cr: system, reg },
                _ => Insn::WriteDr { dr: system, reg },
            }
        }
        0x30 => Insn::Wrmsr,
        0x31 => Insn::Rdtsc,
        0x32 => Insn::Rdmsr,
        0xa2 => Insn::Cpuid,
        _ => return None,
    })
}

/// Reads bytes in order and counts them.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: u8,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.get(..INSN_MAX).unwrap_or(bytes), at: 0 }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(usize::from(self.at)).copied()
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at = self.at.saturating_add(1);
        Some(byte)
    }

    /// The next `N` bytes, for a little-endian number.
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut out = [0; N];
        for byte in &mut out {
            *byte = self.next()?;
        }
        Some(out)
    }

    /// How many bytes were read: at most [`INSN_MAX`].
    pub(super) fn len(&self) -> u8 {
        self.at
    }
}

pub(super) const REX_W: u8 = 8;
pub(super) const REX_R: u8 = 4;
pub(super) const REX_X: u8 = 2;
pub(super) const REX_B: u8 = 1;

/// What the prefixes say.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    pub(super) operand16: bool,
    pub(super) address_override: bool,
    pub(super) rep: bool,
    pub(super) repne: bool,
    pub(super) lock: bool,
    pub(super) segment: Option<Segment>,
    /// The REX byte, or 0.
    pub(super) rex: u8,
}

impl Prefixes {
    pub(super) fn read(code: &mut Cursor<'_>, mode: CodeMode) -> Option<Self> {
        let mut p = Self::default();
        loop {
            let byte = code.peek()?;
            let mut rex = 0;
            match byte {
                0x66 => p.operand16 = true,
                0x67 => p.address_override = true,
                // The last one counts where it selects an instruction.
                0xf2 => (p.repne, p.rep) = (true, false),
                0xf3 => (p.rep, p.repne) = (true, false),
                0xf0 => p.lock = true,
                0x26 => p.set_segment(Segment::Es, mode),
                0x2e => p.set_segment(Segment::Cs, mode),
                0x36 => p.set_segment(Segment::Ss, mode),
                0x3e => p.set_segment(Segment::Ds, mode),
                0x64 => p.set_segment(Segment::Fs, mode),
                0x65 => p.set_segment(Segment::Gs, mode),
                0x40..=0x4f if mode == CodeMode::Long => rex = byte,
                _ => return Some(p),
            }
            // A REX counts only right before the opcode; another prefix behind it voids it.
            p.rex = rex;
            code.next()?;
        }
    }

    /// In 64-bit mode overrides other than fs and gs do nothing, not even undo an earlier one.
    fn set_segment(&mut self, segment: Segment, mode: CodeMode) {
        if mode == CodeMode::Compat32 || matches!(segment, Segment::Fs | Segment::Gs) {
            self.segment = Some(segment);
        }
    }

    pub(super) fn rex_bit(&self, bit: u8) -> u8 {
        u8::from(self.rex & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use iced_x86::{Decoder, DecoderOptions, Mnemonic, OpKind, Register};
    use proptest::prelude::*;
    use std::vec::Vec;

    fn long(bytes: &[u8]) -> Option<(Insn, u8)> {
        decode(bytes, CodeMode::Long)
    }

    #[test]
    fn usual_instructions() {
        assert_eq!(long(&[0xef]), Some((Insn::Out { port: Port::Dx, size: 4 }, 1)));
        assert_eq!(long(&[0x66, 0xed, 0]), Some((Insn::In { port: Port::Dx, size: 2 }, 2)));
        assert_eq!(long(&[0xe6, 0x80]), Some((Insn::Out { port: Port::Imm(0x80), size: 1 }, 2)));
        assert_eq!(long(&[0xf3, 0x6c]), Some((Insn::Ins { size: 1, rep: true, addr32: false }, 2)));
        assert_eq!(long(&[0xfa]), Some((Insn::Cli, 1)));
        assert_eq!(long(&[0x0f, 0x20, 0xd0]), Some((Insn::ReadCr { cr: 2, reg: 0 }, 3)));
        assert_eq!(long(&[0x41, 0x0f, 0x22, 0xe7]), Some((Insn::WriteCr { cr: 4, reg: 15 }, 4)));
        assert_eq!(long(&[0x0f, 0x23, 0xfb]), Some((Insn::WriteDr { dr: 7, reg: 3 }, 3)));
        assert_eq!(long(&[0x0f, 0x30]), Some((Insn::Wrmsr, 2)));
        assert_eq!(long(&[0x0f, 0x01, 0xd1]), Some((Insn::Xsetbv, 3)));
        assert_eq!(long(&[0x0f, 0x01, 0xf9]), Some((Insn::Rdtscp, 3)));
        assert!(is_forced_cpuid(b"\x0f\x0bxen\x0f\xa2\x90"));
        assert!(!is_forced_cpuid(b"\x0f\x0bxen\x0f"));
    }

    #[test]
    fn refuses_the_rest() {
        for bytes in [&[][..], &[0x0f], &[0xf4], &[0x0f, 0x01, 0xf8], &[0x0f, 0x20], &[0xe4], &[0x0f, 0x00, 0xd0]] {
            assert_eq!(long(bytes), None, "{bytes:x?}");
        }
        // Fifteen prefixes leave no room for an opcode.
        assert_eq!(long(&[0x66; 20]), None);
        // REX is inc/dec outside of 64-bit mode.
        assert_eq!(decode(&[0x48, 0xee], CodeMode::Compat32), None);
    }

    /// What iced-x86 says the instruction is, in our terms.
    fn reference(bytes: &[u8], bits: u32) -> Option<(Insn, u8)> {
        let mut decoder = Decoder::new(bits, bytes, DecoderOptions::NONE);
        let i = decoder.decode();
        if i.is_invalid() {
            return None;
        }
        let port = |op| if i.op_kind(op) == OpKind::Immediate8 { Port::Imm(i.immediate8()) } else { Port::Dx };
        let size_of = |op| i.op_register(op).size() as u8;
        let rep = i.has_rep_prefix() || i.has_repne_prefix();
        let segment = match i.memory_segment() {
            Register::FS => Segment::Fs,
            Register::GS => Segment::Gs,
            // In 64-bit mode these have base 0 like ds, which is how they are reported.
            Register::ES if bits == 32 => Segment::Es,
            Register::CS if bits == 32 => Segment::Cs,
            Register::SS if bits == 32 => Segment::Ss,
            _ => Segment::Ds,
        };
        let string = |kind32: &[OpKind]| (0..2).any(|op| kind32.contains(&i.op_kind(op)));
        let number = |op| i.op_register(op).number() as u8;
        let insn = match i.mnemonic() {
            Mnemonic::In => Insn::In { port: port(1), size: size_of(0) },
            Mnemonic::Out => Insn::Out { port: port(0), size: size_of(1) },
            Mnemonic::Insb | Mnemonic::Insw | Mnemonic::Insd => {
                if string(&[OpKind::MemoryESDI]) {
                    return None;
                }
                Insn::Ins { size: i.memory_size().size() as u8, rep, addr32: string(&[OpKind::MemoryESEDI]) }
            }
            Mnemonic::Outsb | Mnemonic::Outsw | Mnemonic::Outsd => {
                if string(&[OpKind::MemorySegSI]) {
                    return None;
                }
                Insn::Outs { size: i.memory_size().size() as u8, rep, addr32: string(&[OpKind::MemorySegESI]), segment }
            }
            Mnemonic::Cli => Insn::Cli,
            Mnemonic::Sti => Insn::Sti,
            Mnemonic::Clts => Insn::Clts,
            Mnemonic::Wbinvd | Mnemonic::Wbnoinvd => Insn::Wbinvd,
            Mnemonic::Rdmsr => Insn::Rdmsr,
            Mnemonic::Wrmsr => Insn::Wrmsr,
            Mnemonic::Rdtsc => Insn::Rdtsc,
            Mnemonic::Rdtscp => Insn::Rdtscp,
            Mnemonic::Cpuid => Insn::Cpuid,
            Mnemonic::Xsetbv => Insn::Xsetbv,
            Mnemonic::Mov if i.op0_register().is_cr() => Insn::WriteCr { cr: number(0), reg: number(1) },
            Mnemonic::Mov if i.op0_register().is_dr() => Insn::WriteDr { dr: number(0), reg: number(1) },
            Mnemonic::Mov if i.op_count() == 2 && i.op1_register().is_cr() => {
                Insn::ReadCr { cr: number(1), reg: number(0) }
            }
            Mnemonic::Mov if i.op_count() == 2 && i.op1_register().is_dr() => {
                Insn::ReadDr { dr: number(1), reg: number(0) }
            }
            _ => return None,
        };
        Some((insn, i.len() as u8))
    }

    fn code() -> impl Strategy<Value = Vec<u8>> {
        let prefix = prop::sample::select(&[0x66u8, 0x67, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65][..]);
        let opcode = prop_oneof![
            prop::sample::select(
                &[0xe4u8, 0xe5, 0xe6, 0xe7, 0xec, 0xed, 0xee, 0xef, 0x6c, 0x6d, 0x6e, 0x6f, 0xfa, 0xfb][..]
            )
            .prop_map(|b| [b].to_vec()),
            prop::sample::select(&[0x01u8, 0x06, 0x09, 0x20, 0x21, 0x22, 0x23, 0x30, 0x31, 0x32, 0xa2][..])
                .prop_map(|b| [0x0f, b].to_vec()),
            any::<u8>().prop_map(|b| [b].to_vec()),
        ];
        (
            prop::collection::vec(prefix, 0..3),
            prop::option::of(0x40u8..0x50),
            opcode,
            prop::collection::vec(prop_oneof![Just(0xd1u8), Just(0xf9), any::<u8>()], 0..6),
        )
            .prop_map(|(prefixes, rex, opcode, tail)| {
                prefixes.into_iter().chain(rex).chain(opcode).chain(tail).collect()
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn agrees_with_iced(bytes in code()) {
            for (bits, mode) in [(64, CodeMode::Long), (32, CodeMode::Compat32)] {
                let ours = decode(&bytes, mode);
                let theirs = reference(&bytes, bits);
                if theirs.is_some() || !Decoder::new(bits, &bytes, DecoderOptions::NONE).decode().is_invalid() {
                    prop_assert_eq!(ours, theirs, "{:x?} {:?}", bytes, mode);
                }
            }
        }
    }
}
