// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What waits to be read by a client: whole messages, of which the first may have gone out in part.

use hypercalls::ids::DomId;
use hypercalls::io::xs_wire::XsMessageType;
use std::collections::{HashSet, VecDeque};
use xenstore::Message;

/// Messages in the order they go out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    messages: VecDeque<Vec<u8>>,
    // Bytes of the first message that are out.
    sent: usize,
    bytes: usize,
    // The domain whose request made each of the messages, where that is counted.
    causes: VecDeque<Option<DomId>>,
    // Those of the messages that are out.
    freed: Vec<DomId>,
    // Events that were queued after the last answer: the same again would tell nothing new.
    events: HashSet<Vec<u8>>,
}

impl Queue {
    /// The queue of which so much of the first message is out.
    pub(crate) fn restore(messages: impl IntoIterator<Item = Vec<u8>>, sent: usize) -> Self {
        let mut queue = Self::default();
        messages.into_iter().for_each(|message| queue.push_raw(message, None));
        queue.advance(sent);
        queue
    }

    fn push_raw(&mut self, message: Vec<u8>, cause: Option<DomId>) {
        self.causes.push_back(cause);
        self.bytes = self.bytes.saturating_add(message.len());
        self.messages.push_back(message);
    }

    /// Queues a message; returns the bytes, or `None` for an event that waits already.
    pub(crate) fn push(&mut self, message: &Message, cause: Option<DomId>) -> Option<Vec<u8>> {
        let bytes = message.encode();
        if message.kind == XsMessageType::WATCH_EVENT {
            if !self.events.insert(bytes.clone()) {
                return None;
            }
        } else {
            // An event that comes after this answer must also be heard after it.
            self.events.clear();
        }
        self.push_raw(bytes.clone(), cause);
        Some(bytes)
    }

    /// The causes of messages that went out since this was last asked.
    pub(crate) fn take_freed(&mut self) -> Vec<DomId> {
        std::mem::take(&mut self.freed)
    }

    /// Messages that wait, the one that is out in part among them.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.saturating_sub(self.sent)
    }

    /// Bytes of the first message that are out.
    pub(crate) fn sent(&self) -> usize {
        self.sent
    }

    /// The messages that wait, whole.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &[u8]> {
        self.messages.iter().map(Vec::as_slice)
    }

    /// What goes out next, at most `room` bytes of it.
    pub(crate) fn next(&self, room: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(room.min(self.bytes()));
        let mut skip = self.sent;
        for message in &self.messages {
            let rest = message.get(skip..).unwrap_or_default();
            let fits = rest.get(..room.saturating_sub(out.len())).unwrap_or(rest);
            out.extend_from_slice(fits);
            if out.len() >= room {
                break;
            }
            skip = 0;
        }
        out
    }

    /// So many bytes went out.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(bytes);
        while let Some(first) = self.messages.front() {
            if self.sent == 0 {
                break;
            }
            // From its first byte on it cannot stand for a later event any more.
            self.events.remove(first);
            if first.len() > self.sent {
                break;
            }
            self.sent = self.sent.saturating_sub(first.len());
            self.bytes = self.bytes.saturating_sub(first.len());
            self.messages.pop_front();
            self.freed.extend(self.causes.pop_front().flatten());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Message {
        Message::new(XsMessageType::WATCH_EVENT, 0, 0, text.as_bytes())
    }

    fn answer(text: &str) -> Message {
        Message::new(XsMessageType::READ, 7, 0, text.as_bytes())
    }

    #[test]
    fn an_event_waits_once_but_is_heard_after_an_answer() {
        let mut queue = Queue::default();
        assert!(queue.push(&event("a"), None).is_some());
        assert!(queue.push(&event("b"), None).is_some());
        assert!(queue.push(&event("a"), None).is_none());
        assert!(queue.push(&answer("x"), None).is_some());
        assert!(queue.push(&event("a"), None).is_some());
        assert_eq!(queue.len(), 4);
        // The first is out in part: it cannot stand for the next one.
        let mut queue = Queue::default();
        queue.push(&event("a"), None);
        queue.advance(1);
        assert!(queue.push(&event("a"), None).is_some());
        assert_eq!((queue.len(), queue.sent(), queue.bytes()), (2, 1, 33));
    }

    #[test]
    fn bytes_go_out_in_order_whatever_the_pieces() {
        let mut queue = Queue::default();
        let mut all = Vec::new();
        for text in ["one", "", "three", "four"] {
            all.extend(queue.push(&answer(text), None).unwrap());
        }
        let kept: Vec<_> = queue.messages().map(<[u8]>::to_vec).collect();
        for step in 1..all.len() {
            let (mut queue, mut out) = (Queue::restore(kept.clone(), 0), Vec::new());
            while !queue.is_empty() {
                let part = queue.next(step);
                assert!(!part.is_empty() && part.len() <= step);
                queue.advance(part.len());
                out.extend(part);
                assert_eq!(queue.bytes(), all.len() - out.len());
            }
            assert_eq!(out, all);
            let queue = Queue::restore(kept.clone(), step);
            assert_eq!(queue.next(usize::MAX), all[step..]);
        }
    }
}
