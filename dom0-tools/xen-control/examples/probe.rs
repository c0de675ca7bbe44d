// SPDX-License-Identifier: MIT OR Apache-2.0
//! Exercises the calls on a real hypervisor, in dom0: prints what it finds, fails if anything is not as it should be.
#![forbid(unsafe_code)]

use hypercalls::sched::ShutdownReason;
use hypercalls::{DomId, Errno, GrantRef, Mfn, PAGE_SIZE, Pfn, VcpuId, Virq};
use std::error::Error;
use xen_control::{Control, CpuMap, Level, NewDomain, Share};
use xen_sys::{EventChannels, Grants};

/// How many domains are made and destroyed.
const CYCLES: u64 = 10;

type Outcome = Result<(), Box<dyn Error>>;

/// Fails with `what` unless `right`.
fn check(right: bool, what: &str) -> Outcome {
    if right { Ok(()) } else { Err(what.into()) }
}

fn main() -> Outcome {
    let control = Control::open()?;
    tell_host(&control)?;
    // The first time the hypervisor and dom0's kernel make tables (grants, ports) which they keep.
    cycle(&control)?;
    let before = settled(&control)?;
    for _ in 0..CYCLES {
        cycle(&control)?;
    }
    let after = settled(&control)?;
    println!("free frames: {before} before, {after} after");
    // The hypervisor's heap and dom0's kernel may keep a page or two; a leak is one for each cycle.
    check(after + CYCLES / 2 >= before, "frames were lost")?;
    println!("all is well");
    Ok(())
}

/// The free frames once what a destroyed domain still had is freed, which the hypervisor does a little later.
fn settled(control: &Control) -> Result<u64, Box<dyn Error>> {
    std::thread::sleep(std::time::Duration::from_millis(500));
    Ok(control.host()?.free_pages)
}

/// A domain's whole life.
fn cycle(control: &Control) -> Outcome {
    let domain = control.create_domain(&NewDomain::new([0x5a; 16], 2))?;
    println!("created domain {}", domain.raw());
    let outcome = use_domain(control, domain);
    control.destroy_domain(domain)?;
    outcome?;
    check(control.domain_info(domain)?.is_none(), "the domain is still there")?;
    let missing = control.pause(domain);
    println!("pausing it now: {:?}", missing.as_ref().map_err(ToString::to_string));
    check(missing.is_err_and(|error| error.is_no_domain()), "a destroyed domain can be paused")
}

fn tell_host(control: &Control) -> Outcome {
    println!("{:#?}", control.version()?);
    println!("{:#?}", control.host()?);
    println!("{:?} {:?} {:?}", control.scheduler()?, control.cpu_places()?, control.nodes()?);
    println!("idle {:?}, last frame {:?}", control.cpu_idle_ns()?, control.last_ram_frame()?);
    for domain in control.domains()? {
        println!("{domain:?}");
        for vcpu in 0..domain.vcpus {
            let vcpu = VcpuId::new(vcpu);
            println!("  {:?} {:?}", control.vcpu_info(domain.id, vcpu)?, control.affinity(domain.id, vcpu)?);
        }
    }
    println!("{:?}", control.share(DomId::DOM0)?);
    let all = control.read_console(None, 64 * 1024)?;
    println!("log: {} bytes, next {}", all.bytes.len(), all.next);
    check(!all.bytes.is_empty(), "the log is empty")?;
    let channels = EventChannels::open()?;
    let port = match channels.bind_virq(Virq::CON_RING) {
        Ok(port) => Some(port),
        Err(error) => {
            println!("VIRQ_CON_RING: {error}");
            None
        }
    };
    control.debug_keys("h")?;
    let more = control.read_console(Some(all.next), 64 * 1024)?;
    println!("after debug key h: {} bytes more, events {:?} (bound {port:?})", more.bytes.len(), channels.pending()?);
    check(!more.bytes.is_empty() && more.next != all.next, "debug keys print nothing")?;
    let next = control.read_console(Some(more.next), 64 * 1024)?;
    println!("nothing new: {} bytes, next {}", next.bytes.len(), next.next);
    Ok(())
}

fn use_domain(control: &Control, domain: DomId) -> Outcome {
    control.set_max_vcpus(domain, 2)?;
    control.set_max_memory(domain, 8 * 1024)?;
    control.set_address_size(domain, 64)?;
    check(control.address_size(domain)? == 64, "not 64 bits")?;
    control.set_tsc_mode(domain, 0)?;
    control.set_uuid(domain, [7; 16])?;
    control.set_affinity(domain, VcpuId::new(1), Some(&CpuMap::all(1)), None)?;
    let affinity = control.affinity(domain, VcpuId::new(1))?;
    check(affinity.hard == CpuMap::all(1) || affinity.hard.iter().eq([0]), "the affinity was not taken")?;
    control.set_share(domain, Share { weight: 512, cap: 0 })?;
    println!("share {:?}", control.share(domain)?);
    check(control.share(domain)?.weight == 512, "the weight was not taken")?;
    control.claim(domain, 1024)?;
    let places: Vec<Pfn> = (0..1024).map(Pfn::new).collect();
    let frames = control.populate(domain, 0, &places)?;
    check(frames.len() == 1024, "not all frames came")?;
    let too_much = control.populate(domain, 9, &[Pfn::new(1024), Pfn::new(1536), Pfn::new(2048)])?;
    println!("past the limit came {} of 3 large extents", too_much.len());
    check(too_much.len() == 2, "the limit does not hold")?;
    let info = control.domain_info(domain)?.ok_or("no such domain")?;
    println!("{info:?}");
    check(info.pages == 2048 && info.uuid == [7; 16] && info.vcpus == 2 && info.paused, "the description is wrong")?;
    use_memory(control, domain, &frames)?;
    use_events(control, domain, &frames)?;
    check(control.release(domain, 0, frames.get(1000..).unwrap_or_default())? == 24, "release")?;
    check(control.domain_info(domain)?.is_some_and(|info| info.pages == 2024), "frames were not released")?;
    control.shut_down(domain, ShutdownReason::CRASH)?;
    let ended = control.domain_info(domain)?.and_then(|info| info.shutdown);
    println!("after the remote shutdown: {ended:?}");
    Ok(())
}

fn use_memory(control: &Control, domain: DomId, frames: &[Mfn]) -> Outcome {
    let mapping = control.map(domain, frames, true)?;
    let mut page = [0_u8; PAGE_SIZE];
    for (number, _) in frames.iter().enumerate() {
        page.fill(number as u8);
        mapping.write(number * PAGE_SIZE, &page)?;
    }
    let one = control.map(domain, frames.get(300..301).unwrap_or_default(), false)?;
    one.read(0, &mut page)?;
    check(page == [44; PAGE_SIZE], "memory does not hold what was written")?;
    check(one.write(0, &[1]).is_err(), "a read-only mapping can be written")?;
    let wrong = control.map(domain, &[frames.first().copied().unwrap_or(Mfn::new(0)), Mfn::new(0x1)], true);
    let text = wrong.err().map(|error| error.to_string());
    println!("mapping a frame of nobody: {text:?}");
    check(text.is_some(), "any frame can be mapped")?;
    drop((mapping, one));
    let last = frames.last().copied().unwrap_or(Mfn::new(0));
    control.clear_frame(domain, last)?;
    control.pin_table(domain, Level::L1, last)?;
    check(control.map(domain, &[last], true).is_err(), "a page table can be mapped writable")?;
    control.unpin_table(domain, last)?;
    let bad = frames.get(5).copied().unwrap_or(last);
    let refused = control.pin_table(domain, Level::L4, bad);
    println!("pinning garbage: {:?}", refused.as_ref().map_err(ToString::to_string));
    check(refused.is_err_and(|error| error.errno() == Some(Errno::EINVAL)), "garbage can be pinned")?;
    control.set_machine_to_physical(domain, &[(last, Pfn::new(1023))])?;
    Ok(())
}

fn use_events(control: &Control, domain: DomId, frames: &[Mfn]) -> Outcome {
    let channels = EventChannels::open()?;
    let remote = control.alloc_unbound(domain, DomId::DOM0)?;
    let local = channels.bind_interdomain(domain, remote)?;
    println!("port {} of the domain is {} here; pending {:?}", remote.raw(), local.raw(), channels.pending()?);
    channels.unmask(&[local])?;
    channels.notify(local)?;
    channels.unbind(local)?;
    check(channels.notify(local).is_err(), "an unbound port can be notified")?;
    let console = frames.get(7).copied().unwrap_or(Mfn::new(0));
    control.seed_grants(domain, &[(GrantRef::CONSOLE, DomId::DOM0, console)])?;
    let grants = Grants::open()?;
    let page = grants.map(domain, &[GrantRef::CONSOLE], true)?;
    let mut bytes = [0_u8; 16];
    page.read(100, &mut bytes)?;
    println!("by grant: {bytes:?}");
    check(bytes == [7; 16], "the granted page is another one")?;
    drop(page);
    check(grants.map(domain, &[GrantRef::XENSTORE], true).is_err(), "what was not granted can be mapped")?;
    Ok(())
}
