// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The three shapes of ABI scalars: open enums, flag words and numbers.
//!
//! An ABI value comes from the other side and may be anything its width allows, so none of these is a Rust `enum`: an
//! unknown value stays representable and is refused by whoever looks at it.

/// An open enum: a newtype with one associated constant per value the headers name.
macro_rules! open_enum {
    ($(#[$attr:meta])* pub struct $name:ident: $repr:ty {
        $($(#[$value_attr:meta])* $value:ident = $number:expr,)*
    }) => {
        $(#[$attr])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable,
        )]
        #[repr(transparent)]
        pub struct $name(pub $repr);

        #[allow(unreachable_patterns, reason = "headers give some values two names; the first one is printed")]
        impl $name {
            $($(#[$value_attr])* pub const $value: Self = Self($number);)*

            /// Every value the headers name, with its name here.
            pub const NAMED: &'static [(&'static str, Self)] = &[$((stringify!($value), Self::$value)),*];

            /// Takes a value as it came over the boundary.
            #[must_use]
            pub const fn new(raw: $repr) -> Self {
                Self(raw)
            }

            /// The value as it goes over the boundary.
            #[must_use]
            pub const fn raw(self) -> $repr {
                self.0
            }

            /// Its name here, or `None` if the headers do not name it.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$value => Some(stringify!($value)),)*
                    _ => None,
                }
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, concat!(stringify!($name), "({})"), self.0),
                }
            }
        }
    };
}

/// A flag word: `bitflags` operations on a plain newtype, so that it can be a field of an ABI struct.
macro_rules! flags {
    ($(#[$attr:meta])* pub struct $name:ident: $repr:ty {
        $($(#[$flag_attr:ident $($flag_args:tt)*])* $flag:ident = $bits:expr,)*
    }) => {
        $(#[$attr])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable,
        )]
        #[repr(transparent)]
        pub struct $name($repr);

        bitflags::bitflags! {
            impl $name: $repr {
                $($(#[$flag_attr $($flag_args)*])* const $flag = $bits;)*
                // Bits the headers do not name are kept, so that a caller can refuse them.
                const _ = !0;
            }
        }

        impl $name {
            /// All bits the headers name.
            pub const NAMED: Self = Self(0 $(| $bits)*);

            /// Takes a word as it came over the boundary, unknown bits included.
            #[must_use]
            pub const fn new(raw: $repr) -> Self {
                Self(raw)
            }

            /// The word as it goes over the boundary.
            #[must_use]
            pub const fn raw(self) -> $repr {
                self.0
            }

            /// The bits which the headers do not name; a careful callee refuses them.
            #[must_use]
            pub const fn unknown(self) -> $repr {
                self.0 & !Self::NAMED.0
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "("))?;
                bitflags::parser::to_writer(self, &mut *f)?;
                f.write_str(")")
            }
        }
    };
}

/// A number with a meaning: a newtype with a private field and named conversions only.
macro_rules! number {
    ($(#[$attr:meta])* pub struct $name:ident: $repr:ty) => {
        $(#[$attr])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable,
        )]
        #[repr(transparent)]
        pub struct $name($repr);

        impl $name {
            /// Takes a number as it came over the boundary; nothing is known about it.
            #[must_use]
            pub const fn new(raw: $repr) -> Self {
                Self(raw)
            }

            /// The number as it goes over the boundary.
            #[must_use]
            pub const fn raw(self) -> $repr {
                self.0
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }
    };
}

/// Typed access to the union of an argument struct.
macro_rules! payload {
    ($name:ident, $field:ident) => {
        impl $name {
            /// The union as the member `T`; which one counts, the command or type says. Any `T` that fits will do, so
            /// that a scalar member can be read as a plain integer.
            #[must_use]
            pub fn payload<T: zerocopy::FromBytes + zerocopy::IntoBytes>(&self) -> T {
                $crate::payload::get(&self.$field)
            }

            /// Writes the member `T` of the union; bytes behind it stay as they are.
            pub fn set_payload<T: zerocopy::IntoBytes + zerocopy::Immutable>(&mut self, value: &T) {
                $crate::payload::put(&mut self.$field, value);
            }
        }
    };
}

pub(crate) use {flags, number, open_enum, payload};
