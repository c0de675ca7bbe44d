// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line: every command's name. Each command's options stand in its own file.

use crate::commands::{
    block, config_update, console, create, debug_keys, destroy, dmesg, domid, info, lifecycle, list, memory, monitor,
    network, rename, store, sysrq, trigger, uptime, vcpu,
};
use crate::error::Class;
use clap::error::{ContextKind, ContextValue};
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Creates and manages the domains of this Xen host.
#[derive(Debug, Parser)]
#[command(
    name = "xn",
    version,
    after_help = "Commands take a domain by its name or number. 'xn COMMAND --help' shows options and an example.\n\
                  Exit codes: 0 ok, 1 failed, 2 usage or configuration, 3 no such domain, 4 conflict, 5 out of \
                  resources, 6 service missing, 7 timeout, 8 device, 9 image file."
)]
pub(crate) struct Cli {
    /// Say what is being done, on standard error
    #[arg(short = 'v', long)]
    pub(crate) verbose: bool,
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a domain from a configuration file
    Create(create::Args),
    /// Replace the stored configuration of a running domain
    ConfigUpdate(config_update::Args),
    /// End a domain at once, as by pulling its plug
    Destroy(destroy::Args),
    /// Ask a domain to shut down
    Shutdown(lifecycle::EndArgs),
    /// Ask a domain to reboot
    Reboot(lifecycle::EndArgs),
    /// Keep a domain from running
    Pause(lifecycle::OneArgs),
    /// Let a paused domain run
    Unpause(lifecycle::OneArgs),
    /// Change a domain's name
    Rename(rename::Args),
    /// Attach to a domain's console
    Console(console::Args),
    /// List domains
    List(list::Args),
    /// List guests with their UUIDs
    VmList(list::VmArgs),
    /// Show a domain's number
    Domid(domid::IdArgs),
    /// Show a domain's name
    Domname(domid::NameArgs),
    /// Show how long domains have been running
    Uptime(uptime::Args),
    /// Show facts about the host
    Info(info::Args),
    /// Show memory that is claimed but not yet populated
    Claims(info::ClaimsArgs),
    /// Show the hypervisor's messages
    Dmesg(dmesg::Args),
    /// Press debug keys on the hypervisor's console
    DebugKeys(debug_keys::Args),
    /// List vCPUs
    VcpuList(vcpu::ListArgs),
    /// Set the number of vCPUs a domain uses
    VcpuSet(vcpu::SetArgs),
    /// Set on which CPUs vCPUs may run
    VcpuPin(vcpu::PinArgs),
    /// Set how much memory a domain shall use
    MemSet(memory::SetArgs),
    /// Set the most memory a domain may use
    MemMax(memory::MaxArgs),
    /// Add a disk to a running domain
    BlockAttach(block::AttachArgs),
    /// Take a disk from a running domain
    BlockDetach(block::DetachArgs),
    /// List a domain's disks
    BlockList(block::ListArgs),
    /// Add a network interface to a running domain
    NetworkAttach(network::AttachArgs),
    /// Take a network interface from a running domain
    NetworkDetach(network::DetachArgs),
    /// List a domain's network interfaces
    NetworkList(network::ListArgs),
    /// Send a magic system request to a domain
    Sysrq(sysrq::Args),
    /// Send a trigger such as an NMI to a domain
    Trigger(trigger::Args),
    /// Read and change xenstore
    #[command(subcommand)]
    Store(store::Command),
    /// Perform on_poweroff, on_reboot and on_crash actions of all domains (the daemon)
    Monitor(monitor::Args),
}

/// A command line that is not carried out: wrong, or a wish for help.
pub(crate) struct Refusal(clap::Error);

/// Reads the command line.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, Refusal> {
    Cli::try_parse_from(args).map_err(Refusal)
}

/// What `xl` knows besides, and why `xn` does not.
const ELSEWHERE: &[(&[&str], &str)] = &[
    (&["save", "restore", "migrate", "migrate-receive", "remus"], "saving and migration are not there yet"),
    (
        &["vncviewer", "cd-insert", "cd-eject", "qemu-monitor-command", "usb-list"],
        "only for HVM guests; xn runs PV guests",
    ),
    (&["top", "xentop"], "there is no such view; use 'xn list' or 'xn vcpu-list'"),
    (&["pci-attach", "pci-detach", "pci-list", "pci-assignable-list"], "PCI devices are not passed through"),
    (&["sched-credit", "sched-credit2", "sched-rtds"], "set 'cpu_weight' and 'cap' in the domain's configuration"),
];

impl Refusal {
    /// The text and where it goes: help is what was asked for, all else is an error.
    fn text(&self) -> String {
        let text = self.0.to_string();
        match text.strip_prefix("error: ") {
            Some(error) => format!("xn: {error}{}", self.hint()),
            None => text,
        }
    }

    /// More than clap knows about an unknown command.
    fn hint(&self) -> String {
        let Some(ContextValue::String(word)) = self.0.get(ContextKind::InvalidSubcommand) else {
            return String::new();
        };
        let reason = ELSEWHERE.iter().find(|(words, _)| words.contains(&word.as_str()));
        reason.map_or_else(String::new, |(_, why)| format!("\n'xl {word}' has no counterpart: {why}\n"))
    }

    /// Says it and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let text = self.text();
        // Where even this cannot be written, nobody is left to tell.
        if self.0.use_stderr() {
            let _ = std::io::stderr().write_all(text.as_bytes());
            return ExitCode::from(Class::Usage.code());
        }
        let _ = std::io::stdout().write_all(text.as_bytes());
        ExitCode::SUCCESS
    }

    /// The kind, for tests.
    #[cfg(test)]
    fn kind(&self) -> clap::error::ErrorKind {
        self.0.kind()
    }
}
