//! Every action of a rule, seen on the wire: the right bytes with the right length, however the command was cut.

use std::time::{Duration, Instant};

use crate::support::{Ended, Peer, Proxy, Server, Setup, log_in};
use msnp::Direction::{ClientToServer, ServerToClient};
use msnp_transcript::reader::Side::{Received, Sent};

/// Who sends what the rules work on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sender {
    Client,
    Server,
}

use Sender::{Client, Server as TheServer};

/// Opens an MSNP12 login of alice's, or her switchboard.
fn opened(proxy: &Proxy, server: &Server, opening: &str) -> (Peer, Peer) {
    let mut client = proxy.client();
    client.sends(opening);
    let mut peer = server.accept();
    peer.sees(opening);
    (client, peer)
}

const LOGIN: &str = "VER 1 MSNP12 CVR0\r\n";
const BOARD: &str = "USR 1 alice@example.com 1.1\r\n";

/// One side sends `sent`: at once, then on another connection byte by byte. The other must see `forwarded`, and the sender
/// `back`, each to the end of its stream, and the transcript must tell the same. Returns what the first proxy left.
fn check(rules: &str, opening: &str, from: Sender, sent: &[u8], forwarded: &[u8], back: &[u8]) -> Ended {
    let mut ended = Vec::new();
    for is_cut in [false, true] {
        let server = Server::start();
        let proxy = Setup::before(server.address).rules(rules).keep_secrets().start();
        let (client, peer) = opened(&proxy, &server, opening);
        let (mut sender, mut receiver) = if from == Client { (client, peer) } else { (peer, client) };
        if is_cut {
            sender.dribbles(sent);
        } else {
            sender.sends(sent);
        }
        receiver.sees(forwarded);
        sender.sees(back);
        sender.ends();
        receiver.sees_end();
        receiver.ends();
        sender.sees_end();
        let left = proxy.stop();
        let (way, other) = match from {
            Client => (ClientToServer, ServerToClient),
            TheServer => (ServerToClient, ClientToServer),
        };
        let before = if from == Client { opening } else { "" };
        let stream = |side| left.transcript().stream(1, side);
        assert_eq!(text(&stream(Received(way))), before.to_owned() + &text(sent));
        assert_eq!(text(&stream(Sent(way))), before.to_owned() + &text(forwarded));
        let before = if from == Client { "" } else { opening };
        assert_eq!(text(&stream(Sent(other))), before.to_owned() + &text(back));
        ended.push(left);
    }
    assert_eq!(complaints(&ended[0]), complaints(&ended[1]));
    ended.swap_remove(0)
}

/// Returns what was warned of, but for the cookie of [`BOARD`], which nobody announced.
fn complaints(ended: &Ended) -> Vec<String> {
    ended.warnings().into_iter().filter(|warning| !warning.contains("unknown cookie")).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// As [`check`], of which only the wire counts, and without a word in the log.
fn rewrites(rule: &str, opening: &str, from: Sender, sent: &str, forwarded: &str, back: &str) {
    let rules = format!("[[rule]]\nname = 'it'\n{rule}\n");
    let ended = check(&rules, opening, from, sent.as_bytes(), forwarded.as_bytes(), back.as_bytes());
    assert_eq!(complaints(&ended), [""; 0]);
}

/// A message with its right length.
fn message(line: &str, payload: &str) -> String {
    format!("{line} {}\r\n{payload}", payload.len())
}

const TEXT: &str = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\nX-MMS-IM-Format: FN=Arial\r\n\r\n";

#[test]
fn an_argument_is_set_by_its_name_and_by_its_index() {
    let cvr = "CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS alice@example.com\r\n";
    let expected = "CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.5.0324 MSMSGS alice@example.com\r\n";
    for key in ["client_version", "6"] {
        let rule = format!("from = 'client'\nverbs = ['CVR']\nset.{key} = '7.5.0324'");
        rewrites(&rule, LOGIN, Client, cvr, expected, "");
    }
    // the argument behind the last is a new one
    let rule = "from = 'client'\nverbs = ['CHG']\nwhen = 'size(args) == 2'\nset.2 = '0'";
    rewrites(rule, LOGIN, Client, "CHG 5 NLN\r\nCHG 6 NLN 1\r\n", "CHG 5 NLN 0\r\nCHG 6 NLN 1\r\n", "");
    // what would break the line is encoded
    let rule = "from = 'server'\nverbs = ['NLN']\nset.friendly_name = 'Bob {1} E'";
    rewrites(rule, LOGIN, TheServer, "NLN AWY bob@b Bob 0\r\n", "NLN AWY bob@b Bob%20bob@b%20E 0\r\n", "");
}

#[test]
fn a_line_that_ends_in_lf_keeps_its_end() {
    let rule = "from = 'client'\nverbs = ['CHG', 'MSG']\nset.1 = 'X'";
    let sent = "CHG 5 NLN 0\nMSG 6 N 5\nhelloCHG 7 NLN 0\r\n";
    rewrites(rule, LOGIN, Client, sent, "CHG 5 X 0\nMSG 6 X 5\nhelloCHG 7 X 0\r\n", "");
}

#[test]
fn a_header_a_text_and_a_payload_are_set_and_the_length_is_right() {
    let sent = message("MSG 3 N", &format!("{TEXT}hello")) + "PNG\r\n";
    let rule = |set: &str| format!("from = 'client'\nverbs = ['MSG']\n{set}");
    let expected = message("MSG 3 N", &format!("{}hello", TEXT.replace("FN=Arial", "FN=Times%20New%20Roman; CO=0")));
    let set = "set.headers.x-mms-im-format = 'FN=Times%20New%20Roman; CO=0'";
    rewrites(&rule(set), BOARD, Client, &sent, &(expected + "PNG\r\n"), "");
    let expected = message("MSG 3 N", &format!("{}hello", TEXT.replace("\r\n\r\n", "\r\nX-New: 1\r\n\r\n")));
    rewrites(&rule("set.headers.X-New = '1'"), BOARD, Client, &sent, &(expected + "PNG\r\n"), "");
    let expected = message("MSG 3 N", &format!("{TEXT}a longer text, and an \u{e9}")) + "PNG\r\n";
    rewrites(&rule("set.text = 'a longer text, and an \u{e9}'"), BOARD, Client, &sent, &expected, "");
    let expected = message("MSG 3 N", "only this") + "PNG\r\n";
    rewrites(&rule("set.payload = 'only this'"), BOARD, Client, &sent, &expected, "");
    rewrites(&rule("set.payload = ''"), BOARD, Client, &sent, "MSG 3 N 0\r\nPNG\r\n", "");
    let both = rule("set.payload = 'hello'\nset.ack_type = 'A'");
    rewrites(&both, BOARD, Client, &sent, "MSG 3 A 5\r\nhelloPNG\r\n", "");
}

#[test]
fn the_length_argument_cannot_be_set_wrong_by_accident() {
    let sent = "MSG 3 N 5\r\nhelloPNG\r\n";
    for set in ["set.length = '99'", "set.2 = '99'", "set.3 = 'x'", "set.2 = 'x'"] {
        let rules = format!("[[rule]]\nname = 'it'\nfrom = 'client'\nverbs = ['MSG']\n{set}\n");
        let ended = check(&rules, BOARD, Client, sent.as_bytes(), sent.as_bytes(), b"");
        let warning = "WARN a rule cannot do what it says rule=it verb=MSG \
                       error=the length on the line would be wrong; `length = \"keep\"` allows that";
        assert_eq!(complaints(&ended), [warning]);
    }
    for key in ["length", "2"] {
        let rule = format!("from = 'client'\nverbs = ['MSG']\nlength = 'keep'\nset.{key} = '99'");
        rewrites(&rule, BOARD, Client, sent, "MSG 3 N 99\r\nhelloPNG\r\n", "");
    }
    // a command that had no payload does not get one either
    let rules = "[[rule]]\nname = 'it'\nverbs = ['ADL']\nfrom = 'server'\nset.1 = '7'\n";
    let ended = check(rules, LOGIN, TheServer, b"ADL 9 OK\r\nQNG 1\r\n", b"ADL 9 OK\r\nQNG 1\r\n", b"");
    assert_eq!(complaints(&ended).len(), 1);
}

#[test]
fn a_kept_length_is_wrong_on_purpose() {
    let rule = "from = 'client'\nverbs = ['MSG']\nlength = 'keep'\nset.payload = 'hello, world'";
    rewrites(rule, BOARD, Client, "MSG 3 N 5\r\nhelloPNG\r\n", "MSG 3 N 5\r\nhello, worldPNG\r\n", "");
    let rule = "from = 'server'\nverbs = ['NOT']\nlength = 'keep'\nset.payload = 'x'";
    rewrites(rule, LOGIN, TheServer, "NOT 5\r\nhelloQNG 1\r\n", "NOT 5\r\nxQNG 1\r\n", "");
}

#[test]
fn a_pattern_is_replaced_in_every_part() {
    let sent = message("MSG bob@b Bob", &format!("{TEXT}my colour, his color")) + "QNG 1\r\n";
    let rule = |part: &str, regex: &str, with: &str| {
        format!("from = 'server'\nverbs = ['MSG']\nreplace = {{ in = '{part}', regex = '{regex}', with = '{with}' }}")
    };
    let expected = message("MSG bob@b Bob", &format!("{TEXT}my [hu]e, his [hu]e")) + "QNG 1\r\n";
    rewrites(&rule("text", "(c)olou?r", "[hu]e"), BOARD, TheServer, &sent, &expected, "");
    let expected = message("MSG bob@b Bob", &format!("{TEXT}my <colour>, his <color>")) + "QNG 1\r\n";
    rewrites(&rule("text", "(colou?r)", "<$1>"), BOARD, TheServer, &sent, &expected, "");
    let expected = sent.replace("MSG bob@b Bob", "MSG bob@b B0b");
    rewrites(&rule("friendly_name", "o", "0"), BOARD, TheServer, &sent, &expected, "");
    rewrites(&rule("1", "o", "0"), BOARD, TheServer, &sent, &expected, "");
    let expected =
        message("MSG bob@b Bob", &format!("{}my colour, his color", TEXT.replace("Arial", "A"))) + "QNG 1\r\n";
    rewrites(&rule("headers.X-MMS-IM-Format", "A.*", "A"), BOARD, TheServer, &sent, &expected, "");
    let expected = message("MSG bob@b Bob", "X") + "QNG 1\r\n";
    rewrites(&rule("payload", "(?s).*", "X"), BOARD, TheServer, &sent, &expected, "");
    // what does not match stays as it is, and nobody is named
    let rules = "[[rule]]\nverbs = ['MSG']\nreplace = { in = 'text', regex = 'absent', with = 'x' }\n";
    let ended = check(rules, BOARD, TheServer, sent.as_bytes(), sent.as_bytes(), b"");
    assert!(!ended.transcript().outline().contains("by rule 1"));
}

#[test]
fn a_dropped_command_is_gone_and_its_payload_with_it() {
    let sent = "PNG\r\nMSG 3 N 5\r\nPNG\r\nUUX 4 4\r\nabc\nPNG\r\n";
    rewrites("verbs = ['MSG']\ndrop = true", BOARD, Client, sent, "PNG\r\nUUX 4 4\r\nabc\nPNG\r\n", "");
    rewrites("verbs = ['MSG', 'UUX']\ndrop = true", BOARD, Client, sent, "PNG\r\nPNG\r\n", "");
    rewrites("from = 'client'\ndrop = true\nwhen = 'verb != \"USR\"'", BOARD, Client, sent, "", "");
}

#[test]
fn a_reply_answers_in_place_of_the_peer_or_besides_it() {
    rewrites(
        "verbs = ['PNG']\nreply = 'QNG 50'",
        LOGIN,
        Client,
        "PNG\r\nCHG 1 NLN 0\r\n",
        "CHG 1 NLN 0\r\n",
        "QNG 50\r\n",
    );
    let rule = "from = 'client'\nverbs = ['CHG']\nreply = ['CHG {trid} {1}', 'ILN {trid} AWY {account}']\ndrop = false";
    rewrites(rule, LOGIN, Client, "CHG 7 NLN\r\n", "CHG 7 NLN\r\n", "CHG 7 NLN\r\nILN 7 AWY \r\n");
    let rule = "verbs = ['PNG']\nreply = { line = 'MSG Hotmail Hotmail', payload = '{verb}!' }";
    rewrites(rule, LOGIN, Client, "PNG\r\n", "", "MSG Hotmail Hotmail 4\r\nPNG!");
    let rule = "from = 'server'\nverbs = ['CHL']\nreply = { line = 'QRY 9 PROD', payload = '{1}' }";
    rewrites(rule, LOGIN, TheServer, "CHL 0 1557\r\nQNG 1\r\n", "QNG 1\r\n", "QRY 9 PROD 4\r\n1557");
}

#[test]
fn commands_are_injected_before_behind_and_the_other_way() {
    let rule = "from = 'client'\nverbs = ['CHG']\ninject.before = ['PNG', 'UUX 9 0']\n\
                inject.after = { line = 'UUX 10', payload = 'ab' }\ninject.other = 'QNG 1'";
    let sent = "CHG 1 NLN 0\r\nPNG\r\nCHG 2 AWY 0\r\n";
    let one = |chg: &str| format!("PNG\r\nUUX 9 0\r\n{chg}\r\nUUX 10 2\r\nab");
    let expected = format!("{}PNG\r\n{}", one("CHG 1 NLN 0"), one("CHG 2 AWY 0"));
    rewrites(rule, LOGIN, Client, sent, &expected, "QNG 1\r\nQNG 1\r\n");
    let rule = "from = 'server'\nverbs = ['NLN']\ninject.after = 'QNG 1'\ndrop = true";
    rewrites(rule, LOGIN, TheServer, "NLN A b c 0\r\nFLN b\r\n", "QNG 1\r\nFLN b\r\n", "");
}

#[test]
fn an_injected_line_that_announces_a_payload_must_bring_it() {
    for action in ["inject.after = 'UUX 9 50'", "inject.other = 'NOT 50'", "reply = 'MSG a b 1'\ndrop = false"] {
        let rules = format!("[[rule]]\nname = 'it'\nfrom = 'client'\nverbs = ['PNG']\n{action}\n");
        let ended = check(&rules, LOGIN, Client, b"PNG\r\nPNG\r\n", b"PNG\r\nPNG\r\n", b"");
        let warning = "WARN a rule cannot do what it says rule=it verb=PNG error=a line announces a payload and has none; \
                       write { line = ..., payload = ... }, or `length = \"keep\"`";
        assert_eq!(complaints(&ended), [warning]);
    }
    let rule = "verbs = ['PNG']\nlength = 'keep'\ninject.after = 'UUX 9 50'";
    let server = Server::start();
    let proxy = Setup::before(server.address).rules(&format!("[[rule]]\n{rule}\n")).start();
    let (mut client, mut peer) = opened(&proxy, &server, LOGIN);
    client.sends("PNG\r\n");
    peer.sees("PNG\r\nUUX 9 50\r\n");
    proxy.stop();
}

#[test]
fn a_reply_comes_between_commands_though_one_is_on_its_way() {
    let server = Server::start();
    let rules = "[[rule]]\nverbs = ['PNG']\nreply = 'QNG 50'\n";
    let proxy = Setup::before(server.address).rules(rules).start();
    let (mut client, mut peer) = opened(&proxy, &server, LOGIN);
    peer.sends("NOT 10\r\nhello");
    client.sees("NOT 10\r\nhello");
    client.sends("PNG\r\nCHG 1 NLN 0\r\n");
    peer.sees("CHG 1 NLN 0\r\n");
    peer.sends("worldFLN b\r\n");
    client.sees("worldQNG 50\r\nFLN b\r\n");
    proxy.stop();
}

#[test]
fn a_duplicated_command_comes_so_many_times() {
    let rule = "verbs = ['MSG']\nduplicate = 3";
    let one = "MSG 3 N 5\r\nhello";
    rewrites(rule, BOARD, Client, &format!("{one}PNG\r\n"), &format!("{one}{one}{one}PNG\r\n"), "");
}

#[test]
fn a_closed_connection_delivers_what_came_before_and_nothing_behind() {
    let server = Server::start();
    let rules = "[[rule]]\nname = 'enough'\nverbs = ['OUT']\nset.0 = 'OTH'\nclose = true\n";
    let proxy = Setup::before(server.address).rules(rules).start();
    let (mut client, mut peer) = opened(&proxy, &server, LOGIN);
    peer.sends("QNG 1\r\nOUT\r\nQNG 2\r\n");
    client.sees("QNG 1\r\nOUT OTH\r\n");
    client.sees_end();
    peer.sees_end();
    let outline = proxy.stop().transcript().outline();
    let end =
        "#1 <<< QNG 1\n#1 <<< OUT => [<<< OUT OTH] by enough\n#1 closed by proxy: closed by \"enough\"\nover after 1";
    assert!(outline.ends_with(end), "{outline}");
}

#[test]
fn a_delay_keeps_the_order_and_holds_up_one_direction_only() {
    let server = Server::start();
    let rules = "[[rule]]\nfrom = 'client'\nverbs = ['CHG']\ndelay = '400ms'\n";
    let proxy = Setup::before(server.address).rules(rules).start();
    let (mut client, mut peer) = opened(&proxy, &server, LOGIN);
    let start = Instant::now();
    client.sends("UUX 1 0\r\nCHG 2 NLN 0\r\nPNG\r\nMSG 3 N 5\r\nhel");
    peer.sees("UUX 1 0\r\n");
    peer.sends("QNG 1\r\n");
    client.sees("QNG 1\r\n");
    assert!(start.elapsed() < Duration::from_millis(400), "the other direction waits too, or this machine is too slow");
    client.sends("loOUT\r\n");
    client.ends();
    peer.sees("CHG 2 NLN 0\r\nPNG\r\nMSG 3 N 5\r\nhelloOUT\r\n");
    assert!(start.elapsed() >= Duration::from_millis(400));
    peer.sees_end();
    let ended = proxy.stop();
    assert!(ended.transcript().text.contains("\"delay\":0.4"));
}

#[test]
fn the_first_ones_every_third_one_and_none_by_chance() {
    let sent: String = (1..=7).map(|id| format!("CHG {id} NLN 0\r\n")).collect();
    let without = |gone: &[u32]| -> String {
        (1..=7).filter(|id| !gone.contains(id)).map(|id| format!("CHG {id} NLN 0\r\n")).collect()
    };
    let rule = |turn: &str| format!("verbs = ['CHG']\n{turn}\ndrop = true");
    rewrites(&rule("first = 2"), LOGIN, Client, &sent, &without(&[1, 2]), "");
    rewrites(&rule("every = 3"), LOGIN, Client, &sent, &without(&[3, 6]), "");
    rewrites(&rule("first = 5\nevery = 2"), LOGIN, Client, &sent, &without(&[2, 4]), "");
    rewrites(&rule("probability = 0.0"), LOGIN, Client, &sent, &sent, "");
    rewrites(&rule("probability = 1"), LOGIN, Client, &sent, "", "");
    rewrites(&rule("enabled = false"), LOGIN, Client, &sent, &sent, "");
}

#[test]
fn a_chance_is_neither_always_nor_never() {
    let server = Server::start();
    let rules = "[[rule]]\nverbs = ['CHG']\nprobability = 0.5\ndrop = true\n";
    let proxy = Setup::before(server.address).rules(rules).start();
    let (mut client, mut peer) = opened(&proxy, &server, LOGIN);
    let count = 1000;
    client.sends((0..count).map(|id| format!("CHG {id} NLN 0\r\n")).collect::<String>());
    client.ends();
    let arrived = text(&peer.reads_to_end()).lines().count();
    // 10 standard deviations
    assert!((340..660).contains(&arrived), "{arrived} of {count}");
    proxy.stop();
}

#[test]
fn rules_are_asked_in_their_order_and_each_sees_what_the_one_before_left() {
    let rules = "[[rule]]\nname = 'a'\nfrom = 'client'\nverbs = ['CHG']\nset.1 = 'AWY'\n\
                 [[rule]]\nname = 'b'\nfrom = 'client'\nverbs = ['CHG']\nwhen = 'args[1] == \"AWY\"'\nset.1 = 'BRB'\n\
                 [[rule]]\nname = 'c'\nfrom = 'client'\nverbs = ['CHG']\nwhen = 'args[1] == \"NLN\"'\ndrop = true\n";
    let ended = check(rules, LOGIN, Client, b"CHG 1 NLN 0\r\n", b"CHG 1 BRB 0\r\n", b"");
    assert!(ended.transcript().outline().contains("#1 >>> CHG 1 NLN 0 => [>>> CHG 1 BRB 0] by a, b\n"));
}

#[test]
fn rules_choose_by_direction_server_and_expression() {
    let rules = "[[rule]]\nname = 'sb'\nserver = 'sb'\nverbs = ['PNG']\nset.0 = 'sb'\n\
                 [[rule]]\nname = 'ns'\nserver = ['ns', 'ds']\nverbs = ['PNG']\nset.0 = 'ns'\n\
                 [[rule]]\nname = 'version'\nverbs = ['PNG']\nwhen = 'version == 12 && from == \"client\"'\nset.1 = '12'\n";
    check(rules, LOGIN, Client, b"PNG\r\n", b"PNG ns 12\r\n", b"");
    check(rules, BOARD, Client, b"PNG\r\n", b"PNG sb\r\n", b"");
    check(rules, LOGIN, TheServer, b"PNG\r\n", b"PNG ns\r\n", b"");
}

#[test]
fn a_rule_that_cannot_do_what_it_says_says_so_once_and_lets_the_command_pass() {
    let rules = "[[rule]]\nname = 'too far'\nverbs = ['PNG']\nset.7 = 'x'\n";
    let ended = check(rules, LOGIN, Client, b"PNG\r\nPNG\r\n", b"PNG\r\nPNG\r\n", b"");
    let warning = "WARN a rule cannot do what it says rule=too far verb=PNG error=no argument 7; the command has 0";
    assert_eq!(ended.warnings(), [warning]);
    assert!(!ended.transcript().outline().contains("by too far"));
}

#[test]
fn an_edited_redirect_leads_where_the_rule_says() {
    let (server, board) = (Server::start(), Server::start());
    let rules = format!("[[rule]]\nname = 'mine'\nverbs = ['XFR']\nfrom = 'server'\nset.2 = '{}'\n", board.address);
    let proxy = Setup::before(server.address).rules(&rules).start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    peer.sends("XFR 3 SB 192.0.2.1:1863 CKI 1.1\r\n");
    client.sees(format!("XFR 3 SB {} CKI 1.1\r\n", proxy.address()));
    let mut caller = proxy.client();
    caller.sends("USR 1 alice@example.com 1.1\r\n");
    board.accept().sees("USR 1 alice@example.com 1.1\r\n");
    let outline = proxy.stop().transcript().outline();
    assert!(outline.contains("] by mine, redirect\n"), "{outline}");
}

/// Says that it is there until it arrives as `expected`.
fn until_arrives(client: &mut Peer, peer: &mut Peer, expected: &str) {
    let deadline = Instant::now() + crate::support::PATIENCE;
    loop {
        client.sends("PNG\r\n");
        let line = peer.sees_line();
        if line == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{line:?} is not {expected:?}");
    }
}

#[test]
fn a_rule_file_is_reloaded_when_it_changes() {
    let server = Server::start();
    let rule = |value: &str| format!("[[rule]]\nname = 'it'\nverbs = ['PNG']\nset.0 = '{value}'\n");
    let proxy = Setup::before(server.address).rules(&rule("old")).loud().start();
    let (mut client, mut peer) = opened(&proxy, &server, LOGIN);
    until_arrives(&mut client, &mut peer, "PNG old\r\n");
    proxy.write_rules(&rule("new"));
    until_arrives(&mut client, &mut peer, "PNG new\r\n");
    proxy.says("rules reloaded rules=1");
    // written in place
    std::fs::write(proxy.folder().join("rules.toml"), "").unwrap();
    until_arrives(&mut client, &mut peer, "PNG\r\n");
    // verbs that no rule wanted before
    proxy.write_rules(
        "[[rule]]\nfrom = 'server'\nverbs = ['QNG']\nset.0 = '7'\n[[rule]]\nverbs = ['PNG']\nset.0 = 'x'\n",
    );
    until_arrives(&mut client, &mut peer, "PNG x\r\n");
    peer.sends("QNG 1\r\n");
    client.sees("QNG 7\r\n");
    proxy.stop();
}

#[test]
fn a_broken_rule_file_keeps_the_old_rules_and_says_where_it_is_broken() {
    let server = Server::start();
    let proxy = Setup::before(server.address).rules("[[rule]]\nverbs = ['PNG']\nset.0 = 'old'\n").start();
    let (mut client, mut peer) = opened(&proxy, &server, LOGIN);
    proxy.write_rules("[[rule]]\nverbs = ['PNG']\nset.0 = 'new'\ndelya = '1s'\n");
    proxy.says("the rules stay as they were");
    proxy.says("did you mean `delay`?");
    client.sends("PNG\r\n");
    peer.sees("PNG old\r\n");
    let file = proxy.folder().join("rules.toml");
    proxy.write_rules("[[rule]]\nverbs = ['PNG']\nset.0 = 'newer'\n");
    until_arrives(&mut client, &mut peer, "PNG newer\r\n");
    let log = proxy.stop().log;
    let picture = format!(
        "error: unknown key `delya` in a rule\n --> {}:4:1\n  |\n4 | delya = '1s'\n  | ^^^^^\n  |\n",
        file.display()
    );
    assert!(log.contains(&picture), "{log}");
}

#[test]
fn a_signal_reloads_too() {
    let server = Server::start();
    let proxy = Setup::before(server.address).rules("").loud().start();
    proxy.signal("HUP");
    proxy.says("rules reloaded rules=0");
    proxy.stop();
}

#[test]
fn a_rule_file_that_is_broken_from_the_start_is_a_failure() {
    let rules = "[[rule]]\nverbs = ['PNG']\nset.0 = 'a\n\n[[rule]]\n";
    let setup = Setup::before("127.0.0.1:9").rules(rules);
    let file = setup.folder().join("rules.toml");
    let (code, log) = setup.fails();
    assert_eq!(code, Some(1));
    assert!(log.contains(&format!("{}:3:", file.display())) && log.contains('^'), "{log}");
}

#[test]
fn hits_are_told_at_the_end() {
    let server = Server::start();
    let rules =
        "[[rule]]\nname = 'it'\nverbs = ['PNG']\nset.0 = '1'\n[[rule]]\nname = 'never'\nverbs = ['OUT']\ndrop = true\n";
    let proxy = Setup::before(server.address).rules(rules).loud().start();
    let (mut client, mut peer) = opened(&proxy, &server, LOGIN);
    client.sends("PNG\r\nPNG\r\n");
    peer.sees("PNG 1\r\nPNG 1\r\n");
    // a rule that is taken out is told of all the same, and counts on when it is back
    let other = "[[rule]]\nname = 'other'\nverbs = ['PNG']\nset.0 = '2'\n";
    proxy.write_rules(other);
    until_arrives(&mut client, &mut peer, "PNG 2\r\n");
    proxy.write_rules(rules);
    until_arrives(&mut client, &mut peer, "PNG 1\r\n");
    let log = proxy.stop().log;
    let hits = |rule: &str| -> u64 {
        let line = log.split_once(&format!("{rule} hits=")).unwrap_or_else(|| panic!("{rule}: {log}")).1;
        line.split('\n').next().unwrap().parse().unwrap()
    };
    assert!(hits("INFO rule rule=\"it\"") >= 3 && hits("INFO rule rule=\"never\"") == 0, "{log}");
    assert!(hits("INFO rule, removed since rule=\"other\"") >= 1, "{log}");
}
