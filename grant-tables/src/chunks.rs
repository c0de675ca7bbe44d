// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! An array that grows by whole chunks and never moves its elements: growing costs one chunk, not a copy of everything.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::GrantError;

/// Elements in chunks of `N`, which should make a chunk one page.
pub(crate) struct Chunks<T, const N: usize> {
    chunks: Vec<Box<[T; N]>>,
}

impl<T: Clone + Default, const N: usize> Chunks<T, N> {
    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new() }
    }

    /// How many elements there are.
    pub(crate) fn len(&self) -> usize {
        self.chunks.len().saturating_mul(N)
    }

    /// Adds one chunk of default elements.
    pub(crate) fn grow(&mut self) -> Result<(), GrantError> {
        let mut chunk = Vec::new();
        chunk.try_reserve_exact(N).map_err(|_| GrantError::NoMemory)?;
        chunk.resize(N, T::default());
        let chunk = chunk.try_into().map_err(|_| GrantError::NoMemory)?;
        self.chunks.try_reserve(1).map_err(|_| GrantError::NoMemory)?;
        self.chunks.push(chunk);
        Ok(())
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        self.chunks.get(Self::chunk(index))?.get(Self::slot(index))
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.chunks.get_mut(Self::chunk(index))?.get_mut(Self::slot(index))
    }

    #[inline]
    const fn chunk(index: u32) -> usize {
        // N is a constant power of two: a shift, and a mask below.
        const { assert!(N.is_power_of_two()) };
        (index as usize) >> N.trailing_zeros()
    }

    #[inline]
    const fn slot(index: u32) -> usize {
        (index as usize) & (N.wrapping_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_by_whole_chunks() {
        let mut chunks = Chunks::<u8, 4>::new();
        assert_eq!(chunks.get(0), None);
        chunks.grow().unwrap();
        chunks.grow().unwrap();
        assert_eq!(chunks.len(), 8);
        *chunks.get_mut(7).unwrap() = 3;
        assert_eq!(chunks.get(7), Some(&3));
        assert_eq!(chunks.get(8), None);
        assert_eq!(chunks.get(u32::MAX), None);
    }
}
