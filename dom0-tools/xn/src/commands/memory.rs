// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn mem-set` and `xn mem-max`.

use crate::context::Context;
use crate::error::{At, Class, Failure};
use crate::size;
use hypercalls::DomId;

/// Options of `xn mem-set`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Sizes are in KiB unless they end in b, k, m, g or t.\nExample: xn mem-set demo 256m")]
pub(crate) struct SetArgs {
    /// Name or number
    pub(crate) domain: String,
    /// The memory the guest shall use
    #[arg(value_name = "SIZE")]
    pub(crate) size: String,
}

/// Options of `xn mem-max`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Sizes are in KiB unless they end in b, k, m, g or t.\nExample: xn mem-max demo 512m")]
pub(crate) struct MaxArgs {
    /// Name or number
    pub(crate) domain: String,
    /// The most memory the hypervisor lets it have
    #[arg(value_name = "SIZE")]
    pub(crate) size: String,
}

/// Sets the balloon's target. The limit goes up first, so that the guest can grow; a lower limit keeps what it gave back from being
/// taken again.
pub(crate) fn set(args: &SetArgs, context: &mut Context) -> Result<(), Failure> {
    let kib = size::kib(&args.size).at(|| "mem-set")?;
    set_target(&args.domain, kib, context).at(|| "mem-set")
}

/// What a guest may have beyond its target: pages it shares and some it needs while it balloons.
const SLACK_KIB: u64 = 1024;

fn set_target(domain: &str, kib: u64, context: &Context) -> Result<(), Failure> {
    let domain = context.domain(domain)?;
    let label = context.label(domain);
    let home = format!("/local/domain/{}/memory", domain.raw());
    let store = context.store()?;
    let most = store.find_text(&format!("{home}/static-max"))?.and_then(|text| text.trim().parse::<u64>().ok());
    check(kib, most).and_then(|()| leave_dom0_alive(domain, kib)).map_err(|failure| failure.at(label))?;
    context.control()?.set_max_memory(domain, kib.saturating_add(SLACK_KIB))?;
    store.write(&format!("{home}/target"), kib.to_string())?;
    Ok(())
}

/// Less than this no Linux can live in.
const LEAST_KIB: u64 = 4 << 10;

fn check(kib: u64, most: Option<u64>) -> Result<(), Failure> {
    if kib < LEAST_KIB {
        let why = format!("{kib} KiB are less than any guest can live in");
        return Err(Failure::new(Class::Usage, why).remedy("without a unit the size is in KiB: write 256m for 256 MiB"));
    }
    match most {
        Some(most) if kib > most => {
            let why = format!("{kib} KiB are more than its maximum of {most} KiB");
            Err(Failure::new(Class::Usage, why).remedy("set 'maxmem' in its configuration and create it anew"))
        }
        _ => Ok(()),
    }
}

/// Less than this dom0's kernel and tools cannot live in.
const LEAST_DOM0_KIB: u64 = 128 << 10;

fn leave_dom0_alive(domain: DomId, kib: u64) -> Result<(), Failure> {
    if domain == DomId::DOM0 && kib < LEAST_DOM0_KIB {
        let why = format!("{kib} KiB are less than dom0 can live in");
        return Err(Failure::new(Class::Usage, why).remedy(format!("leave it {LEAST_DOM0_KIB} KiB or more")));
    }
    Ok(())
}

/// Sets the limit.
pub(crate) fn max(args: &MaxArgs, context: &mut Context) -> Result<(), Failure> {
    let kib = size::kib(&args.size).at(|| "mem-max")?;
    set_limit(&args.domain, kib, context).at(|| "mem-max")
}

fn set_limit(domain: &str, kib: u64, context: &Context) -> Result<(), Failure> {
    let domain = context.domain(domain)?;
    let path = format!("/local/domain/{}/memory/target", domain.raw());
    let target = context.store()?.find_text(&path)?.and_then(|text| text.trim().parse::<u64>().ok());
    if let Some(target) = target.filter(|target| kib < *target) {
        let why = format!("{}: {kib} KiB are less than its target of {target} KiB", context.label(domain));
        return Err(Failure::new(Class::Usage, why).remedy("lower the target with 'xn mem-set' first"));
    }
    context.control()?.set_max_memory(domain, kib.saturating_add(SLACK_KIB))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dom0_keeps_what_it_needs() {
        let class = |domain, kib| leave_dom0_alive(DomId::new(domain), kib).map_err(|failure| failure.class());
        assert_eq!(class(0, 65_536), Err(Class::Usage));
        assert_eq!((class(0, 131_072), class(1, 65_536)), (Ok(()), Ok(())));
    }

    #[test]
    fn targets_are_checked() {
        let class = |kib, most| check(kib, most).map_err(|failure| failure.class());
        assert_eq!(class(256, None), Err(Class::Usage));
        assert_eq!(class(262_144, Some(262_144)), Ok(()));
        assert_eq!(class(262_145, Some(262_144)), Err(Class::Usage));
        assert_eq!(class(262_145, None), Ok(()));
    }
}
