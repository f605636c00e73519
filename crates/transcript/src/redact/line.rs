//! The arguments of a command.

use std::borrow::Cow;

use msnp::argument::{self, Scope};
use msnp::{Command, Direction, table as verbs};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::classes::class;
use super::kind::{Kind, Policy};
use super::pen::Pen;
use super::pseudonym;
use super::table::{self, PUBLIC_ARGUMENTS, Place};
use crate::mask;

/// Returns the arguments, each in its place; what [`mask`] hides stays hidden unless a row maps it.
pub(super) fn redact(pen: &mut Pen<'_>, command: &Command, scope: Scope) -> Vec<Vec<u8>> {
    let tokens: Vec<&[u8]> = command.arguments().collect();
    let masked = mask::mask_command(command).map(|masked| masked.command);
    let masked: Vec<&[u8]> = masked.as_ref().map(|masked| masked.arguments().collect()).unwrap_or_default();
    let described = argument::describe(command.verb(), command.direction(), &tokens, scope);
    let names = described.as_ref().map(|(_, names)| names.as_slice());
    let verb = command.verb();
    let is_known = verbs::is_known(verb);
    let mut line = Line { pen, verb: verb.to_string(), direction: command.direction(), key: String::new() };
    let mut out = Vec::with_capacity(tokens.len());
    for (index, token) in tokens.iter().copied().enumerate() {
        let hidden = masked.get(index).copied().unwrap_or(token);
        let new = match names.map(|names| names.get(index).copied()) {
            _ if token.is_empty() => Vec::new(),
            // trailing spaces count as arguments, and nothing else is behind the documented ones
            Some(None) | None if hidden != token => line.hidden(index, token, hidden),
            Some(None) => line.unknown(token),
            None if is_known => line.misshapen(token),
            None => line.unknown(token),
            Some(Some(None)) => token.to_vec(),
            Some(Some(Some(name))) => {
                let prefix = argument::find(verb, command.direction(), &tokens, scope, name)
                    .filter(|place| place.index == index)
                    .map_or(0, |place| place.prefix.len());
                line.named(index, name, prefix, token, hidden)
            }
        };
        out.push(new);
    }
    out
}

struct Line<'p, 'a> {
    pen: &'p mut Pen<'a>,
    verb: String,
    direction: Direction,
    /// The key of a property, once it was passed.
    key: String,
}

impl Line<'_, '_> {
    fn named(&mut self, index: usize, name: &str, prefix: usize, token: &[u8], hidden: &[u8]) -> Vec<u8> {
        let (prefix, raw) = token.split_at(prefix.min(token.len()));
        let value = decoded(raw);
        if name == "key" {
            self.key = value.to_string();
        }
        if name == "friendly_name" && self.verb == "SDC" || name == "value" && self.verb != "SBP" {
            self.pen.person = self.pen.owner.clone().filter(|_| self.verb != "BPR");
        }
        let row = match name {
            "value" => table::property(&self.key),
            _ => table::of(&self.verb, self.direction, Place::Argument(name)),
        };
        let new = match row {
            Some(row) if row.kind == Kind::Secret => return self.hidden(index, token, hidden),
            // two forms of one line, which only their GUID tells apart
            Some(row) if name == "group_id" && value.bytes().any(|byte| !byte.is_ascii_digit() && byte != b',') => {
                let kind = if pseudonym::is_guid(&value) { row.kind } else { Kind::Group };
                self.pen.value(kind, row.policy, &value)
            }
            Some(row) => self.pen.value(row.kind, row.policy, &value),
            None if PUBLIC_ARGUMENTS.contains(&name) && is_literal(&value) => value.to_string(),
            None if PUBLIC_ARGUMENTS.contains(&name) => self.pen.keep(&value),
            None => self.pen.unknown(&value),
        };
        let is_object = row.is_some_and(|row| row.kind == Kind::Object);
        [prefix, &encoded(raw, &value, &new, is_object)].concat()
    }

    /// An argument that holds secrets: what the mask hides is put down and left out.
    fn hidden(&mut self, index: usize, token: &[u8], hidden: &[u8]) -> Vec<u8> {
        let mut start = 0;
        for part in hidden.split(|&byte| byte != b'*') {
            let original = token.get(start..start + part.len()).unwrap_or_default();
            if !part.is_empty() && original != part {
                let secret = decoded(original);
                // where a login returns to is public
                if !secret.contains("://") {
                    self.pen.names.drop_value(Kind::Secret, &secret);
                }
                self.pen.masked.push(format!("args[{index}]"));
            }
            start += part.len() + 1;
        }
        let value = decoded(hidden);
        // a secret that the mask does not know of is one all the same
        let new = match hidden == token && !value.contains(',') {
            true => self.pen.value(Kind::Secret, Policy::Drop, &value),
            false => self.pen.keep(&value),
        };
        encoded(hidden, &value, &new, false)
    }

    /// An argument of a verb that nobody documents.
    fn unknown(&mut self, token: &[u8]) -> Vec<u8> {
        let value = decoded(token);
        let new = self.pen.unknown(&value);
        encoded(token, &value, &new, false)
    }

    /// An argument of a line that is not of a documented form, though its verb has some.
    fn misshapen(&mut self, token: &[u8]) -> Vec<u8> {
        let value = decoded(token);
        let is_number =
            value.bytes().all(|byte| byte.is_ascii_hexdigit() || b"x:.-".contains(&byte)) && value.len() <= 20;
        let is_literal =
            value.len() <= 4 && value.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let has_identity = value.contains('@') || pseudonym::is_guid(&value);
        let new = match is_number && value.bytes().any(|byte| byte.is_ascii_digit()) || is_literal {
            _ if value == "Hotmail" => value.to_string(),
            _ if has_identity => self.pen.value(Kind::Address, Policy::Map, &value),
            true => self.pen.keep(&value),
            false => class(&value),
        };
        encoded(token, &value, &new, false)
    }
}

/// Whether a value is one of a small set, or a number.
fn is_literal(value: &str) -> bool {
    value.len() <= LONGEST_LITERAL
        && value.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b':' | b'.'))
}

fn decoded(token: &[u8]) -> Cow<'_, str> {
    match argument::decode(token) {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
    }
}

/// Writes a value as it was written before, if it is the same; in the manner of before, if not.
fn encoded(raw: &[u8], value: &str, new: &str, is_object: bool) -> Vec<u8> {
    if value == new {
        return raw.to_vec();
    }
    if is_object && raw.contains(&b'%') {
        return percent_encode(new.as_bytes(), OBJECT).to_string().into_bytes();
    }
    let text = argument::encode(new.as_bytes());
    match memchr::memmem::find(raw, b"%40").is_some() && !raw.contains(&b'@') {
        true => String::from_utf8_lossy(&text).replace('@', "%40").into_bytes(),
        false => text.into_owned(),
    }
}

const LONGEST_LITERAL: usize = 24;
const OBJECT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');
