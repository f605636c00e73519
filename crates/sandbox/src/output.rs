//! [`Output`]: what is written to one connection in one go.

use std::fmt::Display;

use bytes::Bytes;
use msnp::TransactionId;

use crate::code::ErrorCode;

/// Commands in wire form, and whether the connection ends after them.
///
/// All answers to one command are one write: some clients lose a line that two reads share.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    closes: bool,
}

impl Output {
    /// Returns one line as bytes, for a push to somebody else's connection.
    pub(crate) fn of_line(line: impl Display) -> Bytes {
        let mut output = Output::default();
        output.line(line);
        output.into_bytes()
    }

    /// Returns one command with a payload as bytes, for a push to somebody else's connection.
    pub(crate) fn of_payload(line: impl Display, payload: &[u8]) -> Bytes {
        let mut output = Output::default();
        output.payload(line, payload);
        output.into_bytes()
    }

    /// Appends a command without a payload.
    pub(crate) fn line(&mut self, line: impl Display) {
        self.bytes.extend_from_slice(line.to_string().as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Appends a command with a payload, and the payload's length to its line.
    pub(crate) fn payload(&mut self, line: impl Display, payload: &[u8]) {
        self.line(format_args!("{line} {}", payload.len()));
        self.bytes.extend_from_slice(payload);
    }

    /// Appends an error.
    pub(crate) fn error(&mut self, code: ErrorCode, id: TransactionId) {
        self.line(format_args!("{code} {id}"));
    }

    /// Appends an error, and ends the connection.
    pub(crate) fn fatal(&mut self, code: ErrorCode, id: TransactionId) {
        self.error(code, id);
        self.close();
    }

    /// Ends the connection when all of this is written.
    pub(crate) fn close(&mut self) {
        self.closes = true;
    }

    /// Whether the connection ends.
    pub(crate) fn closes(&self) -> bool {
        self.closes
    }

    /// Returns what is to be written.
    pub(crate) fn into_bytes(self) -> Bytes {
        self.bytes.into()
    }
}
