// SPDX-License-Identifier: MIT OR Apache-2.0
//! The boot order: from the loader to the first domain. Each step is one function; the list is in [`start`].

pub(crate) mod acpi;
pub(crate) mod acpi_fadt;
pub(crate) mod acpi_madt;
pub(crate) mod cmdline;
pub(crate) mod consoles;
pub(crate) mod dom0;
pub(crate) mod dom0_mem;
pub(crate) mod efi;
pub(crate) mod file;
pub(crate) mod loader;
pub(crate) mod memory;
pub(crate) mod memory_map;
pub(crate) mod modules;
pub(crate) mod multiboot1;
pub(crate) mod multiboot2;
pub(crate) mod platform;
pub(crate) mod smp;
pub(crate) mod video;

use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use hypercalls::frame::Mfn;
use hypercalls::memory::E820Type;

use crate::boot::acpi::AcpiInfo;
use crate::boot::acpi_fadt::Fadt;
use crate::boot::acpi_madt::Madt;
use crate::boot::cmdline::Options;
use crate::boot::dom0::Source;
use crate::boot::memory_map::{Kind, MemoryMap, Region};
use crate::boot::modules::BootInfo;
use crate::domain::{DomainRef, firmware, host, pools};
use crate::mm::{flush, frame_table, heap, host_pt};
use crate::time::synchrony::{Side, Volley};
use crate::x86::percpu::{self, CpuId, CpuLocal};
use crate::x86::{apic, boot_image, context, cpu, idt, instr, trampoline, tsc, uart, vector};
use crate::{console, ending, entry, sched, sync, time};

/// From head.S, on the boot CPU: everything up to the first domain, then scheduling for ever.
pub(crate) fn start(magic: u32, info: u64) -> ! {
    let local = boot_image::install_boot_cpu();
    heap::init_early();
    console::init();
    let boot = match loader::read(magic, info) {
        Ok(boot) => boot,
        Err(error) => stop(format_args!("cannot read the boot information: {error}")),
    };
    let (options, serial) = consoles::open(&boot);
    let map = memory_map(&boot);
    let modules: Vec<Range<u64>> = boot.modules.iter().map(|module| module.start..module.end).collect();
    for module in &boot.modules {
        log::info!("Module {:#014x} - {:#014x} {}", module.start, module.end, module.cmdline);
    }
    let acpi = platform::read_acpi(&boot);
    if let Err(error) = memory::init(&map, &modules) {
        stop(format_args!("{error}"));
    }
    if let Some(bytes) = options.conring_size {
        console::resize_ring(bytes as usize);
    }
    platform::prepare_reset(&acpi);
    efi::init(&boot);
    log::info!("System RAM: {} MiB, free {} MiB", map.usable_bytes() >> 20, frame_table::free_frames() >> 8);
    sync::set_relax_hook(flush::poll);
    idt::init();
    memory::map_window(local);
    cpu::init(local);
    context::init();
    if let Err(what) = platform::init(&acpi) {
        stop(format_args!("{what}"));
    }
    if let Some(config) = serial.filter(|config| config.irq != 0) {
        platform::open_serial_interrupt(&acpi, config.irq);
        console::open_input();
    }
    let cpus = start_others(&options, &acpi, &map);
    pools::init();
    let entry = |region: &Region| host::entry(region.start, region.end, E820Type::new(region.kind.to_e820()));
    host::set_memory_map(dom0_map(&map, &acpi).iter().map(entry).collect());
    let options_of_ours = cmdline::strip_image_path(&boot.cmdline, boot.loader.as_deref());
    host::set_command_line(cmdline::split_dom0(options_of_ours).0.trim_ascii_end());
    firmware::set_facts(firmware::Facts {
        has_bios: boot.efi.is_none(),
        pm1_control: acpi.fadt.as_ref().and_then(Fadt::pm1_control),
        processors: acpi.madt.iter().flat_map(Madt::processors).collect(),
    });
    // While dom0 is built, the other CPUs sleep: where CPUs share cores, waiting in a loop would cost the boot CPU its own time.
    RUN.store(true, Ordering::Release);
    let dom0 = build_dom0(&boot, &options, &acpi, cpus, serial.map(|config| config.io_base));
    for module in modules.iter().skip(Source::MODULES) {
        memory::release(module);
    }
    log::info!("Boot took {} ms; {} MiB free", time::system::now_ns() / 1_000_000, frame_table::free_frames() >> 8);
    console::hand_over();
    dom0.unpause();
    run_this_cpu(local)
}

fn build_dom0(boot: &BootInfo, options: &Options, acpi: &AcpiInfo, cpus: u32, serial_port: Option<u16>) -> DomainRef {
    let source = Source::new(boot, video::console_info(boot, console::cursor()));
    let domain = source.and_then(|source| dom0::build(source, options, cpus));
    match domain {
        Ok(domain) => {
            let ports: Vec<u16> = serial_port.into_iter().collect();
            *domain.pirqs.lock() = crate::domain::pirqs::PirqTable::new(crate::irq::gsi_count(), 256);
            *domain.rights.lock() = platform::dom0_rights(acpi, &ports);
            domain
        }
        Err(error) => stop(format_args!("{error}")),
    }
}

fn memory_map(boot: &BootInfo) -> MemoryMap {
    let mut map = MemoryMap::new(&boot.memory_map);
    map.clip(crate::mm::layout::DIRECT_MAP_BYTES);
    for region in map.regions() {
        log::info!("Memory {:#014x} - {:#014x} {:?}", region.start, region.end - 1, region.kind);
    }
    map
}

/// The machine's map with the frames that dom0 may not map marked reserved, so that it does not try.
fn dom0_map(map: &MemoryMap, acpi: &AcpiInfo) -> Vec<Region> {
    let mut map = map.clone();
    for (first, last) in platform::denied_frames(acpi) {
        map.set(first << 12..(last + 1) << 12, Kind::Reserved);
    }
    map.regions().to_vec()
}

// ---- CPUs ----

/// Whether the other CPUs may ask the scheduler.
static RUN: AtomicBool = AtomicBool::new(false);
static ONLINE: AtomicU32 = AtomicU32::new(0);
/// Each new CPU's counter against the boot CPU's.
static COUNTERS: Volley = Volley::new();
/// How long a CPU may take from one step of its start to the next.
const STEP_US: u64 = 2_000_000;

/// Starts the other CPUs; how many there are in the end.
fn start_others(options: &Options, acpi: &AcpiInfo, map: &MemoryMap) -> u32 {
    let limit =
        if options.nosmp { 1 } else { options.maxcpus.map_or(crate::config::MAX_CPUS, |max| max.max(1) as usize) };
    let max_id = if apic::uses_x2apic() { u32::MAX - 1 } else { 254 };
    let apics = acpi.madt.as_ref().map_or(&[][..], |madt| &madt.local_apics);
    let chosen = smp::choose_cpus(apics, apic::id(), max_id, limit.min(crate::config::MAX_CPUS));
    sched::init(chosen.len() as u32);
    let usable =
        map.regions().iter().filter(|region| region.kind == Kind::Usable).map(|region| region.start..region.end);
    let mut count = 1;
    if let Some(page) = smp::choose_page(usable).filter(|_| chosen.len() > 1) {
        crate::mm::map::write(Mfn::new(page.into()), 0, trampoline::code());
        for apic_id in chosen.iter().skip(1) {
            if start_one(count, *apic_id, page) {
                count += 1;
            } else {
                log::warn!("CPU with APIC id {apic_id:#x} does not start; going on without it");
            }
        }
    }
    host_pt::drop_identity();
    log::info!("{count} CPU{} online", if count == 1 { "" } else { "s" });
    match (tsc::is_constant(), COUNTERS.is_in_step()) {
        (true, true) => time::system::set_in_step(),
        (false, _) => log::warn!("the TSC may change its rate: guests' programs ask their kernels for the time"),
        (true, false) => log::warn!("the CPUs' TSCs differ: guests' programs ask their kernels for the time"),
    }
    count
}

fn start_one(index: u32, apic_id: u32, page: u8) -> bool {
    let cpu = CpuId::new(index);
    let Some(block) = frame_table::take() else {
        log::warn!("no memory for CPU {index}");
        return false;
    };
    let local = percpu::adopt(block, cpu, apic_id);
    memory::map_window(local);
    trampoline::post(local);
    let hz = time::system::clock().hz();
    if !smp::start_cpu(apic_id, page, hz) {
        return false;
    }
    compare_counters(Side::First);
    smp::wait_until(|| ONLINE.load(Ordering::Acquire) == index, STEP_US, hz)
}

/// The boot CPU and one that has just started see whether their counters read the same.
fn compare_counters(side: Side) {
    let end = time::system::now_ns() + STEP_US * 1000;
    let wait = || {
        instr::pause();
        time::system::now_ns() < end
    };
    COUNTERS.play(side, instr::rdtsc_ordered, wait);
}

/// Another CPU has started, on its own stack.
pub(crate) fn start_secondary(index: u32) -> ! {
    let local = percpu::this();
    local.cr3.store(host_pt::root().to_addr(), Ordering::Relaxed);
    cpu::init(local);
    apic::init_cpu(vector::APIC_SPURIOUS, vector::APIC_ERROR);
    apic::timer_init(vector::TIMER, time::system::timer_mode());
    percpu::publish(local);
    compare_counters(Side::Second);
    ONLINE.store(index, Ordering::Release);
    while !RUN.load(Ordering::Acquire) {
        sync::relax();
    }
    run_this_cpu(local)
}

fn run_this_cpu(local: &'static CpuLocal) -> ! {
    sched::set_online(local.id());
    entry::run_guests(local)
}

/// Says why the machine cannot go on, and halts or restarts it.
pub(crate) fn stop(reason: core::fmt::Arguments<'_>) -> ! {
    if !console::has_output() {
        // No command line yet, or nothing of what it names is there: the first serial port is the best guess.
        console::add_serial(uart::Uart::from_config(&uart::ComConfig::default_for(0)));
    }
    console::line(format_args!("*** Cannot boot: {reason}"));
    ending::after_failure(format_args!("Boot failed"))
}
