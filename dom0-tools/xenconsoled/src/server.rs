// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The daemon's loop: which domains there are, and a turn for each that has something.

use crate::backlog::Backlog;
use crate::connection::{Connection, Place};
use crate::daemon::say;
use crate::guest::Guest;
use crate::hypervisor_log::HypervisorLog;
use crate::log::{Log, Rotation};
use crate::pty::Pty;
use hypercalls::{DomId, Port, Virq};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use xen_control::{Control, DomainInfo};
use xen_sys::{EventChannels, Grants};
use xenstore::client::{self, Client};

/// How the daemon works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where logs go.
    pub log_directory: PathBuf,
    /// Bytes a log may have before it is rotated.
    pub log_size: u64,
    /// How many rotated logs are kept of each.
    pub log_keep: u32,
    /// How many unread bytes are kept for whoever attaches.
    pub backlog: usize,
    /// Whether the hypervisor's log is copied.
    pub hypervisor_log: bool,
    /// Where small state lies that a reboot may lose.
    pub state_directory: PathBuf,
    /// How long to wait for xenstored at the start.
    pub wait: Duration,
}

/// Why the daemon cannot work.
#[derive(Debug)]
pub struct StartError(String);

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

/// How often to try to reach a lost xenstored.
const RECONNECT: Duration = Duration::from_millis(200);
/// How often to look for domains although nothing was told, and for hypervisor text without an interrupt for it.
const TICK: Duration = Duration::from_secs(5);
const TICK_WITHOUT_VIRQ: Duration = Duration::from_secs(1);

const INTRODUCE: &str = "@introduceDomain";
const RELEASE: &str = "@releaseDomain";

/// The daemon.
#[derive(Debug)]
pub struct Server {
    options: Options,
    control: Control,
    channels: EventChannels,
    grants: Option<Grants>,
    /// Tells of openings of pseudo-terminals.
    notify: OwnedFd,
    store: Client,
    /// The store's connection to poll; `None` while it is lost.
    store_fd: Option<OwnedFd>,
    guests: BTreeMap<DomId, Guest>,
    /// Domains without a console (yet): watched, with the last thing said about them.
    waiting: BTreeMap<DomId, Option<String>>,
    hypervisor: Option<HypervisorLog>,
    hypervisor_port: Option<Port>,
    /// When the hypervisor's log was last copied, and the domains last looked at.
    copied: Instant,
    scanned: Instant,
}

impl Server {
    /// Opens everything, and connects to all guests there are.
    ///
    /// # Errors
    /// What is missing, and what to do.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let failed = |what: &str, error: &dyn std::fmt::Display| StartError(format!("{what}: {error}"));
        let control = Control::open().map_err(|error| StartError(error.to_string()))?;
        let channels = EventChannels::open()
            .map_err(|error| failed("/dev/xen/evtchn", &format!("{error}; load its driver (modprobe xen-evtchn)")))?;
        let grants = Grants::open().inspect_err(|error| {
            say(&format!("/dev/xen/gntdev: {error}; mapping consoles as foreign memory (modprobe xen-gntdev)"));
        });
        let notify = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)
            .map_err(|error| failed("inotify", &error))?;
        let store = Client::connect_within(options.wait)
            .and_then(|store| {
                store.watch(INTRODUCE, "introduce")?;
                store.watch(RELEASE, "release")?;
                Ok(store)
            })
            .map_err(|error| failed("the store", &format!("{error}; start xenstored first")))?;
        let store_fd = store.poll_fd().map_err(|error| failed("the store", &error))?;
        std::fs::create_dir_all(&options.state_directory)
            .map_err(|error| failed(&options.state_directory.display().to_string(), &error))?;
        let rotation = Rotation { size: options.log_size, keep: options.log_keep };
        let state = options.state_directory.join("hypervisor-log.next");
        let hypervisor = options.hypervisor_log.then(|| HypervisorLog::new(&options.log_directory, rotation, state));
        let mut server = Self {
            control,
            channels,
            grants: grants.ok(),
            notify,
            store,
            store_fd: Some(store_fd),
            guests: BTreeMap::new(),
            waiting: BTreeMap::new(),
            hypervisor,
            hypervisor_port: None,
            copied: Instant::now(),
            scanned: Instant::now(),
            options,
        };
        server.bind_hypervisor();
        server.scan();
        Ok(server)
    }

    fn bind_hypervisor(&mut self) {
        if self.hypervisor.is_some() {
            match self.channels.bind_virq(Virq::CON_RING) {
                Ok(port) => self.hypervisor_port = Some(port),
                Err(error) => say(&format!("VIRQ_CON_RING: {error}; looking at the hypervisor's log every second")),
            }
        }
        self.copy_hypervisor_log();
    }

    /// Serves for ever.
    ///
    /// # Errors
    /// Only if the kernel does not let it wait.
    pub fn run(mut self) -> io::Result<std::convert::Infallible> {
        loop {
            for (id, events) in self.wait()? {
                if let Some(guest) = self.guests.get_mut(&id) {
                    tell(guest.exchange(events, &self.channels));
                }
            }
            // After the hang-ups: somebody may have come since.
            self.take_openings();
            self.take_store_events();
            self.take_signals();
            for guest in self.guests.values_mut() {
                tell(guest.turn(&self.channels));
            }
            if self.scanned.elapsed() > TICK {
                self.scan();
            }
            self.close_ended();
        }
    }

    /// Waits until something happens; what did on the guests' pseudo-terminals.
    fn wait(&self) -> io::Result<Vec<(DomId, PollFlags)>> {
        let timeout = Timespec::try_from(self.patience()).map_err(io::Error::other)?;
        let mut fds = vec![PollFd::new(&self.channels, PollFlags::IN), PollFd::new(&self.notify, PollFlags::IN)];
        if let Some(store) = &self.store_fd {
            fds.push(PollFd::new(store, PollFlags::IN));
        }
        let fixed = fds.len();
        let attached: Vec<(&Guest, PollFlags)> =
            self.guests.values().filter_map(|guest| Some((guest, guest.interest()?))).collect();
        fds.extend(attached.iter().map(|(guest, flags)| PollFd::new(*guest, *flags)));
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ptys = fds.iter().skip(fixed).zip(&attached);
        let happened = ptys.map(|(fd, (guest, _))| (guest.id, fd.revents()));
        Ok(happened.filter(|(_, events)| !events.is_empty()).collect())
    }

    fn patience(&self) -> Duration {
        if self.guests.values().any(Guest::is_ready) {
            return Duration::ZERO;
        }
        let tick = match self.hypervisor {
            Some(_) if self.hypervisor_port.is_none() => TICK_WITHOUT_VIRQ,
            _ => TICK,
        };
        let store = if self.store_fd.is_none() { RECONNECT } else { tick };
        self.guests.values().filter_map(Guest::look_again).fold(store, Duration::min)
    }

    fn take_signals(&mut self) {
        match self.channels.pending() {
            Ok(ports) => {
                for port in ports {
                    self.signal(port);
                }
            }
            Err(error) => {
                // Signals were lost: look at everybody.
                say(&format!("event channels: {error}"));
                for guest in self.guests.values_mut() {
                    guest.set_ready();
                }
            }
        }
        if self.hypervisor_port.is_none() && self.copied.elapsed() > TICK_WITHOUT_VIRQ {
            self.copy_hypervisor_log();
        }
    }

    fn signal(&mut self, port: Port) {
        if self.hypervisor_port == Some(port) {
            // First, so that text which comes while we read signals again.
            tell(self.channels.unmask(&[port]).map_err(|error| format!("port {}: {error}", port.raw())));
            self.copy_hypervisor_log();
            return;
        }
        let owner =
            self.guests.values_mut().find(|guest| guest.connection().is_some_and(|connection| connection.port == port));
        if let Some(guest) = owner {
            guest.set_ready();
        }
    }

    fn copy_hypervisor_log(&mut self) {
        self.copied = Instant::now();
        let Some(log) = &mut self.hypervisor else { return };
        // A log that grows faster than it is copied signals again.
        if let Err(error) = log.copy(&self.control) {
            say(&error);
        }
    }

    fn take_openings(&mut self) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.notify, &mut buffer);
        while let Ok(event) = events.next() {
            let opened = event.events().contains(inotify::ReadFlags::OPEN);
            let guest = self.guests.values_mut().find(|guest| guest.pty.watch() == event.wd());
            if let Some(guest) = guest.filter(|_| opened) {
                guest.pty.set_attached();
            }
        }
    }

    fn take_store_events(&mut self) {
        if self.store_fd.is_none() && !self.find_store() {
            return;
        }
        let mut look = false;
        loop {
            match self.store.next_event(Some(Duration::ZERO)) {
                Ok(Some(_)) => look = true,
                Ok(None) => break,
                Err(error) => return self.lose_store(&error),
            }
        }
        if look {
            self.scan();
        }
    }

    fn lose_store(&mut self, error: &client::Error) {
        if self.store_fd.take().is_some() {
            say(&format!("the store: {error}; waiting for it to come back"));
        }
    }

    /// Tries to reach xenstored again.
    fn find_store(&mut self) -> bool {
        let found = self.store.reconnect(Duration::ZERO).and_then(|()| self.store.poll_fd());
        let Ok(fd) = found else { return false };
        self.store_fd = Some(fd);
        say("the store is back");
        for guest in self.guests.values() {
            tell(tell_tty(&self.store, guest.id, &guest.pty));
        }
        self.scan();
        true
    }

    /// Looks which domains there are and what has become of them.
    fn scan(&mut self) {
        self.scanned = Instant::now();
        let domains = match self.control.domains() {
            Ok(domains) => domains,
            Err(error) => return say(&error.to_string()),
        };
        let alive: BTreeMap<DomId, DomainInfo> = domains
            .into_iter()
            .filter(|domain| domain.id != DomId::DOM0 && !domain.dying)
            .map(|domain| (domain.id, domain))
            .collect();
        for guest in self.guests.values_mut() {
            if alive.get(&guest.id).is_none_or(|domain| domain.uuid != guest.uuid) {
                tell(guest.end(&self.channels));
            }
        }
        let gone: Vec<DomId> = self.waiting.keys().filter(|id| !alive.contains_key(id)).copied().collect();
        for id in gone {
            self.stop_waiting(id);
        }
        for domain in alive.values() {
            if let Err(error) = self.visit(domain) {
                if error.is_closed() {
                    return self.lose_store(&error);
                }
                say(&format!("domain {}: {error}", domain.id.raw()));
            }
        }
    }

    /// Connects to a domain whose console is not served yet, if it has one. A console never moves.
    fn visit(&mut self, domain: &DomainInfo) -> Result<(), client::Error> {
        if self.guests.contains_key(&domain.id) {
            // Served; or a new domain with an old number, whose turn comes when the old one's reader is done.
            return Ok(());
        }
        let Some(place) = Place::read(&self.store, domain.id)? else {
            return self.wait_for(domain.id, None);
        };
        let opened = Connection::open(&self.control, self.grants.as_ref(), &self.channels, domain.id, place);
        let connection = match opened {
            Ok(connection) => connection,
            Err(error) => return self.wait_for(domain.id, Some(error)),
        };
        // First, or what is written now would be told to us.
        self.stop_waiting(domain.id);
        self.admit(domain, connection)
    }

    fn admit(&mut self, domain: &DomainInfo, connection: Connection) -> Result<(), client::Error> {
        let name = self.store.find_text(&format!("/local/domain/{}/name", domain.id.raw()))?;
        let name = name.unwrap_or_else(|| format!("domain-{}", domain.id.raw()));
        let pty = match Pty::new(self.notify.as_fd()) {
            Ok(pty) => pty,
            Err(error) => return self.wait_for(domain.id, Some(format!("no pseudo-terminal: {error}"))),
        };
        let rotation = Rotation { size: self.options.log_size, keep: self.options.log_keep };
        let log = Log::of_guest(&self.options.log_directory, &name, rotation);
        let backlog = Backlog::new(self.options.backlog);
        let mut guest = Guest::new(domain.id, domain.uuid, name, connection, pty, log, backlog);
        // Before the builder is told that it may let the guest run.
        tell(guest.turn(&self.channels));
        let told = tell_tty(&self.store, domain.id, &guest.pty);
        self.guests.insert(domain.id, guest);
        tell(told);
        Ok(())
    }

    /// Hears when the domain's console nodes change; says what is wrong with them, once.
    fn wait_for(&mut self, id: DomId, wrong: Option<String>) -> Result<(), client::Error> {
        if !self.waiting.contains_key(&id) {
            self.store.watch(&console_path(id), "console")?;
        }
        let said = self.waiting.entry(id).or_default();
        if let Some(wrong) = wrong.filter(|wrong| said.as_ref() != Some(wrong)) {
            say(&format!("domain {}: {wrong}", id.raw()));
            *said = Some(wrong);
        }
        Ok(())
    }

    fn stop_waiting(&mut self, id: DomId) {
        if self.waiting.remove(&id).is_some() {
            // With a lost store the watch is gone anyway.
            self.store.unwatch(&console_path(id), "console").ok();
        }
    }

    fn close_ended(&mut self) {
        let now = Instant::now();
        let over: Vec<DomId> = self.guests.values().filter(|guest| guest.is_over(now)).map(|guest| guest.id).collect();
        for id in &over {
            if let Some(line) = self.guests.remove(id).and_then(|guest| guest.close(self.notify.as_fd())) {
                say(&line);
            }
        }
        if !over.is_empty() {
            // A new domain with the number of an old one waits for this.
            self.scan();
        }
    }
}

fn console_path(id: DomId) -> String {
    format!("/local/domain/{}/console", id.raw())
}

/// Tells everybody where the console is.
fn tell_tty(store: &Client, id: DomId, pty: &Pty) -> Result<(), String> {
    store.write(&format!("{}/tty", console_path(id)), pty.path()).map_err(|error| error.to_string())
}

fn tell(done: Result<(), String>) {
    if let Err(line) = done {
        say(&line);
    }
}
