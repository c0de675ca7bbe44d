// SPDX-License-Identifier: MIT OR Apache-2.0
//! The boot order: from the loader to the first domain.

pub(crate) mod acpi;
pub(crate) mod acpi_fadt;
pub(crate) mod acpi_madt;
pub(crate) mod cmdline;
pub(crate) mod dom0_mem;
pub(crate) mod memory_map;
pub(crate) mod modules;
pub(crate) mod multiboot1;
pub(crate) mod multiboot2;
pub(crate) mod smp;
