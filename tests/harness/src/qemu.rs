// SPDX-License-Identifier: MIT OR Apache-2.0
//! QEMU's command line: the one place that knows it.

use crate::console::Console;
use crate::qmp::{self, Shutdown};
use crate::{paths, process};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Who starts the boot loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// SeaBIOS.
    Bios,
    /// OVMF.
    Uefi,
}

/// QEMU's machine type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chipset {
    /// i440FX: PCI, IDE.
    Pc,
    /// ICH9: PCI express, AHCI, MCFG.
    Q35,
}

/// How a disk is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskKind {
    /// virtio-blk-pci.
    VirtioBlk,
    /// A SATA disk on an AHCI controller of its own.
    Ahci,
    /// An NVMe controller with one namespace.
    Nvme,
}

/// How a network card is attached; its peer is QEMU's user network, the host being 10.0.(2+n).2 for the n-th card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NicKind {
    /// virtio-net-pci.
    VirtioNet,
    /// Intel 82540EM.
    E1000,
}

/// What QEMU starts.
#[derive(Clone, Debug)]
pub enum Boot {
    /// A Linux kernel by QEMU's loader, or a multiboot kernel whose "initrd" is a list of modules with arguments.
    Kernel {
        /// The image.
        image: PathBuf,
        /// Its command line.
        cmdline: String,
        /// Plain Linux: one file without arguments. Multiboot: modules in order.
        modules: Vec<(PathBuf, String)>,
    },
    /// A CD image, through the firmware and GRUB.
    Cd(PathBuf),
    /// A disk image, through the firmware and the boot loader on it; what is written to it is forgotten at the end.
    Disk(PathBuf),
}

/// A machine to be started.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The program.
    pub qemu: PathBuf,
    /// What it boots.
    pub boot: Boot,
    /// Who boots it.
    pub firmware: Firmware,
    /// The machine type.
    pub chipset: Chipset,
    /// Number of CPUs.
    pub cpus: u32,
    /// Their model, and what it is to have or not.
    pub cpu: &'static str,
    /// MiB of memory.
    pub memory_mib: u64,
    /// Disks in order, each with its image.
    pub disks: Vec<(DiskKind, PathBuf)>,
    /// Further virtio disks, with serial numbers to know them by; what is written to them is forgotten at the end.
    pub templates: Vec<(String, PathBuf)>,
    /// Network cards in order.
    pub nics: Vec<NicKind>,
    /// One thread of the host executes all CPUs in turn. A CPU that waits for another, or has nothing to do, leaves its turn, so this costs
    /// little time and much less of the host's, most of all beside other machines; but no two CPUs ever do something at the same time.
    pub one_thread: bool,
    /// Instruction counting: the value of `-icount`.
    pub icount: Option<String>,
    /// Wait for gdb on port 1234.
    pub gdb: bool,
    /// A VGA adapter (its text is read back by [`Running::screen`]).
    pub vga: bool,
    /// Verbatim further arguments.
    pub extra: Vec<String>,
}

static SERIAL: AtomicU32 = AtomicU32::new(0);

/// A path for a short-lived file that no other machine uses.
#[must_use]
pub fn scratch_file(suffix: &str) -> PathBuf {
    let number = SERIAL.fetch_add(1, Ordering::Relaxed);
    paths::scratch().join(format!("{}-{number}.{suffix}", std::process::id()))
}

/// Commas separate QEMU's sub-options; a doubled one is a comma.
fn escape(text: &str) -> String {
    text.replace(',', ",,")
}

impl Machine {
    /// A machine with everything at its default that boots `boot`.
    #[must_use]
    pub fn new(boot: Boot) -> Self {
        Self {
            qemu: PathBuf::from("qemu-system-x86_64"),
            boot,
            firmware: Firmware::Bios,
            chipset: Chipset::Q35,
            cpus: 1,
            cpu: "max,-smap",
            memory_mib: 2048,
            disks: Vec::new(),
            templates: Vec::new(),
            nics: Vec::new(),
            one_thread: false,
            icount: None,
            gdb: false,
            vga: false,
            extra: Vec::new(),
        }
    }

    /// Starts it with this process's terminal as its serial console (Ctrl-A x ends it, Ctrl-A c is QEMU's monitor).
    ///
    /// # Errors
    /// When QEMU cannot be started.
    pub fn run_interactively(&self) -> Result<ExitStatus> {
        let mut files = Vec::new();
        let mut command = self.command(&mut files)?;
        command.args(["-serial", "mon:stdio"]);
        let status = command.status().with_context(|| format!("cannot start `{}`", process::show(&command)));
        remove_all(&files);
        status
    }

    /// Starts it; its serial console is captured and copied to the log `name`.
    ///
    /// # Errors
    /// When QEMU cannot be started.
    pub fn start(&self, name: &str) -> Result<Running> {
        fs::create_dir_all(paths::logs())?;
        fs::create_dir_all(paths::scratch())?;
        let mut files = Vec::new();
        let command = self.command(&mut files)?;
        let socket = scratch_file("qmp");
        files.push(socket.clone());
        let mut command = die_with_us(command);
        command.args(["-serial", "stdio", "-monitor", "none", "-qmp"]);
        command.arg(format!("unix:{},server=on,wait=off", escape(&socket.display().to_string())));
        let log = paths::logs().join(format!("{name}.log"));
        let mut file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        std::io::Write::write_all(&mut file, format!("$ {}\n", process::show(&command)).as_bytes())?;
        let errors = file.try_clone()?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let started = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start `{}`", process::show(&command)))?;
        let console = Console::reading(child.stdout.take().context("QEMU's output")?, file);
        let events = qmp::Monitor::connect(&socket, &mut child)
            .with_context(|| format!("QEMU did not come up, see {}", log.display()))?;
        Ok(Running { child, console, events, log, started, files })
    }

    fn command(&self, files: &mut Vec<PathBuf>) -> Result<Command> {
        fs::create_dir_all(paths::scratch())?;
        let mut command = Command::new(&self.qemu);
        // SMAP is off because QEMU 7.2's TCG applies it to iretq to a PV guest's kernel at CPL 3.
        command.args(["-cpu", self.cpu, "-nodefaults", "-display", "none", "-no-reboot"]);
        let chipset = match self.chipset {
            Chipset::Pc => "pc",
            Chipset::Q35 => "q35",
        };
        command.args(["-machine", chipset]);
        command.args(["-smp", &self.cpus.to_string(), "-m", &format!("{}M", self.memory_mib)]);
        // Counting instructions needs one thread, too.
        let one_thread = self.one_thread || self.icount.is_some();
        command.args(["-accel", if one_thread { "tcg,thread=single" } else { "tcg,thread=multi" }]);
        if let Some(value) = &self.icount {
            command.args(["-icount", value]);
        }
        if self.vga {
            command.args(["-vga", "std"]);
        }
        if self.gdb {
            command.args(["-s", "-S"]);
        }
        self.add_boot(&mut command, files)?;
        self.add_devices(&mut command);
        command.args(&self.extra);
        Ok(command)
    }

    fn add_boot(&self, command: &mut Command, files: &mut Vec<PathBuf>) -> Result<()> {
        if self.firmware == Firmware::Uefi {
            let code = Path::new("/usr/share/OVMF/OVMF_CODE_4M.fd");
            let vars = scratch_file("vars.fd");
            fs::copy("/usr/share/OVMF/OVMF_VARS_4M.fd", &vars).context("OVMF (package ovmf) is missing")?;
            for (file, mode) in [(code, ",readonly=on"), (&vars, "")] {
                let drive = format!("if=pflash,format=raw,file={}{mode}", escape(&file.display().to_string()));
                command.args(["-drive", &drive]);
            }
            files.push(vars);
        }
        match &self.boot {
            Boot::Cd(image) => {
                command.args(["-boot", "d", "-cdrom"]).arg(image);
            }
            Boot::Disk(image) => {
                let image = escape(&image.display().to_string());
                command.args(["-drive", &format!("file={image},format=raw,if=none,id=boot,snapshot=on")]);
                command.args(["-device", "virtio-blk-pci,drive=boot,bootindex=0"]);
            }
            Boot::Kernel { .. } if self.firmware == Firmware::Uefi => {
                bail!("on UEFI a machine boots from a CD image: QEMU's -kernel would bypass the firmware's tables")
            }
            Boot::Kernel { image, cmdline, modules } => {
                command.arg("-kernel").arg(image).args(["-append", cmdline]);
                let list: Vec<String> = modules.iter().map(|(file, arguments)| module(file, arguments)).collect();
                if !list.is_empty() {
                    command.args(["-initrd", &list.join(",")]);
                }
            }
        }
        Ok(())
    }

    fn add_devices(&self, command: &mut Command) {
        for (n, (kind, image)) in self.disks.iter().enumerate() {
            let image = escape(&image.display().to_string());
            command.args(["-drive", &format!("file={image},format=raw,if=none,id=disk{n},cache=unsafe")]);
            let devices = match kind {
                DiskKind::VirtioBlk => vec![format!("virtio-blk-pci,drive=disk{n}")],
                DiskKind::Nvme => vec![format!("nvme,drive=disk{n},serial=nvme{n}")],
                DiskKind::Ahci => vec![format!("ich9-ahci,id=ahci{n}"), format!("ide-hd,drive=disk{n},bus=ahci{n}.0")],
            };
            devices.iter().for_each(|device| {
                command.args(["-device", device]);
            });
        }
        for (n, (serial, image)) in self.templates.iter().enumerate() {
            let image = escape(&image.display().to_string());
            command.args(["-drive", &format!("file={image},format=raw,if=none,id=template{n},snapshot=on")]);
            command.args(["-device", &format!("virtio-blk-pci,drive=template{n},serial={serial}")]);
        }
        for (n, kind) in self.nics.iter().enumerate() {
            let net = n + 2;
            command.args(["-netdev", &format!("user,id=net{n},net=10.0.{net}.0/24,restrict=off")]);
            let model = match kind {
                NicKind::VirtioNet => "virtio-net-pci",
                NicKind::E1000 => "e1000",
            };
            // dom0's init derives the address from the last byte of the MAC. No option ROM: nothing boots from it.
            let device = format!("{model},netdev=net{n},mac=52:54:00:12:34:{net:02x},romfile=");
            command.args(["-device", &device]);
        }
    }
}

fn module(file: &Path, arguments: &str) -> String {
    let mut text = escape(&file.display().to_string());
    if !arguments.is_empty() {
        text.push(' ');
        text.push_str(&escape(arguments));
    }
    text
}

/// Makes the kernel end QEMU when this process is killed, if the host has util-linux's `setpriv`.
fn die_with_us(command: Command) -> Command {
    if process::find("setpriv").is_none() {
        return command;
    }
    let mut outer = Command::new("setpriv");
    outer.args(["--pdeathsig", "KILL", "--"]);
    let mut words: Vec<OsString> = vec![command.get_program().to_owned()];
    words.extend(command.get_args().map(ToOwned::to_owned));
    outer.args(words);
    outer
}

fn remove_all(files: &[PathBuf]) {
    for file in files {
        // Most exist only if QEMU came so far.
        let _ = fs::remove_file(file);
    }
}

/// A started machine; dropping it ends it.
pub struct Running {
    child: Child,
    /// Its serial console.
    pub console: Console,
    events: qmp::Monitor,
    /// Where the console is copied to.
    pub log: PathBuf,
    /// When QEMU was started.
    pub started: Instant,
    files: Vec<PathBuf>,
}

impl Running {
    /// Types `text` on the serial console.
    ///
    /// # Errors
    /// When the machine has gone.
    pub fn send(&mut self, text: &str) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("QEMU's input")?;
        std::io::Write::write_all(stdin, text.as_bytes()).context("the machine has gone")?;
        std::io::Write::flush(stdin).context("the machine has gone")
    }

    /// Waits until the machine ends by itself; why it did, or `None` when it is still there after `patience`.
    ///
    /// # Errors
    /// When QEMU itself failed.
    pub fn wait(&mut self, patience: Duration) -> Result<Option<Shutdown>> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait()? {
                let why = self.events.shutdown();
                if !status.success() && why.is_none() {
                    bail!("QEMU failed ({status}), see {}", self.log.display());
                }
                return Ok(Some(why.unwrap_or(Shutdown::Other)));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The CPU time that QEMU has used so far, in all its threads.
    ///
    /// # Errors
    /// When the machine has gone.
    pub fn cpu_time(&self) -> Result<Duration> {
        let mut total = 0;
        let tasks = format!("/proc/{}/task", self.child.id());
        for task in fs::read_dir(&tasks).context("the machine has gone")? {
            // A thread that has ended since was a short-lived one.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            let ns: u64 = text.split_whitespace().next().unwrap_or_default().parse().context("schedstat")?;
            total += ns;
        }
        Ok(Duration::from_nanos(total))
    }

    /// The text on the VGA screen (80 by 25), lines with trailing blanks removed.
    ///
    /// # Errors
    /// When the machine has gone.
    pub fn screen(&mut self) -> Result<String> {
        let file = scratch_file("vga");
        self.events.save_memory(0xb8000, 80 * 25 * 2, &file)?;
        let cells = fs::read(&file).context("QEMU wrote no screen")?;
        let _ = fs::remove_file(&file);
        let lines = cells.chunks(160).map(|row| {
            let text: String = row.iter().step_by(2).map(|&b| if b == 0 { ' ' } else { char::from(b) }).collect();
            text.trim_end().to_owned()
        });
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        remove_all(&self.files);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_module_arguments_are_doubled() {
        let machine = Machine::new(Boot::Kernel {
            image: "xen".into(),
            cmdline: "com1=115200,8n1".into(),
            modules: vec![("vmlinuz".into(), "console=hvc0 a=b,c".into()), ("initrd".into(), String::new())],
        });
        let command = machine.command(&mut Vec::new()).expect("a command line");
        let line = process::show(&command);
        assert!(line.contains("-append com1=115200,8n1"), "{line}");
        assert!(line.contains("-initrd 'vmlinuz console=hvc0 a=b,,c,initrd'"), "{line}");
    }

    #[test]
    fn uefi_needs_a_cd() {
        let mut machine = Machine::new(Boot::Kernel { image: "x".into(), cmdline: String::new(), modules: vec![] });
        machine.firmware = Firmware::Uefi;
        assert!(machine.command(&mut Vec::new()).is_err());
    }
}
