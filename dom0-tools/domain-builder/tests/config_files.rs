// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Whole files, as administrators have them, and what `xl` 4.17 made of the same text.

use domain_builder::config::{Action, Affinity, Config, Parsed, Source, parse};

fn parsed(text: &str) -> Parsed {
    parse(&[Source { name: "a.cfg", text: text.as_bytes() }]).unwrap_or_else(|error| panic!("{error}"))
}

fn config(lines: &str) -> Config {
    parsed(&format!("name = 'a'\nkernel = '/k'\n{lines}")).config
}

/// A file of the kind Debian's documentation starts people with.
const SERVER: &str = r#"
# web server of the second floor
name    = "web.example"                 # no spaces in it
uuid    = "8d1fb2a6-6c3c-4b3a-9f5d-2f1f0c8a7e11"
type    = "pv"
kernel  = '/boot/vmlinuz-6.1.0-56-amd64'
ramdisk = '/boot/initrd.img-6.1.0-56-amd64'
root    = '/dev/xvda2 ro'
extra   = "console=hvc0 elevator=noop"
memory  = 2048
maxmem  = 4096
vcpus   = '2' ; maxvcpus = 4
cpus    = "1-3"
cpu_weight = 512
cap     = 0
disk = [
    'phy:/dev/vg0/web-disk,xvda2,w',    # root
    'phy:/dev/vg0/web-swap,xvda1,w',
    "format=raw, vdev=xvdb, access=ro, target=/srv/images/data, old.img",
]
vif = [ 'mac=00:16:3E:5A:11:02,bridge=br0,ip=192.0.2.7,vifname=web0,rate=100Mb/s', '' ]
on_poweroff = 'destroy'
on_reboot   = 'restart'
on_crash    = 'preserve'
# left over from an HVM file
pae = 1
localtime = 0
vnc = 0
pci = []
"#;

#[test]
fn a_servers_file() {
    let Parsed { config, warnings } = parsed(SERVER);
    assert_eq!(
        (config.name.as_str(), config.uuid.unwrap().to_string().as_str()),
        ("web.example", "8d1fb2a6-6c3c-4b3a-9f5d-2f1f0c8a7e11")
    );
    assert_eq!((config.memory_mib, config.maxmem_mib, config.vcpus, config.maxvcpus), (2048, 4096, 2, 4));
    assert_eq!(config.cmdline, "root=/dev/xvda2 ro console=hvc0 elevator=noop");
    assert_eq!(config.cpu_weight, Some(512));
    assert!(matches!(&config.cpus, Some(Affinity::Together(list)) if list.to_string() == "1-3"));
    let disks: Vec<_> =
        config.disks.iter().map(|disk| (disk.target.as_str(), disk.vdev.number(), disk.read_only)).collect();
    assert_eq!(
        disks,
        [
            ("/dev/vg0/web-disk", 51714, false),
            ("/dev/vg0/web-swap", 51713, false),
            ("/srv/images/data, old.img", 51728, true)
        ]
    );
    assert_eq!(config.disks[2].place.as_ref().unwrap().to_string(), "a.cfg:19:6");
    assert_eq!((config.vifs[0].vifname.as_deref(), config.vifs[1].devid), (Some("web0"), 1));
    assert_eq!(config.vifs[0].rate.unwrap().store_value(), "625000,50000");
    assert_eq!(
        (config.on_reboot, config.on_crash, config.on_watchdog),
        (Action::Restart, Action::Preserve, Action::Destroy)
    );
    let said: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "a.cfg:26:1: 'pae': ignored: it concerns HVM guests only",
            "a.cfg:27:1: 'localtime': ignored: PV guests take the time from the hypervisor, in UTC",
        ]
    );
}

/// What xen-tools writes for a guest that asks for its address.
const MADE_BY_XEN_TOOLS: &str = "
#  Kernel + memory size
kernel      = '/boot/vmlinuz-6.1.0-56-amd64'
extra       = 'elevator=noop'
ramdisk     = '/boot/initrd.img-6.1.0-56-amd64'

vcpus       = '1'
memory      = '256'

#  Disk device(s).
root        = '/dev/xvda2 ro'
disk        = [
                  'phy:/dev/vg0/one-disk,xvda2,w',
                  'file:/srv/xen/one/swap.img,xvda1,w',
              ]

#  Hostname
name        = 'one'

#  Networking
dhcp        = 'dhcp'
vif         = [ 'mac=00:16:3E:94:30:C2' ]

#  Behaviour
on_poweroff = 'destroy'
on_reboot   = 'restart'
on_crash    = 'restart'
";

#[test]
fn a_file_made_by_xen_tools() {
    let Parsed { config, warnings } = parsed(MADE_BY_XEN_TOOLS);
    assert_eq!(config.cmdline, "root=/dev/xvda2 ro elevator=noop");
    assert_eq!(config.disks.iter().map(|disk| disk.vdev.name()).collect::<Vec<_>>(), ["xvda2", "xvda1"]);
    assert_eq!((config.memory_mib, config.on_crash), (256, Action::Restart));
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].to_string().starts_with("a.cfg:21:1: 'dhcp': ignored: guests configure their network"));
}

#[test]
fn the_smallest_file() {
    let config = parsed("name='a'\r\nkernel='/k'\r\n").config;
    let expected = r#"{"name":"a","uuid":null,"memory_mib":32,"maxmem_mib":32,"vcpus":1,"maxvcpus":1,"cpus":null,"cpus_soft":null,"cpu_weight":null,"cap":null,"kernel":"/k","ramdisk":null,"cmdline":"","disks":[],"vifs":[],"on_poweroff":"destroy","on_reboot":"restart","on_crash":"destroy","on_watchdog":"destroy","max_grant_frames":null,"max_maptrack_frames":null,"max_grant_version":null,"max_event_channels":null,"places":{}}"#;
    let mut bare = config.clone();
    bare.forget_places();
    assert_eq!(serde_json::to_string(&bare).unwrap(), expected);
    let back: Config = serde_json::from_str(&serde_json::to_string(&config).unwrap()).unwrap();
    assert_eq!(back, config);
}

#[test]
fn what_xl_made_of_the_same_lines() {
    assert_eq!(config("memory = 0x10 ; vcpus=010").vcpus, 8);
    assert_eq!(config(";;memory=5;").memory_mib, 5);
    assert_eq!(config("memory='0x20'").memory_mib, 32);
    assert_eq!(config("extra='x=1'\nextra+='y=2'\nextra += 'z'").cmdline, "x=1y=2z");
    assert_eq!(config("extra='a\\tb\\101\\\\\\''").cmdline, "a\tbA\\'");
    assert_eq!(config("root='/dev/xvda1 ro'\nextra='q'").cmdline, "root=/dev/xvda1 ro q");
    assert_eq!(config("name='b'\nname=5").name, "5");
    assert_eq!(config("vif=['',]").vifs.len(), 1);
    assert_eq!(config("vif=[]\ncpus=''\nextra=''\nramdisk=''").ramdisk, None);
    let disks = config("disk=['/a,raw,xvda,w']\ndisk+=['/b,raw,xvdb,w']").disks;
    assert_eq!(disks.iter().map(|disk| disk.target.as_str()).collect::<Vec<_>>(), ["/a", "/b"]);
    let both = parsed("name='a'\nkernel='/k'\ncmdline='a b'\nroot='/dev/xvda1'\nextra='q'\n");
    assert_eq!(both.config.cmdline, "a b");
    assert_eq!(both.warnings.len(), 2);
    assert!(matches!(config("cpus=[0,1]").cpus, Some(Affinity::Each(lists)) if lists.len() == 2));
}

#[test]
fn later_settings_win() {
    let sources = [
        Source { name: "a.cfg", text: b"name='a'\nkernel='/k'\nmemory=5\ndisk=['/a,raw,xvda,w']" },
        Source { name: "command line", text: b"memory=128\ndisk+=['/b,raw,xvdb,w']" },
    ];
    let config = parse(&sources).unwrap().config;
    assert_eq!((config.memory_mib, config.disks.len()), (128, 2));
    assert_eq!(config.places.memory.unwrap().to_string(), "command line:1:8");
    assert_eq!(config.disks[1].place.as_ref().unwrap().to_string(), "command line:2:9");
}
