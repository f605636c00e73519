//! Messages in several chunks, put together. Unlike a client, this keeps what is incomplete, to be told of at the end.

use std::collections::HashMap;

use msnp::payload::chunk::Chunk;
use msnp::payload::mime::Headers;

/// Most chunks of one message.
const MOST_CHUNKS: usize = 4096;
/// Most messages that wait for chunks; a new one takes the place of the oldest.
const MOST_MESSAGES: usize = 64;
/// Most bytes of one message.
const MOST_BYTES: usize = 1 << 20;

/// A message as far as its chunks have arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Joined<T> {
    /// The first chunk's headers, and the bodies in order.
    pub(super) payload: Vec<u8>,
    /// Whether the first chunk is there, which alone says what the message is.
    pub(super) has_head: bool,
    /// How many chunks it has, as far as is known.
    pub(super) total: usize,
    /// Which are missing, from 0.
    pub(super) missing: Vec<usize>,
    /// What came with the first chunk that was seen.
    pub(super) origin: T,
}

/// The messages that wait for chunks, by connection, sender and id.
#[derive(Debug)]
pub(super) struct Chunks<T> {
    open: HashMap<(u64, String, Vec<u8>), Open<T>>,
    count: u64,
}

#[derive(Debug)]
struct Open<T> {
    number: u64,
    total: Option<usize>,
    chunks: HashMap<usize, Vec<u8>>,
    bytes: usize,
    origin: T,
}

impl<T> Default for Chunks<T> {
    fn default() -> Chunks<T> {
        Chunks { open: HashMap::new(), count: 0 }
    }
}

impl<T> Chunks<T> {
    /// Takes a chunk. Returns the message that it makes whole, or one that is given up because too many wait.
    pub(super) fn push(&mut self, connection: u64, sender: &str, payload: &[u8], origin: T) -> Option<Joined<T>> {
        let chunk = Chunk::of(payload)?;
        if chunk.index >= MOST_CHUNKS || chunk.total.is_some_and(|total| total > MOST_CHUNKS) {
            return None;
        }
        let key = (connection, sender.to_owned(), chunk.id.to_vec());
        let mut given_up = None;
        if !self.open.contains_key(&key) && self.open.len() >= MOST_MESSAGES {
            let oldest = self.open.iter().min_by_key(|(_, open)| open.number).map(|(key, _)| key.clone());
            given_up = oldest.and_then(|key| self.open.remove(&key)).map(Open::join);
        }
        self.count += 1;
        let number = self.count;
        let empty = || Open { number, total: None, chunks: HashMap::new(), bytes: 0, origin };
        let open = self.open.entry(key.clone()).or_insert_with(empty);
        open.total = open.total.or(chunk.total);
        let part = if chunk.index == 0 { payload } else { Headers::parse(payload).body() };
        if open.bytes + part.len() <= MOST_BYTES && !open.chunks.contains_key(&chunk.index) {
            open.bytes += part.len();
            open.chunks.insert(chunk.index, part.to_vec());
        }
        let is_whole = open.total.is_some_and(|total| {
            open.chunks.len() >= total.max(1) && (0..total).all(|index| open.chunks.contains_key(&index))
        });
        if is_whole { self.open.remove(&key).map(Open::join) } else { given_up }
    }

    /// Returns the messages that are incomplete, in the order in which they began.
    pub(super) fn finish(self) -> Vec<Joined<T>> {
        let mut open: Vec<Open<T>> = self.open.into_values().collect();
        open.sort_by_key(|open| open.number);
        open.into_iter().map(Open::join).collect()
    }
}

impl<T> Open<T> {
    fn join(self) -> Joined<T> {
        let seen = self.chunks.keys().max().map_or(0, |last| last + 1);
        let total = self.total.unwrap_or(seen).max(seen);
        let missing = (0..total).filter(|index| !self.chunks.contains_key(index)).collect();
        let payload = (0..total).filter_map(|index| self.chunks.get(&index)).flatten().copied().collect();
        let has_head = self.chunks.contains_key(&0);
        Joined { payload, has_head, total, missing, origin: self.origin }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &[u8] = b"Content-Type: text/plain\r\nMessage-ID: {A}\r\nChunks: 3\r\n\r\nhel";
    const SECOND: &[u8] = b"Message-ID: {A}\r\nChunk: 1\r\n\r\nl";
    const THIRD: &[u8] = b"Message-ID: {A}\r\nChunk: 2\r\n\r\no";

    #[test]
    fn chunks_in_any_order_make_a_message() {
        for order in [[FIRST, SECOND, THIRD], [THIRD, FIRST, SECOND], [SECOND, THIRD, FIRST]] {
            let mut chunks = Chunks::default();
            let mut whole: Vec<Joined<u64>> = Vec::new();
            for (number, payload) in (0..).zip(order.iter().flat_map(|payload| [payload, payload])) {
                whole.extend(chunks.push(1, "b", payload, number));
            }
            assert_eq!(Headers::parse(&whole[0].payload).body(), b"hello");
            assert_eq!((whole[0].total, whole[0].origin, whole[0].missing.is_empty()), (3, 0, true));
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        let mut chunks = Chunks::default();
        assert_eq!(chunks.push(1, "b", FIRST, ()), None);
        assert_eq!(chunks.push(1, "b", THIRD, ()), None);
        assert_eq!(chunks.push(2, "b", SECOND, ()), None);
        let left = chunks.finish();
        assert_eq!((Headers::parse(&left[0].payload).body(), &left[0].missing[..]), (&b"helo"[..], &[1][..]));
        assert_eq!((&left[1].payload[..], left[1].has_head, &left[1].missing[..]), (&b"l"[..], false, &[0][..]));
    }

    #[test]
    fn claims_of_many_chunks_cost_nothing() {
        let mut chunks = Chunks::default();
        assert_eq!(chunks.push(1, "b", b"Message-ID: 1\r\nChunks: 99999999999\r\n\r\n", ()), None);
        assert_eq!(chunks.push(1, "b", b"Message-ID: 1\r\nChunk: 4095\r\n\r\n", ()), None);
        for id in 0..2 * MOST_MESSAGES {
            chunks.push(1, "b", format!("Message-ID: {id}\r\nChunks: 2\r\n\r\n").as_bytes(), ());
        }
        assert_eq!(chunks.open.len(), MOST_MESSAGES);
    }
}
