// SPDX-License-Identifier: MIT OR Apache-2.0
//! A dom0 with this project's toolkit, a script in it, and the judgement of what the script said held.

use crate::{log_name, programs, spec};
use anyhow::{Context as _, Result};
use harness::case::{Context, Outcome};
use harness::debian::Series;
use harness::dom0::{Finished, Hypervisor, Spec, tail};
use harness::initramfs::ExtraFile;
use harness::paths;
use std::fs;
use std::time::Duration;

/// Words for the scripts in dom0.
pub(crate) const PRELUDE: &str = include_str!("dom0/prelude.sh");

/// The same as `/xt/prelude`, with the program that some of them need.
///
/// # Errors
/// When it has not been built.
pub fn prelude() -> Result<Vec<ExtraFile>> {
    let mut files = programs(&["until"])?;
    files.push(("/xt/prelude".into(), 0o644, PRELUDE.into()));
    Ok(files)
}

/// Why a case about domains means nothing without a hypervisor.
pub(crate) fn nobody(context: &Context) -> Option<Outcome> {
    (context.hypervisor == Hypervisor::None).then(|| Outcome::Skip("there is no hypervisor".into()))
}

/// A host of `memory_mib`, of which dom0 has `dom0_mib`, with kernels of each of `series` for its domains.
///
/// # Errors
/// When something of it is not built or cannot be made.
pub fn host(context: &Context, memory_mib: u64, dom0_mib: u64, series: &[Series]) -> Result<Spec> {
    let mut spec = spec(context);
    spec.machine.memory_mib = memory_mib;
    spec.hv_cmdline = format!("dom0_mem={dom0_mib}M,max:{dom0_mib}M");
    spec.add_toolkit(series)?;
    let guest = paths::products().join("guests/domu_idle");
    let bytes = fs::read(&guest).with_context(|| format!("no {}: run `cargo xtask build`", guest.display()))?;
    spec.files.push(("/boot/guest/domu_idle".into(), 0o644, bytes));
    spec.files.extend(prelude()?);
    Ok(spec)
}

/// Boots `spec` and runs `script` behind the prelude.
///
/// # Errors
/// When an image cannot be made, or the script does not end within `patience` seconds.
pub fn run(context: &Context, name: &str, spec: &Spec, script: &str, patience: u64) -> Result<Finished> {
    spec.exec(&log_name(context, name), &format!(". /xt/prelude\n{script}"), Duration::from_secs(patience))
}

/// Passes if every one of `wanted` was said to be ok and nothing to be bad.
#[must_use]
pub fn judge(done: &Finished, wanted: &[&str]) -> Outcome {
    let lines: Vec<&str> = done.output.lines().collect();
    let bad: Vec<&str> = lines.iter().copied().filter(|line| line.starts_with("bad ")).collect();
    let missing: Vec<&str> =
        wanted.iter().copied().filter(|word| !lines.iter().any(|line| is_ok(line, word))).collect();
    if bad.is_empty() && missing.is_empty() {
        return Outcome::Pass;
    }
    let mut text = String::new();
    if !bad.is_empty() {
        text += &format!("{}\n", bad.join("\n"));
    }
    if !missing.is_empty() {
        text += &format!("never said to be ok: {}\n", missing.join(", "));
    }
    text += &format!("the script ended with {:?}; its last words\n{}", done.status, tail(&done.output, 30));
    Outcome::Fail(format!("{text}\n(all of it: {})", done.log.display()))
}

fn is_ok(line: &str, word: &str) -> bool {
    line.strip_prefix("ok ")
        .is_some_and(|rest| rest == word || rest.strip_prefix(word).is_some_and(|r| r.starts_with(' ')))
}

/// The middle one of `values`; of an even number the higher.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(output: &str) -> Finished {
        Finished {
            output: output.into(),
            status: Some(0),
            shutdown: None,
            init: None,
            log: "x".into(),
            console: String::new(),
        }
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(&[0.75, 0.25, 0.5]) - 0.5).abs() < 1e-9);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn all_wanted_words_must_be_ok_and_none_bad() {
        let done = finished("ok boot\nok disk 64 MiB\n");
        assert_eq!(judge(&done, &["boot", "disk"]), Outcome::Pass);
        assert!(matches!(judge(&done, &["boo"]), Outcome::Fail(_)));
        assert!(matches!(judge(&finished("ok a\nbad b: c\n"), &["a"]), Outcome::Fail(_)));
    }
}
