// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn list` and `xn vm-list`.

use crate::commands::cpupool;
use crate::context::Context;
use crate::domain::Domain;
use crate::error::{At, Failure};
use crate::guests::record::Record;
use crate::output::{self, Align, OutputArgs, Table};
use domain_builder::config::{Config, Uuid};
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Options of `xn list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "States: r running, b blocked, p paused, s shut down, c crashed, d dying.\n\
                        Example: xn list -o json demo")]
pub(crate) struct Args {
    /// Everything that is known, as JSON, with the configuration
    #[arg(short = 'l', long)]
    pub(crate) long: bool,
    /// UUID and reason of shutdown too
    #[arg(short = 'v', long)]
    pub(crate) verbose: bool,
    /// Security labels too; without a security module there are none
    #[arg(short = 'Z', long)]
    pub(crate) context: bool,
    /// The CPU pool too
    #[arg(short = 'c', long)]
    pub(crate) cpupool: bool,
    /// NUMA node affinity too
    #[arg(short = 'n', long)]
    pub(crate) numa: bool,
    /// Names or numbers; all domains without any
    #[arg(value_name = "DOMAIN")]
    pub(crate) domains: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Options of `xn vm-list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn vm-list")]
pub(crate) struct VmArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Lists domains.
pub(crate) fn run(args: &Args, context: &mut Context) -> Result<(), Failure> {
    let domains = context.domains(&args.domains).at(|| "list")?;
    if args.long {
        return long(&domains);
    }
    let pools = args.cpupool.then(|| pool_names(&domains, context)).transpose().at(|| "list")?;
    let columns = Columns { verbose: args.verbose, context: args.context, cpupool: pools.as_ref(), numa: args.numa };
    args.output.print(&domains, |domains| table(domains, columns))
}

/// The names of the CPU pools that domains are in.
fn pool_names(domains: &[Domain], context: &Context) -> Result<PoolNames, Failure> {
    let mut names = PoolNames::new();
    for domain in domains {
        if let Entry::Vacant(entry) = names.entry(domain.cpupool) {
            entry.insert(cpupool::name(context, domain.cpupool)?);
        }
    }
    Ok(names)
}

/// Lists guests with UUIDs.
pub(crate) fn vm_list(args: &VmArgs, context: &mut Context) -> Result<(), Failure> {
    let mut domains = context.domains(&[]).at(|| "vm-list")?;
    domains.retain(|domain| domain.id != 0);
    let guests: Vec<Guest> = domains.into_iter().map(Guest::new).collect();
    args.output.print(&guests, |guests| vm_table(guests))
}

/// A line of `xn vm-list`.
#[derive(Debug, Serialize)]
struct Guest {
    uuid: String,
    id: u16,
    name: Option<String>,
}

impl Guest {
    fn new(domain: Domain) -> Self {
        Self { uuid: domain.uuid, id: domain.id, name: domain.name }
    }
}

fn vm_table(guests: &[Guest]) -> String {
    let mut table = Table::new(&[("UUID", 37, Align::Left), ("ID", 5, Align::Left), ("name", 0, Align::Left)]);
    for guest in guests {
        let name = guest.name.as_deref().unwrap_or("(null)");
        table.row([guest.uuid.clone(), guest.id.to_string(), name.to_owned()]);
    }
    table.render()
}

/// A domain with everything that is known of it.
#[derive(Debug, Serialize)]
struct Long<'a> {
    domid: u16,
    domain: &'a Domain,
    /// Whether `xn monitor` looks after it; null for a domain that `xn` did not create, as the next one.
    monitored: Option<bool>,
    /// As it will be made again, with changes made since its creation.
    config: Option<Config>,
}

fn long(domains: &[Domain]) -> Result<(), Failure> {
    let mut all = Vec::new();
    for domain in domains {
        let record = Record::load(Uuid::from_bytes(domain.info.uuid)).at(|| "list")?;
        let monitored = record.as_ref().map(|record| record.monitored);
        let config = record.map(|mut record| {
            record.config.forget_places();
            record.config
        });
        all.push(Long { domid: domain.id, domain, monitored, config });
    }
    output::json(&all)
}

type PoolNames = BTreeMap<u32, String>;

/// Which columns come after the usual ones.
#[derive(Clone, Copy, Debug, Default)]
struct Columns<'a> {
    verbose: bool,
    context: bool,
    /// Those of domains' pools, with the pools' names.
    cpupool: Option<&'a PoolNames>,
    numa: bool,
}

fn table(domains: &[Domain], show: Columns<'_>) -> String {
    let right = Align::Right;
    let mut columns = vec![
        ("Name", 40, Align::Left),
        ("ID", 5, right),
        ("Mem", 5, right),
        ("VCPUs", 5, right),
        ("State", 10, right),
        ("Time(s)", 9, right),
    ];
    if show.verbose {
        columns.extend([("UUID", 36, Align::Left), ("Reason-Code", 11, right)]);
    }
    if show.verbose || show.context {
        columns.push(("Security Label", 16, right));
    }
    if show.cpupool.is_some() {
        columns.push(("Cpupool", 16, right));
    }
    if show.numa {
        columns.push(("NODE Affinity", 13, Align::Left));
    }
    let mut table = Table::new(&columns);
    for domain in domains {
        let mib = domain.memory_kib.saturating_add(domain.claimed_kib) / 1024;
        let mut cells = vec![
            domain.label().to_owned(),
            domain.id.to_string(),
            mib.to_string(),
            domain.vcpus.to_string(),
            domain.state.clone(),
            seconds(domain.cpu_time_ns),
        ];
        if show.verbose {
            let code = domain.info.shutdown.map(|reason| format!("{:x}", reason.raw()));
            cells.extend([domain.uuid.clone(), code.unwrap_or_else(|| "-".into())]);
        }
        if show.verbose || show.context {
            // No security module: no labels.
            cells.push("-".into());
        }
        if let Some(names) = show.cpupool {
            cells.push(names.get(&domain.cpupool).cloned().unwrap_or_default());
        }
        if show.numa {
            cells.push("any node".into());
        }
        table.push(cells);
    }
    table.render()
}

/// Nanoseconds as seconds with one digit after the point.
pub(crate) fn seconds(ns: u64) -> String {
    let tenths = ns.saturating_add(50_000_000) / 100_000_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples;
    use hypercalls::sched::ShutdownReason;

    fn domains() -> Vec<Domain> {
        vec![
            Domain::new(samples::info(0, None), Some("Domain-0".into())),
            Domain::new(samples::info(12, Some(ShutdownReason::CRASH)), None),
        ]
    }

    #[test]
    fn the_table_is_that_of_xl() {
        assert_eq!(
            table(&domains(), Columns::default()),
            "\
Name                                        ID   Mem VCPUs      State   Time(s)
Domain-0                                     0   257     2     -b----       1.2
(null)                                      12   257     2     ---sc-       1.2
"
        );
    }

    #[test]
    fn more_columns() {
        let pools = PoolNames::from([(0, "Pool-0".into())]);
        let text = table(&domains(), Columns { verbose: true, context: true, cpupool: Some(&pools), numa: true });
        let last = text.lines().last().unwrap();
        assert!(
            last.ends_with(
                "30313233-3435-3637-3839-616263646566           3                -           Pool-0 any node"
            ),
            "{last}"
        );
    }

    #[test]
    fn guests_have_their_own_table() {
        let guests: Vec<Guest> = domains().into_iter().skip(1).map(Guest::new).collect();
        assert_eq!(
            vm_table(&guests),
            "\
UUID                                  ID    name
30313233-3435-3637-3839-616263646566  12    (null)
"
        );
        assert_eq!(
            serde_json::to_string(&guests).unwrap(),
            r#"[{"uuid":"30313233-3435-3637-3839-616263646566","id":12,"name":null}]"#
        );
    }

    #[test]
    fn seconds_are_rounded() {
        assert_eq!(seconds(0), "0.0");
        assert_eq!(seconds(1_249_999_999), "1.2");
        assert_eq!(seconds(59_950_000_000), "60.0");
    }
}
