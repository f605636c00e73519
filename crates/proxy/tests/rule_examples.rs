//! Loads every file of `config/rules` and does what its comments say.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use mitmsn_proxy::fault::Kind;
use mitmsn_proxy::rules::{Rules, render_all};
use mitmsn_proxy::{Connection, Context, Hook, Injection, Verdict};
use msnp::Command;
use msnp::argument::Scope;
use msnp::types::{Direction, ServerKind, Version};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/rules")
}

fn load(file: &str) -> Rules {
    Rules::load(&[folder().join(file)]).unwrap_or_else(|problems| panic!("{}", render_all(&problems, false)))
}

/// What rules made of one command.
struct Made {
    forward: Vec<String>,
    verdict: Verdict,
    tags: Vec<String>,
}

fn ask(rules: &Rules, direction: Direction, bytes: &str, server: ServerKind) -> Made {
    ask_on(1, rules, direction, bytes, server)
}

fn ask_on(connection: u64, rules: &Rules, direction: Direction, bytes: &str, server: ServerKind) -> Made {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1863));
    let connection = Connection::new(connection, nowhere, nowhere);
    let scope = Scope { server: Some(server), version: Some(Version(9)) };
    let mut context = Context::new(&connection, scope, "bob@example.com", SystemTime::UNIX_EPOCH);
    let mut command = Command::parse(direction, bytes.as_bytes()).unwrap();
    let verdict = rules.command(&mut command, &mut context);
    let injected = |list: &[Injection]| list.iter().map(|one| text(one.command())).collect::<Vec<_>>();
    let own = verdict.replacement.clone().unwrap_or_else(|| vec![command]);
    let own = own.iter().map(text).collect::<Vec<_>>();
    let forward = [injected(&verdict.before), own, injected(&verdict.after)].concat();
    Made { forward, verdict, tags: context.tags }
}

fn text(command: &Command) -> String {
    String::from_utf8(command.as_bytes().to_vec()).unwrap()
}

fn client(rules: &Rules, bytes: &str) -> Made {
    ask(rules, Direction::ClientToServer, bytes, ServerKind::Notification)
}

fn server(rules: &Rules, bytes: &str) -> Made {
    ask(rules, Direction::ServerToClient, bytes, ServerKind::Switchboard)
}

fn message(line: &str, kind: &str, body: &str) -> String {
    let payload = format!("MIME-Version: 1.0\r\nContent-Type: {kind}\r\n\r\n{body}");
    format!("{line} {}\r\n{payload}", payload.len())
}

#[test]
fn every_example_is_exercised_here() {
    let files: BTreeSet<String> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let exercised = [
        "close.toml",
        "delay.toml",
        "demo.toml",
        "drop.toml",
        "duplicate.toml",
        "faults.toml",
        "hold.toml",
        "inject.toml",
        "length.toml",
        "replace.toml",
        "reply.toml",
        "set.toml",
        "sometimes.toml",
        "tag.toml",
    ];
    assert_eq!(files, exercised.into_iter().map(str::to_owned).collect());
    for file in files {
        assert!(!load(&file).list().is_empty(), "{file}");
    }
}

#[test]
fn set_writes_arguments_headers_and_payload() {
    let rules = load("set.toml");
    let cvr = "CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.0.0813 MSMSGS alice@example.com\r\n";
    assert_eq!(client(&rules, cvr).forward, [cvr.replace("7.0.0813", "7.5.0324")]);
    assert_eq!(client(&rules, "CHG 8 NLN\r\n").forward, ["CHG 8 NLN 0\r\n"]);
    assert_eq!(client(&rules, "CHG 8 NLN 7\r\n").forward, ["CHG 8 NLN 7\r\n"]);
    let made = server(&rules, "ILN 9 NLN bob@example.com Bob 0\r\n");
    assert_eq!(made.forward, ["ILN 9 NLN bob@example.com Carol%209Example 0\r\n"]);
    let made = server(&rules, "NLN NLN bob@example.com Bob 0\r\n");
    assert_eq!(made.forward, ["NLN NLN bob@example.com Carol%20Example 0\r\n"]);
    let made = server(&rules, &message("MSG bob@example.com Bob", "text/plain", "hi"));
    let red =
        "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nX-MMS-IM-Format: FN=Arial; EF=B; CO=ff; CS=0; PF=0\r\n\r\nhi";
    assert_eq!(made.forward, [format!("MSG bob@example.com Bob {}\r\n{red}", red.len())]);
    let data = "<Data><PSM>gone fishing today</PSM></Data>";
    let made = server(&rules, &format!("UBX bob@example.com {}\r\n{data}", data.len()));
    assert_eq!(made.forward, ["UBX bob@example.com 53\r\n<Data><PSM></PSM><CurrentMedia></CurrentMedia></Data>"]);
    let hits: Vec<u64> = rules.list().iter().map(|rule| rule.hits()).collect();
    assert_eq!(hits, [1, 1, 2, 1, 1]);
}

#[test]
fn replace_uses_captures_and_repairs_lengths() {
    let rules = load("replace.toml");
    let made = client(&rules, &message("MSG 4 A", "text/plain", "two colours, one colour"));
    assert_eq!(made.forward, [message("MSG 4 A", "text/plain", "two colors, one color")]);
    assert_eq!(client(&rules, "CHG 8 NLN 2147778596:0 0\r\n").forward, ["CHG 8 NLN 2147778596 0\r\n"]);
    let made = server(&rules, &message("MSG bob@example.com Bobby", "text/plain; charset=utf-8", "x"));
    assert_eq!(made.forward, [message("MSG bob@example.com Robertby", "text/plain; charset=UTF-8", "x")]);
}

#[test]
fn drop_loses_what_its_condition_says_and_nothing_else() {
    let rules = load("drop.toml");
    assert!(server(&rules, &message("MSG b@c B", "text/x-msnmsgr-datacast", "ID: 1\r\n")).forward.is_empty());
    assert_eq!(server(&rules, &message("MSG b@c B", "text/x-msnmsgr-datacast", "ID: 2\r\n")).forward.len(), 1);
    assert_eq!(server(&rules, "MSG b@c B 0\r\n").forward.len(), 1);
}

#[test]
fn reply_answers_and_forwards_nothing() {
    let rules = load("reply.toml");
    let replies = |made: &Made| made.verdict.replies.iter().map(|reply| text(reply.command())).collect::<Vec<_>>();
    let made = client(&rules, "PNG\r\n");
    assert_eq!((made.forward.len(), replies(&made)), (0, vec!["QNG 50\r\n".to_owned()]));
    let made = client(&rules, "CAL 3 offline@example.com\r\n");
    assert_eq!(replies(&made), ["217 3\r\n"]);
    let made = client(&rules, "GCF 6 Shields.xml\r\n");
    assert_eq!(replies(&made), ["GCF 6 Shields.xml 17\r\n<config></config>"]);
    assert_eq!(made.verdict.replies[0].direction(), Direction::ServerToClient);
}

#[test]
fn inject_adds_before_after_and_in_the_other_direction() {
    let rules = load("inject.toml");
    let made = ask(&rules, Direction::ServerToClient, "USR 4 OK a@b Alice 1 0\r\n", ServerKind::Notification);
    let system = "MIME-Version: 1.0\r\nContent-Type: application/x-msmsgssystemmessage\r\n\r\nType: 1\r\nArg1: 5\r\n";
    let injected = format!("MSG Hotmail Hotmail {}\r\n{system}", system.len());
    assert_eq!(made.forward, ["USR 4 OK a@b Alice 1 0\r\n".to_owned(), injected]);
    assert_eq!(client(&rules, "CHG 8 NLN\r\n").forward, ["PNG\r\n", "CHG 8 NLN\r\n", "GCF 8 Shields.xml\r\n"]);
    assert_eq!(client(&rules, "CHG 9 NLN\r\n").forward, ["PNG\r\n", "CHG 9 NLN\r\n"]);
    let made = client(&rules, &message("MSG 5 U", "text/x-msmsgscontrol", ""));
    assert_eq!(made.forward.len(), 1);
    assert_eq!(text(made.verdict.replies[0].command()), "ACK 5\r\n");
}

#[test]
fn duplicate_delay_hold_close_and_tag_do_as_they_say() {
    let ring = "RNG 1 h:1 CKI 2 a@b A\r\n";
    assert_eq!(server(&load("duplicate.toml"), ring).forward, [ring; 2]);
    let made = server(&load("delay.toml"), "LST bob@example.com Bob 11 0\r\n");
    assert_eq!(made.verdict.delay, Some(Duration::from_millis(250)));
    let rules = load("close.toml");
    assert!(client(&rules, "CHG 8 BSY 0\r\n").verdict.close);
    assert!(!client(&rules, "CHG 8 NLN 0\r\n").verdict.close);
    let held = server(&load("hold.toml"), "NLN IDL bob@example.com Bob 0\r\n").verdict.hold.unwrap();
    assert_eq!((held.timeout, held.answer_challenges), (Duration::from_secs(120), true));
    let rules = load("tag.toml");
    assert_eq!(server(&rules, "911 3\r\n").tags, ["error"]);
    assert!(server(&rules, "QNG 50\r\n").tags.is_empty());
}

#[test]
fn rules_can_hold_for_some_matches_only() {
    let rules = load("sometimes.toml");
    let counts = |bytes: &str| (0..6).map(|_| server(&rules, bytes).forward.len()).collect::<Vec<_>>();
    assert_eq!(counts("ACK 5\r\n"), [0, 1, 1, 1, 1, 1]);
    assert_eq!(counts("MSG b@c B 0\r\n"), [1, 1, 2, 1, 1, 2]);
}

#[test]
fn faults_begin_with_their_commands() {
    let rules = load("faults.toml");
    let kinds = |made: Made| made.verdict.faults.iter().map(|fault| fault.kind).collect::<Vec<_>>();
    let time = Duration::from_millis;
    let late = server(&rules, "NLN NLN bob@example.com Bob 0\r\n");
    assert_eq!(&*late.verdict.faults[0].name, "Presence comes late, nothing else does");
    assert_eq!(kinds(late), [Kind::Latency { latency: time(500), jitter: time(300) }]);
    assert_eq!(kinds(server(&rules, "FLN bob@example.com\r\n")), []);
    let acks: Vec<usize> = (0..6).map(|_| server(&rules, "ACK 5\r\n").forward.len()).collect();
    assert_eq!(acks, [1, 1, 0, 1, 1, 0]);
    assert_eq!(server(&rules, "RNG 1 h:1 CKI 2 a@b A\r\n").forward.len(), 2);
    let long = message("MSG bob@example.com Bob", "text/plain", "hello");
    assert_eq!(kinds(server(&rules, &long)), [Kind::LimitData { bytes: 60 }]);
    let short = "MSG b@c B 28\r\nContent-Type: text/plain\r\n\r\n";
    assert_eq!((kinds(server(&rules, short)), short.len()), (vec![], 42));
    let pieces = Kind::Slicer { average_size: 7, size_variation: 3, delay: time(1) };
    assert_eq!(kinds(server(&rules, "LST bob@example.com Bob 11 0\r\n")), [pieces]);
    let piece_of_a_file = message("MSG 4 D", "application/x-msnmsgrp2p", "");
    assert_eq!(kinds(client(&rules, &piece_of_a_file)), [Kind::Bandwidth { rate: 4 }]);
    assert_eq!(kinds(client(&rules, "CHG 8 IDL 0\r\n")), [Kind::Timeout { timeout: time(30_000) }]);
    assert_eq!(kinds(client(&rules, "CHG 8 NLN 0\r\n")), []);
    assert_eq!(kinds(client(&rules, "OUT\r\n")), [Kind::SlowClose { delay: time(5000) }]);
    let reset = |connection| {
        let bytes = "JOI bob@example.com Bob\r\n";
        kinds(ask_on(connection, &rules, Direction::ServerToClient, bytes, ServerKind::Switchboard))
    };
    let first: Vec<_> = (0..100).map(reset).collect();
    let count = first.iter().filter(|kinds| kinds[..] == [Kind::ResetPeer { timeout: Duration::ZERO }]).count();
    assert!((10..30).contains(&count), "{count} of 100");
    assert_eq!(first, (0..100).map(reset).collect::<Vec<_>>());
}

#[test]
fn the_length_can_be_kept_wrong() {
    assert_eq!(server(&load("length.toml"), "NOT 11\r\nhello world").forward, ["NOT 11\r\nshort"]);
}

#[test]
fn the_demo_rules_say_bonjour_to_bob() {
    let made = server(&load("demo.toml"), &message("MSG a@b A", "text/plain", "Hello Bob!"));
    assert_eq!(made.forward, [message("MSG a@b A", "text/plain", "Bonjour Bob!")]);
}

#[test]
fn a_plain_word_is_replaced_as_a_pattern_would_be() {
    for (pattern, with, text, expected) in [
        ("colour", "color", "one colour.", "one color."),
        ("colour", "color", "colour colours colour", "color colors color"),
        ("aa", "a", "aaaaa", "aaa"),
        ("colour", "$0$0", "colour", "colourcolour"),
        ("colour", "", "colour", ""),
        ("größe", "size", "die größe", "die size"),
        ("colour", "color", "Colour", "Colour"),
    ] {
        for pattern in [pattern.to_owned(), format!("(?:{pattern})")] {
            let rule = format!("[[rule]]\nreplace = {{ in = \"text\", regex = \"{pattern}\", with = \"{with}\" }}\n");
            let rules = Rules::from_text("test", &rule).unwrap();
            let made = client(&rules, &message("MSG 4 A", "text/plain", text));
            assert_eq!(made.forward, [message("MSG 4 A", "text/plain", expected)], "{pattern} in {text}");
            assert_eq!(rules.list()[0].hits(), u64::from(text != expected));
        }
    }
}
