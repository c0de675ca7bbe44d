// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn dmesg`.

use crate::context::Context;
use crate::error::{At, Failure};
use crate::output;
use xen_control::ConsoleText;

/// Options of `xn dmesg`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn dmesg | tail")]
pub(crate) struct Args {
    /// Forget the messages after they are shown
    #[arg(short = 'c', long)]
    pub(crate) clear: bool,
    #[command(flatten)]
    pub(crate) output: crate::output::OutputArgs,
}

/// Shows the hypervisor's messages.
pub(crate) fn run(args: &Args, context: &mut Context) -> Result<(), Failure> {
    let control = context.control()?;
    let ConsoleText { bytes, next } = whole_ring(|from| control.read_console(from, AT_ONCE)).at(|| "dmesg")?;
    if args.output.is_json() {
        let text = String::from_utf8_lossy(&bytes);
        output::json(&text.lines().collect::<Vec<_>>())?;
    } else {
        output::bytes(&bytes)?;
    }
    // Only what was shown: nothing that comes meanwhile is lost.
    if args.clear { control.clear_console(next).at(|| "dmesg") } else { Ok(()) }
}

/// Bytes to ask for at once.
const AT_ONCE: usize = 32 << 10;

/// All that the ring holds when it is begun; it ends at the first answer that is not full.
fn whole_ring<E>(mut read: impl FnMut(Option<u32>) -> Result<ConsoleText, E>) -> Result<ConsoleText, E> {
    let mut bytes = Vec::new();
    let mut from = None;
    loop {
        let part = read(from)?;
        bytes.extend_from_slice(&part.bytes);
        if part.bytes.len() < AT_ONCE {
            return Ok(ConsoleText { bytes, next: part.next });
        }
        from = Some(part.next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_ring_is_read_in_parts() {
        let sizes = [AT_ONCE, AT_ONCE, 5];
        let mut asked = Vec::new();
        let read = |from: Option<u32>| {
            let size = sizes[asked.len()];
            asked.push(from);
            Ok::<_, ()>(ConsoleText { bytes: vec![b'x'; size], next: asked.len() as u32 })
        };
        let whole = whole_ring(read).unwrap();
        assert_eq!((whole.bytes.len(), whole.next), (2 * AT_ONCE + 5, 3));
        assert_eq!(asked, [None, Some(1), Some(2)]);
    }
}
