// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What holds for every text: no panic, errors point into it, and what is printed reads back as the same.

use domain_builder::config::{Action, Config, ConfigError, Source, parse, parse_disk, parse_vif};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Words of the syntax and of its values, from which soups reach deep into the parser.
const WORDS: &[&str] = &[
    "name",
    "kernel",
    "memory",
    "vcpus",
    "maxvcpus",
    "disk",
    "vif",
    "cpus",
    "extra",
    "uuid",
    "pci",
    "on_crash",
    "type",
    "=",
    "+=",
    " ",
    "\n",
    ";",
    "#",
    "[",
    "]",
    ",",
    "'",
    "\"",
    "\\",
    "\r",
    "0",
    "1",
    "0x10",
    "08",
    "-1",
    "/x",
    "raw",
    "xvda",
    "w",
    "target=",
    "vdev=",
    "phy:",
    "file:",
    "mac=",
    "00:16:3e:00:00:01",
    "bridge=",
    "rate=",
    "10Mb/s",
    "@20ms",
    "all",
    "^1",
    "node:0",
    "pv",
    "hvm",
    "destroy",
    "ä",
    "\u{1f427}",
    "\t",
    "'a'",
    "='/k'\n",
    "name='a'\nkernel='/k'\n",
];

fn soup() -> impl Strategy<Value = String> {
    vec(proptest::sample::select(WORDS), 0..40).prop_map(|words| words.concat())
}

/// The error's place must exist, and its text must stand there (escapes and joined pieces aside).
fn check(error: &ConfigError, sources: &[Source<'_>]) -> Result<(), TestCaseError> {
    let source = sources.iter().find(|source| source.name == error.place.file);
    let text = String::from_utf8_lossy(source.expect("a known source").text).into_owned();
    // `lines` would take the carriage returns away.
    let line = text.split('\n').nth(error.place.line as usize - 1);
    let line = line.ok_or_else(|| TestCaseError::fail(format!("no such line: {error}")))?;
    let column = error.place.column as usize - 1;
    prop_assert!(column <= line.chars().count(), "no such column: {error}");
    let there: String = line.chars().skip(column).filter(|c| !c.is_control()).collect();
    let shown = error.text.strip_suffix("...").unwrap_or(&error.text);
    prop_assert!(there.starts_with(shown) || text.contains('\\') || text.contains("+="), "{error}: {there:?}");
    prop_assert!(!error.to_string().contains('\n'), "{error:?}");
    Ok(())
}

fn text() -> impl Strategy<Value = String> {
    "[ -~ä\\n\\t\\x1b]{0,30}"
}

fn affinity() -> impl Strategy<Value = String> {
    let list = "(all|[0-9]{1,2}|[0-3]-[4-9])(,\\^?(node:)?[0-9]{1,3}){0,3}";
    prop_oneof![
        list.prop_map(|list| format!("'{list}'")),
        vec(list, 1..4).prop_map(|lists| format!("['{}']", lists.join("','")))
    ]
}

/// A configuration with everything the text of a file can set; what is hard to write as text is set afterwards.
fn config() -> impl Strategy<Value = Config> {
    let numbers = (1..9999_u64, 0..9999_u64, 1..64_u32, 0..64_u32);
    let limits =
        (option::of(1..65535_u32), option::of(0..65535_u32), option::of(1..=2_u32), option::of(1..131_071_u32));
    let share = (option::of(1..=65535_u16), option::of(0..=65535_u16));
    let affinities = (option::of(affinity()), option::of(affinity()));
    let disks = vec(("[ -~]{1,20}", any::<[bool; 4]>()), 0..5);
    let vifs =
        vec(option::of((any::<[u8; 3]>(), "[a-z][a-z0-9.]{0,14}", 1..9999_u32, 68..65535_u32, any::<bool>())), 0..5);
    let actions = vec(proptest::sample::select(Action::ALL.to_vec()), 4);
    let texts = ("[ -.0-~äß→]{1,20}", text(), "/[ -~]{0,20}", option::of("/[ -~]{0,20}"), any::<Option<[u8; 16]>>());
    (numbers, limits, share, affinities, disks, vifs, actions, texts)
        .prop_filter_map("names of dots only", |(numbers, limits, share, affinities, disks, vifs, actions, texts)| {
            let mut file = String::from("name='a'\nkernel='/k'\n");
            for (name, value) in [("cpus", affinities.0), ("cpus_soft", affinities.1)] {
                value.iter().for_each(|value| file += &format!("{name}={value}\n"));
            }
            let mut config = parse(&[Source { name: "t", text: file.as_bytes() }]).expect("valid").config;
            config.forget_places();
            (config.memory_mib, config.maxmem_mib) = (numbers.0, numbers.0 + numbers.1);
            (config.vcpus, config.maxvcpus) = (numbers.2, numbers.2 + numbers.3);
            (config.max_grant_frames, config.max_maptrack_frames) = (limits.0, limits.1);
            (config.max_grant_version, config.max_event_channels) = (limits.2, limits.3);
            (config.cpu_weight, config.cap) = share;
            for (index, (target, flags)) in disks.into_iter().enumerate() {
                let [read_only, cdrom, discard, trusted] = flags;
                let mut disk = parse_disk("t", &format!("/x,,d{index}")).expect("valid");
                disk.target = format!("/{target}");
                // A CD-ROM is never writable.
                (disk.read_only, disk.cdrom, disk.discard, disk.trusted) = (read_only || cdrom, cdrom, discard, trusted);
                config.disks.push(disk);
            }
            for (index, vif) in (0..).zip(vifs) {
                let spec = vif.map_or_else(String::new, |(mac, name, rate, mtu, trusted)| {
                    let [a, b, c] = mac;
                    let trusted = if trusted { "trusted" } else { "untrusted" };
                    format!("mac=00:16:3e:{a:02x}:{b:02x}:{c:02x},bridge={name},vifname={name},rate={rate}Kb/s@{mtu}us,mtu={mtu},{trusted}")
                });
                // Rates that let nothing through are no valid configuration.
                config.vifs.push(parse_vif("t", &spec, index).ok()?.0);
            }
            let [poweroff, reboot, crash, watchdog] = actions.try_into().expect("four");
            (config.on_poweroff, config.on_reboot, config.on_crash, config.on_watchdog) = (poweroff, reboot, crash, watchdog);
            config.name = texts.0;
            config.cmdline = texts.1;
            config.kernel = texts.2.into();
            config.ramdisk = texts.3.map(Into::into);
            config.uuid = texts.4.map(domain_builder::config::Uuid::from_bytes);
            (!matches!(config.name.as_str(), "." | "..")).then_some(config)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let sources = [Source { name: "f", text: &bytes }];
        if let Err(error) = parse(&sources) {
            check(&error, &sources)?;
        }
    }

    #[test]
    fn soups_never_panic_and_errors_point_into_them(one in soup(), two in soup()) {
        let sources = [Source { name: "f", text: one.as_bytes() }, Source { name: "command line", text: two.as_bytes() }];
        if let Err(error) = parse(&sources) {
            check(&error, &sources)?;
        }
    }

    #[test]
    fn devices_never_panic(spec in soup()) {
        let sources = [Source { name: "f", text: spec.as_bytes() }];
        for error in [parse_disk("f", &spec).err(), parse_vif("f", &spec, 0).err()].into_iter().flatten() {
            check(&error, &sources)?;
        }
    }

    #[test]
    fn what_is_printed_reads_back(config in config()) {
        let printed = config.to_string();
        let parsed = parse(&[Source { name: "printed", text: printed.as_bytes() }]);
        let mut back = parsed.map_err(|error| TestCaseError::fail(format!("{error}\n{printed}")))?.config;
        back.forget_places();
        prop_assert_eq!(&back, &config, "{}", printed);
        let json = serde_json::to_string(&config).expect("always representable");
        prop_assert_eq!(serde_json::from_str::<Config>(&json).expect("its own output"), config);
    }
}
