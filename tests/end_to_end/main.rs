//! End to end: the real binary, real sockets, and clients that others wrote.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

mod cli;
mod clients;
mod command_faults;
#[cfg(feature = "web")]
mod control;
#[cfg(feature = "web")]
mod experiments;
mod export;
mod extract;
mod faults;
#[cfg(feature = "capture")]
mod import;
mod lifecycle;
mod lint;
mod logs;
mod recording;
mod redact;
mod redirects;
mod replay;
mod rules;
#[cfg(feature = "lua")]
mod scripts;
#[cfg(feature = "index")]
mod search;
mod sessions;
mod streams;
#[cfg(target_os = "linux")]
mod transparent;
