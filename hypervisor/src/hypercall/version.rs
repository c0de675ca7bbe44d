// SPDX-License-Identifier: MIT OR Apache-2.0
//! xen_version (17): what hypervisor this is and what it can do. Guests also call it to be given their events.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::errno::Errno;
use hypercalls::handle::GuestHandle;
use hypercalls::version::{
    CapabilitiesInfo, ChangesetInfo, Commandline, CompileInfo, Extraversion, FeatureInfo, Features, PlatformParameters,
    Varbuf, VersionOp,
};
use hypercalls::vm_assist::VmAssistType;

use crate::config::{EXTRA_VERSION, MAJOR_VERSION, MINOR_VERSION};
use crate::domain::host;
use crate::hypercall::{Args, Cx, HypercallResult, Outcome, census};
use crate::mm::guest_access;
use crate::mm::layout::M2P_GUEST_START;

/// What kinds of guests run here; toolstacks look their kernel's kind up in it. The blank at the end belongs to it.
const CAPABILITIES: &str = "xen-3.0-x86_64 ";
const PAGE_SIZE: u64 = 4096;
/// What those read who may not read the command line.
const DENIED: &str = "<denied>";
const COMPILER: &str = env!("XENOLITH_COMPILER");

/// What `XENVER_version` says.
pub(crate) const VERSION: u64 = MAJOR_VERSION << 16 | MINOR_VERSION;

/// HYPERVISOR_xen_version(cmd, arg), with what Xen 4.20 has besides. ENOSYS: unknown. EFAULT, EINVAL. ENOBUFS: no room for a text.
/// The build id is for control domains, and so is the command line where it is not cut off: EPERM.
pub(crate) fn xen_version(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[cmd, arg, ..] = args;
    census::XEN_VERSION.note(cmd as u32, arg);
    match VersionOp::new(cmd as u32) {
        VersionOp::VERSION => return Ok(Outcome::Done(VERSION)),
        VersionOp::PAGESIZE if arg == 0 => return Ok(Outcome::Done(PAGE_SIZE)),
        VersionOp::PAGESIZE => return Err(Errno::EINVAL.into()),
        VersionOp::EXTRAVERSION => guest_access::write::<Extraversion>(GuestHandle::new(arg), &text(EXTRA_VERSION))?,
        VersionOp::COMPILE_INFO => guest_access::write(GuestHandle::new(arg), &compile_info())?,
        VersionOp::CAPABILITIES => guest_access::write::<CapabilitiesInfo>(GuestHandle::new(arg), &text(CAPABILITIES))?,
        VersionOp::CHANGESET => {
            guest_access::write::<ChangesetInfo>(GuestHandle::new(arg), &text(changeset()))?;
        }
        VersionOp::PLATFORM_PARAMETERS => {
            guest_access::write(GuestHandle::new(arg), &PlatformParameters { virt_start: M2P_GUEST_START })?;
        }
        VersionOp::GET_FEATURES => get_features(cx, GuestHandle::new(arg))?,
        VersionOp::GUEST_HANDLE => {
            let handle = *cx.domain().handle.lock();
            guest_access::write(GuestHandle::new(arg), &handle)?;
        }
        VersionOp::COMMANDLINE => {
            let line = if cx.domain().is_control { host::command_line() } else { DENIED };
            guest_access::write::<Commandline>(GuestHandle::new(arg), &text(line))?;
        }
        VersionOp::BUILD_ID => {
            cx.require_control()?;
            // The image is linked without one.
            return Err(Errno::ENODATA.into());
        }
        VersionOp::EXTRAVERSION2 => return whole(arg, EXTRA_VERSION),
        VersionOp::CAPABILITIES2 => return whole(arg, CAPABILITIES),
        VersionOp::CHANGESET2 => return whole(arg, changeset()),
        VersionOp::COMMANDLINE2 => {
            cx.require_control()?;
            return whole(arg, host::command_line());
        }
        _ => return Err(Errno::ENOSYS.into()),
    }
    Ok(Outcome::DONE)
}

/// A text that is not cut off and not ended: into the buffer at `arg`, or for null only its length. EFAULT. EINVAL: a buffer of
/// no bytes. ENOBUFS: of too few.
fn whole(arg: u64, text: &str) -> HypercallResult {
    if arg != 0 {
        let head: Varbuf = guest_access::read(GuestHandle::new(arg))?;
        if head.len == 0 {
            return Err(Errno::EINVAL.into());
        }
        if (head.len as usize) < text.len() {
            return Err(Errno::ENOBUFS.into());
        }
        let buffer = arg.checked_add(size_of::<Varbuf>() as u64).ok_or(Errno::EFAULT)?;
        guest_access::write_bytes(buffer, text.as_bytes())?;
    }
    Ok(Outcome::Done(text.len() as u64))
}

/// EINVAL: there is one word of features.
fn get_features(cx: &Cx<'_>, handle: GuestHandle<FeatureInfo>) -> Result<(), Errno> {
    let mut info = guest_access::read(handle)?;
    if info.submap_idx != 0 {
        return Err(Errno::EINVAL);
    }
    info.submap = Features::MEMORY_OP_VNODE_SUPPORTED
        | Features::MMU_PT_UPDATE_PRESERVE_AD
        | Features::HIGHMEM_ASSIST
        | Features::GNTTAB_MAP_AVAIL_BITS
        | Features::DIRECT_MAPPED;
    if cx.domain().assists(VmAssistType::PAE_EXTENDED_CR3.raw()) {
        info.submap |= Features::PAE_PGDIR_ABOVE_4GB;
    }
    if cx.domain().is_control {
        info.submap |= Features::DOM0;
    }
    guest_access::write(handle, &info)
}

/// The revision that was built, if the builder said so.
pub(super) fn changeset() -> &'static str {
    option_env!("XENOLITH_CHANGESET").unwrap_or("unavailable")
}

/// Builders who want their name in it say so in the environment; a reproducible build has none of this.
pub(super) fn compile_info() -> CompileInfo {
    CompileInfo {
        compiler: text(COMPILER),
        compile_by: text(option_env!("XENOLITH_COMPILE_BY").unwrap_or("")),
        compile_domain: text(option_env!("XENOLITH_COMPILE_DOMAIN").unwrap_or("")),
        compile_date: text(option_env!("XENOLITH_COMPILE_DATE").unwrap_or("")),
    }
}

/// A string in a field of `N` bytes: cut off if need be, always ended, the rest zero.
fn text<const N: usize>(from: &str) -> [u8; N] {
    let mut field = [0; N];
    let room = N.saturating_sub(1);
    for (slot, byte) in field.iter_mut().take(room).zip(from.bytes()) {
        *slot = byte;
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_and_ended() {
        assert_eq!(text::<4>("ab"), *b"ab\0\0");
        assert_eq!(text::<4>("abcdef"), *b"abc\0");
    }
}
