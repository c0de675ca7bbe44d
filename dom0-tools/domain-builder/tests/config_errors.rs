// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Every class of error: its whole text, which tells where, what, why, and the nearest valid word.

use domain_builder::config::{Source, parse, parse_disk, parse_vif};

/// What is said about `lines` behind a name and a kernel, which stand in lines 1 and 2.
fn said(lines: &str) -> String {
    let text = format!("name = 'a'\nkernel = '/k'\n{lines}");
    said_of(text.as_bytes())
}

fn said_of(text: &[u8]) -> String {
    match parse(&[Source { name: "a.cfg", text }]) {
        Ok(parsed) => panic!("{:?} was taken: {:?}", String::from_utf8_lossy(text), parsed.config),
        Err(error) => error.to_string(),
    }
}

#[test]
fn syntax() {
    for (lines, message) in [
        ("memory 5", "a.cfg:3:8: '5': expected '=' after the option's name"),
        ("memory =", "a.cfg:3:9: expected a value: \"text\", a number or a [list]"),
        ("memory = 5 vcpus = 2", "a.cfg:3:12: 'vcpus': expected the end of the line or ';' before the next option"),
        ("= 5", "a.cfg:3:1: '=': this character means nothing here; remove it"),
        ("5 = 5", "a.cfg:3:1: '5': this character means nothing here; remove it"),
        ("a-b = 5", "a.cfg:3:2: '-': expected '=' after the option's name"),
        ("root = /dev/xvda1", "a.cfg:3:8: '/dev/xvda1': text must stand in quotes"),
        ("type = pv", "a.cfg:3:8: 'pv': text must stand in quotes"),
        ("extra = 'a", "a.cfg:3:9: ''a': the closing quote is missing; strings end on the line they start on"),
        ("extra = \"a\nb\"", "a.cfg:3:9: '\"a': the closing quote is missing; strings end on the line they start on"),
        ("vif = [ 'a', ", "a.cfg:3:7: '[': the list that starts here has no closing ']'"),
        ("vif = [ 'a'\n\n 'b' ]", "a.cfg:5:2: ''': expected ',' or ']' after a value of a list"),
        ("vif = [,]", "a.cfg:3:8: ',': expected a value: \"text\", a number or a [list]"),
        ("vif = [[[[[[", "a.cfg:3:11: '[': lists in lists: no option takes that"),
    ] {
        assert_eq!(said(lines), message, "{lines}");
    }
    assert_eq!(
        said("extra = 'ä\\q'"),
        "a.cfg:3:11: '\\q': unknown escape; after a backslash may stand \\ ' \" n r t, x and two hex digits, or three octal \
         digits"
    );
    assert_eq!(said_of(b"name = 'a'\nx\xff"), "a.cfg:2:2: the file is not UTF-8 text; is it the right file?");
}

#[test]
fn options() {
    for (lines, message) in [
        ("memroy = 5", "a.cfg:3:1: 'memroy': unknown option; correct or remove it; did you mean 'memory'?"),
        ("Memory = 5", "a.cfg:3:1: 'Memory': unknown option; correct or remove it; did you mean 'memory'?"),
        ("my.own = 5", "a.cfg:3:1: 'my.own': unknown option; correct or remove it"),
        ("memory = 'abc'", "a.cfg:3:11: 'abc': not a number (decimal, 0x for hexadecimal or 0 for octal)"),
        ("memory = 5x", "a.cfg:3:10: '5x': not a number (decimal, 0x for hexadecimal or 0 for octal)"),
        ("memory = 08", "a.cfg:3:10: '08': not a number (decimal, 0x for hexadecimal or 0 for octal)"),
        ("memory = -5", "a.cfg:3:10: '-5': must be from 1 to 67108864"),
        ("memory = 99999999999999999999", "a.cfg:3:10: '99999999999999999999': must be from 1 to 67108864"),
        ("vcpus = 0", "a.cfg:3:9: '0': must be from 1 to 128"),
        ("cpu_weight = 70000", "a.cfg:3:14: '70000': must be from 1 to 65535"),
        ("max_event_channels = 131072", "a.cfg:3:22: '131072': must be from 1 to 131071"),
        ("memory = [1]", "a.cfg:3:10: '[': this option takes a number"),
        ("extra = ['a']", "a.cfg:3:9: '[': this option takes text in quotes"),
        ("disk = '/x,raw,xvda,w'", "a.cfg:3:9: '/x,raw,xvda,w': this option takes a list: [\"...\", \"...\"]"),
        ("disk = [['/x,raw,xvda,w']]", "a.cfg:3:9: '[': this option takes text in quotes"),
        ("memory = 5; memory += 3", "a.cfg:3:13: 'memory': '+=' works for text and lists only; use '='"),
        ("vif = ['']\nvif += 'x'", "a.cfg:4:9: 'x': this option takes a list: [\"...\", \"...\"]"),
        (
            "memory = 16\nmaxmem = 8",
            "a.cfg:4:1: 'maxmem': maxmem=8 is less than memory=16; raise maxmem or lower memory",
        ),
        (
            "vcpus = 3\nmaxvcpus = 2",
            "a.cfg:4:1: 'maxvcpus': maxvcpus=2 is less than vcpus=3; raise maxvcpus or lower vcpus",
        ),
        ("uuid = 'x'", "a.cfg:3:9: 'x': must look like 01234567-89ab-cdef-0123-456789abcdef"),
        ("cpus = '0-'", "a.cfg:3:9: '0-': must look like all, 0-3,5,^1 or nodes:0-1,^node:2"),
        ("cpus = ['0', '1,x']", "a.cfg:3:17: 'x': must look like all, 0-3,5,^1 or nodes:0-1,^node:2"),
        ("kernel = 'vmlinuz'", "a.cfg:3:11: 'vmlinuz': must look like an absolute path (/boot/vmlinuz)"),
        ("name = 'a/b'", "a.cfg:3:9: 'a/b': must look like 1 to 200 bytes without '/' and control characters"),
        ("name = ''", "a.cfg:3:1: 'name': must look like 1 to 200 bytes without '/' and control characters"),
        (
            "on_crash = 'destory'",
            "a.cfg:3:13: 'destory': must be one of: destroy, restart, rename-restart, preserve, coredump-destroy, \
             coredump-restart; did you mean 'destroy'?",
        ),
    ] {
        assert_eq!(said(lines), message, "{lines}");
    }
    assert_eq!(said_of(b"kernel='/k'"), "a.cfg:1:12: 'name' is not set; every guest needs it");
    assert_eq!(said_of(b"name='a'\n\n"), "a.cfg:3:1: 'kernel' is not set; every guest needs it");
    assert_eq!(said_of(b"name='a'\nkernel=''"), "a.cfg:2:10: 'kernel' is not set; every guest needs it");
}

#[test]
fn what_pv_guests_cannot_do_is_refused_by_name() {
    for (lines, message) in [
        (
            "type = 'hvm'",
            "a.cfg:3:9: 'hvm': PV guests under Xenolith cannot be of type hvm; only type=\"pv\" runs here",
        ),
        (
            "type = 'pvh'",
            "a.cfg:3:9: 'pvh': PV guests under Xenolith cannot be of type pvh; only type=\"pv\" runs here",
        ),
        (
            "builder = 'hvm'",
            "a.cfg:3:12: 'hvm': PV guests under Xenolith cannot be of type hvm; only type=\"pv\" runs here",
        ),
        ("type = 'vp'", "a.cfg:3:9: 'vp': must be one of: pv; did you mean 'pv'?"),
        (
            "pci = ['01:00.0']",
            "a.cfg:3:1: 'pci': PV guests under Xenolith cannot use hardware directly; remove the option",
        ),
        (
            "bootloader = 'pygrub'",
            "a.cfg:3:1: 'bootloader': PV guests under Xenolith cannot be started by a boot loader or firmware; copy kernel and \
             RAM disk to dom0 and set kernel= and ramdisk=",
        ),
        (
            "vfb = ['vnc=1']",
            "a.cfg:3:1: 'vfb': PV guests under Xenolith cannot have a graphical display; use the console (xn console)",
        ),
        (
            "device_model_version = 'qemu-xen'",
            "a.cfg:3:1: 'device_model_version': PV guests under Xenolith cannot use a device model; remove the option",
        ),
        (
            "disk = ['/x,qcow2,xvda,w']",
            "a.cfg:3:13: 'qcow2': PV guests under Xenolith cannot use images that need a program to read them; convert it with \
             'qemu-img convert -O raw'",
        ),
        (
            "vif = ['gatewaydev=eth0']",
            "a.cfg:3:9: 'gatewaydev': PV guests under Xenolith cannot be routed through an interface; put them on a bridge \
             with bridge=NAME",
        ),
        (
            "on_poweroff = 'soft-reset'",
            "a.cfg:3:16: 'soft-reset': PV guests under Xenolith cannot do a soft reset; only HVM guests can",
        ),
    ] {
        assert_eq!(said(lines), message, "{lines}");
    }
}

#[test]
fn devices() {
    for (lines, message) in [
        ("disk = ['/x,raw']", "a.cfg:3:10: '/x,raw': 'vdev' is not set; every guest needs it"),
        (
            "disk = ['format=raw,vdev=xvda']",
            "a.cfg:3:10: 'format=raw,vdev=xvda': 'target' is not set; every guest needs it",
        ),
        ("disk = ['/x,raw,xvda,x']", "a.cfg:3:22: 'x': must be one of: ro, r, rw, w; did you mean 'r'?"),
        (
            "disk = ['/x,raw,foo,w']",
            "a.cfg:3:17: 'foo': must look like xvda, xvdb2, sda, hdc, d0p1, or the number itself (51712)",
        ),
        (
            "disk = ['/x,raw,sdq,w']",
            "a.cfg:3:17: 'sdq': must look like xvda to d1048575p255, sda to sdp15, or hda to hdd63",
        ),
        ("disk = ['/x,raw,xvda,w,vdev=xvdb']", "a.cfg:3:24: 'vdev': given a second time; remove one"),
        (
            "disk = ['/x,raw,xvda,w',\n '/y,raw,51712,w']",
            "a.cfg:4:3: '/y,raw,51712,w': the guest already has a disk 51712; choose another name",
        ),
        (
            "vif = ['devid=1', '', '', 'devid=1']",
            "a.cfg:3:28: 'devid=1': the guest already has an interface 1; choose another devid",
        ),
        (
            "vif = ['mac=00:16:3e:1']",
            "a.cfg:3:13: '00:16:3e:1': must look like six hexadecimal bytes (00:16:3e:12:34:56)",
        ),
        (
            "vif = ['brigde=br0']",
            "a.cfg:3:9: 'brigde': must be one of: mac, bridge, gatewaydev, type, model, vifname, script, ip, backend, rate, \
             devid, mtu, trusted, untrusted; did you mean 'bridge'?",
        ),
        (
            "vif = ['rate=fast']",
            "a.cfg:3:14: 'fast': must look like 10Mb/s, 250KB/s or 1MB/s@20ms, at least a byte in an interval",
        ),
    ] {
        assert_eq!(said(lines), message, "{lines}");
    }
    assert_eq!(
        parse_disk("block-attach", "/x,raw,xvda,x").unwrap_err().to_string(),
        "block-attach:1:13: 'x': must be one of: ro, r, rw, w; did you mean 'r'?"
    );
    assert_eq!(
        parse_vif("network-attach", "mtu=1", 0).unwrap_err().to_string(),
        "network-attach:1:5: '1': must be from 68 to 65535"
    );
}

#[test]
fn a_setting_from_the_command_line_is_named_so() {
    let sources = [
        Source { name: "a.cfg", text: b"name='a'\nkernel='/k'\nextra='x'\n" },
        Source { name: "command line", text: b"memory=1G\nvcpus=2" },
    ];
    let error = parse(&sources).unwrap_err().to_string();
    assert_eq!(error, "command line:1:8: '1G': not a number (decimal, 0x for hexadecimal or 0 for octal)");
}

#[test]
fn long_and_strange_text_is_shown_short() {
    let error = said(&format!("vcpus = '{}\\n'", "1\\x1b[31m".repeat(50)));
    assert!(error.starts_with("a.cfg:3:10: '1[31m1[31m"), "{error:?}");
    assert!(error.contains("...': not a number") && !error.contains('\x1b') && error.len() < 160, "{error:?}");
}
