//! Texts with placeholders: `{trid}`, `{account}`, `{verb}`, `{session}`, `{connection}`, and `{0}`, `{1}` ... for the
//! arguments of the command at hand. `{{` is a brace; braces around anything else, such as a GUID, stand for themselves.

use std::ops::Range;

use msnp::Command;
use msnp_transcript::expression::closest;

use crate::hook::Context;

/// A text with placeholders.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Text(Vec<u8>),
    TransactionId,
    Account,
    Verb,
    Session,
    Connection,
    Argument(usize),
}

const NAMES: &[&str] = &["trid", "account", "verb", "session", "connection"];

impl Template {
    /// Reads a template. The error is a message, a place in the text and a hint.
    pub(super) fn parse(text: &str) -> Result<Template, (String, Range<usize>, Option<String>)> {
        let mut parts = Vec::new();
        let mut plain = Vec::new();
        let mut rest = text;
        while let Some(brace) = rest.find('{') {
            plain.extend_from_slice(&rest.as_bytes()[..brace]);
            let at = text.len() - rest.len() + brace;
            let behind = &rest[brace + 1..];
            if let Some(escaped) = behind.strip_prefix('{') {
                plain.push(b'{');
                rest = escaped;
                continue;
            }
            let name = behind.split('}').next().unwrap_or_default();
            let is_closed = behind.len() > name.len();
            let is_word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let is_index = matches!(name.len(), 1 | 2) && name.bytes().all(|byte| byte.is_ascii_digit());
            if !is_closed || !(is_word || is_index) {
                plain.push(b'{');
                rest = behind;
                continue;
            }
            let part = match name {
                "trid" => Part::TransactionId,
                "account" => Part::Account,
                "verb" => Part::Verb,
                "session" => Part::Session,
                "connection" => Part::Connection,
                index if is_index => Part::Argument(index.parse().unwrap_or_default()),
                _ => {
                    let help = match closest(name, NAMES.iter().copied()) {
                        Some(near) => format!("did you mean `{{{near}}}`?"),
                        None => {
                            "placeholders are {trid}, {account}, {verb}, {session}, {connection} and {0}, {1} ...; \
                                 write {{ for a brace"
                                .to_owned()
                        }
                    };
                    return Err((format!("unknown placeholder `{{{name}}}`"), at..at + name.len() + 2, Some(help)));
                }
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(part);
            rest = &behind[name.len() + 1..];
        }
        plain.extend_from_slice(rest.as_bytes());
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Template(parts))
    }

    /// Whether the first argument of this command line is `{trid}` alone.
    pub(super) fn is_numbered(&self) -> bool {
        match &self.0[..] {
            [Part::Text(verb), Part::TransactionId] => verb.len() == 4,
            [Part::Text(verb), Part::TransactionId, Part::Text(rest), ..] => verb.len() == 4 && rest.starts_with(b" "),
            _ => false,
        }
    }

    /// Fills the placeholders in; what the command does not have becomes nothing.
    pub(super) fn fill(&self, command: &Command, context: &Context<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::TransactionId => {
                    let id = msnp::command::transaction_id(command.direction(), command.line(), context.scope);
                    out.extend_from_slice(id.map(|id| id.to_string()).unwrap_or_default().as_bytes());
                }
                Part::Account => out.extend_from_slice(context.account.as_bytes()),
                Part::Verb => out.extend_from_slice(command.verb().as_bytes()),
                Part::Session => {
                    out.extend_from_slice(context.session.map_or("", |session| session.id()).as_bytes());
                }
                Part::Connection => out.extend_from_slice(context.connection.number.to_string().as_bytes()),
                Part::Argument(index) => out.extend_from_slice(command.argument(*index).unwrap_or_default()),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use msnp::Direction;
    use msnp::argument::Scope;

    use super::*;
    use crate::connection::Connection;

    fn filled(text: &str) -> String {
        let connection = Connection::example();
        let context = Context::new(&connection, Scope::default(), "alice@example.com", SystemTime::UNIX_EPOCH);
        let command = Command::new(Direction::ClientToServer, b"CHG 8 NLN 0", None).unwrap();
        String::from_utf8(Template::parse(text).unwrap().fill(&command, &context)).unwrap()
    }

    #[test]
    fn placeholders_are_filled_in() {
        assert_eq!(filled("{verb} {trid} {1} {account} {connection}{9}"), "CHG 8 NLN alice@example.com 1");
    }

    #[test]
    fn other_braces_stand_for_themselves() {
        let guid = "{9a8b7c6d-0002-4e5f-9a0b-665544332211}";
        assert_eq!(filled(guid), guid);
        assert_eq!(filled("{{trid} {} {"), "{trid} {} {");
    }

    #[test]
    fn an_unknown_placeholder_is_refused_with_a_hint() {
        let (message, place, help) = Template::parse("QNG {trd}").unwrap_err();
        assert_eq!((message.as_str(), place), ("unknown placeholder `{trd}`", 4..9));
        assert_eq!(help.as_deref(), Some("did you mean `{trid}`?"));
    }
}
