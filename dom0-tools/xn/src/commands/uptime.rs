// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn uptime`.

use crate::context::Context;
use crate::domain::Domain;
use crate::error::{At, Class, Failure};
use crate::output::{Align, Table};
use serde::Serialize;
use std::time::{SystemTime, UNIX_EPOCH};

/// Options of `xn uptime`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn uptime demo")]
pub(crate) struct Args {
    /// In a sentence, with the time of day
    #[arg(short = 's', long)]
    pub(crate) short: bool,
    /// Names or numbers; all domains without any
    #[arg(value_name = "DOMAIN")]
    pub(crate) domains: Vec<String>,
    #[command(flatten)]
    pub(crate) output: crate::output::OutputArgs,
}

/// Shows for how long domains have been there.
pub(crate) fn run(args: &Args, context: &mut Context) -> Result<(), Failure> {
    let now = seconds_since_epoch();
    let mut all = Vec::new();
    for domain in context.domains(&args.domains).at(|| "uptime")? {
        let uptime_s = if domain.id == 0 { own_uptime().at(|| "uptime")? } else { age(&domain, now, context)? };
        all.push(Uptime { name: domain.name, id: domain.id, uptime_s });
    }
    args.output.print(&all, |all| if args.short { sentences(all, now) } else { table(all) })
}

/// A line of `xn uptime`.
#[derive(Debug, Serialize)]
struct Uptime {
    name: Option<String>,
    id: u16,
    /// Seconds; null for a domain whose creation nobody noted.
    uptime_s: Option<u64>,
}

fn seconds_since_epoch() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// How long ago the toolstack noted the creation.
fn age(domain: &Domain, now: u64, context: &Context) -> Result<Option<u64>, Failure> {
    let Ok(store) = context.store() else { return Ok(None) };
    let started = store.find_text(&format!("/vm/{}/start_time", domain.uuid)).at(|| "uptime")?;
    Ok(started.and_then(|text| parse_time(&text)).map(|started| now.saturating_sub(started)))
}

/// Whole seconds of a text such as `1700000000.25`.
fn parse_time(text: &str) -> Option<u64> {
    text.trim().split('.').next()?.parse().ok()
}

/// dom0's own age is that of its kernel.
fn own_uptime() -> Result<Option<u64>, Failure> {
    let path = "/proc/uptime";
    let text = std::fs::read_to_string(path).map_err(|why| Failure::new(Class::Failed, why).at(path))?;
    Ok(parse_time(text.split(' ').next().unwrap_or_default()))
}

/// `1 day, 2:03:04`.
fn duration(seconds: u64) -> String {
    let (days, rest) = (seconds / 86400, seconds % 86400);
    let time = format!("{}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    match days {
        0 => time,
        1 => format!("1 day, {time}"),
        _ => format!("{days} days, {time}"),
    }
}

fn told(uptime: &Uptime) -> String {
    uptime.uptime_s.map_or_else(|| "unknown".into(), duration)
}

fn table(all: &[Uptime]) -> String {
    let mut table = Table::new(&[("Name", 33, Align::Left), ("ID", 4, Align::Right), ("Uptime", 0, Align::Left)]);
    for one in all {
        table.row([one.name.clone().unwrap_or_else(|| "(null)".into()), one.id.to_string(), told(one)]);
    }
    table.render()
}

/// A sentence for each, as `uptime` has it; the time of day is UTC, which needs no table of time zones.
fn sentences(all: &[Uptime], now: u64) -> String {
    let day = now % 86400;
    let clock = format!("{:02}:{:02}:{:02}", day / 3600, day / 60 % 60, day % 60);
    let one =
        |one: &Uptime| format!("{clock} up {}, {} ({})\n", told(one), one.name.as_deref().unwrap_or("(null)"), one.id);
    all.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Uptime> {
        vec![
            Uptime { name: Some("Domain-0".into()), id: 0, uptime_s: Some(3725) },
            Uptime { name: None, id: 12, uptime_s: None },
        ]
    }

    #[test]
    fn durations() {
        assert_eq!(duration(0), "0:00:00");
        assert_eq!(duration(86400 + 3661), "1 day, 1:01:01");
        assert_eq!(duration(3 * 86400), "3 days, 0:00:00");
        assert_eq!(parse_time("1700000000.25"), Some(1_700_000_000));
        assert_eq!(parse_time("soon"), None);
    }

    #[test]
    fn tables_and_sentences() {
        assert_eq!(
            table(&all()),
            "\
Name                                ID Uptime
Domain-0                             0 1:02:05
(null)                              12 unknown
"
        );
        assert_eq!(sentences(&all()[..1], 45296), "12:34:56 up 1:02:05, Domain-0 (0)\n");
        assert_eq!(serde_json::to_string(&all()[1]).unwrap(), r#"{"name":null,"id":12,"uptime_s":null}"#);
    }
}
