// SPDX-License-Identifier: MIT OR Apache-2.0
//! Vector registers belong to their thread: more threads than CPUs, each working in registers for long stretches, so
//! that switches fall in between; the result is compared with the same sum made without vectors.
#![forbid(unsafe_code)]

use anyhow::{Result, bail};
use std::time::Instant;

const THREADS: u64 = 4;
const ROUNDS: u64 = 200_000;

fn main() -> Result<()> {
    let end = dom0_programs::deadline()?;
    let done: Result<Vec<u64>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=THREADS).map(|seed| scope.spawn(move || work(seed, end))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread died"))).collect()
    });
    println!("ok avx: {} rounds in {THREADS} threads", done?.iter().sum::<u64>());
    Ok(())
}

fn work(seed: u64, end: Instant) -> Result<u64> {
    let mut lanes = [0u32; 64];
    let mut rounds = 0;
    while Instant::now() < end {
        let start = u32::try_from(seed * 1000 + rounds % 1000)?;
        for (lane, number) in lanes.iter_mut().zip(0..) {
            *lane = start + number;
        }
        let expected: Vec<u32> = lanes.iter().map(|&lane| alone(lane)).collect();
        together(&mut lanes);
        if lanes[..] != expected[..] {
            bail!("thread {seed}: vector registers hold {lanes:?}, not {expected:?}");
        }
        rounds += 1;
    }
    Ok(rounds)
}

/// Eight vector registers' worth of numbers, stepped in lock-step: the compiler keeps them in ymm registers.
#[inline(never)]
fn together(lanes: &mut [u32; 64]) {
    let mut own = *lanes;
    for _ in 0..ROUNDS {
        for lane in &mut own {
            *lane = step(*lane);
        }
    }
    *lanes = own;
}

/// The same for one number; its period lets us get there in few steps.
#[inline(never)]
fn alone(mut lane: u32) -> u32 {
    for _ in 0..ROUNDS {
        lane = std::hint::black_box(step(lane));
    }
    lane
}

fn step(lane: u32) -> u32 {
    lane.rotate_left(5) ^ lane.wrapping_add(0x9e37_79b9)
}
