// SPDX-License-Identifier: MIT OR Apache-2.0
//! Builds the first domain from the loader's modules: carries out `guest-image`'s plan.
#![forbid(unsafe_code)]

use alloc::string::{String, ToString};

use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::Ordering;

use guest_image::start_info::{Links, Params};
use guest_image::{ImageError, Kernel, PfnRange, Plan, Request, Role, page_tables, start_info};
use hypercalls::domctl::CreateFlags;
use hypercalls::frame::{Mfn, Pfn};
use hypercalls::ids::{DomId, VcpuId};
use hypercalls::start_info::VgaConsoleInfo;
use hypercalls::vm_assist::VmAssistType;

use crate::boot::cmdline::{self, Options};
use crate::boot::dom0_mem::TooLittle;
use crate::boot::file::File;
use crate::boot::modules::{BootInfo, Module};
use crate::budget::Budget;
use crate::domain::memory::set_m2p;
use crate::domain::pools::POOL0;
use crate::domain::{Domain, DomainRef, creation};
use crate::mm::host_pt::OutOfFrames;
use crate::mm::page_type::Level;
use crate::mm::{frame_table, map};
use crate::pv::hypercall_page;
use crate::time;
use crate::x86::gdt::{FLAT_RING3_CS64, FLAT_RING3_SS64};

/// Virtual memory of the builder: what it works on besides the plan.
const PAGE: usize = 4096;

/// Why dom0 cannot be built.
#[derive(Debug)]
pub(crate) enum BuildError {
    /// The loader gave no module.
    NoKernel,
    /// The loader put a module where it cannot be read, a machine address.
    OutOfReach(u64),
    /// The kernel is unusable, or does not fit.
    Image(ImageError),
    /// `dom0_mem=min:` asks for more than there is.
    Minimum(TooLittle),
    /// The machine has too little memory for this, in pages: needed, free.
    NoMemory {
        /// For what.
        what: &'static str,
    },
    /// The tables the plan describes were refused by our own rules.
    Tables(String),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKernel => f.write_str(
                "the boot loader passed no module, so there is no dom0 kernel; add `module2 /boot/vmlinuz-VERSION OPTIONS` \
                 (and `module2 /boot/initrd.img-VERSION`) after the `multiboot2` line of the GRUB menu entry",
            ),
            Self::Image(error) => write!(f, "the dom0 kernel (first module) cannot be used: {error}"),
            Self::OutOfReach(address) => write!(
                f,
                "the boot loader put a module at {address:#x}, out of reach above 4 GiB: use another boot loader, such as GRUB 2",
            ),
            Self::Minimum(TooLittle { min, available }) => write!(
                f,
                "dom0_mem=min: asks for {} MiB, but there are {} MiB: lower it, or give the machine more memory",
                min >> 8,
                available >> 8
            ),
            Self::NoMemory { what } => write!(
                f,
                "not enough memory for {what}: give the machine more, or lower dom0_mem= on the hypervisor's command line",
            ),
            Self::Tables(what) => write!(f, "dom0's first page tables were refused ({what}); this is a bug in Xenolith"),
        }
    }
}

impl From<ImageError> for BuildError {
    fn from(error: ImageError) -> Self {
        Self::Image(error)
    }
}

impl From<OutOfFrames> for BuildError {
    fn from(_: OutOfFrames) -> Self {
        Self::NoMemory { what: "unpacking dom0's kernel" }
    }
}

/// What dom0 is made from.
pub(crate) struct Source {
    /// First module.
    pub(crate) kernel: File,
    /// Its command line.
    pub(crate) cmdline: String,
    /// Second module.
    pub(crate) initrd: Option<File>,
    /// The video console's description, `dom0_vga_console_info`.
    pub(crate) vga: Option<VgaConsoleInfo>,
}

impl Source {
    /// How many modules it is made of, at most.
    pub(crate) const MODULES: usize = 2;

    /// From what the loader handed over: the kernel first, then the initial RAM disk.
    pub(crate) fn new(info: &BootInfo, vga: Option<VgaConsoleInfo>) -> Result<Self, BuildError> {
        let kernel = info.modules.first().ok_or(BuildError::NoKernel)?;
        let initrd = info.modules.get(1).map(File::loaded).transpose()?;
        Ok(Self { kernel: File::loaded(kernel)?, cmdline: kernel_cmdline(info, kernel), initrd, vga })
    }
}

/// The module's words, then those after `--` in the hypervisor's own command line.
fn kernel_cmdline(info: &BootInfo, kernel: &Module) -> String {
    let loader = info.loader.as_deref();
    let own = cmdline::strip_image_path(&kernel.cmdline, loader);
    match cmdline::split_dom0(&info.cmdline).1 {
        Some(extra) if !extra.is_empty() => alloc::format!("{own} {extra}"),
        _ => own.to_string(),
    }
}

/// dom0's frames by guest frame number.
struct Frames(Vec<Mfn>);

impl Frames {
    /// In the place of a frame that is to be allocated.
    const MISSING: Mfn = Mfn::new(!0);
    /// In the place of a frame that a file will give: it has the right contents.
    const OF_A_FILE: Mfn = Mfn::new(!1);

    fn mfn(&self, pfn: Pfn) -> Mfn {
        self.0[pfn.raw() as usize]
    }

    fn expect(&mut self, pfns: impl Iterator<Item = Pfn>) {
        pfns.for_each(|pfn| self.0[pfn.raw() as usize] = Self::OF_A_FILE);
    }

    /// Takes a frame in.
    fn accept(&mut self, domain: &Domain, pfn: Pfn, mfn: Mfn) {
        let _alive = domain.assign_pages(mfn, 0);
        self.0[pfn.raw() as usize] = mfn;
    }
}

/// Builds the domain and its vCPUs; vCPU 0 is ready to run once the domain is unpaused.
pub(crate) fn build(source: Source, options: &Options, cpus: u32) -> Result<DomainRef, BuildError> {
    let Source { kernel, initrd, cmdline, vga } = source;
    let started = time::system::now_ns();
    let file = kernel.unpack()?;
    let unpacked = time::system::now_ns();
    let kernel = Kernel::parse(file.bytes())?;
    let initrd_moves = initrd.as_ref().is_some_and(File::fills_frames);
    let moving = initrd.as_ref().filter(|_| initrd_moves).map_or(0, File::frame_count);
    let free = frame_table::free_frames() + file.frame_count() + moving;
    let pages = options.dom0_mem.resolve(free).map_err(BuildError::Minimum)?;
    if let Some(asked) = pages.short_of {
        log::warn!(
            "dom0_mem= asks for {} MiB, but only {} MiB are free: dom0 gets {} MiB; ask for less or give the machine more",
            asked >> 8,
            free >> 8,
            pages.initial >> 8
        );
    }
    let initrd_len = initrd.as_ref().map_or(0, |file| file.bytes().len()) as u64;
    let plan = Plan::new(&kernel, &Request { role: Role::Dom0, nr_pages: pages.initial, initrd_len })?;
    let domain = new_domain(options, cpus)?;
    if kernel.notes().extended_cr3 {
        domain.vm_assist.fetch_or(1 << VmAssistType::PAE_EXTENDED_CR3.raw(), Ordering::Relaxed);
    }
    if let Some(max) = pages.max {
        domain.memory.lock().max_pages = max.max(pages.initial);
    }

    // What stands in the files as it shall stand in dom0 moves; what is left of the kernel's file becomes dom0's last pages.
    let kernel_pages: Vec<(Pfn, u64)> = kernel.pages_in_file().collect();
    let initrd_pages = plan.initrd.filter(|_| initrd_moves).map_or(PfnRange::new(Pfn::new(0), 0), |place| place.frames);
    let left = (file.frame_count() - kernel_pages.len() as u64).min(plan.nr_pages - plan.used_pages);
    let last_pages = PfnRange::new(Pfn::new(plan.nr_pages - left), left);
    let mut frames = Frames(alloc::vec![Frames::MISSING; plan.nr_pages as usize]);
    frames.expect(kernel_pages.iter().map(|(pfn, _)| *pfn));
    frames.expect(initrd_pages.iter().chain(last_pages.iter()));
    allocate(&domain, &mut frames)?;
    for segment in kernel.segments() {
        copy_in(&frames, segment.guest_phys, segment.data);
    }
    if let (Some(place), Some(initrd)) = (plan.initrd, &initrd) {
        copy_in(&frames, place.frames.start().to_addr(), initrd.bytes());
    }
    let mut of_kernel: Vec<Option<Mfn>> = file.into_frames().into_iter().map(Some).collect();
    for (pfn, page) in kernel_pages {
        if let Some(mfn) = of_kernel[page as usize].take() {
            frames.accept(&domain, pfn, mfn);
        }
    }
    give(&domain, &mut frames, last_pages, of_kernel.into_iter().flatten());
    give(&domain, &mut frames, initrd_pages, initrd.into_iter().flat_map(File::into_frames));

    for (pfn, mfn) in frames.0.iter().enumerate() {
        set_m2p(*mfn, Pfn::new(pfn as u64));
    }
    if let Some(page) = plan.hypercall_page {
        map::write(frames.mfn(page), 0, &hypercall_page::contents());
    }
    write_p2m(&plan, &frames);
    write_start_info(&plan, &cmdline, vga, &domain, &frames)?;
    write_tables(&plan, &frames)?;
    prepare_boot_vcpu(&plan, &domain, &frames)?;
    log::info!(
        "dom0: {} vCPUs, {} MiB; kernel unpacked in {} ms, domain built in {} ms",
        domain.max_vcpus,
        plan.nr_pages >> 8,
        (unpacked - started) / 1_000_000,
        (time::system::now_ns() - unpacked) / 1_000_000
    );
    Ok(domain)
}

/// Gives frames to dom0, in their order, and the rest to the allocator.
fn give(domain: &Domain, frames: &mut Frames, places: PfnRange, given: impl Iterator<Item = Mfn>) {
    let mut places = places.iter();
    for mfn in given {
        match places.next() {
            Some(pfn) => frames.accept(domain, pfn, mfn),
            None => frame_table::free(mfn, 0),
        }
    }
}

fn new_domain(options: &Options, cpus: u32) -> Result<DomainRef, BuildError> {
    let max_vcpus = options.dom0_max_vcpus.vcpus(cpus).clamp(1, crate::config::MAX_VCPUS);
    let domain = creation::new_domain(&creation::Request {
        id: DomId::DOM0,
        handle: [0; 16],
        is_control: true,
        flags: CreateFlags::empty(),
        max_vcpus,
        max_event_port: u32::MAX,
        grant_limits: grant_tables::Limits::default(),
        pool: POOL0,
    });
    let no_memory = BuildError::NoMemory { what: "dom0's vCPUs" };
    let Ok(domain) = domain else { return Err(no_memory) };
    match creation::add_vcpus(&domain, &mut Budget::unlimited()) {
        Ok(Ok(())) => Ok(domain),
        _ => Err(no_memory),
    }
}

/// Takes dom0's missing pages, in blocks as large as there are.
fn allocate(domain: &Domain, frames: &mut Frames) -> Result<(), BuildError> {
    let mut left = frames.0.iter().filter(|mfn| **mfn == Frames::MISSING).count() as u64;
    let mut missing = frames.0.iter_mut().filter(|mfn| **mfn == Frames::MISSING);
    let mut order = 9;
    while left > 0 {
        while 1 << order > left {
            order -= 1;
        }
        // Not cleared: no guest has run yet, so there is nobody's secret in it.
        match frame_table::alloc(order, None) {
            Some(first) => {
                let _alive = domain.assign_pages(first, order);
                for (page, place) in (0..1 << order).zip(missing.by_ref()) {
                    *place = Mfn::new(first.raw() + page);
                }
                left -= 1 << order;
            }
            None if order > 0 => order -= 1,
            None => return Err(BuildError::NoMemory { what: "dom0" }),
        }
    }
    Ok(())
}

/// Copies bytes to consecutive guest frames from a guest-physical address on, but for those that come with their contents.
fn copy_in(frames: &Frames, guest_phys: u64, data: &[u8]) {
    let mut at = guest_phys as usize;
    let mut rest = data;
    while !rest.is_empty() {
        let offset = at % PAGE;
        let (now, later) = rest.split_at(rest.len().min(PAGE - offset));
        let mfn = frames.0[at / PAGE];
        if mfn != Frames::OF_A_FILE {
            map::write(mfn, offset, now);
        }
        at += now.len();
        rest = later;
    }
}

fn write_p2m(plan: &Plan, frames: &Frames) {
    for (index, page) in plan.p2m.list.iter().enumerate() {
        let mfn = frames.mfn(page);
        for slot in 0..512 {
            let pfn = index * 512 + slot;
            map::store(mfn, slot, frames.0.get(pfn).map_or(!0, |mfn| mfn.raw()));
        }
    }
}

fn write_start_info(
    plan: &Plan,
    cmdline: &str,
    vga: Option<VgaConsoleInfo>,
    domain: &Domain,
    frames: &Frames,
) -> Result<(), BuildError> {
    let mut page = [0_u8; PAGE];
    let params = Params { shared_info: domain.shared_info, cmd_line: cmdline.as_bytes(), links: Links::Dom0 { vga } };
    start_info::write(plan, &params, &mut page)?;
    map::write(frames.mfn(plan.start_info), 0, &page);
    Ok(())
}

fn write_tables(plan: &Plan, frames: &Frames) -> Result<(), BuildError> {
    page_tables::for_each(
        plan,
        |pfn| frames.mfn(pfn),
        |table| {
            for (index, entry) in table.entries.iter().enumerate() {
                map::store(frames.mfn(table.pfn), index, *entry);
            }
            Ok::<(), ImageError>(())
        },
    )?;
    Ok(())
}

/// vCPU 0 as the ABI wants it at the kernel's entry (abi: arch-x86/xen.h, "start of day").
fn prepare_boot_vcpu(plan: &Plan, domain: &DomainRef, frames: &Frames) -> Result<(), BuildError> {
    let refused = |what: &str| BuildError::Tables(what.to_string());
    let root = frames.mfn(plan.root_table());
    {
        let mmu = domain.lock_mmu();
        let mut budget = Budget::unlimited();
        mmu.pin(root, Level::L4, &mut budget).map_err(|error| BuildError::Tables(alloc::format!("pin: {error:?}")))?;
        mmu.get_table(root, Level::L4, &mut budget).map_err(|error| BuildError::Tables(alloc::format!("{error:?}")))?;
    }
    let vcpu = domain.vcpu(VcpuId::new(0)).ok_or_else(|| refused("no vCPU 0"))?;
    let mut state = vcpu.state.try_own().ok_or_else(|| refused("vCPU 0 is running"))?;
    state.kernel_root = Some(root);
    let regs = &mut state.entry.regs;
    regs.rip = plan.entry;
    regs.rsi = plan.start_info_va();
    regs.rsp = plan.stack_top();
    regs.cs = FLAT_RING3_CS64.into();
    regs.ss = FLAT_RING3_SS64.into();
    regs.rflags = 0x202;
    vcpu.initialised.store(true, core::sync::atomic::Ordering::Release);
    vcpu.pause_flags.fetch_and(!crate::domain::vcpu::pause::DOWN, core::sync::atomic::Ordering::AcqRel);
    Ok(())
}

/// Buffers for tests of this file's pieces need no machine.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_to_do() {
        assert!(BuildError::NoKernel.to_string().contains("module2"));
        assert!(BuildError::NoMemory { what: "dom0" }.to_string().contains("dom0_mem="));
        let too_little = TooLittle { min: 1 << 19, available: 1 << 18 };
        assert!(BuildError::Minimum(too_little).to_string().contains("2048 MiB, but there are 1024 MiB"));
    }

    #[test]
    fn the_kernels_words() {
        let kernel = Module { start: 0, end: 0, cmdline: "placeholder root=/dev/sda1 ro".into() };
        let mut info = BootInfo { loader: Some("GRUB 2.06".into()), ..BootInfo::default() };
        assert_eq!(kernel_cmdline(&info, &kernel), "placeholder root=/dev/sda1 ro");
        info.loader = Some("qemu".into());
        info.cmdline = "xenolith com1=115200 -- quiet".into();
        assert_eq!(kernel_cmdline(&info, &kernel), "root=/dev/sda1 ro quiet");
    }
}
