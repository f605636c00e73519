//! What a TCP connection carries, told by its content and not by its port alone.

use msnp::codec::Span;
use msnp::flow::Opening;
use msnp::table::{self, PayloadRule, Slot};
use msnp::{Codec, Command, Direction, Limits, TransactionId, Verb};

/// What a TCP connection carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carries {
    /// MSNP itself.
    Msnp,
    /// HTTP to a gateway of MSNP.
    HttpGateway,
    /// Something else.
    Other,
}

/// What is known of a connection, by side.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What each side has sent so far.
    pub bytes: [&'a [u8]; 2],
    /// Whether that begins where the connection does.
    pub is_from_start: [bool; 2],
    /// The side that opened the connection, if that was seen.
    pub client: Option<usize>,
    /// The port of each side.
    pub ports: [u16; 2],
    /// Whether no more will come.
    pub is_over: bool,
}

/// Decides what a connection carries and which side is the client; `None` if more has to be seen.
///
/// MSNP is what begins with `VER`, or with `USR` or `ANS` of a switchboard; or else a run of commands that the table of verbs
/// knows, in the right directions: three of them, or one on port 1863.
pub fn decide(evidence: &Evidence<'_>) -> Option<(Carries, usize)> {
    let sides = match evidence.client {
        Some(client) => &[client][..],
        None => &[0, 1],
    };
    if let Some(found) = sides.iter().find_map(|&client| http(evidence, client)) {
        return found;
    }
    if let Some(&client) = sides.iter().find(|&&client| evidence.is_from_start[client] && opens(evidence.bytes[client]))
    {
        return Some((Carries::Msnp, client));
    }
    let rank = |client: usize| {
        let is_port = evidence.ports[1 - client] == PORT;
        let runs = [run(evidence, client, client)?, run(evidence, client, 1 - client)?];
        let commands = runs[0] + runs[1];
        let enough = if is_port { 1 } else { 3 };
        (commands >= enough).then_some((commands, is_port, evidence.ports[1 - client] < evidence.ports[client]))
    };
    let best = sides.iter().filter_map(|&client| Some((rank(client)?, client))).max();
    if let Some((_, client)) = best {
        return Some((Carries::Msnp, client));
    }
    let cannot = sides.iter().all(|&client| (0..2).any(|side| run(evidence, client, side).is_none()));
    (evidence.is_over || cannot).then_some((Carries::Other, evidence.client.unwrap_or(0)))
}

/// Returns where the first command is, at the beginning or behind a line end: a verb that the table knows in this direction, with
/// the arguments that it must have. For streams of which the beginning, or a part in the middle, is missing.
pub fn find_command(direction: Direction, bytes: &[u8]) -> Option<usize> {
    let ends = memchr::memchr_iter(b'\n', bytes).map(|end| end + 1);
    std::iter::once(0).chain(ends).find(|&at| is_command(direction, &bytes[at..]))
}

/// Whether a whole line stands here that is a known command.
fn is_command(direction: Direction, bytes: &[u8]) -> bool {
    if !matches!(bytes, [b'A'..=b'Z', b'A'..=b'Z', b'A'..=b'Z', b' ' | b'\r', ..]) {
        return false;
    }
    let mut codec = Codec::new(direction, Limits::default());
    let line = memchr::memchr(b'\n', bytes).map(|end| &bytes[..=end]);
    match line.map(|line| (line, codec.finish(line))) {
        Some((line, Some(Span::Command(span)))) => is_known(direction, &line[..span.line as usize], span.slot),
        // the payload is not there
        Some((line, Some(Span::Opaque(_)))) if line.len() > 5 => {
            let line = line.strip_suffix(b"\r\n").unwrap_or(line);
            Verb::of_line(line).is_some_and(|verb| {
                table::payload_rule(verb, direction).0 != PayloadRule::NoPayload
                    && length(line).is_some()
                    && is_known(direction, line, Slot::of(verb))
            })
        }
        _ => false,
    }
}

fn length(line: &[u8]) -> Option<usize> {
    let token = line.rsplit(|&byte| byte == b' ').find(|token| !token.is_empty())?;
    std::str::from_utf8(token).ok()?.parse().ok()
}

/// Whether the table has this line in this direction: its verb, and a number where its transaction id must be.
fn is_known(direction: Direction, line: &[u8], slot: Slot) -> bool {
    let Some(verb) = Verb::of_line(line).filter(|verb| slot != Slot::UNKNOWN && !verb.is_error()) else { return false };
    if table::rows(verb, direction).next().is_none() {
        return false;
    }
    let id = line.get(4..).unwrap_or_default().split(|&byte| byte == b' ').next().unwrap_or_default();
    table::transaction_id_rule(verb, direction) != Some(true) || TransactionId::from_token(id).is_some()
}

/// Counts the commands at the beginning of what a side has sent, if `client` is the client; `None` if these are none.
fn run(evidence: &Evidence<'_>, client: usize, side: usize) -> Option<u32> {
    let direction = Direction::BOTH[usize::from(side != client)];
    let bytes = evidence.bytes[side];
    let mut at = match evidence.is_from_start[side] {
        true => 0,
        // the first command may stand further behind
        false => match find_command(direction, bytes) {
            Some(at) => at,
            None => return Some(0),
        },
    };
    let mut codec = Codec::new(direction, Limits::default());
    let mut count = 0;
    while let Some(span) = codec.next_span(&bytes[at..]) {
        let Span::Command(span) = span else { return None };
        let line = &bytes[at..at + span.line as usize];
        match is_known(direction, line, span.slot) {
            true => count += 1,
            // errors look like the answers of other protocols
            false if span.slot != Slot::UNKNOWN => {}
            false => return None,
        }
        at += span.len as usize;
    }
    Some(count + u32::from(codec.awaits_payload() && is_command(direction, &bytes[at..])))
}

/// Whether what a client sends is the beginning of an MSNP connection.
fn opens(bytes: &[u8]) -> bool {
    let mut codec = Codec::new(Direction::ClientToServer, Limits::default());
    let Some(Span::Command(span)) = codec.next_span(bytes) else { return false };
    match Opening::of(&Command::from_span(Direction::ClientToServer, bytes, span)) {
        Opening::Login { versions } => !versions.is_empty() || bytes.windows(4).any(|window| window == b"CVR0"),
        Opening::Caller { .. } | Opening::Callee { .. } => true,
        _ => false,
    }
}

/// Decides on HTTP; the inner `None` is that more has to be seen.
#[expect(clippy::option_option, reason = "no HTTP, undecided HTTP, decided HTTP")]
fn http(evidence: &Evidence<'_>, client: usize) -> Option<Option<(Carries, usize)>> {
    let (request, response) = (evidence.bytes[client], evidence.bytes[1 - client]);
    let is_request = METHODS.iter().any(|method| request.starts_with(method));
    let is_response = request.is_empty() && response.starts_with(b"HTTP/1.");
    if !is_request && !is_response {
        return None;
    }
    let is_gateway = contains_ignoring_case(request_head(request), b"gateway.dll")
        || contains_ignoring_case(request_head(response), b"x-msn-messenger");
    let decided = if is_gateway {
        Some((Carries::HttpGateway, client))
    } else if evidence.is_over || memchr::memmem::find(request, b"\r\n\r\n").is_some() || request.len() >= MOST_HEAD {
        Some((Carries::Other, client))
    } else {
        None
    };
    Some(decided)
}

fn request_head(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr::memmem::find(bytes, b"\r\n\r\n").unwrap_or(bytes.len())]
}

fn contains_ignoring_case(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window.eq_ignore_ascii_case(what))
}

const METHODS: &[&[u8]] = &[b"POST ", b"GET ", b"HEAD ", b"PUT ", b"OPTIONS ", b"CONNECT "];
/// The port of MSNP.
const PORT: u16 = 1863;
/// Longest head of a request.
const MOST_HEAD: usize = 8192;
