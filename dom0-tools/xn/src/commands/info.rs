// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn info` and `xn claims`.

use crate::commands::list::seconds;
use crate::context::Context;
use crate::domain::Domain;
use crate::error::{At, Class, Failure};
use crate::near;
use crate::output::{Align, OutputArgs, Table};
use hypercalls::domctl::vcpu::SchedulerId;
use hypercalls::sysctl::PhysCaps;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::fmt;
use xen_control::Control;

/// Options of `xn info`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn info free_memory")]
pub(crate) struct Args {
    /// The CPUs' places and the memory nodes too
    #[arg(short = 'n', long)]
    pub(crate) numa: bool,
    /// Only this fact, without its name
    #[arg(value_name = "FIELD")]
    pub(crate) field: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Options of `xn claims`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn claims")]
pub(crate) struct ClaimsArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Shows the host.
pub(crate) fn run(args: &Args, context: &mut Context) -> Result<(), Failure> {
    let facts = gather(context.control()?).at(|| "info")?;
    if let Some(field) = &args.field {
        let Some((_, value)) = facts.iter().find(|(name, _)| name == field) else {
            let remedy = near::question(field, facts.iter().map(|(name, _)| *name));
            return Err(Failure::new(Class::Usage, format!("there is no fact '{field}'"))
                .remedy(remedy.unwrap_or_else(|| "see 'xn info'".into()))
                .at("info"));
        };
        return args.output.print(value, |value| format!("{value}\n"));
    }
    let places = if args.numa { Some(Places::gather(context.control()?).at(|| "info")?) } else { None };
    args.output.print(&Document { facts, places }, Document::text)
}

/// A value of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Fact {
    Number(u64),
    Text(String),
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// What is printed: in JSON one object, its members in this order.
struct Document {
    facts: Vec<(&'static str, Fact)>,
    places: Option<Places>,
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, fact) in &self.facts {
            map.serialize_entry(name, fact)?;
        }
        if let Some(places) = &self.places {
            map.serialize_entry("cpu_topology", &places.cpus)?;
            map.serialize_entry("numa_info", &places.nodes)?;
        }
        map.end()
    }
}

impl Document {
    fn text(&self) -> String {
        let lines = self.facts.iter().map(|(name, value)| format!("{name:<23}: {value}\n"));
        lines.chain(self.places.iter().map(Places::text)).collect()
    }
}

/// The facts that `xl info` shows, in its order. What only HVM guests or memory sharing have is left out.
fn gather(control: &Control) -> Result<Vec<(&'static str, Fact)>, Failure> {
    let system = rustix::system::uname();
    let (host, version) = (control.host()?, control.version()?);
    let scheduler = scheduler_name(control.scheduler()?);
    let text = |text: &str| Fact::Text(text.to_owned());
    let number = |number: u32| Fact::Number(number.into());
    let mib = |pages: u64| Fact::Number(pages / 256);
    Ok(vec![
        ("host", text(&system.nodename().to_string_lossy())),
        ("release", text(&system.release().to_string_lossy())),
        ("version", text(&system.version().to_string_lossy())),
        ("machine", text(&system.machine().to_string_lossy())),
        ("nr_cpus", number(host.cpus)),
        ("max_cpu_id", number(host.max_cpu)),
        ("nr_nodes", number(host.nodes)),
        ("cores_per_socket", number(host.cores_per_socket)),
        ("threads_per_core", number(host.threads_per_core)),
        ("cpu_mhz", Fact::Text(format!("{}.{:03}", host.cpu_khz / 1000, host.cpu_khz % 1000))),
        ("hw_caps", Fact::Text(host.cpu_features.map(|word| format!("{word:08x}")).join(":"))),
        ("virt_caps", Fact::Text(virt_caps(host.capabilities))),
        ("total_memory", mib(host.total_pages)),
        ("free_memory", mib(host.free_pages.saturating_sub(host.claimed_pages))),
        ("outstanding_claims", mib(host.claimed_pages)),
        ("xen_major", number(version.major)),
        ("xen_minor", number(version.minor)),
        ("xen_extra", text(&version.extra)),
        ("xen_version", Fact::Text(format!("{}.{}{}", version.major, version.minor, version.extra))),
        ("xen_caps", text(&version.capabilities)),
        ("xen_scheduler", Fact::Text(scheduler)),
        ("xen_pagesize", Fact::Number(version.page_size)),
        ("platform_params", Fact::Text(format!("virt_start=0x{:x}", version.virt_start))),
        ("xen_changeset", text(&version.changeset)),
        ("xen_commandline", text(&version.command_line)),
        ("cc_compiler", text(&version.compiler)),
        ("cc_compile_by", text(&version.compiled_by)),
        ("cc_compile_domain", text(&version.compile_domain)),
        ("cc_compile_date", text(&version.compile_date)),
        ("build_id", text(version.build_id.as_deref().unwrap_or_default())),
        ("xend_config_format", Fact::Number(4)),
    ])
}

fn scheduler_name(id: SchedulerId) -> String {
    let name = match id {
        SchedulerId::CREDIT => "credit",
        SchedulerId::CREDIT2 => "credit2",
        SchedulerId::ARINC653 => "arinc653",
        SchedulerId::RTDS => "rtds",
        SchedulerId::NULL => "null",
        other => return other.raw().to_string(),
    };
    name.into()
}

/// `xl`'s words for what guests can be given.
fn virt_caps(caps: PhysCaps) -> String {
    let has = |flag| caps.contains(flag);
    let words = [
        ("pv", has(PhysCaps::PV)),
        ("hvm", has(PhysCaps::HVM)),
        ("hvm_directio", has(PhysCaps::HVM) && has(PhysCaps::DIRECTIO)),
        ("pv_directio", has(PhysCaps::PV) && has(PhysCaps::DIRECTIO)),
        ("hap", has(PhysCaps::HAP)),
        ("shadow", has(PhysCaps::SHADOW)),
        ("iommu_hap_pt_share", has(PhysCaps::IOMMU_HAP_PT_SHARE)),
        ("vmtrace", has(PhysCaps::VMTRACE)),
        ("vpmu", has(PhysCaps::VPMU)),
        ("gnttab-v1", has(PhysCaps::GNTTAB_V1)),
        ("gnttab-v2", has(PhysCaps::GNTTAB_V2)),
    ];
    words.iter().filter(|(_, is)| *is).map(|(word, _)| *word).collect::<Vec<_>>().join(" ")
}

/// Where CPUs and memory are.
#[derive(Debug)]
struct Places {
    cpus: Vec<Cpu>,
    nodes: Vec<Node>,
}

#[derive(Debug, Serialize)]
struct Cpu {
    cpu: u32,
    core: u32,
    socket: u32,
    node: u32,
}

#[derive(Debug, Serialize)]
struct Node {
    node: u32,
    memsize_mib: u64,
    memfree_mib: u64,
    distances: Vec<u32>,
}

impl Places {
    fn gather(control: &Control) -> Result<Self, Failure> {
        let cpus = control.cpu_places()?;
        let nodes = (0..).zip(control.nodes()?);
        Ok(Self {
            cpus: cpus.iter().map(|at| Cpu { cpu: at.cpu, core: at.core, socket: at.socket, node: at.node }).collect(),
            nodes: nodes
                .map(|(node, info)| Node {
                    node,
                    memsize_mib: info.size >> 20,
                    memfree_mib: info.free >> 20,
                    distances: info.distances,
                })
                .collect(),
        })
    }

    fn text(&self) -> String {
        let right = Align::Right;
        let mut cpus =
            Table::new(&[("cpu:", 4, Align::Left), ("core", 7, right), ("socket", 8, right), ("node", 7, right)]);
        for at in &self.cpus {
            let cell = |number: u32| number.to_string();
            cpus.row([format!("{}:", at.cpu), cell(at.core), cell(at.socket), cell(at.node)]);
        }
        let mut nodes = Table::new(&[
            ("node:", 5, Align::Left),
            ("memsize", 10, right),
            ("memfree", 10, right),
            ("distances", 0, Align::Left),
        ]);
        for node in &self.nodes {
            let distances: Vec<String> = node.distances.iter().map(ToString::to_string).collect();
            nodes.row([
                format!("{}:", node.node),
                node.memsize_mib.to_string(),
                node.memfree_mib.to_string(),
                distances.join(","),
            ]);
        }
        format!("cpu_topology           :\n{}numa_info              :\n{}", cpus.render(), nodes.render())
    }
}

/// Shows claims: as `xn list`, with what is claimed in a column of its own.
pub(crate) fn claims(args: &ClaimsArgs, context: &mut Context) -> Result<(), Failure> {
    let domains = context.domains(&[]).at(|| "claims")?;
    let all: Vec<Claim> = domains.into_iter().map(Claim::new).collect();
    args.output.print(&all, |all| claims_table(all))
}

/// A line of `xn claims`.
#[derive(Debug, Serialize)]
struct Claim {
    name: Option<String>,
    id: u16,
    memory_kib: u64,
    claimed_kib: u64,
    #[serde(skip)]
    domain: Domain,
}

impl Claim {
    fn new(domain: Domain) -> Self {
        let (name, id) = (domain.name.clone(), domain.id);
        Self { name, id, memory_kib: domain.memory_kib, claimed_kib: domain.claimed_kib, domain }
    }
}

fn claims_table(all: &[Claim]) -> String {
    let right = Align::Right;
    let mut table = Table::new(&[
        ("Name", 40, Align::Left),
        ("ID", 5, right),
        ("Mem", 5, right),
        ("VCPUs", 5, right),
        ("State", 10, right),
        ("Time(s)", 9, right),
        ("Claimed", 8, right),
    ]);
    for claim in all {
        table.row([
            claim.domain.label().to_owned(),
            claim.id.to_string(),
            (claim.memory_kib.saturating_add(claim.claimed_kib) / 1024).to_string(),
            claim.domain.vcpus.to_string(),
            claim.domain.state.clone(),
            seconds(claim.domain.cpu_time_ns),
            (claim.claimed_kib / 1024).to_string(),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples;

    fn document(places: Option<Places>) -> Document {
        let facts = vec![("host", Fact::Text("dom0".into())), ("free_memory", Fact::Number(512))];
        Document { facts, places }
    }

    fn places() -> Places {
        Places {
            cpus: vec![Cpu { cpu: 0, core: 0, socket: 0, node: 0 }],
            nodes: vec![Node { node: 0, memsize_mib: 2048, memfree_mib: 512, distances: vec![10] }],
        }
    }

    #[test]
    fn json_keeps_its_order() {
        assert_eq!(serde_json::to_string(&document(None)).unwrap(), r#"{"host":"dom0","free_memory":512}"#);
        assert_eq!(
            serde_json::to_string(&document(Some(places()))).unwrap(),
            concat!(
                r#"{"host":"dom0","free_memory":512,"cpu_topology":[{"cpu":0,"core":0,"socket":0,"node":0}],"#,
                r#""numa_info":[{"node":0,"memsize_mib":2048,"memfree_mib":512,"distances":[10]}]}"#
            )
        );
    }

    #[test]
    fn text_is_that_of_xl() {
        assert_eq!(
            document(Some(places())).text(),
            "\
host                   : dom0
free_memory            : 512
cpu_topology           :
cpu:    core   socket    node
0:         0        0       0
numa_info              :
node:    memsize    memfree distances
0:          2048        512 10
"
        );
    }

    #[test]
    fn capabilities_are_words() {
        let caps = PhysCaps::PV | PhysCaps::HVM | PhysCaps::HAP | PhysCaps::GNTTAB_V1;
        assert_eq!(virt_caps(caps), "pv hvm hap gnttab-v1");
        assert_eq!(scheduler_name(SchedulerId::new(77)), "77");
    }

    #[test]
    fn claims_stand_beside_memory() {
        let all = [Claim::new(Domain::new(samples::info(3, None), Some("demo".into())))];
        assert_eq!(
            claims_table(&all).lines().last(),
            Some("demo                                         3   257     2     -b----       1.2        1")
        );
        assert_eq!(
            serde_json::to_string(&all).unwrap(),
            r#"[{"name":"demo","id":3,"memory_kib":262144,"claimed_kib":1024}]"#
        );
    }
}
