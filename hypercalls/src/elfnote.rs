// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! ELF notes by which a kernel describes itself to the domain builder (`elfnote.h`).

use crate::macros::open_enum;

/// The owner of the notes, without its NUL.
pub const NOTE_NAME: &[u8] = b"Xen";

open_enum! {
    /// The type of a note.
    pub struct ElfNote: u32 {
        /// Text: the older `KEY=VALUE` list.
        #[doc(alias = "XEN_ELFNOTE_INFO")]
        INFO = 0,
        /// Number: where to start.
        #[doc(alias = "XEN_ELFNOTE_ENTRY")]
        ENTRY = 1,
        /// Number: the page to be filled with hypercall stubs.
        #[doc(alias = "XEN_ELFNOTE_HYPERCALL_PAGE")]
        HYPERCALL_PAGE = 2,
        /// Number: virtual address of pseudo-physical 0.
        #[doc(alias = "XEN_ELFNOTE_VIRT_BASE")]
        VIRT_BASE = 3,
        /// Number: what to subtract from ELF physical addresses.
        #[doc(alias = "XEN_ELFNOTE_PADDR_OFFSET")]
        PADDR_OFFSET = 4,
        /// Text: `xen-3.0`.
        #[doc(alias = "XEN_ELFNOTE_XEN_VERSION")]
        XEN_VERSION = 5,
        /// Text.
        #[doc(alias = "XEN_ELFNOTE_GUEST_OS")]
        GUEST_OS = 6,
        /// Text.
        #[doc(alias = "XEN_ELFNOTE_GUEST_VERSION")]
        GUEST_VERSION = 7,
        /// Text.
        #[doc(alias = "XEN_ELFNOTE_LOADER")]
        LOADER = 8,
        /// Text, 32-bit kernels.
        #[doc(alias = "XEN_ELFNOTE_PAE_MODE")]
        PAE_MODE = 9,
        /// Text: features the kernel knows (`|`-separated, `!` for required).
        #[doc(alias = "XEN_ELFNOTE_FEATURES")]
        FEATURES = 10,
        /// Text: `yes` asks for the symbol table.
        #[doc(alias = "XEN_ELFNOTE_BSD_SYMTAB")]
        BSD_SYMTAB = 11,
        /// Number: the lowest address the hypervisor may use.
        #[doc(alias = "XEN_ELFNOTE_HV_START_LOW")]
        HV_START_LOW = 12,
        /// Two numbers: mask and value of present L1 entries.
        #[doc(alias = "XEN_ELFNOTE_L1_MFN_VALID")]
        L1_MFN_VALID = 13,
        /// Number: a cancelled suspend is understood.
        #[doc(alias = "XEN_ELFNOTE_SUSPEND_CANCEL")]
        SUSPEND_CANCEL = 14,
        /// Number: where to map the P2M list.
        #[doc(alias = "XEN_ELFNOTE_INIT_P2M")]
        INIT_P2M = 15,
        /// Number: the initrd need not be mapped.
        #[doc(alias = "XEN_ELFNOTE_MOD_START_PFN")]
        MOD_START_PFN = 16,
        /// Number: bits of [`crate::version::Features`].
        #[doc(alias = "XEN_ELFNOTE_SUPPORTED_FEATURES")]
        SUPPORTED_FEATURES = 17,
        /// Number: PVH entry.
        #[doc(alias = "XEN_ELFNOTE_PHYS32_ENTRY")]
        PHYS32_ENTRY = 18,
        /// In crash dumps.
        #[doc(alias = "XEN_ELFNOTE_CRASH_INFO")]
        CRASH_INFO = 0x1000001,
        /// In crash dumps.
        #[doc(alias = "XEN_ELFNOTE_CRASH_REGS")]
        CRASH_REGS = 0x1000002,
        /// In core files.
        #[doc(alias = "XEN_ELFNOTE_DUMPCORE_NONE")]
        DUMPCORE_NONE = 0x2000000,
        /// In core files.
        #[doc(alias = "XEN_ELFNOTE_DUMPCORE_HEADER")]
        DUMPCORE_HEADER = 0x2000001,
        /// In core files.
        #[doc(alias = "XEN_ELFNOTE_DUMPCORE_XEN_VERSION")]
        DUMPCORE_XEN_VERSION = 0x2000002,
        /// In core files.
        #[doc(alias = "XEN_ELFNOTE_DUMPCORE_FORMAT_VERSION")]
        DUMPCORE_FORMAT_VERSION = 0x2000003,
    }
}
