// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn trigger`.

use crate::context::Context;
use crate::error::{At, Class, Failure};
use hypercalls::VcpuId;
use xen_control::Trigger;

/// What can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Non-maskable interrupt.
    Nmi,
    /// Reset: HVM only.
    Reset,
    /// INIT: HVM only.
    Init,
    /// Power button: HVM only.
    Power,
    /// Sleep button: HVM only.
    Sleep,
    /// Resume from sleep: HVM only.
    S3resume,
}

/// Options of `xn trigger`.
#[derive(Debug, clap::Args)]
#[command(after_help = "PV guests take 'nmi' only.\nExample: xn trigger demo nmi 0")]
pub(crate) struct Args {
    /// Name or number
    pub(crate) domain: String,
    /// What to send
    #[arg(value_enum)]
    pub(crate) kind: Kind,
    /// To which vCPU
    #[arg(default_value_t = 0)]
    pub(crate) vcpu: u32,
}

/// Sends the trigger.
pub(crate) fn run(args: &Args, context: &mut Context) -> Result<(), Failure> {
    let domain = context.domain_info(&args.domain).at(|| "trigger")?;
    let trigger = match args.kind {
        Kind::Nmi => Trigger::Nmi,
        Kind::Reset => Trigger::Reset,
        Kind::Init => Trigger::Init,
        Kind::Power => Trigger::Power,
        Kind::Sleep => Trigger::Sleep,
        Kind::S3resume => return Err(hvm_only().at("trigger")),
    };
    if trigger != Trigger::Nmi && !domain.hvm {
        return Err(hvm_only().at("trigger"));
    }
    if args.vcpu >= domain.vcpus {
        let why = format!("{} has no vCPU {}", context.label(domain.id), args.vcpu);
        return Err(Failure::new(Class::Usage, why).remedy("see 'xn vcpu-list'").at("trigger"));
    }
    context.control()?.trigger(domain.id, trigger, VcpuId::new(args.vcpu)).at(|| "trigger")
}

fn hvm_only() -> Failure {
    Failure::new(Class::Usage, "only HVM guests have that button")
        .remedy("PV guests take 'nmi'; 'xn shutdown' and 'xn reboot' ask them to end")
}
