//! Why an input could not be read to its end.

use std::io;
use std::path::PathBuf;

/// Why an input could not be read to its end. What came before has been told to the sink all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file cannot be opened.
    #[error("cannot open {}: {error}", name.display())]
    Open {
        /// The file.
        name: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Reading failed.
    #[error("{}, at byte {offset}: cannot be read: {error}", name.display())]
    Read {
        /// The file.
        name: PathBuf,
        /// How far it was read; in compressed files, of what is inside.
        offset: u64,
        /// Why.
        error: io::Error,
    },
    /// It is none of the formats that are known.
    #[error("{}: neither a packet capture (pcap, pcapng) nor a log that is known; it begins with {start}", name.display())]
    Format {
        /// The file.
        name: PathBuf,
        /// Its first bytes, for people.
        start: String,
    },
    /// The capture ends within a packet.
    #[error("{}, at byte {offset}: cut off within a packet; the {packets} packets before were read", name.display())]
    CutOff {
        /// The file.
        name: PathBuf,
        /// Where the packet begins; in compressed files, in what is inside.
        offset: u64,
        /// How many packets came before.
        packets: u64,
    },
    /// What stands there makes no sense.
    #[error("{}, at byte {offset}: damaged: {what}; the {packets} packets before were read", name.display())]
    Damaged {
        /// The file.
        name: PathBuf,
        /// Where; in compressed files, in what is inside.
        offset: u64,
        /// How many packets came before.
        packets: u64,
        /// What stands there.
        what: String,
    },
}
