// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a command failed: one line for a person, one exit code for a script.

use crate::output;
use std::fmt;
use std::process::ExitCode;

/// What kind of failure it is. The number is the exit code; README.md lists them for users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The hypervisor or the system refused.
    Failed = 1,
    /// The command line or the domain's configuration is wrong.
    Usage = 2,
    /// No such domain.
    NoDomain = 3,
    /// The name or device is in use, or the domain is in a state that excludes it.
    Conflict = 4,
    /// Not enough memory, or another resource is used up.
    Resources = 5,
    /// A daemon does not answer, or this is not a privileged domain of a Xen host.
    Service = 6,
    /// The guest or a device did not react in time.
    Timeout = 7,
    /// A device could not be made or connected.
    Device = 8,
    /// A kernel, ramdisk or disk file is missing or damaged.
    Image = 9,
    /// Ctrl-C, or a signal to end.
    Interrupted = 130,
    /// Nobody reads what we print: the shell's number for that signal. Nothing is said.
    BrokenPipe = 141,
}

impl Class {
    /// Every class.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 11] = [
        Self::Failed,
        Self::Usage,
        Self::NoDomain,
        Self::Conflict,
        Self::Resources,
        Self::Service,
        Self::Timeout,
        Self::Device,
        Self::Image,
        Self::Interrupted,
        Self::BrokenPipe,
    ];

    /// The exit code.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

/// A failed command: `STEP: STEP: WHY; REMEDY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    class: Class,
    /// What was being done, outermost last: `disk xvda`, then `create demo`.
    steps: Vec<String>,
    why: String,
    remedy: Option<String>,
}

/// The system's words for an error, without Rust's ` (os error N)`: the number says nothing to whoever reads the words.
fn without_error_numbers(mut text: String) -> String {
    const START: &str = " (os error ";
    while let Some(start) = text.find(START) {
        let Some(end) = text.get(start..).and_then(|rest| rest.find(')')) else { break };
        text.replace_range(start..=start.saturating_add(end), "");
    }
    text
}

impl Failure {
    /// A failure for this reason.
    pub(crate) fn new(class: Class, why: impl fmt::Display) -> Self {
        Self { class, steps: Vec::new(), why: without_error_numbers(why.to_string()), remedy: None }
    }

    /// What to do about it. A remedy given further in stays: it knows more.
    pub(crate) fn remedy(mut self, remedy: impl fmt::Display) -> Self {
        self.remedy.get_or_insert_with(|| remedy.to_string());
        self
    }

    /// What was being done when it happened; the outer step comes later.
    pub(crate) fn at(mut self, step: impl fmt::Display) -> Self {
        self.steps.push(step.to_string());
        self
    }

    /// Of another kind than was thought further in.
    pub(crate) fn class_is(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    /// What was made before the failure could not be taken back, for this reason.
    pub(crate) fn and_left(mut self, reason: &Self) -> Self {
        self.why =
            format!("{} (and taking back what was done failed: {reason}; 'xn monitor' will try again)", self.why);
        self
    }

    /// The kind.
    pub(crate) fn class(&self) -> Class {
        self.class
    }

    /// Says it on standard error and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if self.class != Class::BrokenPipe {
            output::note(self);
        }
        ExitCode::from(self.class.code())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in self.steps.iter().rev() {
            write!(f, "{step}: ")?;
        }
        f.write_str(&self.why)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

impl From<xenstore::client::Error> for Failure {
    fn from(error: xenstore::client::Error) -> Self {
        use xenstore::Error as Reason;
        let class = match error.reason() {
            Some(Reason::NoSpace) => Class::Resources,
            Some(Reason::Exists | Reason::Again | Reason::Busy) => Class::Conflict,
            None if error.is_closed() => Class::Service,
            _ => Class::Failed,
        };
        let failure = Self::new(class, &error);
        match error.reason() {
            Some(Reason::NotFound) => Self::new(class, format!("{error} (no such node)")),
            Some(Reason::NoSpace) => failure.remedy("a quota is used up: see 'xn store quota'"),
            Some(Reason::Access | Reason::NotPermitted) => failure.remedy("only the control domain may do this"),
            Some(Reason::Invalid) => failure.remedy("see that the path is absolute and has no odd characters"),
            _ => failure,
        }
    }
}

impl From<xen_control::ControlError> for Failure {
    fn from(error: xen_control::ControlError) -> Self {
        use hypercalls::Errno;
        let class = match error.errno() {
            Some(Errno::ESRCH) => Class::NoDomain,
            Some(Errno::ENOMEM | Errno::ENOSPC | Errno::E2BIG) => Class::Resources,
            Some(Errno::EEXIST | Errno::EBUSY) => Class::Conflict,
            Some(Errno::EPERM | Errno::EACCES) => Class::Service,
            _ => Class::Failed,
        };
        Self::new(class, error)
    }
}

/// Steps for results, so that `?` carries them.
pub(crate) trait At<T> {
    /// As [`Failure::at`]; the text is only made for a failure.
    fn at<S: fmt::Display>(self, step: impl FnOnce() -> S) -> Result<T, Failure>;
}

impl<T, E: Into<Failure>> At<T> for Result<T, E> {
    fn at<S: fmt::Display>(self, step: impl FnOnce() -> S) -> Result<T, Failure> {
        self.map_err(|error| error.into().at(step()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_error_numbers_are_left_out() {
        let why = "kernel /none: No such file or directory (os error 2); create it";
        assert_eq!(Failure::new(Class::Image, why).to_string(), "kernel /none: No such file or directory; create it");
        assert_eq!(without_error_numbers("a (os error".into()), "a (os error");
    }

    #[test]
    fn a_failure_reads_from_the_outside_in() {
        let failure = Failure::new(Class::Image, "/x.img: No such file or directory").remedy("create the file");
        let inner: Result<(), Failure> = Err(failure);
        let failure = inner.at(|| "disk xvda").at(|| "create demo").unwrap_err().remedy("not this one");
        assert_eq!(failure.to_string(), "create demo: disk xvda: /x.img: No such file or directory; create the file");
        assert_eq!(failure.class(), Class::Image);
    }

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let documented: Vec<u8> = include_str!("../README.md")
            .lines()
            .skip_while(|line| !line.starts_with("| exit code"))
            .skip(2)
            .take_while(|line| line.starts_with('|'))
            .filter_map(|line| line.split('|').nth(1)?.trim().parse().ok())
            .collect();
        let real: Vec<u8> = [0].into_iter().chain(Class::ALL.map(Class::code)).collect();
        assert_eq!(documented, real);
    }
}
