// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The unpacked bytes so far, which are also the window matches refer to.

/// Copies go in steps of this many bytes where there is room to overshoot: compilers make two moves of it, while a call of
/// `memcpy` for a handful of bytes would take longer than the copy.
const STEP: usize = 16;
/// Longer matches go by `memcpy`.
const SHORT: usize = 64;

/// The caller's buffer, filled from the front.
pub(super) struct Output<'a> {
    buffer: &'a mut [u8],
    len: usize,
    frame_start: usize,
}

impl<'a> Output<'a> {
    pub(super) fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0, frame_start: 0 }
    }

    /// Bytes written so far.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Matches reach back to here.
    pub(super) fn start_frame(&mut self) {
        self.frame_start = self.len;
    }

    /// What the frame holds so far.
    pub(super) fn frame(&self) -> &[u8] {
        self.buffer.get(self.frame_start..self.len).unwrap_or_default()
    }

    /// Appends a copy.
    pub(super) fn extend(&mut self, data: &[u8]) -> Option<()> {
        let end = self.len.checked_add(data.len())?;
        self.buffer.get_mut(self.len..end)?.copy_from_slice(data);
        self.len = end;
        Some(())
    }

    /// Appends one byte repeated.
    pub(super) fn fill(&mut self, byte: u8, count: usize) -> Option<()> {
        let end = self.len.checked_add(count)?;
        self.buffer.get_mut(self.len..end)?.fill(byte);
        self.len = end;
        Some(())
    }

    /// Appends the first `count` bytes of `data`; what follows them is read too, if there, but does not matter.
    #[inline(always)]
    pub(super) fn extend_short(&mut self, data: &[u8], count: usize) -> Option<()> {
        if count <= STEP
            && let Some(from) = data.first_chunk::<STEP>()
            && let Some(to) = self.buffer.get_mut(self.len..).and_then(<[u8]>::first_chunk_mut::<STEP>)
        {
            *to = *from;
            self.len = self.len.wrapping_add(count);
            return Some(());
        }
        self.extend(data.get(..count)?)
    }

    /// Appends `count` bytes from `distance` bytes back; they may overlap what they make.
    #[inline(always)]
    pub(super) fn repeat(&mut self, distance: usize, count: usize) -> Option<()> {
        let from = self.len.checked_sub(distance)?;
        let end = self.len.checked_add(count)?;
        if from < self.frame_start || distance == 0 || end > self.buffer.len() {
            return None;
        }
        if distance >= STEP && count <= SHORT && self.buffer.len().wrapping_sub(end) >= STEP {
            let mut done = 0_usize;
            while done < count {
                let step = *self.buffer.get(from.wrapping_add(done)..)?.first_chunk::<STEP>()?;
                *self.buffer.get_mut(self.len.wrapping_add(done)..)?.first_chunk_mut()? = step;
                done = done.wrapping_add(STEP);
            }
        } else {
            self.repeat_exactly(from, end)?;
        }
        self.len = end;
        Some(())
    }

    /// The long, the tightly overlapping and the last matches.
    fn repeat_exactly(&mut self, from: usize, end: usize) -> Option<()> {
        let (before, behind) = self.buffer.split_at_mut_checked(self.len)?;
        let (before, count) = (before.get(from..)?, end.wrapping_sub(self.len));
        if let Some(before) = before.get(..count) {
            behind.get_mut(..count)?.copy_from_slice(before);
        } else if let [byte] = *before {
            behind.get_mut(..count)?.fill(byte);
        } else {
            self.repeat_overlapping(from, end);
        }
        Some(())
    }

    /// Each round copies all that is there since `from`, so that rounds double in length.
    fn repeat_overlapping(&mut self, from: usize, end: usize) {
        let mut at = self.len;
        while at < end {
            let count = at.wrapping_sub(from).min(end.wrapping_sub(at));
            self.buffer.copy_within(from..from.wrapping_add(count), at);
            at = at.wrapping_add(count);
        }
    }
}
