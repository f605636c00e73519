//! Compares a recorded command with a live one, by the arguments that matter.
//!
//! What two runs of the same program never share does not matter: transaction ids, times, cookies and session ids, addresses
//! of servers, tickets and proofs, versions and systems of clients, identifiers that a server makes up. Which arguments those
//! are is known to [`volatile`], as it is to `mitmsn diff`.

use std::borrow::Cow;

use msnp::argument::{self, Scope};
use msnp::command::lossy;
use msnp::payload::datagram::Datagram;
use msnp::payload::mime::Headers;
use msnp::{Command, Direction};
use msnp_transcript::diff::volatile::{self, GUID, starts_with_guid};
use serde::Serialize;

use crate::adapt;
use crate::script::shorten;

/// One argument that is not as it was recorded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Difference {
    /// The documented name of the argument; `args[2]` where there is none, `form` where the command has another form,
    /// `verb` for an answer of another kind, `Content-Type`, `text` or `payload` for what lies in the payload.
    pub name: String,
    /// What was recorded; empty if the argument was not there.
    pub recorded: String,
    /// What came; empty if the argument was not there.
    pub live: String,
}

impl Difference {
    pub(crate) fn new(name: &str, recorded: &[u8], live: &[u8]) -> Difference {
        Difference { name: name.to_owned(), recorded: shorten(&lossy(recorded)), live: shorten(&lossy(live)) }
    }

    /// Returns how far apart two commands are that differ in this; [`FOREIGN`] if they are not the same thing at all.
    fn weight(&self) -> u32 {
        match self.name.as_str() {
            "form" | "Content-Type" | "Message-Type" => FOREIGN,
            "email" | "inviter_email" | "to_email" => 100,
            _ => 1,
        }
    }
}

/// Returns in what two commands of the same verb differ, in the order of the arguments.
pub(crate) fn compare(recorded: &Command, live: &Command, scope: Scope) -> Vec<Difference> {
    let mut differences = Vec::new();
    match (named(recorded, scope), named(live, scope)) {
        (Some(ours), Some(theirs)) => compare_named(recorded.direction(), &ours, &theirs, &mut differences),
        _ => compare_places(recorded, live, &mut differences),
    }
    if recorded.has_payload() || live.has_payload() {
        compare_payloads(recorded, live, &mut differences);
    }
    differences
}

/// Returns how far apart commands with these differences are: 0 if they are the same.
pub(crate) fn distance(differences: &[Difference]) -> u32 {
    differences.iter().map(Difference::weight).fold(0, u32::saturating_add)
}

/// The distance from which on two commands are not the same thing at all.
pub(crate) const FOREIGN: u32 = 10_000;
/// The distance from which on two commands are about different people.
pub(crate) const OTHER_PERSON: u32 = 100;

/// An argument: its name (`None` for a literal) and its value.
type Named<'a> = (Option<&'static str>, &'a [u8]);

fn named(command: &Command, scope: Scope) -> Option<Vec<Named<'_>>> {
    let arguments: Vec<&[u8]> = command.arguments().collect();
    let (_, names) = argument::describe(command.verb(), command.direction(), &arguments, scope)?;
    Some(names.into_iter().zip(arguments).collect())
}

fn compare_named(direction: Direction, ours: &[Named<'_>], theirs: &[Named<'_>], differences: &mut Vec<Difference>) {
    let form = |side: &[Named<'_>]| {
        let literals: Vec<&[u8]> = side.iter().filter(|(name, _)| name.is_none()).map(|(_, value)| *value).collect();
        literals.join(&b' ')
    };
    let (our_form, their_form) = (form(ours), form(theirs));
    if our_form != their_form {
        differences.push(Difference::new("form", &our_form, &their_form));
    }
    let mut seen: Vec<&str> = Vec::new();
    for name in ours.iter().chain(theirs).filter_map(|(name, _)| *name) {
        let is_made_up = direction == Direction::ServerToClient && volatile::is_made_up(name);
        if seen.contains(&name) || volatile::differs_between_runs(name) || is_made_up {
            continue;
        }
        seen.push(name);
        let values = |side: &[Named<'_>]| {
            let values: Vec<&[u8]> =
                side.iter().filter(|(other, _)| *other == Some(name)).map(|(_, value)| *value).collect();
            values.join(&b' ')
        };
        let (recorded, live) = (values(ours), values(theirs));
        let are_guids = || adapt::guid_of(&recorded).is_some() && adapt::guid_of(&live).is_some();
        if direction == Direction::ServerToClient && are_guids() {
            continue;
        }
        if normal(name, &recorded) != normal(name, &live) {
            differences.push(Difference::new(name, &recorded, &live));
        }
    }
}

/// Compares what nobody has documented: every argument but the id.
fn compare_places(recorded: &Command, live: &Command, differences: &mut Vec<Difference>) {
    let number = |argument: Option<&[u8]>| argument.is_some_and(|argument| argument.iter().all(u8::is_ascii_digit));
    let has_ids = number(recorded.argument(0)) && number(live.argument(0));
    let length = usize::from(recorded.has_payload() && live.has_payload());
    let count = recorded.arguments().count().max(live.arguments().count()).saturating_sub(length);
    for index in usize::from(has_ids)..count.min(MOST_ARGUMENTS) {
        let (ours, theirs) = (recorded.argument(index).unwrap_or_default(), live.argument(index).unwrap_or_default());
        if ours != theirs {
            differences.push(Difference::new(&format!("args[{index}]"), ours, theirs));
        }
    }
}

fn compare_payloads(recorded: &Command, live: &Command, differences: &mut Vec<Difference>) {
    let mut push = |name: &str, ours: &[u8], theirs: &[u8]| {
        if ours != theirs {
            differences.push(Difference::new(name, ours, theirs));
        }
    };
    let (ours, theirs) = (recorded.headers(), live.headers());
    match recorded.verb().as_bytes() {
        // what it should be is computed, not recorded
        b"QRY" => {}
        b"SDG" | b"PUT" | b"NFY" | b"DEL" => {
            let (ours, theirs) = (Datagram::parse(recorded.payload()), Datagram::parse(live.payload()));
            let kind = |datagram: Datagram<'_>| datagram.content().get("Message-Type").unwrap_or_default().to_vec();
            push("Message-Type", &kind(ours), &kind(theirs));
            if kind(ours) == b"Text" {
                push("text", ours.body(), theirs.body());
            }
        }
        _ if ours.content_type().is_some() || theirs.content_type().is_some() => {
            let kind = |headers: Headers<'_>| headers.content_type().unwrap_or_default().to_ascii_lowercase();
            push("Content-Type", &kind(ours), &kind(theirs));
            if ours.is("text/plain") && theirs.is("text/plain") {
                push("text", ours.body(), theirs.body());
            }
        }
        // notifications of servers have times and numbers of their own
        b"NOT" | b"IPG" => {}
        _ if recorded.payload().contains(&b'*') && is_masked(recorded.payload()) => {}
        _ => {
            let plain = |payload: &[u8]| without_guids(&lossy(payload));
            let (ours, theirs) = (plain(recorded.payload()), plain(live.payload()));
            push("payload", ours.as_bytes(), theirs.as_bytes());
        }
    }
}

fn is_masked(payload: &[u8]) -> bool {
    payload.iter().all(|&byte| byte == b'*')
}

/// Returns a value in the form in which it is compared.
fn normal<'a>(name: &str, value: &'a [u8]) -> Cow<'a, [u8]> {
    let decoded = argument::decode(value);
    if !name.ends_with("email") {
        return decoded;
    }
    // an endpoint is a machine, not a person
    let address = decoded.split(|&byte| byte == b';').next().unwrap_or_default();
    Cow::Owned(address.to_ascii_lowercase())
}

/// Replaces every GUID, since machines and servers make them up.
pub(crate) fn without_guids(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = (0..rest.len()).find(|&at| starts_with_guid(&rest.as_bytes()[at..])) {
        out.push_str(&rest[..at]);
        out.push_str("guid");
        rest = &rest[at + GUID..];
    }
    out.push_str(rest);
    out
}

/// How many arguments of an undocumented command are compared.
const MOST_ARGUMENTS: usize = 64;

#[cfg(test)]
mod tests {
    use msnp::{ServerKind, Version};

    use super::*;
    use crate::testing::{client, server};

    const TWELVE: Scope = Scope { server: Some(ServerKind::Notification), version: Some(Version(12)) };

    fn texts(recorded: &Command, live: &Command) -> Vec<String> {
        let differences = compare(recorded, live, TWELVE);
        differences.iter().map(|found| format!("{}: {} -> {}", found.name, found.recorded, found.live)).collect()
    }

    #[test]
    fn ids_times_versions_cookies_and_tickets_do_not_matter() {
        for (recorded, live) in [
            ("CHG 7 NLN 268435456 0", "CHG 19 NLN 268435456 0"),
            ("SYN 5 0 0", "SYN 9 2003-05-01T00:00:04 2003-05-01T00:00:04"),
            ("CVR 2 0x0409 winnt 5.1 i386 A 1.0 MSMSGS a@b.c", "CVR 3 0x0407 win 4.10 i386 B 7.5 MSMSGS A@B.C"),
            ("USR 4 TWN S *****", "USR 4 TWN S t=12&p=3"),
            (
                "UUX 9|<a id=\"00000000-1496-61cf-b95d-bddbe89b3ddf\"/>",
                "UUX 9|<a id=\"a56b9148-1496-61cf-b95d-000000000000\"/>",
            ),
            ("QRY 5 PROD0076ENE8*@AW|11", "QRY 6 PROD0090YUAUV{2B|22"),
            ("ZZZ 5 a", "ZZZ 6 a"),
        ] {
            assert_eq!(texts(&client(recorded), &client(live)), Vec::<String>::new(), "{recorded}");
        }
        assert!(texts(&server("XFR 8 SB 192.0.2.1:1 CKI *"), &server("XFR 8 SB 127.0.0.1:2 CKI 1.2")).is_empty());
    }

    #[test]
    fn what_differs_is_named_as_documented() {
        for (recorded, live, expected) in [
            ("CHG 7 NLN 1 0", "CHG 7 AWY 2 0", "status: NLN -> AWY, capabilities: 1 -> 2"),
            ("CAL 2 bob@example.com", "CAL 2 carol@example.com", "email: bob@example.com -> carol@example.com"),
            ("USR 3 TWN I a@b.c", "USR 3 MD5 I a@b.c", "form: TWN I -> MD5 I"),
            ("PRP 8 MFN Alice%20A", "PRP 8 MFN Alice", "value: Alice%20A -> Alice"),
            ("ZZZ 5 a b", "ZZZ 6 a", "args[2]: b -> "),
            ("UUX 9|<Data/>", "UUX 9|<Data>1</Data>", "payload: <Data/> -> <Data>1</Data>"),
            (
                "MSG 3 A|Content-Type: text/plain\\r\\n\\r\\nhi",
                "MSG 4 N|Content-Type: text/plain; charset=UTF-8\\r\\n\\r\\nho",
                "ack_type: A -> N, text: hi -> ho",
            ),
            (
                "MSG 3 U|Content-Type: text/plain\\r\\n\\r\\nhi",
                "MSG 4 U|Content-Type: text/x-msmsgscontrol\\r\\n\\r\\n",
                "Content-Type: text/plain -> text/x-msmsgscontrol",
            ),
        ] {
            assert_eq!(texts(&client(recorded), &client(live)).join(", "), expected);
        }
    }

    #[test]
    fn guids_matter_where_a_client_repeats_them() {
        let (one, other) = ("a56b9148-1496-61cf-b95d-bddbe89b3ddf", "00000000-1496-61cf-b95d-bddbe89b3ddf");
        let list = |guid: &str| server(&format!("LST N=bob@example.com F=Bob C={guid} 11 1"));
        assert!(texts(&list(one), &list(other)).is_empty());
        let remove = |guid: &str| client(&format!("REM 12 FL {guid}"));
        assert_eq!(texts(&remove(one), &remove(other)).len(), 1);
    }

    #[test]
    fn commands_about_other_people_are_far_apart_and_of_other_kinds_farther() {
        let apart = |recorded: &str, live: &str| distance(&compare(&server(recorded), &server(live), TWELVE));
        assert_eq!(apart("NLN NLN bob@example.com Bob 1", "NLN AWY bob@example.com Bob 1"), 1);
        assert!(apart("NLN NLN bob@example.com Bob 1", "NLN NLN carol@example.com Carol 1") >= OTHER_PERSON);
        assert!(apart("USR 3 TWN S lc=1", "USR 3 OK a@b.c 1 0") >= FOREIGN);
    }
}
