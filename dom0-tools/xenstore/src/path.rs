// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Names of nodes: absolute paths, and the special names that begin with `@`.

use crate::error::Error;
use hypercalls::io::xs_wire::{ABS_PATH_MAX, REL_PATH_MAX};
use std::fmt;

/// A valid name: an absolute path, or a special name such as `@releaseDomain`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(String);

impl Path {
    /// The root.
    #[must_use]
    pub fn root() -> Self {
        Self("/".into())
    }

    /// Reads a name as a client sent it. What does not begin with `/` is below `home` (no slash at its end; empty for the root).
    ///
    /// # Errors
    /// `EINVAL` for anything that is no name.
    pub fn resolve(raw: &[u8], home: &str) -> Result<Self, Error> {
        let text = str::from_utf8(raw).map_err(|_| Error::Invalid)?;
        if text.starts_with('/') {
            return Self::absolute(text.to_owned());
        }
        if text.starts_with('@') || text.len() > REL_PATH_MAX {
            return Err(Error::Invalid);
        }
        Self::absolute(format!("{home}/{text}"))
    }

    /// The same, but special names are taken too: for watches and permissions.
    ///
    /// # Errors
    /// As [`Path::resolve`].
    pub fn resolve_or_special(raw: &[u8], home: &str) -> Result<Self, Error> {
        match str::from_utf8(raw) {
            Ok(text) if text.starts_with('@') && text.len() <= REL_PATH_MAX => Ok(Self(text.to_owned())),
            _ => Self::resolve(raw, home),
        }
    }

    fn absolute(text: String) -> Result<Self, Error> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-/_@".contains(&byte);
        let bad = text.len() > ABS_PATH_MAX
            || text.contains("//")
            || (text.len() > 1 && text.ends_with('/'))
            || !text.starts_with('/')
            || !text.bytes().all(allowed)
            || below_home(&text).len() > REL_PATH_MAX;
        if bad { Err(Error::Invalid) } else { Ok(Self(text)) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a special name.
    #[must_use]
    pub fn is_special(&self) -> bool {
        self.0.starts_with('@')
    }

    /// The parts between the slashes; none for the root.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// The node above and the last part; `None` for the root and for special names.
    #[must_use]
    pub fn split_last(&self) -> Option<(Self, &str)> {
        let (parent, name) = self.0.rsplit_once('/')?;
        let parent = if parent.is_empty() { Self::root() } else { Self(parent.to_owned()) };
        (!name.is_empty()).then_some((parent, name))
    }

    /// The node above; the root is its own parent.
    #[must_use]
    pub fn parent(&self) -> Self {
        self.split_last().map_or_else(Self::root, |(parent, _)| parent)
    }

    /// The child `name`, which must come out of a valid path.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        Self(if self.0 == "/" { format!("/{name}") } else { format!("{}/{name}", self.0) })
    }

    /// Whether it is `above` or lies below it. Special names lie below nothing.
    #[must_use]
    pub fn is_at_or_below(&self, above: &Self) -> bool {
        let prefix = if above.0 == "/" { "" } else { &above.0 };
        self.0.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// What follows `/local/domain/N/`; the limit on relative paths holds for that part, or for the whole of any other path.
fn below_home(path: &str) -> &str {
    let below = path.strip_prefix("/local/domain/").and_then(|rest| rest.split_once('/'));
    match below {
        Some((id, rest)) if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => path,
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(text: &str) -> Result<Path, Error> {
        Path::resolve(text.as_bytes(), "/local/domain/7")
    }

    #[test]
    fn bad_names_are_refused() {
        for text in ["/a/", "//", "/a//b", "/a b", "", "/\u{e9}", "@x", "/a\n", "a/"] {
            assert_eq!(path(text), Err(Error::Invalid), "{text:?}");
        }
        assert_eq!(path("device/vif").unwrap().as_str(), "/local/domain/7/device/vif");
        assert_eq!(Path::resolve(b"a", "").unwrap().as_str(), "/a");
    }

    #[test]
    fn lengths_are_limited() {
        let long = "a".repeat(2048);
        assert!(path(&long).is_ok());
        assert!(path(&format!("{long}a")).is_err());
        assert!(path(&format!("/local/domain/12/{long}")).is_ok());
        assert!(path(&format!("/local/domain/x/{long}")).is_err());
        assert!(path(&format!("/{long}")).is_err());
    }

    #[test]
    fn families() {
        let child = path("/a/b").unwrap();
        assert_eq!(child.parent().as_str(), "/a");
        assert_eq!(child.parent().parent(), Path::root());
        assert_eq!(Path::root().parent(), Path::root());
        assert!(child.is_at_or_below(&child) && child.is_at_or_below(&path("/a").unwrap()));
        assert!(child.is_at_or_below(&Path::root()) && !path("/ab").unwrap().is_at_or_below(&path("/a").unwrap()));
        let special = Path::resolve_or_special(b"@releaseDomain", "").unwrap();
        assert!(special.is_at_or_below(&special) && !special.is_at_or_below(&Path::root()));
    }

    proptest! {
        #[test]
        fn components_make_the_path(raw in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(path) = Path::resolve(&raw, "") {
                let again = path.components().fold(Path::root(), |at, part| at.child(part));
                prop_assert_eq!(again, path);
            }
        }
    }
}
