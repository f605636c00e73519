//! Faults that begin with a command, seen on the wire. Times are only ever compared from below; what never comes is made to
//! wait for an hour.

use std::time::{Duration, Instant};

use crate::faults::{end, remarks};
use crate::support::{Peer, Proxy, Server, Setup, log_in};
use msnp::Direction::ServerToClient;
use msnp_transcript::reader::Side::Received;

/// A proxy with one rule, and alice logged in.
fn ruled(server: &Server, rule: &str) -> (Proxy, Peer, Peer) {
    let proxy =
        Setup::before(server.address).rules(&format!("[[rule]]\nname = 'it'\n{rule}\n")).keep_secrets().loud().start();
    let mut client = proxy.client();
    let peer = log_in(&mut client, server, "alice@example.com");
    (proxy, client, peer)
}

const RING: &str = "RNG 1 127.0.0.1:1863 CKI 5 bob@example.com Bob\r\n";

#[test]
fn delay_only_nln() {
    let server = Server::start();
    let rule =
        |time: &str| format!("from = 'server'\nverbs = ['NLN']\nfault = {{ type = 'latency', latency = '{time}' }}");
    let (proxy, mut client, mut peer) = ruled(&server, &rule("1h"));
    peer.sends("FLN bob@example.com\r\nNLN NLN bob@example.com Bob 0\r\nQNG 1\r\n");
    client.sees("FLN bob@example.com\r\n");
    client.sends("PNG\r\n");
    peer.sees("PNG\r\n");
    client.sees_nothing_yet();
    drop(proxy);
    let (proxy, mut client, mut peer) = ruled(&server, &rule("200ms"));
    let start = Instant::now();
    peer.sends("FLN bob@example.com\r\nNLN NLN bob@example.com Bob 0\r\nQNG 1\r\n");
    client.sees("FLN bob@example.com\r\nNLN NLN bob@example.com Bob 0\r\nQNG 1\r\n");
    assert!(start.elapsed() >= Duration::from_millis(200));
    let ended = end(proxy, client, peer);
    assert!(ended.transcript().outline().contains("#1 <<< NLN NLN bob@example.com Bob 0 by it"));
    assert!(ended.transcript().text.contains(r#""delay":0.2"#));
}

#[test]
fn lose_every_third_ack() {
    let server = Server::start();
    let (proxy, mut client, mut peer) = ruled(&server, "from = 'server'\nverbs = ['ACK']\nevery = 3\ndrop = true");
    peer.sends((1..=7).map(|id| format!("ACK {id}\r\n")).collect::<String>());
    client.sees("ACK 1\r\nACK 2\r\nACK 4\r\nACK 5\r\nACK 7\r\n");
    end(proxy, client, peer);
}

#[test]
fn duplicate_rng() {
    let server = Server::start();
    let (proxy, mut client, mut peer) = ruled(&server, "from = 'server'\nverbs = ['RNG']\nduplicate = 2");
    peer.sends(RING);
    client.sees(RING.replace("127.0.0.1:1863", &proxy.address().to_string()).repeat(2));
    end(proxy, client, peer);
}

#[test]
fn cut_inside_a_payload() {
    let server = Server::start();
    let rule = "verbs = ['MSG']\nfault = { type = 'limit_data', bytes = 25 }";
    let (proxy, mut client, mut peer) = ruled(&server, rule);
    let long = "MSG Hotmail Hotmail 12\r\nhello, world";
    // what is not longer passes whole
    peer.sends("MSG a@b A 5\r\nhelloQNG 1\r\n");
    client.sees("MSG a@b A 5\r\nhelloQNG 1\r\n");
    peer.sends(format!("QNG 2\r\n{long}QNG 3\r\n"));
    client.sees(format!("QNG 2\r\n{}", &long[..25]));
    client.sees_end();
    peer.sees_end();
    proxy.says("connection closed by a fault connection=1 fault=it kind=\"limit_data\" from=\"server\" lost=18");
    let ended = proxy.stop();
    let expected = [
        "note: fault \"it\": limit_data 25 bytes: connection closed, 18 bytes not sent to the client",
        "closed by proxy: closed by \"it\"",
    ];
    assert_eq!(remarks(&ended), expected);
    let transcript = ended.transcript();
    assert!(transcript.outline().contains("#1 <<< MSG Hotmail Hotmail 12 \"hello, world\" by it\n"));
    let received = format!("VER 1 MSNP8\r\nMSG a@b A 5\r\nhelloQNG 1\r\nQNG 2\r\n{long}QNG 3\r\n");
    assert_eq!(String::from_utf8_lossy(&transcript.stream(1, Received(ServerToClient))), received);
}

#[test]
fn a_held_command_is_cut_when_it_is_let_go() {
    let server = Server::start();
    let rule = "verbs = ['NOT']\nhold = { timeout = '100ms' }\nfault = { type = 'limit_data', bytes = 7 }";
    let (proxy, mut client, mut peer) = ruled(&server, rule);
    let start = Instant::now();
    peer.sends("QNG 1\r\nNOT 5\r\nhelloQNG 2\r\n");
    client.sees("QNG 1\r\nNOT 5\r\n");
    client.sees_end();
    assert!(start.elapsed() >= Duration::from_millis(100));
    drop(peer);
    proxy.stop();
}

#[test]
fn one_command_leaves_in_pieces() {
    let server = Server::start();
    let rule =
        |delay: &str| format!("verbs = ['CHG']\nfault = {{ type = 'slicer', average_size = 1, delay = '{delay}' }}");
    let (proxy, mut client, mut peer) = ruled(&server, &rule("1h"));
    client.sends("PNG\r\nCHG 5 NLN 0\r\nPNG\r\n");
    peer.sees("PNG\r\nC");
    peer.sends("QNG 1\r\n");
    client.sees("QNG 1\r\n");
    peer.sees_nothing_yet();
    drop(proxy);
    let (proxy, mut client, mut peer) = ruled(&server, &rule("20ms"));
    let start = Instant::now();
    client.sends("PNG\r\nCHG 5 NLN 0\r\nPNG\r\n");
    peer.sees("PNG\r\nCHG 5 NLN 0\r\nPNG\r\n");
    assert!(start.elapsed() >= Duration::from_millis(20) * 12);
    let ended = end(proxy, client, peer);
    assert!(ended.transcript().outline().contains("#1 >>> CHG 5 NLN 0 by it\n"));
    assert_eq!(remarks(&ended), ["closed by client"]);
}

#[test]
fn a_narrow_line_begins_with_a_command() {
    let server = Server::start();
    let rule = "verbs = ['CHG']\nfault = { type = 'bandwidth', rate = 1 }";
    let (proxy, mut client, mut peer) = ruled(&server, rule);
    let message = [b"MSG 2 N 300\r\n", &[b'm'; 300][..]].concat();
    let start = Instant::now();
    client.sends([&message[..], b"CHG 5 NLN 0\r\n", &message].concat());
    peer.sees(&message);
    peer.sees([b"CHG 5 NLN 0\r\n", &message[..]].concat());
    assert!(start.elapsed() >= Duration::from_millis(326));
    let ended = end(proxy, client, peer);
    let begins = "note: fault \"it\" begins: bandwidth 1 KB/s, towards the server";
    assert_eq!(remarks(&ended), [begins, "closed by client"]);
}

#[test]
fn silence_begins_with_a_command() {
    let server = Server::start();
    let rule = "verbs = ['CHG']\nfault = { type = 'timeout', timeout = '200ms' }";
    let (proxy, mut client, mut peer) = ruled(&server, rule);
    let start = Instant::now();
    client.sends("PNG\r\nCHG 5 NLN 0\r\nPNG\r\n");
    peer.sees("PNG\r\n");
    peer.sees_end();
    client.sees_end();
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert_eq!(remarks(&proxy.stop()).last().unwrap(), "closed by proxy: closed by \"it\"");
}

#[test]
fn a_command_resets_both_sides() {
    let server = Server::start();
    let (proxy, mut client, mut peer) = ruled(&server, "verbs = ['CHG']\nfault = { type = 'reset_peer' }");
    client.sends("CHG 5 NLN 0\r\n");
    client.sees_reset();
    peer.sees_reset();
    let expected = [
        "note: fault \"it\" begins: reset_peer 0s, towards the server",
        "note: fault \"it\": reset_peer 0s: connection reset, 13 bytes not sent to the server",
        "closed by proxy: reset by \"it\"",
    ];
    assert_eq!(remarks(&proxy.stop()), expected);
}

#[test]
fn a_slow_close_begins_with_a_command() {
    let server = Server::start();
    let rule = "verbs = ['OUT']\nclose = true\nfault = { type = 'slow_close', delay = '300ms' }";
    let (proxy, mut client, mut peer) = ruled(&server, rule);
    let start = Instant::now();
    client.sends("OUT\r\n");
    peer.sees("OUT\r\n");
    // the other direction is closed at once
    client.sees_end();
    peer.sees_end();
    assert!(start.elapsed() >= Duration::from_millis(300));
    proxy.stop();
}

#[test]
fn a_seed_affects_the_same_commands_again() {
    let server = Server::start();
    let run = |rule: &str| {
        let rule = format!("from = 'server'\nverbs = ['QNG']\nseed = 42\n{rule}");
        let (proxy, mut client, mut peer) = ruled(&server, &rule);
        for number in 0..40 {
            peer.sends(format!("QNG {number}\r\n"));
        }
        peer.sends("FLN bob@example.com\r\n");
        client.sees_until("FLN bob@example.com\r\n");
        let ended = end(proxy, client, peer);
        let outline = ended.transcript().outline();
        let affected: Vec<bool> =
            outline.lines().filter(|line| line.contains("QNG")).map(|line| line.ends_with("by it")).collect();
        assert_eq!(affected.len(), 40);
        affected
    };
    for rule in ["fault = { type = 'latency', latency = '1ms', toxicity = 0.5 }", "probability = 0.5\ndrop = true"] {
        let first = run(rule);
        assert!(first.contains(&true) && first.contains(&false), "{first:?}");
        assert_eq!(first, run(rule));
    }
}
