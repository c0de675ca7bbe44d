// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine's devices belong to dom0: disks keep what is written, network cards carry TCP, the clock reads right,
//! with message-signalled interrupts and without.

use crate::{dmesg, fail, log_name, programs, spec};
use anyhow::{Context as _, Result};
use harness::case::{Case, Context, Outcome};
use harness::dom0::Hypervisor;
use harness::qemu::{DiskKind, NicKind, scratch_file};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const PATIENCE: Duration = Duration::from_secs(400);

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("devices-msi", |context| devices(context, "devices-msi", "")),
        Case::new("devices-intx", |context| devices(context, "devices-intx", INTX)),
        Case::new("devices-rtc", rtc),
    ]
}

/// No message-signalled interrupts, and one NVMe command in flight. With more, QEMU 7.2's NVMe can leave its pin asserted
/// with nothing to handle: a completion it posts between the driver's write of the shadow doorbell and its write of the
/// real one makes the driver skip the next real one. Bare Linux takes thousands of unhandled interrupts from it, too
/// (`/proc/irq/N/spurious`); none on either with one command at a time.
const INTX: &str = "pci=nomsi nvme.io_queue_depth=2";

/// 64 MiB to each disk, out of the caches, and back; 16 MiB through each network card and back.
const SCRIPT: &str = r#"
cd /xt
./bulk make 64 >/tmp/data
want=$(./bulk sum </tmp/data)
for disk in vda sda nvme0n1; do
    dd if=/tmp/data of=/dev/$disk bs=1M conv=fsync 2>/dev/null
    blockdev --flushbufs /dev/$disk
    echo 3 >/proc/sys/vm/drop_caches
    got=$(dd if=/dev/$disk bs=1M count=64 2>/dev/null | ./bulk sum)
    [ "$got" = "$want" ] && echo "disk $disk good" || echo "disk $disk bad: $got, not $want"
done
dd if=/tmp/data of=/tmp/part bs=1M count=16 2>/dev/null
want=$(./bulk sum </tmp/part)
for net in 2 3; do
    nic=$(ip -o addr | awk -v net="10.0.$net." 'index($0, net) { print $2 }')
    got=$(./tcp 10.0.$net.2 PORT </tmp/part | ./bulk sum)
    driver=$(basename $(readlink /sys/class/net/$nic/device/driver))
    [ "$got" = "$want" ] && echo "nic $driver good" || echo "nic $driver bad: $got, not $want"
done
echo interrupts:
cat /proc/interrupts
"#;

fn devices(context: &Context, name: &str, cmdline: &str) -> Result<Outcome> {
    let mut spec = spec(context);
    spec.cmdline = cmdline.into();
    spec.files = programs(&["bulk", "tcp"])?;
    let mut images = Vec::new();
    for kind in [DiskKind::VirtioBlk, DiskKind::Ahci, DiskKind::Nvme] {
        let image = scratch_file("disk");
        fs::create_dir_all(harness::paths::scratch())?;
        File::create(&image)?.set_len(80 << 20)?;
        images.push(image.clone());
        spec.machine.disks.push((kind, image));
    }
    spec.machine.nics = vec![NicKind::VirtioNet, NicKind::E1000];
    let port = echo_server()?;
    let script = format!("{}{}", SCRIPT.replace("PORT", &port.to_string()), dmesg::SCRIPT);
    let done = spec.exec(&log_name(context, name), &script, PATIENCE);
    for image in images {
        fs::remove_file(image)?;
    }
    let done = done?;
    let expected = ["disk vda good", "disk sda good", "disk nvme0n1 good", "nic virtio_net good", "nic e1000 good"];
    for line in expected {
        if !done.output.lines().any(|said| said == line) {
            fail!(done, "no line '{line}' in\n{}", head(&done.output));
        }
    }
    let interrupts = done.output.split_once("interrupts:\n").map_or("", |(_, rest)| rest);
    let interrupts = interrupts.split("dmesg:").next().unwrap_or_default().to_lowercase();
    let msi = interrupts.lines().any(|line| line.contains("msi") && line.contains("ahci"));
    let msi_x = interrupts.lines().any(|line| line.contains("msi") && line.contains("nvme"));
    let wanted = cmdline.is_empty();
    if (msi, msi_x) != (wanted, wanted) {
        fail!(done, "AHCI by MSI: {msi}, NVMe by MSI-X: {msi_x}, both should be {wanted}:\n{interrupts}");
    }
    let bad = dmesg::bad(dmesg::of(&done.output));
    if !bad.is_empty() {
        fail!(done, "dmesg has\n{}", bad.join("\n"));
    }
    Ok(Outcome::Pass)
}

fn head(output: &str) -> &str {
    output.split("interrupts:").next().unwrap_or_default()
}

/// A server on the loopback interface that sends everything back; its port. It lives as long as this process.
fn echo_server() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot listen on the loopback interface")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || echo(stream));
        }
    });
    Ok(port)
}

/// What goes wrong here shows in dom0 as a wrong checksum.
fn echo(mut stream: TcpStream) {
    let mut bytes = vec![0; 65536];
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        if stream.write_all(bytes.get(..count).unwrap_or_default()).is_err() {
            return;
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
}

/// The real-time clock, read through dom0's driver, shows the host's time; so does dom0's own.
fn rtc(context: &Context) -> Result<Outcome> {
    let script = "cat /sys/class/rtc/rtc0/since_epoch && date +%s";
    let done = spec(context).exec(&log_name(context, "devices-rtc"), script, PATIENCE)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    if done.status != Some(0) {
        fail!(done, "dom0 has no clock to read");
    }
    let allowed = if context.hypervisor == Hypervisor::None { 20 } else { 30 };
    for line in done.output.lines() {
        let seconds: u64 = line.trim().parse().with_context(|| format!("no time: {line}"))?;
        // The script ran before the machine was switched off, so only lateness is to be allowed for.
        if seconds > now + 2 || seconds + allowed < now {
            fail!(done, "dom0 read {seconds}, the host {now}");
        }
    }
    Ok(Outcome::Pass)
}
