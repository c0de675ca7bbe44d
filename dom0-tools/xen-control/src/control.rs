// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The handle all calls go through, and how arguments get to the hypervisor.

use crate::error::{ControlError, Result};
use hypercalls::domctl::{DOMCTL_INTERFACE_VERSION, Domctl, DomctlCmd};
use hypercalls::memory::MemoryOp;
use hypercalls::sysctl::{SYSCTL_INTERFACE_VERSION, Sysctl, SysctlCmd};
use hypercalls::version::{FeatureInfo, Features, VersionOp};
use hypercalls::{DomId, Errno, GuestHandle, HypercallNumber};
use std::io;
use std::path::Path;
use xen_sys::{HypercallBuffer, Privcmd};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

/// The toolstack's hold on the hypervisor. Threads may share it.
#[derive(Debug)]
pub struct Control {
    privcmd: Privcmd,
}

impl Control {
    /// Opens the kernel's devices and asks the hypervisor whether this is a control domain.
    ///
    /// # Errors
    /// One that names what is missing: Xen, a kernel module, root, or the right to control.
    pub fn open() -> Result<Self> {
        let failed = |error| ControlError::new("open the hypervisor", None, error);
        let privcmd = Privcmd::open().map_err(|error| failed(explain(error)))?;
        let control = Self { privcmd };
        if !control.features()?.contains(Features::DOM0) {
            let text = "this domain may not control others: run it in dom0";
            return Err(failed(io::Error::new(io::ErrorKind::PermissionDenied, text)));
        }
        Ok(control)
    }

    /// What the calls go through; for hypercalls that have no method here.
    #[must_use]
    pub fn privcmd(&self) -> &Privcmd {
        &self.privcmd
    }

    fn features(&self) -> Result<Features> {
        let mut info = FeatureInfo::new_zeroed();
        self.version_op("ask for the hypervisor's features", VersionOp::GET_FEATURES, &mut info)?;
        Ok(info.submap)
    }

    /// A buffer that holds `value`.
    pub(crate) fn put<T: IntoBytes + Immutable + ?Sized>(&self, value: &T) -> io::Result<HypercallBuffer> {
        let bytes = value.as_bytes();
        let mut buffer = self.privcmd.buffer(bytes.len())?;
        buffer.as_bytes_mut().copy_from_slice(bytes);
        Ok(buffer)
    }

    /// A zeroed buffer for `count` values.
    pub(crate) fn room<T>(&self, count: usize) -> io::Result<HypercallBuffer> {
        self.privcmd.buffer(count.saturating_mul(size_of::<T>()))
    }

    /// A hypercall, again as often as the hypervisor asks for it.
    pub(crate) fn call(&self, number: HypercallNumber, args: [u64; 5]) -> io::Result<u64> {
        loop {
            match self.privcmd.hypercall(number, args) {
                Err(error) if error.raw_os_error() == Some(Errno::EAGAIN.raw()) => {}
                done => return done,
            }
        }
    }

    /// A `domctl` with the argument `payload`; answers with the argument as the hypervisor left it.
    pub(crate) fn domctl<T: IntoBytes + Immutable>(
        &self,
        operation: &'static str,
        domain: DomId,
        cmd: DomctlCmd,
        payload: &T,
    ) -> Result<Domctl> {
        let mut argument = Domctl::new_zeroed();
        argument.cmd = cmd;
        argument.interface_version = DOMCTL_INTERFACE_VERSION;
        argument.domain = domain;
        argument.set_payload(payload);
        let whom = (cmd != DomctlCmd::CREATEDOMAIN).then_some(domain);
        self.domctl_raw(&mut argument).map_err(|error| ControlError::new(operation, whom, error))?;
        Ok(argument)
    }

    /// A `domctl`; the argument is updated even if it fails.
    pub(crate) fn domctl_raw(&self, argument: &mut Domctl) -> io::Result<()> {
        let buffer = self.put(argument)?;
        let done = self.call(HypercallNumber::DOMCTL, [buffer.address(), 0, 0, 0, 0]);
        *argument = get(&buffer);
        done.map(drop)
    }

    /// A `sysctl`, likewise.
    pub(crate) fn sysctl<T: IntoBytes + Immutable>(
        &self,
        operation: &'static str,
        cmd: SysctlCmd,
        payload: &T,
    ) -> Result<Sysctl> {
        let mut argument = Sysctl::new_zeroed();
        argument.cmd = cmd;
        argument.interface_version = SYSCTL_INTERFACE_VERSION;
        argument.set_payload(payload);
        let done = self.put(&argument).and_then(|buffer| {
            self.call(HypercallNumber::SYSCTL, [buffer.address(), 0, 0, 0, 0])?;
            Ok(get(&buffer))
        });
        done.map_err(|error| ControlError::new(operation, None, error))
    }

    /// A hypercall of the form (operation, argument), such as `memory_op`; the argument is updated.
    pub(crate) fn sub_op<T: IntoBytes + FromBytes + Immutable>(
        &self,
        number: HypercallNumber,
        op: u64,
        argument: &mut T,
    ) -> io::Result<u64> {
        let buffer = self.put(argument)?;
        let answer = self.call(number, [op, buffer.address(), 0, 0, 0])?;
        *argument = get(&buffer);
        Ok(answer)
    }

    pub(crate) fn memory_op<T: IntoBytes + FromBytes + Immutable>(
        &self,
        operation: &'static str,
        domain: Option<DomId>,
        op: MemoryOp,
        argument: &mut T,
    ) -> Result<u64> {
        self.sub_op(HypercallNumber::MEMORY_OP, op.raw(), argument)
            .map_err(|error| ControlError::new(operation, domain, error))
    }

    pub(crate) fn version_op<T: IntoBytes + FromBytes + Immutable>(
        &self,
        operation: &'static str,
        op: VersionOp,
        argument: &mut T,
    ) -> Result<u64> {
        self.sub_op(HypercallNumber::XEN_VERSION, u64::from(op.raw()), argument)
            .map_err(|error| ControlError::new(operation, None, error))
    }
}

/// The value at the start of a buffer.
pub(crate) fn get<T: FromBytes + IntoBytes>(buffer: &HypercallBuffer) -> T {
    let mut value = T::new_zeroed();
    for (to, from) in value.as_mut_bytes().iter_mut().zip(buffer.as_bytes()) {
        *to = *from;
    }
    value
}

/// The first `count` values in a buffer.
pub(crate) fn get_list<T: FromBytes>(buffer: &HypercallBuffer, count: usize) -> Vec<T> {
    let values = buffer.as_bytes().chunks_exact(size_of::<T>()).take(count);
    values.filter_map(|bytes| T::read_from_bytes(bytes).ok()).collect()
}

/// The buffer's address as a handle of what is in it.
pub(crate) fn handle<T>(buffer: &HypercallBuffer) -> GuestHandle<T> {
    GuestHandle::new(buffer.address())
}

/// Why the device could not be opened, with what to do.
fn explain(error: io::Error) -> io::Error {
    let path = Privcmd::PATH;
    let text = match error.kind() {
        io::ErrorKind::NotFound if !Path::new("/sys/hypervisor/type").exists() && !Path::new("/proc/xen").exists() => {
            format!("{path}: {error}: this machine does not run on Xen; boot it as dom0")
        }
        io::ErrorKind::NotFound => format!("{path}: {error}: load its driver (modprobe xen-privcmd)"),
        io::ErrorKind::PermissionDenied => format!("{path}: {error}: run this as root"),
        _ => format!("{path}: {error}"),
    };
    io::Error::new(error.kind(), text)
}
