// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The client: connects standard input and output with a guest's console.

use crate::terminal::RawTerminal;
use hypercalls::DomId;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use xen_control::{Control, ControlError};
use xenstore::client::{self, Client};

/// Which console, and by what it is found.
#[derive(Clone, Copy, Debug)]
pub struct Attachment<'a> {
    /// Tells whether the domain still exists.
    pub control: &'a Control,
    /// Tells where the console is.
    pub store: &'a Client,
    /// Whose console.
    pub domain: DomId,
    /// Which of its consoles; 0 is the one every PV guest has.
    pub number: u32,
    /// How long to wait for xenconsoled to offer it (again).
    pub wait: Duration,
}

/// Why [`Console::run`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Ctrl-] was typed.
    Left,
    /// The domain is gone; all it said was printed.
    DomainGone,
}

/// Why a console cannot be attached to.
#[derive(Debug)]
pub enum AttachError {
    /// The store fails.
    Store(client::Error),
    /// The hypervisor fails.
    Control(ControlError),
    /// There is no such domain.
    NoDomain,
    /// Nobody offers the console: the node that should say where it is.
    NotOffered(String),
    /// Somebody else has it.
    InUse(String),
    /// The console, or standard input or output: which, and why.
    Io(String, io::Error),
}

impl std::fmt::Display for AttachError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Control(error) => error.fmt(f),
            Self::NoDomain => f.write_str("there is no such domain; see 'xn list'"),
            Self::NotOffered(node) => write!(f, "{node} does not say where the console is; is xenconsoled running?"),
            Self::InUse(path) => {
                write!(f, "{path}: somebody else is attached to this console; end that first (Ctrl-])")
            }
            Self::Io(what, error) => write!(f, "{what}: {error}"),
        }
    }
}

impl std::error::Error for AttachError {}

impl From<client::Error> for AttachError {
    fn from(error: client::Error) -> Self {
        Self::Store(error)
    }
}

impl From<ControlError> for AttachError {
    fn from(error: ControlError) -> Self {
        Self::Control(error)
    }
}

/// Ctrl-]
const ESCAPE: u8 = 0x1d;
/// Typed bytes that wait for the guest to read; more are dropped, or Ctrl-] would not be seen.
const TYPED_MAX: usize = 64 * 1024;
/// How often to look after the domain although nothing was told.
const TICK: Duration = Duration::from_secs(1);
/// How long a domain that is gone may be silent until all it said must have come; a hang-up tells it sooner.
const SILENCE: Duration = Duration::from_secs(3);

/// An open console that is this process's alone. What the guest says waits until [`Console::run`].
#[derive(Debug)]
pub struct Console<'a> {
    what: Attachment<'a>,
    node: String,
    tty: Tty,
    _watches: Watches<'a>,
}

impl<'a> Console<'a> {
    /// Waits until xenconsoled offers the console, and opens it. A new domain's is offered before it first runs.
    ///
    /// # Errors
    /// As said there.
    pub fn open(what: Attachment<'a>) -> Result<Self, AttachError> {
        let node = what.node();
        let watches = Watches::new(what.store, &node)?;
        let tty = what.find(&node, None)?;
        Ok(Self { what, node, tty, _watches: watches })
    }

    /// Connects standard input and output with the console until Ctrl-] is typed or the domain is gone. A terminal is put
    /// into raw mode meanwhile: every key but Ctrl-] is the guest's. The end of the input ends nothing.
    ///
    /// # Errors
    /// As said there.
    pub fn run(self) -> Result<Ended, AttachError> {
        let Self { what, node, tty, _watches } = self;
        what.run(&node, tty)
    }
}

/// The watches of a client; ended when dropped.
#[derive(Debug)]
struct Watches<'a> {
    store: &'a Client,
    node: String,
}

impl<'a> Watches<'a> {
    fn new(store: &'a Client, node: &str) -> Result<Self, client::Error> {
        store.watch(RELEASE, TOKEN)?;
        let watches = Self { store, node: node.to_owned() };
        store.watch(node, TOKEN)?;
        Ok(watches)
    }
}

impl Drop for Watches<'_> {
    fn drop(&mut self) {
        // Whatever these say, the client is done; a lost store has no watches.
        for path in [RELEASE, &self.node] {
            self.store.unwatch(path, TOKEN).ok();
        }
    }
}

const RELEASE: &str = "@releaseDomain";
const TOKEN: &str = "xn-console";

/// An open pseudo-terminal.
#[derive(Debug)]
struct Tty {
    fd: OwnedFd,
    path: String,
}

/// What happened on one descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    More,
    Escape,
    End,
}

impl Attachment<'_> {
    fn node(&self) -> String {
        let home = format!("/local/domain/{}", self.domain.raw());
        match self.number {
            0 => format!("{home}/console/tty"),
            number => format!("{home}/device/console/{number}/tty"),
        }
    }

    fn is_gone(&self) -> Result<bool, AttachError> {
        Ok(self.control.domain_info(self.domain)?.is_none_or(|domain| domain.dying))
    }

    /// Waits for the console and opens it; `after` is one that has hung up.
    fn find(&self, node: &str, after: Option<&str>) -> Result<Tty, AttachError> {
        let deadline = Instant::now() + self.wait;
        // A console that hung up may leave a path behind which is by now somebody else's terminal: only news count.
        let mut news = after.is_none();
        loop {
            if news
                && let Some(path) = self.store.find_text(node)?.filter(|path| !path.is_empty())
                && let Some(tty) = open(path)?
            {
                return Ok(tty);
            }
            if self.is_gone()? {
                return Err(AttachError::NoDomain);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(AttachError::NotOffered(node.to_owned()));
            }
            if let Some(event) = self.store.next_event(Some(left.min(TICK)))? {
                news |= event.path == node;
            }
        }
    }

    fn run(&self, node: &str, tty: Tty) -> Result<Ended, AttachError> {
        let stdin = io::stdin();
        let raw = RawTerminal::new(&stdin).map_err(|error| AttachError::Io("standard input".into(), error))?;
        let mut session = Session { tty, typed: Vec::new(), input: true };
        let mut gone = None;
        let store_fd = self.store.poll_fd()?;
        loop {
            let (heard, [input, console, store]) = session.wait(&stdin, &store_fd)?;
            if input && session.take_input(&stdin)? == Flow::Escape {
                return Ok(Ended::Left);
            }
            if console && session.carry()? == Flow::End {
                if gone.is_some() || self.is_gone()? {
                    return Ok(Ended::DomainGone);
                }
                if raw.is_terminal() {
                    eprint!("\r\n[xenconsoled went away; waiting for it]\r\n");
                }
                match self.find(node, Some(&session.tty.path)) {
                    Ok(tty) => session.tty = tty,
                    Err(AttachError::NoDomain) => return Ok(Ended::DomainGone),
                    Err(error) => return Err(error),
                }
            }
            if store {
                while self.store.next_event(Some(Duration::ZERO))?.is_some() {}
            }
            if (store || !heard) && gone.is_none() && self.is_gone()? {
                gone = Some(Instant::now());
            }
            match &mut gone {
                Some(since) if console => *since = Instant::now(),
                Some(since) if since.elapsed() > SILENCE => return Ok(Ended::DomainGone),
                _ => {}
            }
        }
    }
}

/// Opens a console for this process alone; `None` if it is not there (any more).
fn open(path: String) -> Result<Option<Tty>, AttachError> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = match rustix::fs::open(path.as_str(), flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::NOENT | Errno::IO | Errno::NXIO) => return Ok(None),
        Err(error) => return Err(AttachError::Io(path, error.into())),
    };
    match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Tty { fd, path })),
        Err(Errno::WOULDBLOCK) => Err(AttachError::InUse(path)),
        Err(error) => Err(AttachError::Io(path, error.into())),
    }
}

struct Session {
    tty: Tty,
    /// Typed, not yet taken by the guest.
    typed: Vec<u8>,
    /// Whether there may be more input.
    input: bool,
}

impl Session {
    /// Waits; whether anything happened, and on which of input, console, store.
    fn wait(&self, stdin: &io::Stdin, store: &OwnedFd) -> Result<(bool, [bool; 3]), AttachError> {
        let failed = |error: io::Error| AttachError::Io("waiting".into(), error);
        let mut console = PollFlags::IN;
        console.set(PollFlags::OUT, !self.typed.is_empty());
        let mut fds = vec![PollFd::new(&self.tty.fd, console), PollFd::new(store, PollFlags::IN)];
        if self.input {
            fds.push(PollFd::new(stdin, PollFlags::IN));
        }
        let tick = Timespec::try_from(TICK).map_err(|error| failed(io::Error::other(error)))?;
        match poll(&mut fds, Some(&tick)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(failed(error.into())),
        }
        let happened = |n: usize| fds.get(n).is_some_and(|fd| !fd.revents().is_empty());
        let which = [happened(2), happened(0), happened(1)];
        Ok((which.contains(&true), which))
    }

    fn take_input(&mut self, stdin: &io::Stdin) -> Result<Flow, AttachError> {
        let mut bytes = [0; 4096];
        let count = match rustix::io::read(stdin, &mut bytes) {
            Ok(count) => count,
            Err(Errno::INTR | Errno::AGAIN) => return Ok(Flow::More),
            Err(error) => return Err(AttachError::Io("standard input".into(), error.into())),
        };
        if count == 0 {
            self.input = false;
            return Ok(Flow::End);
        }
        let read = bytes.get(..count).unwrap_or_default();
        let escape = read.iter().position(|byte| *byte == ESCAPE);
        let wanted = read.get(..escape.unwrap_or(count)).unwrap_or_default();
        let room = TYPED_MAX.saturating_sub(self.typed.len());
        self.typed.extend(wanted.iter().take(room));
        if escape.is_none() {
            return Ok(Flow::More);
        }
        self.send()?;
        Ok(Flow::Escape)
    }

    /// Copies both ways once.
    fn carry(&mut self) -> Result<Flow, AttachError> {
        if self.send()? == Flow::End {
            return Ok(Flow::End);
        }
        let mut bytes = [0; 4096];
        match rustix::io::read(&self.tty.fd, &mut bytes) {
            Ok(0) | Err(Errno::IO) => Ok(Flow::End),
            Ok(count) => {
                let mut stdout = io::stdout().lock();
                let written = stdout.write_all(bytes.get(..count).unwrap_or_default()).and_then(|()| stdout.flush());
                written.map_err(|error| AttachError::Io("standard output".into(), error))?;
                Ok(Flow::More)
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(Flow::More),
            Err(error) => Err(AttachError::Io(self.tty.path.clone(), error.into())),
        }
    }

    fn send(&mut self) -> Result<Flow, AttachError> {
        if self.typed.is_empty() {
            return Ok(Flow::More);
        }
        match rustix::io::write(&self.tty.fd, &self.typed) {
            Ok(count) => {
                self.typed.drain(..count.min(self.typed.len()));
                Ok(Flow::More)
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(Flow::More),
            Err(Errno::IO) => Ok(Flow::End),
            Err(error) => Err(AttachError::Io(self.tty.path.clone(), error.into())),
        }
    }
}
