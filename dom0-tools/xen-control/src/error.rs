// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Why a call failed, in words.

use hypercalls::{DomId, Errno};
use std::io;

/// A call that failed.
#[derive(Debug)]
pub struct ControlError {
    /// What was tried, e.g. `create a domain`.
    pub operation: &'static str,
    /// With which domain.
    pub domain: Option<DomId>,
    /// With what of it, e.g. `machine frame 0x1234`.
    pub detail: Option<String>,
    /// The hypervisor's or the kernel's answer.
    pub error: io::Error,
}

/// What this crate's calls return.
pub type Result<T> = std::result::Result<T, ControlError>;

impl ControlError {
    pub(crate) fn new(operation: &'static str, domain: Option<DomId>, error: impl Into<io::Error>) -> Self {
        Self { operation, domain, detail: None, error: error.into() }
    }

    pub(crate) fn with_detail(self, detail: Option<String>) -> Self {
        Self { detail, ..self }
    }

    /// The error number, if it came from the hypervisor or the kernel. For the numbers Xen uses, both lists agree.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        self.error.raw_os_error().map(Errno::new)
    }

    /// Whether the domain does not exist.
    #[must_use]
    pub fn is_no_domain(&self) -> bool {
        self.errno() == Some(Errno::ESRCH)
    }

    /// Whether there was too little free memory.
    #[must_use]
    pub fn is_no_memory(&self) -> bool {
        self.errno() == Some(Errno::ENOMEM)
    }

    /// What to do about it, where that is known.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        Some(match self.errno()? {
            Errno::EPERM if self.detail.is_some() => "it is not that domain's",
            Errno::EPERM => "this domain may not control others: run it as root in dom0",
            Errno::EACCES => {
                "the hypervisor speaks another version of this interface (these tools speak that of Xen 4.17), or root \
                 is needed"
            }
            Errno::ENOMEM => {
                "the hypervisor has too little free memory: see `xn info`, or give dom0 less (`dom0_mem=`)"
            }
            Errno::ESRCH => "there is no such domain (any more): see `xn list`",
            Errno::ENOSYS | Errno::EOPNOTSUPP => "this hypervisor does not have that operation",
            Errno::EBUSY => "it is in use: try again",
            _ => return None,
        })
    }
}

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.operation)?;
        if let Some(domain) = self.domain {
            write!(f, ", domain {}", domain.raw())?;
        }
        if let Some(detail) = &self.detail {
            write!(f, ", {detail}")?;
        }
        write!(f, ": {}", self.error)?;
        if let Some(advice) = self.advice() {
            write!(f, "; {advice}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ControlError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_with_whom_why_and_what_to_do() {
        let error = ControlError::new("pause a domain", Some(DomId::new(7)), io::Error::from_raw_os_error(3));
        assert!(error.is_no_domain());
        assert_eq!(
            error.to_string(),
            "pause a domain, domain 7: No such process (os error 3); there is no such domain (any more): see `xn list`"
        );
    }
}
