// SPDX-License-Identifier: MIT OR Apache-2.0
//! The store nodes of a domain itself (its devices have theirs by `host-devices`): the same that `xl` writes, for the same readers.

use domain_builder::Built;
use domain_builder::config::{Config, Uuid};
use hypercalls::DomId;
use xenstore::client::{Access, Error, Nodes, Permission};

/// Bytes of output xenconsoled may hold for a guest that nobody listens to.
const CONSOLE_LIMIT: &str = "1048576";

/// Nodes that the guest owns, below its home.
const GUESTS_OWN: [&str; 11] = [
    "control/shutdown",
    "control/sysrq",
    "control/feature-poweroff",
    "control/feature-reboot",
    "control/feature-suspend",
    "device/suspend/event-channel",
    "data",
    "drivers",
    "feature",
    "attr",
    "error",
];

/// A node to write: path and value.
type Entry = (String, String);

/// Where a domain's nodes are.
pub(crate) fn home(domain: DomId) -> String {
    format!("/local/domain/{}", domain.raw())
}

fn backend(domain: DomId) -> String {
    format!("/local/domain/0/backend/console/{}/0", domain.raw())
}

/// What can be written before the domain has memory; the name is written by whoever claims it.
pub(crate) fn write_first(
    nodes: &Nodes<'_>,
    domain: DomId,
    uuid: Uuid,
    config: &Config,
    now: u64,
) -> Result<(), Error> {
    let guest_reads = [Permission::new(DomId::DOM0, Access::None), Permission::new(domain, Access::Read)];
    let (home, vm) = (home(domain), format!("/vm/{uuid}"));
    for dir in [&home, &vm, &backend(domain)] {
        nodes.mkdir(dir)?;
        // What is made below gets the same.
        nodes.set_perms(dir, &guest_reads)?;
    }
    for (path, value) in first(domain, uuid, config, now) {
        nodes.write(&path, value)?;
    }
    let guest_owns = [Permission::new(domain, Access::None)];
    for name in GUESTS_OWN {
        let path = format!("{home}/{name}");
        nodes.write(&path, "")?;
        nodes.set_perms(&path, &guest_owns)?;
    }
    Ok(())
}

fn first(domain: DomId, uuid: Uuid, config: &Config, now: u64) -> Vec<Entry> {
    let (home, vm) = (home(domain), format!("/vm/{uuid}"));
    let id = domain.raw().to_string();
    let kib = |mib: u64| mib.saturating_mul(1024).to_string();
    let mut entries = Vec::new();
    let mut add = |dir: &str, list: &[(&str, &str)]| {
        entries.extend(list.iter().map(|(name, value)| (format!("{dir}/{name}"), (*value).to_owned())));
    };
    add(
        &vm,
        &[
            ("name", &config.name),
            ("uuid", &uuid.to_string()),
            ("start_time", &now.to_string()),
            // Ours: whose these nodes are, as a successor has the same UUID.
            ("domid", &id),
            ("image/ostype", "linux"),
            ("image/kernel", &config.kernel.to_string_lossy()),
            ("image/ramdisk", &config.ramdisk.as_ref().map_or_else(String::new, |path| path.to_string_lossy().into())),
            ("image/cmdline", &config.cmdline),
        ],
    );
    add(
        &home,
        &[
            ("vm", &vm),
            ("domid", &id),
            ("memory/static-max", &kib(config.maxmem_mib)),
            ("memory/target", &kib(config.memory_mib)),
            ("memory/videoram", "0"),
            ("control/platform-feature-multiprocessor-suspend", "1"),
            ("control/platform-feature-xs_reset_watches", "1"),
            ("console/backend", &backend(domain)),
            ("console/backend-id", "0"),
            ("console/limit", CONSOLE_LIMIT),
            ("console/type", "xenconsoled"),
            ("console/output", "pty"),
        ],
    );
    for vcpu in 0..config.maxvcpus {
        let state = if vcpu < config.vcpus { "online" } else { "offline" };
        add(&home, &[(&format!("cpu/{vcpu}/availability"), state)]);
    }
    add(
        &backend(domain),
        &[
            ("frontend", &format!("{home}/console")),
            ("frontend-id", &id),
            ("online", "1"),
            ("state", "1"),
            ("protocol", "vt100"),
        ],
    );
    entries
}

/// The ends of console and store, once the domain has them.
pub(crate) fn write_links(nodes: &Nodes<'_>, built: &Built) -> Result<(), Error> {
    let home = home(built.domid);
    for (name, link) in [("store", built.store), ("console", built.console)] {
        nodes.write(&format!("{home}/{name}/port"), link.port.raw().to_string())?;
        nodes.write(&format!("{home}/{name}/ring-ref"), link.mfn.raw().to_string())?;
    }
    Ok(())
}
