//! Sessions written as dialogues, and the examples of the protocol, compared with what became of them.

use std::path::Path;

use msnp::{Command, Direction};

use super::*;
use crate::event::{CommandEvent, ConnectionOpened, Event, Origin, Sent, SessionEvent, Stem, Text};
use crate::mask::mask_command;

use examples::examples;

mod examples;

/// A command and its connection.
type Said = (u64, Command);

fn transcript(name: &str, said: &[Said], is_masked: bool) -> Transcript {
    let mut transcript = Transcript { name: name.into(), ..Transcript::default() };
    let stem = |seq: usize| Stem { seq: seq as u64, time: String::new(), session: "01jd".into() };
    transcript.events.push(Event::Session(SessionEvent {
        stem: stem(0),
        format: crate::event::FORMAT.into(),
        version: 1,
        software: "test".into(),
        source: None,
        redacted: None,
    }));
    let mut opened = Vec::new();
    for (connection, command) in said {
        if !opened.contains(connection) {
            opened.push(*connection);
            transcript.events.push(Event::ConnectionOpened(ConnectionOpened {
                stem: stem(transcript.events.len()),
                connection: *connection,
                client: String::new(),
                listener: String::new(),
                upstream: String::new(),
                server: None,
                account: None,
                version: None,
            }));
        }
        let masked = mask_command(command).filter(|_| is_masked);
        let (shown, masked) = masked.map_or((command.clone(), Vec::new()), |masked| (masked.command, masked.places));
        let Sent { direction, verb, args, payload, eol } = Sent::of(&shown);
        transcript.events.push(Event::Command(CommandEvent {
            stem: stem(transcript.events.len()),
            connection: *connection,
            server: None,
            direction,
            verb,
            trid: None,
            args,
            payload,
            eol,
            origin: Origin::Peer,
            sent: None,
            by: Vec::new(),
            delay: None,
            held: None,
            masked,
        }));
    }
    transcript
}

/// Reads a dialogue: a connection, `>` or `<`, and a line with its payload behind `|`, in which `\n` is CRLF.
fn said(dialogue: &str) -> Vec<Said> {
    let rows = dialogue.lines().map(str::trim).filter(|row| !row.is_empty());
    let row = |row: &str| {
        let (connection, rest) = row.split_once(' ').unwrap();
        let (way, text) = rest.split_once(' ').unwrap();
        let way = if way == ">" { Direction::ClientToServer } else { Direction::ServerToClient };
        let (line, payload) = match text.split_once('|') {
            Some((line, payload)) => (line, Some(payload.replace("\\n", "\r\n"))),
            None => (text, None),
        };
        let command = Command::new(way, line.as_bytes(), payload.as_ref().map(|text| text.as_bytes())).unwrap();
        (connection.parse().unwrap(), command)
    };
    rows.map(row).collect()
}

fn compare(a: &[Said], b: &[Said], options: Options) -> Diff {
    Diff::of(&transcript("a", a, false), &transcript("b", b, false), options).unwrap()
}

/// Returns the differences: `- line`, `+ line`, `VERB name: a -> b`.
fn found(diff: &Diff) -> Vec<String> {
    let mut found = Vec::new();
    for pair in &diff.connections {
        for entry in &pair.entries {
            let items = diff.items(pair, entry).map(|found| found.map(|(_, item)| item));
            let item = items[0].or(items[1]).unwrap();
            match entry.state {
                State::Missing => found.push(format!("- {}", side::line_of(item))),
                State::Extra => found.push(format!("+ {}", side::line_of(item))),
                _ => found.extend(entry.changes.iter().map(|change| format!("{} {change}", item.verb()))),
            }
        }
    }
    found
}

fn differences(a: &str, b: &str) -> Vec<String> {
    found(&compare(&said(a), &said(b), Options::default()))
}

const LOGIN: &str = "
    1 > VER 1 MSNP8 CVR0
    1 < VER 1 MSNP8
    1 > CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.0.0777 MSMSGS alice@example.com
    1 < CVR 2 7.0 7.0 1.0 http://a http://b
    1 > USR 3 TWN I alice@example.com
    1 < USR 3 TWN S lc=1033,id=507
    1 > USR 4 TWN S t=1&p=2
    1 < USR 4 OK alice@example.com Alice 1 0
    1 > SYN 5 0
    1 < SYN 5 27 2 1
    1 < GTC A
    1 < LSG 0 Friends 0
    1 < LST bob@example.com Bob 11 0
    1 < BPR PHH 1
    1 < LST carol@example.com Carol 11 0
    1 > CHG 6 NLN 0
    1 < CHG 6 NLN 0
    1 < ILN 6 NLN bob@example.com Bob 0
    1 < ILN 6 AWY carol@example.com Carol 0
    1 > PNG
    1 < QNG 40
    1 < RNG 11 192.0.2.1:1863 CKI 1.2.3 bob@example.com Bob
    2 > ANS 1 alice@example.com 1.2.3 11
    2 < IRO 1 1 1 bob@example.com Bob
    2 < ANS 1 OK
    2 < MSG bob@example.com Bob|Content-Type: text/plain\\n\\nhello
    2 > MSG 2 A|Content-Type: text/plain\\n\\nhi there
    2 < ACK 2
    2 > OUT
";

fn login() -> String {
    LOGIN.to_owned()
}

/// Replaces one text in the login and returns what is found.
fn with(from: &str, to: &str) -> Vec<String> {
    let login = login();
    assert!(login.contains(from), "{from}");
    differences(&login, &login.replacen(from, to, 1))
}

#[test]
fn what_changed_is_told_by_name() {
    for (from, to, expected) in [
        ("7.0.0777", "7.5.0324", "CVR client_version: 7.0.0777 -> 7.5.0324"),
        ("CHG 6 NLN 0\n    1 < I", "CHG 6 AWY 0\n    1 < I", "CHG status: NLN -> AWY"),
        ("CHG 6 NLN 0\n    1 < I", "CHG 7 NLN 0\n    1 < I", "CHG trid: 6 -> 7"),
        ("CHG 6 NLN 0\n    1 < I", "201 6\n    1 < I", "CHG verb: CHG -> 201"),
        ("Alice 1 0", "Al%20ice 1 0", "USR friendly_name: Alice -> Al ice"),
        ("Carol 11 0", "Carol 3 0", "LST list_bits: 11 -> 3"),
        ("hi there", "hi you", "MSG text: hi there -> hi you"),
        ("MSG 2 A", "MSG 2 N", "MSG ack_type: A -> N"),
        ("CVR0", "MSNP9 CVR0", "VER dialect: MSNP8 CVR0 -> MSNP8 MSNP9 CVR0"),
        (
            "ANS 1 alice@example.com 1.2.3",
            "ANS 1 alice@example.com 4.5.6",
            "ANS cookie: 1.2.3 -> 4.5.6 (1.2.3 of A stood for 1.2.3 of B before)",
        ),
    ] {
        assert_eq!(with(from, to), [expected], "{from} -> {to}");
    }
    assert_eq!(
        with("plain\\n\\nhello", "plain\\nX-MMS-IM-Format: FN=Arial\\n\\nhello"),
        ["MSG X-MMS-IM-Format: (none) -> FN=Arial"]
    );
}

#[test]
fn what_is_missing_or_extra_is_told_once() {
    for line in
        ["    1 < GTC A\n", "    1 > CHG 6 NLN 0\n", "    2 < ACK 2\n", "    1 < LST carol@example.com Carol 11 0\n"]
    {
        let told = line.trim()[4..].to_owned();
        assert_eq!(with(line, ""), [format!("- {told}")]);
        let (login, shorter) = (login(), login().replacen(line, "", 1));
        assert_eq!(differences(&shorter, &login), [format!("+ {told}")]);
    }
    // a ping is a matter of time
    let diff =
        compare(&said(&login()), &said(&login().replacen("    1 > PNG\n    1 < QNG 40\n", "", 1)), Options::default());
    assert!(diff.is_same());
    assert_eq!(diff.summary.commands.ignored, 2);
    let options = Options { pings: true, ..Options::default() };
    let diff = compare(&said(&login()), &said(&login().replacen("    1 > PNG\n", "", 1)), options);
    assert_eq!(found(&diff), ["- PNG"]);
}

#[test]
fn the_order_of_answers_matters_and_that_of_contacts_does_not() {
    assert_eq!(
        with(
            "2 < IRO 1 1 1 bob@example.com Bob\n    2 < ANS 1 OK",
            "2 < ANS 1 OK\n    2 < IRO 1 1 1 bob@example.com Bob"
        ),
        ["IRO order: command 2 of the connection -> command 3 of the connection"]
    );
    let (bob, carol) =
        ("    1 < LST bob@example.com Bob 11 0\n    1 < BPR PHH 1\n", "    1 < LST carol@example.com Carol 11 0\n");
    assert_eq!(with(&format!("{bob}{carol}"), &format!("{carol}{bob}")), Vec::<String>::new());
    let (bob, carol) = ("    1 < ILN 6 NLN bob@example.com Bob 0\n", "    1 < ILN 6 AWY carol@example.com Carol 0\n");
    assert_eq!(with(&format!("{bob}{carol}"), &format!("{carol}{bob}")), Vec::<String>::new());
    // what is said of one contact has an order
    let twice = |first: &str, second: &str| {
        format!("{}1 < NLN {first} bob@example.com Bob 0\n1 < NLN {second} bob@example.com Bob 0\n", login())
    };
    assert!(!differences(&twice("AWY", "BSY"), &twice("BSY", "AWY")).is_empty());
}

#[test]
fn notifications_may_come_before_or_after_an_answer() {
    let (ring, answer) = ("1 < RNG 11 192.0.2.1:1863 CKI 1.2.3 bob@example.com Bob", "1 < CHG 6 NLN 0");
    let moved = login().replacen(&format!("    {ring}\n"), "", 1).replacen(answer, &format!("{ring}\n    {answer}"), 1);
    assert_eq!(differences(&login(), &moved), Vec::<String>::new());
}

#[test]
fn an_owner_stands_for_another_everywhere() {
    let other = login().replace("alice@example.com", "dora@example.org");
    let diff = compare(&said(&login()), &said(&other), Options::default());
    assert_eq!(found(&diff), Vec::<String>::new());
    assert_eq!(diff.accounts.len(), 1 + 1, "{:?}", diff.accounts);
    let exact = Options { accounts: Accounts::Exact, ..Options::default() };
    assert_eq!(found(&compare(&said(&login()), &said(&other), exact)).len(), 4);
    // others are compared, unless they are said to stand for one another
    let other = other.replace("bob@example.com", "bert@example.org").replace("carol@", "clara@");
    assert!(!found(&compare(&said(&login()), &said(&other), Options::default())).is_empty());
    let any = Options { accounts: Accounts::Any, ..Options::default() };
    assert_eq!(found(&compare(&said(&login()), &said(&other), any)), Vec::<String>::new());
    let map = vec![
        ("bob@example.com".to_owned(), "bert@example.org".to_owned()),
        ("carol@example.com".to_owned(), "clara@example.com".to_owned()),
    ];
    let given = Options { map, ..Options::default() };
    assert_eq!(found(&compare(&said(&login()), &said(&other), given)), Vec::<String>::new());
}

#[test]
fn members_of_a_list_are_renamed_across_domains() {
    let list = |members: &str| format!("1 > VER 1 MSNP15 CVR0\n1 > ADL 2|<ml l=\"1\">{members}</ml>\n");
    let options =
        || Options { map: vec![("bob@example.com".to_owned(), "bert@example.org".to_owned())], ..Options::default() };
    let a = list("<d n=\"example.com\"><c n=\"bob\" l=\"3\" t=\"1\"/><c n=\"carol\" l=\"3\" t=\"1\"/></d>");
    let b = list(
        "<d n=\"example.org\"><c t=\"1\" l=\"3\" n=\"bert\"/></d> <d n=\"example.com\"><c n=\"carol\" l=\"2\" t=\"1\"></c></d>",
    );
    let diff = compare(&said(&a), &said(&b), options());
    assert_eq!(found(&diff), ["ADL ml/d[n=example.com]/c[n=carol]/@l: 3 -> 2"]);
    let b = list("<d n=\"example.com\"><c n=\"carol\" l=\"3\" t=\"1\"/></d>");
    assert_eq!(differences(&a, &b), ["ADL ml/d[n=example.com]/c[n=bob]: <c n=\"bob\" l=\"3\" t=\"1\"/> -> (none)"]);
}

#[test]
fn payloads_are_compared_as_what_they_are() {
    let data = |payload: &str| format!("1 > VER 1 MSNP12 CVR0\n1 < VER 1 MSNP12\n1 < UBX bob@example.com|{payload}\n");
    let changed = |a: &str, b: &str| differences(&data(a), &data(b));
    assert_eq!(changed("<Data><PSM>a</PSM><X/></Data>", "<Data> <X></X>\\n<PSM>a</PSM></Data>"), Vec::<String>::new());
    assert_eq!(changed("<Data><PSM>a</PSM></Data>", "<Data><PSM>b</PSM></Data>"), ["UBX Data/PSM/text(): a -> b"]);
    assert_eq!(changed("<Data><PSM>a</PSM></Data>", "<Data/>"), ["UBX Data/PSM: <PSM>a -> (none)"]);
    assert_eq!(changed("abc", "abd"), ["UBX payload: abc -> abd"]);
    assert_eq!(changed("a\\nb\\nc", "a\\nc\\nd"), ["UBX payload:2: b -> (none)", "UBX payload:3: (none) -> d"]);
    assert_eq!(changed("\u{1}abcd", "\u{1}abXdY"), ["UBX payload: 5 bytes, at 3: 63 64 -> 6 bytes, at 3: 58 64 59"]);
    let datagram = |to: &str, kind: &str, text: &str| {
        format!(
            "1 > VER 1 MSNP21 CVR0\n1 < VER 1 MSNP21\n1 > SDG 3|Routing: 1.0\\nTo: {to}\\n\\nReliability: 1.0\\n\\nMessaging: 2.0\\nMessage-Type: {kind}\\nContent-Length: {}\\n\\n{text}\n",
            text.len()
        )
    };
    assert_eq!(
        differences(&datagram("1:bob@a", "Text", "hi"), &datagram("2:bob@a", "Text", "hello")),
        ["SDG routing.To: 1:bob@a -> 2:bob@a", "SDG text: hi -> hello"]
    );
    let look = |format: &str| {
        format!("2 > ANS 1 a@b 1 2\n2 > MSG 2 N|Content-Type: text/plain\\nX-MMS-IM-Format: {format}\\n\\nhi\n")
    };
    assert_eq!(
        differences(&look("FN=Arial; EF=; CO=0"), &look("fn=Verdana; EF=; CO=0")),
        ["MSG X-MMS-IM-Format.FN: Arial -> Verdana"]
    );
}

#[test]
fn switchboards_are_paired_by_who_is_there() {
    let board = |number: u32, who: &str| {
        format!(
            "{number} > USR 1 alice@example.com {number}.1\n{number} > CAL 2 {who}\n{number} < CAL 2 RINGING 7{number}\n"
        )
    };
    let login = "1 > VER 1 MSNP8 CVR0\n1 > USR 2 TWN I alice@example.com\n";
    let a = [login, &board(2, "bob@b"), &board(3, "carol@c")].concat();
    let b = [login, &board(5, "carol@c"), &board(6, "bob@b")].concat();
    assert_eq!(differences(&a, &b), Vec::<String>::new());
    let diff = compare(&said(&a), &said(&[login, &board(5, "carol@c")].concat()), Options::default());
    assert_eq!(diff.summary.connections.missing, 1);
    assert_eq!(found(&diff).len(), 3);
}

#[test]
fn what_is_ignored_is_counted_and_an_idle_rule_shows() {
    let rules = "[[ignore]]\nreason = 'another client'\nverbs = ['CVR']\nargument = 'client_version'\n\
                 [[ignore]]\nreason = 'none'\nverbs = ['FLN']\n\
                 [[ignore]]\nreason = 'settings'\nkind = 'missing'\nwhen = 'verb == \"GTC\" && arg.prompt == \"A\"'\n";
    let options = Options { ignores: parse_ignores(Path::new("i.toml"), rules).unwrap(), ..Options::default() };
    let other = login().replacen("7.0.0777", "7.5.0324", 1).replacen("    1 < GTC A\n", "", 1);
    let diff = compare(&said(&login()), &said(&other), options);
    assert!(diff.is_same(), "{:?}", found(&diff));
    assert_eq!(diff.summary.commands.ignored, 2);
    assert_eq!(diff.ignores.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 0, 1]);
    let options = Options { ignores: parse_ignores(Path::new("i.toml"), rules).unwrap(), ..Options::default() };
    let diff = compare(&said(&other), &said(&login()), options);
    assert_eq!(found(&diff), ["+ GTC A"]);
}

#[test]
fn a_filter_chooses_what_is_looked_at() {
    let other = login().replacen("7.0.0777", "7.5.0324", 1).replacen("hi there", "hi you", 1);
    let filter = |source: &str| Options { filter: Some(Expression::compile(source).unwrap()), ..Options::default() };
    let diff = compare(&said(&login()), &said(&other), filter("verb == 'MSG'"));
    assert_eq!(found(&diff), ["MSG text: hi there -> hi you"]);
    assert_eq!(diff.summary.commands, Tally { same: 1, changed: 1, ..Tally::default() });
    assert!(compare(&said(&login()), &said(&other), filter("verb == 'ZZZ'")).is_same());
}

#[test]
fn what_is_masked_is_equal_to_anything_of_its_kind() {
    let a = transcript("a", &said(&login()), true);
    let b = transcript("b", &said(&login()), false);
    for (a, b) in [(&a, &b), (&b, &a), (&a, &a)] {
        let diff = Diff::of(a, b, Options::default()).unwrap();
        assert_eq!(found(&diff), Vec::<String>::new());
    }
}

#[test]
fn what_a_source_lacks_is_said_and_not_compared() {
    let mut a = transcript("a", &said("1 < LST bob@example.com Bob 11 0 \n"), false);
    // a space at the end is cut by the dialogue's reader
    if let Some(Event::Command(event)) = a.events.last_mut() {
        event.args.push(Text::of(b""));
        event.eol = Some("\n".into());
    }
    let mut b = transcript("b", &said("1 < LST bob@example.com Bob 11 0\n"), false);
    let diff = Diff::of(&a, &b, Options::default()).unwrap();
    assert_eq!(found(&diff), ["LST spaces at the end: 1 -> (none)", "LST line end: LF -> CRLF"]);
    if let Some(Event::Session(session)) = b.events.first_mut() {
        let lacks = vec![Lack::Bytes, Lack::Times];
        session.source = Some(crate::event::Source { format: "log".into(), file: None, lacks });
    }
    let diff = Diff::of(&a, &b, Options::default()).unwrap();
    assert_eq!(found(&diff), Vec::<String>::new());
    assert_eq!(
        diff.not_compared,
        [
            "B lacks the exact bytes: line ends and spaces at the end of lines are not compared",
            "B lacks times: its commands are in the order of the log",
        ]
    );
}

#[test]
fn what_left_can_be_compared_instead_of_what_arrived() {
    let mut a = transcript("a", &said("1 < NLN NLN bob@example.com Bob 0\n1 < FLN bob@example.com\n"), false);
    let edited = said("1 < NLN AWY bob@example.com Bob 0\n");
    let b = a.clone();
    let mut commands = a.events.iter_mut().filter_map(|event| match event {
        Event::Command(event) => Some(event),
        _ => None,
    });
    commands.next().unwrap().sent = Some(vec![Sent::of(&edited[0].1)]);
    commands.next().unwrap().sent = Some(Vec::new());
    assert!(Diff::of(&a, &b, Options::default()).unwrap().is_same());
    let options = Options { what: What::Left, ..Options::default() };
    let diff = Diff::of(&a, &b, options).unwrap();
    assert_eq!(found(&diff), ["NLN status: AWY -> NLN", "+ FLN bob@example.com"]);
    assert_eq!(diff.not_compared, ["1 command(s) of A were dropped, so that no peer was told them"]);
}

#[test]
fn the_report_fits_its_schema_and_turns_with_the_sides() {
    let validator = jsonschema::validator_for(&report::schema()).unwrap();
    let other = login().replacen("7.0.0777", "7.5.0324", 1).replacen("    1 < GTC A\n", "", 1);
    let report = |a: &str, b: &str| {
        serde_json::to_value(report::Report::of(&compare(&said(a), &said(b), Options::default()))).unwrap()
    };
    let (there, back, same) = (report(&login(), &other), report(&other, &login()), report(&login(), &login()));
    for report in [&there, &back, &same] {
        if let Err(error) = validator.validate(report) {
            panic!("{report:#}: {error}");
        }
    }
    assert_eq!((there["result"].as_str(), same["result"].as_str()), (Some("different"), Some("same")));
    assert_eq!(there["summary"]["commands"]["missing"], back["summary"]["commands"]["extra"]);
    assert_eq!(there["summary"]["commands"]["changed"], back["summary"]["commands"]["changed"]);
    let change = &there["connections"][0]["differences"][0];
    assert_eq!(
        change["changes"][0],
        serde_json::json!({"part": "argument", "name": "client_version", "a": "7.0.0777", "b": "7.5.0324"})
    );
    assert_eq!(same["connections"][0]["differences"], serde_json::json!([]));
}

#[test]
fn the_page_and_the_text_show_what_differs() {
    let other = login().replacen("7.0.0777", "7.5.0324", 1).replacen("hi there", "<b>hi</b> you", 1);
    let diff = compare(&said(&login()), &said(&other), Options::default());
    let text = text::draw(&diff, text::Options::default().context(1));
    let expected = "\
A a of alice@example.com: 2 connections, 29 commands
B b of alice@example.com: 2 connections, 29 commands
connections: 2 paired (2 with differences), 0 missing, 0 extra
commands: 27 same, 2 changed, 0 missing, 0 extra

=== notification server: A ns#1 MSNP8, B ns#1 MSNP8: 1 changed
@@ 1 without a difference @@
  <<< VER 1 MSNP8
- >>> CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.0.0777 MSMSGS alice@example.com
+ >>> CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.5.0324 MSMSGS alice@example.com
    ~ CVR client_version: 7.0.0777 -> 7.5.0324
  <<< CVR 2 7.0 7.0 1.0 http://a http://b
@@ 18 without a difference @@

=== switchboard, callee: A sb#2 with bob@example.com, B sb#2 with bob@example.com: 1 changed
@@ 3 without a difference @@
  <<< MSG bob@example.com Bob 33
- >>> MSG 2 A 36
+ >>> MSG 2 A 41
    ~ MSG text: hi there -> <b>hi</b> you
  <<< ACK 2
@@ 1 without a difference @@
";
    assert_eq!(text, expected);
    let beside = text::draw(&diff, text::Options::default().context(0).side_by_side(Some(60)));
    assert!(beside.contains("\n>>> MSG 2 A 36               | >>> MSG 2 A 41\n    ~ MSG text: "), "{beside}");
    let page = html::page(&diff, 3);
    assert!(page.contains("<del>hi there</del> → <ins>&lt;b&gt;hi&lt;/b&gt; you</ins>"), "{page}");
    assert!(!page.contains("<b>hi") && !page.contains("<script"));
}

proptest::proptest! {
    #[test]
    fn anything_is_the_same_as_itself(picks in proptest::collection::vec((0usize..400, 1u64..4), 0..60)) {
        let all: Vec<Command> = ALL.with(Clone::clone);
        let said: Vec<Said> = picks.iter().map(|(pick, connection)| (*connection, all[pick % all.len()].clone())).collect();
        let diff = compare(&said, &said, Options::default());
        proptest::prop_assert_eq!(found(&diff), Vec::<String>::new());
        proptest::prop_assert!(diff.is_same());
    }

    #[test]
    fn missing_and_extra_trade_places_with_the_sides(
        a in proptest::collection::vec((0usize..400, 1u64..3), 0..40),
        b in proptest::collection::vec((0usize..400, 1u64..3), 0..40),
    ) {
        let all: Vec<Command> = ALL.with(Clone::clone);
        let side = |picks: &[(usize, u64)]| -> Vec<Said> {
            picks.iter().map(|(pick, connection)| (*connection, all[pick % all.len()].clone())).collect()
        };
        let (a, b) = (side(&a), side(&b));
        let options = || Options { accounts: Accounts::Exact, pings: true, ..Options::default() };
        let (there, back) = (compare(&a, &b, options()).summary, compare(&b, &a, options()).summary);
        proptest::prop_assert_eq!(there.connections.missing, back.connections.extra);
        let total = |tally: Tally| 2 * (tally.same + tally.changed + tally.ignored) + tally.missing + tally.extra;
        proptest::prop_assert_eq!(total(there.commands), total(back.commands));
        proptest::prop_assert_eq!(total(there.commands), (a.len() + b.len()) as u64);
    }
}

thread_local! {
    static ALL: Vec<Command> = examples().into_iter().flatten().map(|(_, command)| command).collect();
}
