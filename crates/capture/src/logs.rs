//! Readers of logs: what people kept of MSNP before there was a proxy to record it.
//!
//! [`Log::of`] tells the formats apart by their content, [`read`] reads one. All but [`Log::Dialogue`] are lines among others, each
//! with one command; `teller` puts them on connections, finds their payloads in the lines that follow, and tells the sink. A log
//! that leaves a payload out becomes a command and a gap of that length, never made-up bytes.

use std::io::BufRead;
use std::path::Path;

use crate::error::ReadError;
use crate::report::Logs;
use crate::sink::Sink;

mod arrows;
mod dialogue;
mod item;
mod letters;
mod lines;
mod payload;
mod purple;
mod teller;
mod time;

/// A format of logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Log {
    /// The dialogues of this project: `@conn`, `C> ...\r\n`, `S| ...`. The only one whose bytes are exact.
    Dialogue,
    /// `>>> VER 1 MSNP8` from the client, `<<< VER 1 MSNP8` from the server: Escargot, papyon and emesene, `mitmsn show`, MSNPiki and
    /// hypothetic.org.
    Arrows,
    /// `C: VER 1 MSNP8` and `S: VER 1 MSNP8`: wikis, mailing lists.
    Letters,
    /// `(12:00:01) msn: C: NS 000: VER 1 MSNP8`: the debug log of libpurple, as `pidgin -d` prints it.
    Libpurple,
}

impl Log {
    /// Finds out which log begins with `head`.
    pub fn of(head: &[u8]) -> Option<Log> {
        let lines = || lines::split(head);
        let has = |is: fn(&[u8]) -> bool| lines().any(is);
        if lines().find(|line| !line.is_empty() && !line.starts_with(b"#")).is_some_and(dialogue::is_start) {
            Some(Log::Dialogue)
        } else if has(purple::is_line) || lines().filter(|line| purple::is_debug(line)).nth(1).is_some() {
            Some(Log::Libpurple)
        } else if has(arrows::is_line) {
            Some(Log::Arrows)
        } else {
            has(letters::is_line).then_some(Log::Letters)
        }
    }

    /// Returns its name in transcripts.
    pub const fn name(self) -> &'static str {
        match self {
            Log::Dialogue => "dialogue",
            Log::Arrows => "arrows",
            Log::Letters => "letters",
            Log::Libpurple => "libpurple",
        }
    }
}

/// Reads a log; `name` stands in errors and in the transcript. Lines that are no part of it are counted in `report`, lines that
/// should be and cannot be read are told there with their number.
///
/// # Errors
///
/// If the input cannot be read. What was read before that has been told.
pub fn read(
    log: Log,
    input: impl BufRead,
    name: &Path,
    sink: &mut dyn Sink,
    report: &mut Logs,
) -> Result<(), ReadError> {
    match log {
        Log::Dialogue => dialogue::read(input, name, sink, report),
        Log::Arrows => teller::read(log, &mut arrows::Arrows::default(), input, name, sink, report),
        Log::Letters => teller::read(log, &mut letters::Letters, input, name, sink, report),
        Log::Libpurple => teller::read(log, &mut purple::Purple, input, name, sink, report),
    }
}

/// Returns the name of a file as transcripts have it; standard input has none.
fn file_of(name: &Path) -> Option<String> {
    name.file_name().map(|name| name.to_string_lossy().into_owned()).filter(|name| name != "-")
}

#[cfg(test)]
mod tests;
