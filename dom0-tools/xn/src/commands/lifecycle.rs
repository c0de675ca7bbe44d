// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn shutdown`, `reboot`, `pause`, `unpause`.

use crate::context::Context;
use crate::domain::reason;
use crate::error::{At, Class, Failure};
use crate::output;
use hypercalls::DomId;
use std::time::{Duration, Instant};
use xen_control::DomainInfo;

/// Options of `xn shutdown` and `xn reboot`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn shutdown -w demo; xn reboot demo")]
pub(crate) struct EndArgs {
    /// All guests
    #[arg(short = 'a', long, conflicts_with = "domains")]
    pub(crate) all: bool,
    /// Wait until it has happened; twice: until the domain is gone
    #[arg(short = 'w', long, action = clap::ArgAction::Count)]
    pub(crate) wait: u8,
    /// With -w: give up after so many seconds without a reaction
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub(crate) timeout: u64,
    /// For HVM guests; a PV guest has no other way to be asked, so this changes nothing
    #[arg(short = 'F')]
    pub(crate) fallback: bool,
    /// Names or numbers
    #[arg(value_name = "DOMAIN", required_unless_present = "all")]
    pub(crate) domains: Vec<String>,
}

/// Options of `xn pause` and `xn unpause`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn pause demo; xn unpause demo")]
pub(crate) struct OneArgs {
    /// Names or numbers
    #[arg(value_name = "DOMAIN", required = true)]
    pub(crate) domains: Vec<String>,
}

/// Asks guests to shut down.
pub(crate) fn shutdown(args: &EndArgs, context: &mut Context) -> Result<(), Failure> {
    end(args, "poweroff", context).at(|| "shutdown")
}

/// Asks guests to reboot.
pub(crate) fn reboot(args: &EndArgs, context: &mut Context) -> Result<(), Failure> {
    end(args, "reboot", context).at(|| "reboot")
}

/// Writes the request for each domain; with `-w` waits for all of them.
fn end(args: &EndArgs, request: &str, context: &Context) -> Result<(), Failure> {
    let mut asked = Vec::new();
    for info in meant(args, context)? {
        let label = context.label(info.id);
        may_end(&info).map_err(|failure| failure.at(&label))?;
        if info.paused {
            output::note(format_args!("{label} is paused: it will not react before 'xn unpause'"));
        }
        let node = control_node(info.id);
        if args.wait > 0 {
            context.store()?.watch(&node, TOKEN)?;
        }
        context.store()?.write(&node, request).map_err(|error| Failure::from(error).at(&label))?;
        context.say(format!("{label}: asked for {request}"));
        asked.push(Asked { id: info.id, label, until: deadline(args), accepted: false });
    }
    if args.wait > 0 { wait_for(asked, args, context) } else { Ok(()) }
}

fn meant(args: &EndArgs, context: &Context) -> Result<Vec<DomainInfo>, Failure> {
    if !args.all {
        let mut meant: Vec<DomainInfo> = Vec::new();
        for text in &args.domains {
            let info = context.domain_info(text)?;
            // Named twice is asked once.
            if meant.iter().all(|other| other.id != info.id) {
                meant.push(info);
            }
        }
        return Ok(meant);
    }
    let mut guests = context.control()?.domains()?;
    guests.retain(|info| info.id != DomId::DOM0 && info.shutdown.is_none() && !info.dying);
    Ok(guests)
}

fn may_end(info: &DomainInfo) -> Result<(), Failure> {
    if info.id == DomId::DOM0 {
        return Err(Failure::new(Class::Usage, "dom0 cannot be asked").remedy("use dom0's own shutdown or reboot"));
    }
    if let Some(why) = info.shutdown {
        let why = format!("it has shut down already ({})", reason(why));
        return Err(Failure::new(Class::Conflict, why).remedy("'xn destroy' removes what is left"));
    }
    if info.dying {
        return Err(Failure::new(Class::Conflict, "it is being destroyed"));
    }
    Ok(())
}

/// Where requests are written; the guest empties the node when it takes one.
fn control_node(domain: DomId) -> String {
    format!("/local/domain/{}/control/shutdown", domain.raw())
}

/// All our watches may share it: any event is a reason to look at all domains.
const TOKEN: &str = "xn";

/// A domain that was asked and has not yet ended.
#[derive(Debug)]
struct Asked {
    id: DomId,
    label: String,
    until: Option<Instant>,
    accepted: bool,
}

/// None for a time so long that nobody will see its end.
fn deadline(args: &EndArgs) -> Option<Instant> {
    Instant::now().checked_add(Duration::from_secs(args.timeout))
}

/// Events may be lost with a restarted store: so look every second all the same.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

fn wait_for(mut asked: Vec<Asked>, args: &EndArgs, context: &Context) -> Result<(), Failure> {
    let store = context.store()?;
    store.watch("@releaseDomain", TOKEN)?;
    let mut failed: Option<Failure> = None;
    while !asked.is_empty() {
        let mut pending = Vec::new();
        for one in asked {
            match look(one, args, context)? {
                Look::Ended => {}
                Look::Pending(one) => pending.push(one),
                Look::Late(failure) => match &failed {
                    // Only one failure can be the command's: the others are said here.
                    Some(_) => output::note(failure),
                    None => failed = Some(failure),
                },
            }
        }
        asked = pending;
        if !asked.is_empty() {
            match store.next_event(Some(LOOK_AGAIN)) {
                Err(error) if error.is_closed() => store.reconnect(Duration::from_secs(30))?,
                event => drop(event?),
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

enum Look {
    Ended,
    Pending(Asked),
    Late(Failure),
}

fn look(mut one: Asked, args: &EndArgs, context: &Context) -> Result<Look, Failure> {
    let info = context.control()?.domain_info(one.id)?;
    let Some(info) = info else {
        output::note(format_args!("{} is gone", one.label));
        return Ok(Look::Ended);
    };
    if let (Some(why), 1) = (info.shutdown, args.wait) {
        output::note(format_args!("{} has shut down: {}", one.label, reason(why)));
        return Ok(Look::Ended);
    }
    // The guest has all the time it wants again from when it takes the request.
    let node = context
        .store()?
        .find_text(&control_node(one.id))
        .or_else(|error| if error.is_closed() { Ok(None) } else { Err(error) })?;
    if !one.accepted && node.is_some_and(|word| word.is_empty()) {
        output::note(format_args!("{} is shutting down", one.label));
        one.accepted = true;
        one.until = deadline(args);
    }
    if one.until.is_none_or(|until| Instant::now() < until) {
        return Ok(Look::Pending(one));
    }
    let what = if one.accepted { "is still not down" } else { "has not reacted" };
    let remedy =
        if info.paused { "it is paused: 'xn unpause' it" } else { "see its console, or end it with 'xn destroy'" };
    let failure = Failure::new(Class::Timeout, format!("the guest {what} after {} s", args.timeout));
    Ok(Look::Late(failure.remedy(remedy).at(one.label)))
}

/// Keeps domains from running; one that is paused stays so.
pub(crate) fn pause(args: &OneArgs, context: &mut Context) -> Result<(), Failure> {
    let pause = |text: &String| -> Result<(), Failure> {
        let info = context.domain_info(text)?;
        if info.id == DomId::DOM0 {
            return Err(Failure::new(Class::Usage, "dom0 cannot pause itself"));
        }
        // The hypervisor counts pauses; one unpause shall be enough.
        if info.paused { Ok(()) } else { Ok(context.control()?.pause(info.id)?) }
    };
    args.domains.iter().try_for_each(|text| pause(text).at(|| "pause"))
}

/// Lets domains run.
pub(crate) fn unpause(args: &OneArgs, context: &mut Context) -> Result<(), Failure> {
    let unpause = |text: &String| -> Result<(), Failure> {
        let info = context.domain_info(text)?;
        if !info.paused {
            return Err(Failure::new(Class::Conflict, format!("{} is not paused", context.label(info.id))));
        }
        Ok(context.control()?.unpause(info.id)?)
    };
    args.domains.iter().try_for_each(|text| unpause(text).at(|| "unpause"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples;
    use hypercalls::sched::ShutdownReason;

    #[test]
    fn only_living_guests_can_be_asked() {
        let class = |info: &DomainInfo| may_end(info).map_err(|failure| failure.class());
        assert_eq!(class(&samples::info(1, None)), Ok(()));
        assert_eq!(class(&samples::info(0, None)), Err(Class::Usage));
        assert_eq!(class(&samples::info(1, Some(ShutdownReason::CRASH))), Err(Class::Conflict));
        assert_eq!(class(&DomainInfo { dying: true, ..samples::info(1, None) }), Err(Class::Conflict));
    }
}
