// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Messages: a head of 16 bytes (`struct xsd_sockmsg`, little endian on the machines Xen PV runs on) and a payload.

use crate::error::Error;
use hypercalls::io::xs_wire::{PAYLOAD_MAX, XsMessageType};

const HEAD: usize = 16;

/// One message, in either direction.
#[doc(alias = "xsd_sockmsg")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: XsMessageType,
    /// The answer has the same.
    pub req_id: u32,
    /// Transaction, or 0.
    pub tx_id: u32,
    /// At most [`PAYLOAD_MAX`] bytes.
    pub payload: Vec<u8>,
}

/// A head announced more than [`PAYLOAD_MAX`] bytes: the stream cannot be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Message {
    /// A request or answer with this payload.
    #[must_use]
    pub fn new(kind: XsMessageType, req_id: u32, tx_id: u32, payload: &[u8]) -> Self {
        Self { kind, req_id, tx_id, payload: payload.to_vec() }
    }

    /// The answer to `self`; one that would be too long becomes `E2BIG`.
    #[must_use]
    pub fn answer(&self, payload: &[u8]) -> Self {
        if payload.len() > PAYLOAD_MAX {
            return self.refusal(Error::TooBig);
        }
        Self::new(self.kind, self.req_id, self.tx_id, payload)
    }

    /// The answer that names an error.
    #[must_use]
    pub fn refusal(&self, error: Error) -> Self {
        let mut payload = error.name().as_bytes().to_vec();
        payload.push(0);
        Self { kind: XsMessageType::ERROR, req_id: self.req_id, tx_id: self.tx_id, payload }
    }

    /// The bytes that go out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let payload = self.payload.get(..PAYLOAD_MAX).unwrap_or(&self.payload);
        let mut bytes = Vec::with_capacity(HEAD.saturating_add(payload.len()));
        // At most PAYLOAD_MAX, so it fits.
        let len = payload.len() as u32;
        for word in [self.kind.raw(), self.req_id, self.tx_id, len] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(payload);
        bytes
    }

    /// The first message in `bytes` and how many bytes it took; `None` while it is incomplete.
    ///
    /// # Errors
    /// [`TooLong`], as soon as the head is there.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, TooLong> {
        let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else { return Ok(None) };
        let [kind, req_id, tx_id, len] = words(head);
        let len = usize::try_from(len).map_err(|_| TooLong)?;
        if len > PAYLOAD_MAX {
            return Err(TooLong);
        }
        let message = |payload: &[u8]| Self::new(XsMessageType::new(kind), req_id, tx_id, payload);
        Ok(rest.get(..len).map(|payload| (message(payload), HEAD.saturating_add(len))))
    }
}

fn words(head: &[u8; HEAD]) -> [u32; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(head.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    words
}

/// The payload if it is exactly one string with its NUL; the NUL is cut off.
#[must_use]
pub fn one_string(payload: &[u8]) -> Option<&[u8]> {
    let (nul, text) = payload.split_last()?;
    (*nul == 0 && !text.contains(&0)).then_some(text)
}

/// The NUL-terminated strings of a payload, without NULs; what follows the last NUL is the second value.
#[must_use]
pub fn strings(payload: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut parts: Vec<&[u8]> = payload.split(|byte| *byte == 0).collect();
    let rest = parts.pop().unwrap_or_default();
    (parts, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_decodes(kind: u32, req_id: u32, tx_id: u32, payload in prop::collection::vec(any::<u8>(), 0..99)) {
            let message = Message::new(XsMessageType::new(kind), req_id, tx_id, &payload);
            let mut bytes = message.encode();
            let used = bytes.len();
            for cut in 0..used {
                prop_assert_eq!(Message::decode(&bytes[..cut]), Ok(None));
            }
            bytes.push(7);
            prop_assert_eq!(Message::decode(&bytes), Ok(Some((message, used))));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Message::decode(&bytes);
            let _ = (one_string(&bytes), strings(&bytes));
        }
    }

    #[test]
    fn a_long_message_is_refused_at_its_head() {
        let mut bytes = vec![0; 12];
        bytes.extend_from_slice(&4097_u32.to_le_bytes());
        assert_eq!(Message::decode(&bytes), Err(TooLong));
    }

    #[test]
    fn strings_are_cut_at_nuls() {
        assert_eq!(one_string(b"a\0"), Some(&b"a"[..]));
        assert_eq!(one_string(b"\0"), Some(&b""[..]));
        assert_eq!((one_string(b""), one_string(b"a"), one_string(b"a\0b\0")), (None, None, None));
        assert_eq!(strings(b"a\0b\0rest"), (vec![&b"a"[..], b"b"], &b"rest"[..]));
    }

    #[test]
    fn a_long_answer_becomes_an_error() {
        let request = Message::new(XsMessageType::READ, 3, 0, b"/\0");
        assert_eq!(request.answer(&[0; 4097]).payload, b"E2BIG\0");
        assert_eq!(request.answer(b"x").req_id, 3);
    }
}
