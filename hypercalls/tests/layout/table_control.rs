// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What the control domain uses.

use crate::Facts;
use crate::macros::{c_name, table};

pub(crate) fn add(facts: &mut Facts) {
    mca(facts);
    physdev(facts);
    platform(facts);
    pmu(facts);
}

fn mca(facts: &mut Facts) {
    table!(facts, hypercalls::mca, {
        consts { MCA_INTERFACE_VERSION = "XEN_MCA_INTERFACE_VERSION", MC_NODATA = "XEN_MC_NODATA" }
        enum McaCmd { FETCH = "XEN_MC_fetch", NOTIFYDOMAIN = "XEN_MC_notifydomain",
            PHYSCPUINFO = "XEN_MC_physcpuinfo", MSRINJECT = "XEN_MC_msrinject", MCEINJECT = "XEN_MC_mceinject",
            INJECT_V2 = "XEN_MC_inject_v2" }
        struct Mc = "struct xen_mc" { cmd, interface_version, u }
        struct McFetch = "struct xen_mc_fetch" { flags, _pad0, fetch_id, data }
        struct McPhyscpuinfo = "struct xen_mc_physcpuinfo" { ncpus, _pad0, info }
        struct McMsr = "struct mcinfo_msr" { reg, value }
        struct McLogicalCpu = "struct mcinfo_logical_cpu" { mc_cpunr, mc_chipid, mc_coreid, mc_threadid, mc_apicid,
            mc_clusterid, mc_ncores, mc_ncores_active, mc_nthreads, mc_cpuid_level, mc_family, mc_vendor, mc_model,
            mc_step, mc_vendorid, mc_brandid, mc_cpu_caps, mc_cache_size, mc_cache_alignment, mc_nmsrvals,
            mc_msrvalues }
    });
}

fn physdev(facts: &mut Facts) {
    table!(facts, hypercalls::physdev, {
        enum PhysdevOp { IRQ_UNMASK_NOTIFY = "PHYSDEVOP_IRQ_UNMASK_NOTIFY",
            IRQ_STATUS_QUERY = "PHYSDEVOP_irq_status_query", SET_IOPL = "PHYSDEVOP_set_iopl",
            SET_IOBITMAP = "PHYSDEVOP_set_iobitmap", APIC_READ = "PHYSDEVOP_apic_read",
            APIC_WRITE = "PHYSDEVOP_apic_write", ALLOC_IRQ_VECTOR = "PHYSDEVOP_alloc_irq_vector",
            FREE_IRQ_VECTOR = "PHYSDEVOP_free_irq_vector", EOI = "PHYSDEVOP_eoi", MAP_PIRQ = "PHYSDEVOP_map_pirq",
            UNMAP_PIRQ = "PHYSDEVOP_unmap_pirq", MANAGE_PCI_ADD = "PHYSDEVOP_manage_pci_add",
            MANAGE_PCI_REMOVE = "PHYSDEVOP_manage_pci_remove", PIRQ_EOI_GMFN_V1 = "PHYSDEVOP_pirq_eoi_gmfn_v1",
            RESTORE_MSI = "PHYSDEVOP_restore_msi", MANAGE_PCI_ADD_EXT = "PHYSDEVOP_manage_pci_add_ext",
            SETUP_GSI = "PHYSDEVOP_setup_gsi", GET_FREE_PIRQ = "PHYSDEVOP_get_free_pirq",
            PCI_MMCFG_RESERVED = "PHYSDEVOP_pci_mmcfg_reserved", PCI_DEVICE_ADD = "PHYSDEVOP_pci_device_add",
            PCI_DEVICE_REMOVE = "PHYSDEVOP_pci_device_remove", RESTORE_MSI_EXT = "PHYSDEVOP_restore_msi_ext",
            PIRQ_EOI_GMFN_V2 = "PHYSDEVOP_pirq_eoi_gmfn_v2", DBGP_OP = "PHYSDEVOP_dbgp_op",
            PREPARE_MSIX = "PHYSDEVOP_prepare_msix", RELEASE_MSIX = "PHYSDEVOP_release_msix" }
        struct PhysdevEoi = "struct physdev_eoi" { irq }
        struct PhysdevPirqEoiGmfn = "struct physdev_pirq_eoi_gmfn" { gmfn }
        flags IrqStatus { NEEDS_EOI = "XENIRQSTAT_needs_eoi", SHARED = "XENIRQSTAT_shared" }
        struct PhysdevIrqStatusQuery = "struct physdev_irq_status_query" { irq, flags }
        struct PhysdevSetIopl = "struct physdev_set_iopl" { iopl }
        struct PhysdevSetIobitmap = "struct physdev_set_iobitmap" { bitmap, nr_ports }
        struct PhysdevApic = "struct physdev_apic" { apic_physbase, reg, value }
        struct PhysdevIrq = "struct physdev_irq" { irq, vector }
        enum MapPirqType { MSI = "MAP_PIRQ_TYPE_MSI", GSI = "MAP_PIRQ_TYPE_GSI", UNKNOWN = "MAP_PIRQ_TYPE_UNKNOWN",
            MSI_SEG = "MAP_PIRQ_TYPE_MSI_SEG", MULTI_MSI = "MAP_PIRQ_TYPE_MULTI_MSI" }
        struct PhysdevMapPirq = "struct physdev_map_pirq" { domid, map_type = "type", index, pirq, bus, devfn,
            entry_nr, table_base }
        struct PhysdevUnmapPirq = "struct physdev_unmap_pirq" { domid, pirq }
        struct PhysdevManagePci = "struct physdev_manage_pci" { bus, devfn }
        struct PhysdevManagePciExt = "struct physdev_manage_pci_ext" { bus, devfn, is_extfn, is_virtfn, physfn }
        struct PhysdevOpCompat = "struct physdev_op" { cmd, u }
        struct PhysdevSetupGsi = "struct physdev_setup_gsi" { gsi, triggering, polarity }
        struct PhysdevGetFreePirq = "struct physdev_get_free_pirq" { map_type = "type", pirq }
        flags MmcfgFlags { RESERVED = "XEN_PCI_MMCFG_RESERVED" }
        struct PhysdevPciMmcfgReserved = "struct physdev_pci_mmcfg_reserved" { address, segment, start_bus, end_bus,
            flags }
        flags PciDeviceFlags { EXTFN = "XEN_PCI_DEV_EXTFN", VIRTFN = "XEN_PCI_DEV_VIRTFN", PXM = "XEN_PCI_DEV_PXM" }
        struct PhysdevPciDeviceAdd = "struct physdev_pci_device_add" { seg, bus, devfn, flags, physfn }
        struct PhysdevPciDevice = "struct physdev_pci_device" { seg, bus, devfn }
        enum DbgpOp { RESET_PREPARE = "PHYSDEVOP_DBGP_RESET_PREPARE", RESET_DONE = "PHYSDEVOP_DBGP_RESET_DONE" }
        struct PhysdevDbgpOp = "struct physdev_dbgp_op" { op, bus, pci = "u.pci" }
    });
}

fn platform(facts: &mut Facts) {
    table!(facts, hypercalls::platform, {
        struct EfiTime = "struct xenpf_efi_time" { year, month, day, hour, min, sec, ns, tz, daylight }
        struct EfiGuid = "struct xenpf_efi_guid" { data1, data2, data3, data4 }
        enum EfiFunction { GET_TIME = "XEN_EFI_get_time", SET_TIME = "XEN_EFI_set_time",
            GET_WAKEUP_TIME = "XEN_EFI_get_wakeup_time", SET_WAKEUP_TIME = "XEN_EFI_set_wakeup_time",
            GET_NEXT_HIGH_MONOTONIC_COUNT = "XEN_EFI_get_next_high_monotonic_count",
            GET_VARIABLE = "XEN_EFI_get_variable", SET_VARIABLE = "XEN_EFI_set_variable",
            GET_NEXT_VARIABLE_NAME = "XEN_EFI_get_next_variable_name",
            QUERY_VARIABLE_INFO = "XEN_EFI_query_variable_info",
            QUERY_CAPSULE_CAPABILITIES = "XEN_EFI_query_capsule_capabilities",
            UPDATE_CAPSULE = "XEN_EFI_update_capsule" }
        struct EfiRuntimeCall = "struct xenpf_efi_runtime_call" { function, misc, status, u }
        enum FirmwareInfoType { DISK_INFO = "XEN_FW_DISK_INFO", DISK_MBR_SIGNATURE = "XEN_FW_DISK_MBR_SIGNATURE",
            VBEDDC_INFO = "XEN_FW_VBEDDC_INFO", EFI_INFO = "XEN_FW_EFI_INFO",
            KBD_SHIFT_FLAGS = "XEN_FW_KBD_SHIFT_FLAGS" }
        struct FirmwareInfo = "struct xenpf_firmware_info" { info_type = "type", index, u }
        struct FirmwareDiskInfo = "__typeof__(((struct xenpf_firmware_info *)0)->u.disk_info)" { device, version,
            interface_support, legacy_max_cylinder, legacy_max_head, legacy_sectors_per_track, edd_params }
        struct FirmwareMbrSignature = "__typeof__(((struct xenpf_firmware_info *)0)->u.disk_mbr_signature)" {
            device, mbr_signature }
        struct FirmwareVbeddcInfo = "__typeof__(((struct xenpf_firmware_info *)0)->u.vbeddc_info)" { capabilities,
            edid_transfer_time, edid }
        flags AcpiSleepFlags { EXTENDED = "XENPF_ACPI_SLEEP_EXTENDED" }
        struct EnterAcpiSleep = "struct xenpf_enter_acpi_sleep" { val_a, val_b, sleep_state, flags }
        struct ChangeFreq = "struct xenpf_change_freq" { flags, cpu, freq }
        struct Getidletime = "struct xenpf_getidletime" { cpumap_bitmap, cpumap_nr_cpus, idletime, now }
        enum PmInfoType { CX = "XEN_PM_CX", PX = "XEN_PM_PX", TX = "XEN_PM_TX", PDC = "XEN_PM_PDC" }
        struct PowerRegister = "struct xen_power_register" { space_id, bit_width, bit_offset, access_size, address }
        struct ProcessorCsd = "struct xen_processor_csd" { domain, coord_type, num }
        struct ProcessorCx = "struct xen_processor_cx" { reg, cx_type = "type", latency, power, dpcnt, dp }
        struct ProcessorPower = "struct xen_processor_power" { count, flags, states }
        struct PctRegister = "struct xen_pct_register" { descriptor, length, space_id, bit_width, bit_offset,
            reserved, address }
        struct ProcessorPx = "struct xen_processor_px" { core_frequency, power, transition_latency,
            bus_master_latency, control, status }
        struct PsdPackage = "struct xen_psd_package" { num_entries, revision, domain, coord_type, num_processors }
        struct ProcessorPerformance = "struct xen_processor_performance" { flags, platform_limit, control_register,
            status_register, state_count, states, domain_info, shared_type }
        struct SetProcessorPminfo = "struct xenpf_set_processor_pminfo" { id, info_type = "type", u }
        enum CoreParkingOp { SET = "XEN_CORE_PARKING_SET", GET = "XEN_CORE_PARKING_GET" }
        struct CoreParking = "struct xenpf_core_parking" { op = "type", idle_nums }
        consts { PLATFORM_INTERFACE_VERSION = "XENPF_INTERFACE_VERSION" }
        enum PlatformOp { SETTIME32 = "XENPF_settime32", ADD_MEMTYPE = "XENPF_add_memtype",
            DEL_MEMTYPE = "XENPF_del_memtype", READ_MEMTYPE = "XENPF_read_memtype",
            MICROCODE_UPDATE = "XENPF_microcode_update", PLATFORM_QUIRK = "XENPF_platform_quirk",
            GET_CPU_VERSION = "XENPF_get_cpu_version", EFI_RUNTIME_CALL = "XENPF_efi_runtime_call",
            FIRMWARE_INFO = "XENPF_firmware_info", ENTER_ACPI_SLEEP = "XENPF_enter_acpi_sleep",
            CHANGE_FREQ = "XENPF_change_freq", GETIDLETIME = "XENPF_getidletime",
            SET_PROCESSOR_PMINFO = "XENPF_set_processor_pminfo", GET_CPUINFO = "XENPF_get_cpuinfo",
            CPU_ONLINE = "XENPF_cpu_online", CPU_OFFLINE = "XENPF_cpu_offline", CPU_HOTADD = "XENPF_cpu_hotadd",
            MEM_HOTADD = "XENPF_mem_hotadd", CORE_PARKING = "XENPF_core_parking", RESOURCE_OP = "XENPF_resource_op",
            SETTIME64 = "XENPF_settime64", GET_SYMBOL = "XENPF_get_symbol" }
        struct PlatformOpArg = "struct xen_platform_op" { cmd, interface_version, u }
        struct Settime32 = "struct xenpf_settime32" { secs, nsecs, system_time }
        struct Settime64 = "struct xenpf_settime64" { secs, nsecs, mbz, system_time }
        struct Memtype = "struct xenpf_add_memtype" { mfn, nr_mfns, memtype = "type", handle, reg }
        struct DelMemtype = "struct xenpf_del_memtype" { handle, reg }
        struct ReadMemtype = "struct xenpf_read_memtype" { reg, mfn, nr_mfns, memtype = "type" }
        struct MicrocodeUpdate = "struct xenpf_microcode_update" { data, length }
        flags PcpuFlags { ONLINE = "XEN_PCPU_FLAGS_ONLINE", INVALID = "XEN_PCPU_FLAGS_INVALID" }
        struct PcpuInfo = "struct xenpf_pcpuinfo" { xen_cpuid, max_present, flags, apic_id, acpi_id }
        struct PcpuVersion = "struct xenpf_pcpu_version" { xen_cpuid, max_present, vendor_id, family, model,
            stepping }
        struct CpuOl = "struct xenpf_cpu_ol" { cpuid }
        struct CpuHotadd = "struct xenpf_cpu_hotadd" { apic_id, acpi_id, pxm }
        struct MemHotadd = "struct xenpf_mem_hotadd" { spfn, epfn, pxm, flags }
        struct ResourceEntry = "struct xenpf_resource_entry" { cmd = "u.cmd", rsvd, idx, val }
        struct ResourceOp = "struct xenpf_resource_op" { nr_entries, cpu, entries }
        struct Symdata = "struct xenpf_symdata" { namelen, symnum, name, address, symbol_type = "type" }
    });
}

fn pmu(facts: &mut Facts) {
    table!(facts, hypercalls::pmu, {
        enum XenpmuOp { MODE_GET = "XENPMU_mode_get", MODE_SET = "XENPMU_mode_set",
            FEATURE_GET = "XENPMU_feature_get", FEATURE_SET = "XENPMU_feature_set", INIT = "XENPMU_init",
            FINISH = "XENPMU_finish", LVTPC_SET = "XENPMU_lvtpc_set", FLUSH = "XENPMU_flush" }
        struct PmuVersion = "__typeof__(((struct xen_pmu_params *)0)->version)" { maj, min }
        struct PmuParams = "struct xen_pmu_params" { version, val, vcpu, pad }
    });
}
