// SPDX-License-Identifier: MIT OR Apache-2.0
//! `hypfs_op`: the tree, what an entry looks like, the options that can be changed, and what is refused.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EACCES, EDOM, EFAULT, EINVAL, ENOBUFS, ENOENT};
use guest_rt::hypercall::call;
use guest_rt::memory::{self, Page};
use guest_rt::{check, check_eq, guest_main};

guest_main!(main);

const HYPFS_OP: u64 = 42;
const VERSION: u64 = 0;
const READ: u64 = 1;
const WRITE: u64 = 2;
const DIR: u8 = 0;
const STRING: u8 = 2;
const UINT: u8 = 3;
const LOGLVL: &[u8] = b"/params/loglvl\0";

fn main() {
    let files = Files { path: memory::alloc(), buffer: memory::alloc() };
    check_eq!(call(HYPFS_OP, [VERSION, 0, 0, 0, 0]), 1, "get_version");
    check_eq!(call(HYPFS_OP, [VERSION, 1, 0, 0, 0]), EINVAL, "get_version with an argument");
    check_eq!(call(HYPFS_OP, [9, 0, 0, 0, 0]), EINVAL, "an unknown operation");
    reading(&files);
    listing(&files);
    paths(&files);
    writing(&files);
}

struct Files {
    path: Page,
    buffer: Page,
}

impl Files {
    fn op(&self, op: u64, path: &[u8], size: u64) -> i64 {
        put(self.path, path);
        call(HYPFS_OP, [op, self.path.va, path.len() as u64, self.buffer.va, size])
    }

    /// The result, type, length and greatest length to write.
    fn read(&self, path: &[u8], size: u64) -> (i64, u8, u32, u32) {
        memory::write64(self.buffer.va, u64::MAX);
        let result = self.op(READ, path, size);
        let word = |offset: u64| memory::read32(self.buffer.va + offset);
        (result, memory::read8(self.buffer.va), word(4), word(8))
    }

    fn write(&self, path: &[u8], value: &[u8]) -> i64 {
        put(self.buffer, value);
        self.op(WRITE, path, value.len() as u64)
    }

    fn holds(&self, text: &[u8]) -> bool {
        (0..).zip(text).all(|(at, byte)| memory::read8(self.buffer.va + 12 + at) == *byte)
    }
}

fn put(page: Page, bytes: &[u8]) {
    (page.va..).zip(bytes).for_each(|(va, byte)| memory::write8(va, *byte));
}

fn reading(files: &Files) {
    check_eq!(files.read(b"/buildinfo/version/major\0", 4096), (0, UINT, 4, 0), "a number");
    check_eq!(memory::read32(files.buffer.va + 12), 4, "Xen 4");
    let (result, kind, len, most) = files.read(b"/buildinfo/version/extra\0", 4096);
    check_eq!((result, kind, most), (0, STRING, 0), "a text");
    check_eq!(memory::read8(files.buffer.va + 12 + u64::from(len) - 1), 0, "ends with a zero byte");
    let (_, _, len, most) = files.read(LOGLVL, 4096);
    check_eq!(most, 16, "an option can be written");
    check_eq!(files.read(LOGLVL, 11).0, EINVAL, "no room for the entry");
    check_eq!(files.read(LOGLVL, 12), (ENOBUFS, STRING, len, 16), "no room for the content");
    check_eq!(files.read(LOGLVL, 12 + u64::from(len)).0, 0, "just enough");
}

/// The first entry of the root is `buildinfo`, the last one `params`.
fn listing(files: &Files) {
    let (result, kind, len, most) = files.read(b"/\0", 4096);
    check_eq!((result, kind, most), (0, DIR, 0), "the root");
    let first = files.buffer.va + 12;
    check_eq!(
        (memory::read8(first), memory::read32(first + 12) & 0xffff),
        (DIR, 26),
        "the first entry, and the next one"
    );
    check_eq!(memory::read64(first + 14).to_le_bytes(), *b"buildinf", "its name");
    let last = first + u64::from(len) - 22;
    check_eq!(memory::read32(last + 12) & 0xffff, 0, "none after the last one");
    check_eq!(memory::read64(last + 14).to_le_bytes(), *b"params\0\0", "its name");
}

fn paths(files: &Files) {
    check_eq!(files.read(b"/params/\0", 4096).1, DIR, "a slash at the end");
    check_eq!(files.read(b"/nothing\0", 4096).0, ENOENT, "nothing there");
    check_eq!(files.read(b"//params\0", 4096).0, ENOENT, "an empty name");
    check_eq!(files.read(b"params\0", 4096).0, EINVAL, "not from the root");
    check_eq!(files.read(b"/params", 4096).0, EINVAL, "not ended");
    let raw = |path: u64, len: u64, buffer: u64| call(HYPFS_OP, [READ, path, len, buffer, 4096]);
    put(files.path, b"/params\0");
    check_eq!(raw(files.path.va, 1025, files.buffer.va), EINVAL, "too long");
    check_eq!(raw(files.path.va, 0, files.buffer.va), EINVAL, "no path");
    check_eq!(raw(0x10, 8, files.buffer.va), EFAULT, "unreadable");
    check_eq!(raw(files.path.va, 8, 0x10), EFAULT, "an unwritable buffer");
}

fn writing(files: &Files) {
    for (value, shown) in [(&b"error/all\0"[..], &b"error/all\0"[..]), (b"info\0", b"info/info\0")] {
        check_eq!(files.write(LOGLVL, value), 0, "write");
        check_eq!(files.read(LOGLVL, 4096).2, shown.len() as u32, "read back");
        check!(files.holds(shown), "what was written");
    }
    check_eq!(files.write(LOGLVL, b"nonsense\0"), EINVAL, "not a level");
    check_eq!(files.write(LOGLVL, b"info"), EDOM, "not ended");
    check_eq!(files.write(LOGLVL, b""), EDOM, "nothing");
    check_eq!(files.write(LOGLVL, b"error/error/error\0"), EINVAL, "too long");
    check_eq!(files.write(b"/params\0", b"a\0"), EACCES, "a directory");
    check_eq!(files.write(b"/buildinfo/version/extra\0", b"a\0"), EACCES, "what cannot be changed");
    check_eq!(files.write(b"/nothing\0", b"a\0"), ENOENT, "nothing there");
    check_eq!(files.write(LOGLVL, b"all\0"), 0, "as before");
}
