// SPDX-License-Identifier: MIT OR Apache-2.0
//! platform_op (7): what the control domain asks of the machine: date, sleep, firmware, processors.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::errno::Errno;
use hypercalls::handle::GuestHandle;
use hypercalls::platform::{
    CoreParking, CoreParkingOp, CpuHotadd, CpuOl, EnterAcpiSleep, MemHotadd, PLATFORM_INTERFACE_VERSION, PcpuFlags,
    PcpuInfo, PcpuVersion, PlatformOp, PlatformOpArg, PmInfoType, ResourceEntry, ResourceOp, SetProcessorPminfo,
    Settime32, Settime64, Symdata,
};

use crate::domain::{firmware, shared_info, table};
use crate::hypercall::{Args, Cx, HypercallResult, Outcome, census, platform_efi, platform_firmware};
use crate::latency;
use crate::mm::guest_access;
use crate::time::system::{self, now_ns};
use crate::time::wallclock::Wallclock;
use crate::x86::percpu::{self, CpuLocal};
use crate::x86::{instr, power};

/// Offset of the operation's own argument in [`PlatformOpArg`].
const PAYLOAD: u64 = 8;
/// Entries of one XENPF_resource_op.
const MAX_ENTRIES: u32 = 3;
/// The one MSR an XENPF_resource_op may read; Xen's others are those of cache monitoring, which is not driven here.
const MSR_TSC: u64 = 0x10;
const MSR_READ: u32 = 0;
const MSR_WRITE: u32 = 1;
/// `_PDC` buffers have this revision.
const PDC_REVISION: u32 = 1;
/// `_PDC` abilities there are names for, and those that say that MSRs or MWAIT drive a processor's states.
const PDC_KNOWN: u32 = 0x3ff;
const PDC_NATIVE: u32 = 0x305;
/// Bounds of XENPF_cpu_hotadd.
const MAX_IDS: u32 = 0x8000;
const MAX_PXM: u32 = 256;

/// platform_op (7). Control domain. EFAULT, EACCES: another interface version, EPERM, ENOSYS, in this order.
pub(crate) fn platform_op(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[arg, ..] = args;
    let op: PlatformOpArg = guest_access::read(GuestHandle::new(arg))?;
    if op.interface_version != PLATFORM_INTERFACE_VERSION {
        return Err(Errno::EACCES.into());
    }
    cx.require_control()?;
    census::PLATFORM_OP.note(op.cmd.raw(), arg);
    latency::operation(op.cmd.raw());
    let payload = arg.wrapping_add(PAYLOAD);
    match op.cmd {
        PlatformOp::SETTIME64 => settime64(op.payload())?,
        PlatformOp::SETTIME32 => {
            let time: Settime32 = op.payload();
            set_date(Wallclock::new(time.secs.into(), time.nsecs, time.system_time));
        }
        PlatformOp::FIRMWARE_INFO => platform_firmware::info(op.payload(), GuestHandle::new(payload))?,
        PlatformOp::EFI_RUNTIME_CALL => platform_efi::runtime_call(cx, op.payload(), GuestHandle::new(payload))?,
        PlatformOp::ENTER_ACPI_SLEEP => enter_acpi_sleep(op.payload())?,
        PlatformOp::GET_CPUINFO => guest_access::write(GuestHandle::new(payload), &cpu_info(op.payload()))?,
        PlatformOp::GET_CPU_VERSION => guest_access::write(GuestHandle::new(payload), &cpu_version(op.payload()))?,
        PlatformOp::CPU_ONLINE => cpu_online(op.payload())?,
        PlatformOp::CPU_OFFLINE => cpu_offline(op.payload())?,
        PlatformOp::CPU_HOTADD => cpu_hotadd(op.payload())?,
        PlatformOp::MEM_HOTADD => mem_hotadd(op.payload())?,
        PlatformOp::SET_PROCESSOR_PMINFO => set_pminfo(&op.payload())?,
        PlatformOp::CORE_PARKING => core_parking(op.payload(), GuestHandle::new(payload))?,
        PlatformOp::RESOURCE_OP => return resource_op(op.payload()),
        PlatformOp::GET_SYMBOL => get_symbol(op.payload(), GuestHandle::new(payload))?,
        PlatformOp::PLATFORM_QUIRK => platform_quirk(op.payload())?,
        // The memory type registers are hidden from guests, and no loader of microcode is here.
        PlatformOp::ADD_MEMTYPE | PlatformOp::DEL_MEMTYPE => return Err(Errno::ENXIO.into()),
        PlatformOp::READ_MEMTYPE | PlatformOp::MICROCODE_UPDATE => return Err(Errno::EINVAL.into()),
        // GETIDLETIME and CHANGE_FREQ too: Xen knows them only while dom0 sets frequencies, by command line.
        _ => return Err(Errno::ENOSYS.into()),
    }
    Ok(Outcome::DONE)
}

// ---- date and sleep ----

/// XENPF_settime64. EINVAL when the padding is not zero.
fn settime64(time: Settime64) -> Result<(), Errno> {
    if time.mbz != 0 {
        return Err(Errno::EINVAL);
    }
    set_date(Wallclock::new(time.secs, time.nsecs, time.system_time));
    Ok(())
}

fn set_date(date: Wallclock) {
    system::set_wallclock(date);
    for domain in table::all() {
        shared_info::update_wallclock(&domain);
    }
}

/// XENPF_enter_acpi_sleep: power-off (S5, and S4 once dom0 has written its memory). EINVAL: no such state. EPERM: no registers for it.
/// EOPNOTSUPP: states to come back from. EIO: the machine stays awake.
fn enter_acpi_sleep(sleep: EnterAcpiSleep) -> Result<(), Errno> {
    if sleep.flags.bits() == 1 {
        // The sleep registers of hardware-reduced machines.
        return Err(Errno::EPERM);
    }
    if sleep.flags.bits() != 0 {
        return Err(Errno::EINVAL);
    }
    let control = firmware::facts().and_then(|facts| facts.pm1_control).ok_or(Errno::EPERM)?;
    match sleep.sleep_state {
        4 | 5 => {}
        1..=3 => return Err(Errno::EOPNOTSUPP),
        _ => return Err(Errno::EINVAL),
    }
    log::info!("Entering ACPI sleep state S{}", sleep.sleep_state);
    power::enter_sleep(control, sleep.val_a, sleep.val_b);
    log::error!("ACPI: the machine does not go to sleep (PM1 values {:#x}, {:#x})", sleep.val_a, sleep.val_b);
    Err(Errno::EIO)
}

// ---- processors ----

fn find_cpu(number: u32) -> Option<&'static CpuLocal> {
    percpu::all().find(|cpu| cpu.id().raw() == number)
}

fn max_present() -> u32 {
    percpu::all().map(|cpu| cpu.id().raw()).max().unwrap_or(0)
}

/// XENPF_get_cpuinfo; never fails.
fn cpu_info(asked: PcpuInfo) -> PcpuInfo {
    let known = PcpuInfo { max_present: max_present(), ..asked };
    let Some(cpu) = find_cpu(asked.xen_cpuid) else { return PcpuInfo { flags: PcpuFlags::INVALID, ..known } };
    let apic_id = cpu.apic_id.load(core::sync::atomic::Ordering::Relaxed);
    let entry = firmware::facts().and_then(|facts| facts.processors.iter().find(|entry| entry.apic_id == apic_id));
    PcpuInfo {
        flags: PcpuFlags::ONLINE,
        apic_id,
        acpi_id: entry.map_or(asked.xen_cpuid, |entry| entry.acpi_id),
        ..known
    }
}

/// XENPF_get_cpu_version: zeros for a CPU that is not there. All CPUs are taken to be of one model.
fn cpu_version(asked: PcpuVersion) -> PcpuVersion {
    let mut answer = PcpuVersion {
        xen_cpuid: asked.xen_cpuid,
        max_present: max_present(),
        vendor_id: [0; 12],
        family: 0,
        model: 0,
        stepping: 0,
    };
    if find_cpu(asked.xen_cpuid).is_some() {
        let vendor = instr::cpuid(0, 0);
        let bytes = [vendor.ebx, vendor.edx, vendor.ecx].into_iter().flat_map(u32::to_le_bytes);
        answer.vendor_id.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        (answer.family, answer.model, answer.stepping) = signature(instr::cpuid(1, 0).eax);
    }
    answer
}

/// Family, model and stepping out of CPUID.1.EAX (SDM vol. 2A, CPUID).
const fn signature(eax: u32) -> (u32, u32, u32) {
    let base = eax >> 8 & 0xf;
    let family = if base == 0xf { base + (eax >> 20 & 0xff) } else { base };
    let low = eax >> 4 & 0xf;
    let model = if base == 6 || base == 0xf { low | (eax >> 16 & 0xf) << 4 } else { low };
    (family, model, eax & 0xf)
}

/// XENPF_cpu_online. Nothing to do: all there are run. EINVAL for others.
fn cpu_online(op: CpuOl) -> Result<(), Errno> {
    find_cpu(op.cpuid).map(|_| ()).ok_or(Errno::EINVAL)
}

/// XENPF_cpu_offline. EINVAL: no such CPU. EOPNOTSUPP: the CPUs that are there stay.
fn cpu_offline(op: CpuOl) -> Result<(), Errno> {
    find_cpu(op.cpuid).ok_or(Errno::EINVAL)?;
    Err(Errno::EOPNOTSUPP)
}

/// XENPF_cpu_hotadd. EINVAL: numbers out of range. EEXIST: it is there. EOPNOTSUPP.
fn cpu_hotadd(op: CpuHotadd) -> Result<(), Errno> {
    if op.apic_id >= MAX_IDS || op.acpi_id >= MAX_IDS || op.pxm >= MAX_PXM {
        return Err(Errno::EINVAL);
    }
    if percpu::all().any(|cpu| cpu.apic_id.load(core::sync::atomic::Ordering::Relaxed) == op.apic_id) {
        return Err(Errno::EEXIST);
    }
    Err(Errno::EOPNOTSUPP)
}

/// XENPF_mem_hotadd. EINVAL: no range. EOPNOTSUPP: memory is what the loader said.
fn mem_hotadd(op: MemHotadd) -> Result<(), Errno> {
    if op.spfn >= op.epfn { Err(Errno::EINVAL) } else { Err(Errno::EOPNOTSUPP) }
}

/// XENPF_core_parking. EINVAL: no such command. EOPNOTSUPP: no CPU can be parked, so none ever is.
fn core_parking(op: CoreParking, handle: GuestHandle<CoreParking>) -> Result<(), Errno> {
    match op.op {
        CoreParkingOp::SET if op.idle_nums == 0 => Ok(()),
        CoreParkingOp::SET => Err(Errno::EOPNOTSUPP),
        CoreParkingOp::GET => guest_access::write(handle, &CoreParking { idle_nums: 0, ..op }),
        _ => Err(Errno::EINVAL),
    }
}

// ---- power management ----

/// XENPF_set_processor_pminfo. ENOSYS: the states of processors are not driven here. EINVAL, EFAULT.
fn set_pminfo(info: &SetProcessorPminfo) -> Result<(), Errno> {
    match info.info_type {
        PmInfoType::PDC => sanitize_pdc(info.payload()),
        PmInfoType::CX | PmInfoType::PX | PmInfoType::TX => Err(Errno::ENOSYS),
        _ => Err(Errno::EINVAL),
    }
}

/// Takes out of what dom0 is going to tell AML everything that would have processors driven by MSRs or MWAIT.
fn sanitize_pdc(buffer: GuestHandle<u32>) -> Result<(), Errno> {
    let revision: u32 = guest_access::read(buffer)?;
    let count: u32 = guest_access::read_at(buffer, 1)?;
    if revision != PDC_REVISION || count == 0 {
        return Err(Errno::EINVAL);
    }
    let bits: u32 = guest_access::read_at(buffer, 2)?;
    guest_access::write_at(buffer, 2, &(bits & PDC_KNOWN & !PDC_NATIVE))
}

/// XENPF_platform_quirk: reports that only concern Xen's own interrupt balancing. EINVAL: unknown.
fn platform_quirk(quirk: u32) -> Result<(), Errno> {
    if (1..=3).contains(&quirk) { Ok(()) } else { Err(Errno::EINVAL) }
}

// ---- registers and symbols ----

/// XENPF_resource_op: the number of entries done; the first that fails holds its error. EINVAL: too many. ENODEV: no such CPU. EFAULT.
fn resource_op(op: ResourceOp) -> HypercallResult {
    if op.nr_entries > MAX_ENTRIES {
        return Err(Errno::EINVAL.into());
    }
    let mut entries = [guest_access::zeroed::<ResourceEntry>(); MAX_ENTRIES as usize];
    let entries = entries.get_mut(..op.nr_entries as usize).unwrap_or_default();
    guest_access::read_slice(op.entries, entries)?;
    let checked = entries.iter().take_while(|entry| check_access(entry).is_ok()).count();
    if checked != 0 && find_cpu(op.cpu).is_none() {
        return Err(Errno::ENODEV.into());
    }
    let mut done = 0;
    for (index, entry) in entries.iter_mut().enumerate() {
        match check_access(entry) {
            // System time is the same on all CPUs, so no other CPU need be asked.
            Ok(()) => {
                entry.val = now_ns();
                done += 1;
            }
            Err(errno) => entry.cmd = (errno.to_ret() as i32).cast_unsigned(),
        }
        guest_access::write_at(op.entries, index as u64, entry)?;
        if done == index as u64 {
            break;
        }
    }
    Ok(Outcome::Done(done))
}

fn check_access(entry: &ResourceEntry) -> Result<(), Errno> {
    match entry.cmd {
        _ if entry.rsvd != 0 => Err(Errno::EINVAL),
        MSR_READ | MSR_WRITE if entry.idx >> 32 != 0 => Err(Errno::EINVAL),
        MSR_READ if entry.idx == MSR_TSC => Ok(()),
        MSR_READ | MSR_WRITE => Err(Errno::EPERM),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

/// XENPF_get_symbol. There are none to tell, so the first is past the last. ERANGE for later ones.
fn get_symbol(op: Symdata, handle: GuestHandle<Symdata>) -> Result<(), Errno> {
    if op.symnum != 0 {
        return Err(Errno::ERANGE);
    }
    guest_access::write(handle, &Symdata { namelen: 0, address: 0, symbol_type: 0, ..op })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures() {
        assert_eq!(signature(0x0009_06ea), (6, 0x9e, 10));
        assert_eq!(signature(0x0080_0f12), (0x17, 1, 2));
        assert_eq!(signature(0x0000_0543), (5, 4, 3));
    }

    #[test]
    fn only_listed_registers() {
        let entry = |cmd, idx| ResourceEntry { cmd, rsvd: 0, idx, val: 0 };
        assert_eq!(check_access(&entry(MSR_READ, MSR_TSC)), Ok(()));
        assert_eq!(check_access(&entry(MSR_WRITE, 0x1b)), Err(Errno::EPERM));
        assert_eq!(check_access(&entry(MSR_READ, 1 << 32 | MSR_TSC)), Err(Errno::EINVAL));
        assert_eq!(check_access(&entry(2, MSR_TSC)), Err(Errno::EOPNOTSUPP));
        assert_eq!(check_access(&ResourceEntry { rsvd: 1, ..entry(MSR_READ, MSR_TSC) }), Err(Errno::EINVAL));
        assert_eq!(check_access(&entry(MSR_WRITE, MSR_TSC)), Err(Errno::EPERM));
    }

    #[test]
    fn sleep_needs_registers() {
        let sleep = |state, flags| EnterAcpiSleep {
            val_a: 0,
            val_b: 0,
            sleep_state: state,
            flags: hypercalls::platform::AcpiSleepFlags::new(flags),
        };
        assert_eq!(enter_acpi_sleep(sleep(5, 0)), Err(Errno::EPERM));
        assert_eq!(enter_acpi_sleep(sleep(5, 2)), Err(Errno::EINVAL));
    }
}
