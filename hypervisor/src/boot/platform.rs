// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine around the CPU: ACPI's tables, interrupt controllers, clocks; what of it dom0 may touch.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use crate::boot::acpi::{self, AcpiInfo, PhysicalMemory, RootTable};
use crate::boot::modules::BootInfo;
use crate::domain::Rights;
use crate::ending;
use crate::irq;
use crate::irq::controller::Controller;
use crate::irq::line::LineMode;
use crate::mm::{boot_memory, host_pt};
use crate::time;
use crate::time::clock::Clock;
use crate::time::wallclock::Wallclock;
use crate::x86::apic::{self, TimerMode};
use crate::x86::hpet::Hpet;
use crate::x86::ioapic::IoApic;
use crate::x86::pci::MmcfgRegion;
use crate::x86::{cpuid, instr, pic, pit, rtc, tsc, vector};

/// Where a local APIC is if no table says otherwise.
const LAPIC_DEFAULT: u64 = 0xfee0_0000;
const IO_APIC_BYTES: usize = 0x1000;
const HPET_BYTES: usize = 0x400;

/// Reads through the boot tables' direct map.
struct BootMemory;

impl PhysicalMemory for BootMemory {
    fn read(&self, address: u64, buffer: &mut [u8]) -> bool {
        boot_memory::copy(address, buffer)
    }
}

/// Reads ACPI's tables. Without them: one CPU, no IO-APIC.
pub(crate) fn read_acpi(boot: &BootInfo) -> AcpiInfo {
    let given = boot.rsdp.map(|rsdp| match rsdp.xsdt {
        0 => RootTable { address: rsdp.rsdt.into(), is_xsdt: false },
        xsdt => RootTable { address: xsdt, is_xsdt: true },
    });
    let Some(root) = given.or_else(|| acpi::find_root_pointer(&BootMemory).map(|(_, root)| root)) else {
        log::warn!("ACPI: no root pointer; one CPU and no IO-APIC will be used");
        return AcpiInfo::default();
    };
    AcpiInfo::read(&BootMemory, root).unwrap_or_else(|error| {
        log::warn!("ACPI: unusable root table ({error:?}); one CPU and no IO-APIC will be used");
        AcpiInfo::default()
    })
}

/// Notes how ACPI resets the machine. Needs memory for mappings.
pub(crate) fn prepare_reset(acpi: &AcpiInfo) {
    let map = |address| host_pt::map_mmio(address, 1).ok();
    if let Some(register) = acpi.fadt.as_ref().and_then(|fadt| fadt.reset_register(map)) {
        ending::set_reset_register(register);
    }
}

/// Takes the interrupt controllers over and starts the clock. Boot CPU.
pub(crate) fn init(acpi: &AcpiInfo) -> Result<(), &'static str> {
    cpuid::init();
    pic::mask_all();
    pit::silence();
    let madt = acpi.madt.as_ref();
    let lapic = madt.map_or(LAPIC_DEFAULT, |madt| madt.lapic_address);
    let window = host_pt::map_mmio(lapic, apic::WINDOW).map_err(|_| "no memory to map the local APIC")?;
    let many_cpus = madt.is_some_and(|madt| madt.local_apics.iter().any(|cpu| cpu.enabled && cpu.apic_id >= 0xff));
    apic::choose_mode(window, many_cpus);
    apic::init_cpu(vector::APIC_SPURIOUS, vector::APIC_ERROR);
    crate::x86::percpu::this().apic_id.store(apic::id(), core::sync::atomic::Ordering::Relaxed);
    start_clock(acpi)?;
    start_controllers(acpi)?;
    Ok(())
}

fn start_clock(acpi: &AcpiInfo) -> Result<(), &'static str> {
    let hpet = acpi.hpet.and_then(|address| host_pt::map_mmio(address, HPET_BYTES).ok()).and_then(Hpet::new);
    let pm_timer = acpi.fadt.as_ref().and_then(|fadt| fadt.pm_timer);
    let measured = tsc::calibrate(hpet.as_ref(), pm_timer)
        .ok_or("no HPET, PM timer or PIT counts, so the CPU's clock cannot be measured")?;
    let clock = Clock::new(measured.hz, instr::rdtsc_ordered()).ok_or("the CPU's clock rate makes no sense")?;
    let mode = if apic::has_tsc_deadline() {
        TimerMode::Deadline
    } else {
        TimerMode::Count { hz: apic::timer_measure_hz(measured.hz) }
    };
    time::system::init(clock, mode);
    apic::timer_init(vector::TIMER, mode);
    let timer = match mode {
        TimerMode::Deadline => "TSC deadlines",
        TimerMode::Count { .. } => "the local APIC's counter",
    };
    log::info!("TSC: {} MHz, measured with the {:?}; timers by {timer}", measured.hz / 1_000_000, measured.reference);
    let century = acpi.fadt.as_ref().and_then(|fadt| fadt.century_register);
    match rtc::read_unix_seconds(century) {
        Some(seconds) => time::system::set_wallclock(Wallclock::new(seconds, 0, time::system::now_ns())),
        None => log::warn!("the CMOS clock is not set: dates start in 1970 until dom0 sets one"),
    }
    Ok(())
}

fn start_controllers(acpi: &AcpiInfo) -> Result<(), &'static str> {
    let mut io_apics = Vec::new();
    let madt = acpi.madt.as_ref();
    for entry in madt.map_or(&[][..], |madt| &madt.io_apics) {
        let registers = host_pt::map_mmio(entry.address, IO_APIC_BYTES).map_err(|_| "no memory to map an IO-APIC")?;
        io_apics.push(IoApic::new(registers, entry.address, entry.gsi_base));
    }
    for region in &acpi.mcfg {
        let buses = u64::from(region.last_bus) - u64::from(region.first_bus) + 1;
        let base = region.base + (u64::from(region.first_bus) << 20);
        if let Ok(registers) = host_pt::map_mmio(base, (buses << 20) as usize) {
            irq::PCI.lock().add_region(MmcfgRegion {
                segment: region.segment,
                first_bus: region.first_bus,
                last_bus: region.last_bus,
                window: registers,
            });
        }
    }
    let mode_of = |gsi| madt.map_or(LineMode::EDGE, |madt| madt.mode_of(gsi));
    let boot_apic = u8::try_from(apic::id()).unwrap_or(0);
    irq::init(Controller::new(io_apics, mode_of, &irq::PCI, boot_apic));
    // GSI 0 is the PIT's or the 8259's; dom0 believes the other one exists (abi.md 7.4).
    irq::reserve_gsi(0, None);
    Ok(())
}

/// Takes the interrupt of the serial console's ISA line.
pub(crate) fn open_serial_interrupt(acpi: &AcpiInfo, irq_line: u8) {
    let gsi = acpi.madt.as_ref().map_or(u32::from(irq_line), |madt| madt.isa(irq_line).0);
    irq::reserve_gsi(gsi, Some(vector::SERIAL));
}

/// dom0's rights: all ports and all frames that are not memory, less what the hypervisor drives itself (abi: a denied port
/// reads as ones, a denied frame cannot be mapped).
pub(crate) fn dom0_rights(acpi: &AcpiInfo, console_ports: &[u16]) -> Rights {
    let mut rights = Rights::default();
    rights.ports.add(0, 0xffff);
    for (first, last) in [(0x20, 0x21), (0xa0, 0xa1), (0x40, 0x43), (0x61, 0x61), (0xcfc, 0xcff)] {
        rights.ports.remove(first, last);
    }
    if let Some(timer) = acpi.fadt.as_ref().and_then(|fadt| fadt.pm_timer) {
        rights.ports.remove(timer.port.into(), u64::from(timer.port) + 3);
    }
    for port in console_ports {
        rights.ports.remove((*port).into(), u64::from(*port) + 7);
    }
    rights.iomem.add(0, (1 << (cpuid::address_bits() - 12)) - 1);
    for (start, end) in denied_frames(acpi) {
        rights.iomem.remove(start, end);
    }
    for gsi in 1..irq::gsi_count().max(16) {
        rights.irqs.add(gsi.into(), gsi.into());
    }
    rights
}

/// Frames of devices that no guest may map: local APIC and message window, IO-APICs.
pub(crate) fn denied_frames(acpi: &AcpiInfo) -> Vec<(u64, u64)> {
    let mut frames = Vec::from([(0xfee00, 0xfeeff)]);
    if let Some(madt) = &acpi.madt {
        frames.push((madt.lapic_address >> 12, madt.lapic_address >> 12));
        frames.extend(madt.io_apics.iter().map(|entry| (entry.address >> 12, entry.address >> 12)));
    }
    frames
}
