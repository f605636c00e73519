//! TCP put together again: the bytes of each direction in order, and what is missing of them.
//!
//! [`stream`] orders the segments of one direction, `flow` knows both directions of a connection, `flows` all connections
//! of a capture, what they carry, and when they end.

pub(crate) mod flow;
pub(crate) mod flows;
pub mod stream;
