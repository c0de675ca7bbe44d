// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The language of the table.

/// The size of the field an accessor selects; nothing is accessed.
pub(crate) fn field_size<T, F>(_: fn(&T) -> &F) -> i128 {
    size_of::<F>() as i128
}

/// A field's C name: its own unless given.
macro_rules! c_name {
    ($member:ident) => {
        stringify!($member)
    };
    ($member:ident = $c:literal) => {
        $c
    };
}

/// One table: what each Rust name is in C. `struct` lines name the C type and then the fields, with their C path where
/// it differs; `fields` does the same for a struct that ends early here; the others name one C expression per constant.
macro_rules! table {
    ($facts:ident, $module:path, {
        $($kind:ident $($name:ident)? $(= $c:literal)? { $($member:ident $(= $c_member:literal)?),* $(,)? })*
    }) => {{
        use $module as module;
        $( table!(@$kind $facts, module, $($name)? $(= $c)? { $($member $(= $c_member)?),* }); )*
    }};
    (@struct $facts:ident, $module:ident, $name:ident = $c:literal { $($member:ident $(= $c_member:literal)?),* }) => {
        $facts.push((concat!("sizeof(", $c, ")").into(), size_of::<$module::$name>() as i128));
        table!(@fields $facts, $module, $name = $c { $($member $(= $c_member)?),* });
    };
    (@fields $facts:ident, $module:ident, $name:ident = $c:literal { $($member:ident $(= $c_member:literal)?),* }) => {
        $(
            $facts.push((
                concat!("offsetof(", $c, ", ", c_name!($member $(= $c_member)?), ")").into(),
                std::mem::offset_of!($module::$name, $member) as i128,
            ));
            $facts.push((
                concat!("sizeof(((", $c, " *)0)->", c_name!($member $(= $c_member)?), ")").into(),
                crate::macros::field_size(|it: &$module::$name| &it.$member),
            ));
        )*
    };
    (@enum $facts:ident, $module:ident, $name:ident { $($member:ident = $c:literal),* }) => {
        $( $facts.push(($c.into(), i128::from($module::$name::$member.raw()))); )*
    };
    (@flags $facts:ident, $module:ident, $name:ident { $($member:ident = $c:literal),* }) => {
        $( $facts.push(($c.into(), i128::from($module::$name::$member.raw()))); )*
    };
    (@consts $facts:ident, $module:ident, { $($member:ident = $c:literal),* }) => {
        $( $facts.push(($c.into(), $module::$member as i128)); )*
    };
}

pub(crate) use {c_name, table};
