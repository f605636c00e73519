//! Every fault of whole connections, seen on the wire. Times are only ever compared from
//! below; what never comes is made to wait for an hour.

use std::time::{Duration, Instant};

use crate::support::{Ended, Peer, Proxy, Server, Setup};
use msnp::Direction::ServerToClient;
use msnp_transcript::reader::Side::{Received, Sent};

/// A proxy with faults of the configuration.
fn faulty(server: &Server, faults: &[&str]) -> Setup {
    let faults: String = faults.iter().map(|fault| format!("[[fault]]\n{fault}\n")).collect();
    Setup::before(server.address).config(&faults).keep_secrets()
}

/// Ends both sides, and then the proxy.
pub(crate) fn end(proxy: Proxy, mut client: Peer, mut peer: Peer) -> Ended {
    client.ends();
    peer.sees_end();
    peer.ends();
    client.sees_end();
    proxy.stop()
}

/// Returns the remarks of the only transcript, and why its connection was closed.
pub(crate) fn remarks(ended: &Ended) -> Vec<String> {
    let outline = ended.transcript().outline();
    let lines = outline.lines().filter(|line| line.contains("note: ") || line.contains("closed by"));
    lines.map(|line| line.trim_start_matches("#1 ").to_owned()).collect()
}

/// Opens a connection whose first command reaches the server.
fn opened(proxy: &Proxy, server: &Server) -> (Peer, Peer) {
    let mut client = proxy.client();
    client.sends("VER 1 MSNP8 CVR0\r\n");
    let mut peer = server.accept();
    peer.sees("VER 1 MSNP8 CVR0\r\n");
    (client, peer)
}

#[test]
fn latency_delays_one_direction_and_keeps_its_order() {
    let server = Server::start();
    let proxy = faulty(&server, &["type = 'latency'\nlatency = '200ms'\njitter = '50ms'\nseed = 1"]).start();
    let (mut client, mut peer) = opened(&proxy, &server);
    let start = Instant::now();
    for number in 0..10 {
        peer.sends(format!("QNG {number}\r\n"));
    }
    client.sees((0..10).map(|number| format!("QNG {number}\r\n")).collect::<String>());
    assert!(start.elapsed() >= Duration::from_millis(150));
    let ended = end(proxy, client, peer);
    let begins = "note: fault \"latency_downstream\" begins: latency 200ms, jitter 50ms, towards the client";
    assert_eq!(remarks(&ended), [begins, "closed by client"]);
}

#[test]
fn what_is_late_arrives_when_the_proxy_ends() {
    let server = Server::start();
    let slow = ["type = 'latency'\nlatency = '1h'", "type = 'bandwidth'\nrate = 1"];
    let proxy = faulty(&server, &slow).start();
    let (mut client, mut peer) = opened(&proxy, &server);
    peer.sends("QNG 1\r\n");
    // the other direction is not concerned
    client.sends("PNG\r\n");
    peer.sees("PNG\r\n");
    client.sees_nothing_yet();
    proxy.signal("TERM");
    client.sees("QNG 1\r\n");
    client.sees_end();
    assert_eq!(proxy.wait().status.code(), Some(143));
}

#[test]
fn latency_holds_no_more_than_has_room() {
    let server = Server::start();
    let proxy = faulty(&server, &["type = 'latency'\nlatency = '1h'"]).record_nothing().start();
    let (_client, mut peer) = opened(&proxy, &server);
    let command = [b"NOT 10000\r\n", &[b'n'; 10_000][..]].concat();
    let taken = peer.fills_up(&command);
    // 4 MiB in the lane; the rest is in the buffers of the sockets
    assert!(taken < 32 << 20, "{taken} bytes were taken");
}

#[test]
fn bandwidth_lets_so_many_bytes_pass_in_a_second() {
    let server = Server::start();
    let proxy = faulty(&server, &["type = 'bandwidth'\nrate = 2\nstream = 'upstream'"]).start();
    let (mut client, mut peer) = opened(&proxy, &server);
    let message = [b"MSG 2 N 800\r\n", &[b'm'; 800][..]].concat();
    let start = Instant::now();
    client.sends(&message);
    peer.sees(&message[..500]);
    assert!(start.elapsed() >= Duration::from_millis(250));
    peer.sees(&message[500..]);
    assert!(start.elapsed() >= Duration::from_millis(406));
    let ended = end(proxy, client, peer);
    let begins = "note: fault \"bandwidth_upstream\" begins: bandwidth 2 KB/s, towards the server";
    assert_eq!(remarks(&ended), [begins, "closed by client"]);
}

#[test]
fn the_slicer_sends_one_piece_at_a_time() {
    let server = Server::start();
    let slicer = "type = 'slicer'\naverage_size = 4";
    let proxy = faulty(&server, &[&format!("{slicer}\ndelay = '1h'")]).start();
    let (mut client, mut peer) = opened(&proxy, &server);
    peer.sends("QNG 50\r\n");
    client.sees("QNG ");
    client.sends("PNG\r\n");
    peer.sees("PNG\r\n");
    client.sees_nothing_yet();
    drop(proxy);
    let proxy = faulty(&server, &[&format!("{slicer}\nsize_variation = 3\ndelay = '10ms'\nseed = 42")]).start();
    let (mut client, mut peer) = opened(&proxy, &server);
    let message = [b"NOT 300\r\n", &[b'n'; 300][..]].concat();
    let start = Instant::now();
    peer.sends(&message);
    client.sees(&message);
    // no piece is longer than 7 bytes
    assert!(start.elapsed() >= Duration::from_millis(10) * (309 / 7));
    end(proxy, client, peer);
}

#[test]
fn limit_data_closes_behind_exactly_so_many_bytes() {
    let server = Server::start();
    let proxy = faulty(&server, &["name = 'scissors'\ntype = 'limit_data'\nbytes = 20"]).loud().start();
    let (mut client, mut peer) = opened(&proxy, &server);
    peer.sends("VER 1 MSNP8\r\n");
    client.sees("VER 1 MSNP8\r\n");
    peer.sends("QNG 50\r\nQNG 51\r\n");
    client.sees("QNG 50\r");
    client.sees_end();
    peer.sees_end();
    proxy.says("connection closed by a fault connection=1 fault=scissors kind=\"limit_data\" from=\"server\" lost=9");
    let ended = proxy.stop();
    let expected = [
        "note: fault \"scissors\" begins: limit_data 20 bytes, towards the client",
        "note: fault \"scissors\": limit_data 20 bytes: connection closed, 9 bytes not sent to the client",
        "closed by proxy: closed by \"scissors\"",
    ];
    assert_eq!(remarks(&ended), expected);
    assert_eq!(ended.transcript().stream(1, Received(ServerToClient)), b"VER 1 MSNP8\r\nQNG 50\r\nQNG 51\r\n");
}

#[test]
fn a_timeout_lets_nothing_pass_and_closes() {
    let server = Server::start();
    let proxy = faulty(&server, &["type = 'timeout'\ntimeout = '1s'"]).start();
    let start = Instant::now();
    let (mut client, mut peer) = opened(&proxy, &server);
    peer.sends("VER 1 MSNP8\r\n");
    client.sees_end();
    assert!(start.elapsed() >= Duration::from_secs(1));
    peer.sees_end();
    let expected = [
        "note: fault \"timeout_downstream\" begins: timeout 1s, towards the client",
        "note: fault \"timeout_downstream\": timeout 1s: connection closed, 13 bytes not sent to the client",
        "closed by proxy: closed by \"timeout_downstream\"",
    ];
    assert_eq!(remarks(&proxy.stop()), expected);
}

#[test]
fn a_timeout_of_nothing_lasts_until_the_sender_leaves() {
    let server = Server::start();
    let proxy = faulty(&server, &["type = 'timeout'"]).start();
    let (mut client, mut peer) = opened(&proxy, &server);
    peer.sends("VER 1 MSNP8\r\n");
    client.sends("PNG\r\n");
    peer.sees("PNG\r\n");
    client.sees_nothing_yet();
    peer.ends();
    client.sees_end();
    // the other direction goes on
    client.sends("PNG\r\n");
    peer.sees("PNG\r\n");
    client.ends();
    peer.sees_end();
    let expected = [
        "note: fault \"timeout_downstream\" begins: timeout 0s, towards the client",
        "note: fault \"timeout_downstream\": timeout 0s: stream cut off, 13 bytes not sent to the client",
        "closed by server",
    ];
    assert_eq!(remarks(&proxy.stop()), expected);
}

#[test]
fn reset_peer_resets_both_sides() {
    let server = Server::start();
    for timeout in [0, 200] {
        let proxy = faulty(&server, &[&format!("type = 'reset_peer'\ntimeout = '{timeout}ms'")]).loud().start();
        let (mut client, mut peer) = opened(&proxy, &server);
        let start = Instant::now();
        peer.sends("VER 1 MSNP8\r\n");
        client.sees_reset();
        peer.sees_reset();
        assert!(start.elapsed() >= Duration::from_millis(timeout));
        proxy.says("connection reset by a fault connection=1 fault=reset_peer_downstream");
        let ended = proxy.stop();
        assert_eq!(remarks(&ended).last().unwrap(), "closed by proxy: reset by \"reset_peer_downstream\"");
    }
}

#[test]
fn slow_close_passes_data_at_once_and_the_end_later() {
    let server = Server::start();
    let proxy = faulty(&server, &["type = 'slow_close'\ndelay = '300ms'"]).start();
    let (mut client, mut peer) = opened(&proxy, &server);
    let start = Instant::now();
    peer.sends("OUT\r\n");
    peer.ends();
    client.sees("OUT\r\n");
    client.sees_end();
    assert!(start.elapsed() >= Duration::from_millis(300));
    client.ends();
    peer.sees_end();
    proxy.stop();
    let proxy = faulty(&server, &["type = 'slow_close'\ndelay = '1h'\nstream = 'upstream'"]).start();
    let (mut client, mut peer) = opened(&proxy, &server);
    client.sends("OUT\r\n");
    client.ends();
    peer.sees("OUT\r\n");
    peer.sends("OUT\r\n");
    client.sees("OUT\r\n");
    peer.sees_nothing_yet();
}

#[test]
fn faults_are_passed_in_their_order() {
    let server = Server::start();
    let proxy = faulty(&server, &["type = 'limit_data'\nbytes = 10", "type = 'slow_close'\ndelay = '300ms'"]).start();
    let (mut client, mut peer) = opened(&proxy, &server);
    let start = Instant::now();
    peer.sends("VER 1 MSNP8\r\n");
    client.sees("VER 1 MSNP");
    client.sees_end();
    assert!(start.elapsed() >= Duration::from_millis(300));
    proxy.stop();
}

#[test]
fn a_fault_may_be_of_one_listener() {
    let server = Server::start();
    let fault = "type = 'limit_data'\nbytes = 0\nlisten = '127.0.0.2:0'";
    let proxy = faulty(&server, &[fault]).listen("127.0.0.1:0").listen("127.0.0.2:0").start();
    for (address, is_affected) in proxy.addresses.clone().into_iter().zip([false, true]) {
        let mut client = Peer::to(address);
        client.sends("VER 1 MSNP8 CVR0\r\n");
        let mut peer = server.accept();
        peer.sees("VER 1 MSNP8 CVR0\r\n");
        peer.sends("VER 1 MSNP8\r\n");
        if !is_affected {
            client.sees("VER 1 MSNP8\r\n");
            client.ends();
            peer.ends();
        }
        client.sees_end();
    }
    proxy.stop();
    let (code, log) = faulty(&server, &[fault]).fails();
    assert_eq!(code, Some(1));
    let problem = "the fault \"limit_data_downstream\" is for the listener 127.0.0.2:0, which is none; \
                   listeners are [127.0.0.1:0]";
    assert!(log.contains(problem), "{log}");
}

#[test]
fn a_seed_affects_the_same_connections_again() {
    let server = Server::start();
    let run = |seed: u32| {
        let fault = format!("type = 'limit_data'\nbytes = 0\ntoxicity = 0.5\nseed = {seed}");
        let proxy = faulty(&server, &[&fault]).start();
        let affected = (0..20).map(|_| {
            let (mut client, mut peer) = opened(&proxy, &server);
            peer.sends("QNG 1\r\n");
            client.reads(1).is_empty()
        });
        let affected: Vec<bool> = affected.collect();
        proxy.stop();
        affected
    };
    let first = run(42);
    assert!(first.contains(&true) && first.contains(&false), "{first:?}");
    assert_eq!(first, run(42));
    assert_ne!(first, run(43));
}

#[test]
fn what_a_fault_does_not_touch_is_sent_as_it_came() {
    let server = Server::start();
    let faults = [
        "type = 'latency'\nlatency = '1ms'\njitter = '1ms'",
        "type = 'bandwidth'\nrate = 100000",
        "type = 'slicer'\naverage_size = 1000\nsize_variation = 999",
        "type = 'limit_data'\nbytes = 100000000",
    ];
    let proxy = faulty(&server, &faults).start();
    let (mut client, peer) = opened(&proxy, &server);
    let message = [b"NOT 60000\r\n", &(0..=255).cycle().take(60_000).collect::<Vec<u8>>()[..]].concat();
    let mut sender = peer.handle();
    let bytes = message.clone();
    let sending = std::thread::spawn(move || (0..50).for_each(|_| sender.sends(&bytes)));
    for _ in 0..50 {
        client.sees(&message);
    }
    sending.join().unwrap();
    let ended = end(proxy, client, peer);
    assert_eq!(ended.transcript().stream(1, Sent(ServerToClient)), message.repeat(50));
}
