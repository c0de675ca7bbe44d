// SPDX-License-Identifier: MIT OR Apache-2.0
//! Making a domain. First everything is checked that can be checked without touching anything; then the hypervisor fills the guest's memory while,
//! in a second thread, dom0's kernel gets its devices. Whatever fails, or is interrupted, is undone.

use crate::error::{At, Class, Failure};
use crate::guests::record::{self, Lock, Phase, Record};
use crate::guests::signals::{Cancel, interrupted};
use crate::guests::{devices, names, nodes, teardown};
use domain_builder::Class::Cancelled;
use domain_builder::config::{Action, Config, Uuid};
use domain_builder::{BuildError, Built, BuiltDomain, Cache, Prepared, Progress, Step};
use host_devices::{Deadline, Disk, Links, VifSpec};
use hypercalls::DomId;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;
use xen_control::Control;
use xenstore::client::{Client, Nodes};

/// How long a server of the store that was killed is waited for.
pub(crate) const RETURN: Duration = Duration::from_secs(15);

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        use domain_builder::Class as Built;
        let class = match (error.class, &error.step) {
            (Built::Configuration, Step::Kernel(_) | Step::Ramdisk(_)) => Class::Image,
            (Built::Configuration, _) => Class::Usage,
            (Built::NoMemory, _) => Class::Resources,
            (Built::Refused, _) => Class::Failed,
            (Built::Cancelled, _) => return interrupted(),
        };
        let place = error.place.as_ref().map_or_else(String::new, |place| format!(" ({place})"));
        if error.remedy.is_empty() {
            return Self::new(class, format!("{}{place}", error.cause)).at(&error.step);
        }
        Self::new(class, &error.cause).remedy(format!("{}{place}", error.remedy)).at(&error.step)
    }
}

/// All that a domain needs, found fit. Nothing has been touched.
#[derive(Debug)]
pub(crate) struct Ready {
    prepared: Prepared,
    disks: Vec<Disk>,
    vifs: Vec<VifSpec>,
}

impl Ready {
    /// Looks at everything the configuration names.
    pub(crate) fn check(config: &Config, store: &Client, cancel: &Cancel) -> Result<Self, Failure> {
        supported(config)?;
        if let Some(holder) = store.persist(RETURN, |store| names::holder(&store.nodes(), &config.name, None))? {
            return Err(name_in_use(config, holder));
        }
        host_devices::check_drivers(!config.disks.is_empty(), !config.vifs.is_empty())?;
        let disks = config.disks.iter().map(devices::open).collect::<Result<_, _>>()?;
        let mut config = config.clone();
        let mut vifs = Vec::new();
        if !config.vifs.is_empty() {
            let mut links = Links::open()?;
            for vif in &mut config.vifs {
                vifs.push(devices::check(&mut links, store, vif)?);
            }
        }
        let prepared = Prepared::new(&config, Some(&Cache::usual()), &mut |_| flow(cancel))?;
        Ok(Self { prepared, disks, vifs })
    }

    /// The UUID of the domain to be.
    pub(crate) fn uuid(&self) -> Uuid {
        self.prepared.uuid()
    }

    /// Makes the domain, paused. The caller holds its lock. After a failure nothing is left of it, not even the record.
    pub(crate) fn make(
        self,
        control: &Control,
        store: &Client,
        _lock: &Lock,
        wish: Wish,
        cancel: &Cancel,
    ) -> Result<Built, Failure> {
        let uuid = self.uuid();
        let mut record = Record::new(uuid, self.prepared.config(), wish.monitored, wish.short_runs);
        record.save()?;
        match self.build(control, store, &mut record, cancel) {
            Ok(built) => Ok(built),
            Err(failure) => Err(undo_record(control, store, &record, failure)),
        }
    }

    fn build(self, control: &Control, store: &Client, record: &mut Record, cancel: &Cancel) -> Result<Built, Failure> {
        let config = self.prepared.config();
        let built = self.build_beside(control, store, record, &config, cancel)?;
        cancel.check()?;
        introduce(store, &built).at(|| "tell xenstored of the domain")?;
        cancel.check()?;
        record.phase = Phase::Running;
        record.save()?;
        Ok(built)
    }

    /// Builds the domain; as soon as it has a number, makes its nodes and, in a second thread, its devices.
    fn build_beside(
        self,
        control: &Control,
        store: &Client,
        record: &mut Record,
        config: &Config,
        cancel: &Cancel,
    ) -> Result<Built, Failure> {
        let Self { prepared, disks, vifs } = self;
        let stop = AtomicBool::new(false);
        let (built, beside) = thread::scope(|scope| {
            let mut beside: Option<ScopedJoinHandle<'_, Result<(), Failure>>> = None;
            let mut known = Ok(());
            let built = prepared.build(control, &mut |progress| {
                if let Progress::Created { domid } = progress {
                    known = make_known(store, record, domid, config);
                    if known.is_err() {
                        return ControlFlow::Break(());
                    }
                    if !disks.is_empty() || !vifs.is_empty() {
                        let (disks, vifs, stop) = (&disks, &vifs, &stop);
                        beside = Some(scope.spawn(move || {
                            let done = attach(domid, disks, vifs);
                            stop.store(done.is_err(), Ordering::Relaxed);
                            done
                        }));
                    }
                }
                if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { flow(cancel) }
            });
            let beside = beside.map_or(Ok(()), |beside| beside.join().unwrap_or_else(|_| Err(broken())));
            (built.map(BuiltDomain::keep), known.and(beside))
        });
        match (built, beside) {
            (Ok(built), beside) => beside.map(|()| built),
            // It only stopped because of the failure beside, unless the user wished so.
            (Err(error), Err(failure)) if error.class == Cancelled && !cancel.is_wanted() => Err(failure),
            (Err(error), _) => Err(error.into()),
        }
    }
}

/// How the domain is to be looked after.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// The monitor carries out `on_poweroff` and the like.
    pub(crate) monitored: bool,
    /// How often in a row it ended shortly after its start.
    pub(crate) short_runs: u32,
}

fn flow(cancel: &Cancel) -> ControlFlow<()> {
    if cancel.is_wanted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

fn broken() -> Failure {
    Failure::new(Class::Failed, "the thread that makes devices ended unexpectedly").remedy("report this as a bug")
}

/// Puts a new domain on record, before anything is made that could be left behind, and writes its nodes.
fn make_known(store: &Client, record: &mut Record, domain: DomId, config: &Config) -> Result<(), Failure> {
    record.domid = Some(domain.raw());
    record.save()?;
    let now = record::now();
    let write = |nodes: &Nodes<'_>| {
        let other = names::claim(nodes, &config.name, domain)?;
        if other.is_none() {
            nodes::write_first(nodes, domain, record.uuid, config, now)?;
        }
        Ok(other)
    };
    match store.persist(RETURN, |store| store.transaction(write)).at(|| "store nodes")? {
        Some(holder) => Err(name_in_use(config, holder)),
        None => Ok(()),
    }
}

/// Makes the devices, by a connection of its own.
fn attach(domain: DomId, disks: &[Disk], vifs: &[VifSpec]) -> Result<(), Failure> {
    let store = Client::connect_within(RETURN)?;
    Ok(host_devices::attach(&store, domain, disks, vifs, Deadline::after(devices::PATIENCE))?)
}

/// Writes where the domain's console and store are, and makes it known.
fn introduce(store: &Client, built: &Built) -> Result<(), Failure> {
    let mut again = false;
    let tell = |store: &Client| {
        // A server that was restarted after it had carried this out says that it knows the domain.
        let known = std::mem::replace(&mut again, true) && store.is_introduced(built.domid)?;
        store.batch(|nodes| {
            nodes::write_links(nodes, built)?;
            if known { Ok(()) } else { store.introduce(built.domid, built.store.mfn, built.store.port) }
        })
    };
    Ok(store.persist(RETURN, tell)?)
}

/// Takes back what was made. The failure that led here is the one to tell, unless the way back fails as well.
fn undo_record(control: &Control, store: &Client, record: &Record, failure: Failure) -> Failure {
    match record.dom_id() {
        Some(domain) => undo(control, store, domain, record.uuid, failure),
        None => match record::forget(record.uuid) {
            Ok(()) => failure,
            Err(left) => failure.and_left(&left),
        },
    }
}

/// The same for a domain that was made, but shall not be.
pub(crate) fn undo(control: &Control, store: &Client, domain: DomId, uuid: Uuid, failure: Failure) -> Failure {
    match teardown::end(control, store, domain, uuid).and_then(|()| record::forget(uuid)) {
        Ok(()) => failure,
        // The record stays: the monitor tries again when it next looks.
        Err(left) => failure.and_left(&left),
    }
}

fn name_in_use(config: &Config, holder: DomId) -> Failure {
    let place = config.places.name.as_ref().map_or_else(String::new, |place| format!(" ({place})"));
    Failure::new(Class::Conflict, format!("the name '{}' is in use by domain {}", config.name, holder.raw()))
        .remedy(format!("choose another 'name', or end that domain first{place}"))
}

/// What the configuration may say, but nobody here can do.
fn supported(config: &Config) -> Result<(), Failure> {
    let actions = [
        ("on_poweroff", config.on_poweroff),
        ("on_reboot", config.on_reboot),
        ("on_crash", config.on_crash),
        ("on_watchdog", config.on_watchdog),
    ];
    for (key, action) in actions {
        let instead = match action {
            Action::CoredumpDestroy => Action::Destroy,
            Action::CoredumpRestart => Action::Restart,
            _ => continue,
        };
        return Err(Failure::new(Class::Usage, format!("{key}='{action}': no core dumps are written"))
            .remedy(format!("use '{instead}', or 'preserve' to look at what is left")));
    }
    Ok(())
}
