// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn console`.

use crate::context::Context;
use crate::error::{At, Class, Failure};
use crate::output;
use hypercalls::DomId;
use std::time::Duration;
use xen_control::Control;
use xenconsoled::{AttachError, Attachment, Console, Ended};
use xenstore::client::Client;

/// Which console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// The one every PV guest has.
    Pv,
    /// Refused: only HVM guests have one.
    Serial,
}

/// Options of `xn console`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Ctrl-] leaves the console; every other key, also Ctrl-C, is the guest's.\nExample: xn console demo"
)]
pub(crate) struct Args {
    /// Kind of console
    #[arg(short = 't', long = "type", value_enum, default_value = "pv")]
    pub(crate) kind: Kind,
    /// Number of the console
    #[arg(short = 'n', long = "num", value_name = "NUM", default_value_t = 0)]
    pub(crate) number: u32,
    /// Name or number
    pub(crate) domain: String,
}

/// How long xenconsoled may take to offer a new domain's console, or to come back.
const PATIENCE: Duration = Duration::from_secs(10);

/// Attaches to a console until it ends or Ctrl-] is typed.
pub(crate) fn run(args: &Args, context: &mut Context) -> Result<(), Failure> {
    let title = || format!("console {}", args.domain);
    if args.kind == Kind::Serial {
        let why = Failure::new(Class::Usage, "-t serial: PV guests have no serial port").remedy("leave -t away");
        return Err(why.at(title()));
    }
    let domain = context.domain(&args.domain).at(title)?;
    if domain == DomId::DOM0 {
        let why =
            Failure::new(Class::Usage, "dom0 has no console of this kind").remedy("for the hypervisor's: xn dmesg");
        return Err(why.at(title()));
    }
    let console = open(context.control()?, context.store()?, domain, args.number).at(title)?;
    enter(console).at(title)
}

/// Opens a console. A new domain's can be opened before it first runs, so that nothing it says is missed.
pub(crate) fn open<'a>(
    control: &'a Control,
    store: &'a Client,
    domain: DomId,
    number: u32,
) -> Result<Console<'a>, Failure> {
    Ok(Console::open(Attachment { control, store, domain, number, wait: PATIENCE })?)
}

/// Connects it with standard input and output until it ends or Ctrl-] is typed.
pub(crate) fn enter(console: Console<'_>) -> Result<(), Failure> {
    let ended = console.run()?;
    // The guest's last line need not be a whole one.
    output::text("\n")?;
    if ended == Ended::DomainGone {
        output::note("the domain is gone");
    }
    Ok(())
}

impl From<AttachError> for Failure {
    fn from(error: AttachError) -> Self {
        let class = match &error {
            AttachError::NoDomain => Class::NoDomain,
            AttachError::NotOffered(_) => Class::Service,
            AttachError::InUse(_) => Class::Conflict,
            AttachError::Io(_, why) if why.kind() == std::io::ErrorKind::BrokenPipe => Class::BrokenPipe,
            AttachError::Store(_) | AttachError::Control(_) | AttachError::Io(..) => Class::Failed,
        };
        match error {
            AttachError::Store(error) => error.into(),
            AttachError::Control(error) => error.into(),
            error => Self::new(class, error),
        }
    }
}
