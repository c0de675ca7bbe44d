// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Carrying a plan out: from a [`Config`] to a domain that only has to be unpaused.

mod cpus;
mod load;
mod memory;
mod smallest;

use hypercalls::memory::{E820Entry, E820Type};
use hypercalls::{DomId, Errno, GrantRef, Mfn, Port, VcpuId};
use xen_control::{Control, ControlError, Level, NewDomain, Share};

use crate::config::{Config, Uuid};
use crate::error::{BuildError, Class, Result, Step};
use crate::kernel::{Cache, KernelImage, Origin};
use crate::progress::{self, Callback, Progress};
use crate::ramdisk::Ramdisk;
use guest_image::Plan;
use memory::{GuestMemory, MemoryError};

/// Memory a domain may have beyond its target, in KiB, as with `xl`: room for what backends leave behind for a moment.
const SLACK_KIB: u64 = 1024;
const PAGES_PER_MIB: u64 = 256;

/// A domain's files, read and checked. Nothing has been asked of the hypervisor yet.
#[derive(Debug)]
pub struct Prepared {
    config: Config,
    uuid: Uuid,
    kernel: KernelImage,
    ramdisk: Option<Ramdisk>,
    plan: Plan,
    cache: Option<Cache>,
}

/// The two ends dom0's daemons need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The machine frame of the ring.
    pub mfn: Mfn,
    /// The guest's port.
    pub port: Port,
}

/// What the rest of the toolstack has to know of a new domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Built {
    /// Its number.
    pub domid: DomId,
    /// Its UUID.
    pub uuid: Uuid,
    /// Its link to the store; grant 1 lets dom0 map the ring.
    pub store: Link,
    /// Its console; grant 0 lets dom0 map the ring.
    pub console: Link,
}

/// A domain that goes away with this value, unless it is kept.
#[derive(Debug)]
pub struct BuiltDomain<'a> {
    control: &'a Control,
    built: Built,
    kept: bool,
}

impl BuiltDomain<'_> {
    /// What there is to know.
    #[must_use]
    pub const fn built(&self) -> &Built {
        &self.built
    }

    /// Its number.
    #[must_use]
    pub const fn domid(&self) -> DomId {
        self.built.domid
    }

    /// Lets it live. It is still paused: [`Control::unpause`] starts it.
    #[must_use]
    pub fn keep(mut self) -> Built {
        self.kept = true;
        self.built
    }

    /// Destroys it now, to hear whether that worked.
    ///
    /// # Errors
    /// The hypervisor's.
    pub fn destroy(mut self) -> std::result::Result<(), ControlError> {
        self.kept = true;
        self.control.destroy_domain(self.built.domid)
    }
}

impl Drop for BuiltDomain<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // The error that led here is worth more to the user than one of this call.
            let _ = self.control.destroy_domain(self.built.domid);
        }
    }
}

/// With a remedy, if the answer was `errno`.
fn hint(failure: BuildError, error: &ControlError, errno: Errno, remedy: &str) -> BuildError {
    let remedy = if error.errno() == Some(errno) { remedy.to_owned() } else { failure.remedy };
    BuildError { remedy, ..failure }
}

impl Prepared {
    /// Reads and checks all files of a domain, and whether its memory can hold them. A configuration without a UUID gets
    /// a random one.
    ///
    /// # Errors
    /// A file cannot be read or used; the memory is too small: then the smallest size that can do is named.
    pub fn new(config: &Config, cache: Option<&Cache>, callback: &mut Callback<'_>) -> Result<Self> {
        let places = &config.places;
        let kernel =
            KernelImage::open(&config.kernel, cache, callback).map_err(|error| error.at(places.kernel.as_ref()))?;
        let ramdisk = config.ramdisk.as_deref().map(|path| Ramdisk::open(path, cache, callback)).transpose();
        let ramdisk = ramdisk.map_err(|error| error.at(places.ramdisk.as_ref()))?;
        let initrd_len = ramdisk.as_ref().map_or(0, |ramdisk| ramdisk.len);
        let plan = smallest::plan(&kernel.parsed()?, config.memory_mib, initrd_len)
            .map_err(|error| error.at(places.memory.as_ref()))?;
        let uuid = config.uuid.map_or_else(Uuid::random, Ok).map_err(|error| {
            BuildError::new(Step::Create, Class::Refused, format!("/dev/urandom: {error}"), "set 'uuid' yourself")
        })?;
        Ok(Self { config: config.clone(), uuid, kernel, ramdisk, plan, cache: cache.cloned() })
    }

    /// The configuration, with the UUID it was given: what is to be kept for a reboot.
    #[must_use]
    pub fn config(&self) -> Config {
        Config { uuid: Some(self.uuid), ..self.config.clone() }
    }

    /// The UUID.
    #[must_use]
    pub const fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// Where the kernel's contents come from.
    #[must_use]
    pub fn kernel_origin(&self) -> Origin {
        self.kernel.origin()
    }

    /// Makes the domain: paused, complete except for its devices and its store nodes.
    ///
    /// # Errors
    /// The step that failed, why, and what to do. Nothing of the domain is left then.
    pub fn build<'a>(mut self, control: &'a Control, callback: &mut Callback<'_>) -> Result<BuiltDomain<'a>> {
        let domain = self.create(control)?;
        let domid = domain.domid();
        progress::report(callback, || Step::Create, Progress::Created { domid })?;
        self.limit(control, domid)?;
        cpus::place(control, domid, &self.config)?;
        let port = || {
            control.alloc_unbound(domid, DomId::DOM0).map_err(|error| {
                let full = "raise 'max_event_channels'; console and store alone take two";
                hint(BuildError::control(Step::Events, &error), &error, Errno::ENOSPC, full)
            })
        };
        let ports = (port()?, port()?);
        let mut memory = self.populate(control, domid, callback)?;
        let links = self.load(&mut memory, ports, domid, control, callback)?;
        self.start(control, domid, &memory)?;
        let granted = [(GrantRef::CONSOLE, DomId::DOM0, links.1.mfn), (GrantRef::XENSTORE, DomId::DOM0, links.0.mfn)];
        control.seed_grants(domid, &granted).map_err(|error| BuildError::control(Step::Grants, &error))?;
        let mut domain = domain;
        (domain.built.store, domain.built.console) = links;
        Ok(domain)
    }

    fn create<'a>(&self, control: &'a Control) -> Result<BuiltDomain<'a>> {
        let failed = |error: ControlError| {
            let limits = "a limit is beyond the hypervisor's: lower 'maxvcpus', 'max_grant_frames', 'max_maptrack_frames' or \
                          'max_event_channels'";
            hint(BuildError::control(Step::Create, &error), &error, Errno::EINVAL, limits)
        };
        let config = &self.config;
        let mut new = NewDomain::new(self.uuid.to_bytes(), config.maxvcpus);
        new.max_event_port = config.max_event_channels.unwrap_or(new.max_event_port);
        new.max_grant_frames = config.max_grant_frames;
        new.max_maptrack_frames = config.max_maptrack_frames;
        new.max_grant_version = config.max_grant_version.unwrap_or(new.max_grant_version);
        let domid = control.create_domain(&new).map_err(failed)?;
        let none = Link { mfn: Mfn::INVALID, port: Port::new(0) };
        let built = Built { domid, uuid: self.uuid, store: none, console: none };
        let domain = BuiltDomain { control, built, kept: false };
        control.set_max_vcpus(domid, config.maxvcpus).map_err(failed)?;
        Ok(domain)
    }

    /// Limits of memory and CPU time.
    fn limit(&self, control: &Control, domid: DomId) -> Result<()> {
        let failed = |error: ControlError| BuildError::control(Step::Create, &error);
        let config = &self.config;
        control.set_max_memory(domid, config.memory_mib * 1024 + SLACK_KIB).map_err(failed)?;
        let all = E820Entry {
            addr: 0.into(),
            size: (config.maxmem_mib << 20).into(),
            entry_type: E820Type::RAM.raw().into(),
        };
        control.set_memory_map(domid, &[all]).map_err(failed)?;
        if config.cpu_weight.is_some() || config.cap.is_some() {
            let share = Share { weight: config.cpu_weight.unwrap_or(256), cap: config.cap.unwrap_or(0) };
            control.set_share(domid, share).map_err(failed)?;
        }
        Ok(())
    }

    /// Claims the memory first: a guest that does not fit fails before it takes anything from others.
    fn populate<'a>(&self, control: &'a Control, domid: DomId, callback: &mut Callback<'_>) -> Result<GuestMemory<'a>> {
        let total = self.plan.nr_pages;
        let short = |error: Option<&ControlError>| self.too_little(control, error);
        control.claim(domid, total).map_err(|error| match error.is_no_memory() {
            true => short(None),
            false => short(Some(&error)),
        })?;
        let report = |done| callback(Progress::Populating { done, total }).is_continue();
        let memory = GuestMemory::populate(control, domid, total, report).map_err(|error| match error {
            MemoryError::Short => short(None),
            MemoryError::Control(error) => short(Some(&error)),
            MemoryError::Cancelled => BuildError::cancelled(Step::Memory),
        })?;
        // Whatever is left of the claim is given back.
        control.claim(domid, 0).map_err(|error| short(Some(&error)))?;
        Ok(memory)
    }

    fn too_little(&self, control: &Control, error: Option<&ControlError>) -> BuildError {
        if let Some(error) = error.filter(|error| !error.is_no_memory()) {
            return BuildError::control(Step::Memory, error);
        }
        let free = control.host().map_or_else(
            |_| String::new(),
            |host| {
                let free = host.free_pages.saturating_sub(host.claimed_pages) / PAGES_PER_MIB;
                format!(" and the hypervisor has {free} MiB free")
            },
        );
        let cause = format!("the domain needs {} MiB{free}", self.config.memory_mib);
        let remedy = "lower 'memory', end another domain, or take memory from dom0 (xn mem-set 0)";
        BuildError::new(Step::Memory, Class::NoMemory, cause, remedy).at(self.config.places.memory.as_ref())
    }

    /// Checks and pins the tables, and gives the first vCPU its registers.
    fn start(&self, control: &Control, domid: DomId, memory: &GuestMemory<'_>) -> Result<()> {
        let failed = |error: ControlError| BuildError::control(Step::Start, &error);
        let root = memory.mfn(self.plan.root_table());
        control.pin_table(domid, Level::L4, root).map_err(failed)?;
        if let Some(page) = self.plan.hypercall_page {
            control.init_hypercall_page(domid, memory.mfn(page)).map_err(failed)?;
        }
        let context = load::first_context(&self.plan, root);
        control.set_vcpu_context(domid, VcpuId::new(0), &context).map_err(failed)
    }
}
