// SPDX-License-Identifier: MIT OR Apache-2.0
//! The store against a naive one: a map from path to value, copied whole for each transaction.
#![forbid(unsafe_code)]

use hypercalls::io::xs_wire::XsMessageType as Op;
use proptest::prelude::*;
use std::collections::BTreeMap;
use xenstore::Message;
use xenstored::{Limits, Store};

type Map = BTreeMap<String, String>;

#[derive(Clone, Debug)]
enum Step {
    Write(bool, String, String),
    Mkdir(bool, String),
    Rm(bool, String),
    Read(bool, String),
    Start,
    End(bool),
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab]", 1..4).prop_map(|parts| format!("/{}", parts.join("/")))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (any::<bool>(), path(), "[x-z]").prop_map(|(tx, path, value)| Step::Write(tx, path, value)),
        (any::<bool>(), path()).prop_map(|(tx, path)| Step::Mkdir(tx, path)),
        (any::<bool>(), path()).prop_map(|(tx, path)| Step::Rm(tx, path)),
        (any::<bool>(), path()).prop_map(|(tx, path)| Step::Read(tx, path)),
        Just(Step::Start),
        any::<bool>().prop_map(Step::End),
    ]
}

fn make(map: &mut Map, path: &str) {
    for (at, _) in path.match_indices('/').skip(1).chain([(path.len(), "")]) {
        map.entry(path[..at].to_owned()).or_default();
    }
}

fn remove(map: &mut Map, path: &str) -> &'static str {
    let below = format!("{path}/");
    let parent = &path[..path.rfind('/').unwrap()];
    if !parent.is_empty() && !map.contains_key(parent) {
        return "ENOENT\0";
    }
    map.retain(|key, _| key != path && !key.starts_with(&below));
    "OK\0"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn agrees_with_a_map(steps in prop::collection::vec(step(), 1..60)) {
        let mut store = Store::new(Limits::default());
        let client = store.connect();
        let mut main = Map::new();
        // Id, work copy, the map at the start.
        let mut open: Option<(u32, Map, Map)> = None;
        for step in steps {
            let mut send = |op, tx, payload: String| {
                let outcome = store.handle(client, &Message::new(op, 1, tx, payload.as_bytes()));
                String::from_utf8(outcome.messages[0].1.payload.clone()).unwrap()
            };
            let in_tx = match &step {
                Step::Write(tx, ..) | Step::Mkdir(tx, _) | Step::Rm(tx, _) | Step::Read(tx, _) => *tx,
                _ => false,
            };
            let (id, map) = match &mut open {
                Some((id, map, _)) if in_tx => (*id, map),
                _ => (0, &mut main),
            };
            match step {
                Step::Write(_, path, value) => {
                    prop_assert_eq!(send(Op::WRITE, id, format!("{path}\0{value}")), "OK\0");
                    make(map, &path);
                    map.insert(path, value);
                }
                Step::Mkdir(_, path) => {
                    prop_assert_eq!(send(Op::MKDIR, id, format!("{path}\0")), "OK\0");
                    make(map, &path);
                }
                Step::Rm(_, path) => prop_assert_eq!(send(Op::RM, id, format!("{path}\0")), remove(map, &path)),
                Step::Read(_, path) => {
                    let expected = map.get(&path).map_or("ENOENT\0", |value| value);
                    prop_assert_eq!(send(Op::READ, id, format!("{path}\0")), expected);
                }
                Step::Start => {
                    if open.is_none() {
                        let id = send(Op::TRANSACTION_START, 0, "\0".into());
                        open = Some((id.trim_end_matches('\0').parse().unwrap(), main.clone(), main.clone()));
                    }
                }
                Step::End(commit) => {
                    let Some((id, work, base)) = open.take() else { continue };
                    let answer = send(Op::TRANSACTION_END, id, if commit { "T\0" } else { "F\0" }.into());
                    match answer.as_str() {
                        "OK\0" if commit => {
                            // What the transaction changed wins; the rest stays as others left it.
                            for path in base.keys().chain(work.keys()) {
                                if base.get(path) != work.get(path) {
                                    match work.get(path) {
                                        Some(value) => main.insert(path.clone(), value.clone()),
                                        None => main.remove(path),
                                    };
                                }
                            }
                        }
                        "OK\0" => {}
                        // Only somebody else's change may be in the way; an unchanged generation never is.
                        other => prop_assert!(commit && other == "EAGAIN\0", "{other}"),
                    }
                }
            }
        }
        for (path, value) in &main {
            let outcome = store.handle(client, &Message::new(Op::READ, 1, 0, format!("{path}\0").as_bytes()));
            prop_assert_eq!(&outcome.messages[0].1.payload, value.as_bytes());
        }
        prop_assert_eq!(store.usage(hypercalls::ids::DomId::DOM0).nodes, main.len() as u64 + 1);
    }

    #[test]
    fn no_bytes_panic(op in 0_u32..24, tx in 0_u32..2, payload in prop::collection::vec(prop::sample::select(b"/a@0T\0 n".to_vec()), 0..12)) {
        let mut store = Store::new(Limits::default());
        for client in [store.connect(), store.attach(hypercalls::ids::DomId::new(3), 1, 1)] {
            store.handle(client, &Message::new(Op::TRANSACTION_START, 1, 0, b"\0"));
            store.handle(client, &Message::new(Op::new(op), 1, tx, &payload));
        }
    }
}
