// SPDX-License-Identifier: MIT OR Apache-2.0
//! Everything at once in a dom0 of two vCPUs and little memory, every program checking what it does, nothing in dmesg.
//! The programs are `tests/system/programs`.

use crate::{dmesg, fail, log_name, programs, spec};
use anyhow::Result;
use harness::case::{Case, Context, Outcome};
use harness::paths;
use harness::qemu::{DiskKind, scratch_file};
use std::fs::{self, File};
use std::time::Duration;

const PROGRAMS: &[&str] =
    &["clock_check", "stress_avx", "stress_memory", "stress_signals", "stress_ptrace", "ldt", "ioport", "calls32"];

/// Each line `ok WORD...` that must have been printed at the end.
const PARTS: &[&str] =
    &["memory", "avx", "signals", "ptrace", "fork", "ldt", "ioport", "calls32", "module", "swapped", "clock"];

const SCRIPT: &str = r#"
cd /xt
grep -q avx2 /proc/cpuinfo || { echo "no AVX2"; exit 77; }
mkswap /dev/vda >/dev/null && swapon /dev/vda || exit 1
now() { cut -d. -f1 /proc/uptime; }
end=$(($(now) + SECONDS))
# repeat WORD WANTED-STATUS COMMAND...: runs it until the end, which must give that status each time
repeat() {
    word=$1; wanted=$2; shift 2; rounds=0
    while [ $(now) -lt $end ]; do
        "$@" >/dev/null 2>&1; status=$?
        if [ $status != $wanted ]; then echo "bad $word: status $status"; return; fi
        rounds=$((rounds + 1))
    done
    echo "ok $word: $rounds rounds"
}
forks() {
    for i in 1 2 3 4 5 6 7 8 9 10; do
        [ "$(echo $i | cat | sed s/^/x/)" = x$i ] || return 1
    done
}
# A little more than is free, so that some of it is always on the disk.
mib=$(awk '/^MemAvailable/ { print int($2 / 1024) + 24 }' /proc/meminfo)
modules() { modprobe dummy && [ -d /sys/module/dummy ] && modprobe -r dummy && [ ! -d /sys/module/dummy ]; }
./stress_memory SECONDS $mib || echo "bad memory" &
./stress_avx SECONDS || echo "bad avx" &
./stress_signals SECONDS || echo "bad signals" &
./stress_ptrace SECONDS || echo "bad ptrace" &
./clock_check SECONDS || echo "bad clock" &
repeat fork 0 forks &
repeat ldt 0 ./ldt &
repeat ioport 139 ./ioport &
repeat calls32 0 ./calls32 &
repeat module 0 modules &
wait
awk '/^pswpout/ && $2 > 0 { print "ok swapped: " $2 " pages" }' /proc/vmstat
"#;

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("stress", stress).alone(), Case::new("clock-monotonic-4cpu", monotonic).alone()]
}

fn stress(context: &Context) -> Result<Outcome> {
    let seconds = if context.long { 300 } else { 45 };
    let mut spec = spec(context);
    spec.machine.one_thread = false;
    spec.machine.memory_mib = 512;
    spec.files = programs(PROGRAMS)?;
    let swap = scratch_file("swap");
    fs::create_dir_all(paths::scratch())?;
    File::create(&swap)?.set_len(1 << 30)?;
    spec.machine.disks.push((DiskKind::VirtioBlk, swap.clone()));
    let script = SCRIPT.replace("SECONDS", &seconds.to_string());
    let script = format!("{script}{}", dmesg::SCRIPT);
    let done = spec.exec(&log_name(context, "stress"), &script, Duration::from_secs(500 + 2 * seconds));
    fs::remove_file(swap)?;
    let done = done?;
    if done.status == Some(77) {
        return Ok(Outcome::Skip("this machine has no AVX2".into()));
    }
    let said = done.output.split("dmesg:").next().unwrap_or_default();
    let missing: Vec<&str> = PARTS
        .iter()
        .copied()
        .filter(|part| !said.lines().any(|line| line.starts_with(&format!("ok {part}"))))
        .collect();
    if !missing.is_empty() || said.lines().any(|line| line.starts_with("bad ")) {
        fail!(done, "missing or bad: {missing:?}, of\n{said}");
    }
    let bad = dmesg::bad(dmesg::of(&done.output));
    if !bad.is_empty() {
        fail!(done, "dmesg has\n{}", bad.join("\n"));
    }
    Ok(Outcome::Pass)
}

/// CLOCK_MONOTONIC never goes back, whichever of four vCPUs reads it; there are more of them than processors here.
fn monotonic(context: &Context) -> Result<Outcome> {
    let mut spec = spec(context);
    spec.machine.one_thread = false;
    spec.machine.cpus = 4;
    spec.files = programs(&["clock_check"])?;
    let done = spec.exec(&log_name(context, "clock-monotonic-4cpu"), "/xt/clock_check 20", Duration::from_secs(400))?;
    if done.status != Some(0) {
        fail!(done, "the check ended with {:?}: {}", done.status, done.output);
    }
    Ok(Outcome::Pass)
}
