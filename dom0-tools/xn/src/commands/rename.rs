// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn rename`.

use crate::context::Context;
use crate::domain::uuid;
use crate::error::{At, Class, Failure};

/// Options of `xn rename`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn rename demo web1")]
pub(crate) struct Args {
    /// Name or number
    pub(crate) domain: String,
    /// The new name
    pub(crate) new_name: String,
}

/// Changes a name that nobody else has.
pub(crate) fn run(args: &Args, context: &mut Context) -> Result<(), Failure> {
    rename(args, context).at(|| "rename")
}

fn rename(args: &Args, context: &Context) -> Result<(), Failure> {
    check(&args.new_name)?;
    let info = context.domain_info(&args.domain)?;
    let (own, store) = (info.id.raw().to_string(), context.store()?);
    let holder = store.transaction(|nodes| {
        for id in nodes.list("/local/domain")? {
            let name = nodes.find_text(&format!("/local/domain/{id}/name"))?;
            if id != own && name.as_deref() == Some(&args.new_name) {
                return Ok(Some(id));
            }
        }
        nodes.write(&format!("/local/domain/{own}/name"), &args.new_name)?;
        let vm = format!("/vm/{}", uuid(&info.uuid));
        if nodes.exists(&vm)? {
            nodes.write(&format!("{vm}/name"), &args.new_name)?;
        }
        Ok(None)
    })?;
    match holder {
        None => Ok(()),
        Some(id) => {
            let why = format!("the name '{}' is in use by domain {id}", args.new_name);
            Err(Failure::new(Class::Conflict, why).remedy("choose another name"))
        }
    }
}

/// A name must be told from a number and fit on a line.
fn check(name: &str) -> Result<(), Failure> {
    let wrong = |why: &str| Err(Failure::new(Class::Usage, format!("'{}' {why}", name.escape_default())));
    if name.is_empty() || name.bytes().all(|byte| byte.is_ascii_digit()) {
        return wrong("is no name: digits alone are a domain's number");
    }
    if name.chars().any(|c| c.is_control() || c == '/') || name.len() > 255 {
        return wrong("is no name: control characters and slashes are not allowed, nor more than 255 bytes");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for name in ["", "17", "a/b", "a\n"] {
            assert_eq!(check(name).unwrap_err().class(), Class::Usage, "{name:?}");
        }
        for name in ["demo", "web 1", "1a"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }
}
