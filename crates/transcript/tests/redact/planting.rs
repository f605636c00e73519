//! Random people, with their secrets in every place and encoding: none is found afterwards.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use msnp::{Command, Direction};
use msnp_transcript::event::{
    ConnectionClosed, ConnectionOpened, Event, NoteEvent, Origin, ReleasedEvent, Sent, TagEvent,
};
use msnp_transcript::redact::{Options, TextPolicy};
use proptest::prelude::*;

use Direction::{ClientToServer as Client, ServerToClient as Server};

use crate::support::{Haystack, command, event, new_findings, redact, stem, transcript, written};

/// One person and all that is theirs.
#[derive(Clone, Debug)]
struct Person {
    local: String,
    domain: String,
    name: String,
    guid: String,
    ticket: String,
    cookie: String,
    number: String,
    phone: String,
    ip: String,
    hash: String,
    secret: String,
    computer: String,
}

impl Person {
    fn account(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }

    /// What must not be found, each as it is and in every encoding.
    fn values(&self) -> Vec<String> {
        let mut values = vec![
            self.account(),
            self.name.clone(),
            self.guid.clone(),
            self.ticket.clone(),
            self.cookie.clone(),
            self.number.clone(),
            self.phone.clone(),
            self.ip.clone(),
            self.hash.clone(),
            self.secret.clone(),
            self.computer.clone(),
            self.domain.clone(),
        ];
        values.push(self.local.clone());
        values
    }
}

fn person() -> impl Strategy<Value = Person> {
    let word = |length: &str| proptest::string::string_regex(&format!("[qzjkvw][a-z]{length}")).unwrap();
    (
        (word("{6,12}"), word("{5,9}"), "[QZJKVW][a-zäöé]{5,9}( [QZ][a-z&<\"]{5,9})?", "[0-9a-f]{32}"),
        ("[A-Za-z0-9]{24,60}", "[1-9][0-9]{8}\\.[1-9][0-9]{9}\\.[0-9]{5}", "[2-9][0-9]{8}", "44[1-9][0-9]{9}"),
        ((20u8..100, any::<u8>(), any::<u8>(), 2u8..250), any::<[u8; 20]>(), "[A-Za-z]{12,20}", "[QZ][A-Z]{5,8}-PC"),
    )
        .prop_map(
            |((local, domain, name, guid), (ticket, cookie, number, phone), (ip, hash, secret, computer))| Person {
                local,
                domain: format!("{domain}.example.net"),
                name,
                guid: format!("{}-{}-{}-{}-{}", &guid[..8], &guid[8..12], &guid[12..16], &guid[16..20], &guid[20..]),
                ticket,
                cookie,
                number,
                phone,
                ip: format!("{}.{}.{}.{}", ip.0, ip.1, ip.2, ip.3),
                hash: STANDARD.encode(hash),
                secret: format!("pw{secret}"),
                computer,
            },
        )
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).into() } else { format!("%{byte:02X}") })
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

fn entity(text: &str) -> String {
    escaped(text).replace('@', "&#x40;")
}

fn object(person: &Person) -> String {
    let wide: Vec<u8> = person.name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    format!(
        r#"<msnobj Creator="{}" Size="10" Type="3" Location="{}.png" Friendly="{}" SHA1D="{}" SHA1C="{}"/>"#,
        person.account(),
        person.local,
        STANDARD.encode(wide),
        person.hash,
        person.hash
    )
}

fn mime(direction: Direction, line: &str, headers: &str, body: &[u8]) -> Command {
    let head = format!("MIME-Version: 1.0\r\nContent-Type: {headers}\r\n\r\n");
    command(direction, line, Some(&[head.as_bytes(), body].concat()))
}

fn packet(one: &Person, other: &Person, context: &str) -> Vec<u8> {
    let body = format!(
        "EUF-GUID: {{A4268EEC-FEC5-49E5-95C3-F126696BDBF6}}\r\nSessionID: {}\r\nAppID: 1\r\nContext: {context}\r\nNonce: {{{}}}\r\nIPv4Internal-Addrs: {} 10.1.2.3\r\nsrddA-lanretxE4vPI: {}\r\n\r\n\0",
        one.number,
        one.guid,
        one.ip,
        one.ip.chars().rev().collect::<String>()
    );
    let text = format!(
        "INVITE MSNMSGR:{other} MSNSLP/1.0\r\nTo: <msnmsgr:{other}>\r\nFrom: <msnmsgr:{one};{{{guid}}}>\r\nVia: MSNSLP/1.0/TLP ;branch={{{guid}}}\r\nCall-ID: {{{guid}}}\r\nContent-Length: {length}\r\n\r\n{body}",
        one = one.account(),
        other = other.account(),
        guid = one.guid,
        length = body.len()
    );
    let mut packet = vec![0; 48];
    packet[4] = 9;
    packet[16..20].copy_from_slice(&(text.len() as u32).to_le_bytes());
    packet[24..28].copy_from_slice(&(text.len() as u32).to_le_bytes());
    packet.extend_from_slice(text.as_bytes());
    packet.extend_from_slice(&[0, 0, 0, 0]);
    packet
}

fn file_context(name: &str) -> String {
    let mut context = vec![0u8; 574];
    context[..4].copy_from_slice(&574u32.to_le_bytes());
    for (at, byte) in name.encode_utf16().flat_map(u16::to_le_bytes).enumerate() {
        context[20 + at] = byte;
    }
    STANDARD.encode(context)
}

/// Two people in every place that the table knows, and in some that nobody does.
fn commands(one: &Person, other: &Person) -> Vec<Command> {
    let (a, b) = (one.account(), other.account());
    let upper = a.to_uppercase();
    let name = percent(&one.name);
    let guid = format!("{{{}}}", one.guid);
    let signed = STANDARD.encode(format!("<SignedTicket><Data><CID>{}</CID>{a}</Data></SignedTicket>", one.number));
    let mut commands = vec![
        command(Client, "VER 1 MSNP18 CVR0", None),
        command(Client, &format!("CVR 2 0x0409 winnt 6.0 i386 MSNMSGR 14.0.8117.0416 msmsgs {upper}"), None),
        command(Client, &format!("USR 3 MD5 S {}", one.secret), None),
        command(Server, &format!("USR 3 TWN S lc=1033,id=507,ct={},tpf={}", one.number, one.secret), None),
        command(Client, &format!("USR 4 SSO S t={}&p= {} {guid}", one.ticket, one.secret), None),
        command(Client, &format!("USR 5 SHA A {signed}"), None),
        command(Server, &format!("USR 4 OK {a} {name} 1 0"), None),
        command(Server, &format!("XFR 13 SB {}:1863 CKI {} U messenger.example 1", "192.0.2.20", one.cookie), None),
        command(Client, &format!("USR 1 {a};{guid} {}", one.cookie), None),
        command(Server, &format!("RNG {} 192.0.2.20:1863 CKI {} {b} {} U d 1", one.number, other.cookie, percent(&other.name)), None),
        command(Client, &format!("ANS 1 {a};{guid} {} {}", other.cookie, one.number), None),
        command(Server, &format!("NLN NLN 1:{b};via=9:{}@live.example {} 12:48 {}", one.guid, percent(&other.name), percent(&object(other))), None),
        command(Server, &format!("LST N={} F={name} C={} 11 {}", percent(&b), one.guid, other.guid), None),
        command(Server, &format!("LST {b} {name} 11 0"), None),
        command(Server, &format!("JOI {b};{guid} {} 12", percent(&other.name)), None),
        command(Server, &format!("PRP PHM tel:+{}", one.phone), None),
        command(Client, &format!("PRP 9 MFN {name}"), None),
        command(Client, &format!("SBP 9 {} MFN {name}", one.guid), None),
        command(Server, &format!("URL 3 /x https://login.example/?auth={}&u={a} 2", one.ticket), None),
        command(Client, &format!("FND 4 fname={name} lname={} city={} state=* country=US", percent(&one.computer), one.local), None),
        command(Client, "ADL 6", Some(format!(r#"<ml l="1"><d n="{}"><c n="{}" l="3" t="1" f="{}"/></d><t><c n="tel:+{}" l="1"/></t></ml>"#, one.domain, one.local, escaped(&one.name), one.phone).as_bytes())),
        command(Server, "241 6", Some(format!(r#"<ml><d n='{}'><c n='{}' l='8'/></d></ml>"#, one.domain, one.local).as_bytes())),
        command(Server, &format!("UBX 1:{b}"), Some(format!("<Data><PSM>{}</PSM><CurrentMedia>\\0Music\\01\\0{}</CurrentMedia><MachineGuid>{guid}</MachineGuid><EndpointData id=\"{guid}\"/></Data>", entity(&a), escaped(&one.name)).as_bytes())),
        command(Client, "UUX 8", Some(format!("<PrivateEndpointData><EpName>{}</EpName><Idle>false</Idle></PrivateEndpointData>", one.computer).as_bytes())),
        command(Server, "NOT", Some(format!(r#"<NOTIFICATION id="0"><TO name="{}" pid="0x00037ffe:0x{}"/><MSG id="0"><BODY>&lt;NotificationData&gt;&lt;CID&gt;{}&lt;/CID&gt;&lt;X&gt;{}&lt;/X&gt;&lt;/NotificationData&gt;</BODY></MSG></NOTIFICATION>"#, entity(&a), &one.guid[..8], one.number, escaped(&entity(&b))).as_bytes())),
        command(Client, &format!("UUN 3 {b} 1"), Some(format!(r#"<SNM opcode="SNM" csid="{guid}"/>"#).as_bytes())),
        command(Client, &format!("UUN 3 {b} 3"), Some(format!("{} {}", one.secret, one.ip).as_bytes())),
        command(Client, &format!("ZZZ 3 {a} {guid} {}", "k".repeat(50)), None),
        command(Client, &format!("SDC 4 {b} 0x0409 MSMSGS MSMSGS X X {name}"), Some(format!("join {a}").as_bytes())),
        mime(Server, "MSG Hotmail Hotmail", &format!("text/x-msmsgsprofile\r\nMSPAuth: {}&p=\r\nsid: {}\r\npreferredEmail: {a}\r\nClientIP: {}\r\nClientPort: 18183\r\nBirthday: {}\r\nMemberIdLow: {}\r\nNickname: {}", one.ticket, one.secret, one.ip, one.secret, one.number, one.name), b""),
        mime(Server, &format!("MSG {b} {}", percent(&other.name)), "text/plain; charset=UTF-8", format!("I am {}, write to {a}", one.name).as_bytes()),
        mime(Client, "MSG 5 U", &format!("text/x-msmsgscontrol\r\nTypingUser: {a}"), b"\r\n"),
        mime(Client, "MSG 6 N", "text/x-msmsgsinvite", format!("Invitation-Command: ACCEPT\r\nInvitation-Cookie: {}\r\nIP-Address: {}\r\nApplication-File: {}.png\r\nAuthCookie: {}\r\n\r\n", one.number, one.ip, one.local, one.number).as_bytes()),
        mime(Server, "MSG Hotmail Hotmail", "text/x-msmsgsoimnotification", format!("Mail-Data: <MD><M><E>{}</E><N>=?utf-8?B?{}?=</N><I>{}</I><SU>{}</SU></M></MD>\r\n", entity(&a), STANDARD.encode(&one.name), one.guid, escaped(&one.name)).as_bytes()),
        mime(Server, &format!("MSG {b} x"), &format!("application/x-msnmsgrp2p\r\nP2P-Dest: {a}"), &packet(one, other, &STANDARD.encode(format!("{}\0", object(one))))),
        mime(Server, &format!("MSG {b} x"), &format!("application/x-msnmsgrp2p\r\nP2P-Dest: {a}"), &packet(other, one, &file_context(&format!("{} {a}.png", one.computer)))),
        mime(Client, "MSG 7 N", "text/x-mms-emoticon", format!("(y)\t{}\t", object(one)).as_bytes()),
        mime(Client, "MSG 8 N", "image/gif", a.as_bytes()),
        command(Client, "MSG 9 N", Some(format!("Message-ID: {guid}\r\nChunk: 1\r\n\r\n{a}").as_bytes())),
        command(Server, "VAS 1 2", Some(a.as_bytes())),
    ];
    let datagram = |content: &str, body: &str| {
        format!(
            "Routing: 1.0\r\nTo: 1:{b}\r\nFrom: 1:{a};epid={guid}\r\n\r\nReliability: 1.0\r\n\r\nMessaging: 2.0\r\nContent-Type: {content}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    commands.push(command(Client, "SDG 8", Some(datagram("text/plain", &format!("{a} {}", one.name)).as_bytes())));
    commands.push(command(Client, "PUT 8", Some(datagram("application/user+xml", &format!("<user><s n=\"PE\"><FriendlyName>{}</FriendlyName><UserTileLocation>{}</UserTileLocation></s><sep n=\"PD\" epid=\"{guid}\"><EpName>{}</EpName></sep></user>", escaped(&one.name), escaped(&object(one)), one.computer)).as_bytes())));
    commands
}

/// Events of all types with people in them.
fn events(one: &Person, other: &Person) -> Vec<Event> {
    let commands = commands(one, other);
    let mut events = vec![Event::ConnectionOpened(ConnectionOpened {
        stem: stem(0),
        connection: 1,
        client: format!("{}:50000", one.ip),
        listener: "127.0.0.1:1863".into(),
        upstream: "192.0.2.1:1863".into(),
        server: None,
        account: Some(one.account()),
        version: Some(one.secret.clone()),
    })];
    let known = events.len() + 1;
    events.extend(commands.iter().map(|command| event(1, command)));
    // what left, in other places than what arrived
    if let Event::Command(changed) = &mut events[1] {
        changed.sent = Some(commands.iter().take(20).map(Sent::of).collect());
        changed.by = vec![format!("rule about {}", one.account())];
        changed.masked = vec![one.account(), "args[1]".into()];
        changed.origin = Origin::Peer;
        changed.held = Some(1);
    }
    events.push(Event::Released(ReleasedEvent {
        stem: stem(0),
        connection: 1,
        held: 1,
        direction: Client.into(),
        sent: Some(commands.iter().skip(20).map(Sent::of).collect()),
        by: one.account(),
        after: 1.0,
        masked: vec![one.secret.clone()],
    }));
    events.push(Event::Note(NoteEvent {
        stem: stem(0),
        connection: Some(1),
        text: format!("{} ({}) was here from {} with {}", one.name, one.account(), one.ip, one.cookie),
    }));
    events.push(Event::Tag(TagEvent { stem: stem(0), connection: 1, command: known as u64, tag: one.account() }));
    events.push(Event::ConnectionClosed(ConnectionClosed {
        stem: stem(0),
        connection: 1,
        by: "client".into(),
        reason: Some(format!("reset by {}:1863", one.ip)),
        client_bytes: 1,
        server_bytes: 2,
    }));
    events
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_found_afterwards(one in person(), other in person(), policy in 0..3usize) {
        let text = [TextPolicy::Keep, TextPolicy::Class, TextPolicy::Drop][policy];
        let mut options = Options::default();
        options.text = text;
        let name = format!("20261122T120000Z_{}_01jd0000000000000000000000.jsonl", one.account());
        let before = [transcript(&name, events(&one, &other)), transcript("other.jsonl", events(&other, &one))];
        let (after, mut redactor) = redact(options.clone(), &before);
        for (before, after) in before.iter().zip(&after) {
            let haystack = Haystack::of(after);
            for value in one.values().into_iter().chain(other.values()) {
                prop_assert_eq!(haystack.trace(&value), None, "{}", value);
            }
            prop_assert_eq!(redactor.check(after), vec![]);
            prop_assert_eq!(new_findings(before, after), vec![]);
            for (old, new) in before.messages().zip(after.messages()) {
                let (old, new) = (old.command, new.command);
                prop_assert_eq!(old.is_framed(), new.is_framed());
                prop_assert_eq!((old.verb(), old.transaction_id()), (new.verb(), new.transaction_id()));
                prop_assert_eq!(old.arguments().count(), new.arguments().count());
            }
        }
        // the same person in both, under one name
        let lines = written(&after[1]).join("\n");
        prop_assert!(lines.contains("alice@example.com") && lines.contains("bob@example.com"), "{}", lines);
        // the checker is no liar: it finds people where nothing was redacted
        let left = redactor.check(&before[0]);
        for kind in ["address", "name", "guid", "ticket", "cookie", "ip", "phone", "hash"] {
            prop_assert!(left.iter().any(|left| left.kind.as_str() == kind), "{}", kind);
        }
        let (twice, _) = redact(options, &after);
        for (once, twice) in written(&after[0]).into_iter().zip(written(&twice[0])) {
            prop_assert_eq!(once, twice);
        }
    }
}
