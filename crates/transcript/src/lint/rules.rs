//! The table of rules.
//!
//! The dialogues [`Rule::wrong`] and [`Rule::right`] are written in lines: `C:` from the client, `S:` from the server, a payload
//! behind `\r\n` with `{n}` for its length; `{x*400}` stands for 400 of them; `C?` and `S?` are bytes that are no command; `... 60 s`
//! passes. `# MSNP12` says what came before: a login with that version (then on a `board`, a switchboard), or nothing (`start`).

use std::fmt::Write as _;

use super::rule::{Needs, Rule};
use super::{challenge, framing, keepalive, length, login, payload, switchboard, syntax, transaction, version};
use crate::expression::closest;

/// Every rule, by group.
pub static RULES: &[&Rule] = &[
    &framing::BARE_LF,
    &framing::BLANK_LINE,
    &framing::OPAQUE,
    &framing::CUT_OFF,
    &framing::MISMATCH,
    &framing::TOO_SMALL,
    &payload::XML_END,
    &length::MESSAGE,
    &length::LIST,
    &length::PERSONAL,
    &length::NAME,
    &length::PHONE,
    &length::CONTENT_LENGTH,
    &length::SLP,
    &length::P2P,
    &payload::UTF8,
    &payload::HEADERS,
    &payload::EMPTY_LINE,
    &payload::XML,
    &payload::XML_SPACE,
    &payload::DATAGRAM,
    &syntax::UNKNOWN_VERB,
    &syntax::DIRECTION,
    &syntax::SERVER,
    &syntax::ARGUMENTS,
    &syntax::ERROR_CODE,
    &syntax::ESCAPE,
    &syntax::UTF8,
    &syntax::LIST_BITS,
    &syntax::CLIENT_BITS,
    &syntax::LIST_NAME,
    &syntax::STATUS,
    &syntax::ACK_TYPE,
    &version::NOT_OFFERED,
    &version::VERB,
    &version::FORM,
    &transaction::MISSING,
    &transaction::NOT_ECHOED,
    &transaction::OTHER_VERB,
    &transaction::UNANSWERED,
    &transaction::DUPLICATE,
    &transaction::BACKWARDS,
    &login::WITHOUT_VER,
    &login::NOT_LOGGED_IN,
    &login::BEFORE_LISTS,
    &login::AFTER_OUT,
    &login::ADDRESS,
    &login::PORT,
    &challenge::WRONG,
    &challenge::UNANSWERED,
    &challenge::LATE,
    &challenge::UNASKED,
    &challenge::UNKNOWN_PRODUCT,
    &challenge::PRODUCT_VERSION,
    &keepalive::UNASKED,
    &keepalive::UNANSWERED,
    &keepalive::NO_SECONDS,
    &keepalive::EARLY,
    &keepalive::LATE,
    &switchboard::NOBODY,
    &switchboard::COOKIE,
    &switchboard::ROSTER,
    &switchboard::P2P_TYPE,
];

/// A name that is no rule's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no rule is called {name}{}", near.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
pub struct UnknownRule {
    /// The name.
    pub name: String,
    /// The rule that may be meant.
    pub near: Option<&'static str>,
}

/// Returns the rules of a name: one, or all of a group (`framing`).
///
/// # Errors
///
/// If there is none.
pub fn find(name: &str) -> Result<Vec<&'static Rule>, UnknownRule> {
    let found: Vec<&Rule> = RULES.iter().copied().filter(|rule| rule.id == name || group(rule) == name).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let names = RULES.iter().flat_map(|rule| [rule.id, group(rule)]);
    Err(UnknownRule { name: name.into(), near: closest(name, names) })
}

/// Returns the group of a rule: what stands before the slash.
pub fn group(rule: &Rule) -> &'static str {
    rule.id.split('/').next().unwrap_or(rule.id)
}

/// What the tags in [`Rule::reference`] stand for.
pub const SOURCES: &str = "Documents: framing, session flow, commands and error codes are this project's notes on the protocol, of which \
`mitmsn explain` prints the tables. Programs and people: ESC Escargot's server, PUR libpurple, BIT bitlbee, MIR Miranda, AMSN aMSN, PAP papyon, \
SHARP msnp-sharp, KB21 its notes on MSNP21, M11 msnp11-sdk, WIKI yellows' wiki, NINA its wiki.";

/// Returns the list of rules as Markdown, for the documentation.
pub fn to_markdown() -> String {
    let mut out = String::new();
    let mut last = "";
    for rule in RULES {
        if group(rule) != last {
            last = group(rule);
            let _ = write!(
                out,
                "\n### {last}\n\n| rule | severity | finds | needs | source |\n| --- | --- | --- | --- | --- |\n"
            );
        }
        let needs = match rule.needs {
            Needs::Commands => "",
            Needs::Bytes => "exact bytes",
            Needs::Times => "times",
        };
        let Rule { id, severity, summary, reference, .. } = rule;
        let _ = writeln!(out, "| `{id}` | {severity} | {summary} | {needs} | {reference} |");
    }
    out
}
