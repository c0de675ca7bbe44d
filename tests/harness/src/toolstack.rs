// SPDX-License-Identifier: MIT OR Apache-2.0
//! What makes a dom0 a host: this project's tools, a kernel and an initramfs for domUs, and the demo's configuration.
//! dom0's `/init` starts the daemons when it finds them, and makes the bridge `xenbr0`.

use crate::debian::{self, Series};
use crate::initramfs::{self, ExtraFile};
use crate::{paths, userland};
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;

/// The programs, each of a crate of the same name in `dom0-tools`; dom0 has them in `/usr/sbin`.
pub const PROGRAMS: &[&str] = &["xenstored", "xenconsoled", "xn"];

/// dom0's address on the bridge; guests have others that start with 10.76.
pub const BRIDGE_ADDRESS: &str = "10.76.0.1";

/// The serial number of the disk with Debian's userland, which dom0's `/init` links to `/dev/demo-disk`.
pub const DEMO_DISK: &str = "demo-disk";

const DEMO: &str = "\
# Debian 12 in a domU: `xn create -c demo`. root's password is xenolith; Ctrl-] leaves the console.
name = 'demo'
type = 'pv'
kernel = '/boot/guest/vmlinuz-6.1'
ramdisk = '/boot/guest/initrd-6.1'
extra = 'console=hvc0 quiet xt.root=/dev/xvda'
memory = 256
vcpus = 1
disk = ['phy:/dev/demo-disk,xvda,w']
vif = ['bridge=xenbr0']
";

/// Addresses for guests that ask; two MAC addresses of the system tests have their own.
const DHCP: &str = "\
start 10.76.1.1
end 10.76.1.250
interface xenbr0
lease_file /run/udhcpd.leases
pidfile /run/udhcpd.pid
option subnet 255.255.0.0
option router 10.76.0.1
option lease 86400
static_lease 00:16:3e:00:00:05 10.76.0.5
static_lease 00:16:3e:00:00:06 10.76.0.6
";

/// Where the built programs lie on the host.
#[must_use]
pub fn programs() -> PathBuf {
    paths::products().join("tools")
}

/// The tools, and nothing for them to start.
///
/// # Errors
/// When they have not been built.
pub fn tools() -> Result<Vec<ExtraFile>> {
    let mut files = vec![("/etc/udhcpd.conf".into(), 0o644, DHCP.into())];
    for name in PROGRAMS {
        let file = programs().join(name);
        let bytes = fs::read(&file).with_context(|| format!("no {}: run `cargo xtask build`", file.display()))?;
        files.push((format!("/usr/sbin/{name}"), 0o755, bytes));
    }
    Ok(files)
}

/// A kernel of `series` and its initramfs for domUs, as `/boot/guest/{vmlinuz,initrd}-SERIES`.
///
/// # Errors
/// When Debian's packages cannot be had.
pub fn guest(series: Series) -> Result<Vec<ExtraFile>> {
    let kernel = debian::kernel(series)?;
    let read = |file: &PathBuf| fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    Ok(vec![
        (format!("/boot/guest/vmlinuz-{}", series.prefix()), 0o644, read(&kernel.image)?),
        (format!("/boot/guest/initrd-{}", series.prefix()), 0o644, read(&initramfs::domu(&kernel)?)?),
    ])
}

/// The demo's configuration, which dom0 has as `/etc/xen/demo.cfg`.
#[must_use]
pub fn demo() -> ExtraFile {
    ("/etc/xen/demo.cfg".into(), 0o644, DEMO.into())
}

/// The disk that the demo starts from, as a template of the machine.
///
/// # Errors
/// When it cannot be made.
pub fn demo_disk() -> Result<(String, PathBuf)> {
    Ok((DEMO_DISK.into(), userland::image()?))
}
