//! Odd streams: whatever a peer sends, the other gets the same bytes, and the transcript and the log tell what it was.

use std::time::Instant;

use crate::support::{Ended, PATIENCE, Peer, Server, Setup, log_in};
use msnp::Direction::{ClientToServer, ServerToClient};
use msnp_transcript::reader::Side::{Received, Sent};

/// A rule that wants every command and changes none that occurs here.
const NOSY: &str = "[[rule]]\nname = 'nosy'\nwhen = 'verb == \"XXX\"'\ndrop = true\n";

/// Sends both streams at once through a proxy, each in a way of its own, and compares what arrives and what is recorded.
fn pass(setup: Setup, server: &Server, c2s: &[u8], s2c: &[u8], send: fn(&mut Peer, &[u8])) -> Ended {
    let proxy = setup.keep_secrets().start();
    let mut client = proxy.client();
    let (mut sender, bytes) = (client.handle(), c2s.to_vec());
    let sending = std::thread::spawn(move || send(&mut sender, &bytes));
    let mut peer = server.accept();
    let (mut sender, bytes) = (peer.handle(), s2c.to_vec());
    let answering = std::thread::spawn(move || send(&mut sender, &bytes));
    peer.sees(c2s);
    client.sees(s2c);
    sending.join().unwrap();
    answering.join().unwrap();
    client.ends();
    peer.sees_end();
    peer.ends();
    client.sees_end();
    let ended = proxy.stop();
    let transcript = ended.transcript();
    for (direction, bytes) in [(ClientToServer, c2s), (ServerToClient, s2c)] {
        for side in [Received(direction), Sent(direction)] {
            let recorded = transcript.stream(1, side);
            assert!(recorded == bytes, "{side:?} is recorded otherwise:\n{}", transcript.outline());
        }
    }
    ended
}

fn at_once(peer: &mut Peer, bytes: &[u8]) {
    peer.sends(bytes);
}

fn byte_by_byte(peer: &mut Peer, bytes: &[u8]) {
    peer.dribbles(bytes);
}

/// What a client and a notification server say, in one piece.
const CLIENT: &[u8] = b"VER 1 MSNP12 CVR0\r\nCVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.5.0324 msmsgs alice@example.com\r\n\
    USR 3 TWN I alice@example.com\r\nPNG\r\nUUX 8 5\r\nA\r\nB\rMSG 9 N 0\r\nCHG 10  NLN 0 \r\nQRY 11 PROD 3\r\nOUTOUT\r\n";
const SERVER: &[u8] =
    b"VER 1 MSNP12 CVR0\r\nCVR 2 1 1 1 http://a http://b\r\nQNG 50\r\nMSG Hotmail Hotmail 7\r\nXFR 1\r\n\
    UBX bob@example.com 0\r\nNOT 4\r\nQNG\xffILN 10 NLN bob@example.com B\xe9b%20 0\r\n911 3\r\n241 7 2\r\n\0\nOUT\r\n";

#[test]
fn all_in_one_segment_and_byte_by_byte_are_the_same_commands() {
    let server = Server::start();
    let mut outlines = Vec::new();
    for send in [at_once, byte_by_byte] {
        for rules in ["", NOSY] {
            let ended = pass(Setup::before(server.address).rules(rules), &server, CLIENT, SERVER, send);
            assert_eq!(ended.warnings(), [""; 0]);
            let outline = ended.transcript().outline();
            let (mut c2s, mut s2c): (Vec<_>, Vec<_>) = outline.lines().partition(|line| line.contains(">>>"));
            c2s.retain(|line| line.starts_with('#'));
            s2c.retain(|line| line.contains("<<<"));
            outlines.push([c2s, s2c].concat().join("\n"));
        }
    }
    assert_eq!(outlines[0].lines().count(), 9 + 10);
    for outline in &outlines {
        assert_eq!(*outline, outlines[0]);
    }
}

#[test]
fn what_is_not_msnp_passes_untouched_and_is_said_once() {
    let server = Server::start();
    let binary: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let requests: [&[u8]; 4] =
        [b"GET / HTTP/1.1\r\nHost: example\r\n\r\n", &binary, b"ver 1 msnp8\r\n", b"\x16\x03\x01"];
    for request in requests {
        for rules in ["", NOSY] {
            let setup = Setup::before(server.address).rules(rules);
            let ended = pass(setup, &server, request, b"HTTP/1.1 400 Bad\r\n\r\n", at_once);
            let warning = |from| {
                format!("WARN not MSNP: relayed untouched and unframed from here on connection=1 from=\"{from}\"")
            };
            let mut warnings = ended.warnings();
            warnings.sort();
            assert_eq!(warnings, [warning("client"), warning("server")]);
        }
    }
}

#[test]
fn garbage_before_and_after_commands_passes_untouched() {
    let server = Server::start();
    let (before, after) = (b"hello\r\nVER 1 MSNP8\r\n", b"VER 1 MSNP8\r\nhello\r\nXFR 2 NS 127.0.0.1:1863\r\n\xff\0");
    for send in [at_once, byte_by_byte] {
        let ended = pass(Setup::before(server.address), &server, before, after, send);
        assert_eq!(ended.warnings().len(), 2, "{:?}", ended.warnings());
        let outline = ended.transcript().outline();
        let commands: Vec<&str> = outline.lines().filter(|line| line.contains("VER") || line.contains("XFR")).collect();
        assert_eq!(commands, ["#1 <<< VER 1 MSNP8"]);
    }
}

#[test]
fn blank_lines_between_commands_do_not_end_the_framing() {
    let server = Server::start();
    let c2s = b"\r\n\nVER 1 MSNP8\r\n\r\nUSR 2 TWN I alice@example.com\r\n\n";
    let ended = pass(Setup::before(server.address), &server, c2s, b"\r\n\r\nVER 1 MSNP8\r\n", at_once);
    assert_eq!(ended.warnings(), [""; 0]);
    let outline = ended.transcript().outline();
    assert!(outline.contains("USR 2 TWN I alice@example.com") && outline.contains("<<< VER 1 MSNP8"), "{outline}");
}

#[test]
fn lines_that_end_in_lf_only_are_commands_and_keep_their_ends() {
    let server = Server::start();
    let c2s = b"VER 1 MSNP8\nUSR 2 TWN I alice@example.com\nMSG 3 N 4\n\r\n\r\nPNG\n";
    let s2c = b"VER 1 MSNP8\nNOT 3\nabcQNG 1\r\nQNG 2\n";
    for send in [at_once, byte_by_byte] {
        let ended = pass(Setup::before(server.address), &server, c2s, s2c, send);
        assert_eq!(ended.warnings(), [""; 0]);
        let outline = ended.transcript().outline();
        for line in ["USR 2 TWN I alice@example.com (LF)", "MSG 3 N 4 (LF) \"\\r\\n\\r\\n\"", "PNG (LF)", "QNG 2 (LF)"]
        {
            assert!(outline.contains(line), "{line:?} is not in\n{outline}");
        }
        assert!(outline.contains("QNG 1\n"));
    }
}

#[test]
fn a_redirect_that_ends_in_lf_only_is_rewritten_and_keeps_its_end() {
    let (server, board) = (Server::start(), Server::start());
    let proxy = Setup::before(server.address).start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    peer.sends(format!("XFR 3 SB {} CKI 1.1\nQNG 1\n", board.address));
    client.sees(format!("XFR 3 SB {} CKI 1.1\nQNG 1\n", proxy.address()));
    proxy.stop();
}

#[test]
fn a_line_of_64_kib_is_a_command_and_a_longer_one_is_not() {
    let server = Server::start();
    for (verb, rules) in [("CHG", ""), ("XFR", ""), ("CHG", NOSY)] {
        for (length, is_command) in [(65536, true), (65537, false)] {
            let line = format!("{verb} 1 {}\r\n", "x".repeat(length - 8));
            let both = [b"VER 1 MSNP8\r\n", line.as_bytes(), b"PNG\r\n"].concat();
            let ended = pass(Setup::before(server.address).rules(rules), &server, &both, &both, at_once);
            let outline = ended.transcript().outline();
            for arrow in [">>>", "<<<"] {
                assert_eq!(outline.contains(&format!("{arrow} {verb}")), is_command, "{verb} {length}");
                assert_eq!(outline.contains(&format!("{arrow} PNG")), is_command, "{verb} {length}");
            }
        }
    }
}

#[test]
fn a_line_without_an_end_does_not_grow_for_ever() {
    let server = Server::start();
    let line = format!("XFR 1 {}", "x".repeat(1 << 20));
    let ended = pass(Setup::before(server.address).rules(NOSY), &server, line.as_bytes(), line.as_bytes(), at_once);
    let warnings = ended.warnings();
    let limit = |line: &String| line.contains("a line is longer than its limit") && line.contains("limits.line=65536");
    assert!(warnings.iter().all(limit) && warnings.len() == 2, "{warnings:?}");
}

#[test]
fn a_payload_length_beyond_the_limit_ends_the_framing_only() {
    let server = Server::start();
    for length in ["1048577", "4294967295", "4294967296", "9999999999", "99999999999999999999"] {
        for rules in ["", NOSY] {
            let c2s = format!("VER 1 MSNP8\r\nMSG 2 N {length}\r\nthe payload\r\nPNG\r\n");
            let s2c = format!("VER 1 MSNP8\r\nNOT {length}\r\nthe payload\r\nQNG 1\r\n");
            let setup = Setup::before(server.address).rules(rules);
            let ended = pass(setup, &server, c2s.as_bytes(), s2c.as_bytes(), at_once);
            let warnings = ended.warnings();
            assert_eq!(warnings.len(), 2, "{warnings:?}");
            let (limit, length) =
                ("a payload is longer than its limit", format!("length={length} limits.payload=1048576"));
            // more digits are no length
            let says = |line: &String| line.contains(limit) && line.contains(&length);
            assert!(length.len() > 40 || warnings.iter().all(says), "{warnings:?}");
            let outline = ended.transcript().outline();
            assert!(!outline.contains("PNG") && !outline.contains("QNG"), "{outline}");
        }
    }
}

#[test]
fn the_largest_payload_is_still_a_command() {
    let server = Server::start();
    let payload: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    for rules in ["", NOSY] {
        let c2s = [b"VER 1 MSNP8\r\nMSG 2 N 1048576\r\n", &payload[..], b"PNG\r\n"].concat();
        let s2c = [b"VER 1 MSNP8\r\nNOT 1048576\r\n", &payload[..], b"QNG 1\r\n"].concat();
        let ended = pass(Setup::before(server.address).rules(rules), &server, &c2s, &s2c, at_once);
        assert_eq!(ended.warnings(), [""; 0]);
        let outline = ended.transcript().outline();
        assert!(outline.contains("PNG") && outline.contains("QNG"));
    }
}

#[test]
fn every_byte_is_recorded_wherever_it_stands() {
    let server = Server::start();
    let line: Vec<u8> = (0..=255).filter(|byte| !b"\n".contains(byte)).collect();
    let payload: Vec<u8> = (0..=255).chain(b"MSG 1 N 5\r\n".iter().copied()).collect();
    let command =
        |verb: &str, payload: &[u8]| [verb.as_bytes(), payload.len().to_string().as_bytes(), b"\r\n", payload].concat();
    let c2s = [b"VER 1 MSNP8\r\nCHG 1 ", &line[..], b"\r\n", &command("MSG 1 N ", &payload), b"CHG 2  \r\r\nPNG\r\n"]
        .concat();
    let s2c =
        [b"VER 1 MSNP8\r\nILN 1 ", &line[..], b"\r\n", &command("NOT ", &payload), b"QNG 1 \r\nQNG  1\r\n"].concat();
    for rules in ["", NOSY] {
        for send in [at_once, byte_by_byte] {
            let ended = pass(Setup::before(server.address).rules(rules), &server, &c2s, &s2c, send);
            assert_eq!(ended.warnings(), [""; 0]);
        }
    }
}

#[test]
fn an_unknown_verb_takes_its_payload_along() {
    let server = Server::start();
    let c2s = b"VER 1 MSNP8\r\nXYZ 1 5\r\nhelloPNG\r\nXYZ 2 5\r\nPNG\r\n";
    let s2c = b"VER 1 MSNP8\r\nXYZ 1 5\r\nhelloQNG 1\r\nXYZ 2 5\r\nQNG 2\r\n";
    for rules in ["", NOSY] {
        for send in [at_once, byte_by_byte] {
            let ended = pass(Setup::before(server.address).rules(rules), &server, c2s, s2c, send);
            assert_eq!(ended.warnings(), [""; 0]);
            let outline = ended.transcript().outline();
            for line in ["#1 >>> XYZ 1 5 \"hello\"", "#1 >>> XYZ 2 5", "#1 <<< XYZ 1 5 \"hello\""] {
                assert!(outline.lines().any(|found| found == line), "{line} is not in\n{outline}");
            }
        }
    }
}

#[test]
fn an_unknown_verb_that_may_have_a_payload_is_let_go_after_a_while() {
    let server = Server::start();
    let setup = Setup::before(server.address).rules(NOSY).set("limits.unfinished_line=100ms");
    let proxy = setup.keep_secrets().start();
    let mut client = proxy.client();
    client.sends("VER 1 MSNP8\r\nABC 2 5\r\n");
    let mut peer = server.accept();
    peer.sees("VER 1 MSNP8\r\nABC 2 5\r\n");
    client.sends("helloPNG\r\n");
    peer.sees("helloPNG\r\n");
    let ended = proxy.stop();
    let expected = [
        "WARN an unknown verb: forwarded as it came, hooks do not see it connection=1 from=\"client\" bytes=9 \
         hint=\"it may or may not have a payload\"",
        "WARN forwarded before it was whole: hooks did not see it connection=1 verb=ABC",
    ];
    assert_eq!(ended.warnings(), expected);
    assert!(ended.transcript().outline().contains("#1 >>> ABC 2 5 \"hello\"\n#1 >>> PNG\n"));
}

#[test]
fn a_version_that_frames_otherwise_passes_unframed() {
    let server = Server::start();
    let proxy = Setup::before(server.address).keep_secrets().start();
    let mut client = proxy.client();
    client.sends("VER 1 MSNP24 CVR0\r\n");
    let mut peer = server.accept();
    peer.sees("VER 1 MSNP24 CVR0\r\n");
    peer.sends("VER 1 MSNP24\r\n");
    client.sees("VER 1 MSNP24\r\n");
    client.sends(b"CNT 2 CON 7\r\nXFR\r\n\xff");
    peer.sees(b"CNT 2 CON 7\r\nXFR\r\n\xff");
    let ended = proxy.stop();
    assert_eq!(ended.warnings(), ["WARN MSNP22 and later frame otherwise: relayed unframed from here on connection=1"]);
}

#[test]
fn a_server_that_closes_within_a_payload_loses_nothing() {
    let server = Server::start();
    for (rules, verb) in [("", "NOT 100"), (NOSY, "NOT 100"), ("", "XFR 2 NS 127.0.0.1:18")] {
        let proxy = Setup::before(server.address).rules(rules).keep_secrets().start();
        let mut client = proxy.client();
        let mut peer = log_in(&mut client, &server, "alice@example.com");
        let part = if verb.starts_with("NOT") { format!("QNG 1\r\n{verb}\r\nthe beginning") } else { verb.to_owned() };
        peer.sends(&part);
        drop(peer);
        client.sees(&part);
        client.sees_end();
        drop(client);
        let ended = proxy.stop();
        let transcript = ended.transcript();
        assert!(transcript.stream(1, Sent(ServerToClient)).ends_with(part.as_bytes()));
        let bytes = part.len() - part.find("NOT").unwrap_or(0);
        let warning = format!(
            "WARN the stream ends within a command: relayed as far as it came connection=1 from=\"server\" bytes={bytes}"
        );
        assert_eq!(ended.warnings(), [warning]);
        let end = format!("#1 <<< {bytes} bytes\n#1 closed by server\nover after 1");
        assert!(transcript.outline().ends_with(&end), "{}", transcript.outline());
    }
}

#[test]
fn one_side_may_end_while_the_other_still_sends() {
    let server = Server::start();
    let proxy = Setup::before(server.address).start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    client.sends("OUT\r\n");
    client.ends();
    peer.sees("OUT\r\n");
    peer.sees_end();
    peer.sends("QNG 1\r\nNOT 3\r\nabc");
    client.sees("QNG 1\r\nNOT 3\r\nabc");
    drop(peer);
    client.sees_end();

    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "bob@example.com");
    peer.sends("OUT OTH\r\n");
    peer.ends();
    client.sees("OUT OTH\r\n");
    client.sees_end();
    client.sends("PNG\r\nMSG 1 N 3\r\nabc");
    peer.sees("PNG\r\nMSG 1 N 3\r\nabc");
    drop(client);
    peer.sees_end();
    let ended = proxy.stop();
    assert!(ended.transcripts[0].outline().ends_with("#1 closed by client\nover after 1"));
    assert!(ended.transcripts[1].outline().ends_with("#2 closed by server\nover after 1"));
}

#[test]
fn a_connection_without_a_byte_is_no_session() {
    let server = Server::start();
    let proxy = Setup::before(server.address).start();
    let mut client = proxy.client();
    client.ends();
    client.sees_end();
    assert!(!server.has_another());
    assert_eq!(proxy.stop().transcripts.len(), 0);
}

#[test]
fn a_client_that_waits_for_the_server_is_led_to_it() {
    let server = Server::start();
    let proxy = Setup::before(server.address).set("limits.opening_timeout=10ms").start();
    let mut client = proxy.client();
    let mut peer = server.accept();
    peer.sends("QNG 1\r\n");
    client.sees("QNG 1\r\n");
    client.sends("VER 1 MSNP8\r\n");
    peer.sees("VER 1 MSNP8\r\n");
    let outline = proxy.stop().transcript().outline();
    let start = format!("session\n#1 to {}\n#1 <<< QNG 1\n#1 >>> VER 1 MSNP8\n", server.address);
    assert!(outline.starts_with(&start), "{outline}");
}

#[test]
fn a_first_line_in_two_parts_still_finds_its_switchboard() {
    let (server, board) = (Server::start(), Server::start());
    let proxy = Setup::before(server.address).set("limits.opening_timeout=1h").start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    peer.sends(format!("XFR 3 SB {} CKI 1.1\r\n", board.address));
    client.sees(format!("XFR 3 SB {} CKI 1.1\r\n", proxy.address()));
    let mut caller = proxy.client();
    caller.dribbles("USR 1 alice@example.com 1.1\r\n");
    board.accept().sees("USR 1 alice@example.com 1.1\r\n");
    proxy.stop();
}

#[test]
fn an_unfinished_line_that_a_rule_wants_is_let_go_after_a_while() {
    let server = Server::start();
    let rules = "[[rule]]\nfrom = 'client'\nverbs = ['USR']\nset.0 = '99'\n";
    let proxy = Setup::before(server.address).rules(rules).set("limits.unfinished_line=100ms").keep_secrets().start();
    let mut client = proxy.client();
    client.sends("VER 1 MSNP8\r\n");
    let mut peer = server.accept();
    peer.sees("VER 1 MSNP8\r\n");
    let part = format!("USR 4 TWN S t={}", "x".repeat(1000));
    client.sends(&part);
    peer.sees(&part);
    // what comes behind it is forwarded at once, and seen by rules again
    client.sends("yz\r\nUSR 5 TWN S t=1\r\n");
    peer.sees("yz\r\nUSR 99 TWN S t=1\r\n");
    let ended = proxy.stop();
    let bytes = part.len();
    let expected = [
        format!(
            "WARN a line without an end: forwarded as it came, hooks do not see it connection=1 from=\"client\" bytes={bytes}"
        ),
        "WARN forwarded before it was whole: hooks did not see it connection=1 verb=USR".to_owned(),
    ];
    assert_eq!(ended.warnings(), expected);
    assert!(ended.transcript().outline().contains(&format!("#1 >>> {part}yz\n")));
}

#[test]
fn a_server_that_refuses_cannot_be_reached_or_has_no_name_ends_the_client() {
    // bound, but nobody listens
    let refusing = tokio::net::TcpSocket::new_v4().unwrap();
    refusing.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let refusing = refusing.local_addr().unwrap();
    let full = crate::support::Full::start();
    let reasons = [
        (refusing.to_string(), "Connection refused (os error 111)".to_owned()),
        (full.address.to_string(), "no answer in time".to_owned()),
    ];
    for (upstream, reason) in reasons {
        let proxy = Setup::before(&upstream).set("limits.connect_timeout=200ms").start();
        let mut client = proxy.client();
        client.sends(b"VER 1 MSNP8\r\nUSR 2 TWN I alice@example.com\r\nUSR 4 TWN S ticket\r\n\xff\xff");
        client.sees_end();
        let ended = proxy.stop();
        let problem = format!("cannot connect to {upstream}: {reason}");
        assert_eq!(ended.warnings().len(), 1);
        assert!(ended.warnings()[0].starts_with(&format!("WARN {problem} connection=1 client=127.0.0.1:")));
        let expected = [
            "session".to_owned(),
            format!("#1 to {upstream}, ns"),
            "#1 >>> VER 1 MSNP8 => []".to_owned(),
            "#1 >>> USR 2 TWN I alice@example.com => []".to_owned(),
            "#1 >>> USR 4 TWN S ****** => []".to_owned(),
            "#1 note: bytes that cannot be framed were not sent".to_owned(),
            format!("#1 closed by proxy: {problem}"),
            "over after 1".to_owned(),
        ];
        assert_eq!(ended.transcript().outline(), expected.join("\n"));
        assert!(ended.transcript().path.to_string_lossy().contains("alice@example.com"));
    }
}

#[test]
fn a_server_without_a_name_ends_the_client() {
    let proxy = Setup::before("no-such-host.invalid").start();
    let mut client = proxy.client();
    client.sends("VER 1 MSNP8\r\n");
    client.sees_end();
    let ended = proxy.stop();
    let outline = ended.transcript().outline();
    let start = "session\n#1 to no-such-host.invalid:1863, ns\n#1 >>> VER 1 MSNP8 => []\n\
                 #1 closed by proxy: cannot connect to no-such-host.invalid:1863: ";
    assert!(outline.starts_with(start), "{outline}");
    assert_eq!(ended.warnings().len(), 1);
}

#[test]
fn a_silent_server_keeps_its_client_until_one_of_them_leaves() {
    let server = Server::start();
    let proxy = Setup::before(server.address).start();
    let mut client = proxy.client();
    client.sends("VER 1 MSNP8\r\n");
    let mut peer = server.accept();
    peer.sees("VER 1 MSNP8\r\n");
    client.sees_nothing_yet();
    drop(client);
    peer.sees_end();
    drop(peer);
    let expected =
        format!("session\n#1 to {}, ns\n#1 >>> VER 1 MSNP8\n#1 closed by client\nover after 1", server.address);
    assert_eq!(proxy.stop().transcript().outline(), expected);
}

#[test]
fn a_peer_that_reads_nothing_holds_up_its_sender_and_nobody_else() {
    let server = Server::start();
    let proxy = Setup::before(server.address).keep_secrets().start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    let message = [b"MSG 1 N 60000\r\n", &[b'm'; 60000][..]].concat();
    let count = 400;
    let (mut sender, sent) = (peer.handle(), message.clone());
    let sending = std::thread::spawn(move || (0..count).for_each(|_| sender.sends(&sent)));
    // the other connection does not wait for it
    let mut other = proxy.client();
    let mut others = log_in(&mut other, &server, "bob@example.com");
    others.sends("QNG 1\r\n");
    other.sees("QNG 1\r\n");
    let start = Instant::now();
    for _ in 0..count {
        client.sees(&message);
        assert!(start.elapsed() < PATIENCE);
    }
    sending.join().unwrap();
    client.sends("PNG\r\n");
    peer.sees("PNG\r\n");
    let ended = proxy.stop();
    assert_eq!(ended.transcripts[0].stream(1, Sent(ServerToClient)).len(), 13 + count * message.len());
}

#[test]
fn a_slow_byte_is_not_held_back() {
    let server = Server::start();
    let proxy = Setup::before(server.address).set("limits.unfinished_line=1h").start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    // no hook wants CHG: what came of it passes at once
    client.sends("CHG 5 N");
    peer.sees("CHG 5 N");
    client.sends("LN 0\r\n");
    peer.sees("LN 0\r\n");
    peer.sends("NOT 50\r\nab");
    client.sees("NOT 50\r\nab");
    drop(client);
    peer.sees_end();
    drop(peer);
    proxy.stop();
}
