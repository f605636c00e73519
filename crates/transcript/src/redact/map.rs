//! Who is who, as a file: for the owner of the transcripts alone.

use std::io;

use serde::{Deserialize, Serialize};

use super::kind::Kind;
use super::names::Names;

/// Every value that has a pseudonym. Dropped secrets and personal details are not in it.
///
/// ```json
/// {"format": "mitmsn-redaction-map", "version": 1, "values": [
///   {"kind": "address", "original": "bob@example.org", "pseudonym": "alice@example.com"},
///   {"kind": "name", "original": "Bobby", "pseudonym": "Alice", "of": "bob@example.org"}]}
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Map {
    /// Always `mitmsn-redaction-map`.
    format: String,
    /// Version of the format, 1.
    version: u32,
    /// The values, in the order in which they were met.
    pub values: Vec<MapValue>,
}

/// One value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MapValue {
    /// What it is.
    pub kind: Kind,
    /// As it was written when it was first met.
    pub original: String,
    /// What stands for it.
    pub pseudonym: String,
    /// The account that a name belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

/// Why a file is no map.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// It is not JSON of this shape.
    #[error("no map of a redaction: {0}")]
    Shape(#[from] serde_json::Error),
    /// It is of another format, or of a later version.
    #[error("no {FORMAT} of version {VERSION}, but {format:?} of version {version}")]
    Format {
        /// What it says it is.
        format: String,
        /// And of which version.
        version: u32,
    },
}

impl Map {
    /// Reads a map.
    ///
    /// # Errors
    ///
    /// If it is none, or one of a later version.
    pub fn parse(text: &[u8]) -> Result<Map, MapError> {
        let map: Map = serde_json::from_slice(text)?;
        match (map.format == FORMAT, map.version <= VERSION) {
            (true, true) => Ok(map),
            _ => Err(MapError::Format { format: map.format, version: map.version }),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    ///
    /// If `out` cannot be written.
    pub fn write(&self, mut out: impl io::Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut out, self)?;
        out.write_all(b"\n")
    }

    pub(super) fn of(names: &Names) -> Map {
        let values = names
            .entries()
            .filter(|(kind, key, entry)| !entry.pseudonym.is_empty() && kind.key(&entry.pseudonym) != **key)
            .map(|(kind, _, entry)| MapValue {
                kind,
                original: entry.original.clone(),
                pseudonym: entry.pseudonym.clone(),
                of: entry.person.clone(),
            })
            .collect();
        Map { format: FORMAT.into(), version: VERSION, values }
    }

    pub(super) fn restore(&self, names: &mut Names) {
        for value in &self.values {
            names.restore(value.kind, &value.original, &value.pseudonym, value.of.clone());
        }
    }
}

const FORMAT: &str = "mitmsn-redaction-map";
const VERSION: u32 = 1;
