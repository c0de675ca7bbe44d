// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Start and event loop.

use super::hub::Hub;
use super::journal::Journal;
use super::log::Log;
use super::options::Options;
use super::peer::{Link, Page, Peer};
use super::record::Progress;
use super::ring::Ring;
use super::xen::{Xen, failed};
use super::{detach, restore, socket};
use crate::quota::Limits;
use crate::store::{ConnId, Store};
use clap::Parser;
use hypercalls::ids::{DomId, Port};
use hypercalls::io::xs_wire::XsMessageType;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use xenstore::Message;

const EVENTS: u64 = 0;
const STOP: u64 = 1;
const REOPEN: u64 = 2;
/// Listeners from here on; clients are numbered by their connection after them.
const LISTENERS: u64 = 3;
const CLIENTS: u64 = 16;

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let options = Options::parse();
    let result = if options.foreground || options.background {
        run(&options)
    } else {
        detach::start().map_err(|error| failed("cannot start in the background", error))
    };
    result.unwrap_or_else(|why| {
        eprintln!("xenstored: {why}");
        ExitCode::FAILURE
    })
}

struct Daemon {
    hub: Hub,
    epoll: OwnedFd,
    listeners: Vec<UnixListener>,
    stop: UnixStream,
    reopen: UnixStream,
}

fn run(options: &Options) -> Result<ExitCode, String> {
    if options.background {
        detach::leave().map_err(|error| failed("cannot leave the session", error))?;
    }
    fs::create_dir_all(&options.state).map_err(|error| failed(&options.state.display().to_string(), error))?;
    let _lock = lock(&options.state)?;
    let log = options.log();
    let log = Log::open(log.as_deref()).map_err(|error| failed("the log", error))?;
    let mut daemon = Daemon::start(options, log)?;
    let pid = format!("{}\n", std::process::id());
    fs::write(&options.pid_file, pid).map_err(|error| failed(&options.pid_file.display().to_string(), error))?;
    if options.background {
        detach::ready().map_err(|error| failed("cannot tell that it runs", error))?;
    }
    let ended = daemon.serve();
    // It may be gone already; then there is nothing to tidy up.
    let _gone = fs::remove_file(&options.pid_file);
    ended.map(|()| ExitCode::SUCCESS).map_err(|error| failed("the event loop", error))
}

/// One server for each state; the kernel drops the lock with the process.
fn lock(folder: &Path) -> Result<File, String> {
    let path = folder.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| failed(&path.display().to_string(), error))?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
        rustix::io::Errno::AGAIN => format!("another xenstored runs with the state in {}", folder.display()),
        error => failed(&path.display().to_string(), error),
    })?;
    Ok(file)
}

/// Where to listen: where clients look.
fn socket_paths(options: &Options) -> Vec<PathBuf> {
    if let Some(path) = &options.socket {
        return vec![path.clone()];
    }
    let mut paths = vec![PathBuf::from("/run/xenstored/socket")];
    // Debian has a link there; elsewhere it may be the same folder mounted twice, one of its own, or missing.
    let identity = |path: &str| fs::metadata(path).ok().map(|data| (data.dev(), data.ino()));
    if identity("/run") != identity("/var/run") {
        paths.push("/var/run/xenstored/socket".into());
    }
    paths
}

impl Daemon {
    fn start(options: &Options, mut log: Log) -> Result<Self, String> {
        log.trace = options.trace;
        raise_file_limit(&mut log);
        let old = Journal::load(&options.state).map_err(|error| failed("the state of the last run", error))?;
        let is_new = old.is_none();
        if is_new && Journal::exists(&options.state) {
            log.line(format_args!("a state of before the last boot, or of another version, is not used"));
        }
        let (store, rings) = old.map_or_else(|| (Store::new(Limits::default()), BTreeMap::new()), restore::replay);
        let xen = if options.no_xen { None } else { Some(Xen::open()?) };
        let mut hub = Hub::new(store, log, xen);
        if is_new {
            first_nodes(&mut hub.store);
        }
        open_rings(&mut hub, rings).map_err(|why| match is_new {
            true => why,
            false => format!(
                "{why} (if another server has run since, this state is of no use: remove {})",
                options.state.join("state").display()
            ),
        })?;
        hub.look_for_dead();
        hub.keep(&options.state).map_err(|error| failed("the state", error))?;
        // Only now may anybody see what was done so far.
        hub.finish();
        let listeners = socket_paths(options).iter().map(|path| socket::listen(path)).collect::<Result<Vec<_>, _>>()?;
        let how = if is_new { "new" } else { "restored" };
        hub.log.line(format_args!("serves, pid {}, {how} store", std::process::id()));
        Self::watch(hub, listeners).map_err(|error| failed("the event loop", error))
    }

    fn watch(hub: Hub, listeners: Vec<UnixListener>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let signal = |signals: &[i32]| -> io::Result<UnixStream> {
            let (ours, theirs) = UnixStream::pair()?;
            ours.set_nonblocking(true)?;
            for signal in signals {
                signal_hook::low_level::pipe::register(*signal, theirs.try_clone()?)?;
            }
            Ok(ours)
        };
        let stop = signal(&[signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT])?;
        let reopen = signal(&[signal_hook::consts::SIGHUP])?;
        let add = |fd: &dyn AsFd, data: u64| {
            epoll::add(&epoll, fd.as_fd(), epoll::EventData::new_u64(data), epoll::EventFlags::IN)
        };
        add(&stop, STOP)?;
        add(&reopen, REOPEN)?;
        for (listener, number) in listeners.iter().zip(LISTENERS..CLIENTS) {
            add(listener, number)?;
        }
        if let Some(xen) = &hub.xen {
            add(&xen.events, EVENTS)?;
        }
        Ok(Self { hub, epoll, listeners, stop, reopen })
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(64);
        loop {
            let none = Timespec { tv_sec: 0, tv_nsec: 0 };
            let timeout = self.hub.is_busy().then_some(&none);
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let data = event.data;
                match data.u64() {
                    EVENTS => self.take_events(),
                    STOP => {
                        drain(&mut self.stop);
                        self.hub.finish();
                        self.hub.log.line(format_args!("stops; a new one goes on where this one was"));
                        return Ok(());
                    }
                    REOPEN => {
                        drain(&mut self.reopen);
                        self.hub.log.reopen();
                    }
                    number if number < CLIENTS => self.accept(number),
                    number => {
                        let id = ConnId(number.saturating_sub(CLIENTS));
                        // Copied: the struct is packed.
                        let flags = event.flags;
                        let closed = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
                        if flags.intersects(closed) {
                            self.hub.hang_up(id);
                        }
                        self.hub.wake(id);
                    }
                }
            }
            self.hub.turn();
            self.follow_blocked();
        }
    }

    /// Hears when there is room again for clients that do not read, and only for those.
    fn follow_blocked(&mut self) {
        for id in std::mem::take(&mut self.hub.blocked_changed) {
            let Some(peer) = self.hub.peers.get(&id) else { continue };
            let Link::Socket(stream) = &peer.link else { continue };
            if let Err(error) = epoll::modify(&self.epoll, stream, client_data(id), client_flags(peer.blocked)) {
                self.hub.log.domain(DomId::DOM0, format_args!("a local client may wait for ever: {error}"));
            }
        }
    }

    /// Lets local clients in.
    fn accept(&mut self, number: u64) {
        let index = usize::try_from(number.saturating_sub(LISTENERS)).unwrap_or(usize::MAX);
        let Some(listener) = self.listeners.get(index) else { return };
        loop {
            let stream = match socket::accept(listener) {
                Ok(Some(stream)) => stream,
                Ok(None) => return,
                Err(error) => {
                    self.hub.log.domain(DomId::DOM0, format_args!("a local client could not be let in: {error}"));
                    // Too many open files, most likely: do not spin until one is closed.
                    return std::thread::sleep(Duration::from_millis(5));
                }
            };
            let id = self.hub.store.connect();
            match epoll::add(&self.epoll, &stream, client_data(id), client_flags(false)) {
                Ok(()) => self.hub.add(id, Peer::new(Link::Socket(stream))),
                Err(error) => {
                    self.hub.store.disconnect(id);
                    self.hub.log.domain(DomId::DOM0, format_args!("a local client could not be let in: {error}"));
                }
            }
        }
    }

    /// Takes the events of channels.
    fn take_events(&mut self) {
        let Some(xen) = &self.hub.xen else { return };
        let virq = xen.virq;
        let ports = match xen.events.pending() {
            Ok(ports) => ports,
            Err(error) => {
                self.hub.log.line(format_args!("events were lost, looking at all rings: {error}"));
                xen.ports.keys().copied().chain([virq]).collect()
            }
        };
        for port in ports {
            self.take_event(port, virq);
        }
    }

    fn take_event(&mut self, port: Port, virq: Port) {
        let Some(xen) = &self.hub.xen else { return };
        if port == virq {
            // Unmasked first: whoever dies from now on is told of again.
            if let Err(error) = xen.events.unmask(&[port]) {
                self.hub.log.line(format_args!("the event of dead domains: {error}"));
            }
            return self.hub.look_for_dead();
        }
        let Some(id) = xen.ports.get(&port).copied() else { return };
        if let Some(own) = self.hub.peers.get_mut(&id).and_then(Peer::ring_mut) {
            own.masked = true;
        }
        self.hub.wake(id);
    }
}

fn client_data(id: ConnId) -> epoll::EventData {
    epoll::EventData::new_u64(id.0.saturating_add(CLIENTS))
}

fn client_flags(blocked: bool) -> epoll::EventFlags {
    let flags = epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
    if blocked { flags | epoll::EventFlags::OUT } else { flags }
}

fn drain(stream: &mut UnixStream) {
    let mut bytes = [0; 64];
    while stream.read(&mut bytes).is_ok_and(|got| got == bytes.len()) {}
}

/// Many local clients at once must not meet the default of 1024 files.
fn raise_file_limit(log: &mut Log) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        log.line(format_args!("the limit of open files stays as it is: {error}"));
    }
}

/// What is there before anybody asks for anything, as with Xen's. dom0's own name is up to its toolstack, which takes it as a sign that
/// it has been here before.
fn first_nodes(store: &mut Store) {
    let id = store.connect();
    // dom0 may write anywhere, and this is a valid name.
    let _written = store.handle(id, &Message::new(XsMessageType::WRITE, 0, 0, b"/tool/xenstored\0"));
    store.disconnect(id);
}

/// Opens the ring of dom0's kernel, and all that were open before.
fn open_rings(hub: &mut Hub, mut progress: BTreeMap<DomId, Progress>) -> Result<(), String> {
    if hub.xen.is_none() {
        return Ok(());
    }
    let own = Xen::own_ring()?;
    let id = hub.store.attach(DomId::DOM0, 0, own.port.raw());
    open_ring(hub, DomId::DOM0, id, Page::Own(own.page), own.port.raw(), progress.remove(&DomId::DOM0))
        .map_err(|why| format!("the ring of dom0's kernel: {why}"))?;
    let others: Vec<_> = hub.store.rings().filter(|ring| ring.domain != DomId::DOM0).collect();
    for ring in others {
        let Some(xen) = &hub.xen else { continue };
        let opened = xen.map(ring.domain, ring.frame).and_then(|page| {
            open_ring(hub, ring.domain, ring.connection, page, ring.port, progress.remove(&ring.domain))
        });
        if let Err(why) = opened {
            // Most likely it has died meanwhile; if not, only this one is without a store.
            hub.log.domain(ring.domain, format_args!("is not served any more: {why}"));
        }
    }
    Ok(())
}

fn open_ring(
    hub: &mut Hub,
    domain: DomId,
    id: ConnId,
    page: Page,
    remote: u32,
    progress: Option<Progress>,
) -> Result<(), String> {
    let port = match &mut hub.xen {
        Some(xen) => {
            let port = xen.bind(domain, remote)?;
            xen.ports.insert(port, id);
            Some(port)
        }
        None => None,
    };
    let peer = match progress {
        Some(progress) => restore::resume(domain, page, port, progress),
        None => Ring::open(page).map(|ring| Peer::of_ring(domain, ring, port)),
    };
    hub.add(id, peer.map_err(|why| why.to_string())?);
    // Whatever came while nobody listened made no event that is still there; and the other end may wait for one.
    let done = match (&hub.xen, port) {
        (Some(xen), Some(port)) => xen.events.notify(port),
        _ => Ok(()),
    };
    done.map_err(|error| failed("its event channel", error))
}
