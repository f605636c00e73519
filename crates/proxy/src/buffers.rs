//! Large buffers while busy and none while idle: each thread keeps a few, and a connection borrows one for as long as
//! it has bytes in hand.

use std::cell::RefCell;

/// Size of a read while busy.
pub(crate) const READ: usize = 64 * 1024;
/// Buffers that a thread keeps.
const MOST_SPARE: usize = 4;
/// A buffer that grew larger than this is not kept.
const LARGEST_SPARE: usize = 4 * READ;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Returns an empty buffer with room for a read.
pub(crate) fn take() -> Vec<u8> {
    SPARE.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(READ))
}

/// Gives a buffer back.
pub(crate) fn give_back(mut buffer: Vec<u8>) {
    if (READ..=LARGEST_SPARE).contains(&buffer.capacity()) {
        buffer.clear();
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < MOST_SPARE {
                spare.push(buffer);
            }
        });
    }
}
