//! How a proxy starts and ends: signals, exit codes, limits and timeouts.

use std::time::{Duration, Instant};

use crate::support::{Full, Server, Setup, log_in};
use msnp::Direction::{ClientToServer, ServerToClient};
use msnp_transcript::reader::Side::{Received, Sent};

#[test]
fn what_peers_have_sent_arrives_before_a_shutdown() {
    let server = Server::start();
    let proxy = Setup::before(server.address).keep_secrets().start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    // few enough for the buffers of the system, which is where they are when the signal comes
    let asked: String = (0..2000).map(|id| format!("CHG {id} NLN 0\r\nUUX {id} 5\r\nhello")).collect();
    let said: String = (0..2000).map(|id| format!("NLN AWY bob{id}@example.com Bob\r\nNOT 5\r\nhello")).collect();
    client.sends(format!("{asked}USR 9 unfinished"));
    peer.sends(format!("{said}NOT 50\r\nunfinished"));
    let ended = proxy.stop();
    peer.sees(format!("{asked}USR 9 unfinished"));
    peer.sees_end();
    client.sees(format!("{said}NOT 50\r\nunfinished"));
    client.sees_end();
    let transcript = ended.transcript();
    assert!(transcript.stream(1, Sent(ClientToServer)).ends_with(format!("{asked}USR 9 unfinished").as_bytes()));
    assert!(transcript.stream(1, Received(ServerToClient)).ends_with(format!("{said}NOT 50\r\nunfinished").as_bytes()));
    let outline = transcript.outline();
    assert!(outline.ends_with("#1 closed by proxy: the proxy shuts down\nover after 1"), "{outline}");
}

#[test]
fn a_shutdown_does_not_wait_for_delays() {
    let server = Server::start();
    let rules = "[[rule]]\nfrom = 'client'\nverbs = ['CHG']\ndelay = '1h'\n";
    let proxy = Setup::before(server.address).rules(rules).start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    client.sends("CHG 3 NLN 0\r\nPNG\r\n");
    // the other direction shows that the commands were read
    proxy.records("the delayed command", |all| all.iter().any(|one| one.text.contains("\"CHG\"")));
    peer.sees_nothing_yet();
    let ended = proxy.stop();
    peer.sees("CHG 3 NLN 0\r\nPNG\r\n");
    peer.sees_end();
    assert!(ended.transcript().text.contains("\"delay\":3600.0"));
}

#[test]
fn a_peer_that_reads_nothing_holds_a_shutdown_up_for_the_grace_only() {
    let server = Server::start();
    let proxy = Setup::before(server.address).set("limits.shutdown_grace=300ms").start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    peer.fills_up(&[b"MSG 1 N 60000\r\n", &[b'm'; 60000][..]].concat());
    let ended = proxy.stop();
    let warning = "WARN not all was delivered in time connections=1".to_owned();
    assert!(ended.warnings().contains(&warning), "{}", ended.log);
    let outline = ended.transcript().outline();
    assert!(outline.ends_with("#1 closed by proxy: the proxy shuts down\nover after 1"), "{}", tail(&outline));
}

fn tail(outline: &str) -> &str {
    outline.get(outline.len().saturating_sub(1000)..).unwrap_or(outline)
}

#[test]
fn a_second_signal_aborts_a_shutdown() {
    let server = Server::start();
    let proxy = Setup::before(server.address).loud().set("limits.shutdown_grace=1h").start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    peer.fills_up(&[b"MSG 1 N 60000\r\n", &[b'm'; 60000][..]].concat());
    proxy.signal("TERM");
    proxy.says("shutting down: what is in flight arrives; once more to abort");
    proxy.signal("INT");
    let ended = proxy.wait();
    assert_eq!(ended.status.code(), Some(130));
    assert!(ended.warnings().contains(&"WARN aborted".to_owned()), "{}", ended.log);
}

#[test]
fn a_shutdown_does_not_wait_for_a_server_that_does_not_answer() {
    let full = Full::start();
    let proxy = Setup::before(full.address).loud().set("limits.connect_timeout=1h").start();
    let mut client = proxy.client();
    client.sends("VER 1 MSNP8\r\n");
    proxy.shows("#1 --- connected: ");
    let start = Instant::now();
    let ended = proxy.stop();
    assert!(start.elapsed() < Duration::from_secs(4), "not before the grace was over");
    client.sees_end();
    let expected = format!(
        "session\n#1 to {}, ns\n#1 >>> VER 1 MSNP8 => []\n#1 closed by proxy: the proxy shuts down\nover after 1",
        full.address
    );
    assert_eq!(ended.transcript().outline(), expected);
}

#[test]
fn an_interrupt_has_its_own_exit_code() {
    let proxy = Setup::before("127.0.0.1:9").start();
    proxy.signal("INT");
    assert_eq!(proxy.wait().status.code(), Some(130));
}

#[test]
fn an_address_in_use_is_named() {
    let server = Server::start();
    let (code, log) = Setup::before("127.0.0.1:9").listen(server.address).fails();
    assert_eq!(code, Some(1));
    assert!(log.contains(&format!("cannot listen on {}: Address already in use", server.address)), "{log}");
}

#[test]
fn a_missing_upstream_is_wrong_usage() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_mitmsn")).arg("proxy").env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("which server? Name it"));
}

#[test]
fn a_client_beyond_the_limit_waits_until_another_leaves() {
    let server = Server::start();
    let proxy = Setup::before(server.address).set("limits.connections=1").start();
    let mut first = proxy.client();
    let mut firsts = log_in(&mut first, &server, "alice@example.com");
    let mut second = proxy.client();
    second.sends("VER 1 MSNP9 MSNP8 CVR0\r\n");
    proxy.says("as many connections as allowed: further clients wait limit=1");
    first.sends("PNG\r\n");
    firsts.sees("PNG\r\n");
    assert!(!server.has_another());
    drop(first);
    firsts.sees_end();
    drop(firsts);
    server.accept().sees("VER 1 MSNP9 MSNP8 CVR0\r\n");
    proxy.stop();
}

#[test]
fn a_full_proxy_stops_though_clients_wait() {
    let server = Server::start();
    let proxy = Setup::before(server.address).set("limits.connections=1").start();
    let mut first = proxy.client();
    let _firsts = log_in(&mut first, &server, "alice@example.com");
    let mut second = proxy.client();
    second.sends("VER 1 MSNP9 MSNP8 CVR0\r\n");
    proxy.says("further clients wait");
    assert_eq!(proxy.stop().transcripts.len(), 1);
    assert_eq!(second.reads_to_end(), b"");
}

#[test]
fn the_limit_of_connections_holds_for_all_addresses_together() {
    let server = Server::start();
    let setup = Setup::before(server.address).set("limits.connections=1");
    let proxy = setup.listen("127.0.0.1:0").listen("127.0.0.1:0").start();
    for index in [1, 0, 0, 1] {
        let mut client = crate::support::Peer::to(proxy.addresses[index]);
        let mut peer = log_in(&mut client, &server, "alice@example.com");
        drop(client);
        peer.sees_end();
    }
    let ended = proxy.stop();
    assert_eq!(ended.transcripts.len(), 4);
}

#[test]
fn an_idle_connection_is_closed() {
    let server = Server::start();
    let proxy = Setup::before(server.address).set("limits.idle_timeout=300ms").start();
    let mut client = proxy.client();
    let start = Instant::now();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    client.sees_end();
    peer.sees_end();
    assert!(start.elapsed() >= Duration::from_millis(300));
    let outline = proxy.stop().transcript().outline();
    assert!(outline.ends_with("#1 closed by proxy: idle for too long\nover after 1"), "{outline}");
}

#[test]
fn a_screen_that_nobody_reads_stops_neither_the_relay_nor_a_shutdown() {
    let server = Server::start();
    let proxy = Setup::before(server.address).unread().start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    // more than a pipe holds, on the screen
    let said: String = (0..3000).map(|id| format!("CHG {id} NLN 0\r\n")).collect();
    client.sends(&said);
    peer.sees(&said);
    let mut other = proxy.client();
    log_in(&mut other, &server, "bob@example.com");
    let ended = proxy.stop();
    assert_eq!(ended.transcripts.len(), 2);
    peer.sees_end();
}
