// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn vcpu-list`, `vcpu-set`, `vcpu-pin`.

use crate::commands::list::seconds;
use crate::context::Context;
use crate::cpu_set;
use crate::domain::Domain;
use crate::error::{At, Class, Failure};
use crate::output::{Align, Table};
use hypercalls::VcpuId;
use serde::Serialize;
use xen_control::{Control, ControlError, DomainInfo, VcpuInfo};

/// Options of `xn vcpu-list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "States: r running, b blocked, p offline.\nExample: xn vcpu-list demo")]
pub(crate) struct ListArgs {
    /// Names or numbers; all domains without any
    #[arg(value_name = "DOMAIN")]
    pub(crate) domains: Vec<String>,
    #[command(flatten)]
    pub(crate) output: crate::output::OutputArgs,
}

/// Options of `xn vcpu-set`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn vcpu-set demo 2")]
pub(crate) struct SetArgs {
    /// More vCPUs than the host has CPUs are no reason to ask
    #[arg(short = 'i', long = "ignore-host")]
    pub(crate) ignore_host: bool,
    /// Name or number
    pub(crate) domain: String,
    /// How many vCPUs
    #[arg(value_name = "COUNT")]
    pub(crate) count: u32,
}

/// Options of `xn vcpu-pin`.
#[derive(Debug, clap::Args)]
#[command(after_help = "CPUs: '0-3,^2', 'all', 'node:1', or '-' to leave them as they are.\n\
                        Example: xn vcpu-pin demo all 0-1")]
pub(crate) struct PinArgs {
    /// Override a pinning by the operating system
    #[arg(short = 'f', long)]
    pub(crate) force: bool,
    /// Name or number
    pub(crate) domain: String,
    /// Number of the vCPU, or 'all'
    pub(crate) vcpu: String,
    /// CPUs it must run on
    #[arg(value_name = "HARD", allow_hyphen_values = true)]
    pub(crate) hard: String,
    /// CPUs it had better run on
    #[arg(value_name = "SOFT", allow_hyphen_values = true)]
    pub(crate) soft: Option<String>,
}

/// Lists vCPUs.
pub(crate) fn list(args: &ListArgs, context: &mut Context) -> Result<(), Failure> {
    let domains = context.domains(&args.domains).at(|| "vcpu-list")?;
    let host = context.control()?.host().at(|| "vcpu-list")?.max_cpu.saturating_add(1);
    let mut all = Vec::new();
    for domain in &domains {
        for number in 0..domain.max_vcpus {
            all.extend(describe(context.control()?, domain, number, host).at(|| "vcpu-list")?);
        }
    }
    args.output.print(&all, |all| table(all))
}

/// A line of `xn vcpu-list`.
#[derive(Debug, Serialize)]
struct Vcpu {
    name: Option<String>,
    id: u16,
    vcpu: u32,
    /// The CPU it is on or was on; null while it is offline.
    cpu: Option<u32>,
    /// `r--` running, `-b-` blocked, `---` waiting for a CPU, `--p` offline.
    state: &'static str,
    cpu_time_ns: u64,
    hard_affinity: String,
    soft_affinity: String,
}

/// A vCPU that went away meanwhile with its domain is none.
fn describe(control: &Control, domain: &Domain, number: u32, host: u32) -> Result<Option<Vcpu>, ControlError> {
    let vcpu = VcpuId::new(number);
    let both = control.vcpu_info(domain.dom_id(), vcpu).and_then(|info| {
        let affinity = control.affinity(domain.dom_id(), vcpu)?;
        Ok((info, affinity))
    });
    let (info, affinity) = match both {
        Ok(both) => both,
        Err(error) if error.is_no_domain() => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(Vcpu {
        name: domain.name.clone(),
        id: domain.id,
        vcpu: number,
        cpu: info.online.then_some(info.cpu),
        state: state(&info),
        cpu_time_ns: info.cpu_time_ns,
        hard_affinity: cpu_set::text(&affinity.hard, host),
        soft_affinity: cpu_set::text(&affinity.soft, host),
    }))
}

fn state(info: &VcpuInfo) -> &'static str {
    match info {
        VcpuInfo { online: false, .. } => "--p",
        VcpuInfo { running: true, .. } => "r--",
        VcpuInfo { blocked: true, .. } => "-b-",
        _ => "---",
    }
}

fn table(all: &[Vcpu]) -> String {
    let right = Align::Right;
    let mut table = Table::new(&[
        ("Name", 32, Align::Left),
        ("ID", 5, right),
        ("VCPU", 5, right),
        ("CPU", 5, right),
        ("State", 5, right),
        ("Time(s)", 9, right),
        ("Affinity (Hard / Soft)", 0, Align::Left),
    ]);
    for one in all {
        table.row([
            one.name.clone().unwrap_or_else(|| "(null)".into()),
            one.id.to_string(),
            one.vcpu.to_string(),
            one.cpu.map_or_else(|| "-".into(), |cpu| cpu.to_string()),
            one.state.into(),
            seconds(one.cpu_time_ns),
            format!("{} / {}", one.hard_affinity, one.soft_affinity),
        ]);
    }
    table.render()
}

/// Asks the guest to use so many vCPUs: those from the last on go first.
pub(crate) fn set(args: &SetArgs, context: &mut Context) -> Result<(), Failure> {
    let domain = context.domain_info(&args.domain).at(|| "vcpu-set")?;
    let host = context.control()?.host().at(|| "vcpu-set")?.cpus;
    let label = context.label(domain.id);
    wanted(args, &domain, host).map_err(|failure| failure.at(label).at("vcpu-set"))?;
    let home = format!("/local/domain/{}/cpu", domain.id.raw());
    let store = context.store()?;
    let written = store.transaction(|nodes| {
        (0..domain.vcpus).try_for_each(|cpu| {
            let word = if cpu < args.count { "online" } else { "offline" };
            nodes.write(&format!("{home}/{cpu}/availability"), word)
        })
    });
    written.at(|| "vcpu-set")
}

/// Whether that number can be had.
fn wanted(args: &SetArgs, domain: &DomainInfo, host: u32) -> Result<(), Failure> {
    let count = args.count;
    if count == 0 {
        return Err(Failure::new(Class::Usage, "a domain needs at least one vCPU"));
    }
    if count > domain.vcpus {
        let why = format!("it was created with at most {} vCPUs", domain.vcpus);
        return Err(Failure::new(Class::Usage, why).remedy("set 'maxvcpus' in its configuration and create it anew"));
    }
    if count > host && count > domain.online_vcpus && !args.ignore_host {
        let why = format!("{count} vCPUs are more than the host's {host} CPUs");
        return Err(Failure::new(Class::Conflict, why).remedy("add --ignore-host if they are wanted all the same"));
    }
    Ok(())
}

/// Sets affinities.
pub(crate) fn pin(args: &PinArgs, context: &mut Context) -> Result<(), Failure> {
    pin_vcpus(args, context).at(|| "vcpu-pin")
}

fn pin_vcpus(args: &PinArgs, context: &Context) -> Result<(), Failure> {
    let control = context.control()?;
    let host = control.host()?.max_cpu.saturating_add(1);
    let places = control.cpu_places()?;
    // A hyphen leaves the set as it is.
    let cpus = |text: &str| (text != "-").then(|| cpu_set::parse(text, host, &places)).transpose();
    let hard = cpus(&args.hard)?;
    let soft = args.soft.as_deref().map_or(Ok(None), cpus)?;
    let domain = context.domain_info(&args.domain)?;
    let vcpus = match args.vcpu.as_str() {
        "all" => 0..domain.vcpus,
        text => {
            let bad = || {
                let why = format!("{} has no vCPU '{text}'", context.label(domain.id));
                Failure::new(Class::Usage, why).remedy(format!("write 0 to {}, or 'all'", domain.vcpus.wrapping_sub(1)))
            };
            let number: u32 = text.parse().ok().filter(|number| *number < domain.vcpus).ok_or_else(bad)?;
            number..number.saturating_add(1)
        }
    };
    for vcpu in vcpus {
        let (vcpu, hard, soft) = (VcpuId::new(vcpu), hard.as_ref(), soft.as_ref());
        if args.force {
            control.force_affinity(domain.id, vcpu, hard, soft)?;
        } else {
            control.set_affinity(domain.id, vcpu, hard, soft)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples;

    #[test]
    fn the_table_is_that_of_xl() {
        let one = |vcpu, cpu, state| Vcpu {
            name: Some("demo".into()),
            id: 3,
            vcpu,
            cpu,
            state,
            cpu_time_ns: 6_500_000_000,
            hard_affinity: "all".into(),
            soft_affinity: "0-1".into(),
        };
        let all = [one(0, Some(1), "-b-"), one(1, None, "--p")];
        assert_eq!(
            table(&all),
            "\
Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)
demo                                 3     0     1   -b-       6.5 all / 0-1
demo                                 3     1     -   --p       6.5 all / 0-1
"
        );
        assert_eq!(
            serde_json::to_string(&all[1]).unwrap(),
            concat!(
                r#"{"name":"demo","id":3,"vcpu":1,"cpu":null,"state":"--p","cpu_time_ns":6500000000,"#,
                r#""hard_affinity":"all","soft_affinity":"0-1"}"#
            )
        );
    }

    #[test]
    fn numbers_of_vcpus_are_checked() {
        let domain = samples::info(1, None);
        let ask = |count, ignore_host| {
            let args = SetArgs { ignore_host, domain: "demo".into(), count };
            wanted(&args, &domain, 2).map_err(|failure| failure.class())
        };
        assert_eq!(ask(0, false), Err(Class::Usage));
        assert_eq!(ask(1, false), Ok(()));
        assert_eq!(ask(2, false), Ok(()));
        assert_eq!(ask(3, false), Err(Class::Conflict));
        assert_eq!(ask(4, true), Ok(()));
        assert_eq!(ask(5, true), Err(Class::Usage));
    }
}
