// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Every struct, field and constant of the crate against Xen's public C headers.
//!
//! One table (the sibling files) pairs Rust names with C expressions. From it come both the C program, which prints
//! what the compiler makes of the headers, and the same lines as Rust sees them. The two must agree, and so must the
//! golden file, which is that program's reviewed output and stands in for it where there is no compiler.

mod macros;
mod table_control;
mod table_guest;
mod table_io;
mod table_numbers;
mod table_toolstack;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// C expressions (as the compiler sees them) with the value Rust gives them.
type Facts = Vec<(String, i128)>;

/// What the C program needs: the public headers, in their newest version and with the toolstack's parts.
const PRELUDE: &str = r"
#include <stdio.h>
#include <stddef.h>
#include <stdint.h>
#define __XEN_TOOLS__ 1
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/xen.h>
#include <xen/errno.h>
#include <xen/callback.h>
#include <xen/domctl.h>
#include <xen/elfnote.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/hypfs.h>
#include <xen/memory.h>
#include <xen/nmi.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/pmu.h>
#include <xen/sched.h>
#include <xen/sysctl.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#include <xen/arch-x86/xen-mca.h>
#include <xen/io/ring.h>
#include <xen/io/blkif.h>
#include <xen/io/console.h>
#include <xen/io/netif.h>
#include <xen/io/protocols.h>
#include <xen/io/xenbus.h>
#include <xen/io/xs_wire.h>
";

fn facts() -> Facts {
    let mut facts = Facts::new();
    table_numbers::add(&mut facts);
    table_guest::add(&mut facts);
    table_control::add(&mut facts);
    table_toolstack::add(&mut facts);
    table_io::add(&mut facts);
    facts
}

fn lines(facts: &Facts) -> String {
    facts.iter().fold(String::new(), |mut text, (expression, value)| {
        writeln!(text, "{expression} = {value}").expect("a String takes everything");
        text
    })
}

/// The C program; its expressions are printed signed or unsigned as their C type is.
fn program(facts: &Facts) -> String {
    let mut text = String::from(PRELUDE);
    text.push_str(
        "#define NAME(s, e) printf(((e) < 0 ? \"%s = %lld\\n\" : \"%s = %llu\\n\"), s, (unsigned long long)(e))\n",
    );
    text.push_str("int main(void) {\n");
    for (expression, _) in facts {
        writeln!(text, "NAME(\"{expression}\", {expression});").expect("a String takes everything");
    }
    text.push_str("return 0; }\n");
    text
}

fn compare(what: &str, theirs: &str) {
    let parse = |text: &str| -> BTreeMap<String, String> {
        text.lines()
            .filter_map(|line| line.rsplit_once(" = "))
            .map(|(expression, value)| (expression.to_owned(), value.to_owned()))
            .collect()
    };
    let ours = parse(&lines(&facts()));
    let theirs = parse(theirs);
    let mut wrong: Vec<String> = ours
        .iter()
        .filter(|(expression, value)| theirs.get(*expression) != Some(*value))
        .map(|(expression, value)| format!("{expression}: Rust {value}, {what} {:?}", theirs.get(expression)))
        .collect();
    wrong.extend(theirs.keys().filter(|e| !ours.contains_key(*e)).map(|e| format!("{e}: only in {what}")));
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

fn golden_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layout.golden")
}

/// Compiles and runs the C program; the error names the package to install.
fn compiled() -> Result<String, String> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, binary) = (dir.join("layout.c"), dir.join("layout"));
    std::fs::write(&source, program(&facts())).map_err(|e| format!("{}: {e}", source.display()))?;
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(&compiler);
    if let Some(include) = std::env::var_os("XEN_INCLUDE") {
        command.arg("-I").arg(include);
    }
    let output = command.args(["-std=gnu11", "-w", "-O0", "-o"]).args([&binary, &source]).output().map_err(|e| {
        format!("no C compiler ({}: {e}); apt-get install gcc libc6-dev libxen-dev", compiler.display())
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let hint = if said.contains("No such file") { "; apt-get install libc6-dev libxen-dev" } else { "" };
        return Err(format!("the C program does not compile{hint}:\n{said}"));
    }
    let output = Command::new(&binary).output().map_err(|e| format!("{}: {e}", binary.display()))?;
    if !output.status.success() {
        return Err(format!("the C program ended with {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("the C program printed {e}"))
}

#[test]
fn rust_agrees_with_the_c_headers() {
    let theirs = compiled().unwrap_or_else(|error| panic!("{error}"));
    if std::env::var_os("LAYOUT_BLESS").is_some() {
        std::fs::write(golden_path(), &theirs).expect("the golden file can be written");
    }
    compare("C", &theirs);
}

#[test]
fn rust_agrees_with_the_golden_file() {
    let golden = std::fs::read_to_string(golden_path()).expect("tests/layout.golden is in the repository");
    compare("golden", &golden);
}
