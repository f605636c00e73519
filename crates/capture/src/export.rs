//! Transcripts as packets: a pcapng file that Wireshark and everything else reads.
//!
//! The packets are made up around the bytes: Ethernet, IP and TCP from the client to the upstream server, with handshake, sequence
//! numbers, checksums and an end, in segments of at most 1460 bytes. Whatever is no byte of a peer is a comment of a packet. One
//! interface stands for one transcript.

use std::io::Write;

use msnp_transcript::Transcript;
use msnp_transcript::export::Options;
use pcap_file::pcapng::PcapNgWriteError;

mod dialogue;
mod file;
mod formats;
mod peers;
mod plan;
mod remarks;
mod stream;

pub use dialogue::dialogue;
pub use formats::FORMATS;
pub use msnp_transcript::export::Side;

/// What was written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Written {
    /// How many packets.
    pub packets: u64,
    /// How many connections.
    pub connections: u64,
    /// What could not be written as it stands in the transcripts, each with its place.
    pub problems: Vec<String>,
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The output takes no more.
    #[error(transparent)]
    Output(#[from] std::io::Error),
    /// A block cannot be put into the form of pcapng.
    #[error("cannot be written as pcapng: {0}")]
    Block(PcapNgWriteError),
}

impl From<PcapNgWriteError> for ExportError {
    fn from(error: PcapNgWriteError) -> ExportError {
        match error {
            PcapNgWriteError::Io(error) => ExportError::Output(error),
            error => ExportError::Block(error),
        }
    }
}

/// Writes transcripts as one pcapng file, in the order of time; the filter is not asked. `software` is named as the program that made it.
///
/// | in the transcript | in the file |
/// |---|---|
/// | session | an interface, which says what it holds and which addresses stand for others |
/// | connection | a TCP stream: handshake when it was opened, FIN when it was closed, none if the transcript ends before |
/// | address that is a name, empty, or in use by another stream | an address of 192.0.2.0/24 (clients) or 198.51.100.0/24 (servers); names are in a name resolution block |
/// | port of a server that is not 1863, of a client below 1863 | 1863, or one from 49152: else no dissector of MSNP is called |
/// | command, opaque bytes | segments; masked places are `*` |
/// | gap | a jump of the sequence number, acknowledged by the receiver |
/// | tags, notes, names of rules, holds, delays, what the other [`Side`] of a changed command is | comments |
///
/// # Errors
///
/// If `out` cannot be written to.
pub fn pcapng(
    transcripts: &[Transcript],
    options: &Options,
    software: &str,
    out: impl Write,
) -> Result<Written, ExportError> {
    let mut written = Written::default();
    let mut steps = Vec::new();
    for (index, transcript) in transcripts.iter().enumerate() {
        steps.extend(plan::plan(index, transcript, options.side, &mut written.problems));
    }
    // stable: the order within a transcript stays
    steps.sort_by_key(|step| step.key);
    file::write(transcripts, &steps, options, software, out, &mut written)?;
    Ok(written)
}

#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod tests;
