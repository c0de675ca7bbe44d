// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sets of CPUs as people write them: `0-3,^2`, `all`, `node:1`.

use crate::error::{Class, Failure};
use domain_builder::config::CpuList;
use xen_control::{CpuMap, CpuPlace};

/// More CPUs than any host has: what lies beyond the host's own shows that a list was meant for another machine.
const MANY: u32 = 4096;

/// The CPUs of a host with `host` CPU numbers that a list names, in the configuration's syntax.
pub(crate) fn parse(text: &str, host: u32, places: &[CpuPlace]) -> Result<CpuMap, Failure> {
    let list = CpuList::try_from(text.to_owned()).map_err(|form| {
        Failure::new(Class::Usage, format!("'{text}' is no list of CPUs")).remedy(format!("write {form}"))
    })?;
    let node_of = |cpu| places.iter().find(|place| place.cpu == cpu).map_or(u32::MAX, |place| place.node);
    let named = |count| (0..count).zip(list.resolve(count, node_of)).filter(|(_, member)| *member).map(|(cpu, _)| cpu);
    let beyond = named(MANY).find(|cpu| *cpu >= host);
    match beyond.filter(|_| !text.contains("all")) {
        Some(cpu) => {
            let why = format!("'{text}' names CPU {cpu}, but the host's last is {}", host.saturating_sub(1));
            Err(Failure::new(Class::Usage, why).remedy("see 'xn info -n'"))
        }
        None if named(host).next().is_none() => {
            Err(Failure::new(Class::Usage, format!("'{text}' leaves no CPU")).remedy("name at least one"))
        }
        None => Ok(named(host).collect()),
    }
}

/// The set as text: `all` if all of the host's CPUs are in it.
pub(crate) fn text(set: &CpuMap, host: u32) -> String {
    if host > 0 && (0..host).all(|cpu| set.contains(cpu)) {
        return "all".into();
    }
    if set.is_empty() {
        return "none".into();
    }
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for cpu in set.iter() {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(cpu) => *last = cpu,
            _ => ranges.push((cpu, cpu)),
        }
    }
    let one = |(first, last): &(u32, u32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    ranges.iter().map(one).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn places(count: u32) -> Vec<CpuPlace> {
        (0..count).map(|cpu| CpuPlace { cpu, core: cpu, socket: 0, node: cpu / 4 }).collect()
    }

    fn set(text: &str) -> Vec<u32> {
        parse(text, 8, &places(8)).unwrap().iter().collect()
    }

    #[test]
    fn lists_ranges_and_exceptions() {
        assert_eq!(set("0-3,^2"), [0, 1, 3]);
        assert_eq!(set("5, 1"), [1, 5]);
        assert_eq!(set("all,^7"), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(set("node:1"), [4, 5, 6, 7]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, why) in [
            ("0-x", "'0-x' is no list of CPUs"),
            ("", "'' is no list"),
            ("1,9", "names CPU 9, but the host's last is 7"),
            ("3,^3", "leaves no CPU"),
            ("node:7", "leaves no CPU"),
        ] {
            let failure = parse(text, 8, &places(8)).unwrap_err();
            assert_eq!(failure.class(), Class::Usage);
            assert!(failure.to_string().contains(why), "{failure}");
        }
    }

    proptest! {
        #[test]
        fn text_goes_both_ways(cpus in prop::collection::btree_set(0_u32..64, 1..20)) {
            let set: CpuMap = cpus.iter().copied().collect();
            let again: Vec<u32> = parse(&text(&set, 64), 64, &places(64)).unwrap().iter().collect();
            prop_assert_eq!(again, cpus.into_iter().collect::<Vec<_>>());
        }
    }
}
