// SPDX-License-Identifier: MIT OR Apache-2.0
//! A cell that one CPU at a time owns, for as long as it likes: the state of a vCPU belongs to the CPU that runs it, and
//! to a toolstack call only while the vCPU is not on any CPU.
// UNSAFETY: hands out `&mut` under an ownership flag.
#![expect(unsafe_code, reason = "interior mutability under an ownership flag")]

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};

/// See the module.
pub(crate) struct Owned<T> {
    taken: AtomicBool,
    data: UnsafeCell<T>,
}

// SAFETY: access goes through `try_own`, which admits one owner at a time.
unsafe impl<T: Send> Sync for Owned<T> {}

/// Ownership of an [`Owned`].
pub(crate) struct OwnedGuard<'a, T> {
    cell: &'a Owned<T>,
}

impl<T> Owned<T> {
    /// A cell that nobody owns.
    pub(crate) const fn new(data: T) -> Self {
        Self { taken: AtomicBool::new(false), data: UnsafeCell::new(data) }
    }

    /// Takes ownership if nobody has it.
    pub(crate) fn try_own(&self) -> Option<OwnedGuard<'_, T>> {
        // Acquire pairs with the Release of the previous owner's `release`.
        self.taken
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
            .then_some(OwnedGuard { cell: self })
    }

    /// Address of the data, for assembly.
    pub(crate) fn as_ptr(&self) -> *mut T {
        self.data.get()
    }

    /// Ends an ownership whose guard was forgotten.
    ///
    /// # Safety
    /// The caller's CPU owns the cell and does not touch the data afterwards.
    pub(crate) unsafe fn release(&self) {
        self.taken.store(false, Ordering::Release);
    }
}

impl<T> Deref for OwnedGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: this guard is the only way to the data while it lives.
        unsafe { &*self.cell.data.get() }
    }
}

impl<T> DerefMut for OwnedGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`.
        unsafe { &mut *self.cell.data.get() }
    }
}

impl<T> Drop for OwnedGuard<'_, T> {
    fn drop(&mut self) {
        self.cell.taken.store(false, Ordering::Release);
    }
}
