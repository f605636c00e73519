//! A whole command: its line, its payload, and the lengths that go with it.

use msnp::Command;
use msnp::argument::Scope;
use msnp::codec::CommandSpan;

use super::classes::blank;
use super::kind::{Kind, Policy};
use super::mime::{self, Sender};
use super::passage::Passage;
use super::pen::Pen;
use super::table::{self, Place};
use super::{line, xml};

/// Redacts a command. The result is one command to a receiver if the original was.
///
/// Returns `None` if that cannot be brought about.
pub(super) fn redact(
    pen: &mut Pen<'_>,
    passage: &mut Passage,
    command: &Command,
    scope: Scope,
    from: Sender,
) -> Option<Command> {
    let arguments = line::redact(pen, command, scope);
    let payload = match command.payload() {
        [] => Vec::new(),
        bytes => payload(pen, passage, command, &arguments, from, bytes),
    };
    let whole = assemble(command, &arguments, &payload);
    if !command.is_framed() {
        return whole;
    }
    whole
        .filter(Command::is_framed)
        // what stands in an unknown payload may be taken for the next command
        .or_else(|| assemble(command, &arguments, &blank(command.payload())).filter(Command::is_framed))
}

fn payload(
    pen: &mut Pen<'_>,
    passage: &mut Passage,
    command: &Command,
    arguments: &[Vec<u8>],
    from: Sender,
    bytes: &[u8],
) -> Vec<u8> {
    let verb = command.verb();
    let name = if verb.is_error() { "NNN".to_owned() } else { verb.to_string() };
    let row = table::of(&name, command.direction(), Place::Payload);
    let (kind, policy) = row.map_or((Kind::Plain, Policy::Drop), |row| (row.kind, row.policy));
    let text = std::str::from_utf8(bytes);
    match (kind, policy, text) {
        (_, Policy::Text, _) => pen.text_bytes(bytes),
        (_, Policy::Keep, Ok(text)) => pen.keep(text).into_bytes(),
        (Kind::Object, _, Ok(text)) => document(pen, text),
        (Kind::Mixed, ..) => match verb.as_bytes() {
            b"MSG" | b"UUM" | b"UBM" => mime::message(pen, passage, from, bytes),
            b"PUT" | b"DEL" | b"NFY" | b"SDG" => mime::datagram(pen, passage, from, bytes),
            b"UUN" | b"UBN" => note(pen, arguments, command, bytes),
            _ => error(pen, bytes),
        },
        _ => blank(bytes),
    }
}

fn document(pen: &mut Pen<'_>, text: &str) -> Vec<u8> {
    xml::redact(pen, text).map_or_else(|| blank(text.as_bytes()), String::into_bytes)
}

/// A message from one endpoint to others: a document, a word, or secrets of relays.
fn note(pen: &mut Pen<'_>, arguments: &[Vec<u8>], command: &Command, bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    // the type stands before the length
    let kind = arguments.iter().rev().filter(|argument| !argument.is_empty()).nth(1);
    let is_relayed = kind.is_some_and(|kind| matches!(&kind[..], b"3" | b"10"));
    if is_relayed || crate::mask::mask_command(command).is_some() {
        pen.masked.push("payload".into());
        return pen.value(Kind::Secret, Policy::Drop, &text).into_bytes();
    }
    match text.trim_end() {
        "goawyplzthxbye" | "gtfo" => bytes.to_vec(),
        _ => xml::redact(pen, &text).map_or_else(|| blank(bytes), String::into_bytes),
    }
}

/// The payload of an error repeats that of the request, or has a few numbers.
fn error(pen: &mut Pen<'_>, bytes: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ') && text.len() <= LONGEST_NUMBERS => {
            bytes.to_vec()
        }
        Ok(text) => document(pen, text),
        Err(_) => blank(bytes),
    }
}

/// Puts a command together again. Where the line told the length of the payload, it does so again.
fn assemble(old: &Command, arguments: &[Vec<u8>], payload: &[u8]) -> Option<Command> {
    let mut bytes = old.verb().as_bytes().to_vec();
    let length = arguments.iter().rposition(|argument| !argument.is_empty()).filter(|_| old.has_payload());
    for (index, argument) in arguments.iter().enumerate() {
        bytes.push(b' ');
        let original = old.argument(index).unwrap_or_default();
        let told = std::str::from_utf8(original).ok().and_then(|token| token.parse::<usize>().ok());
        match Some(index) == length {
            true if told == Some(old.payload().len()) => {
                let digits = payload.len().to_string();
                // zeros may stand before a number
                bytes.resize(bytes.len() + original.len().saturating_sub(old.payload().len().to_string().len()), b'0');
                bytes.extend_from_slice(digits.as_bytes());
            }
            // a length that was wrong, on purpose or not, stays wrong
            true if told.is_some() => bytes.extend_from_slice(original),
            _ => bytes.extend_from_slice(argument),
        }
    }
    let line = u32::try_from(bytes.len()).ok()?;
    bytes.extend_from_slice(old.eol());
    bytes.extend_from_slice(payload);
    let span =
        CommandSpan { line, eol: old.eol().len() as u8, slot: old.slot(), len: u32::try_from(bytes.len()).ok()? };
    Some(Command::from_span(old.direction(), &bytes, span))
}

const LONGEST_NUMBERS: usize = 20;
