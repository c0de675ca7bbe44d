// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn store chmod`.

use super::ChmodArgs;
use super::tree::below;
use crate::context::Context;
use crate::error::{At, Class, Failure};
use xenstore::client::{Error, Nodes, Permission};

/// Sets rights, of all nodes concerned or of none.
pub(super) fn chmod(args: &ChmodArgs, context: &mut Context) -> Result<(), Failure> {
    let rights = parse(&args.rights).at(|| "chmod")?;
    let client = context.store()?;
    client.transaction(|nodes| {
        set(nodes, &args.path, &rights, args.recurse)?;
        if args.upwards { set_above(nodes, &args.path, &rights) } else { Ok(()) }
    })?;
    Ok(())
}

fn parse(words: &[String]) -> Result<Vec<Permission>, Failure> {
    let parse = |word: &String| {
        Permission::parse(word).ok_or_else(|| {
            Failure::new(Class::Usage, format!("'{word}' is no right"))
                .remedy("write n (none), r (read), w (write) or b (both) and a domain's number, as in r1")
        })
    };
    words.iter().map(parse).collect()
}

fn set(nodes: &Nodes<'_>, path: &str, rights: &[Permission], recurse: bool) -> Result<(), Error> {
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        nodes.set_perms(&path, rights)?;
        if recurse {
            open.extend(nodes.list(&path)?.iter().map(|name| below(&path, name)));
        }
    }
    Ok(())
}

/// Upwards as long as the owner is the same as that of the node below.
fn set_above(nodes: &Nodes<'_>, path: &str, rights: &[Permission]) -> Result<(), Error> {
    let owner = |path: &str| nodes.get_perms(path).map(|rights| rights.first().map(|right| right.domain));
    let own = rights.first().map(|right| right.domain);
    let mut at = path;
    while let Some((parent, _)) = at.rsplit_once('/') {
        if parent.is_empty() || owner(parent)? != own {
            return Ok(());
        }
        nodes.set_perms(parent, rights)?;
        at = parent;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_letter_and_number() {
        let rights = parse(&["n0".into(), "b12".into()]).unwrap();
        assert_eq!(rights.iter().map(ToString::to_string).collect::<Vec<_>>(), ["n0", "b12"]);
        assert!(parse(&["x0".into()]).unwrap_err().to_string().contains("'x0' is no right"));
    }
}
