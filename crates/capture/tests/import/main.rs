//! Imports captures that the tests write, of every shape that a capture can have.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod formats;
mod links;
mod sessions;
mod streams;
mod support;
mod tshark;
