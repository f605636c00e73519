//! The MSN Messenger protocol, MSNP2 to MSNP21, as types.
//!
//! [`Codec`] cuts a byte stream into [`Frame`]s, [`Command`] keeps the exact bytes of one of them and edits it in
//! place, [`table`] says what every verb means, [`text`] writes a command for people and
//! reads what they write, [`payload`] looks into payloads and [`challenge`] computes logins.
//!
//! This crate opens no socket, starts no task and reads no clock: the same bytes give the same answer every time.

pub mod argument;
pub mod challenge;
pub mod codec;
pub mod command;
pub mod errors;
pub mod flow;
pub mod payload;
pub mod table;
pub mod text;
pub mod types;

pub use codec::{Codec, Frame, Limits};
pub use command::{Command, LengthPolicy};
pub use types::{Direction, ServerKind, TransactionId, Verb, Version};
