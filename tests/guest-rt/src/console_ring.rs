// SPDX-License-Identifier: MIT OR Apache-2.0
//! The console of a domain that is not the initial one: a ring shared with `xenconsoled` (io/console.h).
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use crate::{event, memory, time};

/// Offsets in `xencons_interface`: two arrays and four indexes.
const IN: u64 = 0;
const OUT: u64 = 1024;
const IN_CONS: u64 = 3072;
const IN_PROD: u64 = 3076;
const OUT_CONS: u64 = 3080;
const OUT_PROD: u64 = 3084;
const IN_SIZE: u32 = 1024;
const OUT_SIZE: u32 = 2048;

/// The mapped ring and its event channel.
pub struct Ring {
    va: u64,
    port: u32,
}

impl Ring {
    /// Maps the ring that `start_info` names.
    pub fn open() -> Self {
        let window = memory::alloc();
        let mfn = memory::start_info_word(memory::start_info::CONSOLE_MFN);
        memory::must(memory::update_va(window.va, mfn << 12 | memory::RW, memory::UVMF_INVLPG_ALL), "map the console");
        let port = memory::start_info_word(memory::start_info::CONSOLE_PORT) as u32;
        event::set_masked(port, true);
        Self { va: window.va, port }
    }

    /// Writes all of `bytes`, waiting for room when the daemon is slow.
    pub fn write(&self, bytes: &[u8]) {
        let produced = memory::atomic32(self.va + OUT_PROD);
        let consumed = memory::atomic32(self.va + OUT_CONS);
        for byte in bytes {
            let at = produced.load(Ordering::Relaxed);
            while at.wrapping_sub(consumed.load(Ordering::Acquire)) >= OUT_SIZE {
                self.notify();
                self.wait();
            }
            memory::write8(self.va + OUT + u64::from(at % OUT_SIZE), *byte);
            produced.store(at.wrapping_add(1), Ordering::Release);
        }
        self.notify();
    }

    /// Waits for input and takes one byte.
    pub fn read(&self) -> u8 {
        let produced = memory::atomic32(self.va + IN_PROD);
        let consumed = memory::atomic32(self.va + IN_CONS);
        let at = consumed.load(Ordering::Relaxed);
        while produced.load(Ordering::Acquire) == at {
            self.wait();
        }
        let byte = memory::read8(self.va + IN + u64::from(at % IN_SIZE));
        consumed.store(at.wrapping_add(1), Ordering::Release);
        self.notify();
        byte
    }

    fn notify(&self) {
        memory::must(event::send(self.port), "notify the console's other end");
    }

    /// Sleeps until the other end has done something since the last time.
    fn wait(&self) {
        memory::must(time::poll(&mut [self.port], 0), "poll the console's port");
        event::take_pending(self.port);
    }
}
