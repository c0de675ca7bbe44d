// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp ADDRESS PORT` carries its input to that end of a connection and what comes back to its output, as `nc` does, but in
//! pieces that do not measure system calls: busybox's takes 64 KiB in sixty-four.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

/// Bytes moved at a time.
const PIECE: usize = 256 << 10;
/// How long nothing may come before the other end is given up.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, port] = words.as_slice() else {
        eprintln!("usage: tcp ADDRESS PORT");
        return ExitCode::from(2);
    };
    match carry(&format!("{address}:{port}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tcp: {address} port {port}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn carry(address: &str) -> io::Result<()> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    thread::scope(|scope| {
        let there = scope.spawn(|| {
            pour(&mut io::stdin().lock(), &mut &stream)?;
            stream.shutdown(Shutdown::Write)
        });
        pour(&mut &stream, &mut io::stdout().lock())?;
        // Who answered and closed before all was said has broken the pipe on purpose.
        match there.join() {
            Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    })
}

fn pour(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece)? {
            0 => return to.flush(),
            got => to.write_all(piece.get(..got).unwrap_or_default())?,
        }
    }
}
