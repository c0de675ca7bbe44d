// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! One guest's console: ring to log and reader, keyboard to ring.

use crate::backlog::Backlog;
use crate::connection::Connection;
use crate::log::Log;
use crate::pty::{Progress, Pty};
use crate::ring::{self, Fault};
use hypercalls::DomId;
use rustix::event::PollFlags;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};
use xen_sys::EventChannels;

/// Bytes written to a reader in one turn.
const WRITE_BUDGET: usize = 4096;
/// Rings emptied when a guest has ended: its vCPUs are gone, so one is enough; the second shows that it was.
const LAST_TURNS: usize = 2;
/// How long the words of a guest that ended wait for somebody to attach.
const LINGER_ALONE: Duration = Duration::from_secs(2);
/// How long they wait for an attached reader who does not read.
const LINGER_ATTACHED: Duration = Duration::from_secs(5);
/// How often to look whether the reader has read all.
const LINGER_LOOK: Duration = Duration::from_millis(50);

/// A guest with a console.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) id: DomId,
    /// Tells it from a later domain with the same number.
    pub(crate) uuid: [u8; 16],
    pub(crate) name: String,
    connection: Option<Connection>,
    pub(crate) pty: Pty,
    log: Log,
    backlog: Backlog,
    /// The ring may hold something; its port is masked.
    ready: bool,
    /// Lies told: the first ends the service of that ring, the second comes from the other one.
    refused: u64,
    ended: Option<Instant>,
    /// When the reader last took something, or when the guest ended.
    progress: Instant,
}

impl Guest {
    /// A guest that was just connected. What it wrote before is taken in the first turn.
    pub(crate) fn new(
        id: DomId,
        uuid: [u8; 16],
        name: String,
        connection: Connection,
        pty: Pty,
        log: Log,
        backlog: Backlog,
    ) -> Self {
        let connection = Some(connection);
        let progress = Instant::now();
        Self { id, uuid, name, connection, pty, log, backlog, ready: true, refused: 0, ended: None, progress }
    }

    /// The line a message about it starts with.
    fn title(&self) -> String {
        format!("domain {} ({})", self.id.raw(), self.name)
    }

    pub(crate) fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// Its port signalled. One that lied is not listened to.
    pub(crate) fn set_ready(&mut self) {
        self.ready = self.refused == 0;
    }

    /// Whether a turn has something to do.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready && self.connection.is_some()
    }

    /// Empties its ring once, and lets it signal again if that was all. What goes wrong with it is its own affair: a line
    /// for the daemon's log.
    pub(crate) fn turn(&mut self, channels: &EventChannels) -> Result<(), String> {
        if !self.is_ready() {
            return Ok(());
        }
        let (told, more) = self.take();
        let Some(connection) = &self.connection else { return told };
        let channel = if more {
            // There is room again.
            channels.notify(connection.port)
        } else {
            self.ready = false;
            // A guest that lies stays masked.
            if told.is_ok() || self.refused == 0 { channels.unmask(&[connection.port]) } else { Ok(()) }
        };
        channel.map_err(|error| format!("{}: port {}: {error}", self.title(), connection.port.raw()))?;
        told
    }

    /// Takes what is in the ring; whether there was anything.
    fn take(&mut self) -> (Result<(), String>, bool) {
        let Some(connection) = &self.connection else { return (Ok(()), false) };
        match ring::take_output(&connection.page) {
            Ok(bytes) => {
                self.backlog.add(&bytes);
                let told = self.log.append(&bytes);
                let path = self.log.path().display();
                (told.map_err(|error| format!("{path}: {error}; text is lost until this works")), !bytes.is_empty())
            }
            Err(fault) => (Err(self.refuse(fault)), false),
        }
    }

    fn refuse(&mut self, fault: Fault) -> String {
        self.refused += 1;
        format!("{}: {fault}; its console is not served any more (refusal {})", self.title(), self.refused)
    }

    /// What to wait for on its pseudo-terminal; `None` if nothing can happen there.
    pub(crate) fn interest(&self) -> Option<PollFlags> {
        if !self.pty.is_attached() {
            return None;
        }
        let room = self.connection.as_ref().is_some_and(|connection| {
            self.refused == 0 && ring::input_room(&connection.page).is_ok_and(|room| room > 0)
        });
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, room);
        flags.set(PollFlags::OUT, !self.backlog.is_empty());
        Some(flags)
    }

    /// Carries bytes between its pseudo-terminal and its ring; `events` is what the kernel says of the former.
    pub(crate) fn exchange(&mut self, events: PollFlags, channels: &EventChannels) -> Result<(), String> {
        let typed = self.typed(channels);
        if events.contains(PollFlags::HUP) {
            self.pty.set_detached();
        }
        let shown = self.show().map_err(|error| format!("{}: {}: {error}", self.title(), self.pty.path()));
        typed.and(shown)
    }

    fn show(&mut self) -> io::Result<()> {
        let mut left = WRITE_BUDGET;
        while left > 0 && !self.backlog.is_empty() && self.pty.is_attached() {
            let front = self.backlog.front();
            let some = front.get(..left).unwrap_or(front);
            match self.pty.write(some)? {
                Progress::Bytes(count) => {
                    self.backlog.remove(count);
                    left -= count.min(left);
                    self.progress = Instant::now();
                }
                Progress::Later | Progress::Detached => break,
            }
        }
        Ok(())
    }

    fn typed(&mut self, channels: &EventChannels) -> Result<(), String> {
        let Some(connection) = &self.connection else { return Ok(()) };
        if !self.pty.is_attached() || self.refused > 0 {
            return Ok(());
        }
        let mut bytes = [0; 1024];
        let room = match ring::input_room(&connection.page) {
            Ok(room) => room,
            Err(fault) => return Err(self.refuse(fault)),
        };
        let into = bytes.get_mut(..room).unwrap_or_default();
        if into.is_empty() {
            return Ok(());
        }
        let failed = |error: io::Error| format!("domain {}: input: {error}", self.id.raw());
        let Progress::Bytes(count) = self.pty.read(into).map_err(failed)? else { return Ok(()) };
        let read = bytes.get(..count).unwrap_or_default();
        match ring::give_input(&connection.page, read) {
            Ok(_) => channels.notify(connection.port).map_err(failed),
            Err(fault) => Err(self.refuse(fault)),
        }
    }

    /// The domain is gone, or about to: takes its last words and lets go of its memory.
    pub(crate) fn end(&mut self, channels: &EventChannels) -> Result<(), String> {
        if self.ended.is_some() {
            return Ok(());
        }
        self.progress = Instant::now();
        self.ended = Some(self.progress);
        let mut told = Ok(());
        for _ in 0..LAST_TURNS {
            if self.refused > 0 {
                break;
            }
            let (one, more) = self.take();
            told = told.and(one);
            if !more {
                break;
            }
        }
        if let Some(connection) = self.connection.take() {
            // The kernel refuses only ports it does not know.
            let unbound = channels.unbind(connection.port);
            told = told.and(unbound.map_err(|error| format!("{}: unbind: {error}", self.title())));
        }
        told
    }

    /// When to look again whether an ended guest's reader is done.
    pub(crate) fn look_again(&self) -> Option<Duration> {
        self.ended.map(|_| LINGER_LOOK)
    }

    /// Whether it has ended and nobody waits for its words any more.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let Some(ended) = self.ended else { return false };
        let quiet = now.saturating_duration_since(self.progress);
        if !self.pty.is_attached() {
            return self.backlog.is_empty() || now.saturating_duration_since(ended) > LINGER_ALONE;
        }
        let read_all =
            self.backlog.is_empty() && quiet > LINGER_LOOK && self.pty.unread().is_ok_and(|bytes| bytes == 0);
        read_all || quiet > LINGER_ATTACHED
    }

    /// A last line about it, if there is something to say; the pseudo-terminal closes.
    pub(crate) fn close(self, notify: BorrowedFd<'_>) -> Option<String> {
        let (dropped, lost) = (self.backlog.dropped(), self.log.lost());
        let line = (lost > 0 || self.refused > 0).then(|| {
            let refused = self.refused;
            format!("{}: ended; {lost} bytes not logged, {dropped} not shown, {refused} refusals", self.title())
        });
        self.pty.close(notify);
        line
    }
}

impl AsFd for Guest {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pty.as_fd()
    }
}
