// SPDX-License-Identifier: MIT OR Apache-2.0
//! A window of device registers: bounds-checked volatile accesses of the widths devices insist on.
// UNSAFETY: volatile accesses to a mapping whose validity was promised once, at construction.
#![expect(unsafe_code, reason = "volatile device access")]

use core::ptr::NonNull;

/// Registers of one device, mapped uncached. `Copy`, because two holders of a device window are no worse than one holder
/// reading twice; exclusion is the driver's lock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mmio {
    base: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping is the same on every CPU (hypervisor slots are shared by all page tables).
unsafe impl Send for Mmio {}
// SAFETY: accesses are single volatile loads and stores.
unsafe impl Sync for Mmio {}

macro_rules! accessors {
    ($read:ident, $write:ident, $ty:ty) => {
        #[doc = concat!("Reads a `", stringify!($ty), "` at a byte offset, which must be aligned and inside.")]
        #[inline]
        pub(crate) fn $read(&self, offset: usize) -> $ty {
            let register = self.register(offset, size_of::<$ty>()).cast::<$ty>();
            // SAFETY: `register` checked bounds and alignment; the mapping is valid by `new`.
            unsafe { register.as_ptr().read_volatile() }
        }

        #[doc = concat!("Writes a `", stringify!($ty), "` at a byte offset, which must be aligned and inside.")]
        #[inline]
        pub(crate) fn $write(&self, offset: usize, value: $ty) {
            let register = self.register(offset, size_of::<$ty>()).cast::<$ty>();
            // SAFETY: `register` checked bounds and alignment; the mapping is valid by `new`.
            unsafe { register.as_ptr().write_volatile(value) }
        }
    };
}

impl Mmio {
    /// Takes a mapped window.
    ///
    /// # Safety
    /// `base .. base + length` is mapped read-write for the rest of the hypervisor's life, at least 8-byte aligned, and no
    /// Rust object lives there.
    pub(crate) const unsafe fn new(base: NonNull<u8>, length: usize) -> Self {
        Self { base, length }
    }

    /// Start of the window.
    pub(crate) const fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Length of the window in bytes.
    pub(crate) const fn len(&self) -> usize {
        self.length
    }

    /// A part of the window, which must lie inside.
    pub(crate) fn part(&self, offset: usize, length: usize) -> Self {
        assert!(offset <= self.length && length <= self.length - offset, "part outside the device");
        // SAFETY: the part is inside this window, whose mapping `new` was promised.
        let base = unsafe { self.base.add(offset) };
        Self { base, length }
    }

    accessors!(read8, write8, u8);
    accessors!(read16, write16, u16);
    accessors!(read32, write32, u32);

    fn register(&self, offset: usize, size: usize) -> NonNull<u8> {
        assert!(
            offset.is_multiple_of(size) && offset <= self.length && size <= self.length - offset,
            "register outside the device"
        );
        // SAFETY: the offset is inside the window by the check above.
        unsafe { self.base.add(offset) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_overlay_little_endian() {
        let mut words = [0_u64; 2];
        // SAFETY: the array outlives the window and is accessed through it only.
        let window = unsafe { Mmio::new(NonNull::from(&mut words).cast(), 16) };
        window.write32(8, 0x1122_3344);
        window.write8(15, 0xaa);
        assert_eq!(window.read32(12), 0xaa00_0000);
        assert_eq!(window.read16(8), 0x3344);
        assert_eq!(window.len(), 16);
    }
}
