// SPDX-License-Identifier: MIT OR Apache-2.0
//! Disks, connections and consoles, measured; lines `bench ROW-PLACE UNIT VALUE`, all of them costs.
//!
//! - `disk PLACE DEVICE`: 64 MiB in one go, past the cache, written and read; single pages read at random. What was on it is lost.
//! - `serve PORT`: the other end of `tcp`.
//! - `tcp ADDRESS:PORT`: 64 MiB to there and from there, and bytes to and fro.
//! - `console ROW TTY`: bytes to a domain's console that come back.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, bail};
use memmap2::MmapMut;
use rustix::fs::OFlags;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;
const TOTAL: usize = 64 * MIB;
const PAGE: usize = 4096;
const LEAST: Duration = Duration::from_millis(400);

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["disk", place, device] => disk(place, device),
        ["serve", port] => serve(port.parse()?),
        ["tcp", address] => tcp(address),
        ["console", row, tty] => console(row, tty),
        _ => bail!("usage: bench_io disk PLACE DEVICE | serve PORT | tcp ADDRESS:PORT | console ROW TTY"),
    }
}

fn say(row: &str, unit: &str, value: f64) {
    println!("bench {row} {unit} {value:.3}");
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

/// What one of `what` takes, repeated until enough time has passed.
fn each(mut what: impl FnMut() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed() < LEAST {
        what()?;
        done += 1;
    }
    Ok(start.elapsed() / done)
}

fn disk(place: &str, device: &str) -> Result<()> {
    // Past the page cache, so buffers begin at pages, as mappings do.
    let direct = i32::try_from(OFlags::DIRECT.bits())?;
    let file: File = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(direct)
        .open(device)
        .with_context(|| format!("cannot open {device}"))?;
    let mut buffer = MmapMut::map_anon(MIB)?;
    buffer.fill(0xa5);
    let start = Instant::now();
    for at in (0..TOTAL).step_by(MIB) {
        file.write_all_at(&buffer, at as u64)?;
    }
    file.sync_data()?;
    say(&format!("disk-write-64M-{place}"), "ms", ms(start.elapsed()));
    let start = Instant::now();
    for at in (0..TOTAL).step_by(MIB) {
        buffer[0] = 0;
        file.read_exact_at(&mut buffer, at as u64)?;
        if buffer[0] != 0xa5 {
            bail!("{device} has something else at {at} than was written");
        }
    }
    say(&format!("disk-read-64M-{place}"), "ms", ms(start.elapsed()));
    let mut random = 0x1234_5678_9abc_def1;
    let took = each(|| {
        let page = usize::try_from(dom0_programs::next_random(&mut random))? % (TOTAL / PAGE);
        Ok(file.read_exact_at(&mut buffer[..PAGE], (page * PAGE) as u64)?)
    })?;
    say(&format!("disk-random-4K-{place}"), "us", ms(took) * 1e3);
    Ok(())
}

/// The first byte of a connection says what is wanted: to swallow, to give, to echo.
fn serve(port: u16) -> Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", port))?;
    for stream in listener.incoming() {
        let mut stream = stream?;
        let mut word = [0];
        stream.read_exact(&mut word)?;
        match word[0] {
            b's' => {
                let got = swallow(&mut stream)?;
                stream.write_all(&got.to_le_bytes())?;
            }
            b'g' => give(&mut stream)?,
            _ => {
                stream.set_nodelay(true)?;
                while stream.read(&mut word)? == 1 {
                    stream.write_all(&word)?;
                }
            }
        }
    }
    Ok(())
}

fn give(stream: &mut TcpStream) -> Result<()> {
    let piece = vec![0x5a; MIB / 4];
    for _ in 0..TOTAL / piece.len() {
        stream.write_all(&piece)?;
    }
    Ok(stream.shutdown(Shutdown::Write)?)
}

fn swallow(stream: &mut TcpStream) -> Result<usize> {
    let mut piece = vec![0; MIB / 4];
    let mut total = 0;
    loop {
        match stream.read(&mut piece)? {
            0 => return Ok(total),
            count => total += count,
        }
    }
}

fn tcp(address: &str) -> Result<()> {
    let open = |word: u8| -> Result<TcpStream> {
        let mut stream = TcpStream::connect(address).with_context(|| format!("cannot reach {address}"))?;
        stream.write_all(&[word])?;
        Ok(stream)
    };
    let mut stream = open(b's')?;
    let start = Instant::now();
    give(&mut stream)?;
    let mut got = [0; 8];
    stream.read_exact(&mut got)?;
    say("tcp-64M-dom0-to-domu", "ms", ms(start.elapsed()));
    if usize::from_le_bytes(got) != TOTAL {
        bail!("{} bytes of {TOTAL} arrived", usize::from_le_bytes(got));
    }
    let mut stream = open(b'g')?;
    let start = Instant::now();
    let got = swallow(&mut stream)?;
    say("tcp-64M-domu-to-dom0", "ms", ms(start.elapsed()));
    if got != TOTAL {
        bail!("{got} bytes of {TOTAL} arrived");
    }
    let mut stream = open(b'e')?;
    stream.set_nodelay(true)?;
    let mut byte = [1];
    let took = each(|| {
        stream.write_all(&byte)?;
        Ok(stream.read_exact(&mut byte)?)
    })?;
    say("tcp-byte-to-domu-and-back", "us", ms(took) * 1e3);
    Ok(())
}

/// A byte to a sleeping domain wakes it; it sends the byte back and sleeps again.
fn console(row: &str, tty: &str) -> Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(tty).with_context(|| format!("no {tty}"))?;
    let mut mode = tcgetattr(&file)?;
    mode.make_raw();
    tcsetattr(&file, OptionalActions::Now, &mode)?;
    // What it said before anybody listened ends where the first echo of this byte begins.
    let mut byte = [b'~'];
    file.write_all(&byte)?;
    byte[0] = 0;
    while byte[0] != b'~' {
        file.read_exact(&mut byte)?;
    }
    let took = each(|| {
        byte[0] = b'x';
        file.write_all(&byte)?;
        file.read_exact(&mut byte)?;
        if byte[0] == b'x' { Ok(()) } else { bail!("the domain sent {:#x}", byte[0]) }
    })?;
    say(row, "us", ms(took) * 1e3);
    Ok(())
}
