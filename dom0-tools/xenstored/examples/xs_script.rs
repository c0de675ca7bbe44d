// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sends raw requests to a server and prints what comes back, so that two servers can be compared: `xs_script SOCKET < script`.
//!
//! A line is `CONNECTION REQUEST TRANSACTION PAYLOAD`. A connection is opened when it is first named. `TRANSACTION` is a number, or the name
//! under which an earlier `TRANSACTION_START` line (which has that name in the place of the payload) keeps its own. In the payload `\0` is
//! a NUL, `\xNN` any byte and `{TEXT*N}` a repetition. Numbers that differ from run to run are not printed. A request may also be a
//! number, and `REQUEST` may be `events`: prints what came without having been asked for, or `close`. `N*REQUEST` asks N times, with the number in
//! the place of `%` in the payload, and prints how often the answer was no error, and the first error. `SOCKET` may also be
//! `/dev/xen/xenbus`, in a domain without a server.
#![forbid(unsafe_code)]

use hypercalls::io::xs_wire::XsMessageType as Op;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use xenstore::Message;

/// An answer comes within this time, or never.
const PATIENCE: Duration = Duration::from_secs(20);

enum Stream {
    Socket(UnixStream),
    Device(File),
}

impl Stream {
    fn read(&mut self, part: &mut [u8], patience: Duration) -> io::Result<usize> {
        match self {
            Self::Socket(socket) => socket.read(part),
            // Non-blocking: tried for as long as a socket waits.
            Self::Device(device) => {
                let until = Instant::now() + patience;
                loop {
                    match device.read(part) {
                        Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < until => {
                            std::thread::sleep(Duration::from_millis(1));
                        }
                        other => return other,
                    }
                }
            }
        }
    }
}

struct Connection {
    stream: Stream,
    bytes: Vec<u8>,
    last: u32,
    patience: Duration,
    events: Vec<String>,
}

impl Connection {
    fn open(path: &str) -> io::Result<Self> {
        let stream = if path.starts_with("/dev/") {
            let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
            Stream::Device(File::options().read(true).write(true).custom_flags(flags).open(path)?)
        } else {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Stream::Socket(stream)
        };
        Ok(Self { stream, bytes: Vec::new(), last: 0, patience: PATIENCE, events: Vec::new() })
    }

    /// What comes without having been asked for does so soon after the answer.
    fn receive_events(&mut self) {
        self.patience = Duration::from_millis(1500);
        if let Stream::Socket(socket) = &self.stream {
            socket.set_read_timeout(Some(self.patience)).expect("a timeout that is not zero");
        }
        while let Ok(message) = self.receive() {
            self.events.push(show(&message.payload));
        }
        self.patience = PATIENCE;
        if let Stream::Socket(socket) = &self.stream {
            socket.set_read_timeout(Some(self.patience)).expect("a timeout that is not zero");
        }
    }

    fn receive(&mut self) -> io::Result<Message> {
        loop {
            let taken = Message::decode(&self.bytes).map_err(|_| io::Error::from(ErrorKind::InvalidData))?;
            if let Some((message, used)) = taken {
                self.bytes.drain(..used);
                return Ok(message);
            }
            let mut part = [0; 8192];
            let got = self.stream.read(&mut part, self.patience)?;
            if got == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.bytes.extend_from_slice(&part[..got]);
        }
    }

    fn ask(&mut self, kind: Op, tx: u32, payload: &[u8]) -> io::Result<Message> {
        self.last += 1;
        let bytes = raw(kind, self.last, tx, payload);
        match &mut self.stream {
            Stream::Socket(socket) => socket.write_all(&bytes)?,
            Stream::Device(device) => {
                // The kernel sets watches itself, and answers for the server.
                if let Err(error) = device.write_all(&bytes) {
                    return Ok(Message::new(Op::ERROR, self.last, tx, format!("{:?}", error.kind()).as_bytes()));
                }
            }
        }
        loop {
            let message = self.receive()?;
            if message.kind == Op::WATCH_EVENT {
                self.events.push(show(&message.payload));
            } else {
                return Ok(message);
            }
        }
    }
}

/// Also what no [`Message`] could be: more than 4096 bytes.
fn raw(kind: Op, id: u32, tx: u32, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u32;
    let head = [kind.raw(), id, tx, len];
    head.iter().flat_map(|word| word.to_le_bytes()).chain(payload.iter().copied()).collect()
}

fn show(bytes: &[u8]) -> String {
    let text = bytes.escape_ascii().to_string().replace("\\x00", "\\0");
    if text.len() > 1000 { format!("{}...({} bytes)", &text[..60], bytes.len()) } else { text }
}

fn payload(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(hex) = rest.strip_prefix("\\x") {
            out.push(u8::from_str_radix(&hex[..2], 16).expect("two hexadecimal digits after \\x"));
            rest = &hex[2..];
        } else if let Some(after) = rest.strip_prefix("\\0") {
            out.push(0);
            rest = after;
        } else if let Some(inner) = rest.strip_prefix('{') {
            let (inner, after) = inner.split_once('}').expect("a closing brace");
            let (text, count) = inner.rsplit_once('*').expect("a count after *");
            out.extend(text.repeat(count.parse().expect("a number after *")).into_bytes());
            rest = after;
        } else {
            out.extend(first.to_string().into_bytes());
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

fn kind(name: &str) -> Op {
    let named = Op::NAMED.iter().find(|(own, _)| *own == name).map(|(_, kind)| *kind);
    named.unwrap_or_else(|| Op::new(name.parse().expect("the name or number of a request")))
}

fn main() -> io::Result<()> {
    let path = std::env::args().nth(1).expect("the path of the socket");
    let mut connections: HashMap<String, Connection> = HashMap::new();
    let mut transactions: HashMap<String, u32> = HashMap::new();
    for line in io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.splitn(4, ' ');
        let (name, request) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (tx, rest) = (words.next().unwrap_or("0"), words.next().unwrap_or_default());
        if !connections.contains_key(name) {
            connections.insert(name.to_owned(), Connection::open(&path)?);
        }
        let connection = connections.get_mut(name).expect("just made");
        if request == "close" {
            connections.remove(name);
            continue;
        }
        if request == "events" {
            connection.receive_events();
            println!("{line}\n    {:?}", std::mem::take(&mut connection.events));
            continue;
        }
        if let Some((count, request)) = request.split_once('*') {
            let tx_id = transactions.get(tx).copied().unwrap_or_else(|| tx.parse().unwrap_or(0xdead));
            let (count, kind) = (count.parse::<u32>().expect("a number before *"), kind(request));
            let (mut good, mut first) = (0, None);
            for n in 0..count {
                let answer = connection.ask(kind, tx_id, &payload(&rest.replace('%', &n.to_string())))?;
                if answer.kind != Op::ERROR {
                    good += 1;
                } else if first.is_none() {
                    first = Some((n, show(&answer.payload)));
                }
            }
            println!("{line}\n    {good} good, first error {first:?}");
            continue;
        }
        let tx_id = transactions.get(tx).copied().unwrap_or_else(|| tx.parse().unwrap_or(0xdead));
        let kind = kind(request);
        let named = kind == Op::TRANSACTION_START && !rest.is_empty() && !rest.contains('\\');
        let bytes = if named { vec![0] } else { payload(rest) };
        let shown = match connection.ask(kind, tx_id, &bytes) {
            Err(error) => {
                connections.remove(name);
                format!("connection: {:?}", error.kind())
            }
            Ok(answer) if answer.kind == Op::ERROR => format!("ERROR {}", show(&answer.payload)),
            Ok(answer) if kind == Op::TRANSACTION_START => {
                let id = String::from_utf8_lossy(&answer.payload).trim_end_matches('\0').parse().unwrap_or(0);
                transactions.insert(rest.to_owned(), id);
                "ID".to_owned()
            }
            Ok(answer) if kind == Op::DIRECTORY_PART => {
                let cut = answer.payload.iter().position(|byte| *byte == 0).unwrap_or(0);
                format!("GENERATION{}", show(&answer.payload[cut..]))
            }
            Ok(answer) => show(&answer.payload),
        };
        println!("{}\n    {shown}", if line.len() > 200 { &line[..200] } else { &line });
    }
    Ok(())
}
