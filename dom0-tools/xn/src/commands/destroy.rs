// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn destroy`.

use crate::context::Context;
use crate::error::{At, Class, Failure};
use crate::guests::record::{self, Lock, Phase, Record};
use crate::guests::{teardown, together};
use domain_builder::config::Uuid;
use hypercalls::DomId;
use xenstore::client::Client;

/// Options of `xn destroy`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn destroy demo")]
pub(crate) struct Args {
    /// For xl's sake: dom0 cannot be destroyed all the same
    #[arg(short = 'f')]
    pub(crate) force: bool,
    /// Names or numbers
    #[arg(value_name = "DOMAIN", required = true)]
    pub(crate) domains: Vec<String>,
}

/// Ends domains and takes away what they had.
pub(crate) fn run(args: &Args, context: &mut Context) -> Result<(), Failure> {
    let context = &*context;
    together::each(&args.domains, |text| destroy(text, context).at(|| format!("destroy {text}"))).1
}

fn destroy(text: &str, context: &Context) -> Result<(), Failure> {
    let info = match context.domain_info(text) {
        Err(failure) if failure.class() == Class::NoDomain && cancel_restart(text)? => return Ok(()),
        other => other?,
    };
    if info.id == DomId::DOM0 {
        return Err(Failure::new(Class::Usage, "dom0 cannot be destroyed").remedy("shut the machine down instead"));
    }
    let uuid = Uuid::from_bytes(info.uuid);
    // Waits for whoever is at work on it: its creation, or the monitor.
    let _lock = Lock::take(uuid)?;
    teardown::end(context.control()?, &Client::connect()?, info.id, uuid)?;
    record::forget(uuid)
}

/// A domain that is to be restarted in a moment does not exist, but can be told to stay dead.
fn cancel_restart(name: &str) -> Result<bool, Failure> {
    let waiting = |record: &Record| record.phase == Phase::Restarting && record.config.name == name;
    match Record::all()?.into_iter().find(waiting) {
        Some(record) => record::forget(record.uuid).map(|()| true),
        None => Ok(false),
    }
}
