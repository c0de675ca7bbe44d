// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Why an operation was refused, and the errno Xen 4.17 gives for it.

use hypercalls::Errno;

/// Why an operation was refused. After any of these nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventError {
    /// The port is beyond every channel the domain ever had.
    BadPort,
    /// The channel is in a state the operation does not apply to.
    WrongState,
    /// The remote channel does not wait for this domain.
    NotOffered,
    /// The channel belongs to the hypervisor: the guest may neither close, send through nor move it.
    XenOwned,
    /// As [`EventError::XenOwned`], for a guest that asks for its status.
    XenOwnedStatus,
    /// No such vCPU.
    NoVcpu,
    /// No such virtual interrupt, or a global one asked for on another vCPU than 0.
    BadVirq,
    /// No such physical interrupt.
    BadPirq,
    /// The virtual or physical interrupt already has a channel.
    AlreadyBound,
    /// All ports the domain may use are taken.
    NoFreePort,
    /// The hypervisor's heap is exhausted.
    NoMemory,
    /// The domain is being destroyed.
    Dying,
    /// The control block leaves its page, is misaligned, or the vCPU already has one.
    BadControlBlock,
    /// The event array already has all its pages.
    ArrayFull,
    /// `expand_array` before `init_control`.
    NotFifo,
    /// The two-level ABI has no priorities.
    NoPriorities,
    /// The priority is beyond the lowest one.
    BadPriority,
    /// The channel is closed, or the hypervisor's.
    Unusable,
    /// Channels were opened while the reset ran: start again.
    StillOpen,
}

impl EventError {
    /// What the hypercall returns.
    #[must_use]
    pub const fn errno(self) -> Errno {
        match self {
            Self::BadPort
            | Self::WrongState
            | Self::NotOffered
            | Self::XenOwned
            | Self::BadVirq
            | Self::BadPirq
            | Self::Dying
            | Self::BadControlBlock
            | Self::BadPriority => Errno::EINVAL,
            Self::XenOwnedStatus | Self::Unusable => Errno::EACCES,
            Self::NoVcpu => Errno::ENOENT,
            Self::AlreadyBound => Errno::EEXIST,
            Self::NoFreePort | Self::ArrayFull => Errno::ENOSPC,
            Self::NoMemory => Errno::ENOMEM,
            Self::NotFifo => Errno::EOPNOTSUPP,
            Self::NoPriorities => Errno::ENOSYS,
            Self::StillOpen => Errno::EAGAIN,
        }
    }
}

impl From<EventError> for Errno {
    fn from(error: EventError) -> Self {
        error.errno()
    }
}
