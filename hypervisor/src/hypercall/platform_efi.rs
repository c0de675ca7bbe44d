// SPDX-License-Identifier: MIT OR Apache-2.0
//! EFI for the control domain: XENPF_efi_runtime_call, and the EFI part of XENPF_firmware_info.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::vec::Vec;

use hypercalls::errno::Errno;
use hypercalls::handle::GuestHandle;
use hypercalls::platform::{
    EfiConfigTables, EfiFunction, EfiGetTime, EfiGetTimeFlags, EfiGetWakeupFlags, EfiInfoIndex, EfiMemory,
    EfiNextVariable, EfiRuntimeCall, EfiSetWakeupFlags, EfiTime, EfiVariable, EfiVariableInfo, EfiVarinfoFlags,
    EfiVendor, FirmwareInfo,
};
use zerocopy::IntoBytes;

use crate::domain::firmware::{self, Efi, EfiRegion};
use crate::domain::vcpu::VcpuState;
use crate::hypercall::Cx;
use crate::mm::guest_access;
use crate::x86::efi::{Capabilities, Services, Status};
use crate::x86::{cpu, fpu};

/// Longest name of a variable, characters with the zero.
const NAME_CHARS: usize = 2048;
/// Most data of a variable that is passed on, bytes.
const DATA_BYTES: usize = 64 << 10;
const PAGE: u64 = 4096;

/// XENPF_firmware_info about EFI. ENOSYS: EFI did not boot this machine. EOPNOTSUPP: no runtime services. ESRCH: an address of nothing.
/// ENOENT, ENODATA: things no loader passes on. EINVAL.
pub(crate) fn info(info: &mut FirmwareInfo) -> Result<(), Errno> {
    let firmware = firmware::efi().ok_or(Errno::ENOSYS)?;
    match EfiInfoIndex::new(info.index) {
        EfiInfoIndex::VERSION => info.set_payload(&firmware.version),
        EfiInfoIndex::CONFIG_TABLE => {
            let (addr, nent) = firmware.tables;
            info.set_payload(&EfiConfigTables { addr, nent, _pad: [0; 4] });
        }
        EfiInfoIndex::VENDOR => info.set_payload(&vendor(firmware, info.payload())?),
        EfiInfoIndex::MEM_INFO => {
            info.set_payload(&memory(&firmware.memory_map, info.payload()).ok_or(Errno::ESRCH)?);
        }
        EfiInfoIndex::RT_VERSION => {
            info.set_payload(&firmware.services.as_ref().ok_or(Errno::EOPNOTSUPP)?.revision);
        }
        EfiInfoIndex::PCI_ROM => return Err(Errno::ENOENT),
        EfiInfoIndex::APPLE_PROPERTIES => return Err(Errno::ENODATA),
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

/// Copies as much of the vendor's name as there is room for.
fn vendor(firmware: &Efi, asked: EfiVendor) -> Result<EfiVendor, Errno> {
    let room = asked.bufsz as usize / size_of::<u16>();
    for (index, character) in firmware.vendor.iter().take(room).enumerate() {
        guest_access::write_at(asked.name, index as u64, character)?;
    }
    Ok(EfiVendor { revision: firmware.vendor_revision, ..asked })
}

/// The region around an address; the size is cut off at its end.
fn memory(map: &[EfiRegion], asked: EfiMemory) -> Option<EfiMemory> {
    let end_of = |region: &EfiRegion| region.start.saturating_add(region.pages.saturating_mul(PAGE));
    let region = map.iter().find(|region| region.start <= asked.addr && asked.addr < end_of(region))?;
    let left = end_of(region).saturating_sub(asked.addr);
    Some(EfiMemory { size: asked.size.min(left), attr: region.attributes, memory_type: region.kind, ..asked })
}

/// XENPF_efi_runtime_call: the firmware's own answer is in the status. ENOSYS: EFI did not boot this machine, or no such function.
/// EOPNOTSUPP: no runtime services, or not that one. EINVAL: flags it does not take. ENOMEM: names and data beyond all measure. EFAULT.
pub(crate) fn runtime_call(
    cx: &mut Cx<'_>,
    mut call: EfiRuntimeCall,
    handle: GuestHandle<EfiRuntimeCall>,
) -> Result<(), Errno> {
    let services = firmware::efi().ok_or(Errno::ENOSYS)?.services.as_ref().ok_or(Errno::EOPNOTSUPP)?;
    let state = &mut *cx.state;
    let status = match call.function {
        EfiFunction::GET_TIME => get_time(services, state, &mut call)?,
        EfiFunction::SET_TIME => {
            refuse_flags(call.misc, 0)?;
            let time: EfiTime = call.payload();
            in_firmware(state, || services.set_time(&time))
        }
        EfiFunction::GET_WAKEUP_TIME => get_wakeup_time(services, state, &mut call)?,
        EfiFunction::SET_WAKEUP_TIME => {
            refuse_flags(call.misc, EfiSetWakeupFlags::NAMED.raw())?;
            let flags = EfiSetWakeupFlags::new(call.misc);
            let time: EfiTime = call.payload();
            let time = (!flags.contains(EfiSetWakeupFlags::ENABLE_ONLY)).then_some(&time);
            in_firmware(state, || services.set_wakeup_time(flags.contains(EfiSetWakeupFlags::ENABLE), time))
        }
        EfiFunction::GET_NEXT_HIGH_MONOTONIC_COUNT => {
            refuse_flags(call.misc, 0)?;
            in_firmware(state, || services.get_next_high_monotonic_count(&mut call.misc))
        }
        EfiFunction::GET_VARIABLE => get_variable(services, state, &mut call)?,
        EfiFunction::SET_VARIABLE => set_variable(services, state, &call)?,
        EfiFunction::GET_NEXT_VARIABLE_NAME => get_next_variable_name(services, state, &mut call)?,
        EfiFunction::QUERY_VARIABLE_INFO => query_variable_info(services, state, &mut call)?,
        EfiFunction::QUERY_CAPSULE_CAPABILITIES | EfiFunction::UPDATE_CAPSULE => return Err(Errno::EOPNOTSUPP),
        _ => return Err(Errno::ENOSYS),
    };
    call.status = status.0;
    guest_access::write(handle, &call)
}

fn refuse_flags(flags: u32, allowed: u32) -> Result<(), Errno> {
    if flags & !allowed == 0 { Ok(()) } else { Err(Errno::EINVAL) }
}

/// Firmware may use the FPU, whose state is the calling vCPU's.
fn in_firmware<R>(state: &mut VcpuState, call: impl FnOnce() -> R) -> R {
    cpu::set_task_switched(false);
    state.fpu.save();
    fpu::reset();
    let result = call();
    cpu::set_task_switched(false);
    state.fpu.restore();
    cpu::set_task_switched(state.task_switched);
    result
}

// ---- clocks ----

fn get_time(services: &Services, state: &mut VcpuState, call: &mut EfiRuntimeCall) -> Result<Status, Errno> {
    refuse_flags(call.misc, 0)?;
    let (mut time, mut capabilities) = (guest_access::zeroed(), Capabilities::default());
    let status = in_firmware(state, || services.get_time(&mut time, &mut capabilities));
    if !status.is_error() {
        let Capabilities { resolution, accuracy, .. } = capabilities;
        call.set_payload(&EfiGetTime { time, resolution, accuracy });
        if capabilities.sets_to_zero() {
            call.misc = EfiGetTimeFlags::SET_CLEARS_NS.raw();
        }
    }
    Ok(status)
}

fn get_wakeup_time(services: &Services, state: &mut VcpuState, call: &mut EfiRuntimeCall) -> Result<Status, Errno> {
    refuse_flags(call.misc, 0)?;
    let (mut enabled, mut pending, mut time) = (0, 0, guest_access::zeroed::<EfiTime>());
    let status = in_firmware(state, || services.get_wakeup_time(&mut enabled, &mut pending, &mut time));
    if !status.is_error() {
        call.set_payload(&time);
        let flag = |value: u8, flag: EfiGetWakeupFlags| if value != 0 { flag.raw() } else { 0 };
        call.misc = flag(enabled, EfiGetWakeupFlags::ENABLED) | flag(pending, EfiGetWakeupFlags::PENDING);
    }
    Ok(status)
}

// ---- variables ----

fn get_variable(services: &Services, state: &mut VcpuState, call: &mut EfiRuntimeCall) -> Result<Status, Errno> {
    refuse_flags(call.misc, 0)?;
    let mut op: EfiVariable = call.payload();
    let name = read_name(op.name)?;
    // Firmware needs no more room than the variable has bytes.
    let mut data = buffer::<u8>(op.size.min(DATA_BYTES as u64) as usize)?;
    let (mut attributes, mut size) = (0, 0);
    let guid = op.vendor_guid;
    let status = in_firmware(state, || services.get_variable(&name, &guid, &mut attributes, &mut size, &mut data));
    if !status.is_error() {
        guest_access::write_bytes(op.data.addr(), data.get(..size).ok_or(Errno::EIO)?)?;
    }
    op.size = size as u64;
    call.misc = attributes;
    call.set_payload(&op);
    Ok(status)
}

fn set_variable(services: &Services, state: &mut VcpuState, call: &EfiRuntimeCall) -> Result<Status, Errno> {
    let op: EfiVariable = call.payload();
    let name = read_name(op.name)?;
    let len = usize::try_from(op.size).ok().filter(|&len| len <= DATA_BYTES).ok_or(Errno::ENOMEM)?;
    let mut data = buffer::<u8>(len)?;
    guest_access::read_bytes(op.data.addr(), &mut data)?;
    Ok(in_firmware(state, || services.set_variable(&name, &op.vendor_guid, call.misc, &data)))
}

fn get_next_variable_name(
    services: &Services,
    state: &mut VcpuState,
    call: &mut EfiRuntimeCall,
) -> Result<Status, Errno> {
    refuse_flags(call.misc, 0)?;
    let mut op: EfiNextVariable = call.payload();
    let chars = op.size.min((NAME_CHARS * size_of::<u16>()) as u64) as usize / size_of::<u16>();
    let mut name = buffer::<u16>(chars)?;
    guest_access::read_slice(op.name, &mut name)?;
    let mut size = 0;
    let status = in_firmware(state, || services.get_next_variable_name(&mut size, &mut name, &mut op.vendor_guid));
    if !status.is_error() {
        guest_access::write_bytes(op.name.addr(), name.as_bytes().get(..size).ok_or(Errno::EIO)?)?;
    }
    op.size = size as u64;
    call.set_payload(&op);
    Ok(status)
}

fn query_variable_info(services: &Services, state: &mut VcpuState, call: &mut EfiRuntimeCall) -> Result<Status, Errno> {
    refuse_flags(call.misc, EfiVarinfoFlags::NAMED.raw())?;
    if call.misc & EfiVarinfoFlags::BOOT_SNAPSHOT.raw() != 0 {
        // None was taken: the hypervisor starts when boot services have ended.
        return Err(Errno::EINVAL);
    }
    if !services.has_variable_info() {
        return Err(Errno::EOPNOTSUPP);
    }
    let mut op: EfiVariableInfo = call.payload();
    let mut space = [0; 3];
    let status = in_firmware(state, || services.query_variable_info(op.attr, &mut space));
    [op.max_store_size, op.remain_store_size, op.max_size] = space;
    call.set_payload(&op);
    Ok(status)
}

/// A name with its zero. ENOMEM when it has none for too long.
fn read_name(handle: GuestHandle<u16>) -> Result<Vec<u16>, Errno> {
    let mut name = Vec::new();
    loop {
        let character = guest_access::read_at(handle, name.len() as u64)?;
        name.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        name.push(character);
        match character {
            0 => return Ok(name),
            _ if name.len() >= NAME_CHARS => return Err(Errno::ENOMEM),
            _ => {}
        }
    }
}

/// Zeros. ENOMEM.
fn buffer<T: Copy + Default>(len: usize) -> Result<Vec<T>, Errno> {
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
    buffer.resize(len, T::default());
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_looked_up() {
        let map = [
            EfiRegion { kind: 7, start: 0x1000, pages: 4, attributes: 0xf },
            EfiRegion { kind: 6, start: 0x8000, pages: 2, attributes: 1 << 63 | 0xf },
        ];
        let asked = |addr, size| EfiMemory { addr, size, attr: 0, memory_type: 0, _pad: [0; 4] };
        let found = memory(&map, asked(0x8800, 0x10000)).unwrap();
        assert_eq!((found.size, found.attr, found.memory_type), (0x1800, 1 << 63 | 0xf, 6));
        assert_eq!(memory(&map, asked(0x4fff, 1)).unwrap().size, 1);
        assert_eq!(memory(&map, asked(0x5000, 1)), None);
    }

    #[test]
    fn flags_are_checked() {
        assert_eq!(refuse_flags(3, EfiSetWakeupFlags::NAMED.raw()), Ok(()));
        assert_eq!(refuse_flags(4, EfiSetWakeupFlags::NAMED.raw()), Err(Errno::EINVAL));
        assert_eq!(refuse_flags(1, 0), Err(Errno::EINVAL));
    }
}
