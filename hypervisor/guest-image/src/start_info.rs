// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The page the boot vCPU finds in `rsi`: `start_info`, and behind it for dom0 the video mode.

use hypercalls::start_info::{
    ConsoleDom0, ConsoleDomU, MAGIC_DOM0, MAGIC_DOMU, MAX_GUEST_CMDLINE, StartInfo, StartInfoFlags, VgaConsoleInfo,
};
use hypercalls::{Mfn, PAGE_SIZE, Pfn, Port};
use zerocopy::IntoBytes;

use crate::error::ImageError;
use crate::plan::Plan;

/// What the guest is told and the plan does not know.
#[derive(Clone, Copy, Debug)]
pub struct Params<'a> {
    /// The machine frame of the shared-info page.
    pub shared_info: Mfn,
    /// The kernel command line, without NUL, at most 1023 bytes.
    pub cmd_line: &'a [u8],
    /// How the domain talks to the outside; must fit the plan's role.
    pub links: Links,
}

/// The outside as seen by one kind of domain.
#[derive(Clone, Copy, Debug)]
pub enum Links {
    /// A domain with the real console.
    Dom0 {
        /// The video mode, if there is a screen.
        vga: Option<VgaConsoleInfo>,
    },
    /// A domain with two rings.
    DomU {
        /// The machine frame of the plan's xenstore page.
        store_mfn: Mfn,
        /// The guest's port for it.
        store_port: Port,
        /// The machine frame of the plan's console page.
        console_mfn: Mfn,
        /// The guest's port for it.
        console_port: Port,
    },
}

/// Fills the whole page that goes into frame [`Plan::start_info`].
///
/// # Errors
/// A command line that is too long or holds a zero byte.
pub fn write(plan: &Plan, params: &Params<'_>, page: &mut [u8; PAGE_SIZE]) -> Result<(), ImageError> {
    let mut info = StartInfo {
        magic: [0; 32],
        nr_pages: plan.nr_pages,
        shared_info: params.shared_info.to_addr(),
        flags: StartInfoFlags::empty(),
        _pad: [0; 4],
        store_mfn: Mfn::new(0),
        store_evtchn: Port::new(0),
        _pad1: [0; 4],
        console: [0; 16],
        pt_base: plan.va_of(plan.root_table()),
        nr_pt_frames: plan.page_tables.count(),
        mfn_list: plan.p2m.va,
        mod_start: 0,
        mod_len: 0,
        cmd_line: [0; MAX_GUEST_CMDLINE],
        first_p2m_pfn: Pfn::new(0),
        nr_p2m_frames: 0,
    };
    put_cmd_line(&mut info, params.cmd_line)?;
    if let Some(initrd) = plan.initrd {
        info.mod_len = initrd.len;
        info.mod_start = plan.va_of(initrd.frames.start());
        if initrd.by_pfn {
            info.mod_start = initrd.frames.start().raw();
            info.flags |= StartInfoFlags::MOD_START_PFN;
        }
    }
    // Inside the initial mapping the list is part of the kernel's own range, and both fields stay 0.
    if plan.p2m.tables.count() > 0 {
        info.first_p2m_pfn = plan.p2m.list.start();
        info.nr_p2m_frames = plan.p2m.list.count().saturating_add(plan.p2m.tables.count());
    }
    let mut behind = None;
    match params.links {
        Links::Dom0 { vga } => {
            copy(MAGIC_DOM0, &mut info.magic);
            info.flags |= StartInfoFlags::PRIVILEGED | StartInfoFlags::INITDOMAIN;
            let console = ConsoleDom0 {
                info_off: size_of_u32::<StartInfo>(),
                info_size: if vga.is_some() { size_of_u32::<VgaConsoleInfo>() } else { 0 },
            };
            copy(console.as_bytes(), &mut info.console);
            behind = vga;
        }
        Links::DomU { store_mfn, store_port, console_mfn, console_port } => {
            copy(MAGIC_DOMU, &mut info.magic);
            info.store_mfn = store_mfn;
            info.store_evtchn = store_port;
            let console = ConsoleDomU { mfn: console_mfn, evtchn: console_port, _pad: [0; 4] };
            copy(console.as_bytes(), &mut info.console);
        }
    }
    page.fill(0);
    copy(info.as_bytes(), page);
    if let (Some(vga), Some(rest)) = (behind, page.get_mut(size_of::<StartInfo>()..)) {
        copy(vga.as_bytes(), rest);
    }
    Ok(())
}

fn put_cmd_line(info: &mut StartInfo, cmd_line: &[u8]) -> Result<(), ImageError> {
    if cmd_line.len() >= MAX_GUEST_CMDLINE {
        return Err(ImageError::CommandLineTooLong(cmd_line.len()));
    }
    if cmd_line.contains(&0) {
        return Err(ImageError::CommandLineHasNul);
    }
    copy(cmd_line, &mut info.cmd_line);
    Ok(())
}

/// Copies to the start of `to`, which is longer in all uses here.
fn copy(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

#[expect(clippy::cast_possible_truncation, reason = "ABI structs are smaller than a page")]
const fn size_of_u32<T>() -> u32 {
    size_of::<T>() as u32
}

const _: () = assert!(size_of::<StartInfo>() + size_of::<VgaConsoleInfo>() <= PAGE_SIZE, "both in one page");
