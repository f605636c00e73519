//! Exports: transcripts in forms that others read. One file per format, one line in [`FORMATS`].
//!
//! A format writes what it is given: whoever calls it has had the transcripts redacted, or means to share them as they are,
//! and says so in [`Options::redacted`], which every format that has a place for it repeats.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{Expression, Transcript};

mod blocks;
mod csv;
mod fate;
mod html;
mod json;
mod markdown;
mod mediawiki;
mod row;
mod summary;
mod text;
mod walk;

/// The formats of this crate.
pub const FORMATS: &[Format] =
    &[html::FORMAT, text::FORMAT, markdown::FORMAT, mediawiki::FORMAT, csv::FORMAT, json::FORMAT];

/// One format.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Format {
    /// Its name.
    pub name: &'static str,
    /// The ends of the names of its files, without the dot; the first is the usual one. None for a folder.
    pub extensions: &'static [&'static str],
    /// What it is, for help.
    pub about: &'static str,
    /// Whether it can leave commands out.
    pub filters: bool,
    /// Whether it writes one [`Side`] alone.
    pub sides: bool,
    /// What writes it.
    pub writer: Writer,
}

/// Remarks on what was written: what could not be as it stands, each with its place.
pub type Written = Result<Vec<String>, ExportError>;

/// What writes a format.
#[derive(Clone, Copy, Debug)]
pub enum Writer {
    /// One file.
    File(fn(&[Transcript], &Options, &mut dyn Write) -> Written),
    /// A tree of files in a folder that exists and is empty.
    Folder(fn(&[Transcript], &Options, &Path) -> Written),
}

/// What is written.
#[derive(Debug, Default)]
pub struct Options {
    /// Only commands for which this holds.
    pub filter: Option<Expression>,
    /// Whether names, addresses, texts and secrets were replaced before.
    pub redacted: bool,
    /// Which bytes, for the formats that have place for one side alone.
    pub side: Side,
}

/// Which bytes of a session: what hooks change is not what came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Side {
    /// What arrived from the peers.
    #[default]
    Received,
    /// What left towards the peers: rules carried out, injected commands in their place, delays and holds at the time at
    /// which they ended.
    Sent,
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The output takes no more.
    #[error(transparent)]
    Output(#[from] io::Error),
    /// A file of a tree cannot be written.
    #[error("cannot write {}: {problem}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system says.
        problem: io::Error,
    },
}

impl Format {
    /// Makes a format known, of this crate or of another.
    pub const fn new(
        name: &'static str,
        extensions: &'static [&'static str],
        about: &'static str,
        writer: Writer,
    ) -> Format {
        Format { name, extensions, about, filters: true, sides: false, writer }
    }

    /// The same, without the means to leave commands out.
    #[must_use]
    pub const fn unfiltered(self) -> Format {
        Format { filters: false, ..self }
    }

    /// The same, of one side alone.
    #[must_use]
    pub const fn one_sided(self) -> Format {
        Format { sides: true, ..self }
    }

    /// Whether it is a folder and not a file.
    pub fn is_folder(&self) -> bool {
        matches!(self.writer, Writer::Folder(_))
    }
}

/// The name and version of what writes, for the formats that have a place for it.
const SOFTWARE: &str = concat!("mitmsn ", env!("CARGO_PKG_VERSION"));
