//! The forms of this crate among those of `mitmsn export`.

use std::io::{self, Write};

use msnp_transcript::Transcript;
use msnp_transcript::export::{ExportError, Format, Options, Writer};

use super::{dialogue, pcapng};

/// The formats of this crate.
pub const FORMATS: &[Format] = &[
    Format::new(
        "pcapng",
        &["pcapng"],
        "packets, for Wireshark and others; import reads them back",
        Writer::File(packets),
    )
    .unfiltered()
    .one_sided(),
    Format::new(
        "dialogue",
        &["dialogue"],
        "C> and S> with exact bytes, for tests; import reads it back",
        Writer::File(text),
    )
    .unfiltered(),
];

fn packets(transcripts: &[Transcript], options: &Options, out: &mut dyn Write) -> Result<Vec<String>, ExportError> {
    Ok(pcapng(transcripts, options, SOFTWARE, out)?.problems)
}

fn text(transcripts: &[Transcript], _: &Options, out: &mut dyn Write) -> Result<Vec<String>, ExportError> {
    Ok(dialogue(transcripts, out)?.problems)
}

impl From<super::ExportError> for ExportError {
    fn from(error: super::ExportError) -> ExportError {
        match error {
            super::ExportError::Output(error) => ExportError::Output(error),
            error => ExportError::Output(io::Error::other(error)),
        }
    }
}

const SOFTWARE: &str = concat!("mitmsn ", env!("CARGO_PKG_VERSION"));
