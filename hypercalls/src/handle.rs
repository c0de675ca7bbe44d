// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Guest pointers as they appear in ABI structs (`XEN_GUEST_HANDLE`, `XEN_GUEST_HANDLE_64`).

use core::marker::PhantomData;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// An address which a caller claims to hold a `T`, or an array of them.
///
/// It is an allegation, not a pointer: nothing here reads through it. `T` only says what to copy. `T = ()` is the
/// headers' `XEN_GUEST_HANDLE(void)`.
#[doc(alias = "XEN_GUEST_HANDLE")]
#[doc(alias = "XEN_GUEST_HANDLE_64")]
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(transparent)]
// `fn() -> T` so that the handle is `Copy`, `Send` and `Sync` whatever `T` is: it owns no `T`.
pub struct GuestHandle<T>(u64, PhantomData<fn() -> T>);

impl<T> GuestHandle<T> {
    /// No address: "not given", where a call allows that.
    pub const NULL: Self = Self::new(0);

    /// Takes an address as it came over the boundary; any value is allowed.
    #[must_use]
    pub const fn new(addr: u64) -> Self {
        Self(addr, PhantomData)
    }

    /// The claimed guest-virtual address.
    #[must_use]
    pub const fn addr(self) -> u64 {
        self.0
    }

    /// Whether it is the null address.
    #[must_use]
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// The handle of element `n` of the array that starts here; wraps like the guest's own arithmetic would, because
    /// the result is checked where it is used.
    #[must_use]
    pub const fn offset(self, n: u64) -> Self {
        Self::new(self.0.wrapping_add(n.wrapping_mul(size_of::<T>() as u64)))
    }

    /// The same address, claimed to hold something else.
    #[must_use]
    pub const fn cast<U>(self) -> GuestHandle<U> {
        GuestHandle::new(self.0)
    }
}

// Not derived: derives would ask the same of `T`.
impl<T> Clone for GuestHandle<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for GuestHandle<T> {}
impl<T> PartialEq for GuestHandle<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> Eq for GuestHandle<T> {}
impl<T> core::fmt::Debug for GuestHandle<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "GuestHandle({:#x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_counts_elements_and_wraps() {
        assert_eq!(GuestHandle::<u64>::new(0x1000).offset(3).addr(), 0x1018);
        assert_eq!(GuestHandle::<u8>::new(u64::MAX).offset(1).addr(), 0);
        assert!(GuestHandle::<[u8; 16]>::NULL.is_null());
        assert_eq!(size_of::<GuestHandle<[u8; 16]>>(), 8);
    }
}
