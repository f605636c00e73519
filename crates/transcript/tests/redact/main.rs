//! Redaction: nothing of people is left, and the transcript can still be read.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod dialogues;
mod planting;
mod support;
mod table;
