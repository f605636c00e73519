//! What the servers refuse over sockets: wrong passwords, garbage, clients that do not read.

use std::net::SocketAddr;
use std::time::Duration;

use msnp::Version;
use msnp_sandbox::client::{Client, ClientError, Login};
use msnp_sandbox::{Options, Sandbox};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{ALICE, BOB, VERSIONS, login, online};

/// Sends bytes, and returns everything that comes until the server closes the connection.
async fn talk(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer));
    read.await.expect("the server closes the connection").unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_wrong_password_is_refused_in_every_version() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    for version in VERSIONS.map(Version) {
        for email in [ALICE, "ghost@example.com"] {
            let error = Client::login(&Login::to(&sandbox, email, "wrong", version)).await.unwrap_err();
            match version.0 {
                ..=7 => assert!(matches!(error, ClientError::Refused { code: 911, .. }), "{version}: {error}"),
                _ => assert!(matches!(error, ClientError::PasswordRefused { .. }), "{version}: {error}"),
            }
        }
    }
}

#[tokio::test]
async fn a_forged_ticket_and_a_forged_proof_are_refused() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    for (version, scheme, answer) in
        [(8, "TWN", "t=0000&p="), (15, "SSO", "t=0000&p="), (15, "SSO", "t=0000&p= HAAAAA==")]
    {
        let lines = format!("VER 1 MSNP{version}\r\nUSR 2 {scheme} I {ALICE}\r\nUSR 3 {scheme} S {answer}\r\n");
        let answer = talk(sandbox.notification(), lines.as_bytes()).await;
        assert!(answer.ends_with("911 3\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_version_that_is_not_served_is_refused() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let error = Client::login(&login(&sandbox, ALICE, Version(18))).await.unwrap_err();
    assert!(matches!(error, ClientError::VersionRefused { version: Version(18) }), "{error}");
    assert_eq!(talk(sandbox.notification(), b"VER 1 MSNP21 CVR0\r\n").await, "VER 1 0\r\n");
}

#[tokio::test]
async fn garbage_ends_its_own_connection_and_no_other() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let mut alice = online(&sandbox, ALICE, Version(12)).await;
    let long_line = [b"VER 1 ".to_vec(), vec![b'x'; 100_000]].concat();
    for garbage in
        [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"GET / HTTP/1.1\r\n\r\n", b"QRY 1 x 99999999\r\n", &long_line]
    {
        for address in [sandbox.dispatch(), sandbox.notification(), sandbox.switchboard()] {
            // what is too long is not read to its end
            let mut stream = TcpStream::connect(address).await.unwrap();
            let _ = stream.write_all(garbage).await;
            let mut answer = Vec::new();
            let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
            assert!(read.is_ok(), "the connection stays open");
            assert_eq!(answer, b"");
        }
        let answer = talk(sandbox.http(), b"\0\0\0\0\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    }
    assert_eq!(alice.ping().await.unwrap(), Some(50));
}

#[tokio::test]
async fn commands_sent_in_one_go_are_answered_in_order() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let lines = format!(
        "VER 1 MSNP12 CVR0\r\nCVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.5.0324 MSMSGS {ALICE}\r\nUSR 3 TWN I {ALICE}\r\n"
    );
    let answer = talk(sandbox.dispatch(), lines.as_bytes()).await;
    let (notification, dispatch) = (sandbox.notification(), sandbox.dispatch());
    assert_eq!(
        answer,
        format!(
            "VER 1 MSNP12\r\nCVR 2 7.5.0324 7.5.0324 1.0.0000 http://download.example/setup.exe http://messenger.example\r\n\
             XFR 3 NS {notification} 0 {dispatch}\r\n"
        )
    );
}

#[tokio::test]
async fn who_does_not_read_is_disconnected() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let mut alice = online(&sandbox, ALICE, Version(12)).await;
    let mut bob = online(&sandbox, BOB, Version(12)).await;
    let mut hers = alice.open_switchboard().await.unwrap();
    hers.invite(BOB).await.unwrap();
    let ring = bob.wait_for("RNG", |command| command.verb().as_str() == "RNG").await.unwrap();
    let ring = String::from_utf8(ring.line().to_vec()).unwrap();
    let words: Vec<&str> = ring.split(' ').collect();
    let mut his = TcpStream::connect(words[2]).await.unwrap();
    his.write_all(format!("ANS 1 {BOB} {} {}\r\n", words[4], words[1]).as_bytes()).await.unwrap();
    assert_eq!(hers.wait_for_participant().await.unwrap(), BOB);

    let payload = format!("MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n{}", "x".repeat(1600));
    // far more than sockets buffer; every message is acknowledged until nobody is left to deliver it to
    for _ in 0..100_000 {
        let reply = hers.request("MSG", "A", Some(payload.as_bytes())).await.unwrap();
        if reply.verb().as_str() == "NAK" {
            break;
        }
    }
    assert_eq!(hers.wait_for_departure().await.unwrap(), BOB);
    assert_eq!(bob.ping().await.unwrap(), Some(50));
}

#[tokio::test]
async fn there_are_no_more_connections_than_allowed() {
    let sandbox = Sandbox::start(Options { max_connections: 1, ..Options::default() }).await.unwrap();
    let mut first = TcpStream::connect(sandbox.dispatch()).await.unwrap();
    first.write_all(b"VER 1 MSNP8\r\n").await.unwrap();
    let mut answer = [0; 13];
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"VER 1 MSNP8\r\n");
    let mut second = TcpStream::connect(sandbox.notification()).await.unwrap();
    assert!(!second.read(&mut answer).await.is_ok_and(|read| read > 0));
}

#[tokio::test]
async fn an_unknown_command_is_answered_by_its_number() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let mut alice = Client::login(&login(&sandbox, ALICE, Version(9))).await.unwrap();
    let error = alice.request("XYZ", "1 2", None).await.unwrap_err();
    assert!(matches!(error, ClientError::Refused { code: 200, .. }), "{error}");
    let error = alice.open_switchboard().await.unwrap_err();
    assert!(matches!(error, ClientError::Refused { code: 913, .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_login_is_closed_after_a_minute() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    for address in [sandbox.dispatch(), sandbox.notification(), sandbox.switchboard()] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let start = tokio::time::Instant::now();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        let waited = start.elapsed();
        assert!(waited >= Duration::from_secs(55) && waited <= Duration::from_secs(65), "{waited:?}");
    }
}
