// SPDX-License-Identifier: MIT OR Apache-2.0
//! Carrying out what was decided for one domain, under its lock.

use super::log::Log;
use super::policy::{self, Deed, Pace};
use crate::domain::reason;
use crate::error::{At, Class, Failure};
use crate::guests::creation::{Ready, Wish};
use crate::guests::devices::PATIENCE;
use crate::guests::record::{self, Lock, Phase, Record};
use crate::guests::signals::Cancel;
use crate::guests::{names, nodes, teardown};
use domain_builder::config::Uuid;
use host_devices::Deadline;
use hypercalls::DomId;
use std::thread;
use std::time::Duration;
use xen_control::{Control, DomainInfo};
use xenstore::client::{Client, Error as StoreError};

/// How long a server of the store that was killed is waited for.
const RETURN: Duration = Duration::from_secs(15);

/// Decides again, now that the lock is held, and does it.
pub(super) fn act(lock: &Lock, uuid: Uuid, log: &Log) -> Result<(), Failure> {
    let Some(mut record) = Record::load(uuid)? else { return Ok(()) };
    let control = Control::open()?;
    let store = Client::connect_within(RETURN)?;
    let info = match record.dom_id() {
        Some(domain) => control.domain_info(domain)?,
        None => None,
    };
    let deed = policy::decide(&record, info.as_ref());
    if deed == Deed::Nothing {
        return Ok(());
    }
    let what = describe(&record, info.as_ref());
    if let Some(domain) = record.dom_id()
        && let Some(name) =
            store.persist(RETURN, |store| store.nodes().find_text(&format!("{}/name", nodes::home(domain))))?
    {
        // It may have been renamed; that is its name from now on.
        record.config.name = name;
    }
    match deed {
        Deed::Nothing => Ok(()),
        Deed::CleanUp => {
            log.line(format_args!("{what}; removing what is left of it"));
            take_down(&control, &store, &record)?;
            if let Some(domain) = record.dom_id() {
                // Those that its maker had no time to write into the store.
                host_devices::release_loops(domain, Deadline::after(PATIENCE)).at(|| "free loop devices")?;
            }
            record::forget(uuid)
        }
        Deed::Destroy => {
            log.line(format_args!("{what}: destroying it"));
            take_down(&control, &store, &record)?;
            record::forget(uuid)
        }
        Deed::Preserve => {
            log.line(format_args!("{what}: preserving it"));
            record.phase = Phase::Preserved;
            record.save()
        }
        Deed::RenameRestart => {
            let kept = set_aside(&control, &store, &record)?;
            log.line(format_args!("{what}: kept as {kept}"));
            record.domid = None;
            restart(lock, &control, &store, record, log)
        }
        Deed::Restart => {
            log.line(format_args!("{what}: restarting it"));
            restart(lock, &control, &store, record, log)
        }
    }
}

fn describe(record: &Record, info: Option<&DomainInfo>) -> String {
    let name = &record.config.name;
    let id = record.domid.map_or_else(String::new, |id| format!(" ({id})"));
    match (info.and_then(|info| info.shutdown), record.phase) {
        (_, Phase::Creating) => format!("{name}{id}: was being created by somebody who is gone"),
        (_, Phase::Restarting) => format!("{name}{id}: was being restarted"),
        (Some(why), _) => format!("{name}{id}: ended ({})", reason(why)),
        (None, _) => format!("{name}{id}: is gone"),
    }
}

fn take_down(control: &Control, store: &Client, record: &Record) -> Result<(), Failure> {
    match record.dom_id() {
        Some(domain) => teardown::end(control, store, domain, record.uuid),
        None => Ok(()),
    }
}

/// Takes the domain down and makes it anew, later the more often it ended at once.
fn restart(lock: &Lock, control: &Control, store: &Client, mut record: Record, log: &Log) -> Result<(), Failure> {
    let pace = policy::pace(&record, record::now());
    // From here on it is to be restarted, whoever has to do it.
    record.phase = Phase::Restarting;
    record.save()?;
    take_down(control, store, &record)?;
    let (delay, short_runs) = match pace {
        Pace::After(delay, short_runs) => (delay, short_runs),
        Pace::GiveUp => {
            let runs = record.short_runs.saturating_add(1);
            log.line(format_args!(
                "{}: ended {runs} times in a row within seconds of its start; not restarted any more: see its console's log, \
                 correct it, and create it again",
                record.config.name
            ));
            return record::forget(record.uuid);
        }
    };
    record.domid = None;
    record.short_runs = short_runs;
    record.save()?;
    if !delay.is_zero() {
        log.line(format_args!("{}: restarting it in {} s, as it ended so soon", record.config.name, delay.as_secs()));
        thread::sleep(delay);
    }
    if Record::load(record.uuid)?.is_none() {
        log.line(format_args!("{}: not restarted: destroyed meanwhile", record.config.name));
        return Ok(());
    }
    let cancel = Cancel::default();
    let made = Ready::check(&record.config, store, &cancel)
        .and_then(|ready| ready.make(control, store, lock, Wish { monitored: record.monitored, short_runs }, &cancel));
    match made {
        Ok(built) => {
            control.unpause(built.domid)?;
            log.line(format_args!("{}: runs again as domain {}", record.config.name, built.domid.raw()));
            Ok(())
        }
        Err(failure) => {
            record::forget(record.uuid)?;
            Err(failure.at("restart"))
        }
    }
}

/// Keeps a dead domain under another name and UUID, without its devices, which its successor needs. Its new name.
fn set_aside(control: &Control, store: &Client, record: &Record) -> Result<String, Failure> {
    let gone = || Failure::new(Class::NoDomain, "the domain is gone");
    let domain = record.dom_id().ok_or_else(gone)?;
    let mut kept = record.clone();
    kept.uuid = Uuid::random().map_err(|error| Failure::new(Class::Failed, format!("/dev/urandom: {error}")))?;
    kept.config.uuid = Some(kept.uuid);
    kept.config.disks.clear();
    kept.config.vifs.clear();
    kept.phase = Phase::Preserved;
    host_devices::remove_all(store, domain, Deadline::after(PATIENCE)).at(|| "remove devices")?;
    let own = record.config.name.as_str();
    kept.config.name = store.persist(RETURN, |store| rename(store, own, domain, kept.uuid, record.uuid))?;
    kept.save()?;
    control.set_uuid(domain, kept.uuid.to_bytes())?;
    Ok(format!("{} ({})", kept.config.name, domain.raw()))
}

/// Gives the domain the first free of `NAME-1`, `NAME-2`, ...
fn rename(store: &Client, own: &str, domain: DomId, uuid: Uuid, old: Uuid) -> Result<String, StoreError> {
    store.transaction(|tree| {
        names::release(tree, own, domain)?;
        let mut number = 1_u32;
        let name = loop {
            let name = format!("{own}-{number}");
            if names::claim(tree, &name, domain)?.is_none() {
                break name;
            }
            number = number.saturating_add(1);
        };
        let vm = format!("/vm/{uuid}");
        for (node, value) in
            [("name", name.as_str()), ("uuid", &uuid.to_string()), ("domid", &domain.raw().to_string())]
        {
            tree.write(&format!("{vm}/{node}"), value)?;
        }
        tree.write(&format!("{}/vm", nodes::home(domain)), &vm)?;
        // Its successor makes its own.
        match tree.rm(&format!("/vm/{old}")) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(name),
        }
    })
}
