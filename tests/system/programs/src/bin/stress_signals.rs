// SPDX-License-Identifier: MIT OR Apache-2.0
//! Signals arrive at once, at the right thread, and leave floating-point state alone.
#![forbid(unsafe_code)]

use anyhow::{Result, bail};
use signal_hook::consts::{SIGUSR1, SIGUSR2};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

fn main() -> Result<()> {
    let end = dom0_programs::deadline()?;
    let flags = [SIGUSR1, SIGUSR2].map(|signal| (signal, Arc::new(AtomicBool::new(false))));
    for (signal, flag) in &flags {
        signal_hook::flag::register(*signal, Arc::clone(flag))?;
    }
    let mut sent = 0u64;
    let mut sum = 0.0f64;
    while Instant::now() < end {
        for (signal, flag) in &flags {
            let before = black_box(sum * 1.25 + 0.5);
            signal_hook::low_level::raise(*signal)?;
            if !flag.swap(false, Ordering::SeqCst) {
                bail!("signal {signal} was raised but not handled");
            }
            if before.to_bits() != black_box(sum * 1.25 + 0.5).to_bits() {
                bail!("a floating-point number changed under a signal");
            }
            sum = (sum + 1.0) % 1e6;
            sent += 1;
        }
    }
    println!("ok signals: {sent} handled");
    Ok(())
}
