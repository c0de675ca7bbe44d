// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A configuration as the text of a file that means it.

use std::fmt::{self, Write};

use super::cpus::Affinity;
use super::disk::Disk;
use super::vif::Vif;
use super::{Action, Config};

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "name = {}", quoted(&self.name))?;
        if let Some(uuid) = self.uuid {
            writeln!(f, "uuid = \"{uuid}\"")?;
        }
        writeln!(f, "type = \"pv\"\nmemory = {}\nmaxmem = {}", self.memory_mib, self.maxmem_mib)?;
        writeln!(f, "vcpus = {}\nmaxvcpus = {}", self.vcpus, self.maxvcpus)?;
        for (name, affinity) in [("cpus", &self.cpus), ("cpus_soft", &self.cpus_soft)] {
            match affinity {
                None => {}
                Some(Affinity::Together(list)) => writeln!(f, "{name} = \"{list}\"")?,
                Some(Affinity::Each(lists)) => write_list(f, name, lists.iter().map(ToString::to_string))?,
            }
        }
        let numbers = [
            ("cpu_weight", self.cpu_weight.map(u32::from)),
            ("cap", self.cap.map(u32::from)),
            ("max_grant_frames", self.max_grant_frames),
            ("max_maptrack_frames", self.max_maptrack_frames),
            ("max_grant_version", self.max_grant_version),
            ("max_event_channels", self.max_event_channels),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                writeln!(f, "{name} = {number}")?;
            }
        }
        writeln!(f, "kernel = {}", quoted(&self.kernel.to_string_lossy()))?;
        if let Some(ramdisk) = &self.ramdisk {
            writeln!(f, "ramdisk = {}", quoted(&ramdisk.to_string_lossy()))?;
        }
        writeln!(f, "cmdline = {}", quoted(&self.cmdline))?;
        write_list(f, "disk", self.disks.iter().map(disk_spec))?;
        write_list(f, "vif", self.vifs.iter().map(vif_spec))?;
        let actions: [(&str, Action); 4] = [
            ("on_poweroff", self.on_poweroff),
            ("on_reboot", self.on_reboot),
            ("on_crash", self.on_crash),
            ("on_watchdog", self.on_watchdog),
        ];
        for (name, action) in actions {
            writeln!(f, "{name} = \"{action}\"")?;
        }
        Ok(())
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, name: &str, texts: impl Iterator<Item = String>) -> fmt::Result {
    let quoted: Vec<String> = texts.map(|text| quoted(&text)).collect();
    if quoted.is_empty() { Ok(()) } else { writeln!(f, "{name} = [{}]", quoted.join(", ")) }
}

/// A string of the syntax.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\\' | '"' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn disk_spec(disk: &Disk) -> String {
    let mut spec = format!("format=raw,vdev={},access={}", disk.vdev, if disk.read_only { "ro" } else { "rw" });
    for (wanted, flag) in [(disk.cdrom, "cdrom"), (!disk.discard, "no-discard"), (!disk.trusted, "untrusted")] {
        if wanted {
            spec.push(',');
            spec.push_str(flag);
        }
    }
    // Last, because it takes commas as part of the path.
    spec.push_str(",target=");
    spec.push_str(&disk.target);
    spec
}

fn vif_spec(vif: &Vif) -> String {
    let mut parts = vec![format!("devid={}", vif.devid)];
    let mut part = |key: &str, value: Option<String>| parts.extend(value.map(|value| format!("{key}={value}")));
    part("mac", vif.mac.map(|mac| mac.to_string()));
    part("bridge", vif.bridge.clone());
    part("ip", vif.ip.clone());
    part("vifname", vif.vifname.clone());
    part("rate", vif.rate.map(|rate| rate.to_string()));
    part("mtu", vif.mtu.map(|mtu| mtu.to_string()));
    if !vif.trusted {
        parts.push("untrusted".into());
    }
    parts.join(",")
}
