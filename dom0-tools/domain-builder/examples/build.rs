// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Builds a domain from a configuration file, shows its console for a while, destroys it. No store, no devices: for work
//! on the builder itself. `build FILE SECONDS [OPTION=VALUE]...`; with 0 seconds it is not even started.

use std::error::Error;
use std::io::Write;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use domain_builder::config::{Source, parse};
use domain_builder::{Cache, Prepared};
use hypercalls::{DomId, Mfn};
use xen_control::Control;

fn main() {
    if let Err(error) = run() {
        eprintln!("build: {error}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: build FILE SECONDS [OPTION=VALUE]...")?;
    let seconds: u64 = arguments.next().ok_or("how many seconds?")?.parse()?;
    let settings = arguments.collect::<Vec<_>>().join("\n");
    let text = std::fs::read(&file)?;
    let sources = [Source { name: &file, text: &text }, Source { name: "command line", text: settings.as_bytes() }];
    let parsed = parse(&sources)?;
    parsed.warnings.iter().for_each(|warning| println!("warning: {warning}"));
    let control = Control::open()?;
    let free = control.host()?.free_pages;
    let cache = Cache::usual();
    let start = Instant::now();
    let mut last = None;
    let mut log = |progress| {
        // One line for each kind of progress.
        let kind = std::mem::discriminant(&progress);
        if last.replace(kind) != Some(kind) {
            println!("{:8.1?} {progress:?}", start.elapsed());
        }
        ControlFlow::Continue(())
    };
    let prepared = Prepared::new(&parsed.config, Some(&cache), &mut log)?;
    let origin = prepared.kernel_origin();
    let ready = start.elapsed();
    let domain = prepared.build(&control, &mut log)?;
    println!("built {:?}: prepared in {ready:?} ({origin:?}), all in {:?}", domain.built(), start.elapsed());
    if seconds > 0 {
        control.unpause(domain.domid())?;
        show(&control, domain.domid(), domain.built().console.mfn, Duration::from_secs(seconds))?;
    }
    let start = Instant::now();
    domain.destroy()?;
    let gone = start.elapsed();
    println!("destroyed in {gone:?}; free pages before {free}, after {}", control.host()?.free_pages);
    Ok(())
}

/// Copies the guest's side of the console ring to standard output until the time is over or the guest ends.
fn show(control: &Control, domid: DomId, ring: Mfn, time: Duration) -> Result<(), Box<dyn Error>> {
    /// Offsets in `xencons_interface`, and the room of its `out`.
    const OUT: usize = 0x400;
    const OUT_CONS: usize = 0xc08;
    const OUT_PROD: usize = 0xc0c;
    const ROOM: u32 = 2048;
    let page = control.map(domid, &[ring], true)?;
    let end = Instant::now() + time;
    loop {
        let producer = page.load_u32(OUT_PROD)?;
        let mut consumer = page.load_u32(OUT_CONS)?;
        let mut text = Vec::new();
        while consumer != producer && text.len() < ROOM as usize {
            let mut byte = [0];
            page.read(OUT + (consumer % ROOM) as usize, &mut byte)?;
            text.extend(byte);
            consumer = consumer.wrapping_add(1);
        }
        page.store_u32(OUT_CONS, consumer)?;
        std::io::stdout().write_all(&text)?;
        std::io::stdout().flush()?;
        let info = control.domain_info(domid)?.ok_or("the domain is gone")?;
        if text.is_empty() && (info.shutdown.is_some() || Instant::now() > end) {
            println!("\nended: shutdown {:?}, ran {} ms", info.shutdown, info.cpu_time_ns / 1_000_000);
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
