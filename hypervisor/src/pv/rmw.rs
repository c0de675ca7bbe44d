// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a decoded write does: from the old value to the new one, the registers and the flags.
//!
//! The caller reads the old value, asks [`execute`], installs the new value by compare-exchange, and on success applies the
//! register writes and advances the instruction pointer. If the word changed meanwhile it simply asks again: nothing here
//! has effects. Flags follow the Intel SDM, volume 1, section 3.4.3.1; flags it calls undefined are left as they were.
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

use super::decode_write::{AddressRegisters, Alu, Kind, MemOp, Source};

const CF: u64 = 1 << 0;
const PF: u64 = 1 << 2;
const AF: u64 = 1 << 4;
const ZF: u64 = 1 << 6;
const SF: u64 = 1 << 7;
const DF: u64 = 1 << 10;
const OF: u64 = 1 << 11;
const ARITHMETIC: u64 = CF | PF | AF | ZF | SF | OF;

const RAX: u8 = 0;
const RCX: u8 = 1;
const RDX: u8 = 2;
const RBX: u8 = 3;
const RDI: u8 = 7;

/// The outcome of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Effect {
    /// The memory operand's new value; `None` if it keeps the old one.
    pub(crate) memory: Option<u64>,
    /// Registers that change: number and the whole new 64-bit value.
    pub(crate) registers: [Option<(u8, u64)>; 2],
    /// The new flags register.
    pub(crate) rflags: u64,
    /// A repeated string instruction is not finished: the instruction pointer stays.
    pub(crate) repeat: bool,
}

/// Computes the effect of `op` on a memory operand that holds `old` (zero-extended).
pub(crate) fn execute(op: &MemOp, old: u64, regs: &impl AddressRegisters, rflags: u64) -> Effect {
    let mask = mask(op.size);
    let old = old & mask;
    let source = source(op, regs) & mask;
    let unchanged = Effect { memory: None, registers: [None; 2], rflags, repeat: false };
    let store = |memory: u64, rflags: u64| Effect { memory: Some(memory & mask), rflags, ..unchanged };
    match op.kind {
        Kind::Mov => store(source, rflags),
        Kind::Xchg => Effect { registers: [source_register(op, old, regs), None], ..store(source, rflags) },
        Kind::Xadd => {
            let (sum, flags) = alu(Alu::Add, old, source, op.size, rflags);
            Effect { registers: [source_register(op, old, regs), None], ..store(sum, flags) }
        }
        Kind::Cmpxchg => {
            let accumulator = regs.gpr(RAX) & mask;
            let (_, flags) = alu(Alu::Sub, accumulator, old, op.size, rflags);
            if accumulator == old {
                store(source, flags)
            } else {
                let rax = merge(regs.gpr(RAX), old, op.size);
                Effect { rflags: flags, registers: [Some((RAX, rax)), None], ..unchanged }
            }
        }
        Kind::Cmpxchg8b => cmpxchg8b(old, regs, unchanged),
        Kind::Alu(operation) => {
            let (value, flags) = alu(operation, old, source, op.size, rflags);
            store(value, flags)
        }
        Kind::Not => store(!old, rflags),
        Kind::Neg => {
            let (value, flags) = alu(Alu::Sub, 0, old, op.size, rflags);
            store(value, flags)
        }
        Kind::Inc => {
            let (value, flags) = alu(Alu::Add, old, 1, op.size, rflags);
            store(value, flags & !CF | rflags & CF)
        }
        Kind::Dec => {
            let (value, flags) = alu(Alu::Sub, old, 1, op.size, rflags);
            store(value, flags & !CF | rflags & CF)
        }
        Kind::Bts | Kind::Btr | Kind::Btc => {
            let bit = 1u64.wrapping_shl(source as u32 & bits(op.size).wrapping_sub(1));
            let value = match op.kind {
                Kind::Bts => old | bit,
                Kind::Btr => old & !bit,
                _ => old ^ bit,
            };
            store(value, rflags & !CF | flag(old & bit != 0, CF))
        }
        Kind::Stos { rep } => stos(op, rep, regs, rflags, unchanged),
    }
}

fn cmpxchg8b(old: u64, regs: &impl AddressRegisters, unchanged: Effect) -> Effect {
    let pair = |high, low| (regs.gpr(high) << 32) | (regs.gpr(low) & 0xffff_ffff);
    if pair(RDX, RAX) == old {
        Effect { memory: Some(pair(RCX, RBX)), rflags: unchanged.rflags | ZF, ..unchanged }
    } else {
        let registers = [Some((RAX, old & 0xffff_ffff)), Some((RDX, old >> 32))];
        Effect { registers, rflags: unchanged.rflags & !ZF, ..unchanged }
    }
}

fn stos(op: &MemOp, rep: bool, regs: &impl AddressRegisters, rflags: u64, unchanged: Effect) -> Effect {
    let address_mask = if op.address.addr32 { 0xffff_ffff } else { u64::MAX };
    let count = regs.gpr(RCX) & address_mask;
    if rep && count == 0 {
        return unchanged;
    }
    let step = if rflags & DF == 0 { u64::from(op.size) } else { u64::from(op.size).wrapping_neg() };
    let rdi = regs.gpr(RDI).wrapping_add(step) & address_mask;
    let left = count.wrapping_sub(1);
    Effect {
        memory: Some(regs.gpr(RAX) & mask(op.size)),
        registers: [Some((RDI, rdi)), rep.then_some((RCX, left))],
        rflags,
        repeat: rep && left != 0,
    }
}

fn source(op: &MemOp, regs: &impl AddressRegisters) -> u64 {
    match op.source {
        Source::None => 0,
        Source::Reg(reg) => regs.gpr(reg),
        Source::HighByte(reg) => regs.gpr(reg) >> 8,
        Source::Imm(imm) => imm,
    }
}

/// The source register after `value` was written to it.
fn source_register(op: &MemOp, value: u64, regs: &impl AddressRegisters) -> Option<(u8, u64)> {
    match op.source {
        Source::Reg(reg) => Some((reg, merge(regs.gpr(reg), value, op.size))),
        Source::HighByte(reg) => Some((reg, regs.gpr(reg) & !0xff00 | (value & 0xff) << 8)),
        Source::None | Source::Imm(_) => None,
    }
}

/// Writes a register's low part: 4 bytes clear the upper half, 1 and 2 bytes keep the rest.
fn merge(register: u64, value: u64, size: u8) -> u64 {
    match size {
        1 | 2 => register & !mask(size) | value & mask(size),
        _ => value & mask(size),
    }
}

/// The result, cut to the size, and the flags of a two-operand operation.
fn alu(operation: Alu, a: u64, b: u64, size: u8, rflags: u64) -> (u64, u64) {
    let mask = mask(size);
    let sign = mask ^ (mask >> 1);
    let carry_in = u64::from(rflags & CF != 0);
    let (value, carry, overflow, adjust) = match operation {
        Alu::And | Alu::Or | Alu::Xor => {
            let value = match operation {
                Alu::And => a & b,
                Alu::Or => a | b,
                _ => a ^ b,
            };
            // The adjust flag is undefined here: keep it.
            (value, false, false, rflags & AF != 0)
        }
        Alu::Add | Alu::Adc => {
            let carry_in = if operation == Alu::Adc { carry_in } else { 0 };
            let value = a.wrapping_add(b).wrapping_add(carry_in) & mask;
            // The carry out of each bit position.
            let carries = (a & b) | ((a | b) & !value);
            (value, carries & sign != 0, (a ^ value) & (b ^ value) & sign != 0, carries & 8 != 0)
        }
        Alu::Sub | Alu::Sbb => {
            let carry_in = if operation == Alu::Sbb { carry_in } else { 0 };
            let value = a.wrapping_sub(b).wrapping_sub(carry_in) & mask;
            let borrows = (!a & b) | ((!a | b) & value);
            (value, borrows & sign != 0, (a ^ b) & (a ^ value) & sign != 0, borrows & 8 != 0)
        }
    };
    let flags = flag(carry, CF)
        | flag((value as u8).count_ones() & 1 == 0, PF)
        | flag(adjust, AF)
        | flag(value == 0, ZF)
        | flag(value & sign != 0, SF)
        | flag(overflow, OF);
    (value, rflags & !ARITHMETIC | flags)
}

fn flag(condition: bool, flag: u64) -> u64 {
    if condition { flag } else { 0 }
}

fn bits(size: u8) -> u32 {
    u32::from(size).wrapping_mul(8)
}

fn mask(size: u8) -> u64 {
    match size {
        1 => 0xff,
        2 => 0xffff,
        4 => 0xffff_ffff,
        _ => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::decode_write::decode;
    use super::*;
    use proptest::prelude::*;

    struct Regs([u64; 16]);

    impl AddressRegisters for Regs {
        fn gpr(&self, number: u8) -> u64 {
            self.0[number as usize]
        }
        fn rip(&self) -> u64 {
            0
        }
        fn fs_base(&self) -> u64 {
            0
        }
        fn gs_base(&self) -> u64 {
            0
        }
    }

    fn run(code: &[u8], old: u64, set: &[(usize, u64)]) -> Effect {
        let mut regs = Regs([0; 16]);
        for (reg, value) in set {
            regs.0[*reg] = *value;
        }
        execute(&decode(code).unwrap(), old, &regs, 2)
    }

    #[test]
    fn page_table_writers() {
        // xchg %rax,(%rdi)
        let e = run(&[0x48, 0x87, 0x07], 0x8000_0000_1234_5067, &[(0, 0)]);
        assert_eq!((e.memory, e.registers[0], e.rflags), (Some(0), Some((0, 0x8000_0000_1234_5067)), 2));
        // lock andb $0xfd,(%rdi)
        assert_eq!(run(&[0xf0, 0x80, 0x27, 0xfd], 0x67, &[]).memory, Some(0x65));
        // lock btrq $1,(%rdi)
        let e = run(&[0xf0, 0x48, 0x0f, 0xba, 0x37, 0x01], 0x67, &[]);
        assert_eq!((e.memory, e.rflags & CF), (Some(0x65), CF));
        // lock cmpxchg %rdx,(%rdi)
        let code = [0xf0, 0x48, 0x0f, 0xb1, 0x17];
        let e = run(&code, 5, &[(0, 5), (2, 9)]);
        assert_eq!((e.memory, e.registers[0], e.rflags & ZF), (Some(9), None, ZF));
        let e = run(&code, 6, &[(0, 5), (2, 9)]);
        assert_eq!((e.memory, e.registers[0], e.rflags & ZF), (None, Some((0, 6)), 0));
        // xchg %ah,(%rdi)
        let e = run(&[0x86, 0x27], 0x77, &[(0, 0x1234)]);
        assert_eq!((e.memory, e.registers[0]), (Some(0x12), Some((0, 0x7734))));
        // lock cmpxchg8b (%rdi)
        let code = [0xf0, 0x0f, 0xc7, 0x0f];
        let e = run(&code, 0x1_0000_0002, &[(0, 2), (2, 1), (3, 4), (1, 3)]);
        assert_eq!(e.memory, Some(0x3_0000_0004));
        let e = run(&code, 0x1_0000_0002, &[]);
        assert_eq!(e.registers, [Some((0, 2)), Some((2, 1))]);
    }

    #[test]
    fn string_stores() {
        // rep stos %rax,(%rdi)
        let code = [0xf3, 0x48, 0xab];
        let e = run(&code, 1, &[(0, 7), (1, 2), (7, 0x1000)]);
        assert_eq!((e.memory, e.registers, e.repeat), (Some(7), [Some((7, 0x1008)), Some((1, 1))], true));
        assert!(!run(&code, 1, &[(1, 1)]).repeat);
        assert_eq!(run(&code, 1, &[]).memory, None);
        assert_eq!(run(&[0xaa], 1, &[(7, 5)]).registers, [Some((7, 6)), None]);
    }

    proptest! {
        /// The flags against their textbook definitions in wide arithmetic.
        #[test]
        fn flags_by_definition(a: u64, b: u64, carry: bool, which in 0usize..4, log in 0u32..4) {
            let size = 1u8 << log;
            let (a, b) = (a & mask(size), b & mask(size));
            let operation = [Alu::Add, Alu::Adc, Alu::Sub, Alu::Sbb][which];
            let (value, flags) = alu(operation, a, b, size, u64::from(carry));
            let c = if matches!(operation, Alu::Adc | Alu::Sbb) { i128::from(carry) } else { 0 };
            let signed = |v: u64| i128::from((v as i64) << (64 - bits(size)) >> (64 - bits(size)));
            let (wide, wide_signed, nibble) = if which < 2 {
                (i128::from(a) + i128::from(b) + c, signed(a) + signed(b) + c, (a & 15) as i128 + (b & 15) as i128 + c)
            } else {
                (i128::from(a) - i128::from(b) - c, signed(a) - signed(b) - c, (a & 15) as i128 - (b & 15) as i128 - c)
            };
            prop_assert_eq!(value, wide as u64 & mask(size));
            prop_assert_eq!(flags & CF != 0, wide < 0 || wide > i128::from(mask(size)));
            prop_assert_eq!(flags & OF != 0, wide_signed != signed(value));
            prop_assert_eq!(flags & AF != 0, !(0..16).contains(&nibble));
            prop_assert_eq!(flags & ZF != 0, value == 0);
            prop_assert_eq!(flags & SF != 0, signed(value) < 0);
        }
    }
}
