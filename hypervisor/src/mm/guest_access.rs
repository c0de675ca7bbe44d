// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guest addresses become values and values go to guest addresses, here only. Everything is copied once, then checked.
//! Addresses are translated by the page tables that are loaded: the calling vCPU's kernel mode.
#![forbid(unsafe_code)]

use hypercalls::errno::Errno;
use hypercalls::handle::GuestHandle;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use crate::x86::uaccess;

/// Copies a value in. EFAULT.
#[inline]
pub(crate) fn read<T: FromBytes + IntoBytes>(handle: GuestHandle<T>) -> Result<T, Errno> {
    let mut value = T::new_zeroed();
    uaccess::read_from_guest(value.as_mut_bytes(), handle.addr()).map_err(|_| Errno::EFAULT)?;
    Ok(value)
}

/// Copies element `index` of an array in. EFAULT.
#[inline]
pub(crate) fn read_at<T: FromBytes + IntoBytes>(handle: GuestHandle<T>, index: u64) -> Result<T, Errno> {
    read(element(handle, index)?)
}

/// Copies a value out. EFAULT.
#[inline]
pub(crate) fn write<T: IntoBytes + Immutable>(handle: GuestHandle<T>, value: &T) -> Result<(), Errno> {
    uaccess::write_to_guest(handle.addr(), value.as_bytes()).map_err(|_| Errno::EFAULT)
}

/// Copies element `index` of an array out. EFAULT.
#[inline]
pub(crate) fn write_at<T: IntoBytes + Immutable>(handle: GuestHandle<T>, index: u64, value: &T) -> Result<(), Errno> {
    write(element(handle, index)?, value)
}

/// Copies bytes in. EFAULT.
pub(crate) fn read_bytes(address: u64, bytes: &mut [u8]) -> Result<(), Errno> {
    uaccess::copy_from_guest(bytes, address).map_err(|_| Errno::EFAULT)
}

/// Copies bytes out. EFAULT.
pub(crate) fn write_bytes(address: u64, bytes: &[u8]) -> Result<(), Errno> {
    uaccess::copy_to_guest(address, bytes).map_err(|_| Errno::EFAULT)
}

/// Copies the elements of a slice in. EFAULT.
pub(crate) fn read_slice<T: FromBytes + IntoBytes>(handle: GuestHandle<T>, values: &mut [T]) -> Result<(), Errno> {
    read_bytes(handle.addr(), values.as_mut_bytes())
}

fn element<T>(handle: GuestHandle<T>, index: u64) -> Result<GuestHandle<T>, Errno> {
    let offset = index.checked_mul(size_of::<T>() as u64).ok_or(Errno::EFAULT)?;
    handle.addr().checked_add(offset).map(GuestHandle::new).ok_or(Errno::EFAULT)
}

/// A zeroed value to be filled by [`read_slice`] and friends.
pub(crate) fn zeroed<T: FromZeros>() -> T {
    T::new_zeroed()
}
