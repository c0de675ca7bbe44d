// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Who may do what with a node: the owner first, whose entry also says what everybody else may, then one entry per domain.

use hypercalls::ids::DomId;
use std::rc::Rc;
use xenstore::Error;

/// What an access needs, or an entry grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// Reading the value, the children and the permissions.
    pub read: bool,
    /// Writing the value, adding children, removing.
    pub write: bool,
    /// Changing the permissions.
    pub own: bool,
}

impl Access {
    /// Nothing.
    pub(crate) const NONE: Self = Self { read: false, write: false, own: false };
    /// Reading.
    pub(crate) const READ: Self = Self { read: true, write: false, own: false };
    /// Writing.
    pub(crate) const WRITE: Self = Self { read: false, write: true, own: false };
    /// Writing and changing permissions.
    pub(crate) const WRITE_OWN: Self = Self { read: false, write: true, own: true };
    /// Everything.
    pub(crate) const ALL: Self = Self { read: true, write: true, own: true };

    const fn covers(self, needed: Self) -> bool {
        (self.read || !needed.read) && (self.write || !needed.write) && (self.own || !needed.own)
    }

    const fn letter(self) -> char {
        match (self.read, self.write) {
            (true, true) => 'b',
            (true, false) => 'r',
            (false, true) => 'w',
            (false, false) => 'n',
        }
    }
}

/// Who asks: a domain, and the one it serves, if any (`XS_SET_TARGET`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    /// The asking domain.
    pub domain: DomId,
    /// The domain in whose name it may act too.
    pub target: Option<DomId>,
}

impl Who {
    /// Whether it is the toolstack's domain, which may do everything.
    #[must_use]
    pub(crate) fn is_privileged(self) -> bool {
        self.domain == DomId::DOM0
    }

    fn is(self, domain: DomId) -> bool {
        self.domain == domain || self.target == Some(domain)
    }
}

/// The permissions of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Perms {
    owner: DomId,
    others: Access,
    named: Rc<[(DomId, Access)]>,
}

impl Perms {
    /// Owned by `owner`, and nobody else may anything.
    #[must_use]
    pub(crate) fn owned_by(owner: DomId) -> Self {
        Self { owner, others: Access::NONE, named: Rc::new([]) }
    }

    /// The same as in the parent, but owned by `owner`.
    #[must_use]
    pub(crate) fn with_owner(&self, owner: DomId) -> Self {
        Self { owner, ..self.clone() }
    }

    /// Without the entries that name `domain`, or `None` if there are none.
    #[must_use]
    pub(crate) fn without(&self, domain: DomId) -> Option<Self> {
        let kept: Vec<_> = self.named.iter().copied().filter(|(named, _)| *named != domain).collect();
        (kept.len() < self.named.len()).then(|| Self { named: kept.into(), ..self.clone() })
    }

    /// Whose quota the node counts against.
    #[must_use]
    pub(crate) fn owner(&self) -> DomId {
        self.owner
    }

    /// Number of entries, the owner's among them.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.named.len().saturating_add(1)
    }

    /// Whether an entry is about `domain`, the owner's among them.
    #[must_use]
    pub(crate) fn mention(&self, domain: DomId) -> bool {
        self.owner == domain || self.named.iter().any(|(named, _)| *named == domain)
    }

    /// Whether `who` may. The first entry that names the domain decides, the default only if none does.
    #[must_use]
    pub(crate) fn allow(&self, who: Who, needed: Access) -> bool {
        if who.is_privileged() || who.is(self.owner) {
            return true;
        }
        let named = self.named.iter().find(|(domain, _)| who.is(*domain));
        named.map_or(self.others, |(_, access)| *access).covers(needed)
    }

    /// Reads entries such as `n0`, `r3`: letter and decimal domain.
    ///
    /// # Errors
    /// `EINVAL` for none, or a malformed one.
    pub(crate) fn parse(entries: &[&[u8]]) -> Result<Self, Error> {
        let entries = entries.iter().map(|entry| parse_entry(entry)).collect::<Result<Vec<_>, _>>()?;
        let ((owner, others), named) = entries.split_first().ok_or(Error::Invalid)?;
        Ok(Self { owner: *owner, others: *others, named: named.into() })
    }

    /// The entries, each with its NUL.
    #[must_use]
    pub(crate) fn to_wire(&self) -> Vec<u8> {
        let first = (self.owner, self.others);
        let all = std::iter::once(&first).chain(self.named.iter());
        all.flat_map(|(domain, access)| format!("{}{}\0", access.letter(), domain.raw()).into_bytes()).collect()
    }
}

fn parse_entry(entry: &[u8]) -> Result<(DomId, Access), Error> {
    let (letter, digits) = entry.split_first().ok_or(Error::Invalid)?;
    let access = match letter {
        b'r' => Access::READ,
        b'w' => Access::WRITE,
        b'b' => Access { own: false, ..Access::ALL },
        b'n' => Access::NONE,
        _ => return Err(Error::Invalid),
    };
    Ok((parse_domain(digits)?, access))
}

/// Reads a decimal domain number.
///
/// # Errors
/// `EINVAL`.
pub(crate) fn parse_domain(digits: &[u8]) -> Result<DomId, Error> {
    let text = str::from_utf8(digits).map_err(|_| Error::Invalid)?;
    if text.starts_with('+') {
        return Err(Error::Invalid);
    }
    text.parse().map(DomId::new).map_err(|_| Error::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(domain: u16) -> Who {
        Who { domain: DomId::new(domain), target: None }
    }

    #[test]
    fn text_goes_both_ways() {
        let perms = Perms::parse(&[b"n1", b"r2", b"b3", b"w4"]).unwrap();
        assert_eq!(perms.to_wire(), b"n1\0r2\0b3\0w4\0");
        assert_eq!(perms.count(), 4);
        for bad in [&b"x1"[..], b"", b"r", b"r-1", b"r+1", b"r70000", b"r1x"] {
            assert_eq!(Perms::parse(&[bad]), Err(Error::Invalid));
        }
        assert_eq!(Perms::parse(&[]), Err(Error::Invalid));
    }

    #[test]
    fn the_first_entry_of_a_domain_decides() {
        let perms = Perms::parse(&[b"r1", b"n2", b"b2", b"w3"]).unwrap();
        assert!(perms.allow(who(0), Access::ALL) && perms.allow(who(1), Access::ALL));
        assert!(!perms.allow(who(2), Access::READ) && !perms.allow(who(3), Access::READ));
        assert!(perms.allow(who(3), Access::WRITE) && perms.allow(who(9), Access::READ));
        assert!(!perms.allow(who(3), Access::WRITE_OWN));
        let helper = Who { domain: DomId::new(9), target: Some(DomId::new(1)) };
        assert!(perms.allow(helper, Access::WRITE_OWN));
        assert_eq!(perms.without(DomId::new(2)).unwrap().to_wire(), b"r1\0w3\0");
        assert_eq!(perms.without(DomId::new(1)), None);
    }
}
