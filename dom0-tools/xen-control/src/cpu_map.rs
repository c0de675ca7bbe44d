// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Sets of CPUs (or NUMA nodes).

/// A set of CPU numbers, as the interface has it: bit 0 of byte 0 first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuMap(Vec<u8>);

impl CpuMap {
    /// All CPUs below `count`.
    #[must_use]
    pub fn all(count: u32) -> Self {
        (0..count).collect()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn bits(&self) -> u32 {
        u32::try_from(self.0.len() * 8).unwrap_or(u32::MAX)
    }

    /// Adds a CPU.
    pub fn insert(&mut self, cpu: u32) {
        let byte = cpu as usize / 8;
        if byte >= self.0.len() {
            self.0.resize(byte + 1, 0);
        }
        if let Some(byte) = self.0.get_mut(byte) {
            *byte |= 1 << (cpu % 8);
        }
    }

    /// Removes a CPU.
    pub fn remove(&mut self, cpu: u32) {
        if let Some(byte) = self.0.get_mut(cpu as usize / 8) {
            *byte &= !(1 << (cpu % 8));
        }
    }

    /// Whether the CPU is in it.
    #[must_use]
    pub fn contains(&self, cpu: u32) -> bool {
        self.0.get(cpu as usize / 8).is_some_and(|byte| byte & 1 << (cpu % 8) != 0)
    }

    /// Its CPUs, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.bits()).filter(|cpu| self.contains(*cpu))
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }
}

impl FromIterator<u32> for CpuMap {
    fn from_iter<I: IntoIterator<Item = u32>>(cpus: I) -> Self {
        let mut map = Self::default();
        for cpu in cpus {
            map.insert(cpu);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_holds_what_was_put_in() {
        let mut map: CpuMap = [0, 9, 17].into_iter().collect();
        assert_eq!(map.bytes(), [1, 2, 2]);
        map.remove(9);
        map.remove(900);
        assert_eq!(map.iter().collect::<Vec<_>>(), [0, 17]);
        assert!(!map.contains(9) && map.contains(17) && !map.contains(4000));
        assert!(CpuMap::default().is_empty() && !map.is_empty());
        assert_eq!(CpuMap::all(10).bytes(), [0xff, 3]);
    }
}
