// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Who the hypervisor is.

use crate::control::Control;
use crate::error::{ControlError, Result};
use hypercalls::version::{BuildId, CompileInfo, PlatformParameters, VersionOp};
use hypercalls::{Errno, HypercallNumber};
use zerocopy::FromZeros;

/// The hypervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// 4 in 4.17.
    pub major: u32,
    /// 17 in 4.17.
    pub minor: u32,
    /// What follows, e.g. `.4`.
    pub extra: String,
    /// Kinds of guests, blank-separated.
    pub capabilities: String,
    /// Version-control name of the source.
    pub changeset: String,
    /// Compiler.
    pub compiler: String,
    /// Who built it.
    pub compiled_by: String,
    /// Where.
    pub compile_domain: String,
    /// When.
    pub compile_date: String,
    /// Its command line.
    pub command_line: String,
    /// First address it keeps in a guest's address space.
    pub virt_start: u64,
    /// Bytes in a page.
    pub page_size: u64,
    /// Its build id in hexadecimal, if it has one.
    pub build_id: Option<String>,
}

/// Text up to the first NUL.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

const OPERATION: &str = "ask for the hypervisor's version";

impl Control {
    /// Who the hypervisor is.
    ///
    /// # Errors
    /// What the hypervisor answers.
    pub fn version(&self) -> Result<Version> {
        let number = self.version_number(VersionOp::VERSION)? as u32;
        let mut compile = CompileInfo::new_zeroed();
        self.version_op(OPERATION, VersionOp::COMPILE_INFO, &mut compile)?;
        let mut platform = PlatformParameters::new_zeroed();
        self.version_op(OPERATION, VersionOp::PLATFORM_PARAMETERS, &mut platform)?;
        Ok(Version {
            major: number >> 16,
            minor: number & 0xffff,
            extra: self.version_text::<16>(VersionOp::EXTRAVERSION)?,
            capabilities: self.version_text::<1024>(VersionOp::CAPABILITIES)?.trim_end().to_owned(),
            changeset: self.version_text::<64>(VersionOp::CHANGESET)?,
            compiler: text(&compile.compiler),
            compiled_by: text(&compile.compile_by),
            compile_domain: text(&compile.compile_domain),
            compile_date: text(&compile.compile_date),
            command_line: self.version_text::<1024>(VersionOp::COMMANDLINE)?,
            virt_start: platform.virt_start,
            page_size: self.version_number(VersionOp::PAGESIZE)?,
            build_id: self.build_id()?,
        })
    }

    fn version_number(&self, op: VersionOp) -> Result<u64> {
        self.call(HypercallNumber::XEN_VERSION, [u64::from(op.raw()), 0, 0, 0, 0])
            .map_err(|error| ControlError::new(OPERATION, None, error))
    }

    fn version_text<const N: usize>(&self, op: VersionOp) -> Result<String> {
        let mut bytes = [0_u8; N];
        self.version_op(OPERATION, op, &mut bytes)?;
        Ok(text(&bytes))
    }

    fn build_id(&self) -> Result<Option<String>> {
        let mut bytes = [0_u8; 1024];
        let head = BuildId { len: (bytes.len() - size_of::<BuildId>()) as u32 };
        for (to, from) in bytes.iter_mut().zip(zerocopy::IntoBytes::as_bytes(&head)) {
            *to = *from;
        }
        let failed = |error| ControlError::new(OPERATION, None, error);
        let buffer = self.put(&bytes).map_err(failed)?;
        let args = [u64::from(VersionOp::BUILD_ID.raw()), buffer.address(), 0, 0, 0];
        match self.call(HypercallNumber::XEN_VERSION, args) {
            Ok(len) => {
                let id = buffer.as_bytes().iter().skip(size_of::<BuildId>()).take(len as usize);
                Ok(Some(id.map(|byte| format!("{byte:02x}")).collect()))
            }
            Err(error) if error.raw_os_error() == Some(Errno::ENODATA.raw()) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}
