// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stock kernels boot as domUs of every size, and change their size under load.

use crate::host;
use anyhow::Result;
use harness::case::{Case, Context, Outcome};
use harness::debian::Series;

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("domu-boot", boot), Case::new("domu-resize-under-load", resize)]
}

fn boot(context: &Context) -> Result<Outcome> {
    if let Some(skip) = host::nobody(context) {
        return Ok(skip);
    }
    let spec = host::host(context, 5120, 640, &[Series::V6_1, Series::V6_12])?;
    let done = host::run(context, "domu-boot", &spec, include_str!("dom0/domu_boot.sh"), 600)?;
    let sizes = [("6.1", ["1x96", "2x128", "4x512", "8x3072"]), ("6.12", ["3x96", "5x256", "7x512", "6x3072"])];
    let mut wanted = vec!["memory-back".to_owned(), "too-small".to_owned(), "smallest-creates".to_owned()];
    for (series, sizes) in sizes {
        for size in sizes {
            wanted.extend(["cpus", "memory", "destroy"].map(|what| format!("{what}-{series}-{size}")));
        }
    }
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    Ok(host::judge(&done, &wanted))
}

fn resize(context: &Context) -> Result<Outcome> {
    if let Some(skip) = host::nobody(context) {
        return Ok(skip);
    }
    let spec = host::host(context, 1536, 512, &[Series::V6_1])?;
    let done = host::run(context, "domu-resize-under-load", &spec, include_str!("dom0/domu_resize.sh"), 500)?;
    let mut wanted =
        vec!["ping".to_owned(), "mem-set-beyond".to_owned(), "still-alive".to_owned(), "destroy".to_owned()];
    wanted.extend([4, 1, 3, 2].map(|count| format!("vcpus-{count}")));
    for mib in [256, 384, 160, 512, 200] {
        wanted.extend([format!("memory-{mib}"), format!("guest-sees-{mib}")]);
    }
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    Ok(host::judge(&done, &wanted))
}
