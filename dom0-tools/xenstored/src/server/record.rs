// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What is written down: what requests did to the store, and how far each ring has come.
//!
//! A ring's counters run freely in the shared page, and a byte is given out only after it was written down. So the page itself says, after
//! a restart, how much of what was written down had gone out: nothing is lost, nothing comes twice.

use crate::bytes::{Reader, Writer};
use crate::effect::Effect;
use hypercalls::ids::DomId;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The store changed.
    Effect(Effect),
    /// The state of a ring, whole.
    Ring(DomId, Progress),
    /// A ring was read up to this counter; the bytes are the request that is not whole yet.
    Input(DomId, u32, Vec<u8>),
    /// A message waits to go out.
    Output(DomId, Vec<u8>),
}

/// How far a ring has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Read up to this counter.
    pub(crate) consumed: u32,
    /// What was read of a request that is not whole yet.
    pub(crate) input: Vec<u8>,
    /// The counter at which the first of the messages begins.
    pub(crate) produced: u32,
    /// Messages to go out.
    pub(crate) output: Vec<Vec<u8>>,
}

impl Entry {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut to = Writer(std::mem::take(out));
        match self {
            Self::Effect(effect) => {
                to.u8(0);
                effect.encode(&mut to.0);
            }
            Self::Ring(domain, progress) => {
                to.u8(1);
                to.u32(domain.raw().into());
                to.u32(progress.consumed);
                to.bytes(&progress.input);
                to.u32(progress.produced);
                to.u32(u32::try_from(progress.output.len()).unwrap_or(u32::MAX));
                progress.output.iter().for_each(|message| to.bytes(message));
            }
            Self::Input(domain, consumed, input) => {
                to.u8(2);
                to.u32(domain.raw().into());
                to.u32(*consumed);
                to.bytes(input);
            }
            Self::Output(domain, message) => {
                to.u8(3);
                to.u32(domain.raw().into());
                to.bytes(message);
            }
        }
        *out = to.0;
    }

    /// Takes the first one off `bytes`.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let mut from = Reader(bytes);
        let tag = from.u8()?;
        if tag == 0 {
            let effect = Effect::decode(&mut from.0)?;
            *bytes = from.0;
            return Some(Self::Effect(effect));
        }
        let domain = DomId::new(u16::try_from(from.u32()?).ok()?);
        let entry = match tag {
            1 => {
                let (consumed, input, produced) = (from.u32()?, from.bytes()?.to_vec(), from.u32()?);
                let count = from.u32()?;
                let output = (0..count).map(|_| from.bytes().map(<[u8]>::to_vec)).collect::<Option<_>>()?;
                Self::Ring(domain, Progress { consumed, input, produced, output })
            }
            2 => Self::Input(domain, from.u32()?, from.bytes()?.to_vec()),
            3 => Self::Output(domain, from.bytes()?.to_vec()),
            _ => return None,
        };
        *bytes = from.0;
        Some(entry)
    }
}
