// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program itself, on a socket and without Xen: start, clients, `kill -9` and restart.
#![forbid(unsafe_code)]

use hypercalls::io::xs_wire::XsMessageType;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use xenstore::Message;
use xenstore::client::{Client, Permission};

const SOON: Duration = Duration::from_secs(20);

struct Daemon {
    folder: PathBuf,
    child: Option<Child>,
}

impl Daemon {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("xenstored-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self { folder, child: None }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xenstored"));
        command.arg("--no-xen");
        for (option, file) in
            [("--socket", "socket"), ("--state", "state"), ("--pid-file", "pid"), ("--log-file", "log")]
        {
            command.arg(option).arg(self.folder.join(file));
        }
        command
    }

    fn start(&mut self) {
        self.child = Some(self.command().arg("--foreground").stderr(Stdio::null()).spawn().unwrap());
    }

    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn client(&self) -> Client {
        let until = Instant::now() + SOON;
        loop {
            match Client::connect_to(&self.folder.join("socket")) {
                Ok(client) => return client,
                Err(error) => assert!(Instant::now() < until, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
        fs::remove_dir_all(&self.folder).ok();
    }
}

#[test]
fn clients_are_served() {
    let mut daemon = Daemon::new("clients");
    daemon.start();
    let client = daemon.client();
    let names: Vec<String> = (0..700).map(|n| format!("a-rather-long-name-{n}")).collect();
    client.transaction(|nodes| names.iter().try_for_each(|name| nodes.write(&format!("/many/{name}"), name))).unwrap();
    assert_eq!(client.list("/many").unwrap(), names);
    let perms = ["n0", "r7"].map(|text| Permission::parse(text).unwrap());
    client.set_perms("/many", &perms).unwrap();
    assert_eq!(client.get_perms("/many").unwrap(), perms);
    // Two that change the same thing: one goes again, and both are counted.
    let other = daemon.client();
    client.write("/count", "0").unwrap();
    let mut tries = 0;
    client
        .transaction(|nodes| {
            tries += 1;
            let count: u32 = nodes.read_text("/count")?.parse().unwrap();
            if tries == 1 {
                other.write("/count", "10")?;
            }
            nodes.write("/count", (count + 1).to_string())
        })
        .unwrap();
    assert_eq!((tries, client.read_text("/count").unwrap()), (2, "11".to_owned()));
    client.watch("/count", "token").unwrap();
    other.write("/count/below", "x").unwrap();
    let paths: Vec<String> = (0..2).map(|_| client.next_event(Some(SOON)).unwrap().unwrap().path).collect();
    assert_eq!(paths, ["/count", "/count/below"]);
    assert_eq!(client.next_event(Some(Duration::from_millis(50))).unwrap(), None);
    client.rm("/many").unwrap();
    assert!(!client.exists("/many").unwrap());
    assert_eq!(client.control(&["check"]).unwrap(), "OK");
    assert!(client.control(&["quota"]).unwrap().contains("watches          :      128"));
    client.control(&["print", "a line"]).unwrap();
    assert!(daemon.log().contains("xenstored: a line\n"));
    // Clients that ask and leave at once are forgotten.
    for _ in 0..50 {
        let mut stream = std::os::unix::net::UnixStream::connect(daemon.folder.join("socket")).unwrap();
        stream.write_all(&Message::new(XsMessageType::READ, 1, 0, b"/count\0").encode()).unwrap();
    }
    let until = Instant::now() + SOON;
    while !client.control(&["memreport"]).unwrap().contains("connections: 2\n") {
        assert!(Instant::now() < until);
    }
    // Another one sees that it is not needed, and says so.
    let Output { status, stderr, .. } = daemon.command().arg("--foreground").output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(status.code() == Some(1) && said.contains("another xenstored runs"), "{said}");
}

#[test]
fn what_was_acknowledged_survives() {
    let mut daemon = Daemon::new("killed");
    daemon.start();
    let client = daemon.client();
    let (stop, written) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                n += 1;
                let text = n.to_string();
                let done = client.persist(SOON, |client| {
                    client.write(&format!("/plain/{}", n % 10), &text)?;
                    client.transaction(|nodes| {
                        nodes.write("/pair/one", &text)?;
                        nodes.write("/pair/two", &text)
                    })
                });
                done.unwrap();
                written.store(n, Ordering::Release);
            }
        });
        for _ in 0..6 {
            let before = written.load(Ordering::Acquire);
            while written.load(Ordering::Acquire) < before + 20 {
                std::thread::sleep(Duration::from_millis(1));
            }
            let acknowledged = written.load(Ordering::Acquire);
            daemon.kill();
            daemon.start();
            let reader = daemon.client();
            let read = |path: &str| reader.read_text(path).unwrap().parse::<u32>().unwrap();
            assert!(read(&format!("/plain/{}", acknowledged % 10)) >= acknowledged);
            let pair = reader.transaction(|nodes| Ok((nodes.read_text("/pair/one")?, nodes.read_text("/pair/two")?)));
            let (one, two) = pair.unwrap();
            assert_eq!(one, two, "a transaction is there or not, never in part");
            assert!(one.parse::<u32>().unwrap() >= acknowledged);
            assert_eq!(reader.control(&["check"]).unwrap(), "OK");
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(daemon.log().matches("restored store").count(), 6);
}

#[test]
fn it_detaches_when_it_serves() {
    let daemon = Daemon::new("background");
    let status = daemon.command().stdout(Stdio::null()).status().unwrap();
    assert!(status.success());
    // No waiting: it serves already.
    let client = Client::connect_to(&daemon.folder.join("socket")).unwrap();
    client.write("/a", "b").unwrap();
    let pid = fs::read_to_string(daemon.folder.join("pid")).unwrap();
    let parent = fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap();
    assert!(parent.contains("xenstored"), "{parent}");
    let stop = |signal: &str| Command::new("kill").args([signal, pid.trim()]).status().unwrap();
    assert!(stop("-TERM").success());
    let until = Instant::now() + SOON;
    while daemon.folder.join("pid").exists() {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(client.read("/a").unwrap_err().is_closed());
    // It cannot start where it may not write, and says what is wrong.
    let output = daemon.command().arg("--state").arg("/proc/none").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "--state twice");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xenstored"));
    let output = command.args(["--no-xen", "--state", "/proc/none"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("/proc/none"), "{said}");
}
