//! [`Command`]: one line and its payload, as exact bytes that can be edited in place.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::argument::{self, Scope};
use crate::codec::{Codec, CommandSpan, Limits, Span};
use crate::payload::mime::Headers;
use crate::table::{self, PayloadRule, Slot};
use crate::types::{Direction, TransactionId, Verb};

pub use edit::{check_any_edit, check_any_edit_bytes};

mod edit;

/// One command. It keeps the bytes it was made of; an edit rewrites only what it changes, and repairs the length.
#[derive(Clone)]
pub struct Command {
    direction: Direction,
    /// The first three bytes; kept because everybody asks for it.
    verb: Verb,
    slot: Slot,
    bytes: Vec<u8>,
    /// Length of the line without its end.
    line: usize,
    /// Length of the line's end: 1 or 2.
    eol: usize,
    /// How often it was edited.
    edits: u32,
}

/// What happens to the length on the line when the payload changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LengthPolicy {
    /// It becomes the length of the new payload.
    #[default]
    Repair,
    /// It stays, right or wrong: for experiments with broken peers.
    Keep,
}

/// Why a command could not be made or edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The bytes are not one whole command.
    #[error("not one whole command")]
    NotOneCommand,
    /// A value for the line holds a space, CR or LF, which would change what the line is.
    #[error("an argument holds a space, CR or LF; percent-encode it")]
    BreaksLine,
    /// There is no argument at this index and it is not the next one either.
    #[error("no argument {index}; the command has {count}")]
    NoArgument {
        /// The index asked for, from 0.
        index: usize,
        /// How many arguments there are.
        count: usize,
    },
    /// The command cannot carry a payload.
    #[error("{verb} in this direction carries no payload")]
    NoPayload {
        /// Its verb.
        verb: Verb,
    },
}

impl Command {
    /// Makes a command from its exact bytes, line end and payload included.
    ///
    /// # Errors
    ///
    /// If a codec would not frame exactly these bytes as one command.
    pub fn parse(direction: Direction, bytes: &[u8]) -> Result<Command, CommandError> {
        let span = only_span(direction, bytes).ok_or(CommandError::NotOneCommand)?;
        Ok(Command::from_span(direction, bytes, span))
    }

    /// Makes a command from a line without its end. With a payload, its length becomes the last argument.
    ///
    /// # Errors
    ///
    /// If the line has no verb or holds a line end.
    pub fn new(direction: Direction, line: &[u8], payload: Option<&[u8]>) -> Result<Command, CommandError> {
        let verb = Verb::of_line(line).filter(|_| !line.iter().any(|&byte| matches!(byte, b'\r' | b'\n')));
        let verb = verb.ok_or(CommandError::NotOneCommand)?;
        let mut bytes = line.to_vec();
        if let Some(payload) = payload {
            bytes.extend_from_slice(format!(" {}", payload.len()).as_bytes());
        }
        let line = bytes.len();
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(payload.unwrap_or_default());
        Ok(Command { direction, verb, slot: Slot::of(verb), bytes, line, eol: 2, edits: 0 })
    }

    /// Copies the command that `bytes` start with, as a codec found it.
    pub fn from_span(direction: Direction, bytes: &[u8], span: CommandSpan) -> Command {
        let bytes = bytes.get(..span.len as usize).unwrap_or(bytes).to_vec();
        let verb = verb_of(&bytes);
        Command { direction, verb, slot: span.slot, bytes, line: span.line as usize, eol: span.eol as usize, edits: 0 }
    }

    /// Becomes the command that `bytes` start with, reusing the memory of the one before.
    pub fn reload(&mut self, direction: Direction, bytes: &[u8], span: CommandSpan) {
        self.direction = direction;
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes.get(..span.len as usize).unwrap_or(bytes));
        self.verb = verb_of(&self.bytes);
        self.slot = span.slot;
        self.line = span.line as usize;
        self.eol = span.eol as usize;
        self.edits = 0;
    }

    /// Returns the same bytes as a command that goes this way.
    #[must_use]
    pub fn with_direction(mut self, direction: Direction) -> Command {
        self.direction = direction;
        self
    }

    /// Returns how often the command was edited since it was made: a cheap sign of a change.
    pub fn edits(&self) -> u32 {
        self.edits
    }

    /// Returns which way the command goes.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Returns the verb.
    pub fn verb(&self) -> Verb {
        self.verb
    }

    /// Returns the verb's place in sets of verbs.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// Returns the line without its end.
    pub fn line(&self) -> &[u8] {
        &self.bytes[..self.line]
    }

    /// Returns the line's end: CRLF, or a bare LF.
    pub fn eol(&self) -> &[u8] {
        &self.bytes[self.line..self.line + self.eol]
    }

    /// Returns the payload; empty if there is none.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.line + self.eol..]
    }

    /// Returns where the parts lie: what [`Command::from_span`] makes the same command of.
    pub fn span(&self) -> CommandSpan {
        let (line, len) = (self.line as u32, self.bytes.len() as u32);
        CommandSpan { line, eol: self.eol as u8, slot: self.slot, len }
    }

    /// Returns the exact bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the arguments, split on every single space: empty ones count, so that the line can be rebuilt.
    pub fn arguments(&self) -> Arguments<'_> {
        arguments(self.line())
    }

    /// Returns argument `index`, from 0.
    pub fn argument(&self, index: usize) -> Option<&[u8]> {
        self.arguments().nth(index)
    }

    /// Returns the value of the argument with this documented name.
    pub fn argument_named(&self, name: &str, scope: Scope) -> Option<&[u8]> {
        let arguments: Vec<&[u8]> = self.arguments().collect();
        let place = argument::find(self.verb(), self.direction, &arguments, scope, name)?;
        arguments.get(place.index)?.strip_prefix(place.prefix.as_bytes())
    }

    /// Returns the transaction id, if this form of the command has one.
    pub fn transaction_id(&self) -> Option<TransactionId> {
        transaction_id(self.direction, self.line(), Scope::default())
    }

    /// Whether the line announces a payload, be it of zero bytes.
    pub fn has_payload(&self) -> bool {
        self.length_range().is_some()
    }

    /// Whether a receiver would find exactly these bytes to be one command.
    pub fn is_framed(&self) -> bool {
        only_span(self.direction, &self.bytes).is_some()
    }

    /// Returns the MIME headers of the payload.
    pub fn headers(&self) -> Headers<'_> {
        Headers::parse(self.payload())
    }

    /// Returns the text: the body after the MIME headers, or the whole payload where there are none.
    pub fn text(&self) -> &[u8] {
        &self.payload()[self.text_range()]
    }

    /// Returns where the text lies in the payload.
    pub fn text_range(&self) -> Range<usize> {
        let payload = self.payload();
        let headers = Headers::parse(payload);
        if headers.is_empty() { 0..payload.len() } else { headers.body_start()..payload.len() }
    }

    /// Returns where the length stands on the line, if there is one.
    fn length_range(&self) -> Option<Range<usize>> {
        let (rule, fewest) = table::payload_rule(self.verb(), self.direction);
        let line = self.line();
        let end = line.iter().rposition(|&byte| byte != b' ')? + 1;
        let start = line[..end].iter().rposition(|&byte| byte == b' ')? + 1;
        let is_number = line[start..end].iter().all(u8::is_ascii_digit);
        let enough = fewest < 2 || line.get(3..start)?.iter().any(|&byte| byte != b' ');
        let counts = match rule {
            PayloadRule::NoPayload => false,
            PayloadRule::Last => true,
            PayloadRule::IfNumeric => is_number && enough,
            PayloadRule::Lookahead => is_number && enough && !self.payload().is_empty(),
        };
        counts.then_some(start..end)
    }
}

/// Returns where the parts lie, if a codec finds one command in these bytes and nothing else.
fn only_span(direction: Direction, bytes: &[u8]) -> Option<CommandSpan> {
    let mut codec = Codec::new(direction, Limits { line: usize::MAX, payload: u32::MAX as usize });
    match codec.finish(bytes) {
        Some(Span::Command(span)) if span.len as usize == bytes.len() => Some(span),
        _ => None,
    }
}

fn verb_of(bytes: &[u8]) -> Verb {
    Verb::of_line(bytes).expect("a codec finds commands that start with a verb")
}

/// The arguments of a line; made by [`arguments`].
#[derive(Clone, Debug)]
pub struct Arguments<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Arguments<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        match memchr::memchr(b' ', rest) {
            Some(space) => {
                self.rest = Some(&rest[space + 1..]);
                Some(&rest[..space])
            }
            None => {
                self.rest = None;
                Some(rest)
            }
        }
    }
}

/// Splits the arguments off a line, on every single space.
pub fn arguments(line: &[u8]) -> Arguments<'_> {
    Arguments { rest: line.get(4..) }
}

/// Returns the transaction id of a line, if this form of the command has one.
#[inline]
pub fn transaction_id(direction: Direction, line: &[u8], scope: Scope) -> Option<TransactionId> {
    let verb = Verb::of_line(line)?;
    // an id is short: no need to set up a search for its end
    let first = || {
        let rest = line.get(4..)?;
        let end = rest.iter().take(11).position(|&byte| byte == b' ').unwrap_or(rest.len());
        TransactionId::from_token(&rest[..end])
    };
    match table::transaction_id_rule(verb, direction) {
        Some(true) => first(),
        Some(false) => None,
        None => {
            let id = first()?;
            let arguments: Vec<&[u8]> = arguments(line).collect();
            let (_, names) = argument::describe(verb, direction, &arguments, scope)?;
            (names.first() == Some(&Some("trid"))).then_some(id)
        }
    }
}

impl PartialEq for Command {
    /// Commands are equal if they have the same bytes and direction.
    fn eq(&self, other: &Command) -> bool {
        self.direction == other.direction && self.line == other.line && self.bytes == other.bytes
    }
}

impl Eq for Command {}

impl fmt::Debug for Command {
    /// Shows direction and verb only: a line or payload may hold a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payload = self.payload().len();
        write!(
            f,
            "Command({} {}, {} arguments, {payload} bytes)",
            self.direction,
            self.verb(),
            self.arguments().count()
        )
    }
}

/// Returns bytes as text, with what is not UTF-8 replaced.
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Version;
    use Direction::{ClientToServer, ServerToClient};

    fn client(bytes: &str) -> Command {
        Command::parse(ClientToServer, bytes.as_bytes()).unwrap()
    }

    fn text(command: &Command) -> &str {
        std::str::from_utf8(command.as_bytes()).unwrap()
    }

    #[test]
    fn an_argument_changes_and_nothing_else() {
        let mut command = client("CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.0.0813 MSMSGS alice@example.com\r\n");
        command.set_argument(6, b"7.5.0324").unwrap();
        assert_eq!(text(&command), "CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.5.0324 MSMSGS alice@example.com\r\n");
        let mut command = client("CHG 8 NLN\r\n");
        command.set_argument(2, b"0").unwrap();
        assert_eq!(text(&command), "CHG 8 NLN 0\r\n");
        assert_eq!(command.set_argument(5, b"0"), Err(CommandError::NoArgument { index: 5, count: 3 }));
        assert_eq!(command.set_argument(1, b"A B"), Err(CommandError::BreaksLine));
    }

    #[test]
    fn empty_arguments_count() {
        let command = Command::parse(ServerToClient, b"LST N=carol@example.com  3 \n").unwrap();
        assert_eq!(command.arguments().collect::<Vec<_>>(), [&b"N=carol@example.com"[..], b"", b"3", b""]);
        assert_eq!(command.eol(), b"\n");
        let mut command = command;
        command.set_argument(1, b"F=Carol").unwrap();
        assert_eq!(command.as_bytes(), b"LST N=carol@example.com F=Carol 3 \n");
    }

    #[test]
    fn the_length_follows_the_payload_unless_told_otherwise() {
        let mut command = client("MSG 4 N 8\r\nA: b\r\n\r\n");
        command.set_text("Grüße".as_bytes(), LengthPolicy::Repair).unwrap();
        assert_eq!(text(&command), "MSG 4 N 15\r\nA: b\r\n\r\nGrüße");
        command.set_text(b"x", LengthPolicy::Keep).unwrap();
        assert_eq!(text(&command), "MSG 4 N 15\r\nA: b\r\n\r\nx");
        command.set_header("a", b"cc", LengthPolicy::Repair).unwrap();
        assert_eq!(text(&command), "MSG 4 N 10\r\nA: cc\r\n\r\nx");
        command.set_header("D", b"e", LengthPolicy::Repair).unwrap();
        assert_eq!(text(&command), "MSG 4 N 16\r\nA: cc\r\nD: e\r\n\r\nx");
    }

    #[test]
    fn a_new_header_does_not_run_into_one_that_was_cut_off() {
        let mut command = client("MSG 4 N 10\r\nA: b\r\nC: d");
        command.set_header("E", b"f", LengthPolicy::Repair).unwrap();
        assert_eq!(text(&command), "MSG 4 N 18\r\nA: b\r\nC: d\r\nE: f\r\n");
    }

    #[test]
    fn a_length_before_a_trailing_space_is_the_one_that_is_repaired() {
        let mut command = Command::parse(ServerToClient, b"UBX bob@example.com 1 0 \r\n").unwrap();
        command.set_payload(b"<Data/>", LengthPolicy::Repair).unwrap();
        assert_eq!(text(&command), "UBX bob@example.com 1 7 \r\n<Data/>");
    }

    #[test]
    fn a_form_without_a_length_gets_one_with_its_payload() {
        let mut command = Command::parse(ServerToClient, b"UUX 9\r\n").unwrap();
        assert!(!command.has_payload());
        command.set_payload(b"ab", LengthPolicy::Repair).unwrap();
        assert_eq!(text(&command), "UUX 9 2\r\nab");
        let mut command = client("PNG\r\n");
        let verb = command.verb();
        assert_eq!(command.set_payload(b"x", LengthPolicy::Repair), Err(CommandError::NoPayload { verb }));
    }

    #[test]
    fn the_transaction_id_is_where_the_form_has_one() {
        let id = |line: &[u8]| Command::parse(ServerToClient, line).unwrap().transaction_id().map(|id| id.0);
        assert_eq!(id(b"USR 7 OK alice@example.com 1 0\r\n"), Some(7));
        assert_eq!(id(b"RNG 11752013 192.0.2.20:1863 CKI 1.2 a@example.com A\r\n"), None);
        assert_eq!(id(b"LSG 0 Other%20Contacts 0\r\n"), None);
        assert_eq!(id(b"NOT 1\r\nx"), None);
        assert_eq!(id(b"GTC 9 A\r\n"), Some(9));
        assert_eq!(id(b"GTC A\r\n"), None);
        assert_eq!(id(b"911 4294967295\r\n"), Some(u32::MAX));
        assert_eq!(id(b"911 4294967296\r\n"), None);
    }

    #[test]
    fn arguments_can_be_asked_for_by_name() {
        let command = Command::parse(ServerToClient, b"ADC 0 RL N=carol@example.com F=Carol\r\n").unwrap();
        let scope = Scope { version: Some(Version(10)), ..Scope::default() };
        assert_eq!(command.argument_named("friendly_name", scope), Some(&b"Carol"[..]));
        assert_eq!(command.argument_named("guid", scope), None);
    }

    #[test]
    fn a_verb_and_a_direction_can_be_another() {
        let mut command = client("CHG 8 NLN\r\n");
        command.set_verb("PNG".parse().unwrap());
        assert_eq!((text(&command), command.verb().as_str(), command.edits()), ("PNG 8 NLN\r\n", "PNG", 1));
        let mut command = client("MSG 4 N 5\r\nhello");
        command.set_verb("PNG".parse().unwrap());
        assert!(!command.is_framed());
        let turned = client("QRY 5 32\r\n0123456789abcdef0123456789abcdef").with_direction(ServerToClient);
        assert_eq!(turned.direction(), ServerToClient);
    }

    #[test]
    fn a_command_is_made_of_a_line_and_a_payload() {
        let made = Command::new(ServerToClient, b"NOT", Some(b"abc")).unwrap();
        assert_eq!(text(&made), "NOT 3\r\nabc");
        let made = Command::new(ServerToClient, b"MSG bob@example.com 3", Some(b"abc")).unwrap();
        assert_eq!(text(&made), "MSG bob@example.com 3 3\r\nabc");
        assert_eq!(Command::new(ServerToClient, b"hello", None), Err(CommandError::NotOneCommand));
        assert_eq!(Command::new(ServerToClient, b"OUT\r\nOUT", None), Err(CommandError::NotOneCommand));
    }

    #[test]
    fn a_length_that_no_number_holds_makes_no_command() {
        for length in ["4294967295", "4294967296", "9999999999"] {
            let bytes = format!("ADL 9 {length}\r\n");
            assert_eq!(Command::parse(ClientToServer, bytes.as_bytes()), Err(CommandError::NotOneCommand));
        }
    }

    #[test]
    fn debug_output_shows_no_argument() {
        assert_eq!(format!("{:?}", client("USR 4 TWN S t=secret\r\n")), "Command(c2s USR, 4 arguments, 0 bytes)");
    }
}
