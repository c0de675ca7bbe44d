// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn rename`.

use crate::context::Context;
use crate::error::{At, Class, Failure};
use crate::guests::names;
use crate::guests::record::{Lock, Record};
use domain_builder::config::Uuid;
use hypercalls::DomId;
use xenstore::client::{Error, Nodes};

/// Options of `xn rename`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn rename demo web1")]
pub(crate) struct Args {
    /// Name or number
    pub(crate) domain: String,
    /// The new name
    pub(crate) new_name: String,
}

/// Changes a name that nobody else has.
pub(crate) fn run(args: &Args, context: &mut Context) -> Result<(), Failure> {
    rename(args, context).at(|| "rename")
}

fn rename(args: &Args, context: &Context) -> Result<(), Failure> {
    names::check(&args.new_name, "domain")?;
    let info = context.domain_info(&args.domain)?;
    if info.id == DomId::DOM0 {
        return Err(Failure::new(Class::Usage, "dom0 keeps its name"));
    }
    let uuid = Uuid::from_bytes(info.uuid);
    // Whoever restarts the domain meanwhile would take the old name from the record.
    let _lock = Lock::take(uuid)?;
    let holder = context.store()?.transaction(|nodes| take_name(nodes, info.id, uuid, &args.new_name))?;
    if let Some(holder) = holder {
        let why = format!("the name '{}' is in use by domain {}", args.new_name, holder.raw());
        return Err(Failure::new(Class::Conflict, why).remedy("choose another name"));
    }
    if let Some(mut record) = Record::load(uuid)? {
        record.config.name.clone_from(&args.new_name);
        record.save()?;
    }
    Ok(())
}

/// Gives a domain the name, or names the domain that has it: also one that another toolstack made, which claims no names.
fn take_name(nodes: &Nodes<'_>, domain: DomId, uuid: Uuid, name: &str) -> Result<Option<DomId>, Error> {
    let home = format!("/local/domain/{}", domain.raw());
    for id in nodes.list("/local/domain")? {
        let other = id.parse().map(DomId::new).ok().filter(|other| *other != domain);
        let named = nodes.find_text(&format!("/local/domain/{id}/name"))?;
        if other.is_some() && named.as_deref() == Some(name) {
            return Ok(other);
        }
    }
    let old = nodes.find_text(&format!("{home}/name"))?;
    if let Some(holder) = names::claim(nodes, name, domain)? {
        return Ok(Some(holder));
    }
    if let Some(old) = old.filter(|old| old != name) {
        names::release(nodes, &old, domain)?;
    }
    let vm = format!("/vm/{uuid}");
    if nodes.exists(&vm)? {
        nodes.write(&format!("{vm}/name"), name)?;
    }
    Ok(None)
}
