// SPDX-License-Identifier: MIT OR Apache-2.0
//! `platform_op`: EFI's tables and runtime services where EFI booted the machine, and the refusal where it did not.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::hypercall::{addr, call};
use guest_rt::{abi, check, check_eq, guest_main, step};

guest_main!(main);

const FIRMWARE_INFO: u64 = 50;
const RUNTIME_CALL: u64 = 49;
const EFI: u64 = 4;
const GET_TIME: u64 = 1;
const GET_VARIABLE: u64 = 6;
const SET_VARIABLE: u64 = 7;
const GET_NEXT_VARIABLE_NAME: u64 = 8;
const QUERY_VARIABLE_INFO: u64 = 9;
const NOT_FOUND: u64 = 1 << 63 | 14;
const BUFFER_TOO_SMALL: u64 = 1 << 63 | 5;
/// Non-volatile, boot services, runtime: at run time EDK2 sets no others.
const ATTRIBUTES: u64 = 7;

/// An operation with its union's words; returns the union.
fn platform(cmd: u64, words: &[u64]) -> (i64, [u64; 16]) {
    let mut arg = [0u64; 17];
    arg[0] = cmd | 0x0300_0001 << 32;
    arg[1..1 + words.len()].copy_from_slice(words);
    let result = call(abi::HC_PLATFORM_OP, [addr(&mut arg), 0, 0, 0, 0]);
    let mut union = [0; 16];
    union.copy_from_slice(&arg[1..]);
    (result, union)
}

/// EFI information `index`; returns the answer's words.
fn info(index: u64, words: [u64; 4]) -> (i64, [u64; 4]) {
    let [a, b, c, d] = words;
    let (result, union) = platform(FIRMWARE_INFO, &[EFI | index << 32, a, b, c, d]);
    (result, [union[1], union[2], union[3], union[4]])
}

/// A runtime service: result, flags, status, and the answer's words.
fn runtime(function: u64, flags: u64, words: &[u64]) -> (i64, u64, u64, [u64; 5]) {
    let mut all = [0; 7];
    all[0] = function | flags << 32;
    all[2..2 + words.len()].copy_from_slice(words);
    let (result, union) = platform(RUNTIME_CALL, &all);
    (result, union[0] >> 32, union[1], [union[2], union[3], union[4], union[5], union[6]])
}

fn main() {
    let (result, _) = info(0, [0; 4]);
    if result != 0 {
        check_eq!(result, abi::ENOSYS, "firmware_info: EFI did not boot this machine");
        check_eq!(runtime(GET_TIME, 0, &[]).0, abi::ENOSYS, "efi_runtime_call without EFI");
        return;
    }
    tables();
    clock();
    list();
    variables();
    check_eq!(runtime(99, 0, &[]).0, abi::ENOSYS, "no such service");
    check_eq!(runtime(GET_TIME, 1, &[]).0, abi::EINVAL, "no such flag");
}

fn tables() {
    let (_, version) = info(0, [0; 4]);
    let (result, runtime_version) = info(4, [0; 4]);
    check_eq!(result, 0, "runtime version");
    step!("EFI {:#x}, runtime services {:#x}", version[0], runtime_version[0]);
    let (result, [tables, count, ..]) = info(1, [0; 4]);
    check_eq!(result, 0, "configuration tables");
    step!("{count} configuration tables at {tables:#x}");
    check!(tables != 0 && count & 0xffff_ffff > 2, "there are tables");
    let mut name = [0u16; 8];
    let (result, [revision, ..]) = info(2, [16 << 32, addr(&mut name), 0, 0]);
    check_eq!(result, 0, "vendor");
    step!("vendor {name:x?}, revision {:#x}", revision & 0xffff_ffff);
    check!(name[0] != 0, "the vendor has a name");
    let (result, [_, size, attributes, kind]) = info(3, [tables, 1 << 40, 0, 0]);
    check_eq!(result, 0, "the tables lie in a known region");
    step!("region of the tables: {size:#x} bytes left, attributes {attributes:#x}, type {}", kind & 0xffff_ffff);
    check!(size < 1 << 40, "the size is cut off");
    check_eq!(info(3, [1 << 51, 1, 0, 0]).0, abi::ESRCH, "no such region");
    check_eq!(info(7, [0; 4]).0, abi::EINVAL, "no such information");
}

fn clock() {
    let (result, _, status, [date, ..]) = runtime(GET_TIME, 0, &[]);
    check_eq!((result, status), (0, 0), "get_time");
    let (year, month, day) = (date & 0xffff, date >> 16 & 0xff, date >> 24 & 0xff);
    step!("{year}-{month}-{day}");
    check!((2000..2200).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day), "a date");
}

fn list() {
    let mut name = [0u16; 512];
    let mut guid = [0; 2];
    let mut count = 0;
    loop {
        let words = [1024, addr(&mut name), guid[0], guid[1]];
        let (result, _, status, [size, _, low, high, _]) = runtime(GET_NEXT_VARIABLE_NAME, 0, &words);
        check_eq!(result, 0, "get_next_variable_name");
        if status == NOT_FOUND {
            break;
        }
        check_eq!(status, 0, "its status");
        check_eq!(name[size as usize / 2 - 1], 0, "the name ends in a zero");
        guid = [low, high];
        count += 1;
        check!(count < 10_000, "the list ends");
    }
    step!("{count} variables");
    check!(count > 0, "there are variables");
}

fn variables() {
    const GUID: [u64; 2] = [0x4c1f_35a9_7d20_11ef, 0x0807_0605_0403_0201];
    let mut name = [u16::from(b'X'), u16::from(b'l'), 0];
    let mut data = *b"0123456789";
    let set = |size: u64, name: &mut [u16; 3], data: &mut [u8; 10]| {
        runtime(SET_VARIABLE, ATTRIBUTES, &[addr(name), size, addr(data), GUID[0], GUID[1]])
    };
    let get = |size: u64, name: &mut [u16; 3], data: &mut [u8; 10]| {
        runtime(GET_VARIABLE, 0, &[addr(name), size, addr(data), GUID[0], GUID[1]])
    };
    let (result, _, status, _) = set(10, &mut name, &mut data);
    check_eq!((result, status), (0, 0), "set_variable");
    data = [0; 10];
    let (result, _, status, words) = get(4, &mut name, &mut data);
    check_eq!((result, status, words[1]), (0, BUFFER_TOO_SMALL, 10), "get_variable without room");
    check_eq!(data, [0; 10], "nothing was written");
    let (result, attributes, status, words) = get(10, &mut name, &mut data);
    check_eq!((result, status, words[1], attributes), (0, 0, 10, ATTRIBUTES), "get_variable");
    check_eq!(&data, b"0123456789", "what was set");
    let (result, _, status, _) = set(0, &mut name, &mut data);
    check_eq!((result, status), (0, 0), "deleting");
    check_eq!(get(10, &mut name, &mut data).2, NOT_FOUND, "it is gone");
    let (result, _, status, words) = runtime(QUERY_VARIABLE_INFO, 0, &[ATTRIBUTES]);
    step!("query_variable_info: {result}, {status:#x}, {words:x?}");
    check_eq!((result, status), (0, 0), "query_variable_info");
    check!(words[1] >= words[2] && words[1] > 0, "space");
}
