// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Filling a guest's memory as the plan says, and the registers it starts with.

use std::os::unix::fs::FileExt;

use guest_image::start_info::{self, Links, Params};
use guest_image::{Plan, page_tables};
use hypercalls::vcpu::{ContextFlags, VcpuGuestContext};
use hypercalls::{DomId, Mfn, PAGE_SIZE, Port};
use xen_control::{Control, ControlError};
use zerocopy::{FromZeros, IntoBytes};

use super::memory::{GuestMemory, MemoryError};
use super::{Link, Prepared};
use crate::error::{BuildError, Result, Step};
use crate::kernel::{CHUNK, LoadError, Run, image_error, unreadable};
use crate::progress::{self, Callback, Progress};

/// Selectors every PV guest has in its GDT (`FLAT_RING3_CS64`, `FLAT_RING3_SS64`).
const FLAT_CS: u16 = 0xe033;
const FLAT_SS: u16 = 0xe02b;
/// Interrupts on, and the bit that is always set.
const FLAGS: u64 = 0x202;
/// vCPUs whose `vcpu_info` lies in the shared info page.
const SHARED_VCPUS: usize = 32;
/// Bytes of a `vcpu_info`, and where in it the upcall mask is.
const VCPU_INFO: usize = 64;
const UPCALL_MASK: usize = 1;
/// Bytes of tables and lists that are gathered before they are written.
const GATHERED: usize = 1 << 20;

/// An error of guest memory while loading.
fn failed(error: MemoryError) -> BuildError {
    match error {
        MemoryError::Control(error) => BuildError::control(Step::Load, &error),
        // Both belong to populating; neither is seen here.
        MemoryError::Short | MemoryError::Cancelled => BuildError::cancelled(Step::Load),
    }
}

impl Prepared {
    /// Writes everything; answers with the links to store and console.
    pub(super) fn load(
        &mut self,
        memory: &mut GuestMemory<'_>,
        (store, console): (Port, Port),
        domid: DomId,
        control: &Control,
        callback: &mut Callback<'_>,
    ) -> Result<(Link, Link)> {
        let kernel: u64 = self.kernel.runs().iter().map(|run| run.len as u64).sum();
        let total = kernel + self.ramdisk.as_ref().map_or(0, |ramdisk| ramdisk.len);
        self.load_kernel(memory, total, callback)?;
        self.load_ramdisk(memory, kernel, callback)?;
        self.write_p2m(memory)?;
        self.write_tables(memory)?;
        let plan = &self.plan;
        let Some(rings) = plan.rings else {
            return Err(image_error(Step::Load, guest_image::ImageError::TooLarge("a guest without rings")));
        };
        memory.clear(&[rings.xenstore, rings.console, plan.boot_stack]).map_err(failed)?;
        let store = Link { mfn: memory.mfn(rings.xenstore), port: store };
        let console = Link { mfn: memory.mfn(rings.console), port: console };
        let shared_info = mask_upcalls(control, domid)?;
        let params = Params {
            shared_info,
            cmd_line: self.config.cmdline.as_bytes(),
            links: Links::DomU {
                store_mfn: store.mfn,
                store_port: store.port,
                console_mfn: console.mfn,
                console_port: console.port,
            },
        };
        let mut page = [0; PAGE_SIZE];
        start_info::write(plan, &params, &mut page).map_err(|error| image_error(Step::Load, error))?;
        memory.write(plan.start_info.to_addr(), &page).map_err(failed)?;
        memory.unmap();
        Ok((store, console))
    }

    fn load_kernel(&mut self, memory: &mut GuestMemory<'_>, total: u64, callback: &mut Callback<'_>) -> Result<()> {
        loop {
            let parsed = self.kernel.parsed()?;
            let segments: Vec<(u64, u64)> =
                parsed.segments().iter().map(|segment| (segment.guest_phys, segment.mem_len)).collect();
            let runs = self.kernel.runs();
            for (start, len) in gaps(&segments, &runs) {
                memory.clear_bytes(start, len).map_err(failed)?;
            }
            let mut done = 0;
            let loaded = self.kernel.read_runs(&runs, |run, bytes| {
                let start = segments.get(run.segment).map_or(0, |segment| segment.0);
                memory.write(start.saturating_add(run.at), bytes).map_err(failed)?;
                done += bytes.len() as u64;
                progress::report(callback, || Step::Load, Progress::Loading { done, total })
            });
            match loaded {
                Ok(()) => return Ok(()),
                Err(LoadError::Write(error)) => return Err(error),
                Err(LoadError::Read(error)) => return Err(unreadable(self.kernel.step(), &error)),
                // A kernel unpacked anew is in memory, so this ends.
                Err(LoadError::Damaged) => self.kernel.unpack_again(self.cache.as_ref(), callback)?,
            }
        }
    }

    fn load_ramdisk(&self, memory: &mut GuestMemory<'_>, before: u64, callback: &mut Callback<'_>) -> Result<()> {
        let (Some(ramdisk), Some(place)) = (&self.ramdisk, self.plan.initrd) else { return Ok(()) };
        ramdisk.unchanged()?;
        let start = place.frames.start().to_addr();
        let mut buffer = Vec::new();
        let mut done = 0;
        while done < ramdisk.len {
            let len = (ramdisk.len - done).min(CHUNK as u64);
            buffer.resize(usize::try_from(len).unwrap_or(CHUNK), 0);
            ramdisk.file.read_exact_at(&mut buffer, done).map_err(|error| unreadable(ramdisk.step(), &error))?;
            memory.write(start + done, &buffer).map_err(failed)?;
            done += len;
            let now = Progress::Loading { done: before + done, total: before + ramdisk.len };
            progress::report(callback, || Step::Load, now)?;
        }
        Ok(())
    }

    /// The list of machine frames, one for each of the guest's; what is left of its last page says "none".
    fn write_p2m(&self, memory: &mut GuestMemory<'_>) -> Result<()> {
        let list = self.plan.p2m.list;
        let mut bytes = Vec::with_capacity(GATHERED);
        let mut at = list.start().to_addr();
        let frames: Vec<Mfn> = memory.frames().to_vec();
        for frames in frames.chunks(GATHERED / 8) {
            bytes.clear();
            frames.iter().for_each(|frame| bytes.extend(frame.raw().to_le_bytes()));
            bytes.resize(bytes.len().next_multiple_of(PAGE_SIZE), 0xff);
            memory.write(at, &bytes).map_err(failed)?;
            at += bytes.len() as u64;
        }
        Ok(())
    }

    /// The tables, gathered while their frames follow each other.
    fn write_tables(&self, memory: &mut GuestMemory<'_>) -> Result<()> {
        let mut tables = Vec::new();
        page_tables::for_each(
            &self.plan,
            |pfn| memory.mfn(pfn),
            |table| {
                tables.push((table.pfn, Box::new(*table.entries)));
                Ok::<(), BuildError>(())
            },
        )?;
        tables.sort_by_key(|(pfn, _)| *pfn);
        let mut bytes: Vec<u8> = Vec::with_capacity(GATHERED);
        let mut start = 0;
        for (pfn, entries) in &tables {
            let at = pfn.to_addr();
            if at != start + bytes.len() as u64 || bytes.len() >= GATHERED {
                memory.write(start, &bytes).map_err(failed)?;
                bytes.clear();
                start = at;
            }
            bytes.extend(entries.as_slice().as_bytes());
        }
        memory.write(start, &bytes).map_err(failed)
    }
}

/// What the runs leave of the segments (start and length in guest memory), which is to be zero.
fn gaps(segments: &[(u64, u64)], runs: &[Run]) -> Vec<(u64, u64)> {
    let mut gaps = Vec::new();
    for (number, &(start, len)) in segments.iter().enumerate() {
        let mut at = 0;
        // Runs are in the order of their places.
        for run in runs.iter().filter(|run| run.segment == number) {
            gaps.push((start.saturating_add(at), run.at.saturating_sub(at)));
            at = run.at.saturating_add(run.len as u64);
        }
        gaps.push((start.saturating_add(at), len.saturating_sub(at)));
    }
    gaps.retain(|&(_, len)| len > 0);
    gaps
}

/// Keeps events from vCPUs until the guest wants them; answers with the frame of the shared info page.
fn mask_upcalls(control: &Control, domid: DomId) -> Result<Mfn> {
    let failed = |error: ControlError| BuildError::control(Step::Load, &error);
    let info = control.domain_info(domid).map_err(failed)?;
    let gone = || BuildError::new(Step::Load, crate::Class::Refused, "the domain is gone", "somebody destroyed it");
    let shared_info = info.ok_or_else(gone)?.shared_info;
    let page = control.map(domid, &[shared_info], true).map_err(failed)?;
    for vcpu in 0..SHARED_VCPUS {
        // The rest of the page is zero, or the hypervisor's to fill in.
        page.write(vcpu * VCPU_INFO + UPCALL_MASK, &[1]).map_err(|error| {
            let error = error.into();
            failed(ControlError { operation: "write the shared info page", domain: Some(domid), detail: None, error })
        })?;
    }
    Ok(shared_info)
}

/// The state the ABI promises the first vCPU (arch-x86/xen.h, "start of day").
pub(super) fn first_context(plan: &Plan, root: Mfn) -> VcpuGuestContext {
    let mut context = VcpuGuestContext::new_zeroed();
    context.flags = ContextFlags::IN_KERNEL | ContextFlags::ONLINE;
    let regs = &mut context.user_regs;
    regs.rip = plan.entry;
    regs.rsi = plan.start_info_va();
    regs.rsp = plan.stack_top();
    regs.rflags = FLAGS;
    regs.cs = FLAT_CS;
    regs.ss = FLAT_SS;
    context.kernel_ss = FLAT_SS.into();
    context.kernel_sp = plan.stack_top();
    let [_, _, _, cr3, ..] = &mut context.ctrlreg;
    *cr3 = root.to_addr();
    context
}
