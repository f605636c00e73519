//! Messages that are spread over several `MSG` commands (MSNP9 and later clients).
//!
//! ```text
//! Message-ID: {guid}      Message-ID: {guid}
//! Chunks: 3               Chunk: 1
//! ```

use std::collections::HashMap;

use crate::payload::mime::Headers;

/// One part of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chunk<'a> {
    /// The id that the parts share.
    pub id: &'a [u8],
    /// Which part, from 0.
    pub index: usize,
    /// How many there are; only the first part says so.
    pub total: Option<usize>,
}

impl<'a> Chunk<'a> {
    /// Reads what part of a message a payload is; `None` for a message in one piece.
    pub fn of(payload: &'a [u8]) -> Option<Chunk<'a>> {
        let headers = Headers::parse(payload);
        let number = |name| std::str::from_utf8(headers.get(name)?).ok()?.parse::<usize>().ok();
        let id = headers.get("Message-ID")?;
        match (number("Chunks"), number("Chunk")) {
            (Some(total), _) => Some(Chunk { id, index: 0, total: Some(total) }),
            (None, Some(index)) => Some(Chunk { id, index, total: None }),
            (None, None) => None,
        }
    }
}

/// Puts the parts of messages together again.
#[derive(Debug)]
pub struct Joiner {
    open: HashMap<Vec<u8>, Open>,
    most_messages: usize,
    most_bytes: usize,
}

#[derive(Debug)]
struct Open {
    total: usize,
    next: usize,
    payload: Vec<u8>,
}

/// Most parts that a message may have; libpurple drops it from there on too.
const MOST_CHUNKS: usize = 1024;

impl Joiner {
    /// Returns a joiner that keeps at most so many unfinished messages of so many bytes each.
    pub fn new(most_messages: usize, most_bytes: usize) -> Joiner {
        Joiner { open: HashMap::new(), most_messages, most_bytes }
    }

    /// Takes one payload and returns the whole message (first part's headers and all bodies) once its last part is in.
    /// Parts out of order, and messages over the limits, are dropped as clients drop them.
    pub fn push(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let chunk = Chunk::of(payload)?;
        let body = Headers::parse(payload).body();
        if let Some(total) = chunk.total {
            let fits = (1..MOST_CHUNKS).contains(&total) && payload.len() <= self.most_bytes;
            if !fits || (self.open.len() >= self.most_messages && !self.open.contains_key(chunk.id)) {
                return None;
            }
            self.open.insert(chunk.id.to_vec(), Open { total, next: 1, payload: payload.to_vec() });
        } else {
            let open = self.open.get_mut(chunk.id)?;
            if open.next != chunk.index || open.payload.len() + body.len() > self.most_bytes {
                self.open.remove(chunk.id);
                return None;
            }
            open.next += 1;
            open.payload.extend_from_slice(body);
        }
        let open = self.open.get(chunk.id)?;
        (open.next == open.total).then(|| self.open.remove(chunk.id).map(|open| open.payload)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &[u8] = b"Content-Type: text/plain\r\nMessage-ID: {A}\r\nChunks: 2\r\n\r\nhel";
    const SECOND: &[u8] = b"Message-ID: {A}\r\nChunk: 1\r\n\r\nlo";

    #[test]
    fn two_parts_make_a_message() {
        let mut joiner = Joiner::new(4, 1000);
        assert_eq!(joiner.push(FIRST), None);
        let whole = joiner.push(SECOND).unwrap();
        assert_eq!(Headers::parse(&whole).body(), b"hello");
    }

    #[test]
    fn a_part_without_a_first_or_out_of_order_is_dropped() {
        let mut joiner = Joiner::new(4, 1000);
        assert_eq!(joiner.push(SECOND), None);
        joiner.push(FIRST);
        assert_eq!(joiner.push(b"Message-ID: {A}\r\nChunk: 7\r\n\r\nlo"), None);
        assert_eq!(joiner.push(SECOND), None);
        assert_eq!(joiner.push(b"Content-Type: text/plain\r\n\r\nplain"), None);
    }
}
