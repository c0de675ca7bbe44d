// SPDX-License-Identifier: MIT OR Apache-2.0
//! callback_op (30): entry points of a guest kernel.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::callback::{CallbackFlags, CallbackOp, CallbackRegister, CallbackType, CallbackUnregister};
use hypercalls::errno::Errno;
use hypercalls::handle::GuestHandle;

use crate::domain::vcpu::Callback;
use crate::hypercall::{Args, Cx, HypercallResult, Outcome, pv_state};
use crate::mm::guest_access;
use crate::x86::context;

/// HYPERVISOR_callback_op(cmd, arg), for the calling vCPU. ENOSYS: unknown command or type. EFAULT, EINVAL.
pub(crate) fn callback_op(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[cmd, arg, ..] = args;
    match CallbackOp::new(cmd as u32) {
        CallbackOp::REGISTER => {
            let callback = guest_access::read(GuestHandle::<CallbackRegister>::new(arg))?;
            register(cx, &callback)?;
        }
        CallbackOp::UNREGISTER => {
            let callback = guest_access::read(GuestHandle::<CallbackUnregister>::new(arg))?;
            unregister(cx, callback.callback_type)?;
        }
        _ => return Err(Errno::ENOSYS.into()),
    }
    Ok(Outcome::DONE)
}

fn register(cx: &mut Cx<'_>, callback: &CallbackRegister) -> Result<(), Errno> {
    if !context::is_canonical(callback.address) {
        return Err(Errno::EINVAL);
    }
    let mask_events = callback.flags.contains(CallbackFlags::MASK_EVENTS);
    let state = &mut *cx.state;
    let (slot, mask_events) = match callback.callback_type {
        // An upcall always masks events, whatever the flag says.
        CallbackType::EVENT => (&mut state.event_callback, true),
        CallbackType::FAILSAFE => (&mut state.failsafe_callback, mask_events),
        CallbackType::SYSCALL => (&mut state.syscall_callback, mask_events),
        CallbackType::SYSCALL32 => (&mut state.syscall32_callback, mask_events),
        CallbackType::SYSENTER => (&mut state.sysenter_callback, mask_events),
        CallbackType::NMI => return pv_state::register_nmi(cx, callback.address),
        _ => return Err(Errno::ENOSYS),
    };
    *slot = Callback { address: callback.address, mask_events };
    Ok(())
}

/// Only the NMI callback can go. EINVAL: the others.
fn unregister(cx: &mut Cx<'_>, kind: CallbackType) -> Result<(), Errno> {
    match kind {
        CallbackType::NMI => {
            pv_state::unregister_nmi(cx.state);
            Ok(())
        }
        CallbackType::EVENT
        | CallbackType::FAILSAFE
        | CallbackType::SYSCALL
        | CallbackType::SYSCALL32
        | CallbackType::SYSENTER => Err(Errno::EINVAL),
        _ => Err(Errno::ENOSYS),
    }
}
