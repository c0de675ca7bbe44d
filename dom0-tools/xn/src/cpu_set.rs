// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sets of CPUs as people write them: `0-3,^2`, `all`, `none`.

use crate::error::{Class, Failure};
use std::collections::BTreeSet;
use xen_control::CpuMap;

/// Reads a list of CPUs and ranges; `^` takes away from what stands before it. `host` is the number of the host's CPUs.
pub(crate) fn parse(text: &str, host: u32) -> Result<CpuMap, Failure> {
    let wrong = |part: &str, why: &str| {
        Failure::new(Class::Usage, format!("'{part}' in '{text}' {why}"))
            .remedy("write CPUs and ranges as in '0-3,^2', or 'all'")
    };
    let mut set = BTreeSet::new();
    for (at, part) in text.split(',').map(str::trim).enumerate() {
        let (minus, range) = part.strip_prefix('^').map_or((false, part), |rest| (true, rest));
        if range.starts_with("node") {
            return Err(wrong(part, "names a NUMA node, which is not supported"));
        }
        let (first, last) = match range {
            "all" => (0, host.saturating_sub(1)),
            "none" => continue,
            _ => {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                let number = |text: &str| text.trim().parse().map_err(|_| wrong(part, "is no CPU and no range"));
                (number(first)?, number(last)?)
            }
        };
        if first > last {
            return Err(wrong(part, "goes backwards"));
        }
        if last >= host {
            let last = host.saturating_sub(1);
            return Err(wrong(part, &format!("is beyond the host's last CPU, {last}")));
        }
        if minus {
            if at == 0 {
                set.extend(0..host);
            }
            set.retain(|cpu| !(first..=last).contains(cpu));
        } else {
            set.extend(first..=last);
        }
    }
    Ok(set.into_iter().collect())
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

    fn set(text: &str) -> Vec<u32> {
        parse(text, 8).unwrap().iter().collect()
    }

    #[test]
    fn lists_ranges_and_exceptions() {
        assert_eq!(set("0-3,^2"), [0, 1, 3]);
        assert_eq!(set("5, 1"), [1, 5]);
        assert_eq!(set("all,^7"), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(set("^0-5"), [6, 7]);
        assert!(parse("none", 8).unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [("0-x", "'0-x'"), ("1,9", "'9'"), ("3-1", "backwards"), ("", "''"), ("node:1", "NUMA")] {
            let failure = parse(text, 8).unwrap_err();
            assert_eq!(failure.class(), Class::Usage);
            assert!(failure.to_string().contains(part), "{failure}");
        }
    }

    proptest! {
        #[test]
        fn text_goes_both_ways(cpus in prop::collection::btree_set(0_u32..64, 0..20)) {
            let set: CpuMap = cpus.iter().copied().collect();
            let again: Vec<u32> = parse(&text(&set, 64), 64).unwrap().iter().collect();
            prop_assert_eq!(again, cpus.into_iter().collect::<Vec<_>>());
        }
    }
}
