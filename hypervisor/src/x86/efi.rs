// SPDX-License-Identifier: MIT OR Apache-2.0
//! EFI's runtime services (UEFI specification 2.10, chapter 8), called where the firmware lies: `SetVirtualAddressMap` is never
//! used, so its code runs at machine addresses, in page tables of its own that hold its regions and the hypervisor's slots.
// UNSAFETY: jumps to firmware code and lets it write through pointers.
#![expect(unsafe_code, reason = "calls firmware")]

use hypercalls::frame::Mfn;
use hypercalls::platform::{EfiGuid, EfiTime};

use crate::sync::{Rank, SpinLock};
use crate::x86::{instr, percpu, tlb};

/// What a service answered: 0, a warning, or an error (bit 63).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(pub(crate) u64);

impl Status {
    /// An argument makes no sense.
    pub(crate) const INVALID_PARAMETER: Self = Self(1 << 63 | 2);

    /// Neither success nor a warning.
    pub(crate) const fn is_error(self) -> bool {
        self.0 >> 63 != 0
    }
}

/// What the clock can do (EFI_TIME_CAPABILITIES).
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Capabilities {
    /// Counts per second.
    pub(crate) resolution: u32,
    /// Error in 1e-12.
    pub(crate) accuracy: u32,
    sets_to_zero: u8,
}

impl Capabilities {
    /// Setting the time zeroes what is smaller than the resolution.
    pub(crate) fn sets_to_zero(&self) -> bool {
        self.sets_to_zero != 0
    }
}

/// Offsets in the table of runtime services.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Service {
    GetTime = 24,
    SetTime = 32,
    GetWakeupTime = 40,
    SetWakeupTime = 48,
    GetVariable = 72,
    GetNextVariableName = 80,
    SetVariable = 88,
    GetNextHighMonotonicCount = 96,
    QueryVariableInfo = 128,
}

/// "RUNTSERV".
const SIGNATURE: u64 = 0x5652_4553_544e_5552;
/// Bytes of the table.
pub(crate) const TABLE_BYTES: usize = 136;
/// The first revision, 2.0, whose table has QueryVariableInfo.
const REVISION_2: u32 = 2 << 16;
/// Breakpoints off.
const DR7_OFF: u64 = 0x400;

type Function = extern "efiapi" fn(u64, u64, u64, u64, u64) -> u64;

/// The firmware is not reentrant.
static LOCK: SpinLock<()> = SpinLock::new(Rank::Firmware, ());

/// The runtime services. Its calls take time, run with interrupts off, and destroy the FPU's state: the caller saves it and gives
/// them a fresh one (`fpu::reset`).
pub(crate) struct Services {
    root: Mfn,
    prepare: fn(Mfn),
    table: [u8; TABLE_BYTES],
    /// Version of the table.
    pub(crate) revision: u32,
}

impl Services {
    /// From a copy of the firmware's table and the tables to run it in, which [`Services`] keeps; `prepare` copies the
    /// hypervisor's slots into them before each call. `None` unless all services that are
    /// used lie where `is_code` says the firmware's code is mapped. What is there is trusted, as the firmware is in all else.
    pub(crate) fn new(
        root: Mfn,
        prepare: fn(Mfn),
        table: &[u8; TABLE_BYTES],
        is_code: impl Fn(u64) -> bool,
    ) -> Option<Self> {
        let word = |offset: usize| {
            table.get(offset..).and_then(|rest| rest.first_chunk()).map(|bytes| u64::from_le_bytes(*bytes))
        };
        if word(0)? != SIGNATURE {
            return None;
        }
        let revision = word(8)? as u32;
        let services = Self { root, prepare, table: *table, revision };
        let base = [
            Service::GetTime,
            Service::SetTime,
            Service::GetWakeupTime,
            Service::SetWakeupTime,
            Service::GetVariable,
            Service::GetNextVariableName,
            Service::SetVariable,
            Service::GetNextHighMonotonicCount,
        ];
        let used = base.into_iter().chain(services.has_variable_info().then_some(Service::QueryVariableInfo));
        used.map(|service| services.address(service)).all(is_code).then_some(services)
    }

    /// Is [`Services::query_variable_info`] there?
    pub(crate) fn has_variable_info(&self) -> bool {
        self.revision >= REVISION_2
    }

    fn address(&self, service: Service) -> u64 {
        let bytes = self.table.get(service as usize..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// Calls a service.
    ///
    /// # Safety
    /// The arguments are what the service takes; pointers among them lead to memory of ours that it may use as it is specified to.
    unsafe fn call(&self, service: Service, args: [u64; 5]) -> Status {
        let _lock = LOCK.lock();
        (self.prepare)(self.root);
        // SAFETY: the address is the firmware's own for a service of up to five arguments, mapped executable in the tables loaded
        // below; surplus arguments are ignored in this calling convention. Zero is not mapped code: `new` checked.
        let function: Function = unsafe { core::mem::transmute(self.address(service) as *const ()) };
        let cpu = percpu::this();
        let guest = Mfn::from_addr(cpu.cr3.load(core::sync::atomic::Ordering::Relaxed));
        // A guest's breakpoints are at addresses of its own, which mean firmware there.
        let breakpoints = instr::read_dr7();
        instr::write_dr7(DR7_OFF);
        tlb::load_root(cpu, self.root);
        let [a, b, c, d, e] = args;
        let status = function(a, b, c, d, e);
        tlb::load_root(cpu, guest);
        instr::write_dr7(breakpoints);
        Status(status)
    }

    /// Reads the clock.
    pub(crate) fn get_time(&self, time: &mut EfiTime, capabilities: &mut Capabilities) -> Status {
        // SAFETY: GetTime writes both structures.
        unsafe { self.call(Service::GetTime, [address_mut(time), address_mut(capabilities), 0, 0, 0]) }
    }

    /// Sets the clock.
    pub(crate) fn set_time(&self, time: &EfiTime) -> Status {
        // SAFETY: SetTime reads the structure.
        unsafe { self.call(Service::SetTime, [address(time), 0, 0, 0, 0]) }
    }

    /// Reads the alarm: whether it is on, whether it went off, when.
    pub(crate) fn get_wakeup_time(&self, enabled: &mut u8, pending: &mut u8, time: &mut EfiTime) -> Status {
        // SAFETY: GetWakeupTime writes two one-byte BOOLEANs and the structure.
        unsafe {
            self.call(Service::GetWakeupTime, [address_mut(enabled), address_mut(pending), address_mut(time), 0, 0])
        }
    }

    /// Switches the alarm; `None` leaves its time.
    pub(crate) fn set_wakeup_time(&self, enable: bool, time: Option<&EfiTime>) -> Status {
        // SAFETY: SetWakeupTime takes a BOOLEAN and reads the structure if there is one.
        unsafe { self.call(Service::SetWakeupTime, [enable.into(), time.map_or(0, address), 0, 0, 0]) }
    }

    /// Counts resets and calls.
    pub(crate) fn get_next_high_monotonic_count(&self, count: &mut u32) -> Status {
        // SAFETY: the service writes a word.
        unsafe { self.call(Service::GetNextHighMonotonicCount, [address_mut(count), 0, 0, 0, 0]) }
    }

    /// Reads a variable into `data`; `size` becomes its size in bytes, be there room or not. The name ends in a zero.
    pub(crate) fn get_variable(
        &self,
        name: &[u16],
        vendor: &EfiGuid,
        attributes: &mut u32,
        size: &mut usize,
        data: &mut [u8],
    ) -> Status {
        if !name.contains(&0) {
            return Status::INVALID_PARAMETER;
        }
        *size = data.len();
        let buffer = if data.is_empty() { 0 } else { data.as_mut_ptr() as u64 };
        // SAFETY: GetVariable reads the name up to its zero and the identifier, writes attributes, size, and at most `size` bytes.
        unsafe {
            self.call(
                Service::GetVariable,
                [name.as_ptr() as u64, address(vendor), address_mut(attributes), address_mut(size), buffer],
            )
        }
    }

    /// Writes a variable, or deletes it: without data. The name ends in a zero.
    pub(crate) fn set_variable(&self, name: &[u16], vendor: &EfiGuid, attributes: u32, data: &[u8]) -> Status {
        if !name.contains(&0) {
            return Status::INVALID_PARAMETER;
        }
        // SAFETY: SetVariable reads the name up to its zero, the identifier and the data.
        unsafe {
            self.call(
                Service::SetVariable,
                [name.as_ptr() as u64, address(vendor), attributes.into(), data.len() as u64, data.as_ptr() as u64],
            )
        }
    }

    /// Replaces a name, which ends in a zero, and its vendor by the next in the list; an empty name starts. `size` becomes the size
    /// of the name in bytes, be there room or not.
    pub(crate) fn get_next_variable_name(&self, size: &mut usize, name: &mut [u16], vendor: &mut EfiGuid) -> Status {
        if !name.contains(&0) {
            return Status::INVALID_PARAMETER;
        }
        *size = size_of_val(name);
        // SAFETY: the service reads the name up to its zero, and writes size, identifier and at most `size` bytes of name.
        unsafe {
            self.call(
                Service::GetNextVariableName,
                [address_mut(size), name.as_mut_ptr() as u64, address_mut(vendor), 0, 0],
            )
        }
    }

    /// Space for variables with these attributes, bytes: all, what is left, and for one variable. Only if
    /// [`Services::has_variable_info`].
    pub(crate) fn query_variable_info(&self, attributes: u32, space: &mut [u64; 3]) -> Status {
        if !self.has_variable_info() {
            return Status::INVALID_PARAMETER;
        }
        let [all, left, largest] = space;
        // SAFETY: QueryVariableInfo writes three words.
        unsafe {
            self.call(
                Service::QueryVariableInfo,
                [attributes.into(), address_mut(all), address_mut(left), address_mut(largest), 0],
            )
        }
    }
}

fn address<T>(value: &T) -> u64 {
    core::ptr::from_ref(value) as u64
}

fn address_mut<T>(value: &mut T) -> u64 {
    core::ptr::from_mut(value) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(revision: u32) -> [u8; TABLE_BYTES] {
        let mut table = [0; TABLE_BYTES];
        for (index, word) in table.chunks_exact_mut(8).enumerate() {
            word.copy_from_slice(&(0x1000 + index as u64).to_le_bytes());
        }
        table[..8].copy_from_slice(b"RUNTSERV");
        table[8..12].copy_from_slice(&revision.to_le_bytes());
        table
    }

    #[test]
    fn takes_a_table_whose_services_are_code() {
        let services = Services::new(Mfn::new(1), |_| {}, &table(0x2_0046), |at| at >= 0x1000).unwrap();
        assert!(services.has_variable_info());
        assert_eq!(services.address(Service::GetTime), 0x1003);
        assert_eq!(services.address(Service::QueryVariableInfo), 0x1010);
        assert!(Services::new(Mfn::new(1), |_| {}, &table(0x2_0046), |at| at != 0x1010).is_none());
        let old = Services::new(Mfn::new(1), |_| {}, &table(0x1_000a), |at| at != 0x1010).unwrap();
        assert_eq!(old.query_variable_info(0, &mut [0; 3]), Status::INVALID_PARAMETER);
    }

    #[test]
    fn refuses_another_signature() {
        let mut wrong = table(0x2_0046);
        wrong[0] = b'B';
        assert!(Services::new(Mfn::new(1), |_| {}, &wrong, |_| true).is_none());
    }
}
