// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn monitor`: one daemon for all domains. It hears from the store that domains end, carries out what their configuration says, and cleans up
//! after those that are gone. All it must know is on record, so it can be killed and started again at any time.

mod deeds;
mod log;
mod policy;

use crate::error::{At, Class, Failure};
use crate::guests::record::{Lock, Record, Records, in_folder};
use crate::guests::teardown;
use hypercalls::DomId;
use log::Log;
use policy::Deed;
use rustix::fs::FlockOperation;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use xen_control::Control;
use xenstore::client::Client;

const FOLDER: &str = "/run/xenolith";
const LOCK: &str = "/run/xenolith/monitor.lock";
/// How often to look although nothing was heard: for what was half made by somebody who was killed.
const IDLE: Duration = Duration::from_secs(30);
/// How long to wait for the server of the store before saying so.
const RETURN: Duration = Duration::from_secs(15);
const TOKEN: &str = "monitor";

/// Runs for ever. Returns at once if a monitor runs already.
pub(crate) fn run(in_background: bool) -> Result<(), Failure> {
    let Some(_lock) = lock()? else { return Ok(()) };
    if in_background {
        // Out of the session of whoever started it, so that it outlives their terminal.
        rustix::process::setsid().map_err(|error| Failure::new(Class::Failed, error)).at(|| "leave the session")?;
    }
    let log = Arc::new(Log::open()?);
    let control = Control::open().map_err(|error| Failure::new(Class::Service, error))?;
    let store = Client::connect_within(RETURN)?;
    store.watch("@releaseDomain", TOKEN)?;
    log.line("started");
    let mut records = Records::default();
    let mut idle = true;
    loop {
        if idle {
            // From the start, should a change ever have escaped.
            records = Records::default();
        }
        if let Err(failure) = look(&control, &mut records, &log) {
            log.line(format_args!("cannot look after the domains: {failure}"));
        }
        if idle && let Err(failure) = sweep(&control, &store, &log) {
            log.line(format_args!("cannot clean up what others left: {failure}"));
        }
        idle = !listen(&store, &log)?;
    }
}

/// Waits for news, and takes all there is at once; whether there was any.
fn listen(store: &Client, log: &Log) -> Result<bool, Failure> {
    let mut timeout = IDLE;
    loop {
        match store.next_event(Some(timeout)) {
            Ok(Some(_)) => timeout = Duration::ZERO,
            Ok(None) => return Ok(timeout.is_zero()),
            Err(error) if error.is_closed() => {
                log.line("xenstored is gone; waiting for it");
                while let Err(error) = store.reconnect(RETURN) {
                    if !error.is_closed() {
                        return Err(error.into());
                    }
                }
                log.line("xenstored is back");
                timeout = Duration::ZERO;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Looks at all domains on record, and starts a thread for each that needs something done. Those that somebody else works on are left to them.
fn look(control: &Control, records: &mut Records, log: &Arc<Log>) -> Result<(), Failure> {
    records.look()?;
    let domains = control.domains()?;
    for record in records.seen() {
        let info = domains.iter().find(|info| Some(info.id) == record.dom_id());
        if policy::decide(record, info) == Deed::Nothing {
            continue;
        }
        let Some(lock) = Lock::try_take(record.uuid)? else { continue };
        let (uuid, name, log) = (record.uuid, record.config.name.clone(), Arc::clone(log));
        thread::spawn(move || {
            if let Err(failure) = deeds::act(&lock, uuid, &log) {
                log.line(format_args!("{name}: {failure}"));
            }
        });
    }
    Ok(())
}

/// Removes what belongs to domains that neither exist nor are on record: their maker was killed, or dom0's kernel made nodes anew for a device that
/// was being removed.
fn sweep(control: &Control, store: &Client, log: &Log) -> Result<(), Failure> {
    let mut found = owners(store)?;
    if found.is_empty() {
        return Ok(());
    }
    // In this order: a record is written before anything of a domain is made, and removed after all of it is gone.
    let known: BTreeSet<_> = Record::all()?.iter().filter_map(Record::dom_id).collect();
    let alive: BTreeSet<_> = control.domains()?.iter().map(|info| info.id).collect();
    found.retain(|domain| !known.contains(domain) && !alive.contains(domain));
    if found.is_empty() {
        return Ok(());
    }
    // What was being removed is gone by now.
    let still = owners(store)?;
    for domain in found.intersection(&still) {
        log.line(format_args!("domain {}: removing what is left of it", domain.raw()));
        teardown::bury(store, *domain)?;
    }
    Ok(())
}

/// The domains that have anything in the store or in dom0's kernel.
fn owners(store: &Client) -> Result<BTreeSet<DomId>, Failure> {
    let mut found = host_devices::owners(store)?;
    let homes = store.nodes().list("/local/domain")?;
    found.extend(homes.iter().filter_map(|home| home.parse().ok()).map(DomId::new));
    Ok(found)
}

/// The monitor's lock, or `None` if a monitor holds it.
fn lock() -> Result<Option<File>, Failure> {
    let take = || -> io::Result<Option<File>> {
        let file = in_folder(FOLDER, || File::options().create(true).truncate(false).write(true).open(LOCK))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    };
    take().map_err(|error| Failure::new(Class::Failed, format!("{LOCK}: {error}")))
}

/// Starts the monitor if none runs. That two start it at once does no harm: one of them returns.
pub(crate) fn ensure() -> Result<(), Failure> {
    if lock()?.is_none() {
        return Ok(());
    }
    let start = || -> io::Result<()> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.args(["monitor", "--background"]).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(drop)
    };
    start().map_err(|error| {
        Failure::new(Class::Service, format!("cannot start the monitor: {error}")).remedy("start 'xn monitor' yourself")
    })
}
