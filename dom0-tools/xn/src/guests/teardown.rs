// SPDX-License-Identifier: MIT OR Apache-2.0
//! The end of a domain: everything it had in the hypervisor, in dom0's kernel, in the store and on disk is released. Only its console's log stays.

use crate::error::{At, Class, Failure};
use crate::guests::devices::PATIENCE;
use crate::guests::names;
use domain_builder::config::Uuid;
use host_devices::Deadline;
use hypercalls::DomId;
use std::time::Duration;
use xen_control::Control;
use xenstore::client::{Client, Error as StoreError, Nodes};

/// How long a server of the store that was killed is waited for.
const RETURN: Duration = Duration::from_secs(15);
/// How long xenconsoled may take to take a new console on: only waited for if the guest is gone already.
const CONSOLE: Duration = Duration::from_secs(3);
/// How long the daemons may take to let go of a dead domain's pages.
const LETTING_GO: Duration = Duration::from_secs(5);

/// Ends a domain, whatever state it is in, and removes what it had. `store` must be a connection of its own. Goes on after a failure and returns
/// the first. Whoever calls this holds the domain's lock and removes its record afterwards.
pub(crate) fn end(control: &Control, store: &Client, domain: DomId, uuid: Uuid) -> Result<(), Failure> {
    let alive = control.domain_info(domain)?.filter(|info| info.uuid == uuid.to_bytes());
    if alive.as_ref().is_some_and(|info| info.shutdown.is_none() && !info.dying) {
        ignore_gone(control.pause(domain)).at(|| "stop the domain")?;
    }
    if alive.is_some() {
        wait_for_console(store, domain);
    }
    // Frontends vanish first, so that backends let go of the guest's pages before the hypervisor takes them.
    let devices = host_devices::remove_all(store, domain, Deadline::after(PATIENCE)).at(|| "remove devices");
    let mut first = devices;
    if alive.is_some() {
        first = first.and(ignore_gone(control.destroy_domain(domain)).at(|| "destroy the domain"));
    }
    if first.as_ref().is_err_and(|failure| failure.class() == Class::Service) {
        // The store's server is gone, and was waited for. Whoever tries again finds the nodes.
        return first;
    }
    first = first.and(forget_in_store(store, domain, uuid).at(|| "clean the store"));
    if first.is_ok() && alive.is_some() {
        first = wait_until_gone(control, store, domain);
    }
    first
}

/// Removes what is left of a domain that is neither in the hypervisor nor on record.
pub(crate) fn bury(store: &Client, domain: DomId) -> Result<(), Failure> {
    let vm = store.persist(RETURN, |store| store.nodes().find_text(&format!("/local/domain/{}/vm", domain.raw())))?;
    let uuid = vm.and_then(|vm| vm.strip_prefix("/vm/")?.parse().ok()).unwrap_or(Uuid::from_bytes([0; 16]));
    host_devices::remove_all(store, domain, Deadline::after(PATIENCE)).at(|| "remove devices")?;
    host_devices::release_loops(domain, Deadline::after(PATIENCE)).at(|| "free loop devices")?;
    forget_in_store(store, domain, uuid).at(|| "clean the store")
}

/// What is gone already is as good as done.
fn ignore_gone(result: Result<(), xen_control::ControlError>) -> Result<(), xen_control::ControlError> {
    match result {
        Err(error) if error.is_no_domain() => Ok(()),
        other => other,
    }
}

/// xenconsoled maps a console's page when it hears of the domain, and then can read it even after the domain is gone. So that the last words of
/// one that dies at once are not lost, wait until it has: it names the terminal then. Without xenconsoled there is nobody to wait for.
fn wait_for_console(store: &Client, domain: DomId) {
    let home = format!("/local/domain/{}", domain.raw());
    let tty = format!("{home}/console/tty");
    let done = |nodes: &Nodes<'_>| {
        let [tty, home] = nodes.find_texts([&tty, &home])?;
        Ok(tty.is_some() || home.is_none())
    };
    // An error here costs at most the log's last lines, and the steps that follow will meet it as well.
    if !done(&store.nodes()).unwrap_or(true) && store.is_introduced(domain).unwrap_or(false) {
        wait(store, &tty, CONSOLE, done).ok();
    }
}

/// Removes all nodes of a domain. What other domains still need stays.
fn forget_in_store(store: &Client, domain: DomId, uuid: Uuid) -> Result<(), StoreError> {
    let id = domain.raw();
    let (home, vm) = (format!("/local/domain/{id}"), format!("/vm/{uuid}"));
    store.persist(RETURN, |store| {
        // The server finds out by itself too, and may have been faster.
        store.release_soon(domain)?;
        store.transaction(|nodes| {
            let [name, owner] = nodes.find_texts([&format!("{home}/name"), &format!("{vm}/domid")])?;
            if let Some(name) = name {
                names::release(nodes, &name, domain)?;
            }
            nodes.discard(&home)?;
            nodes.discard(&format!("/local/domain/0/backend/console/{id}"))?;
            // The same UUID may belong to a successor already.
            if owner.is_none_or(|owner| owner == id.to_string()) {
                nodes.discard(&vm)?;
            }
            // The folders above stay, as with xl: to look whether they are empty would conflict with every creation that goes on.
            Ok(())
        })
    })
}

/// Waits until the hypervisor has forgotten the domain: until the daemons have let go of its pages.
fn wait_until_gone(control: &Control, store: &Client, domain: DomId) -> Result<(), Failure> {
    let gone = || control.domain_info(domain).map(|info| info.is_none());
    if gone()? {
        return Ok(());
    }
    let seen = wait(store, "@releaseDomain", LETTING_GO, |_| Ok(gone().unwrap_or(true)))?;
    if seen || gone()? {
        return Ok(());
    }
    let why = format!("domain {} is dead, but somebody still uses its memory", domain.raw());
    let remedy = "see that xenstored and xenconsoled run; it goes away when they let go of it";
    Err(Failure::new(Class::Timeout, why).remedy(remedy))
}

/// First and longest time between two looks at what is not always announced: the store says nothing of the end of domains it never knew.
const LOOKS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(500));

/// Waits for what a watch on `path` may announce; whether it came.
fn wait(
    store: &Client,
    path: &str,
    within: Duration,
    mut done: impl FnMut(&Nodes<'_>) -> Result<bool, StoreError>,
) -> Result<bool, StoreError> {
    const TOKEN: &str = "teardown";
    let deadline = Deadline::after(within);
    let mut pause = LOOKS.0;
    store.watch(path, TOKEN)?;
    let came = loop {
        if done(&store.nodes())? {
            break true;
        }
        if deadline.left().is_zero() {
            break false;
        }
        if store.next_event(Some(pause.min(deadline.left())))?.is_none() {
            pause = pause.saturating_mul(2).min(LOOKS.1);
        }
    };
    store.unwatch(path, TOKEN)?;
    Ok(came)
}
