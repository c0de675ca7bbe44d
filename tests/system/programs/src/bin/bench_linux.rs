// SPDX-License-Identifier: MIT OR Apache-2.0
//! `bench_linux PLACE [ROW]`: what common kernel operations cost, or one of them, as lines `bench ROW-PLACE UNIT VALUE`. Every row is
//! repeated for at least a fifth of a second.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, bail};
use memmap2::MmapMut;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use signal_hook::consts::SIGUSR1;
use std::hint::black_box;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const PAGE: usize = 4096;
const LEAST: Duration = Duration::from_millis(200);
/// Pages of a mapping whose first touch is measured: less than a huge page.
const FAULTS: u32 = 256;
/// Processes that one shell starts.
const FORKS: u32 = 20;

/// What a row is called, and what it costs.
type Row = (&'static str, fn() -> Result<Duration>);

const ROWS: [Row; 8] = [
    ("getpid", || each(1000, || keep(nix::unistd::getpid()))),
    ("clock_gettime", || each(1000, || keep(Instant::now()))),
    ("pipe", pipe),
    ("signal", signal),
    ("mmap-16-pages", || each(50, mmap)),
    ("page-fault", || Ok(each(1, faults)? / FAULTS)),
    ("fork-wait", || processes("( : )")),
    ("fork-exec", || processes("/bin/true")),
];

fn main() -> Result<()> {
    let place = std::env::args().nth(1).context("usage: bench_linux PLACE [ROW]")?;
    if place == "--echo" {
        return echo();
    }
    // Both ends of the pipe on one CPU: a switch each way, and no wake-up of another CPU, which would be a lottery.
    let mut cpu = CpuSet::new();
    cpu.set(0)?;
    sched_setaffinity(Pid::from_raw(0), &cpu)?;
    let wanted = std::env::args().nth(2);
    for (row, cost) in ROWS {
        if wanted.as_ref().is_none_or(|wanted| wanted == row) {
            println!("bench {row}-{place} us {:.4}", cost()?.as_secs_f64() * 1e6);
        }
    }
    Ok(())
}

/// Lets nobody leave out what makes `value`.
fn keep<T>(value: T) -> Result<()> {
    black_box(value);
    Ok(())
}

/// How long `what` takes, done in batches of `batch` until enough time has passed; the best of three such times, since
/// whatever comes between makes it longer.
fn each(batch: u32, mut what: impl FnMut() -> Result<()>) -> Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        let mut done = 0;
        while start.elapsed() < LEAST / 3 {
            for _ in 0..batch {
                what()?;
            }
            done += batch;
        }
        best = best.min(start.elapsed() / done);
    }
    Ok(best)
}

/// A byte to another process and back.
fn pipe() -> Result<Duration> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("--echo")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the other end")?;
    let mut to = child.stdin.take().context("a pipe")?;
    let mut from = child.stdout.take().context("a pipe")?;
    let mut byte = [1];
    let took = each(100, || {
        to.write_all(&byte)?;
        Ok(from.read_exact(&mut byte)?)
    })?;
    drop(to);
    if !child.wait()?.success() {
        bail!("the other end failed");
    }
    Ok(took)
}

/// The other end.
fn echo() -> Result<()> {
    let (mut from, mut to) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut byte = [0];
    while from.read(&mut byte)? == 1 {
        to.write_all(&byte)?;
        to.flush()?;
    }
    Ok(())
}

/// A signal to oneself, handled.
fn signal() -> Result<Duration> {
    let seen = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGUSR1, Arc::clone(&seen))?;
    each(100, || {
        signal_hook::low_level::raise(SIGUSR1)?;
        if seen.swap(false, Ordering::SeqCst) { Ok(()) } else { bail!("a signal was raised but not handled") }
    })
}

/// Sixteen pages mapped, written to and unmapped.
fn mmap() -> Result<()> {
    touch(16)
}

/// First touches. The mapping and its end are in it, shared by so many.
fn faults() -> Result<()> {
    touch(FAULTS as usize)
}

fn touch(pages: usize) -> Result<()> {
    let mut mapping = MmapMut::map_anon(pages * PAGE)?;
    for page in mapping.chunks_mut(PAGE) {
        page[0] = 1;
    }
    black_box(&mapping);
    Ok(())
}

/// One process of a shell that runs `what` again and again; its own start is not in it.
fn processes(what: &str) -> Result<Duration> {
    let shell = |count: u32| -> Result<()> {
        let script = format!("n=0; while [ $n -lt {count} ]; do {what}; n=$((n + 1)); done");
        let status = Command::new("/bin/sh").args(["-c", &script]).status().context("no /bin/sh")?;
        if status.success() { Ok(()) } else { bail!("the shell failed ({status})") }
    };
    let few = each(1, || shell(1))?;
    let many = each(1, || shell(FORKS + 1))?;
    Ok(many.saturating_sub(few) / FORKS)
}
