//! The sandbox over loopback sockets, judged by its own scripted clients and by a client that others wrote.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod conversations;
mod msnp11_sdk;
mod refusals;
