use crate::dialogue::{Dialogue, Line};
use crate::options::Challenges;

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";

/// Returns word `index` of the first line that starts with `verb`.
fn word<'a>(text: &'a str, verb: &str, index: usize) -> &'a str {
    let line = text.lines().find(|line| line.starts_with(verb)).unwrap_or_else(|| panic!("no {verb} in {text:?}"));
    line.split(' ').nth(index).unwrap()
}

/// Has the notification server send somebody to a switchboard, and returns their connection to it.
fn open(dialogue: &mut Dialogue, notification: &mut Line, email: &str) -> Line {
    let answer = dialogue.say(notification, "XFR 20 SB\r\n");
    let cookie = word(&answer, "XFR", 5);
    let mut line = dialogue.connect_to_switchboard();
    let answer = dialogue.say(&mut line, &format!("USR 1 {email} {cookie}\r\n"));
    assert!(answer.starts_with(&format!("USR 1 OK {email} ")), "{answer}");
    line
}

fn message(content_type: &str) -> String {
    let payload = format!("MIME-Version: 1.0\r\nContent-Type: {content_type}\r\n\r\nHello");
    format!("{}\r\n{payload}", payload.len())
}

#[test]
fn a_conversation_goes_as_documented() {
    let mut dialogue = Dialogue::new(Challenges::Never);
    let mut alice = dialogue.go_online(ALICE, 9);
    let mut bob = dialogue.go_online(BOB, 15);
    let mut hers = open(&mut dialogue, &mut alice, ALICE);

    let answer = dialogue.say(&mut hers, "CAL 2 bob@example.com\r\n");
    let session = word(&answer, "CAL", 3).to_owned();
    assert_eq!(answer, format!("CAL 2 RINGING {session}\r\n"));
    let ring = bob.told();
    let cookie = word(&ring, "RNG", 4);
    let line = format!("RNG {session} 192.0.2.20:1863 CKI {cookie} alice@example.com Alice U messenger.msn.com 1\r\n");
    assert!(ring.ends_with(&line), "{ring}");

    let mut his = dialogue.connect_to_switchboard();
    let answer = dialogue.say(&mut his, &format!("ANS 1 bob@example.com {cookie} {session}\r\n"));
    assert_eq!(answer, "IRO 1 1 1 alice@example.com Alice 0\r\nANS 1 OK\r\n");
    assert_eq!(hers.told(), "JOI bob@example.com Bob\r\n");
    assert_eq!(dialogue.say(&mut hers, "CAL 3 bob@example.com\r\n"), "215 3\r\n");

    let text = message("text/plain");
    for (kind, answer) in [("A", "ACK 4\r\n"), ("N", ""), ("U", "")] {
        assert_eq!(dialogue.say(&mut hers, &format!("MSG 4 {kind} {text}")), answer);
        assert_eq!(his.told(), format!("MSG alice@example.com Alice {text}"));
    }
    assert_eq!(dialogue.say(&mut hers, &format!("MSG 5 D {text}")), "282 5\r\n");
    let p2p = message("application/x-msnmsgrp2p");
    assert_eq!(dialogue.say(&mut hers, &format!("MSG 6 D {p2p}")), "ACK 6\r\n");
    assert_eq!(his.told(), format!("MSG alice@example.com Alice {p2p}"));

    dialogue.say(&mut his, "OUT\r\n");
    assert!(his.is_closed());
    dialogue.hang_up(his);
    assert_eq!(hers.told(), "BYE bob@example.com\r\n");
    for (kind, answer) in [("A", "NAK 7\r\n"), ("N", "NAK 7\r\n"), ("U", "")] {
        assert_eq!(dialogue.say(&mut hers, &format!("MSG 7 {kind} {text}")), answer);
    }
}

#[test]
fn only_who_can_be_reached_is_rung() {
    let mut dialogue = Dialogue::new(Challenges::Never);
    let mut alice = dialogue.go_online(ALICE, 8);
    let mut hers = open(&mut dialogue, &mut alice, ALICE);
    assert_eq!(dialogue.say(&mut hers, "CAL 2 bob@example.com\r\n"), "217 2\r\n");
    assert_eq!(dialogue.say(&mut hers, "CAL 3 ghost@example.com\r\n"), "208 3\r\n");
    assert_eq!(dialogue.say(&mut hers, "CAL 4 alice@example.com\r\n"), "215 4\r\n");
    let mut bob = dialogue.go_online(BOB, 12);
    dialogue.say(&mut bob, "CHG 5 HDN 0\r\n");
    assert_eq!(dialogue.say(&mut hers, "CAL 5 bob@example.com\r\n"), "217 5\r\n");
    assert_eq!(dialogue.say(&mut bob, "XFR 6 SB\r\n"), "913 6\r\n");
    dialogue.say(&mut bob, "CHG 7 NLN 0\r\n");
    dialogue.say(&mut bob, "ADC 8 BL N=alice@example.com\r\n");
    assert_eq!(dialogue.say(&mut hers, "CAL 9 bob@example.com\r\n"), "216 9\r\n");
}

#[test]
fn a_cookie_opens_one_door_once_for_one_person() {
    let mut dialogue = Dialogue::new(Challenges::Never);
    let mut alice = dialogue.go_online(ALICE, 12);
    let mut bob = dialogue.go_online(BOB, 12);
    let mut hers = open(&mut dialogue, &mut alice, ALICE);
    let answer = dialogue.say(&mut hers, "CAL 2 bob@example.com\r\n");
    let session = word(&answer, "CAL", 3);
    let ring = bob.told();
    let invitation = word(&ring, "RNG", 4);
    let answer = dialogue.say(&mut alice, "XFR 21 SB\r\n");
    let own = word(&answer, "XFR", 5);
    assert_ne!(invitation, own);
    for (command, id) in [
        (format!("USR 1 alice@example.com {own}x\r\n"), 1),
        (format!("USR 2 bob@example.com {own}\r\n"), 2),
        (format!("USR 3 alice@example.com {own}\r\n"), 3),
        (format!("ANS 4 bob@example.com {invitation} {session}0\r\n"), 4),
        (format!("ANS 5 bob@example.com {invitation} {session}\r\n"), 5),
        ("ANS 6\r\n".into(), 6),
    ] {
        let mut line = dialogue.connect_to_switchboard();
        assert_eq!(dialogue.say(&mut line, &command), format!("911 {id}\r\n"), "{command}");
        assert!(line.is_closed());
    }
}

#[test]
fn an_invitation_dies_with_its_conversation() {
    let mut dialogue = Dialogue::new(Challenges::Never);
    let mut alice = dialogue.go_online(ALICE, 12);
    let mut bob = dialogue.go_online(BOB, 12);
    let mut hers = open(&mut dialogue, &mut alice, ALICE);
    let answer = dialogue.say(&mut hers, "CAL 2 bob@example.com\r\n");
    let ring = bob.told();
    dialogue.hang_up(hers);
    let mut his = dialogue.connect_to_switchboard();
    let command = format!("ANS 1 bob@example.com {} {}\r\n", word(&ring, "RNG", 4), word(&answer, "CAL", 3));
    assert_eq!(dialogue.say(&mut his, &command), "911 1\r\n");
}

#[test]
fn strangers_and_what_is_unknown_are_refused() {
    let mut dialogue = Dialogue::new(Challenges::Never);
    let mut line = dialogue.connect_to_switchboard();
    assert_eq!(dialogue.say(&mut line, "CAL 1 bob@example.com\r\n"), "302 1\r\n");
    assert_eq!(dialogue.say(&mut line, &format!("MSG 2 U {}", message("text/plain"))), "302 2\r\n");
    assert_eq!(dialogue.say(&mut line, "XYZ 3\r\n"), "200 3\r\n");
    assert_eq!(line.wait().as_deref(), Some(""));
    assert!(line.is_closed());

    let mut alice = dialogue.go_online(ALICE, 12);
    let mut hers = open(&mut dialogue, &mut alice, ALICE);
    assert_eq!(dialogue.say(&mut hers, "USR 4 alice@example.com 1.2.3\r\n"), "207 4\r\n");
    assert_eq!(dialogue.say(&mut hers, &format!("MSG 5 X {}", message("text/plain"))), "201 5\r\n");
    assert_eq!(dialogue.say(&mut hers, "PNG\r\n"), "200 0\r\n");
    assert!(!hers.is_closed());
}

#[test]
fn a_message_that_is_too_long_ends_the_connection() {
    let mut dialogue = Dialogue::new(Challenges::Never);
    let mut alice = dialogue.go_online(ALICE, 12);
    let mut hers = open(&mut dialogue, &mut alice, ALICE);
    assert_eq!(dialogue.say(&mut hers, &format!("MSG 4 A 1664\r\n{}", "x".repeat(1664))), "NAK 4\r\n");
    assert_eq!(dialogue.say(&mut hers, &format!("MSG 5 A 1665\r\n{}", "x".repeat(1665))), "");
    assert!(hers.is_closed());
}
