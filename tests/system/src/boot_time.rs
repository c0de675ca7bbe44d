// SPDX-License-Identifier: MIT OR Apache-2.0
//! A boot to /init takes no longer than on Debian's Xen: same QEMU, kernel, initramfs and flags, alternating.

use crate::spec;
use anyhow::Result;
use harness::case::{Case, Context, Outcome};
use harness::dom0::Hypervisor;
use std::time::Duration;

const ROUNDS: usize = 3;

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("boot-time-like-xen", like_xen)]
}

fn like_xen(context: &Context) -> Result<Outcome> {
    if context.hypervisor != Hypervisor::Xenolith || !context.oracle {
        return Ok(Outcome::Skip("it compares Xenolith with Xen".into()));
    }
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for round in 0..ROUNDS {
        for (hypervisor, times) in [(Hypervisor::Xenolith, &mut ours), (Hypervisor::Xen, &mut theirs)] {
            let mut spec = spec(context);
            spec.hypervisor = hypervisor;
            spec.unpacked = false;
            let name = format!("boot-time-{}-{round}", hypervisor.name());
            let mut dom0 = spec.start(&name, Some("true"))?;
            times.push(dom0.wait_for_init(Duration::from_secs(300))?);
        }
    }
    let (our_median, their_median) = (median(&mut ours), median(&mut theirs));
    let report = format!("median {our_median:.2?} of {ours:.2?}; Xen {their_median:.2?} of {theirs:.2?}");
    println!("     boot-time-like-xen: {report}");
    if our_median > their_median {
        return Ok(Outcome::Fail(format!("to /init Xenolith takes longer: {report}")));
    }
    Ok(Outcome::Pass)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
