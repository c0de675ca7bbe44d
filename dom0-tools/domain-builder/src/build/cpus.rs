// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Which physical CPUs the vCPUs get.

use hypercalls::{DomId, VcpuId};
use xen_control::{Control, ControlError, CpuMap, CpuPlace};

use crate::config::{Config, CpuList};
use crate::error::{BuildError, Class, Result, Step};

/// Sets the affinity of all vCPUs that have one.
pub(crate) fn place(control: &Control, domid: DomId, config: &Config) -> Result<()> {
    if config.cpus.is_none() && config.cpus_soft.is_none() {
        return Ok(());
    }
    let failed = |error: ControlError| BuildError::control(Step::Cpus, &error).at(config.places.cpus.as_ref());
    let host = control.cpu_places().map_err(failed)?;
    for vcpu in 0..config.maxvcpus {
        let list = |affinity: &Option<crate::config::Affinity>| {
            let list = affinity.as_ref().and_then(|affinity| affinity.of(vcpu));
            list.map(|list| resolve(list, &host)).transpose().map_err(|error| error.at(config.places.cpus.as_ref()))
        };
        let (hard, soft) = (list(&config.cpus)?, list(&config.cpus_soft)?);
        if hard.is_some() || soft.is_some() {
            control.set_affinity(domid, VcpuId::new(vcpu), hard.as_ref(), soft.as_ref()).map_err(failed)?;
        }
    }
    Ok(())
}

/// The CPUs of this host that a list names.
fn resolve(list: &CpuList, host: &[CpuPlace]) -> Result<CpuMap> {
    let count = host.iter().map(|place| place.cpu + 1).max().unwrap_or(0);
    let node_of = |cpu| host.iter().find(|place| place.cpu == cpu).map_or(u32::MAX, |place| place.node);
    let members = list.resolve(count, node_of);
    let exists = |cpu: u32| host.iter().any(|place| place.cpu == cpu);
    let map: CpuMap = (0..).zip(members).filter(|&(cpu, member)| member && exists(cpu)).map(|(cpu, _)| cpu).collect();
    if map.is_empty() {
        let cause = format!("'{list}' names none of this host's CPUs (0 to {})", count.saturating_sub(1));
        return Err(BuildError::new(Step::Cpus, Class::Configuration, cause, "correct 'cpus'"));
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cpus_that_exist_count() {
        let place = |cpu| CpuPlace { cpu, core: cpu, socket: 0, node: cpu / 2 };
        let host = [place(0), place(1), place(3)];
        let cpus = |text: &str| {
            let list = CpuList::try_from(text.to_owned()).unwrap();
            resolve(&list, &host).map(|map| map.iter().collect::<Vec<_>>())
        };
        assert_eq!(cpus("all").unwrap(), [0, 1, 3]);
        assert_eq!(cpus("node:1").unwrap(), [3]);
        assert!(cpus("2").unwrap_err().to_string().contains("(0 to 3)"));
        assert!(cpus("9").is_err());
    }
}
