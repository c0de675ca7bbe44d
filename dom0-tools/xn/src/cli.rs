// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line: every command's name. Each command's options stand in its own file.

use crate::commands::{
    block, config_update, console, cpupool, create, debug_keys, destroy, dmesg, domid, info, lifecycle, list, memory,
    monitor, network, rename, sched, store, sysrq, trigger, uptime, vcpu,
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
    /// Show or set domains' shares of the CPUs
    #[command(name = "sched-credit2")]
    SchedCredit2(sched::Args),
    /// List CPU pools
    CpupoolList(cpupool::ListArgs),
    /// Make a CPU pool
    CpupoolCreate(cpupool::CreateArgs),
    /// Remove a CPU pool
    CpupoolDestroy(cpupool::DestroyArgs),
    /// Change a CPU pool's name
    CpupoolRename(cpupool::RenameArgs),
    /// Give a CPU pool free CPUs
    CpupoolCpuAdd(cpupool::CpuArgs),
    /// Take CPUs from a CPU pool
    CpupoolCpuRemove(cpupool::CpuArgs),
    /// Move a domain to a CPU pool
    CpupoolMigrate(cpupool::MigrateArgs),
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
    /// Make a bridge for guests, and give dom0 an address on it
    NetworkBridge(network::BridgeArgs),
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
    (&["sched-credit", "sched-rtds"], "the scheduler is credit2, see 'xn sched-credit2'"),
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn read(line: &str) -> Result<Command, Refusal> {
        let words = std::iter::once("xn").chain(line.split_whitespace());
        parse(words.map(OsString::from)).map(|cli| cli.command)
    }

    /// For each command the shapes `xl` takes, and ours.
    const GOOD: &[&str] = &[
        "create demo",
        "create -c -p -q -n -F -e -V demo.cfg memory=256 vcpus=2",
        "create -f demo.cfg name='x'",
        "create --defconfig=demo.cfg --dryrun --quiet -o json",
        "config-update demo /etc/xen/demo.cfg memory=256",
        "config-update demo -f demo.cfg",
        "destroy demo",
        "destroy -f 0",
        "shutdown demo",
        "shutdown -a",
        "shutdown -aw",
        "shutdown -ww -F a b",
        "shutdown --all --wait --timeout 5",
        "reboot -F demo",
        "reboot -a -w",
        "pause demo",
        "unpause 3",
        "rename demo web",
        "console demo",
        "console -t pv -n 0 demo",
        "list",
        "list -l",
        "list --long demo 3",
        "list -v -Z -c -n",
        "list --verbose --context --cpupool --numa -o json",
        "vm-list",
        "vm-list -o json",
        "domid demo",
        "domname 3",
        "uptime",
        "uptime -s demo",
        "info",
        "info -n",
        "info --numa -o json",
        "info free_memory",
        "claims",
        "dmesg",
        "dmesg -c",
        "dmesg --clear -o json",
        "debug-keys qr",
        "vcpu-list",
        "vcpu-list demo 0 -o json",
        "vcpu-set demo 2",
        "vcpu-set -i demo 2",
        "vcpu-pin demo 0 1",
        "vcpu-pin demo all 0-1,^0 all",
        "vcpu-pin demo 3 - 6-9",
        "vcpu-pin -f demo 3 3,4 -",
        "sched-credit2",
        "sched-credit2 -d demo -o json",
        "sched-credit2 -d demo -w 512 -c 50",
        "sched-credit2 --domain=demo --weight=512 --cap=0",
        "sched-credit2 -s",
        "sched-credit2 -s -p batch -r 2000",
        "cpupool-list -c Pool-0 -o json",
        "cpupool-create batch 2-3",
        "cpupool-destroy batch",
        "cpupool-rename batch builds",
        "cpupool-cpu-add batch 2",
        "cpupool-cpu-remove Pool-0 2-3",
        "cpupool-migrate demo batch",
        "sched-credit2 --schedparam --ratelimit_us=1000",
        "mem-set demo 256m",
        "mem-max demo 1g",
        "block-attach demo /dev/vg/x,raw,xvdb,rw",
        "block-attach demo format=raw vdev=xvdb target=/x.img",
        "block-detach demo xvdb",
        "block-detach --force demo 51728",
        "block-list demo",
        "block-list a b -o json",
        "network-attach demo",
        "network-attach demo bridge=xenbr0 mac=00:16:3e:01:02:03",
        "network-detach demo 0",
        "network-detach demo 00:16:3e:01:02:03",
        "network-list demo -o json",
        "network-bridge xenbr0 192.168.100.1/24",
        "sysrq demo s",
        "trigger demo nmi",
        "trigger demo s3resume 1",
        "store ls",
        "store ls -fp /local -o json",
        "store list -p /local /vm",
        "store read -p /a /b",
        "store read -R /a",
        "store write /a 1 /b -2",
        "store rm -t /a",
        "store exists /a",
        "store watch -n 2 /a @releaseDomain",
        "store chmod -r -u /a n0 r1",
        "store quota",
        "store quota demo",
        "store quota --set nodes=2000",
        "monitor",
        "-v list",
    ];

    const BAD: &[&str] = &[
        "",
        "creat demo",
        "destroy",
        "shutdown",
        "shutdown -a demo",
        "pause",
        "rename demo",
        "domid",
        "domname demo",
        "list -x",
        "list -o xml",
        "vcpu-set demo",
        "vcpu-set demo many",
        "vcpu-pin demo 0",
        "sched-credit2 -w 512",
        "sched-credit2 -d demo -w 0",
        "sched-credit2 -d demo -s",
        "sched-credit2 -r 1000",
        "mem-set demo",
        "sysrq demo",
        "sysrq demo ss",
        "trigger demo nmx",
        "store",
        "store lss",
        "store read",
        "store write /a",
        "store watch -n x /a",
        "store chmod /a",
        "store quota demo --set nodes=1",
        "block-detach demo",
        "console",
    ];

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn command_lines_are_read() {
        for line in GOOD {
            if let Err(refusal) = read(line) {
                panic!("{line}: {}", refusal.text());
            }
        }
    }

    #[test]
    fn every_command_has_a_line_here() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            let words = |line: &&&str| line.split_whitespace().any(|word| word == name);
            assert!(GOOD.iter().any(|line| words(&line)), "{name}");
            for below in command.get_subcommands().map(clap::Command::get_name) {
                assert!(GOOD.iter().any(|line| line.starts_with(&format!("{name} {below}"))), "{name} {below}");
            }
        }
    }

    #[test]
    fn wrong_command_lines_are_refused() {
        for line in BAD {
            assert!(read(line).is_err_and(|refusal| refusal.0.use_stderr()), "{line}");
        }
    }

    #[test]
    fn every_help_has_an_example() {
        for command in Cli::command().get_subcommands() {
            let below: Vec<_> = command.get_subcommands().collect();
            let all = if below.is_empty() { vec![command] } else { below };
            for command in all {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Example: xn "), "{}", command.get_name());
                assert!(help.contains(command.get_name()), "{}", command.get_name());
            }
        }
    }

    #[test]
    fn near_words_are_offered() {
        assert!(read("creat demo").err().unwrap().text().contains("'create'"));
        assert!(read("list --verbos").err().unwrap().text().contains("'--verbose'"));
        assert!(read("trigger demo nmii").err().unwrap().text().contains("'nmi'"));
        assert!(read("save demo x").err().unwrap().text().contains("'xl save' has no counterpart"));
    }

    #[test]
    fn options_are_what_they_say() {
        let Command::Shutdown(args) = read("shutdown -aww").unwrap_or_else(|refusal| panic!("{}", refusal.text()))
        else {
            panic!("another command");
        };
        assert!(args.all && args.wait == 2 && args.timeout == 120);
        let Command::VcpuPin(args) = read("vcpu-pin demo 3 - 6-9").unwrap_or_else(|_| panic!("refused")) else {
            panic!("another command");
        };
        assert_eq!((args.hard.as_str(), args.soft.as_deref()), ("-", Some("6-9")));
    }
}
