//! Where commands begin and end.

use jiff::Timestamp;
use msnp::{Direction, Verb};

use super::report::{LONGEST_VALUE, Place, Report, shown};
use super::rule::{Needs, Rule, Severity};
use super::said::{Said, seconds};
use crate::event::OpaqueEvent;

pub(super) static BARE_LF: Rule = Rule {
    id: "framing/bare-lf",
    severity: Severity::Warning,
    summary: "a line ends in LF without CR",
    explanation: "Every real client and server ends lines with CRLF. Some readers accept a bare LF, others wait for the CR for ever.",
    reference: "framing 1 (ESC KB21)",
    needs: Needs::Bytes,
    wrong: "# MSNP12\nC: PNG\\n\nS: QNG 50",
    right: "# MSNP12\nC: PNG\nS: QNG 50",
};

pub(super) static BLANK_LINE: Rule = Rule {
    id: "framing/blank-line",
    severity: Severity::Warning,
    summary: "an empty line stands between commands",
    explanation: "There is no CRLF after a payload: the next command starts at once. Clients that skip empty lines exist, others \
                  end the connection at the first line that is no command.",
    reference: "framing 1 (ESC BIT)",
    needs: Needs::Bytes,
    wrong: "# MSNP12\nS: UBX bob@example.com 0\nS? \\r\\n",
    right: "# MSNP12\nS: UBX bob@example.com 0",
};

pub(super) static OPAQUE: Rule = Rule {
    id: "framing/not-a-command",
    severity: Severity::Error,
    summary: "bytes that are no command",
    explanation: "A command is three capital letters or three digits, arguments behind single spaces, and CRLF. From bytes that \
                  are none, nobody can find the next command again; real servers end the connection. What follows on the \
                  connection is not judged.",
    reference: "framing 1 and 9 (ESC)",
    needs: Needs::Bytes,
    wrong: "# MSNP12\nC? GET / HTTP/1.0\\r\\n\\r\\n",
    right: "# MSNP12\nC: PNG\nS: QNG 50",
};

pub(super) static CUT_OFF: Rule = Rule {
    id: "framing/cut-off",
    severity: Severity::Error,
    summary: "a line or payload that was never completed",
    explanation: "The connection ended, or nothing more was sent, within a command: a length that is too large, or a buffer that \
                  was too small (bitlbee 1.2.8 cuts lines at 1023 bytes, without CRLF). The receiver waits for the rest.",
    reference: "framing 9; seen on the wire (bitlbee 1.2.8)",
    needs: Needs::Bytes,
    wrong: "# MSNP12\nC? USR 4 TWN S t=abc",
    right: "# MSNP12\nC: PNG\nS: QNG 50",
};

pub(super) static TOO_SMALL: Rule = Rule {
    id: "length/too-small",
    severity: Severity::Error,
    summary: "a payload is longer than its line says",
    explanation: "Lengths count bytes, never characters. What lies beyond the announced length is read as commands; this is \
                  reported where what follows a payload is no command.",
    reference: "framing 1 and 9 (ESC)",
    needs: Needs::Bytes,
    wrong: "# board MSNP12\nC: MSG 10 U {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: text/plain; charset=UTF-8\\r\\n\\r\\ncaf\u{e9} ope\nC? n",
    right: "# board MSNP12\nC: MSG 10 U {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: text/plain; charset=UTF-8\\r\\n\\r\\ncaf\u{e9} open",
};

pub(super) static MISMATCH: Rule = Rule {
    id: "length/mismatch",
    severity: Severity::Error,
    summary: "the length on a line is not that of its payload",
    explanation: "A proxy or script sent a length that it did not compute, or the transcript was edited by hand. The receiver \
                  loses its place in the stream.",
    reference: "framing 1 and 9",
    needs: Needs::Bytes,
    wrong: "# MSNP12\nC: UUX 10 7\\r\\n<Data></Data>\nS: UUX 10 0",
    right: "# MSNP12\nC: UUX 10 13\\r\\n<Data></Data>\nS: UUX 10 0",
};

/// What the last command of each direction was, for what comes behind it.
#[derive(Debug, Default)]
pub(super) struct Framing {
    payload: [Option<(Place, Option<Timestamp>)>; 2],
}

impl Framing {
    pub(super) fn said(&mut self, said: &Said<'_>, report: &mut Report<'_>) {
        let command = said.command;
        if command.eol() == b"\n" {
            report.add(&BARE_LF, "the line ends in LF, without CR");
        }
        // what cannot be followed by anything is framed; an unknown verb's payload depends on what follows
        if msnp::table::is_known(command.verb()) && !command.is_framed() {
            let found = command.payload().len();
            report.add(&MISMATCH, format!("{found} bytes of payload follow, which is not what the line says"));
        }
        let direction = command.direction().index();
        self.payload[direction] = (!command.payload().is_empty()).then(|| (report.place().clone(), said.time));
    }

    /// Takes bytes that are no command, and returns whether the dialogue cannot be followed from here on.
    pub(super) fn opaque(&mut self, event: &OpaqueEvent, time: Option<Timestamp>, report: &mut Report<'_>) -> bool {
        let bytes = event.payload.as_ref().and_then(|payload| payload.bytes().ok()).unwrap_or_default();
        let direction = Direction::from(event.direction);
        let before = self.payload[direction.index()].take();
        // bytes that were masked are not there; two can hardly be anything else
        let is_blank_line = bytes.is_empty() && event.length <= 2;
        if is_blank_line || !bytes.is_empty() && bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
            report.add(&BLANK_LINE, "an empty line, where a command should start");
            return false;
        }
        let start = if bytes.is_empty() { String::new() } else { format!(": \"{}\"", shown(&bytes, LONGEST_VALUE)) };
        // what a payload spills arrives with it
        let is_with = |before: &(Place, Option<Timestamp>)| seconds(before.1, time).is_none_or(|seconds| seconds < 1.0);
        if let Some(unfinished) = unfinished(&bytes) {
            report.add(&CUT_OFF, format!("{unfinished}{start}"));
        } else if let Some((place, _)) = before.filter(is_with) {
            let length = event.length;
            report.add_at(
                &TOO_SMALL,
                place,
                format!("the payload goes on for {length} bytes behind the announced length{start}"),
            );
        } else {
            report.add(&OPAQUE, format!("{} bytes that are no whole command{start}", event.length));
        }
        true
    }
}

/// Says what is missing, if these are the first bytes of a command.
fn unfinished(bytes: &[u8]) -> Option<String> {
    Verb::of_line(bytes)?;
    let Some(end) = memchr::memchr(b'\n', bytes) else { return Some("a line without an end".into()) };
    let line = bytes[..end].trim_ascii_end();
    let length: usize = std::str::from_utf8(line.rsplit(|&byte| byte == b' ').next()?).ok()?.parse().ok()?;
    let present = bytes.len() - end - 1;
    (present < length).then(|| format!("{present} of {length} bytes of a payload"))
}
