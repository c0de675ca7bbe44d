// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! `XS_CONTROL`: commands to the server itself. Names and answers are Xen's, but for `usage`, which Xen has not.

use crate::perms::parse_domain;
use crate::quota::{Quota, Refusal};
use crate::store::{Action, Outcome, Store};
use hypercalls::ids::DomId;
use hypercalls::io::xs_wire::PAYLOAD_MAX;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use xenstore::{Error, Message, strings};

const HELP: &str =
    "check\t\nlog\ton|off\nmemreport\t\nprint\t<string>\nquota\t[set <name> <val>|<domid>]\nusage\t[<domid>]\nhelp\t\n";

impl Store {
    pub(crate) fn control(&mut self, request: &Message, out: &mut Outcome) -> Result<Vec<u8>, Refusal> {
        let (parts, _) = strings(&request.payload);
        let (command, arguments) = parts.split_first().ok_or(Error::Invalid)?;
        let mut answer = match (*command, arguments) {
            (b"check", []) => self.check(),
            (b"help", _) => HELP.to_owned(),
            (b"log", [switch @ (b"on" | b"off")]) => {
                out.action = Some(Action::Trace(*switch == b"on"));
                "OK".to_owned()
            }
            (b"print", [text]) => {
                out.action = Some(Action::Print(text.escape_ascii().to_string()));
                "OK".to_owned()
            }
            (b"memreport", []) => self.report(),
            (b"quota", []) => self.describe_limits(),
            (b"quota", [b"set", name, value]) => {
                let quota = Quota::from_name(name).ok_or(Error::Invalid)?;
                let value = str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(Error::Invalid)?;
                self.limits.set(quota, value);
                self.note(crate::effect::Kind::Limit(quota, value));
                "OK".to_owned()
            }
            (b"quota", [domain]) => self.describe_usage(parse_domain(domain)?)?,
            (b"usage", []) => self.list_usage(DomId::DOM0),
            (b"usage", [first]) => self.list_usage(parse_domain(first)?),
            _ => return Err(Error::Invalid.into()),
        }
        .into_bytes();
        answer.push(0);
        Ok(answer)
    }

    /// Whether the counts of nodes are right; it looks at every node.
    fn check(&self) -> String {
        let mut counted = BTreeMap::<DomId, u64>::new();
        self.tree.visit(|_, node| {
            let count = counted.entry(node.perms().owner()).or_default();
            *count = count.saturating_add(1);
            true
        });
        let kept: BTreeMap<_, _> =
            self.counters.domains().map(|(id, usage)| (id, usage.nodes)).filter(|(_, nodes)| *nodes > 0).collect();
        if counted == kept { "OK".to_owned() } else { format!("node counts are {kept:?}, but there are {counted:?}") }
    }

    fn report(&self) -> String {
        let mut nodes = 0_u64;
        let mut bytes = 0_usize;
        self.tree.visit(|path, node| {
            nodes = nodes.saturating_add(1);
            bytes = bytes.saturating_add(path.len()).saturating_add(node.value().len());
            true
        });
        let transactions: usize = self.connections.values().map(|connection| connection.transactions.len()).sum();
        format!(
            "nodes: {nodes}\nbytes of paths and values: {bytes}\nconnections: {}\ndomains: {}\ntransactions: {transactions}\n",
            self.connections.len(),
            self.domains.len()
        )
    }

    fn describe_limits(&self) -> String {
        let mut text = "Quota settings:\n".to_owned();
        for quota in Quota::ALL {
            // Writing to a string does not fail.
            let _ok = writeln!(text, "{:<17}: {:>8} {}", quota.name(), self.limits.get(*quota), quota.meaning());
        }
        text
    }

    fn used(&self, domain: DomId) -> (u64, usize, usize) {
        let nodes = self.counters.usage(domain).nodes;
        let ring = self.ring_of(domain);
        let transactions = ring.and_then(|ring| self.connections.get(&ring)).map_or(0, |ring| ring.transactions.len());
        (nodes, ring.map_or(0, |ring| self.watches.count(ring)), transactions)
    }

    /// One domain in Xen's format, followed by how often it was refused.
    fn describe_usage(&self, domain: DomId) -> Result<String, Error> {
        let usage = self.counters.usage(domain);
        if usage == crate::quota::Usage::default() && !self.domains.contains_key(&domain) {
            return Err(Error::NotFound);
        }
        let (nodes, watches, transactions) = self.used(domain);
        let mut text = format!("Domain {}:\n", domain.raw());
        let lines = [("nodes", nodes), ("watches", watches as u64), ("transactions", transactions as u64)];
        let refused = usage.refused.counts().filter(|(_, count)| *count > 0);
        let refused = refused.map(|(quota, count)| (format!("refused {}", quota.name()), count));
        for (name, value) in lines.map(|(name, value)| (name.to_owned(), value)).into_iter().chain(refused) {
            let _ok = writeln!(text, "{name:<16}: {value:>8}");
        }
        Ok(text)
    }

    /// One line for each domain from `first` on, as many as fit: number, nodes, watches, transactions, refusals, and why it was refused.
    fn list_usage(&self, first: DomId) -> String {
        let mut text = String::new();
        let known = self.domains.keys().copied().chain(self.counters.domains().map(|(id, _)| id));
        let known: BTreeSet<DomId> = known.filter(|id| *id >= first).collect();
        for domain in known {
            let (nodes, watches, transactions) = self.used(domain);
            let refused = self.counters.usage(domain).refused;
            let mut line = format!("{} {nodes} {watches} {transactions} {}", domain.raw(), refused.total());
            for (quota, count) in refused.counts().filter(|(_, count)| *count > 0) {
                let _ok = write!(line, " {}={count}", quota.name());
            }
            // The newline, and the NUL at the end.
            if text.len().saturating_add(line.len()).saturating_add(2) > PAYLOAD_MAX {
                break;
            }
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}
