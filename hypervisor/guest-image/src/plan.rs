// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Who sits where in a new PV guest: the plan both builders carry out.
//!
//! The initial mapping runs linearly from `v_start` (frame 0) to `v_end`: kernel, then `start_info`, for a domU the two
//! ring pages, the page tables with the L4 first, one page of boot stack, padding. Behind it, unmapped, come the RAM disk
//! and the p2m list with the tables that map it; for kernels that cannot take them there (notes 15 and 16 absent) they
//! stand inside, right behind the kernel. abi.md section 1.4 has the rules and two reference layouts.

use hypercalls::{PAGE_SHIFT, PAGE_SIZE, Pfn};

use crate::error::ImageError;
use crate::kernel::Kernel;
use crate::pfn_range::PfnRange;

/// Bytes of a frame.
const PAGE: u64 = PAGE_SIZE as u64;
/// `v_end` is a multiple of this, in bytes.
const END_ALIGN: u64 = 4 << 20;
/// The guest finds at least this much mapped memory behind its boot stack, in bytes.
const END_GAP: u64 = 512 << 10;
/// `HYPERVISOR_VIRT_END`: the hypervisor's part is the upper half up to here.
const HYPERVISOR_END: u64 = 0xffff_8800_0000_0000;
/// The first address that is not canonical.
const LOWER_HALF_END: u64 = 1 << 47;
/// Address bits a page walk sees.
const WALK_MASK: u64 = (1 << 48) - 1;

/// What kind of domain is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The first domain, built by the hypervisor, which has no toolstack to give it rings.
    Dom0,
    /// Any other, built by the toolstack, with a xenstore and a console ring.
    DomU,
}

/// What the builder wants.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Which kind of domain.
    pub role: Role,
    /// Memory of the domain, in pages of 4 KiB.
    pub nr_pages: u64,
    /// Length of the RAM disk in bytes; 0 for none.
    pub initrd_len: u64,
}

/// The ring pages of a domU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingPages {
    /// The xenstore ring.
    pub xenstore: Pfn,
    /// The console ring.
    pub console: Pfn,
}

/// Where the RAM disk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitrdPlace {
    /// Its frames.
    pub frames: PfnRange,
    /// Its length in bytes.
    pub len: u64,
    /// Whether the guest is told the frame number (`SIF_MOD_START_PFN`) or, being mapped, the virtual address.
    pub by_pfn: bool,
}

/// Where the p2m list goes: one u64 per frame of the guest, holding the machine frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct P2mPlace {
    /// Virtual address of the list.
    pub va: u64,
    /// The frames of the list.
    pub list: PfnRange,
    /// The frames right behind it, of the tables that map it; empty if the list is inside the kernel mapping.
    pub tables: PfnRange,
}

/// The layout of a new guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Which kind of domain.
    pub role: Role,
    /// Memory of the domain, in pages of 4 KiB.
    pub nr_pages: u64,
    /// Virtual address of frame 0.
    pub v_start: u64,
    /// Virtual address behind the initial mapping.
    pub v_end: u64,
    /// The kernel's frames.
    pub kernel: PfnRange,
    /// The frame of `start_info`, for dom0 with `dom0_vga_console_info` behind it.
    pub start_info: Pfn,
    /// The ring pages, for a domU.
    pub rings: Option<RingPages>,
    /// The tables of the initial mapping: L4, then L3s, L2s, L1s. These frames are mapped read-only.
    pub page_tables: PfnRange,
    /// The frame of the boot stack.
    pub boot_stack: Pfn,
    /// The RAM disk, if there is one.
    pub initrd: Option<InitrdPlace>,
    /// The p2m list.
    pub p2m: P2mPlace,
    /// How many frames from 0 on have a use or are mapped; those behind are free memory.
    pub used_pages: u64,
    /// Virtual address where the boot vCPU starts.
    pub entry: u64,
    /// The frame to fill with hypercall stubs, if the kernel wants one.
    pub hypercall_page: Option<Pfn>,
}

impl Plan {
    /// Lays out a guest.
    ///
    /// # Errors
    /// A kernel that cannot play the role; addresses that cannot be mapped; too little memory.
    pub fn new(kernel: &Kernel<'_>, request: &Request) -> Result<Self, ImageError> {
        let notes = kernel.notes();
        if request.role == Role::Dom0 {
            notes.check_dom0()?;
        }
        let initrd_pages = request.initrd_len.div_ceil(PAGE);
        // One u64 per frame; a count beyond any address space is refused before it can overflow anything.
        if request.nr_pages > WALK_MASK >> PAGE_SHIFT || initrd_pages > WALK_MASK >> PAGE_SHIFT {
            return Err(ImageError::TooLarge("the domain's memory"));
        }
        let p2m_pages = request.nr_pages.div_ceil(PAGE / 8);
        let v_start = notes.virt_base;
        if !v_start.is_multiple_of(PAGE) {
            return Err(ImageError::BadAddress { what: "base (note 3)", address: v_start });
        }

        let mut cursor = Cursor { next: kernel.frames().end().raw() };
        let inner_initrd = cursor.take(if notes.mod_start_pfn { 0 } else { initrd_pages })?;
        let inner_p2m = cursor.take(if notes.init_p2m.is_some() { 0 } else { p2m_pages })?;
        let start_info = cursor.take(1)?.start();
        let rings = match request.role {
            Role::Dom0 => None,
            Role::DomU => Some(RingPages { xenstore: cursor.take(1)?.start(), console: cursor.take(1)?.start() }),
        };
        let (tables, v_end) = size_tables(v_start, cursor.next)?;
        let page_tables = cursor.take(tables)?;
        let boot_stack = cursor.take(1)?.start();
        // Everything between the stack and `v_end` is mapped, so it must be memory.
        cursor.next = v_end.wrapping_sub(v_start) >> PAGE_SHIFT;

        let initrd_frames = if notes.mod_start_pfn { cursor.take(initrd_pages)? } else { inner_initrd };
        let p2m = match notes.init_p2m {
            Some(va) => place_p2m(&mut cursor, va, p2m_pages, v_start..v_end)?,
            None => P2mPlace {
                va: v_start.wrapping_add(inner_p2m.start().to_addr()),
                list: inner_p2m,
                tables: PfnRange::new(inner_p2m.end(), 0),
            },
        };
        if cursor.next > request.nr_pages {
            return Err(ImageError::NotEnoughMemory {
                needed_pages: cursor.next,
                given_pages: request.nr_pages,
                initrd_pages,
            });
        }
        Ok(Self {
            role: request.role,
            nr_pages: request.nr_pages,
            v_start,
            v_end,
            kernel: kernel.frames(),
            start_info,
            rings,
            page_tables,
            boot_stack,
            initrd: (initrd_pages > 0).then_some(InitrdPlace {
                frames: initrd_frames,
                len: request.initrd_len,
                by_pfn: notes.mod_start_pfn,
            }),
            p2m,
            used_pages: cursor.next,
            entry: notes.entry,
            hypercall_page: notes.hypercall_page.map(|va| Pfn::from_addr(va.wrapping_sub(v_start))),
        })
    }

    /// The virtual address of a frame in the initial mapping.
    #[must_use]
    pub fn va_of(&self, pfn: Pfn) -> u64 {
        self.v_start.wrapping_add(pfn.to_addr())
    }

    /// The frames of the initial mapping, from frame 0 on.
    #[must_use]
    pub fn mapped(&self) -> PfnRange {
        PfnRange::new(Pfn::new(0), self.v_end.wrapping_sub(self.v_start) >> PAGE_SHIFT)
    }

    /// The frame of the root table, for CR3.
    #[must_use]
    pub fn root_table(&self) -> Pfn {
        self.page_tables.start()
    }

    /// The boot vCPU's stack pointer.
    #[must_use]
    pub fn stack_top(&self) -> u64 {
        self.va_of(self.boot_stack).wrapping_add(PAGE)
    }

    /// The virtual address of `start_info`, which the boot vCPU gets in `rsi`.
    #[must_use]
    pub fn start_info_va(&self) -> u64 {
        self.va_of(self.start_info)
    }

    /// Whether `pfn` will be a page table of the new guest.
    #[must_use]
    pub fn is_page_table(&self, pfn: Pfn) -> bool {
        self.page_tables.contains(pfn) || self.p2m.tables.contains(pfn)
    }
}

/// Hands out frames in ascending order.
struct Cursor {
    next: u64,
}

impl Cursor {
    fn take(&mut self, count: u64) -> Result<PfnRange, ImageError> {
        let range = PfnRange::new(Pfn::new(self.next), count);
        self.next = self.next.checked_add(count).ok_or(ImageError::TooLarge("the kernel"))?;
        Ok(range)
    }
}

/// How many tables of each level map a range; `[L1, L2, L3]`.
pub(crate) fn table_counts(va: u64, pages: u64) -> [u64; 3] {
    let start = va & WALK_MASK;
    let last = start.saturating_add(pages.saturating_mul(PAGE)).saturating_sub(1);
    // A table of level n holds 512 entries: it spans 2^(12 + 9n) bytes.
    [21, 30, 39].map(
        |shift| {
            if pages == 0 { 0 } else { (last >> shift).saturating_sub(start >> shift).saturating_add(1) }
        },
    )
}

/// The number of tables of the initial mapping, and its end, for tables that start at frame `first`.
///
/// The tables lie in the range they map, so the two depend on each other; more tables never make the end smaller, and a
/// table maps far more than it takes, so growing until it fits ends soon.
fn size_tables(v_start: u64, first: u64) -> Result<(u64, u64), ImageError> {
    const TOO_LARGE: ImageError = ImageError::TooLarge("the initial mapping");
    let mut tables = 4_u64;
    loop {
        let stack_end = first.checked_add(tables).and_then(|n| n.checked_add(1)).ok_or(TOO_LARGE)?;
        let stack_end = stack_end.checked_mul(PAGE).and_then(|len| v_start.checked_add(len)).ok_or(TOO_LARGE)?;
        let mut v_end = stack_end.checked_next_multiple_of(END_ALIGN).ok_or(TOO_LARGE)?;
        if v_end.saturating_sub(stack_end) < END_GAP {
            v_end = v_end.checked_add(END_ALIGN).ok_or(TOO_LARGE)?;
        }
        if !is_guest_range(v_start, v_end) {
            return Err(ImageError::BadAddress { what: "base (note 3)", address: v_start });
        }
        let pages = v_end.saturating_sub(v_start) >> PAGE_SHIFT;
        let [l1, l2, l3] = table_counts(v_start, pages);
        let needed = l1.saturating_add(l2).saturating_add(l3).saturating_add(1);
        if needed <= tables {
            return Ok((tables, v_end));
        }
        tables = needed;
    }
}

/// Whether a guest kernel may have mappings all over the range.
fn is_guest_range(start: u64, end: u64) -> bool {
    start < end && (end <= LOWER_HALF_END || start >= HYPERVISOR_END)
}

/// Puts list and tables behind everything else, and checks the address the kernel wants the list at.
fn place_p2m(cursor: &mut Cursor, va: u64, pages: u64, initial: core::ops::Range<u64>) -> Result<P2mPlace, ImageError> {
    let bad = ImageError::BadAddress { what: "p2m list (note 15)", address: va };
    let end = va.checked_add(pages.saturating_mul(PAGE)).ok_or(bad)?;
    // Sharing an L4 slot with the kernel would mean sharing tables; no kernel asks for that.
    let slot = |va: u64| (va & WALK_MASK) >> 39;
    let last = |end: u64| slot(end.saturating_sub(1));
    let apart = last(end) < slot(initial.start) || slot(va) > last(initial.end);
    if !va.is_multiple_of(PAGE) || !is_guest_range(va, end) || !apart {
        return Err(bad);
    }
    let list = cursor.take(pages)?;
    let [l1, l2, l3] = table_counts(va, pages);
    let tables = cursor.take(l1.saturating_add(l2).saturating_add(l3))?;
    Ok(P2mPlace { va, list, tables })
}
