// SPDX-License-Identifier: MIT OR Apache-2.0
//! The client against a server that answers by rote.
#![forbid(unsafe_code)]

use hypercalls::frame::Mfn;
use hypercalls::ids::{DomId, Port};
use hypercalls::io::xs_wire::XsMessageType as Op;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use xenstore::Message;
use xenstore::client::{Access, Client, Error, Permission};

/// What is expected, and what is said to it: the payload, or the name of an error after `!`; before it perhaps an event.
struct Turn(Op, u32, &'static [u8], Vec<u8>);

fn turn(kind: Op, tx: u32, payload: &'static [u8], answer: &[u8]) -> Turn {
    Turn(kind, tx, payload, answer.to_vec())
}

/// A server that serves one connection for each script, then goes away.
fn server(name: &str, scripts: Vec<Vec<Turn>>) -> (PathBuf, JoinHandle<()>) {
    let path = std::env::temp_dir().join(format!("xenstore-client-{name}-{}", std::process::id()));
    std::fs::remove_file(&path).ok();
    let listener = UnixListener::bind(&path).unwrap();
    let served = thread::spawn(move || {
        for script in scripts {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = Vec::new();
            for Turn(kind, tx, payload, answer) in script {
                let request = loop {
                    if let Some((request, used)) = Message::decode(&bytes).unwrap() {
                        bytes.drain(..used);
                        break request;
                    }
                    let mut part = [0; 100];
                    let got = stream.read(&mut part).unwrap();
                    bytes.extend_from_slice(&part[..got]);
                };
                assert_eq!((request.kind, request.tx_id), (kind, tx));
                assert_eq!(request.payload, payload);
                let event = Message::new(Op::WATCH_EVENT, 0, 0, b"/w\0token\0").encode();
                let answer = match answer.strip_prefix(b"!") {
                    Some(error) => Message { kind: Op::ERROR, payload: [error, b"\0"].concat(), ..request },
                    None => request.answer(&answer),
                };
                // In two pieces, after an event.
                let bytes = [event, answer.encode()].concat();
                let (one, two) = bytes.split_at(bytes.len() - 3);
                stream.write_all(one).unwrap();
                stream.write_all(two).unwrap();
            }
        }
    });
    (path, served)
}

#[test]
fn nodes_and_errors() {
    let script = vec![
        turn(Op::READ, 0, b"/a\0", b"value"),
        turn(Op::READ, 0, b"/b\0", b"!ENOENT"),
        turn(Op::READ, 0, b"/c\0", b"!EODD"),
        turn(Op::WRITE, 0, b"/a\0v\0w", b"OK\0"),
        turn(Op::GET_PERMS, 0, b"/a\0", b"n0\0r7\0"),
        turn(Op::SET_PERMS, 0, b"/a\0n1\0b2\0", b"OK\0"),
        turn(Op::DIRECTORY, 0, b"/d\0", b"!E2BIG"),
        turn(Op::DIRECTORY_PART, 0, b"/d\x000\0", b"1\0a\0bc\0"),
        turn(Op::DIRECTORY_PART, 0, b"/d\x005\0", b"2\0d\0\0"),
        turn(Op::DIRECTORY_PART, 0, b"/d\x000\0", b"2\0a\0bc\0"),
        turn(Op::DIRECTORY_PART, 0, b"/d\x005\0", b"2\0d\0\0"),
        turn(Op::DIRECTORY, 0, b"/e\0", b""),
    ];
    let (path, served) = server("nodes", vec![script]);
    let client = Client::connect_to(&path).unwrap();
    assert_eq!(client.read_text("/a").unwrap(), "value");
    assert_eq!(client.find_text("/b").unwrap(), None);
    let odd = client.read("/c").unwrap_err();
    assert_eq!(odd.to_string(), "xenstore read /c: EODD");
    client.write("/a", b"v\0w").unwrap();
    assert!(matches!(client.write("/a\0", b""), Err(Error::Argument { .. })));
    let perms = [Permission::new(hypercalls::ids::DomId::DOM0, Access::None), Permission::parse("r7").unwrap()];
    assert_eq!(client.get_perms("/a").unwrap(), perms);
    client.set_perms("/a", &["n1", "b2"].map(|text| Permission::parse(text).unwrap())).unwrap();
    assert_eq!(client.list("/d").unwrap(), ["a", "bc", "d"]);
    assert_eq!(client.list("/e").unwrap(), [""; 0]);
    served.join().unwrap();
    let mut events = 0;
    while let Ok(Some(event)) = client.next_event(Some(Duration::ZERO)) {
        assert_eq!((&*event.path, &*event.token), ("/w", "token"));
        events += 1;
    }
    assert_eq!(events, 12);
    assert!(client.next_event(None).unwrap_err().is_closed());
    let gone = client.read("/a").unwrap_err();
    assert!(gone.is_closed() && gone.to_string().contains("restarted"), "{gone}");
}

#[test]
fn several_requests_go_together() {
    let script = vec![
        turn(Op::READ, 0, b"/a\0", b"1"),
        turn(Op::READ, 0, b"/b\0", b"!ENOENT"),
        turn(Op::READ, 0, b"/c\0", b"3"),
        // One of them cannot be read: the answers to the others are nobody's.
        turn(Op::READ, 0, b"/a\0", b"!EACCES"),
        turn(Op::READ, 0, b"/c\0", b"3"),
        turn(Op::RM, 0, b"/none\0", b"!ENOENT"),
        // A batch that is made, with what is not there to be removed.
        turn(Op::WRITE, 0, b"/a\x001", b"OK\0"),
        turn(Op::RM, 0, b"/none\0", b"!ENOENT"),
        turn(Op::INTRODUCE, 0, b"3\x004\x005\0", b"OK\0"),
        // One of which something is refused: the first counts, and not for the next.
        turn(Op::WRITE, 0, b"/a\x001", b"!ENOSPC"),
        turn(Op::RM, 0, b"/a\0", b"!EACCES"),
        turn(Op::WRITE, 0, b"/a\x002", b"OK\0"),
        // What nobody waits for.
        turn(Op::RELEASE, 0, b"3\0", b"!EINVAL"),
        turn(Op::TRANSACTION_START, 0, b"\0", b"9\0"),
        turn(Op::READ, 9, b"/a\0", b"!ENOENT"),
        turn(Op::READ, 9, b"/b\0", b"2"),
        turn(Op::RM, 9, b"/none\0", b"!ENOENT"),
        turn(Op::TRANSACTION_END, 9, b"T\0", b"OK\0"),
    ];
    let (path, served) = server("together", vec![script]);
    let client = Client::connect_to(&path).unwrap();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(client.nodes().find_texts(["/a", "/b", "/c"]).unwrap(), [text("1"), None, text("3")]);
    let refused = client.nodes().find_texts(["/a", "/c"]).unwrap_err();
    assert_eq!(refused.to_string(), "xenstore read /a: EACCES");
    client.nodes().discard("/none").unwrap();
    let introduced = client.batch(|nodes| {
        nodes.write("/a", "1")?;
        nodes.discard("/none")?;
        client.introduce(DomId::new(3), Mfn::new(4), Port::new(5))
    });
    introduced.unwrap();
    let refused = client.batch(|nodes| nodes.write("/a", "1").and_then(|()| nodes.discard("/a"))).unwrap_err();
    assert_eq!(refused.to_string(), "xenstore write /a: ENOSPC");
    client.batch(|nodes| nodes.write("/a", "2")).unwrap();
    client.release_soon(DomId::new(3)).unwrap();
    let found = client.transaction(|nodes| {
        let found = nodes.find_texts(["/a", "/b"])?;
        nodes.discard("/none")?;
        Ok(found)
    });
    assert_eq!(found.unwrap(), [None, text("2")]);
    served.join().unwrap();
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn transactions_are_tried_again_and_lost_connections_renewed() {
    let first = vec![
        turn(Op::WATCH, 0, b"/w\0token\0", b"OK\0"),
        turn(Op::TRANSACTION_START, 0, b"\0", b"5\0"),
        turn(Op::WRITE, 5, b"/a\x001", b"OK\0"),
        turn(Op::TRANSACTION_END, 5, b"T\0", b"!EAGAIN"),
        turn(Op::TRANSACTION_START, 0, b"\0", b"6\0"),
        turn(Op::WRITE, 6, b"/a\x001", b"OK\0"),
        turn(Op::TRANSACTION_END, 6, b"T\0", b"OK\0"),
        turn(Op::TRANSACTION_START, 0, b"\0", b"7\0"),
        turn(Op::WRITE, 7, b"/a\x001", b"!EACCES"),
        turn(Op::TRANSACTION_END, 7, b"F\0", b"OK\0"),
        // Of several changes the first that was refused counts, and none is committed.
        turn(Op::TRANSACTION_START, 0, b"\0", b"8\0"),
        turn(Op::MKDIR, 8, b"/b\0", b"OK\0"),
        turn(Op::WRITE, 8, b"/b/c\x001", b"!ENOSPC"),
        turn(Op::SET_PERMS, 8, b"/b\0n1\0", b"!EACCES"),
        turn(Op::READ, 8, b"/b/d\0", b"x"),
        turn(Op::TRANSACTION_END, 8, b"F\0", b"OK\0"),
    ];
    let second = vec![turn(Op::WATCH, 0, b"/w\0token\0", b"OK\0"), turn(Op::READ, 0, b"/a\0", b"1")];
    let (path, served) = server("transactions", vec![first, second]);
    let client = Client::connect_to(&path).unwrap();
    client.watch("/w", "token").unwrap();
    client.transaction(|nodes| nodes.write("/a", "1")).unwrap();
    let refused = client.transaction(|nodes| nodes.write("/a", "1")).unwrap_err();
    assert_eq!(refused.reason(), Some(xenstore::Error::Access));
    let refused = client.transaction(|nodes| {
        nodes.mkdir("/b")?;
        nodes.write("/b/c", "1")?;
        nodes.set_perms("/b", &[Permission::parse("n1").unwrap()])?;
        assert_eq!(nodes.read_text("/b/d")?, "x");
        Ok(())
    });
    assert_eq!(refused.unwrap_err().to_string(), "xenstore write /b/c: ENOSPC");
    assert_eq!(client.persist(Duration::from_secs(5), |client| client.read_text("/a")).unwrap(), "1");
    served.join().unwrap();
    std::fs::remove_file(&path).unwrap();
    let gone = client.persist(Duration::from_millis(50), |client| client.read_text("/a")).unwrap_err();
    assert!(matches!(&gone, Error::Connect { .. }), "{gone}");
    assert!(gone.to_string().contains("is xenstored running?"));
}
