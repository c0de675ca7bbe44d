// SPDX-License-Identifier: MIT OR Apache-2.0
//! A Linux control domain (or bare Linux) that runs one script and hands back what it printed.

use crate::console::Silence;
use crate::debian::{self, Kernel, Series};
use crate::initramfs::{self, ExtraFile};
use crate::iso::{self, Contents};
use crate::qemu::{Boot, Firmware, Machine, Running, scratch_file};
use crate::qmp::Shutdown;
use crate::{paths, toolstack};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What dom0 runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hypervisor {
    /// This project.
    Xenolith,
    /// Debian's Xen 4.17: the oracle.
    Xen,
    /// The bare machine.
    None,
}

impl Hypervisor {
    /// Its name on the command line and in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Xenolith => "xenolith",
            Self::Xen => "xen",
            Self::None => "none",
        }
    }

    /// Its image as (for GRUB, for QEMU's `-kernel`).
    fn images(self) -> Result<Option<(PathBuf, PathBuf)>> {
        Ok(match self {
            Self::None => None,
            Self::Xen => debian::xen().map(|xen| Some((xen.packed, xen.plain)))?,
            Self::Xenolith => {
                let image = paths::products().join("xenolith");
                if !image.exists() {
                    bail!("there is no {}: run `cargo xtask build`", image.display());
                }
                Some((image.clone(), image))
            }
        })
    }

    /// Options that put its messages on the first serial port.
    ///
    /// Xen besides must not load vector registers lazily, as it does on AMD's CPUs: QEMU 7.2's TCG lets some instructions use
    /// them in spite of CR0.TS, so that vCPUs on one CPU would see each other's.
    #[must_use]
    pub fn console_options(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Xen => "com1=115200,8n1 console=com1 loglvl=all guest_loglvl=all spec-ctrl=eager-fpu",
            Self::Xenolith => "com1=115200,8n1 console=com1 loglvl=all guest_loglvl=all",
        }
    }

    /// Linux options that put dom0's console where the harness listens.
    #[must_use]
    pub fn kernel_console(self) -> &'static str {
        match self {
            Self::None => "console=ttyS0",
            _ => "console=hvc0 earlyprintk=xen",
        }
    }
}

/// Which Linux.
#[derive(Clone, Debug)]
pub enum KernelChoice {
    /// One of Debian's.
    Debian(Series),
    /// A file, of whose modules nothing is known.
    File(PathBuf),
}

/// A dom0 to be booted.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Under it.
    pub hypervisor: Hypervisor,
    /// The kernel.
    pub kernel: KernelChoice,
    /// The ELF inside 6.1's bzImage, where QEMU loads the images: a hypervisor takes seconds to unpack it.
    pub unpacked: bool,
    /// An initramfs in place of the harness's own.
    pub initrd: Option<PathBuf>,
    /// Further kernel options.
    pub cmdline: String,
    /// Further hypervisor options.
    pub hv_cmdline: String,
    /// Through GRUB even where QEMU could load the images itself.
    pub grub: bool,
    /// The hardware; `boot` in it is replaced.
    pub machine: Machine,
    /// Files for dom0.
    pub files: Vec<ExtraFile>,
    /// Another image of Xenolith than the usual one.
    pub xenolith: Option<PathBuf>,
}

impl Spec {
    /// bookworm's kernel on `hypervisor`, everything else at its default.
    #[must_use]
    pub fn new(hypervisor: Hypervisor) -> Self {
        Self {
            hypervisor,
            kernel: KernelChoice::Debian(Series::V6_1),
            unpacked: false,
            initrd: None,
            cmdline: String::new(),
            hv_cmdline: String::new(),
            grub: false,
            machine: Machine::new(Boot::Cd(PathBuf::new())),
            files: Vec::new(),
            xenolith: None,
        }
    }

    /// Puts dom0's toolkit into it: the tools, a kernel of each of `series` for domUs, and the demo with its disk. Unless
    /// the hypervisor's options say how much memory dom0 has, half of the machine's stays free for domUs.
    ///
    /// # Errors
    /// When something of it is not built or cannot be made.
    pub fn add_toolkit(&mut self, series: &[Series]) -> Result<()> {
        self.files.extend(toolstack::tools()?);
        for one in series {
            self.files.extend(toolstack::guest(*one)?);
        }
        self.files.push(toolstack::demo());
        self.machine.templates.push(toolstack::demo_disk()?);
        if !self.hv_cmdline.contains("dom0_mem=") {
            let mib = (self.machine.memory_mib / 2).clamp(256, 1024);
            self.hv_cmdline = join(&format!("dom0_mem={mib}M,max:{mib}M"), &self.hv_cmdline);
        }
        Ok(())
    }

    /// Makes every image and returns the machine that boots them, with `script` (or a shell) in dom0.
    /// The second value are the files to be removed afterwards.
    ///
    /// # Errors
    /// When an image cannot be made.
    pub fn prepare(&self, script: Option<&str>) -> Result<(Machine, Vec<PathBuf>)> {
        let mut made = Vec::new();
        let kernel = self.kernel()?;
        let initrd = match &self.initrd {
            Some(file) => file.clone(),
            None => {
                let file = scratch_file("initrd");
                initramfs::write(&kernel, script, &self.files, &file)?;
                made.push(file.clone());
                file
            }
        };
        let options = join(self.hypervisor.kernel_console(), &self.cmdline);
        let hv_options = join(self.hypervisor.console_options(), &self.hv_cmdline);
        let images = match (self.hypervisor, &self.xenolith) {
            (Hypervisor::Xenolith, Some(image)) => Some((image.clone(), image.clone())),
            _ => self.hypervisor.images()?,
        };
        let mut machine = self.machine.clone();
        machine.boot = if self.grub || machine.firmware == Firmware::Uefi {
            let image = scratch_file("iso");
            let hypervisor = images.as_ref().map(|(packed, _)| (packed.as_path(), hv_options.as_str()));
            let kernel = Some((kernel.image.as_path(), options.as_str()));
            iso::write(&Contents { hypervisor, kernel, initrd: Some(&initrd) }, &image)?;
            made.push(image.clone());
            Boot::Cd(image)
        } else {
            match images {
                None => Boot::Kernel { image: kernel.image, cmdline: options, modules: vec![(initrd, String::new())] },
                Some((_, plain)) => {
                    let unpacked = self.unpacked && matches!(self.kernel, KernelChoice::Debian(Series::V6_1));
                    let image = if unpacked { kernel.unpacked()? } else { kernel.image };
                    let modules = vec![(image, options), (initrd, String::new())];
                    Boot::Kernel { image: plain, cmdline: hv_options, modules }
                }
            }
        };
        Ok((machine, made))
    }

    /// Boots it; its console goes to the log `name`.
    ///
    /// # Errors
    /// When an image cannot be made or QEMU cannot be started.
    pub fn start(&self, name: &str, script: Option<&str>) -> Result<Dom0> {
        let (machine, files) = self.prepare(script)?;
        let running = machine.start(name);
        let running = running.inspect_err(|_| remove(&files))?;
        Ok(Dom0 { running, files, init: None })
    }

    /// Boots it, runs `script` and waits for the machine's end.
    ///
    /// # Errors
    /// When dom0 does not come so far within `patience`; the message has the tail of the console.
    pub fn exec(&self, name: &str, script: &str, patience: Duration) -> Result<Finished> {
        let mut dom0 = self.start(name, Some(script))?;
        // In QEMU a boot on Xen 4.17 hangs once in some thousand. That is not what is tested.
        if self.hypervisor == Hypervisor::Xen && dom0.hangs(patience / 2) {
            eprintln!("xtask: dom0 on Xen hangs: once more ({})", dom0.running.log.display());
            drop(dom0);
            dom0 = self.start(name, Some(script))?;
        }
        let finished = dom0.finish(patience, |_| {})?;
        // Nor a fault of Xen's own: in `xl cpupool-cpu-remove` its credit2 has dereferenced a null pointer, once (`runq_insert`). One that
        // comes again is a failure.
        if self.hypervisor == Hypervisor::Xen && finished.console.contains("Panic on CPU") {
            eprintln!("xtask: Xen panics: once more ({})", finished.log.display());
            return self.start(name, Some(script))?.finish(patience, |_| {});
        }
        Ok(finished)
    }

    /// The kernel's files.
    ///
    /// # Errors
    /// When Debian's package cannot be had.
    pub fn kernel(&self) -> Result<Kernel> {
        match &self.kernel {
            KernelChoice::Debian(series) => debian::kernel(*series),
            KernelChoice::File(image) => Ok(Kernel {
                release: "unknown".into(),
                image: image.canonicalize().with_context(|| format!("no kernel {}", image.display()))?,
                root: paths::debian().join("no-modules"),
            }),
        }
    }
}

/// A running dom0.
pub struct Dom0 {
    /// The machine.
    pub running: Running,
    files: Vec<PathBuf>,
    init: Option<Duration>,
}

/// What a script in dom0 did.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its output and error output, one line each.
    pub output: String,
    /// Its exit status; none when the machine ended before the script did.
    pub status: Option<i32>,
    /// How the machine ended; none: it had to be killed.
    pub shutdown: Option<Shutdown>,
    /// From the start of QEMU to the first line of /init.
    pub init: Option<Duration>,
    /// The console's copy.
    pub log: PathBuf,
    /// All that the console said.
    pub console: String,
}

const INIT: &str = "@xt-init@";
const EXIT: &str = "@xt-exit@ ";
const OUTPUT: &str = "@xt@";

impl Dom0 {
    /// A machine that was started by other means; `files` are removed at its end.
    #[must_use]
    pub fn of(running: Running, files: Vec<PathBuf>) -> Self {
        Self { running, files, init: None }
    }

    /// Does the machine go on so long without coming to /init?
    fn hangs(&mut self, patience: Duration) -> bool {
        let come = self.running.console.expect(INIT, self.running.started + patience);
        if come.is_ok() {
            self.init = Some(self.running.started.elapsed());
        }
        matches!(come, Err(Silence::Timeout))
    }

    /// Waits until /init runs; how long after QEMU's start that was.
    ///
    /// # Errors
    /// When it does not within `patience`.
    pub fn wait_for_init(&mut self, patience: Duration) -> Result<Duration> {
        let deadline = self.running.started + patience;
        match self.running.console.expect(INIT, deadline) {
            Ok(_) => {
                let took = self.running.started.elapsed();
                self.init = Some(took);
                Ok(took)
            }
            Err(silence) => Err(self.complain(silence, "dom0's /init did not start", patience)),
        }
    }

    /// The next line that the script prints; none when it or the machine has ended.
    ///
    /// # Errors
    /// When there is none within `patience` from now.
    pub fn next_line(&mut self, patience: Duration) -> Result<Option<String>> {
        let deadline = deadline(patience);
        loop {
            match self.running.console.line(deadline) {
                Ok(line) if line.contains(EXIT) => return Ok(None),
                Ok(line) => {
                    if let Some(at) = line.find(OUTPUT) {
                        return Ok(line.get(at + OUTPUT.len()..).map(ToOwned::to_owned));
                    }
                }
                Err(Silence::Closed) => return Ok(None),
                Err(silence) => return Err(self.complain(silence, "the script said nothing", patience)),
            }
        }
    }

    /// Reads the script's output to its end, each line handed to `each` at once, then waits for the machine's end.
    ///
    /// # Errors
    /// When the script does not end within `patience` and the machine goes on.
    pub fn finish(mut self, patience: Duration, mut each: impl FnMut(&str)) -> Result<Finished> {
        let deadline = self.running.started + patience;
        let mut output = String::new();
        let mut status = None;
        loop {
            match self.running.console.line(deadline) {
                Ok(line) if line.contains(INIT) => self.init = Some(self.running.started.elapsed()),
                Ok(line) => {
                    if let Some(at) = line.find(EXIT) {
                        status = line[at + EXIT.len()..].trim().parse().ok();
                        break;
                    }
                    if let Some(at) = line.find(OUTPUT) {
                        let said = &line[at + OUTPUT.len()..];
                        each(said);
                        output.push_str(said);
                        output.push('\n');
                    }
                }
                Err(Silence::Closed) => break,
                Err(silence) => {
                    let what =
                        if self.init.is_none() { "dom0's /init did not start" } else { "the script did not end" };
                    return Err(self.complain(silence, what, patience));
                }
            }
        }
        let shutdown = self.running.wait(Duration::from_secs(15))?;
        let log = self.running.log.clone();
        Ok(Finished { output, status, shutdown, init: self.init, log, console: self.running.console.text() })
    }

    fn complain(&self, silence: Silence, what: &str, patience: Duration) -> anyhow::Error {
        let how = match silence {
            Silence::Closed => "before the machine ended".to_owned(),
            Silence::Timeout => format!("within {} s", patience.as_secs()),
        };
        let tail = tail(&self.running.console.text(), 25);
        anyhow::anyhow!("{what} {how}; the console ended with\n{tail}\n(all of it: {})", self.running.log.display())
    }
}

impl Drop for Dom0 {
    fn drop(&mut self) {
        remove(&self.files);
    }
}

/// The last `count` lines of `text`.
#[must_use]
pub fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(count);
    lines.get(from..).unwrap_or_default().join("\n")
}

fn remove(files: &[PathBuf]) {
    for file in files {
        // Gone already is as good.
        let _ = std::fs::remove_file(file);
    }
}

fn join(first: &str, second: &str) -> String {
    [first, second].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `patience` from now.
#[must_use]
pub fn deadline(patience: Duration) -> Instant {
    Instant::now() + patience
}
