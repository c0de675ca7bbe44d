// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel heap: boot and domain creation only, hot paths do not allocate. A small arena inside the image serves until
//! frames can be had; afterwards the heap grows by whole frames in a window of its own. The window never shrinks, so what is
//! large, such as the list of dom0's frames while it is built, is a block of frames instead, which goes back when it is freed.
// UNSAFETY: implements the global allocator.
#![expect(unsafe_code, reason = "global allocator")]

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};

use hypercalls::frame::Mfn;
use linked_list_allocator::Heap;

use crate::mm::layout::{DIRECT_MAP_BYTES, DIRECT_MAP_START, HEAP_MAX, HEAP_START};
use crate::mm::{frame_table, host_pt};
use crate::sync::{Rank, SpinLock};

/// Boots have been seen to use 18 to 27 KiB of it.
const ARENA_BYTES: usize = 96 * 1024;
/// Growth step.
const STEP_BYTES: u64 = 256 * 1024;
/// From this size on an allocation is a block of frames.
const LARGE_BYTES: usize = 256 * 1024;

#[repr(C, align(4096))]
struct Arena([u8; ARENA_BYTES]);

static mut ARENA: Arena = Arena([0; ARENA_BYTES]);

struct Heaps {
    early: Heap,
    main: Heap,
    /// Bytes of the window that are mapped.
    mapped: u64,
}

// SAFETY: the raw pointers inside refer to memory that only the holder of the lock uses.
unsafe impl Send for Heaps {}

static HEAPS: SpinLock<Heaps> =
    SpinLock::new(Rank::Heap, Heaps { early: Heap::empty(), main: Heap::empty(), mapped: 0 });
static GROWS: AtomicBool = AtomicBool::new(false);

struct KernelHeap;

#[cfg_attr(target_os = "none", global_allocator)]
#[cfg_attr(not(target_os = "none"), expect(dead_code, reason = "the host has its own allocator"))]
static HEAP: KernelHeap = KernelHeap;

/// Opens the arena. First thing at boot.
pub(crate) fn init_early() {
    // SAFETY: the arena is used by nobody else and this runs once.
    unsafe { HEAPS.lock().early.init(core::ptr::addr_of_mut!(ARENA).cast(), ARENA_BYTES) };
}

/// From now on the heap takes frames.
pub(crate) fn init_main() {
    GROWS.store(true, Ordering::Release);
}

/// Bytes of frames the heap holds, and bytes in use.
pub(crate) fn usage() -> (u64, u64) {
    let heaps = HEAPS.lock();
    (heaps.mapped, heaps.main.used() as u64)
}

fn grow(heaps: &mut Heaps, want: u64) -> bool {
    let bytes = want.next_multiple_of(STEP_BYTES).max(STEP_BYTES);
    if heaps.mapped + bytes > HEAP_MAX {
        return false;
    }
    let mut done = 0;
    while done < bytes {
        let Some(mfn) = frame_table::alloc(0, None) else { break };
        if host_pt::map(HEAP_START + heaps.mapped + done, mfn.to_addr(), 4096, host_pt::DATA).is_err() {
            frame_table::free(mfn, 0);
            break;
        }
        done += 4096;
    }
    if done == 0 {
        return false;
    }
    if heaps.mapped == 0 {
        // SAFETY: the window was just mapped and is used by nobody else.
        unsafe { heaps.main.init(HEAP_START as *mut u8, done as usize) };
    } else {
        // SAFETY: the new pages follow the old ones in the window.
        unsafe { heaps.main.extend(done as usize) };
    }
    heaps.mapped += done;
    done == bytes
}

/// The order of a block that holds `layout`, if that is large. Blocks are aligned to their size.
fn large_order(layout: Layout) -> Option<u32> {
    let bytes = layout.size().max(layout.align());
    (bytes >= LARGE_BYTES).then(|| bytes.div_ceil(4096).next_power_of_two().trailing_zeros())
}

// SAFETY: memory comes from `linked_list_allocator` under a lock, or is a block of free frames in the direct map, and goes back to
// where it came from, which its address tells.
unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let grows = GROWS.load(Ordering::Acquire);
        // Where no frames that follow each other are left, the window does.
        let block = large_order(layout).filter(|_| grows).and_then(|order| frame_table::alloc(order, None));
        if let Some(mfn) = block {
            return core::ptr::with_exposed_provenance_mut((DIRECT_MAP_START + mfn.to_addr()) as usize);
        }
        let mut heaps = HEAPS.lock();
        if grows {
            loop {
                if heaps.mapped != 0
                    && let Ok(block) = heaps.main.allocate_first_fit(layout)
                {
                    return block.as_ptr();
                }
                if !grow(&mut heaps, (layout.size() + layout.align() + 64) as u64) {
                    return core::ptr::null_mut();
                }
            }
        }
        heaps.early.allocate_first_fit(layout).map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    // SAFETY: obligations are the trait's: the block came from `alloc` with this layout, and nobody uses it any more.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let Some(block) = NonNull::new(pointer) else { return };
        let offset = (pointer as u64).wrapping_sub(DIRECT_MAP_START);
        if let Some(order) = large_order(layout).filter(|_| offset < DIRECT_MAP_BYTES) {
            return frame_table::free(Mfn::new(offset >> 12), order);
        }
        let mut heaps = HEAPS.lock();
        if (HEAP_START..HEAP_START + HEAP_MAX).contains(&(pointer as u64)) {
            // SAFETY: the block came from this heap with this layout, by the trait's contract.
            unsafe { heaps.main.deallocate(block, layout) };
        } else {
            // SAFETY: as above.
            unsafe { heaps.early.deallocate(block, layout) };
        }
    }
}
