// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Every way an image is refused. The texts go to the console as they are: what is wrong, and what to do about it.

use core::fmt;

use crate::unpack::Format;

/// Why an image cannot become a PV guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageError {
    /// Neither an ELF file, nor a bzImage, nor a gzip file.
    NotAKernel,
    /// The file ends inside the named part.
    Truncated(&'static str),
    /// A bzImage of a boot protocol (argument) that cannot say where its payload is.
    BootProtocolTooOld(u16),
    /// A bzImage whose payload starts with no known magic number (its first four bytes).
    UnknownCompression([u8; 4]),
    /// A compression that Linux knows and we do not.
    UnsupportedCompression(&'static str),
    /// The compressed payload does not unpack.
    DamagedPayload(Format),
    /// The payload unpacked to another length than it announces.
    WrongLength {
        /// Bytes announced.
        announced: usize,
        /// Bytes found.
        found: usize,
    },
    /// The payload announces a length no kernel has, in bytes.
    AbsurdLength(u64),
    /// The caller's buffer is not of the length `kernel_elf_len` gave, in bytes.
    BufferLength {
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
    /// What is inside is no ELF file.
    NotElf,
    /// An ELF file for another machine, or not a 64-bit little-endian one.
    NotX86_64,
    /// The named part of the ELF file contradicts the rest.
    BadElf(&'static str),
    /// No Xen note: not a paravirtualized kernel.
    NoXenNotes,
    /// Only a `__xen_guest` section, the way of describing a kernel before Linux 2.6.23.
    LegacyGuestSection,
    /// The Xen note of that type (`XEN_ELFNOTE_*`) has a size or text that makes no sense.
    BadNote(u32),
    /// Xen notes without an entry point: a kernel for PVH alone.
    NoPvEntry,
    /// Note 5 (`XEN_ELFNOTE_XEN_VERSION`) is absent or names another ABI than xen-3.0.
    NotXen3,
    /// Note 17 (`XEN_ELFNOTE_SUPPORTED_FEATURES`) has no bit 11 (`XENFEAT_dom0`).
    NoDom0Support,
    /// The named address is not where the kernel may have it.
    BadAddress {
        /// Which one.
        what: &'static str,
        /// The virtual address.
        address: u64,
    },
    /// The guest has too few pages for what must be in it before it runs.
    NotEnoughMemory {
        /// Pages of 4 KiB needed.
        needed_pages: u64,
        /// Pages of 4 KiB given.
        given_pages: u64,
        /// Thereof for the initial RAM disk.
        initrd_pages: u64,
    },
    /// Numbers so large that the address space cannot hold the plan.
    TooLarge(&'static str),
    /// The command line is longer than `start_info` holds (1023 bytes); its length.
    CommandLineTooLong(usize),
    /// The command line holds a zero byte, behind which the guest would see nothing.
    CommandLineHasNul,
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotAKernel => f.write_str(
                "the module is no kernel (neither bzImage nor ELF): give a Linux vmlinuz as the first module",
            ),
            Self::Truncated(part) => write!(f, "the kernel image ends inside its {part}: copy the file again"),
            Self::BootProtocolTooOld(version) => write!(
                f,
                "the bzImage speaks boot protocol {}.{:02}, before 2.08, which cannot name its payload: use a newer kernel",
                version >> 8,
                version & 0xff
            ),
            Self::UnknownCompression(m) => write!(
                f,
                "the kernel payload starts with {:02x} {:02x} {:02x} {:02x}, no known compression: the file is damaged or \
                 encrypted, copy it again",
                m[0], m[1], m[2], m[3]
            ),
            Self::UnsupportedCompression(name) => write!(
                f,
                "the kernel is compressed with {name}: use one built with gzip, xz, zstd, lz4 or lzma, or unpack it to ELF"
            ),
            Self::DamagedPayload(format) => {
                write!(f, "the kernel's {format} payload is damaged and does not unpack: copy the file again")
            }
            Self::WrongLength { announced, found } => write!(
                f,
                "the kernel unpacked to {found} bytes but announces {announced}: the payload is damaged, copy the file again"
            ),
            Self::AbsurdLength(len) => write!(
                f,
                "the kernel announces an unpacked length of {len} bytes, which no kernel has: the file is damaged, copy it again"
            ),
            Self::BufferLength { needed, given } => {
                write!(
                    f,
                    "the buffer to unpack into has {given} bytes, the kernel needs {needed}: a bug in the builder"
                )
            }
            _ => self.fmt_contents(f),
        }
    }
}

impl ImageError {
    /// The texts about what is inside the image, and about the guest it shall become.
    fn fmt_contents(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotElf => f.write_str("the kernel's payload is no ELF file: use a 64-bit x86 Linux kernel"),
            Self::NotX86_64 => f.write_str("the kernel is not for x86-64: use an amd64 kernel"),
            Self::BadElf(what) => {
                write!(f, "the kernel's ELF file is damaged ({what} is out of bounds): copy the file again")
            }
            Self::NoXenNotes => f.write_str(
                "the kernel has no Xen ELF notes, so it cannot run paravirtualized: use one with CONFIG_XEN_PV=y",
            ),
            Self::LegacyGuestSection => f.write_str(
                "the kernel has only a __xen_guest section, from before Linux 2.6.23: use a newer kernel",
            ),
            Self::BadNote(kind) => {
                write!(f, "the kernel's Xen ELF note {kind} makes no sense: the file is damaged, copy it again")
            }
            Self::NoPvEntry => f.write_str(
                "the kernel has Xen notes but no PV entry (note 1), so it is for PVH or HVM: use one with CONFIG_XEN_PV=y",
            ),
            Self::NotXen3 => f.write_str(
                "the kernel does not speak the xen-3.0 ABI (note 5): use a 64-bit Linux kernel with CONFIG_XEN_PV=y",
            ),
            Self::NoDom0Support => f.write_str(
                "the kernel cannot be the control domain (note 17 lacks dom0): use one with CONFIG_XEN_PV_DOM0=y",
            ),
            Self::BadAddress { what, address } => {
                write!(f, "the kernel wants its {what} at {address:#x}, where it cannot be: use another kernel")
            }
            Self::NotEnoughMemory { needed_pages, given_pages, initrd_pages } => write!(
                f,
                "kernel and tables need {} KiB with an initial RAM disk of {} KiB, but the domain has {} KiB: give it more \
                 memory (dom0_mem=) or a smaller RAM disk",
                needed_pages.saturating_mul(4),
                initrd_pages.saturating_mul(4),
                given_pages.saturating_mul(4)
            ),
            Self::TooLarge(what) => {
                write!(f, "{what} does not fit into the guest's address space: give the domain less memory")
            }
            Self::CommandLineTooLong(len) => {
                write!(f, "the kernel command line has {len} bytes, more than 1023: shorten it")
            }
            Self::CommandLineHasNul => f.write_str("the kernel command line holds a zero byte: remove it"),
            // `Display` handles the rest; Debug names any that both would forget.
            ref other => write!(f, "{other:?}"),
        }
    }
}

impl core::error::Error for ImageError {}
