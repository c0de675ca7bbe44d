// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn store quota`: the server's limits, what each domain uses of them, and how often it was refused.

use super::QuotaArgs;
use crate::context::Context;
use crate::error::{At, Class, Failure};
use crate::output::{Align, Table};
use hypercalls::DomId;
use serde::Serialize;
use std::collections::BTreeMap;
use xenstore::client::{Client, Error};

/// What is printed.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Report {
    limits: BTreeMap<String, u64>,
    domains: Vec<Usage>,
}

/// What one domain uses.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Usage {
    name: Option<String>,
    id: u16,
    nodes: u64,
    watches: u64,
    transactions: u64,
    /// How often it met a limit; null with a server that does not count.
    refused: Option<u64>,
    /// The same for each limit it met.
    refused_for: BTreeMap<String, u64>,
}

/// Shows limits and use, or sets a limit.
pub(super) fn run(args: &QuotaArgs, context: &mut Context) -> Result<(), Failure> {
    if let Some(setting) = &args.set {
        return set(setting, context.store()?).at(|| "quota");
    }
    let only = args.domain.as_deref().map(|text| context.domain(text)).transpose().at(|| "quota")?;
    let store = context.store()?;
    let limits = limits(&store.control(&["quota"]).at(|| "quota")?);
    let mut domains = match all_usage(store) {
        // Xen's own servers have no such command: they are asked for each domain.
        Err(error) if error.reason().is_some() => each_usage(store, context).at(|| "quota")?,
        domains => domains.at(|| "quota")?,
    };
    domains.retain(|usage| only.is_none_or(|only| only.raw() == usage.id));
    for usage in &mut domains {
        usage.name = context.name(DomId::new(usage.id)).at(|| "quota")?;
    }
    args.output.print(&Report { limits, domains }, table)
}

fn set(setting: &str, store: &Client) -> Result<(), Failure> {
    let parts = setting.split_once('=').filter(|(_, value)| value.parse::<u64>().is_ok());
    let Some((name, value)) = parts else {
        let why = format!("'{setting}' sets nothing");
        return Err(Failure::new(Class::Usage, why).remedy("write NAME=NUMBER, as in nodes=2000"));
    };
    let known = limits(&store.control(&["quota"])?);
    if !known.contains_key(name) {
        let near = crate::near::question(name, known.keys().map(String::as_str));
        let why = format!("there is no limit '{name}'");
        return Err(Failure::new(Class::Usage, why).remedy(near.unwrap_or_else(|| "see 'xn store quota'".into())));
    }
    store.control(&["quota", "set", name, value])?;
    Ok(())
}

/// Lines such as `nodes : 1000 Nodes per domain`.
fn limits(answer: &str) -> BTreeMap<String, u64> {
    let limit = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        Some((name.trim().to_owned(), rest.split_whitespace().next()?.parse().ok()?))
    };
    answer.lines().filter_map(limit).collect()
}

/// As many answers as it takes; each begins where the last one ended.
fn all_usage(store: &Client) -> Result<Vec<Usage>, Error> {
    let mut all: Vec<Usage> = Vec::new();
    loop {
        let first = all.last().map_or(0, |usage| usage.id.saturating_add(1)).to_string();
        let answer = store.control(&["usage", &first])?;
        let before = all.len();
        all.extend(answer.lines().filter_map(usage_line));
        if all.len() == before {
            return Ok(all);
        }
    }
}

/// `ID NODES WATCHES TRANSACTIONS REFUSED [LIMIT=COUNT]...`
fn usage_line(line: &str) -> Option<Usage> {
    let mut words = line.split_whitespace();
    let id = words.next()?.parse().ok()?;
    let mut number = || words.next()?.parse::<u64>().ok();
    let (nodes, watches, transactions, refused) = (number()?, number()?, number()?, number()?);
    let reason = |word: &str| {
        let (name, count) = word.split_once('=')?;
        Some((name.to_owned(), count.parse().ok()?))
    };
    let refused_for = words.filter_map(reason).collect();
    Some(Usage { name: None, id, nodes, watches, transactions, refused: Some(refused), refused_for })
}

fn each_usage(store: &Client, context: &Context) -> Result<Vec<Usage>, Failure> {
    let mut all = Vec::new();
    for info in context.control()?.domains()? {
        match store.control(&["quota", &info.id.raw().to_string()]) {
            Ok(answer) => all.push(usage_of(info.id.raw(), &limits(&answer))),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(all)
}

fn usage_of(id: u16, numbers: &BTreeMap<String, u64>) -> Usage {
    let number = |name: &str| numbers.get(name).copied().unwrap_or_default();
    Usage {
        id,
        nodes: number("nodes"),
        watches: number("watches"),
        transactions: number("transactions"),
        ..Usage::default()
    }
}

fn table(report: &Report) -> String {
    let right = Align::Right;
    let mut limits = Table::new(&[("Limit", 20, Align::Left), ("Value", 10, right)]);
    for (name, value) in &report.limits {
        limits.row([name.clone(), value.to_string()]);
    }
    let mut domains = Table::new(&[
        ("Name", 32, Align::Left),
        ("ID", 5, right),
        ("Nodes", 7, right),
        ("Watches", 7, right),
        ("Transactions", 12, right),
        ("Refused", 7, right),
        ("Because of", 0, Align::Left),
    ]);
    for usage in &report.domains {
        let reasons: Vec<String> = usage.refused_for.iter().map(|(name, count)| format!("{name} {count}")).collect();
        domains.row([
            usage.name.clone().unwrap_or_else(|| "(null)".into()),
            usage.id.to_string(),
            usage.nodes.to_string(),
            usage.watches.to_string(),
            usage.transactions.to_string(),
            usage.refused.map_or_else(|| "-".into(), |count| count.to_string()),
            reasons.join(", "),
        ]);
    }
    format!("{}\n{}", limits.render(), domains.render())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_from_both_servers() {
        let text = "Quota settings:\nnodes            :     1000 Nodes per domain\nnode-size: 2048\n";
        let expected = [("nodes".to_owned(), 1000), ("node-size".to_owned(), 2048)];
        assert_eq!(limits(text), expected.into_iter().collect());
        let one = usage_of(3, &limits("Domain 3:\nnodes           :       12\nwatches         :        6\n"));
        assert_eq!((one.id, one.nodes, one.watches, one.refused), (3, 12, 6, None));
    }

    #[test]
    fn lines_of_use_are_read() {
        let usage = usage_line("7 12 6 1 5 nodes=3 watches=2").unwrap();
        assert_eq!((usage.id, usage.nodes, usage.watches, usage.transactions, usage.refused), (7, 12, 6, 1, Some(5)));
        assert_eq!(usage.refused_for, [("nodes".to_owned(), 3), ("watches".to_owned(), 2)].into_iter().collect());
        assert_eq!(usage_line("7 12 6"), None);
    }

    #[test]
    fn the_report_is_stable() {
        let domains = vec![
            Usage { name: Some("Domain-0".into()), ..usage_line("0 90 9 0 0").unwrap() },
            Usage { name: Some("demo".into()), ..usage_line("7 12 6 1 5 nodes=3 watches=2").unwrap() },
        ];
        let report = Report { limits: [("nodes".to_owned(), 1000)].into_iter().collect(), domains };
        assert_eq!(
            table(&report),
            "\
Limit                     Value
nodes                      1000

Name                                ID   Nodes Watches Transactions Refused Because of
Domain-0                             0      90       9            0       0
demo                                 7      12       6            1       5 nodes 3, watches 2
"
        );
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            concat!(
                r#"{"limits":{"nodes":1000},"domains":[{"name":"Domain-0","id":0,"nodes":90,"watches":9,"transactions":0,"#,
                r#""refused":0,"refused_for":{}},{"name":"demo","id":7,"nodes":12,"watches":6,"transactions":1,"#,
                r#""refused":5,"refused_for":{"nodes":3,"watches":2}}]}"#
            )
        );
    }
}
