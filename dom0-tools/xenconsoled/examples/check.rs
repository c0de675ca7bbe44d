// SPDX-License-Identifier: MIT OR Apache-2.0
//! Holds a running daemon to its promises, on a real hypervisor in dom0: plays the builder of paused domains and the guests in them.
//!
//! Usage: `check PATH-OF-XENCONSOLED`. xenstored runs, xenconsoled does not.
#![forbid(unsafe_code)]

use hypercalls::io::console::XenconsInterface;
use hypercalls::{DomId, GrantRef, Mfn, Pfn};
use std::error::Error;
use std::fs;
use std::io::Read;
use std::mem::offset_of;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use xen_control::{Control, NewDomain};
use xen_sys::ForeignMapping;
use xenstore::client::Client;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn logs() -> PathBuf {
    std::env::temp_dir().join("xenconsoled-check")
}

fn check(right: bool, what: &str) -> Outcome {
    if right { Ok(()) } else { Err(what.into()) }
}

/// Waits for something that the daemon does.
fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Outcome<T> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if Instant::now() > deadline {
            return Err(format!("waited too long for {what}").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A paused domain; we write into its console page as it would.
struct Guest<'a> {
    control: &'a Control,
    store: &'a Client,
    id: DomId,
    name: String,
    page: ForeignMapping,
}

impl<'a> Guest<'a> {
    fn new(control: &'a Control, store: &'a Client, number: usize) -> Outcome<Self> {
        let id = control.create_domain(&NewDomain::new([number as u8 + 1; 16], 1))?;
        // Xen 4.17 dies of an event for a domain without vCPUs.
        control.set_max_vcpus(id, 1)?;
        control.set_max_memory(id, 64)?;
        let frames = control.populate(id, 0, &[Pfn::new(0), Pfn::new(1)])?;
        let [console, ring] = frames[..] else { return Err("no memory".into()) };
        let page = control.map(id, &[console], true)?;
        page.fill(0, 4096, 0)?;
        let guest = Self { control, store, id, name: format!("check-{number}"), page };
        guest.enter(console, ring)?;
        Ok(guest)
    }

    /// Fills the grant table and the store as a builder does; the guest has said something by the time it is introduced.
    fn enter(&self, console: Mfn, ring: Mfn) -> Outcome {
        let dom0 = DomId::DOM0;
        self.control.seed_grants(self.id, &[(GrantRef::CONSOLE, dom0, console), (GrantRef::XENSTORE, dom0, ring)])?;
        let port = self.control.alloc_unbound(self.id, dom0)?;
        let home = format!("/local/domain/{}", self.id.raw());
        self.store.write(&format!("{home}/name"), &self.name)?;
        self.store.write(&format!("{home}/console/type"), "xenconsoled")?;
        self.store.write(&format!("{home}/console/ring-ref"), console.raw().to_string())?;
        self.store.write(&format!("{home}/console/port"), port.raw().to_string())?;
        self.control.map(self.id, &[ring], true)?.fill(0, 4096, 0)?;
        let port = self.control.alloc_unbound(self.id, dom0)?;
        self.say("first words\n")?;
        Ok(self.store.introduce(self.id, ring, port)?)
    }

    fn say(&self, text: &str) -> Outcome {
        let at = offset_of!(XenconsInterface, out_prod);
        let produced = self.page.load_u32(at)?;
        for (n, byte) in text.bytes().enumerate() {
            self.page.write(1024 + (produced as usize + n) % 2048, &[byte])?;
        }
        Ok(self.page.store_u32(at, produced.wrapping_add(text.len() as u32))?)
    }

    fn log_path(&self) -> PathBuf {
        logs().join(format!("guest-{}.log", self.name))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn tty(&self) -> Option<String> {
        self.store.find_text(&format!("/local/domain/{}/console/tty", self.id.raw())).ok()?
    }

    fn destroy(self) -> Outcome {
        let Self { control, store, id, page, .. } = self;
        drop(page);
        control.destroy_domain(id)?;
        // xenstored may have found out by itself.
        store.release(id).ok();
        store.rm(&format!("/local/domain/{}", id.raw())).ok();
        Ok(())
    }
}

fn start(daemon: &str) -> Outcome<Child> {
    let child = Command::new(daemon)
        .args(["--foreground", "--log-size", "1", "--backlog", "1", "--log-dir"])
        .arg(logs())
        .spawn()?;
    Ok(child)
}

/// How many files the daemon has open.
fn open_files(daemon: &Child) -> usize {
    fs::read_dir(format!("/proc/{}/fd", daemon.id())).map_or(0, Iterator::count)
}

fn main() -> Outcome {
    let daemon = std::env::args().nth(1).ok_or("usage: check PATH-OF-XENCONSOLED")?;
    fs::create_dir_all(logs())?;
    let control = Control::open()?;
    let store = Client::connect()?;
    let mut running = start(&daemon)?;
    let outcome = one_guest(&control, &store, &daemon, &mut running).and_then(|()| many(&control, &store, &running));
    running.kill()?;
    running.wait()?;
    for domain in control.domains()?.iter().skip(1) {
        control.destroy_domain(domain.id)?;
    }
    outcome?;
    println!("all is well");
    Ok(())
}

fn one_guest(control: &Control, store: &Client, daemon: &str, running: &mut Child) -> Outcome {
    let began = Instant::now();
    let guest = Guest::new(control, store, 0)?;
    let introduced = Instant::now();
    let tty = wait("the terminal", || guest.tty())?;
    println!("domain made in {:?}, {tty} after {:?}", introduced - began, introduced.elapsed());
    wait("the first words", || (guest.log() == "first words\n").then_some(()))?;
    let mut terminal = fs::File::open(&tty)?;
    let mut bytes = [0; 100];
    let count = terminal.read(&mut bytes)?;
    check(&bytes[..count] == b"first words\n", "whoever attaches does not see the first words")?;
    drop(terminal);
    running.kill()?;
    running.wait()?;
    guest.say("said to nobody\n")?;
    *running = start(daemon)?;
    wait("what was said meanwhile", || guest.log().ends_with("said to nobody\n").then_some(()))?;
    guest.say(&"x".repeat(2047))?;
    guest.say("!")?;
    let (log, id) = (guest.log_path(), guest.id);
    guest.destroy()?;
    wait("the last words", || fs::read_to_string(&log).ok()?.ends_with("x!").then_some(()))?;
    check(fs::read_to_string(log.with_extension("log.1"))?.starts_with("first"), "the log was not rotated")?;
    wait("the domain to go", || control.domain_info(id).ok()?.is_none().then_some(()))?;
    let liar = Guest::new(control, store, 1)?;
    liar.page.store_u32(offset_of!(XenconsInterface, out_prod), 0x8000_0000)?;
    let honest = Guest::new(control, store, 2)?;
    wait("the honest guest", || (honest.log() == "first words\n").then_some(()))?;
    liar.destroy()?;
    honest.destroy()
}

fn many(control: &Control, store: &Client, running: &Child) -> Outcome {
    std::thread::sleep(Duration::from_secs(3));
    let before = open_files(running);
    for round in 0..2 {
        let began = Instant::now();
        let guests: Vec<Guest<'_>> =
            (3..103).map(|number| Guest::new(control, store, number)).collect::<Outcome<_>>()?;
        let made = began.elapsed();
        for guest in &guests {
            wait("a terminal of many", || guest.tty())?;
            guest.say("last words\n")?;
        }
        println!("{} domains made in {made:?}, served after {:?}", guests.len(), began.elapsed());
        let logs: Vec<PathBuf> = guests.iter().map(Guest::log_path).collect();
        let began = Instant::now();
        guests.into_iter().try_for_each(Guest::destroy)?;
        println!("destroyed in {:?}", began.elapsed());
        let said = "first words\nlast words\n".repeat(round + 1);
        wait("all last words", || {
            logs.iter().all(|log| fs::read_to_string(log).is_ok_and(|text| text == said)).then_some(())
        })?;
        wait("all domains to go", || control.domains().is_ok_and(|domains| domains.len() == 1).then_some(()))?;
    }
    let began = Instant::now();
    for _ in 0..1000 {
        control.domains()?;
    }
    println!("a list of domains takes {:?}", began.elapsed() / 1000);
    // Unread words wait two seconds for a reader.
    wait("the files to close", || (open_files(running) == before).then_some(()))
}
