// SPDX-License-Identifier: MIT OR Apache-2.0
//! `bulk make MIB` writes so much of what cannot be compressed or guessed; `bulk sum` tells a checksum of its input. Both are quick:
//! what is tested is the way that data takes, and in an emulated machine `/dev/urandom` and `md5sum` take most of the time.
#![forbid(unsafe_code)]

use std::hash::Hasher;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use twox_hash::XxHash64;

/// Bytes at a time.
const PIECE: usize = 1 << 20;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["make", mib] => match mib.parse() {
            Ok(mib) => make(mib),
            Err(_) => return usage(),
        },
        ["sum"] => sum(),
        _ => return usage(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bulk: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: bulk make MIB | bulk sum");
    ExitCode::from(2)
}

/// Writes `mib` MiB, the same each time.
fn make(mib: usize) -> io::Result<()> {
    let mut output = io::stdout().lock();
    // A generator of Marsaglia's (xorshift); any start but 0 will do.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut piece = Vec::with_capacity(PIECE);
    for _ in 0..mib {
        piece.clear();
        while piece.len() < PIECE {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            piece.extend_from_slice(&state.to_le_bytes());
        }
        output.write_all(&piece)?;
    }
    output.flush()
}

/// Prints the checksum of all input, and how many bytes it was.
fn sum() -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut hasher = XxHash64::with_seed(0);
    let mut piece = vec![0; PIECE];
    let mut bytes = 0_u64;
    loop {
        let count = input.read(&mut piece)?;
        if count == 0 {
            break;
        }
        hasher.write(piece.get(..count).unwrap_or_default());
        bytes = bytes.saturating_add(count as u64);
    }
    println!("{:016x}-{bytes}", hasher.finish());
    Ok(())
}
