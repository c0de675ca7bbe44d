// SPDX-License-Identifier: MIT OR Apache-2.0
//! The commands: one file for each group, with the options it takes and a function that carries it out.

use crate::cli::Command;
use crate::context::Context;
use crate::error::Failure;

pub(crate) mod block;
pub(crate) mod config_update;
pub(crate) mod console;
pub(crate) mod cpupool;
pub(crate) mod create;
pub(crate) mod debug_keys;
pub(crate) mod destroy;
pub(crate) mod dmesg;
pub(crate) mod domid;
pub(crate) mod info;
pub(crate) mod lifecycle;
pub(crate) mod list;
pub(crate) mod memory;
pub(crate) mod monitor;
pub(crate) mod network;
pub(crate) mod rename;
pub(crate) mod sched;
pub(crate) mod store;
pub(crate) mod sysrq;
pub(crate) mod trigger;
pub(crate) mod uptime;
pub(crate) mod vcpu;

/// Carries out a command.
pub(crate) fn run(command: &Command, context: &mut Context) -> Result<(), Failure> {
    match command {
        Command::Create(args) => create::run(args, context),
        Command::ConfigUpdate(args) => config_update::run(args, context),
        Command::Destroy(args) => destroy::run(args, context),
        Command::Shutdown(args) => lifecycle::shutdown(args, context),
        Command::Reboot(args) => lifecycle::reboot(args, context),
        Command::Pause(args) => lifecycle::pause(args, context),
        Command::Unpause(args) => lifecycle::unpause(args, context),
        Command::Rename(args) => rename::run(args, context),
        Command::Console(args) => console::run(args, context),
        Command::List(args) => list::run(args, context),
        Command::VmList(args) => list::vm_list(args, context),
        Command::Domid(args) => domid::domid(args, context),
        Command::Domname(args) => domid::domname(args, context),
        Command::Uptime(args) => uptime::run(args, context),
        Command::Info(args) => info::run(args, context),
        Command::Claims(args) => info::claims(args, context),
        Command::Dmesg(args) => dmesg::run(args, context),
        Command::DebugKeys(args) => debug_keys::run(args, context),
        Command::VcpuList(args) => vcpu::list(args, context),
        Command::VcpuSet(args) => vcpu::set(args, context),
        Command::VcpuPin(args) => vcpu::pin(args, context),
        Command::SchedCredit2(args) => sched::run(args, context),
        Command::CpupoolList(args) => cpupool::list(args, context),
        Command::CpupoolCreate(args) => cpupool::create(args, context),
        Command::CpupoolDestroy(args) => cpupool::destroy(args, context),
        Command::CpupoolRename(args) => cpupool::rename(args, context),
        Command::CpupoolCpuAdd(args) => cpupool::cpu_add(args, context),
        Command::CpupoolCpuRemove(args) => cpupool::cpu_remove(args, context),
        Command::CpupoolMigrate(args) => cpupool::migrate(args, context),
        Command::MemSet(args) => memory::set(args, context),
        Command::MemMax(args) => memory::max(args, context),
        Command::BlockAttach(args) => block::attach(args, context),
        Command::BlockDetach(args) => block::detach(args, context),
        Command::BlockList(args) => block::list(args, context),
        Command::NetworkAttach(args) => network::attach(args, context),
        Command::NetworkDetach(args) => network::detach(args, context),
        Command::NetworkList(args) => network::list(args, context),
        Command::NetworkBridge(args) => network::bridge(args, context),
        Command::Sysrq(args) => sysrq::run(args, context),
        Command::Trigger(args) => trigger::run(args, context),
        Command::Store(command) => store::run(command, context),
        Command::Monitor(args) => monitor::run(args, context),
    }
}
