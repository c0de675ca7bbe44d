// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names of domains are unique. Who has which is kept in the store below `/xenolith/name`: looking it up costs the same however many domains there
//! are, and two creations that want the same name at once are told apart by the store's transactions.

use crate::error::{Class, Failure};
use hypercalls::DomId;
use std::fmt::Write;
use xenstore::client::{Error, Nodes};

const NAMES: &str = "/xenolith/name";

/// What dom0 is called.
const DOM0: &str = "Domain-0";

/// The domain that has `name`, if it is not `but`.
pub(crate) fn holder(nodes: &Nodes<'_>, name: &str, but: Option<DomId>) -> Result<Option<DomId>, Error> {
    if name == DOM0 {
        return Ok(Some(DomId::DOM0).filter(|_| but != Some(DomId::DOM0)));
    }
    let Some(text) = nodes.find_text(&path(name))? else { return Ok(None) };
    let Some(id) = text.parse().ok().map(DomId::new).filter(|id| Some(*id) != but) else { return Ok(None) };
    // The claim of a domain that is gone, or called otherwise by now, counts for nothing.
    let own = nodes.find_text(&format!("/local/domain/{}/name", id.raw()))?;
    Ok((own.as_deref() == Some(name)).then_some(id))
}

/// Gives `name` to a domain, and makes its name node; the domain that has it already otherwise. To be called in a transaction.
pub(crate) fn claim(nodes: &Nodes<'_>, name: &str, domain: DomId) -> Result<Option<DomId>, Error> {
    let other = holder(nodes, name, Some(domain))?;
    if other.is_none() {
        nodes.write(&path(name), domain.raw().to_string())?;
        nodes.write(&format!("/local/domain/{}/name", domain.raw()), name)?;
    }
    Ok(other)
}

/// Gives a name up, if it is the domain's.
pub(crate) fn release(nodes: &Nodes<'_>, name: &str, domain: DomId) -> Result<(), Error> {
    let path = path(name);
    if nodes.find_text(&path)?.is_some_and(|own| own == domain.raw().to_string()) {
        nodes.discard(&path)?;
    }
    Ok(())
}

/// A name, of a domain or of what else has a number too (`of`), must be told from that and fit on a line.
pub(crate) fn check(name: &str, of: &str) -> Result<(), Failure> {
    let wrong = |why: &str| Err(Failure::new(Class::Usage, format!("'{}' is no name: {why}", name.escape_default())));
    if name.is_empty() || name.bytes().all(|byte| byte.is_ascii_digit()) {
        return wrong(&format!("digits alone are a {of}'s number"));
    }
    if name.chars().any(|c| c.is_control() || c == '/') || name.len() > 255 {
        return wrong("control characters and slashes are not allowed, nor more than 255 bytes");
    }
    Ok(())
}

/// A name as the name of a node: what nodes cannot have in their names becomes `@` and two hexadecimal digits.
fn path(name: &str) -> String {
    let mut path = format!("{NAMES}/");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            path.push(char::from(byte));
        } else if write!(path, "@{byte:02x}").is_err() {
            // Writing to a `String` does not fail.
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for name in ["", "17", "a/b", "a\n"] {
            assert_eq!(check(name, "domain").unwrap_err().class(), Class::Usage, "{name:?}");
        }
        for name in ["demo", "web 1", "1a"] {
            assert_eq!(check(name, "domain"), Ok(()), "{name}");
        }
    }

    #[test]
    fn any_name_makes_a_node() {
        assert_eq!(path("web-1_a"), "/xenolith/name/web-1_a");
        assert_eq!(path("a.b/c@"), "/xenolith/name/a@2eb@2fc@40");
    }
}
