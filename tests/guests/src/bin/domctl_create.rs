// SPDX-License-Identifier: MIT OR Apache-2.0
//! `domctl`: createdomain, max_vcpus, getdomaininfo, contexts of a domain that never ran, its end.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EACCES, EEXIST, EFAULT, EINVAL, ENODATA, EOPNOTSUPP, ESRCH};
use guest_rt::control::{Control, createdomain, domctl, sysctl};
use guest_rt::{check, check_eq, guest_main, memory, step};

guest_main!(main);

const DOM: u64 = 100;
const NONE: u64 = 99;

// Offsets in xen_domctl_createdomain.
const FLAGS: usize = 0x14;
const IOMMU_OPTS: usize = 0x18;
const MAX_VCPUS: usize = 0x1c;
const GRANT_FRAMES: usize = 0x24;
const MAPTRACK_FRAMES: usize = 0x28;
const GRANT_OPTS: usize = 0x2c;
const VMTRACE: usize = 0x30;
const POOL: usize = 0x34;
const EMULATION: usize = 0x38;
const MISC: usize = 0x3c;

const XS_DOMAIN: u32 = 0x10;

fn main() {
    refusals();
    made();
    vcpus();
    contexts();
    end();
}

fn refusals() {
    let bad = [
        ("hap", FLAGS, 2, EINVAL),
        ("s3_integrity", FLAGS, 4, EINVAL),
        ("iommu", FLAGS, 0x20, EINVAL),
        ("nested_virt", FLAGS, 0x40, EINVAL),
        ("an unknown flag", FLAGS, 0x100, EINVAL),
        ("iommu_opts", IOMMU_OPTS, 1, EINVAL),
        ("no vCPUs", MAX_VCPUS, 0, EINVAL),
        ("8193 vCPUs", MAX_VCPUS, 8193, EINVAL),
        ("no grant frames", GRANT_FRAMES, 0, EINVAL),
        ("65 grant frames", GRANT_FRAMES, 65, EINVAL),
        ("1025 maptrack frames", MAPTRACK_FRAMES, 1025, EINVAL),
        ("no grant version", GRANT_OPTS, 0, EINVAL),
        ("grant version 3", GRANT_OPTS, 3, EINVAL),
        ("other grant options", GRANT_OPTS, 0x12, EINVAL),
        ("vmtrace", VMTRACE, 4096, EINVAL),
        ("no such pool", POOL, 1, ESRCH),
        ("any pool", POOL, u32::MAX, ESRCH),
        ("an emulated local APIC", EMULATION, 1, EOPNOTSUPP),
        ("unknown MSR flags", MISC, 2, EINVAL),
    ];
    for (what, offset, value, errno) in bad {
        check_eq!(createdomain(0).set32(offset, value).call(), errno, "create: {what}");
    }
    check_eq!(domctl(5, DOM).version(0x14).call(), EACCES, "another interface version");
}

fn made() {
    let mut first = createdomain(0);
    check_eq!(first.call(), 0, "create with any number");
    step!("domain {}", first.domain());
    check!((1..0x7ff0).contains(&first.domain()), "an ordinary number");
    let mut other = createdomain(0x7ff0);
    check_eq!(other.call(), 0, "a reserved number means any");
    check!((1..0x7ff0).contains(&other.domain()) && other.domain() != first.domain(), "another one");
    for number in [first.domain(), other.domain()] {
        check_eq!(domctl(2, number).call(), 0, "destroy");
    }
    let mut chosen = createdomain(DOM).set32(MAX_VCPUS, 2).set32(FLAGS, XS_DOMAIN).set32(4, 0x1234);
    check_eq!((chosen.call(), chosen.domain()), (0, DOM), "a chosen number");
    check_eq!(createdomain(DOM).call(), EEXIST, "the number again");
    check_eq!(createdomain(DOM).set32(MAX_VCPUS, 0).call(), EEXIST, "which counts first");
    let mut small = createdomain(101).set32(MAPTRACK_FRAMES, 0).set32(GRANT_FRAMES, 1).set32(GRANT_OPTS, 1);
    check_eq!(small.call(), 0, "the smallest grant tables");
    check_eq!(domctl(2, 101).call(), 0, "and its end");
    let info = info(DOM);
    check_eq!(info.get32(4) & 0xffff, 0x88, "paused, a store domain");
    check_eq!((info.get64(8), info.get64(0x10), info.get64(0x18)), (0, 0, 0), "no pages, none allowed, none claimed");
    check_eq!((info.get32(0x40), info.get32(0x44)), (0, u32::MAX), "no vCPUs");
    check_eq!(info.get32(0x4c), 0x1234, "its UUID");
    check!(info.get64(0x30) != 0, "a shared info page");
}

fn info(dom: u64) -> Control {
    let mut info = domctl(5, dom);
    check_eq!((info.call(), info.domain()), (0, dom), "getdomaininfo");
    info
}

fn vcpus() {
    check_eq!(domctl(14, DOM).call(), ESRCH, "getvcpuinfo before there is one");
    check_eq!(domctl(15, DOM).set32(0, 1).call(), EINVAL, "max_vcpus: fewer");
    check_eq!(domctl(15, DOM).set32(0, 3).call(), EINVAL, "max_vcpus: more");
    check_eq!(domctl(15, DOM).set32(0, 2).call(), 0, "max_vcpus");
    check_eq!(domctl(15, DOM).set32(0, 2).call(), 0, "max_vcpus again");
    check_eq!(domctl(15, 0).set32(0, 2).call(), EINVAL, "max_vcpus of oneself");
    check_eq!(domctl(15, NONE).set32(0, 2).call(), ESRCH, "max_vcpus of nobody");
    let info = info(DOM);
    check_eq!((info.get32(0x40), info.get32(0x44)), (0, 1), "none is up");
    for vcpu in 0..2 {
        let mut vcpu_info = domctl(14, DOM).set32(0, vcpu);
        check_eq!(vcpu_info.call(), 0, "getvcpuinfo");
        check_eq!((vcpu_info.get32(4) & 0xff_ffff, vcpu_info.get64(8)), (0, 0), "down, blocked in nothing, never ran");
    }
    check_eq!(domctl(14, DOM).set32(0, 2).call(), EINVAL, "getvcpuinfo beyond");
}

fn contexts() {
    let page = memory::alloc();
    let of = |cmd: u64, dom: u64, vcpu: u32, context: u64| domctl(cmd, dom).set32(0, vcpu).set64(8, context).call();
    const GET: u64 = 13;
    const SET: u64 = 12;
    check_eq!(of(GET, DOM, 0, page.va), ENODATA, "getvcpucontext before setvcpucontext");
    check_eq!(of(GET, 0, 0, page.va), EINVAL, "getvcpucontext of oneself");
    check_eq!(of(GET, DOM, 2, page.va), EINVAL, "getvcpucontext beyond");
    check_eq!(of(GET, NONE, 0, page.va), ESRCH, "getvcpucontext of nobody");
    check_eq!(of(SET, DOM, 0, 0), 0, "setvcpucontext: a reset");
    check_eq!(of(SET, 0, 0, page.va), EINVAL, "setvcpucontext of oneself");
    check_eq!(of(SET, DOM, 2, page.va), EINVAL, "setvcpucontext beyond");
    check_eq!(of(SET, DOM, 0, 0x10), EFAULT, "setvcpucontext, unreadable");
}

fn end() {
    check_eq!(domctl(4, DOM).call(), 0, "unpausedomain");
    check_eq!(domctl(4, DOM).call(), EINVAL, "unpausedomain again");
    check_eq!(domctl(3, DOM).call(), 0, "pausedomain");
    check_eq!(info(DOM).get32(4) & 0xff, 0x88, "paused");
    check_eq!(domctl(2, DOM).call(), 0, "destroydomain");
    check_eq!(domctl(5, DOM).call(), ESRCH, "nothing is left");
    check_eq!(domctl(2, 0).call(), EINVAL, "destroydomain of oneself");
    let page = memory::alloc();
    let mut list = sysctl(6).set32(0, 0x7fff).set32(4, 1).set64(8, page.va);
    check_eq!((list.call(), list.get32(0x10)), (0, 0), "getdomaininfolist from beyond the last");
}
