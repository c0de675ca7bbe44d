// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Unions of the headers: an array of bytes that is read or written as one of several structs.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The value at the start of `bytes`.
pub(crate) fn get<T: FromBytes + IntoBytes, const N: usize>(bytes: &[u8; N]) -> T {
    const { assert!(size_of::<T>() <= N, "no such member of the union") }
    let mut value = T::new_zeroed();
    for (to, from) in value.as_mut_bytes().iter_mut().zip(bytes) {
        *to = *from;
    }
    value
}

/// Puts a value at the start of `bytes`; the rest stays.
pub(crate) fn put<T: IntoBytes + Immutable, const N: usize>(bytes: &mut [u8; N], value: &T) {
    const { assert!(size_of::<T>() <= N, "no such member of the union") }
    for (to, from) in bytes.iter_mut().zip(value.as_bytes()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    #![expect(unreachable_pub, reason = "the macro makes public methods")]

    use crate::ids::{DomId, Port};
    use crate::macros::payload;

    struct Example {
        u: [u8; 8],
    }

    payload!(Example, u);

    #[test]
    fn payload_is_the_start_of_the_union() {
        let mut example = Example { u: [0xff; 8] };
        example.set_payload(&Port::new(7));
        assert_eq!(example.payload::<Port>(), Port::new(7));
        assert_eq!(example.payload::<DomId>(), DomId::new(7));
        assert_eq!(example.u, [7, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    }
}
