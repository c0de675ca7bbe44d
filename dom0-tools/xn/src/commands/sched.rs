// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn sched-credit2`.

use crate::commands::cpupool;
use crate::context::Context;
use crate::error::{At, Class, Failure};
use crate::output::{self, Align, OutputArgs, Table};
use serde::Serialize;
use xen_control::{Control, Share};

/// Options of `xn sched-credit2`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Without options: all domains.\nExample: xn sched-credit2 -d demo -w 512 -c 50")]
pub(crate) struct Args {
    /// The domain to show or to change, by name or number
    #[arg(short = 'd', long, value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    /// Its share of the CPUs relative to others', 256 by default
    #[arg(short = 'w', long, value_name = "WEIGHT", value_parser = clap::value_parser!(u16).range(1..), requires = "domain")]
    pub(crate) weight: Option<u16>,
    /// The most it may have, in percent of one CPU; 0 for no limit
    #[arg(short = 'c', long, value_name = "CAP", requires = "domain")]
    pub(crate) cap: Option<u16>,
    /// The scheduler's own parameters instead of domains'
    #[arg(short = 's', long, conflicts_with = "domain")]
    pub(crate) schedparam: bool,
    /// Of which CPU pool
    #[arg(
        short = 'p',
        long,
        value_name = "POOL",
        default_value = "0",
        hide_default_value = true,
        requires = "schedparam"
    )]
    pub(crate) cpupool: String,
    /// Set how long a vCPU runs at least before another may take its CPU, in microseconds: 100 to 500000, or 0
    #[arg(short = 'r', long = "ratelimit_us", value_name = "RLIMIT", requires = "schedparam")]
    pub(crate) ratelimit_us: Option<u32>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A line of `xn sched-credit2`.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Row {
    name: Option<String>,
    id: u16,
    weight: u16,
    cap: u16,
    /// Its CPU pool.
    cpupool: u32,
}

/// What `xn sched-credit2 -s` shows.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Parameters {
    cpupool: String,
    ratelimit_us: u32,
}

/// Shows or changes shares, or the scheduler's parameters.
pub(crate) fn run(args: &Args, context: &mut Context) -> Result<(), Failure> {
    sched(args, context).at(|| "sched-credit2")
}

fn sched(args: &Args, context: &Context) -> Result<(), Failure> {
    let control = context.control()?;
    if args.schedparam {
        let (name, pool) = cpupool::find(context, &args.cpupool)?;
        return match args.ratelimit_us {
            Some(ratelimit_us) => Ok(control.set_ratelimit_us(pool.id, ratelimit_us)?),
            None => args.output.print(&parameters(name, pool.id, control)?, Parameters::text),
        };
    }
    if args.weight.is_some() || args.cap.is_some() {
        return set(args, context);
    }
    let wanted = args.domain.as_slice();
    let mut rows = Vec::new();
    for domain in context.domains(wanted)? {
        // One that has ended meanwhile is none of all domains any more.
        match control.share(domain.dom_id()) {
            Ok(Share { weight, cap }) => {
                rows.push(Row { name: domain.name.clone(), id: domain.id, weight, cap, cpupool: domain.cpupool });
            }
            Err(error) if error.is_no_domain() && wanted.is_empty() => {}
            Err(error) => return Err(error.into()),
        }
    }
    if !wanted.is_empty() || args.output.is_json() {
        return args.output.print(&rows, |rows| table(rows));
    }
    let mut text = String::new();
    for (name, pool) in cpupool::all(context)? {
        let of_it: Vec<&Row> = rows.iter().filter(|row| row.cpupool == pool.id).collect();
        text += &parameters(name, pool.id, control)?.text();
        text += &table(of_it);
    }
    output::text(&text)
}

fn set(args: &Args, context: &Context) -> Result<(), Failure> {
    let Some(name) = &args.domain else { return Err(Failure::new(Class::Usage, "no domain is named")) };
    let domain = context.domain_info(name)?;
    let control = context.control()?;
    let old = control.share(domain.id)?;
    let share = Share { weight: args.weight.unwrap_or(old.weight), cap: args.cap.unwrap_or(old.cap) };
    let most = domain.vcpus.saturating_mul(100);
    if args.cap.is_some_and(|cap| u32::from(cap) > most) {
        let why = format!("{} has {} vCPUs: a cap beyond {most} means nothing", context.label(domain.id), domain.vcpus);
        return Err(Failure::new(Class::Usage, why).remedy("0 is no limit"));
    }
    Ok(control.set_share(domain.id, share)?)
}

fn parameters(cpupool: String, pool: u32, control: &Control) -> Result<Parameters, Failure> {
    Ok(Parameters { cpupool, ratelimit_us: control.ratelimit_us(pool)? })
}

impl Parameters {
    fn text(&self) -> String {
        format!("Cpupool {}: ratelimit={}us\n", self.cpupool, self.ratelimit_us)
    }
}

fn table<'a>(rows: impl IntoIterator<Item = &'a Row>) -> String {
    let right = Align::Right;
    let mut table = Table::new(&[("Name", 33, Align::Left), ("ID", 4, right), ("Weight", 6, right), ("Cap", 4, right)]);
    for row in rows {
        let name = row.name.clone().unwrap_or_else(|| "(null)".into());
        table.row([name, row.id.to_string(), row.weight.to_string(), row.cap.to_string()]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_that_of_xl() {
        let rows = vec![
            Row { name: Some("Domain-0".into()), id: 0, weight: 256, cap: 0, cpupool: 0 },
            Row { name: Some("demo".into()), id: 17, weight: 65535, cap: 150, cpupool: 0 },
        ];
        assert_eq!(
            table(&rows),
            "\
Name                                ID Weight  Cap
Domain-0                             0    256    0
demo                                17  65535  150
"
        );
        assert_eq!(
            serde_json::to_string(&rows[1]).unwrap(),
            r#"{"name":"demo","id":17,"weight":65535,"cap":150,"cpupool":0}"#
        );
        let parameters = Parameters { cpupool: "Pool-0".into(), ratelimit_us: 1000 };
        assert_eq!(parameters.text(), "Cpupool Pool-0: ratelimit=1000us\n");
        assert_eq!(serde_json::to_string(&parameters).unwrap(), r#"{"cpupool":"Pool-0","ratelimit_us":1000}"#);
    }
}
