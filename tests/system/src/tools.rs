// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tools among strangers: Debian's C clients talk to our xenstored, and our tools make domains on Debian's Xen.

use crate::host;
use anyhow::Result;
use harness::case::{Case, Context, Outcome};
use harness::debian::Series;
use harness::dom0::Hypervisor;
use harness::xl;

const CLIENTS: &[&str] = &[
    "write",
    "read",
    "read-path",
    "list",
    "ls",
    "ls-flat",
    "exists",
    "exists-not",
    "chmod",
    "chmod-shown",
    "chmod-recursive",
    "chmod-below",
    "read-not",
    "watch",
    "rm",
    "write-long",
    "read-long",
    "escaped",
    "raw",
    "rm-tree",
    "list-many",
    "ls-many",
    "name",
    "console-type",
    "ls-domain",
    "released",
    "both",
];

const ON_XEN: &[&str] = &[
    "create",
    "create-tiny",
    "ready",
    "ping",
    "tiny",
    "cpus",
    "disk",
    "list",
    "states",
    "paused",
    "info",
    "dmesg",
    "vcpu-list",
    "block-attach",
    "hot-disk",
    "block-detach",
    "destroy",
    "destroy-tiny",
    "clean",
];

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("store-clients", store_clients), Case::new("tools-on-xen", on_xen)]
}

fn store_clients(context: &Context) -> Result<Outcome> {
    if let Some(skip) = host::nobody(context) {
        return Ok(skip);
    }
    let mut spec = host::host(context, 1024, 640, &[])?;
    spec.files.extend(xl::store_clients()?);
    let done = host::run(context, "store-clients", &spec, include_str!("dom0/store_clients.sh"), 300)?;
    Ok(host::judge(&done, CLIENTS))
}

/// The oracle in the hypervisor's place: what works here is right about more than our own hypervisor.
fn on_xen(context: &Context) -> Result<Outcome> {
    if context.hypervisor == Hypervisor::None || !context.oracle {
        return Ok(Outcome::Skip("it needs Debian's Xen".into()));
    }
    let context = Context { hypervisor: Hypervisor::Xen, ..context.clone() };
    let spec = host::host(&context, 1280, 768, &[Series::V6_1])?;
    let done = host::run(&context, "tools-on-xen", &spec, include_str!("dom0/tools_on_xen.sh"), 400)?;
    Ok(host::judge(&done, ON_XEN))
}
