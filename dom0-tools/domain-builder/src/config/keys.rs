// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! All options of xl.cfg(5), and what becomes of them here.

/// What an option is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It does what it does with `xl`.
    Known,
    /// It is passed over with a warning: why that does no harm.
    Ignored(&'static str),
    /// It is refused, unless its value says "no": what PV guests cannot do.
    Refused(&'static str),
    /// Nobody knows it.
    Unknown,
}

/// Options that count.
const KNOWN: &[&str] = &[
    "name",
    "uuid",
    "type",
    "builder",
    "memory",
    "maxmem",
    "vcpus",
    "maxvcpus",
    "cpus",
    "cpus_soft",
    "cpu_weight",
    "cap",
    "kernel",
    "ramdisk",
    "cmdline",
    "root",
    "extra",
    "disk",
    "vif",
    "on_poweroff",
    "on_reboot",
    "on_crash",
    "on_watchdog",
    "max_grant_frames",
    "max_maptrack_frames",
    "max_grant_version",
    "max_event_channels",
];

const HVM: &str = "it concerns HVM guests only";
const CLOCK: &str = "PV guests take the time from the hypervisor, in UTC";
const SCHEDULER: &str = "the scheduler has no such parameter";

/// Options without effect on a PV guest.
const IGNORED: &[(&str, &[&str])] = &[
    (
        HVM,
        &[
            "acpi",
            "acpi_firmware",
            "acpi_laptop_slate",
            "acpi_s3",
            "acpi_s4",
            "altp2m",
            "altp2mhvm",
            "apic",
            "bios",
            "bios_path_override",
            "boot",
            "dm_restrict",
            "gfx_passthru",
            "hap",
            "hdtype",
            "hpet",
            "mca_caps",
            "mmio_hole",
            "ms_vm_genid",
            "msr_relaxed",
            "nestedhvm",
            "nographic",
            "nx",
            "oos",
            "pae",
            "pci_power_mgmt",
            "rdm_mem_boundary",
            "serial",
            "shadow_memory",
            "smbios_firmware",
            "soundhw",
            "stdvga",
            "timer_mode",
            "usb",
            "usbdevice",
            "usbversion",
            "vendor_device",
            "vga",
            "videoram",
            "viridian",
            "vkb_device",
            "vpt_align",
            "xen_platform_pci",
        ],
    ),
    (CLOCK, &["localtime", "rtc_timeoffset"]),
    (SCHEDULER, &["budget", "extratime", "latency", "period", "slice", "weight"]),
    ("only HVM guests can do a soft reset", &["on_soft_reset"]),
    ("the guest always reads the time-stamp counter as the hypervisor sees fit", &["tsc_mode"]),
    ("guests are not migrated", &["nomigrate"]),
    ("it was for drivers of the xend days", &["xend_suspend_evtchn_compat"]),
    // What xend put on the kernel's command line; xen-tools still writes it.
    (
        "guests configure their network themselves, as under xl; put it into 'extra' for the kernel to do it",
        &["dhcp", "gateway", "hostname", "interface", "ip", "netmask", "nfs_root", "nfs_server"],
    ),
    (
        "it concerns graphical displays, which PV guests here do not have",
        &["keymap", "opengl", "vncconsole", "vncviewer"],
    ),
    ("it concerns ARM only", &["device_tree", "gic_version", "tee", "vpmu", "vuart", "dtdev"]),
];

const QEMU: &str = "use a device model; remove the option";
const PASSTHROUGH: &str = "use hardware directly; remove the option";
const DISPLAY: &str = "have a graphical display; use the console (xn console)";
const BOOTLOADER: &str =
    "be started by a boot loader or firmware; copy kernel and RAM disk to dom0 and set kernel= and ramdisk=";
const STUBDOMAIN: &str = "have a device-model domain; remove the option";

/// Options that ask for what is not there.
const REFUSED: &[(&str, &[&str])] = &[
    (BOOTLOADER, &["bootloader", "bootloader_args", "firmware", "firmware_override"]),
    (DISPLAY, &["sdl", "vdispl", "vfb", "vnc", "vncdisplay", "vnclisten", "vncpasswd", "vncunused", "vkb"]),
    (
        DISPLAY,
        &[
            "spice",
            "spice_clipboard_sharing",
            "spice_image_compression",
            "spice_streaming_video",
            "spiceagent_mouse",
            "spicedisable_ticketing",
            "spicehost",
            "spicepasswd",
            "spiceport",
            "spicetls_port",
            "spiceusbredirection",
            "spicevdagent",
        ],
    ),
    (
        QEMU,
        &[
            "device_model",
            "device_model_args",
            "device_model_args_hvm",
            "device_model_args_pv",
            "device_model_override",
            "device_model_user",
            "device_model_version",
        ],
    ),
    (
        STUBDOMAIN,
        &[
            "device_model_stubdomain_override",
            "device_model_stubdomain_seclabel",
            "stubdomain_cmdline",
            "stubdomain_kernel",
            "stubdomain_memory",
            "stubdomain_ramdisk",
        ],
    ),
    (
        PASSTHROUGH,
        &[
            "ioports",
            "iomem",
            "irqs",
            "passthrough",
            "pci",
            "pci_msitranslate",
            "pci_permissive",
            "pci_seize",
            "rdm",
            "e820_host",
        ],
    ),
    ("have USB devices; remove the option", &["usbctrl", "usbdev"]),
    ("have a TPM; remove the option", &["vtpm"]),
    ("share a folder of dom0; use a disk or the network", &["p9"]),
    ("have their sockets in dom0; use a network interface", &["pvcalls"]),
    ("have channels beside the console; use the console or the network", &["channel"]),
    ("have a sound card; remove the option", &["vsnd"]),
    ("run inside a PVH container; remove the option", &["pvshim", "pvshim_cmdline", "pvshim_extra", "pvshim_path"]),
    ("have virtual NUMA nodes; remove the option", &["vnuma"]),
    ("have features of the CPU hidden or shown; remove the option", &["cpuid"]),
    ("be put into a CPU pool; use cpus= to choose CPUs", &["pool"]),
    ("have security labels; remove the option", &["seclabel", "init_seclabel"]),
    ("be driver domains; devices are served by dom0", &["driver_domain"]),
    ("be traced by the processor; remove the option", &["vmtrace_buf_kb"]),
];

/// What is to be done with an option.
pub(crate) fn standing(name: &str) -> Standing {
    if KNOWN.contains(&name) {
        return Standing::Known;
    }
    let in_table = |table: &[(&'static str, &[&str])]| {
        table.iter().find(|(_, names)| names.contains(&name)).map(|&(text, _)| text)
    };
    match (in_table(IGNORED), in_table(REFUSED)) {
        (Some(why), _) => Standing::Ignored(why),
        (None, Some(what)) => Standing::Refused(what),
        (None, None) => Standing::Unknown,
    }
}

/// The names of options somebody may have meant.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let listed = IGNORED.iter().chain(REFUSED).flat_map(|(_, names)| names.iter());
    KNOWN.iter().chain(listed).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_option_has_one_standing() {
        let mut seen = BTreeSet::new();
        for name in names() {
            assert!(seen.insert(name), "{name} twice");
            assert_ne!(standing(name), Standing::Unknown);
        }
    }
}
