//! The framing of DNS over TCP (RFC 1035 §4.2.2): where in the stream does a message end?
//!
//! Two octets of length, then the message. A stream may be cut anywhere, so [`Inbox`] keeps what
//! was read until a message is whole, and hands out messages one by one without copying them.
//! [`append`] is the way back. No socket is known here: a test can cut a stream at every octet.

/// Octets of the length in front of each message.
const PREFIX_LEN: usize = 2;

/// Memory that an empty inbox may keep for its next message. A connection that waits costs little
/// (1,000 of them 4 MB), and one that asks again needs no allocation.
const KEPT_LEN_MAX: usize = 4096;

/// What was read from a stream and not yet taken.
#[derive(Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    /// Where the first message that was not taken starts.
    start: usize,
}

impl Inbox {
    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.compact();
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes the next message, without its length, if all of it is there.
    pub fn take(&mut self) -> Option<&[u8]> {
        let range = whole_message(&self.bytes, self.start)?;
        self.start = range.end;
        Some(&self.bytes[range])
    }

    /// Gives back the memory of messages that were taken. Where part of one is left, the next read
    /// finds room beside it.
    pub fn compact(&mut self) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
            let kept = if self.bytes.is_empty() { KEPT_LEN_MAX } else { 2 * KEPT_LEN_MAX };
            self.bytes.shrink_to(kept);
        }
    }

    /// Whether [`take`](Inbox::take) would give a message.
    pub fn has_message(&self) -> bool {
        whole_message(&self.bytes, self.start).is_some()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Inbox::default();
    }

    /// Octets of memory that it holds.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Appends a message behind its length. `write` appends the message and says whether there is one;
/// if there is none, or if it is longer than a length can say, `out` stays as it was.
pub fn append(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
    let prefix = out.len();
    let message = prefix + PREFIX_LEN;
    out.extend_from_slice(&[0; PREFIX_LEN]);
    let written = write(out);
    match u16::try_from(out.len() - message) {
        Ok(len) if written => {
            out[prefix..message].copy_from_slice(&len.to_be_bytes());
            true
        }
        _ => {
            out.truncate(prefix);
            false
        }
    }
}

/// Where the message stands whose length is at `start`, if all of it is there.
fn whole_message(bytes: &[u8], start: usize) -> Option<std::ops::Range<usize>> {
    let prefix = bytes.get(start..start + PREFIX_LEN)?;
    let from = start + PREFIX_LEN;
    let to = from + usize::from(u16::from_be_bytes([prefix[0], prefix[1]]));
    (to <= bytes.len()).then_some(from..to)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: [&[u8]; 4] = [b"first", b"", b"x", b"the last one"];

    fn stream() -> Vec<u8> {
        let mut stream = Vec::new();
        for message in MESSAGES {
            assert!(append(&mut stream, |out| {
                out.extend_from_slice(message);
                true
            }));
        }
        stream
    }

    fn read(segments: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut inbox = Inbox::default();
        let mut messages = Vec::new();
        for segment in segments {
            inbox.push(segment);
            while let Some(message) = inbox.take() {
                messages.push(message.to_vec());
            }
            assert!(!inbox.has_message());
        }
        messages
    }

    #[test]
    fn every_segmentation_gives_the_same_messages() {
        let stream = stream();
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let segments = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(read(&segments), MESSAGES, "cut at {first} and {second}");
            }
        }
        assert_eq!(read(&stream.chunks(1).collect::<Vec<_>>()), MESSAGES, "octet by octet");
    }

    #[test]
    fn messages_that_were_not_taken_stay_in_order() {
        let stream = stream();
        let mut inbox = Inbox::default();
        inbox.push(&stream);
        assert_eq!(inbox.take(), Some(MESSAGES[0]));
        inbox.push(&stream);
        let rest: Vec<Vec<u8>> = std::iter::from_fn(|| inbox.take().map(<[u8]>::to_vec)).collect();
        assert_eq!(rest, [&MESSAGES[1..], &MESSAGES[..]].concat());
    }

    #[test]
    fn a_message_that_a_length_cannot_say_is_left_out() {
        let mut out = b"before".to_vec();
        let longest = usize::from(u16::MAX);
        assert!(!append(&mut out, |out| {
            out.resize(out.len() + longest + 1, 0);
            true
        }));
        assert_eq!(out, b"before");
        assert!(append(&mut out, |out| {
            out.resize(out.len() + longest, 0);
            true
        }));
        assert_eq!(out.len(), 6 + 2 + longest);
    }

    #[test]
    fn no_answer_leaves_no_length_behind() {
        let mut out = Vec::new();
        assert!(!append(&mut out, |_| false));
        assert!(out.is_empty());
    }

    #[test]
    fn an_inbox_keeps_little_memory_for_what_was_taken() {
        for (rest, kept) in [(0, KEPT_LEN_MAX), (1, 2 * KEPT_LEN_MAX)] {
            let mut inbox = Inbox::default();
            inbox.push(&[&[0xff, 0xff][..], &vec![0; 0xffff + rest]].concat());
            assert!(inbox.take().is_some());
            inbox.compact();
            assert!(inbox.capacity() <= kept, "{}", inbox.capacity());
        }
    }
}
