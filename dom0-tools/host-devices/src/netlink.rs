// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Messages of rtnetlink (`linux/netlink.h`, `linux/rtnetlink.h`, `linux/if_link.h`): just what links and addresses need. Pure.

/// `RTM_NEWLINK`
pub(crate) const NEW_LINK: u16 = 16;
/// `RTM_DELLINK`
pub(crate) const DEL_LINK: u16 = 17;
/// `RTM_GETLINK`
pub(crate) const GET_LINK: u16 = 18;
/// `RTM_NEWADDR`
pub(crate) const NEW_ADDRESS: u16 = 20;
/// `NLMSG_ERROR`: also the acknowledgement, with error 0.
pub(crate) const ERROR: u16 = 2;
/// `NLM_F_REQUEST | NLM_F_ACK`
pub(crate) const REQUEST: u16 = 1 | 4;
/// `NLM_F_EXCL`
pub(crate) const EXCLUSIVE: u16 = 0x200;
/// `NLM_F_CREATE`
pub(crate) const CREATE: u16 = 0x400;

/// `IFLA_ADDRESS`
pub(crate) const LINK_ADDRESS: u16 = 1;
/// `IFLA_IFNAME`
pub(crate) const LINK_NAME: u16 = 3;
/// `IFLA_MTU`
pub(crate) const LINK_MTU: u16 = 4;
/// `IFLA_MASTER`
pub(crate) const LINK_MASTER: u16 = 10;
/// `IFLA_LINKINFO`
pub(crate) const LINK_INFO: u16 = 18;
/// `IFLA_INFO_KIND`
pub(crate) const INFO_KIND: u16 = 1;
/// `IFLA_INFO_DATA`
pub(crate) const INFO_DATA: u16 = 2;
/// `IFLA_BR_FORWARD_DELAY`
pub(crate) const BRIDGE_FORWARD_DELAY: u16 = 1;
/// `IFA_ADDRESS`
pub(crate) const ADDRESS: u16 = 1;
/// `IFA_LOCAL`
pub(crate) const ADDRESS_LOCAL: u16 = 2;

const HEAD: usize = 16;
/// Set in an attribute's type where it holds attributes (`NLA_F_NESTED`), or is in network order.
const TYPE_FLAGS: u16 = 0xc000;

/// A request under construction.
pub(crate) struct Request(Vec<u8>);

impl Request {
    /// A request of this type; `body` is its fixed part.
    pub(crate) fn new(kind: u16, flags: u16, body: &[u8]) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&(REQUEST | flags).to_ne_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(body);
        Self(bytes)
    }

    /// Appends an attribute.
    pub(crate) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        self.0.extend_from_slice(&encoded(kind, value));
        self
    }

    /// Appends a text attribute, with the NUL the kernel wants.
    pub(crate) fn text(self, kind: u16, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.attribute(kind, &bytes)
    }

    /// The bytes to send under this sequence number.
    pub(crate) fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        for (to, from) in self.0.iter_mut().zip(length.to_ne_bytes()) {
            *to = from;
        }
        for (to, from) in self.0.iter_mut().skip(8).zip(sequence.to_ne_bytes()) {
            *to = from;
        }
        self.0
    }
}

/// One attribute as bytes, padded to 4.
pub(crate) fn encoded(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len().saturating_add(4)).unwrap_or(u16::MAX);
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// `struct ifinfomsg`.
pub(crate) fn link_body(index: u32, flags: u32, change: u32) -> [u8; 16] {
    let mut body = [0; 16];
    for (to, from) in body.iter_mut().skip(4).zip([index, flags, change].into_iter().flat_map(u32::to_ne_bytes)) {
        *to = from;
    }
    body
}

/// A message from the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// Its type.
    pub(crate) kind: u16,
    /// The request it answers.
    pub(crate) sequence: u32,
    /// What follows the head.
    pub(crate) body: &'a [u8],
}

/// The whole messages in a datagram.
pub(crate) fn messages(mut bytes: &[u8]) -> Vec<Message<'_>> {
    let mut found = Vec::new();
    while let (Some(length), Some(kind), Some(sequence)) = (word(bytes, 0), half(bytes, 4), word(bytes, 8)) {
        let length = length as usize;
        let Some(body) = bytes.get(HEAD..length) else { break };
        found.push(Message { kind, sequence, body });
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

/// The errno in the body of an [`ERROR`] message; 0 is the acknowledgement.
pub(crate) fn errno(body: &[u8]) -> Option<i32> {
    word(body, 0).map(|word| word.cast_signed().wrapping_neg())
}

/// A network interface, as far as anything here wants to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The bridge it belongs to.
    pub master: Option<u32>,
    /// Its kind, such as `bridge`; empty for hardware.
    pub kind: String,
    /// Whether it is administratively up.
    pub up: bool,
}

/// The link a [`NEW_LINK`] or [`DEL_LINK`] message describes.
pub(crate) fn link(body: &[u8]) -> Option<Link> {
    let mut link = Link { index: word(body, 4)?, up: word(body, 8)? & 1 != 0, ..Link::default() };
    for (kind, value) in attributes(body.get(16..)?) {
        match kind {
            LINK_NAME => link.name = text(value),
            LINK_MASTER => link.master = word(value, 0),
            LINK_INFO => {
                let kind = attributes(value).into_iter().find(|(kind, _)| *kind == INFO_KIND);
                link.kind = kind.map(|(_, value)| text(value)).unwrap_or_default();
            }
            _ => {}
        }
    }
    Some(link)
}

fn attributes(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    while let (Some(length), Some(kind)) = (half(bytes, 0), half(bytes, 2)) {
        let length = usize::from(length);
        let Some(value) = bytes.get(4..length) else { break };
        found.push((kind & !TYPE_FLAGS, value));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_has_the_kernels_layout() {
        let bytes = Request::new(NEW_LINK, CREATE, &link_body(7, 1, 1)).text(LINK_NAME, "vif1.0").finish(9);
        assert_eq!(bytes.len(), 16 + 16 + 12);
        assert_eq!(bytes[..16], [44, 0, 0, 0, 16, 0, 5, 4, 9, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[16..32], [0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(bytes[32..], *b"\x0b\0\x03\0vif1.0\0\0");
    }

    #[test]
    fn what_is_built_is_read_back() {
        let info = encoded(INFO_KIND, b"bridge\0");
        let bytes = Request::new(NEW_LINK, 0, &link_body(3, 1, 0))
            .text(LINK_NAME, "xenbr0")
            .attribute(LINK_MASTER, &5_u32.to_ne_bytes())
            .attribute(LINK_INFO | 0x8000, &info)
            .finish(1);
        let two = [bytes.clone(), bytes].concat();
        let all = messages(&two);
        assert_eq!(all.len(), 2);
        let want = Link { index: 3, name: "xenbr0".into(), master: Some(5), kind: "bridge".into(), up: true };
        assert_eq!(link(all[1].body), Some(want));
    }

    #[test]
    fn errors_are_errno_values() {
        assert_eq!(errno(&(-17_i32).to_ne_bytes()), Some(17));
        assert_eq!(errno(&[0]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_stumble(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for message in messages(&bytes) {
                let _ = (link(message.body), errno(message.body));
            }
        }
    }
}
