// SPDX-License-Identifier: MIT OR Apache-2.0
//! Decodes instructions that write memory, for emulating a guest's writes to its live page tables.
//!
//! Covers what compilers and kernels use on single words: moves, exchanges, compare-exchanges, and the read-modify-write
//! arithmetic, with every addressing mode of 64-bit code (page tables are only written in kernel mode, which is 64-bit).
//! `None` means that the fault belongs to the guest. What a decoded operation does to a value is in [`super::rmw`].
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

use super::decode::{CodeMode, Cursor, Prefixes, REX_B, REX_R, REX_W, REX_X, Segment};

/// What is done to the memory operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Replaced by the source. Also movnti, whose hint has no meaning here.
    Mov,
    /// Swapped with the source register.
    Xchg,
    /// Swapped with the source register after adding it.
    Xadd,
    /// Replaced by the source if equal to rax.
    Cmpxchg,
    /// Replaced by ecx:ebx if equal to edx:eax. There is no source.
    Cmpxchg8b,
    /// Two-operand arithmetic; see [`Alu`].
    Alu(Alu),
    /// Bitwise complement. There is no source.
    Not,
    /// Negated. There is no source.
    Neg,
    /// Plus one, carry untouched. There is no source.
    Inc,
    /// Minus one, carry untouched. There is no source.
    Dec,
    /// The bit named by the source is set.
    Bts,
    /// The bit named by the source is cleared.
    Btr,
    /// The bit named by the source is flipped.
    Btc,
    /// stos: replaced by rax; rdi moves by the size, `rep` repeats it rcx times.
    Stos {
        /// A rep prefix is there.
        rep: bool,
    },
}

/// The arithmetic operations that write their destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alu {
    /// add
    Add,
    /// or
    Or,
    /// adc
    Adc,
    /// sbb
    Sbb,
    /// and
    And,
    /// sub
    Sub,
    /// xor
    Xor,
}

/// The second operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// There is none, or it is implied by the kind.
    None,
    /// A general register's low part.
    Reg(u8),
    /// ah, ch, dh or bh: the second byte of register 0 to 3.
    HighByte(u8),
    /// A constant, sign-extended.
    Imm(u64),
}

/// An effective address: base + (index << scale) + displacement, in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    /// fs or gs if their bases are added.
    pub(crate) segment: Option<Segment>,
    /// Base register.
    pub(crate) base: Option<u8>,
    /// Index register.
    pub(crate) index: Option<u8>,
    /// Shift of the index: 0 to 3.
    pub(crate) scale: u8,
    /// Displacement, sign-extended.
    pub(crate) disp: u64,
    /// The address of the next instruction is added.
    pub(crate) rip_relative: bool,
    /// The sum is cut to 32 bits before the segment base is added.
    pub(crate) addr32: bool,
}

/// One decoded write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemOp {
    /// What is done.
    pub(crate) kind: Kind,
    /// Bytes written: 1, 2, 4 or 8.
    pub(crate) size: u8,
    /// The second operand.
    pub(crate) source: Source,
    /// The memory operand.
    pub(crate) address: Address,
    /// A lock prefix is there. (xchg locks without.)
    pub(crate) lock: bool,
    /// Length of the instruction in bytes.
    pub(crate) len: u8,
}

/// The registers an address is made from.
pub(crate) trait AddressRegisters {
    /// General register `number`, 0 (rax) to 15 (r15).
    fn gpr(&self, number: u8) -> u64;
    /// Address of the instruction.
    fn rip(&self) -> u64;
    /// Base of fs.
    fn fs_base(&self) -> u64;
    /// Base of gs.
    fn gs_base(&self) -> u64;
}

impl MemOp {
    /// The linear address of the operand's first byte.
    pub(crate) fn linear_address(&self, regs: &impl AddressRegisters) -> u64 {
        let a = &self.address;
        let mut sum = a.disp;
        if let Some(base) = a.base {
            sum = sum.wrapping_add(regs.gpr(base));
        }
        if let Some(index) = a.index {
            sum = sum.wrapping_add(regs.gpr(index) << (a.scale & 3));
        }
        if a.rip_relative {
            sum = sum.wrapping_add(regs.rip()).wrapping_add(u64::from(self.len));
        }
        if a.addr32 {
            sum &= 0xffff_ffff;
        }
        if let (Kind::Bts | Kind::Btr | Kind::Btc, Source::Reg(reg)) = (self.kind, self.source) {
            sum = sum.wrapping_add(self.bit_string_offset(regs.gpr(reg)));
        }
        match a.segment {
            Some(Segment::Fs) => sum.wrapping_add(regs.fs_base()),
            Some(Segment::Gs) => sum.wrapping_add(regs.gs_base()),
            _ => sum,
        }
    }

    /// A bit number in a register counts from the operand in both directions: the operand that is meant may be elsewhere.
    fn bit_string_offset(&self, bits: u64) -> u64 {
        let (bits, log2) = match self.size {
            2 => (i64::from(bits as u16 as i16), 4),
            4 => (i64::from(bits as u32 as i32), 5),
            _ => (bits as i64, 6),
        };
        (bits >> log2).wrapping_mul(i64::from(self.size)) as u64
    }
}

/// Decodes one instruction of 64-bit code that writes to memory.
pub(crate) fn decode(bytes: &[u8]) -> Option<MemOp> {
    let mut code = Cursor::new(bytes);
    let p = Prefixes::read(&mut code, CodeMode::Long)?;
    let opcode = code.next()?;
    let mut op = if opcode == 0x0f { two_byte(&mut code, &p)? } else { one_byte(opcode, &mut code, &p)? };
    // The processor refuses lock on plain moves; then this write fault is not what it seems.
    if p.lock && matches!(op.kind, Kind::Mov | Kind::Stos { .. }) {
        return None;
    }
    op.lock = p.lock;
    op.len = code.len();
    Some(op)
}

/// The operand size of an opcode whose bit 0 distinguishes bytes from words.
fn size_of(opcode: u8, p: &Prefixes) -> u8 {
    match (opcode & 1, p.rex & REX_W != 0, p.operand16) {
        (0, ..) => 1,
        (_, true, _) => 8,
        (_, _, true) => 2,
        _ => 4,
    }
}

fn one_byte(opcode: u8, code: &mut Cursor<'_>, p: &Prefixes) -> Option<MemOp> {
    let size = size_of(opcode, p);
    match opcode {
        0x00 | 0x01 | 0x08 | 0x09 | 0x10 | 0x11 | 0x18 | 0x19 | 0x20 | 0x21 | 0x28 | 0x29 | 0x30 | 0x31 => {
            modrm(code, p)?.with_reg(Kind::Alu(alu(opcode >> 3)?), size, p)
        }
        0x80 | 0x81 | 0x83 => {
            let m = modrm(code, p)?;
            let imm = if opcode == 0x81 { immediate(code, size)? } else { immediate(code, 1)? };
            m.with(Kind::Alu(alu(m.field)?), size, Source::Imm(imm))
        }
        0x86 | 0x87 => modrm(code, p)?.with_reg(Kind::Xchg, size, p),
        0x88 | 0x89 => modrm(code, p)?.with_reg(Kind::Mov, size, p),
        0xa2 | 0xa3 => {
            let disp = if p.address_override {
                u32::from_le_bytes(code.take()?).into()
            } else {
                u64::from_le_bytes(code.take()?)
            };
            let m = ModRm { field: 0, reg: 0, address: Address { disp, ..plain_address(p) } };
            m.with(Kind::Mov, size, Source::Reg(0))
        }
        0xaa | 0xab => {
            // The destination of stos is always in es.
            let address = Address { segment: None, base: Some(7), ..plain_address(p) };
            ModRm { field: 0, reg: 0, address }.with(Kind::Stos { rep: p.rep || p.repne }, size, Source::Reg(0))
        }
        0xc6 | 0xc7 => {
            let m = modrm(code, p)?;
            let imm = immediate(code, size)?;
            if m.field != 0 {
                return None;
            }
            m.with(Kind::Mov, size, Source::Imm(imm))
        }
        0xf6 | 0xf7 => unary(modrm(code, p)?, size, [None, None, Some(Kind::Not), Some(Kind::Neg)]),
        0xfe | 0xff => unary(modrm(code, p)?, size, [Some(Kind::Inc), Some(Kind::Dec), None, None]),
        _ => None,
    }
}

fn two_byte(code: &mut Cursor<'_>, p: &Prefixes) -> Option<MemOp> {
    let opcode = code.next()?;
    let size = size_of(opcode, p);
    match opcode {
        0xab => modrm(code, p)?.with_reg(Kind::Bts, size, p),
        0xb3 => modrm(code, p)?.with_reg(Kind::Btr, size, p),
        0xbb => modrm(code, p)?.with_reg(Kind::Btc, size, p),
        0xba => {
            let m = modrm(code, p)?;
            let bit = code.next()?;
            let kind = match m.field {
                5 => Kind::Bts,
                6 => Kind::Btr,
                7 => Kind::Btc,
                _ => return None,
            };
            // Bit 0 of this opcode does not stand for the size.
            m.with(kind, size_of(1, p), Source::Imm(bit.into()))
        }
        0xb0 | 0xb1 => modrm(code, p)?.with_reg(Kind::Cmpxchg, size, p),
        0xc0 | 0xc1 => modrm(code, p)?.with_reg(Kind::Xadd, size, p),
        // movnti has no byte or 16-bit form.
        0xc3 if !p.operand16 && !p.rep && !p.repne => {
            modrm(code, p)?.with_reg(Kind::Mov, if p.rex & REX_W != 0 { 8 } else { 4 }, p)
        }
        0xc7 => {
            let m = modrm(code, p)?;
            // With REX.W this is cmpxchg16b, which no page-table entry needs.
            if m.field != 1 || p.rex & REX_W != 0 {
                return None;
            }
            m.with(Kind::Cmpxchg8b, 8, Source::None)
        }
        _ => None,
    }
}

fn alu(code: u8) -> Option<Alu> {
    Some(match code & 7 {
        0 => Alu::Add,
        1 => Alu::Or,
        2 => Alu::Adc,
        3 => Alu::Sbb,
        4 => Alu::And,
        5 => Alu::Sub,
        6 => Alu::Xor,
        // cmp only reads.
        _ => return None,
    })
}

fn unary(m: ModRm, size: u8, kinds: [Option<Kind>; 4]) -> Option<MemOp> {
    let kind = kinds.get(usize::from(m.field)).copied().flatten()?;
    m.with(kind, size, Source::None)
}

/// A sign-extended immediate; 8-byte operands have 4-byte immediates.
fn immediate(code: &mut Cursor<'_>, size: u8) -> Option<u64> {
    Some(match size {
        1 => i64::from(i8::from_le_bytes(code.take()?)) as u64,
        2 => i64::from(i16::from_le_bytes(code.take()?)) as u64,
        _ => i64::from(i32::from_le_bytes(code.take()?)) as u64,
    })
}

/// A ModRM byte with its SIB byte and displacement, memory forms only.
#[derive(Clone, Copy)]
struct ModRm {
    /// The reg field without REX: an opcode extension.
    field: u8,
    /// The reg field as a register.
    reg: u8,
    address: Address,
}

impl ModRm {
    fn with(&self, kind: Kind, size: u8, source: Source) -> Option<MemOp> {
        // lock and len are filled in at the end.
        Some(MemOp { kind, size, source, address: self.address, lock: false, len: 0 })
    }

    fn with_reg(&self, kind: Kind, size: u8, p: &Prefixes) -> Option<MemOp> {
        let source = match self.reg {
            reg @ 4..=7 if size == 1 && p.rex == 0 => Source::HighByte(reg & 3),
            reg => Source::Reg(reg),
        };
        self.with(kind, size, source)
    }
}

fn plain_address(p: &Prefixes) -> Address {
    Address {
        segment: p.segment,
        base: None,
        index: None,
        scale: 0,
        disp: 0,
        rip_relative: false,
        addr32: p.address_override,
    }
}

fn modrm(code: &mut Cursor<'_>, p: &Prefixes) -> Option<ModRm> {
    let byte = code.next()?;
    let (mode, field, rm) = (byte >> 6, byte >> 3 & 7, byte & 7);
    if mode == 3 {
        return None;
    }
    let mut address = plain_address(p);
    if rm == 4 {
        let sib = code.next()?;
        let index = (sib >> 3 & 7) | p.rex_bit(REX_X) << 3;
        if index != 4 {
            address.index = Some(index);
            address.scale = sib >> 6;
        }
        if !(mode == 0 && sib & 7 == 5) {
            address.base = Some((sib & 7) | p.rex_bit(REX_B) << 3);
        }
    } else if mode == 0 && rm == 5 {
        address.rip_relative = true;
    } else {
        address.base = Some(rm | p.rex_bit(REX_B) << 3);
    }
    address.disp = match mode {
        1 => immediate(code, 1)?,
        2 => immediate(code, 4)?,
        _ if address.base.is_none() => immediate(code, 4)?,
        _ => 0,
    };
    Some(ModRm { field, reg: field | p.rex_bit(REX_R) << 3, address })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};
    use proptest::prelude::*;
    use std::vec::Vec;

    struct Regs([u64; 16]);

    impl AddressRegisters for Regs {
        fn gpr(&self, number: u8) -> u64 {
            self.0[number as usize]
        }
        fn rip(&self) -> u64 {
            0xffff_ffff_8100_0000
        }
        fn fs_base(&self) -> u64 {
            0x7f00_0000_1000
        }
        fn gs_base(&self) -> u64 {
            0xffff_8880_1000_0000
        }
    }

    #[test]
    fn kernels_favourites() {
        // mov %rsi,(%rdi)
        let op = decode(&[0x48, 0x89, 0x37]).unwrap();
        assert_eq!((op.kind, op.size, op.source, op.len), (Kind::Mov, 8, Source::Reg(6), 3));
        assert_eq!(op.address.base, Some(7));
        // xchg %rax,0x8(%rbx,%r12,8)
        let op = decode(&[0x4a, 0x87, 0x44, 0xe3, 0x08]).unwrap();
        assert_eq!((op.kind, op.address.index, op.address.scale, op.address.disp), (Kind::Xchg, Some(12), 3, 8));
        // lock andb $0xfd,(%rdi)
        let op = decode(&[0xf0, 0x80, 0x27, 0xfd]).unwrap();
        assert_eq!((op.kind, op.size, op.source, op.lock), (Kind::Alu(Alu::And), 1, Source::Imm(-3i64 as u64), true));
        // lock btrq $1,(%rdi)
        let op = decode(&[0xf0, 0x48, 0x0f, 0xba, 0x37, 0x01]).unwrap();
        assert_eq!((op.kind, op.size, op.len), (Kind::Btr, 8, 6));
        // lock cmpxchg %rdx,%gs:0x10(%rip)
        let op = decode(&[0x65, 0xf0, 0x48, 0x0f, 0xb1, 0x15, 0x10, 0, 0, 0]).unwrap();
        assert_eq!(op.linear_address(&Regs([0; 16])), 0xffff_8880_1000_0000u64.wrapping_add(0xffff_ffff_8100_001a));
        // movb %ah,(%rdi), and the same with a REX: %spl
        assert_eq!(decode(&[0x88, 0x27]).unwrap().source, Source::HighByte(0));
        assert_eq!(decode(&[0x40, 0x88, 0x27]).unwrap().source, Source::Reg(4));
    }

    #[test]
    fn bit_strings_reach_out() {
        // btc %rcx,(%rdi)
        let op = decode(&[0x48, 0x0f, 0xbb, 0x0f]).unwrap();
        let mut regs = Regs([0; 16]);
        regs.0[7] = 0x1000;
        for (bit, address) in [(63, 0x1000), (64, 0x1008), (130, 0x1010), (-1i64 as u64, 0xff8)] {
            regs.0[1] = bit;
            assert_eq!(op.linear_address(&regs), address);
        }
    }

    /// Compares with iced's view of the same instruction.
    fn reference_kind(i: &Instruction) -> Option<Kind> {
        let rep = i.has_rep_prefix() || i.has_repne_prefix();
        Some(match i.mnemonic() {
            Mnemonic::Mov | Mnemonic::Movnti => Kind::Mov,
            Mnemonic::Xchg => Kind::Xchg,
            Mnemonic::Xadd => Kind::Xadd,
            Mnemonic::Cmpxchg => Kind::Cmpxchg,
            Mnemonic::Cmpxchg8b => Kind::Cmpxchg8b,
            Mnemonic::Add => Kind::Alu(Alu::Add),
            Mnemonic::Or => Kind::Alu(Alu::Or),
            Mnemonic::Adc => Kind::Alu(Alu::Adc),
            Mnemonic::Sbb => Kind::Alu(Alu::Sbb),
            Mnemonic::And => Kind::Alu(Alu::And),
            Mnemonic::Sub => Kind::Alu(Alu::Sub),
            Mnemonic::Xor => Kind::Alu(Alu::Xor),
            Mnemonic::Not => Kind::Not,
            Mnemonic::Neg => Kind::Neg,
            Mnemonic::Inc => Kind::Inc,
            Mnemonic::Dec => Kind::Dec,
            Mnemonic::Bts => Kind::Bts,
            Mnemonic::Btr => Kind::Btr,
            Mnemonic::Btc => Kind::Btc,
            Mnemonic::Stosb | Mnemonic::Stosw | Mnemonic::Stosd | Mnemonic::Stosq => Kind::Stos { rep },
            _ => return None,
        })
    }

    fn is_memory(kind: OpKind) -> bool {
        matches!(kind, OpKind::Memory | OpKind::MemoryESDI | OpKind::MemoryESEDI | OpKind::MemoryESRDI)
    }

    fn check(bytes: &[u8], regs: &Regs) -> Result<(), TestCaseError> {
        let i = Decoder::with_ip(64, bytes, regs.rip(), DecoderOptions::NONE).decode();
        if i.is_invalid() {
            return Ok(());
        }
        let ours = decode(bytes);
        let Some(kind) =
            reference_kind(&i).filter(|_| is_memory(i.op0_kind()) && !i.op1_register().is_segment_register())
        else {
            prop_assert_eq!(ours, None, "{:x?}", bytes);
            return Ok(());
        };
        let Some(op) = ours else { return Err(TestCaseError::fail(std::format!("refused {bytes:x?} {i:?}"))) };
        prop_assert_eq!(op.kind, kind, "{:x?}", bytes);
        prop_assert_eq!(op.len as usize, i.len());
        prop_assert_eq!(op.lock, i.has_lock_prefix());
        prop_assert_eq!(op.size as usize, i.memory_size().size(), "{:x?}", bytes);
        if i.op_count() > 1 {
            match i.op1_kind() {
                OpKind::Register => {
                    let reg = i.op1_register();
                    let expect = match reg {
                        Register::AH | Register::CH | Register::DH | Register::BH => {
                            Source::HighByte((reg as u32 - Register::AH as u32) as u8)
                        }
                        _ => Source::Reg(reg.full_register().number() as u8),
                    };
                    prop_assert_eq!(op.source, expect);
                }
                _ if matches!(kind, Kind::Bts | Kind::Btr | Kind::Btc) => {
                    prop_assert_eq!(op.source, Source::Imm(i.immediate8().into()));
                }
                _ => {
                    // iced extends to 64 bits only for 64-bit operands: compare what counts.
                    let Source::Imm(imm) = op.source else { return Err(TestCaseError::fail("no immediate")) };
                    let mask = u64::MAX >> (64 - 8 * u32::from(op.size));
                    prop_assert_eq!(imm & mask, i.immediate(1) & mask, "{:x?}", bytes);
                }
            }
        }
        let theirs = i.virtual_address(0, 0, |reg, _, _| {
            Some(match reg {
                Register::FS => regs.fs_base(),
                Register::GS => regs.gs_base(),
                _ if reg.is_segment_register() => 0,
                _ => regs.gpr(reg.number() as u8) & if reg.size() == 4 { 0xffff_ffff } else { u64::MAX },
            })
        });
        let mut still = op;
        if let (Kind::Bts | Kind::Btr | Kind::Btc, Source::Reg(_)) = (op.kind, op.source) {
            still.source = Source::Imm(0); // iced leaves the bit number out of the address
        }
        prop_assert_eq!(Some(still.linear_address(regs)), theirs, "{:x?}", bytes);
        Ok(())
    }

    fn code() -> impl Strategy<Value = Vec<u8>> {
        let prefix = prop::sample::select(&[0x66u8, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x64, 0x65][..]);
        let opcode = prop_oneof![
            any::<u8>().prop_map(|b| [b].to_vec()),
            any::<u8>().prop_map(|b| [0x0f, b].to_vec()),
            prop::sample::select(
                &[
                    0x80u8, 0x81, 0x83, 0x86, 0x87, 0x88, 0x89, 0xa2, 0xa3, 0xaa, 0xab, 0xc6, 0xc7, 0xf6, 0xf7, 0xfe,
                    0xff
                ][..]
            )
            .prop_map(|b| [b].to_vec()),
            prop::sample::select(&[0xabu8, 0xb3, 0xbb, 0xba, 0xb0, 0xb1, 0xc0, 0xc1, 0xc3, 0xc7][..])
                .prop_map(|b| [0x0f, b].to_vec()),
        ];
        (
            prop::collection::vec(prefix, 0..3),
            prop::option::of(0x40u8..0x50),
            opcode,
            prop::collection::vec(any::<u8>(), 12),
        )
            .prop_map(|(prefixes, rex, opcode, tail)| {
                let mut all: Vec<u8> = prefixes.into_iter().chain(rex).chain(opcode).chain(tail).collect();
                all.truncate(15);
                all
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6_000))]
        #[test]
        fn agrees_with_iced(bytes in code(), regs in prop::array::uniform16(any::<u64>())) {
            check(&bytes, &Regs(regs))?;
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            let _ = decode(&bytes).map(|op| op.linear_address(&Regs([u64::MAX; 16])));
        }
    }
}
