// SPDX-License-Identifier: MIT OR Apache-2.0
//! dom0's clock runs as fast as the host's.

use crate::{fail, log_name, spec};
use anyhow::Result;
use harness::case::{Case, Context, Outcome};
use std::time::{Duration, Instant};

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("clock-rate-60s", rate).idles()]
}

/// Bursts of readings 60 s apart. Of each burst the reading that came through fastest counts, so that a machine that runs
/// beside this one does not matter.
const SCRIPT: &str = r#"
burst() { i=0; while [ $i -lt 20 ]; do read -r up rest </proc/uptime; echo "$1 $up"; usleep 20000; i=$((i+1)); done; }
sleep 2
burst first
sleep 60
burst last
"#;

fn rate(context: &Context) -> Result<Outcome> {
    let dom0 = spec(context).start(&log_name(context, "clock-rate-60s"), Some(SCRIPT))?;
    let start = Instant::now();
    let mut bursts = [("first", Vec::new()), ("last", Vec::new())];
    let done = dom0.finish(Duration::from_secs(300), |line| {
        let host = start.elapsed().as_secs_f64();
        for (name, readings) in &mut bursts {
            if let Some(guest) = line.strip_prefix(*name).and_then(|rest| rest.trim().parse::<f64>().ok()) {
                readings.push((host - guest, guest));
            }
        }
    })?;
    let fastest = |readings: &[(f64, f64)]| readings.iter().copied().min_by(|a, b| a.0.total_cmp(&b.0));
    let [(_, first), (_, last)] = &bursts;
    let (Some((first, since)), Some((last, until))) = (fastest(first), fastest(last)) else {
        fail!(done, "dom0 gave no readings");
    };
    let drift = (last - first) / (until - since);
    if drift.abs() >= 0.001 {
        fail!(done, "over {:.1} s dom0's clock lost {:.3} % against the host's", until - since, drift * 100.0);
    }
    Ok(Outcome::Pass)
}
