//! What is on disk: exact bytes with `--keep-secrets`, no credential without it, whole lines whatever happens.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{Peer, Proxy, Server, Setup, log_in};
use msnp::Direction::{ClientToServer, ServerToClient};
use msnp_transcript::Event;
use msnp_transcript::reader::Side::{Received, Sent};

/// What one peer sent and received on a connection.
#[derive(Default)]
struct Seen {
    sent: Vec<u8>,
    received: Vec<u8>,
}

/// Sends `bytes` in pieces of the given sizes, in turn, while the other end reads to the end of the stream.
fn exchange(client: &mut Peer, server: &mut Peer, c2s: &[u8], s2c: &[u8], sizes: &'static [usize]) -> [Seen; 2] {
    let run = |peer: &Peer, bytes: &[u8]| {
        let (mut reader, mut writer, bytes) = (peer.handle(), peer.handle(), bytes.to_vec());
        let reading = std::thread::spawn(move || reader.reads_to_end());
        let writing = std::thread::spawn(move || {
            let mut rest = &bytes[..];
            for size in sizes.iter().cycle() {
                let (piece, behind) = rest.split_at(rest.len().min(*size));
                writer.sends(piece);
                rest = behind;
                if rest.is_empty() {
                    break;
                }
            }
            writer.ends();
            bytes
        });
        (reading, writing)
    };
    let (of_client, of_server) = (run(client, c2s), run(server, s2c));
    [of_client, of_server]
        .map(|(reading, writing)| Seen { sent: writing.join().unwrap(), received: reading.join().unwrap() })
}

const EDITS: &str = r#"
[[rule]]
from = "client"
verbs = ["CHG"]
set.1 = "HDN"
inject.before = "PNG"
inject.after = "PNG"

[[rule]]
from = "client"
verbs = ["PRP"]
drop = true

[[rule]]
from = "server"
verbs = ["NLN"]
duplicate = 3

[[rule]]
from = "server"
verbs = ["NOT"]
set.text = "another text altogether"
delay = "5ms"

[[rule]]
from = "server"
verbs = ["ILN"]
tag = "seen"
"#;

#[test]
fn with_secrets_kept_the_streams_are_what_each_peer_sent_and_received() {
    let mut c2s = b"VER 1 MSNP12 CVR0\r\nUSR 2 TWN I alice@example.com\r\nUSR 3 TWN S t=secret&p=\r\n".to_vec();
    let mut s2c = b"VER 1 MSNP12\r\nUSR 2 TWN S lc=1033,ct=1\r\nUSR 3 OK alice@example.com 1 0\r\n".to_vec();
    for id in 0..200u32 {
        let payload: Vec<u8> = (0..id * 7).map(|n| (n * id) as u8).collect();
        c2s.extend(format!("CHG {id} NLN 0\r\nPRP {id} MFN Alice\r\nMSG {id} N {}\r\n", payload.len()).bytes());
        c2s.extend(&payload);
        s2c.extend(format!("NLN AWY bob{id}@example.com B\nILN {id} BSY c@d C 0\r\nNOT {}\r\n", payload.len()).bytes());
        s2c.extend(&payload);
        s2c.extend(format!("XFR {id} SB 127.0.0.1:99 CKI {id}.{id}\r\n").bytes());
    }
    c2s.extend(b"then no MSNP at all\r\n\0\xff");
    s2c.extend(b"NOT 99\r\ncut");
    let server = Server::start();
    for sizes in [&[1 << 20][..], &[1, 2, 3, 5, 8, 13], &[1000, 1, 64]] {
        for rules in ["", EDITS] {
            let proxy = Setup::before(server.address).rules(rules).keep_secrets().start();
            let mut client = proxy.client();
            client.sends(&c2s[..19]);
            let mut peer = server.accept();
            let [of_client, of_server] = exchange(&mut client, &mut peer, &c2s[19..], &s2c, sizes);
            let ended = proxy.stop();
            let transcript = ended.transcript();
            let is = |side, bytes: &[u8]| {
                assert!(transcript.stream(1, side) == bytes, "{side:?} with {sizes:?} and {} rules", rules.len());
            };
            is(Received(ClientToServer), &[&c2s[..19], &of_client.sent].concat());
            is(Sent(ClientToServer), &of_server.received);
            is(Received(ServerToClient), &of_server.sent);
            is(Sent(ServerToClient), &of_client.received);
            if rules.is_empty() {
                assert_eq!(of_server.received, c2s);
            }
        }
    }
}

#[test]
fn bytes_are_counted_when_a_connection_closes() {
    let server = Server::start();
    let proxy = Setup::before(server.address).start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    drop(client);
    peer.sees_end();
    drop(peer);
    let ended = proxy.stop();
    let closed = ended.transcript().events.iter().find_map(|event| match event {
        Event::ConnectionClosed(closed) => Some((closed.client_bytes, closed.server_bytes)),
        _ => None,
    });
    let c2s = "VER 1 MSNP9 MSNP8 CVR0\r\nUSR 2 TWN I alice@example.com\r\n".len() as u64;
    assert_eq!(closed, Some((c2s, "VER 1 MSNP8\r\n".len() as u64)));
}

/// Everything of which somebody could make use.
const SECRETS: &[&str] = &[
    "Sclearpassword",
    "Ssalt.1013928519",
    "S90f9d3c8b1a2e4f5",
    "Stweenerparams",
    "St=tweenerticket",
    "SMBInonceMBInonce",
    "Sssoticket",
    "Sproofproofproof",
    "Smachineguid",
    "Scirclesticket",
    "Scookie.of.xfr",
    "Scookie.of.rng",
    "SMSPAuthMSPAuth",
    "Ssid507",
    "Skvkvkv",
    "Surltoken",
    "Sinviteauthcookie",
    "Sinvitecookie",
    "Sp2pnonce",
    "Sturnpassword",
    "Sinjectedticket",
    "Sopaque",
    "Sunfinishedticket",
    "Srefusedticket",
];

/// Says everything on both sides and leaves.
fn tells_all(proxy: &Proxy, server: &Server, board: &Server) {
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, server, "alice@example.com");
    let payload = |line: &str, payload: &str| format!("{line} {}\r\n{payload}", payload.len());
    let c2s = [
        "USR 3 CTP S Sclearpassword\r\n".to_owned(),
        "USR 4 MD5 S S90f9d3c8b1a2e4f5\r\n".to_owned(),
        "USR 5 TWN S St=tweenerticket&p=St=tweenerticket\n".to_owned(),
        "USR 6 SSO S Sssoticket Sproofproofproof {Smachineguid}\r\n".to_owned(),
        "USR 6 SSO S  Sssoticket  Sproofproofproof \r\n".to_owned(),
        "USR 7 SHA A Scirclesticket\r\n".to_owned(),
        payload("UUN 8 bob@example.com 10", "Sturnpassword"),
        "USR 9 TWN S Sunfinishedticket".to_owned(),
    ]
    .concat();
    let profile = "MIME-Version: 1.0\r\nContent-Type: text/x-msmsgsprofile; charset=UTF-8\r\nLoginTime: 1\r\n\
        mspauth: SMSPAuthMSPAuth\r\nsid: Ssid507\r\nkv:Skvkvkv\r\n\r\n";
    let invite = "MIME-Version: 1.0\r\nContent-Type: text/x-msmsgsinvite; charset=UTF-8\r\n\r\n\
        Invitation-Command: ACCEPT\r\nInvitation-Cookie: Sinvitecookie\r\nAuthCookie: Sinviteauthcookie\r\n\r\n";
    let p2p = "MIME-Version: 1.0\r\nContent-Type: application/x-msnmsgrp2p\r\n\r\n\0\0\0\0INVITE MSNMSGR:b MSNSLP/1.0\r\n\
        Bridge: TCPv1\r\nNonce: {Sp2pnonce}\r\nHashed-Nonce:  {Sp2pnonce}\r\n\r\n\0";
    let to = board.address;
    let s2c = [
        "USR 4 MD5 S Ssalt.1013928519\r\n".to_owned(),
        "USR 5 TWN S lc=1033,ct=Stweenerparams,rn=Stweenerparams\r\n".to_owned(),
        "USR 6 SSO S MBI_KEY_OLD SMBInonceMBInonce\r\n".to_owned(),
        payload("MSG Hotmail Hotmail", profile),
        payload("MSG bob@example.com Bob", invite),
        payload("MSG bob@example.com Bob", p2p),
        payload("UBN bob@example.com 10", "Sturnpassword"),
        "URL 9 /cgi-bin/x?auth=Surltoken http://example/y?a=Surltoken&Surltoken 2\r\n".to_owned(),
        format!("XFR 10 SB {to} CKI Scookie.of.xfr\r\n"),
        format!("RNG 11 {to} CKI Scookie.of.rng bob@example.com Bob\r\n"),
        format!("XFR 12 SB {to} CKI Scookie.of.xfr U messenger.msn.com 1\n"),
        "Sopaque garbage\r\nXFR 13 SB 1 CKI Sopaque\r\n".to_owned(),
    ]
    .concat();
    let [_, of_server] = exchange(&mut client, &mut peer, c2s.as_bytes(), s2c.as_bytes(), &[1 << 20]);
    let seen = String::from_utf8(of_server.received).unwrap();
    assert!(seen.contains("Sinjectedticket") && seen.contains("Sproofproofproof"), "the wire is not masked");
    for line in ["USR 1 alice@example.com;{Smachineguid} Scookie.of.xfr", "ANS 1 alice@example.com Scookie.of.rng 11"] {
        let mut client = proxy.client();
        client.sends(format!("{line}\r\n"));
        let mut peer = board.accept();
        peer.sees(format!("{line}\r\n"));
        drop(client);
        peer.sees_end();
    }
    // a cookie that nobody announced
    let mut client = proxy.client();
    client.sends("ANS 1 alice@example.com Scookie.of.rng.too 11\r\n");
    server.accept().sees("ANS 1 alice@example.com Scookie.of.rng.too 11\r\n");
}

const LEAKY: &str = r#"
[[rule]]
from = "client"
verbs = ["USR"]
when = 'args[1] == "SHA"'
inject.before = "USR 99 TWN S Sinjectedticket"
duplicate = 2

[[rule]]
from = "client"
verbs = ["USR"]
when = 'args[1] == "MD5"'
reply = "XFR 1 SB 127.0.0.1:1 CKI Sinjectedticket"
drop = false
"#;

#[test]
fn without_keep_secrets_no_credential_is_on_disk_or_on_the_screen() {
    let (server, board) = (Server::start(), Server::start());
    for rules in ["", LEAKY] {
        let rules = if rules.is_empty() { LEAKY.replace("duplicate = 2", "tag = 'a'") } else { rules.to_owned() };
        let setup = Setup::before(server.address).rules(&rules).loud().flag("-vv").environment("MITMSN_LOG", "trace");
        let proxy = setup.start();
        tells_all(&proxy, &server, &board);
        let ended = proxy.stop();
        let everything = ended.transcripts.iter().flat_map(|one| [one.text.clone(), one.path.display().to_string()]);
        for text in everything.chain([ended.out.clone(), ended.log.clone()]) {
            for secret in SECRETS {
                // a GUID is told apart from an account, which stays
                if *secret == "Smachineguid" && text.contains("alice@example.com;{Smachineguid}") {
                    let text = text.replace("alice@example.com;{Smachineguid}", "");
                    assert!(!text.contains(secret), "{secret} in {text}");
                    continue;
                }
                let place = text.find(secret).map(|at| &text[at.saturating_sub(200)..(at + 40).min(text.len())]);
                assert_eq!(place, None, "{secret}");
            }
        }
        // there was something to hide
        assert!(ended.out.contains("USR 5 TWN S ****") && ended.transcripts[0].text.contains("\"masked\":["));
    }
}

#[test]
fn a_refused_ticket_is_masked_too() {
    let refusing = tokio::net::TcpSocket::new_v4().unwrap();
    refusing.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let setup = Setup::before(refusing.local_addr().unwrap()).loud().environment("MITMSN_LOG", "trace");
    let proxy = setup.start();
    let mut client = proxy.client();
    client
        .sends("VER 1 MSNP8\r\nUSR 2 TWN I a@example.com\r\nUSR 3 TWN S Srefusedticket\r\nUSR 4 TWN S Srefusedticket");
    client.reads_to_end();
    let ended = proxy.stop();
    for text in [&ended.transcript().text, &ended.out, &ended.log] {
        assert!(!text.contains("Srefusedticket"), "{text}");
    }
}

#[test]
fn transcripts_are_named_by_time_account_and_id_and_only_for_their_owner() {
    let server = Server::start();
    let proxy = Setup::before(server.address).start();
    let mut client = proxy.client();
    let _peer = log_in(&mut client, &server, "Alice/..@example.com");
    let ended = proxy.stop();
    let transcript = ended.transcript();
    let name = transcript.path.file_name().unwrap().to_str().unwrap();
    let id = &transcript.events[0].stem().session;
    let (time, rest) = name.split_once('_').unwrap();
    assert_eq!(rest, format!("alice_..@example.com_{id}.jsonl"));
    assert_eq!((time.len(), time.ends_with('Z')), ("20261122T120000Z".len(), true));
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&transcript.path), 0o600);
    assert_eq!(mode(transcript.path.parent().unwrap()), 0o700);
}

#[test]
fn a_killed_proxy_leaves_whole_lines_and_at_most_a_torn_last_one() {
    let server = Server::start();
    let proxy = Setup::before(server.address).keep_secrets().start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    let is_over = Arc::new(AtomicBool::new(false));
    let (mut sender, ends) = (client.handle(), Arc::clone(&is_over));
    let sending = std::thread::spawn(move || {
        use std::io::Write;
        let mut id = 0u64;
        while !ends.load(Ordering::Relaxed) && write!(sender.socket, "CHG {id} NLN 0\r\nMSG {id} N 5\r\nhello").is_ok()
        {
            id += 1;
        }
    });
    let mut reader = peer.handle();
    let reading = std::thread::spawn(move || reader.reads_to_end());
    proxy.records("a thousand commands", |all| all.iter().any(|one| one.events.len() > 1000));
    proxy.signal("KILL");
    let ended = proxy.wait();
    is_over.store(true, Ordering::Relaxed);
    drop(client);
    sending.join().unwrap();
    peer.ends();
    let arrived =
        [b"VER 1 MSNP9 MSNP8 CVR0\r\nUSR 2 TWN I alice@example.com\r\n", &reading.join().unwrap()[..]].concat();
    let transcript = ended.transcript();
    assert!(transcript.events.len() > 1000);
    let recorded = transcript.stream(1, Sent(ClientToServer));
    let both = recorded.len().min(arrived.len());
    assert!(recorded[..both] == arrived[..both]);
    for (seq, event) in transcript.events.iter().enumerate() {
        assert_eq!(event.stem().seq, seq as u64);
    }
    // cut anywhere, as a full disk would
    let torn = transcript.path.with_extension("torn.jsonl");
    let whole = transcript.text.lines().next().unwrap().len() + 1;
    for cut in [whole + 1, whole + 100] {
        std::fs::write(&torn, &transcript.text.as_bytes()[..cut]).unwrap();
        let show = std::process::Command::new(env!("CARGO_BIN_EXE_mitmsn")).arg("show").arg(&torn).output().unwrap();
        assert_eq!(show.status.code(), Some(0));
        let said = String::from_utf8(show.stderr).unwrap();
        assert_eq!(said, format!("mitmsn: {}:2 is cut off: the recording ended there\n", torn.display()));
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_said_and_stops_nobody() {
    let server = Server::start();
    let setup = Setup::before(server.address);
    std::fs::write(setup.folder().join("sessions"), "a file where a folder should be").unwrap();
    let proxy = setup.start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    peer.sends("QNG 1\r\n");
    client.sees("QNG 1\r\n");
    proxy.signal("TERM");
    let ended = proxy.wait();
    assert_eq!(ended.status.code(), Some(143));
    let warnings = ended.warnings().join("\n");
    assert!(warnings.contains("cannot") && warnings.contains("the transcripts are not complete"), "{warnings}");
}

#[test]
fn nothing_is_recorded_if_that_is_wanted() {
    let server = Server::start();
    let proxy = Setup::before(server.address).record_nothing().start();
    let mut client = proxy.client();
    let _peer = log_in(&mut client, &server, "alice@example.com");
    let folder = proxy.folder().to_owned();
    proxy.signal("TERM");
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(proxy.wait().status.code(), Some(143));
    assert_eq!(files, [""; 0]);
}

#[test]
fn a_tag_names_its_command() {
    let server = Server::start();
    let rules = "[[rule]]\nname = 'greet'\nverbs = ['PNG']\ntag = ['one', 'two']\n";
    let proxy = Setup::before(server.address).rules(rules).start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    client.sends("PNG\r\nPNG\r\n");
    peer.sees("PNG\r\nPNG\r\n");
    let outline = proxy.stop().transcript().outline();
    let expected = "#1 >>> PNG by greet\n#1 tag one on 5\n#1 tag two on 5\n\
                    #1 >>> PNG by greet\n#1 tag one on 8\n#1 tag two on 8\n";
    assert!(outline.contains(expected), "{outline}");
}
