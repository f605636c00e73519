//! Every row of the table: a value is planted in its place, and is gone afterwards.

use msnp::{Command, Direction};
use msnp_transcript::redact::table::{PUBLIC_ARGUMENTS, PUBLIC_HEADERS, Place, ROWS, Row};
use msnp_transcript::redact::{Kind, Options, Policy};

use crate::support::{Haystack, command, event, redact, transcript};

const WITNESS: &str = "quidam.witness@private-domain.example.net";

/// A value of a kind, long enough to be looked for.
fn value(kind: Kind) -> &'static str {
    match kind {
        Kind::Address => "zebulon.quux@somewhere.example.net",
        Kind::Domain => "somewhere.example.net",
        Kind::Guid => "7c2f0f4e-1111-4222-8333-0123456789ab",
        Kind::Ticket => "t=EwAgAk6hBAAUaeJ8qzTb&p=EwAQplYz0123456789",
        Kind::Cookie => "918273645.1050826919.32308",
        Kind::Number => "918273645",
        Kind::Puid => "0x00037ffe:0x84a5c3f1",
        Kind::Port => "16891",
        Kind::Phone => "tel:+442079460999",
        Kind::Ip => "93.184.216.34",
        Kind::Hash => "2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
        Kind::File => "Zebulon-Holiday.jpg",
        Kind::Url => "https://host.example.net/x?who=zebulon.quux@somewhere.example.net",
        Kind::Server => "192.168.77.12:1863",
        Kind::Object => {
            r#"<msnobj Creator="zebulon.quux@somewhere.example.net" SHA1D="2jmj7l5rSw0yVb/vlWAYkK/YBwk="/>"#
        }
        Kind::Mixed => "<msnmsgr:zebulon.quux@somewhere.example.net>",
        Kind::Secret => "CorrectHorseBattery",
        Kind::Text => "meet Zebulon behind the old Quuxery",
        _ => "Zebulon Quuxery",
    }
}

/// What of the value must be gone.
fn traces(kind: Kind) -> Vec<&'static str> {
    match kind {
        Kind::Ticket => vec!["EwAgAk6hBAAUaeJ8qzTb", "EwAQplYz0123456789"],
        Kind::Phone => vec!["442079460999"],
        Kind::Server => vec!["192.168.77.12"],
        Kind::Object => vec!["zebulon.quux", "2jmj7l5rSw0yVb"],
        Kind::Mixed | Kind::Url | Kind::Address => vec!["zebulon.quux", "somewhere.example.net"],
        Kind::Text => vec!["Zebulon", "Quuxery"],
        Kind::Guid => vec!["7c2f0f4e-1111-4222-8333"],
        kind => vec![value(kind)],
    }
}

fn directions(row: &Row) -> Vec<Direction> {
    row.direction.map_or(Direction::BOTH.to_vec(), |direction| vec![direction])
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

fn message(content: &str, headers: &str, body: &[u8]) -> Command {
    let head = format!("MIME-Version: 1.0\r\nContent-Type: {content}\r\n{headers}\r\n");
    command(Direction::ServerToClient, &format!("MSG {WITNESS} Quidam"), Some(&[head.as_bytes(), body].concat()))
}

/// A content type that a pattern means.
fn content(pattern: &str) -> String {
    match pattern {
        "*" => "text/plain; charset=UTF-8".into(),
        "text/*" => "text/richtext".into(),
        pattern => pattern.replace('*', "oimnotification"),
    }
}

fn with_length(direction: Direction, verb: &str, payload: &[u8]) -> Command {
    let line = match (verb, direction) {
        ("NNN", _) => "241 9".into(),
        ("MSG", _) => return message("text/x-msmsgsinitialmdatanotification", "", &[b"Mail-Data: ", payload].concat()),
        ("SDG" | "PUT" | "DEL" | "NFY", _) => return datagram(payload),
        ("UBX", Direction::ServerToClient) => format!("UBX {WITNESS} 1"),
        ("UBN" | "UUN", Direction::ServerToClient) => format!("UBN {WITNESS} 1"),
        ("UUN" | "UBN", _) => format!("UUN 3 {WITNESS} 1"),
        ("IPG" | "NOT", _) => verb.to_owned(),
        ("PAG" | "PGD", _) => format!("{verb} 3 {WITNESS} 1"),
        ("SDC", _) => format!("SDC 3 {WITNESS} 0x0409 MSMSGS MSMSGS X X Quidam"),
        ("ADL" | "RML", Direction::ServerToClient) => format!("{verb} 0"),
        ("UUX", _) => "UUX 3".to_owned(),
        (verb, _) => format!("{verb} 3"),
    };
    let direction = match verb {
        "NNN" | "UBX" | "IPG" | "NOT" | "UBN" => Direction::ServerToClient,
        "UUX" | "PAG" | "PGD" | "SDC" | "QRY" | "UUN" => Direction::ClientToServer,
        _ => direction,
    };
    command(direction, &line, Some(payload))
}

fn datagram(payload: &[u8]) -> Command {
    let head = format!(
        "Routing: 1.0\r\nTo: 1:{WITNESS}\r\nFrom: 1:{WITNESS}\r\n\r\nReliability: 1.0\r\n\r\nPublication: 1.0\r\nContent-Type: application/user+xml\r\nContent-Length: {}\r\n\r\n",
        payload.len()
    );
    command(Direction::ClientToServer, "PUT 7", Some(&[head.as_bytes(), payload].concat()))
}

fn invitation(header: &str) -> Command {
    let body = format!("EUF-GUID: {{A4268EEC-FEC5-49E5-95C3-F126696BDBF6}}\r\n{header}\r\n\r\n\0");
    let text = format!(
        "INVITE MSNMSGR:{WITNESS} MSNSLP/1.0\r\nTo: <msnmsgr:{WITNESS}>\r\n{header}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut packet = vec![0; 48];
    packet[16..20].copy_from_slice(&(text.len() as u32).to_le_bytes());
    packet[24..28].copy_from_slice(&(text.len() as u32).to_le_bytes());
    packet.extend_from_slice(text.as_bytes());
    packet.extend_from_slice(&[0; 4]);
    message("application/x-msnmsgrp2p", &format!("P2P-Dest: {WITNESS}\r\n"), &packet)
}

/// Every line of a verb that has an argument of this name, with `value` in its place.
fn lines(verb: &str, direction: Direction, name: &str, value: &str) -> Vec<Command> {
    let mut lines = Vec::new();
    let rows = msnp::table::ROWS.iter().filter(|row| (verb == "*" || row.verb == verb) && row.direction == direction);
    for row in rows.filter(|row| row.verb.len() == 3) {
        for form in row.arguments.split(" | ") {
            let form = form.split(" (").next().unwrap();
            let words: Vec<String> = form.split(' ').filter(|word| !word.is_empty()).map(word).collect();
            let filled: Vec<(String, bool)> = words.iter().map(|word| fill(word, name, value)).collect();
            if !filled.iter().any(|(_, is_it)| *is_it) {
                continue;
            }
            let mut tokens: Vec<String> = filled.into_iter().map(|(token, _)| token).collect();
            let has_length = words.last().is_some_and(|word| word == "length");
            if has_length {
                tokens.pop();
            }
            let line = format!("{} {}", if row.verb == "NNN" { "241" } else { row.verb }, tokens.join(" "));
            lines.push(command(direction, &line, has_length.then_some(&b""[..])));
        }
    }
    lines
}

/// A word of the grammar without its brackets for what is optional.
fn word(word: &str) -> String {
    let inner = word.trim_start_matches('[');
    let own = inner.matches('[').count();
    let closed = inner.matches(']').count() - own;
    inner[..inner.len() - closed].trim_end_matches("...").to_owned()
}

fn fill(word: &str, name: &str, value: &str) -> (String, bool) {
    let base = word.split('[').next().unwrap();
    let (prefix, base) = match base.split_once('=') {
        Some((key, "x")) if !base.starts_with('<') => (format!("{key}="), key),
        Some((key, rest)) if !base.starts_with('<') => (format!("{key}="), rest),
        _ => (String::new(), base),
    };
    if let Some(choice) = base.strip_prefix('<') {
        let (label, words) = choice.trim_end_matches('>').split_once(':').unwrap();
        return match label == name {
            true => (value.to_owned(), true),
            false => (words.split('|').next().unwrap().to_owned(), false),
        };
    }
    let label = base.replace([':', '.'], "_");
    if label == name || label == "network_id_email" && name == "email" {
        return (format!("{prefix}{value}"), true);
    }
    let sample = match base {
        "trid" => "7",
        "network_id:email" | "email" | "inviter_email" | "to_email" | "email_or_guid" | "email_or_index" => WITNESS,
        "email_or_phone" => WITNESS,
        "capabilities" | "capabilities:ext" | "length" | "list_version" | "index" | "total" | "list_bits"
        | "network_id" | "contacts" | "groups" | "seconds" | "minutes" | "message_type" | "site_id" | "verified"
        | "restricted" => "1",
        "dialect" => "MSNP12",
        "status" => "NLN",
        "key" => "MFN",
        "host:port" | "current_host:port" => "192.0.2.1:1863",
        "?" => "x",
        literal if literal.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) => literal,
        "Hotmail" | "null" => base,
        _ => "sample",
    };
    (format!("{prefix}{sample}"), false)
}

/// Commands that hold `value` in the place of a row.
fn specimens(row: &Row, value: &str) -> Vec<Command> {
    let percent = value.replace('%', "%25").replace(' ', "%20");
    match row.place {
        Place::Argument(name) => directions(row)
            .into_iter()
            .flat_map(|direction| row.verbs.split(' ').flat_map(move |verb| Some((direction, verb))))
            .flat_map(|(direction, verb)| lines(verb, direction, name, &percent))
            .collect(),
        Place::Property(key) => {
            let key = if key == "*" { "XYZ" } else { key };
            let client = format!("PRP 7 {key} {percent}");
            vec![
                command(Direction::ClientToServer, &client, None),
                command(Direction::ServerToClient, &client, None),
                command(
                    Direction::ClientToServer,
                    &format!("SBP 7 7c2f0f4e-1111-4222-8333-0123456789ac {key} {percent}"),
                    None,
                ),
            ]
        }
        Place::Header(pattern, name) => vec![
            message(&content(pattern), &format!("{name}: {value}\r\n"), b"hello"),
            message(&content(pattern), "", format!("{name}: {value}\r\n\r\n").as_bytes()),
        ],
        Place::Body(pattern) => vec![message(&content(pattern), "", value.as_bytes())],
        Place::Slp(name) => vec![invitation(&format!("{name}: {value}"))],
        Place::Element(name) => document(row, &format!("<Data><{name}>{}</{name}></Data>", escaped(value))),
        Place::Attribute(element, name) => {
            document(row, &format!(r#"<Data><{element} {name}="{}"/></Data>"#, escaped(value)))
        }
        Place::Payload => directions(row)
            .into_iter()
            .flat_map(|direction| row.verbs.split(' ').map(move |verb| (direction, verb)))
            .filter(|(_, verb)| *verb != "*")
            .map(|(direction, verb)| with_length(direction, verb, value.as_bytes()))
            .collect(),
        _ => panic!("a place that no specimen has"),
    }
}

fn document(row: &Row, text: &str) -> Vec<Command> {
    let verbs = row.verbs.split(' ');
    verbs
        .filter(|verb| *verb != "CHG" && *verb != "ILN" && *verb != "NLN")
        .map(|verb| with_length(Direction::ServerToClient, verb, text.as_bytes()))
        .collect()
}

#[test]
fn every_row_keeps_its_promise() {
    for row in ROWS {
        // a row that keeps still lets nobody's account through
        let kind = if row.policy == Policy::Keep || row.kind == Kind::Plain { Kind::Address } else { row.kind };
        let specimens = specimens(row, value(kind));
        assert!(!specimens.is_empty() || matches!(row.place, Place::Payload), "no specimen of {row:?}");
        // somebody who is known from elsewhere
        let known = command(Direction::ClientToServer, &format!("CAL 2 {}", value(Kind::Address)), None);
        let events = std::iter::once(&known).chain(&specimens).map(|command| event(1, command)).collect();
        let (redacted, mut redactor) = redact(Options::default(), &[transcript("t.jsonl", events)]);
        let haystack = Haystack::of(&redacted[0]);
        for trace_of in traces(kind).into_iter().chain(["quidam.witness"]) {
            assert_eq!(haystack.trace(trace_of), None, "{row:?}: {trace_of}");
        }
        assert_eq!(redactor.check(&redacted[0]), [], "{row:?}");
        for (specimen, message) in specimens.iter().zip(redacted[0].messages().skip(1)) {
            let (line, after) = (String::from_utf8_lossy(specimen.as_bytes()), message.command);
            assert!(line.contains("ebulon") || kind != Kind::Address, "{line}");
            assert_eq!(after.is_framed(), specimen.is_framed(), "{row:?}: {line}");
            assert_eq!(after.verb(), specimen.verb());
            assert_eq!(after.arguments().count(), specimen.arguments().count(), "{line}");
        }
    }
}

#[test]
fn every_documented_argument_has_a_row_or_is_public() {
    for row in msnp::table::ROWS.iter().filter(|row| row.verb.len() == 3) {
        let verb = if row.verb == "NNN" { "200" } else { row.verb };
        for name in msnp::argument::names(verb.parse().unwrap(), row.direction) {
            let has_row = ROWS.iter().any(|known| {
                known.place == Place::Argument(name)
                    && known.direction.is_none_or(|direction| direction == row.direction)
                    && (known.verbs == "*" || known.verbs.split(' ').any(|known| known == row.verb))
            });
            let is_free = matches!(name, "value" | "args");
            assert!(has_row || is_free || PUBLIC_ARGUMENTS.contains(&name), "{} has {name}", row.verb);
        }
    }
}

#[test]
fn no_header_is_public_and_private_at_once() {
    for row in ROWS {
        if let Place::Header("*", name) | Place::Slp(name) = row.place {
            assert!(!PUBLIC_HEADERS.iter().any(|public| public.eq_ignore_ascii_case(name)), "{name}");
        }
    }
}
