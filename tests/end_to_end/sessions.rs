//! One login is one session: which connections belong together, and what a later one inherits.

use crate::support::{Peer, Proxy, Server, Setup, log_in};

/// Connects a client that opens a switchboard with `line`, and returns both ends.
fn opens(proxy: &Proxy, board: &Server, line: &str) -> (Peer, Peer) {
    let mut client = proxy.client();
    client.sends(format!("{line}\r\n"));
    let mut server = board.accept();
    server.sees(format!("{line}\r\n"));
    (client, server)
}

/// The client leaves first.
fn leaves((client, mut server): (Peer, Peer)) {
    drop(client);
    server.sees_end();
}

#[test]
fn dispatch_notification_and_switchboard_of_one_login_are_one_transcript() {
    let (dispatch, notification, board) = (Server::start(), Server::start(), Server::start());
    let proxy = Setup::before(dispatch.address).keep_secrets().start();
    let (ds, ns, sb, here) = (dispatch.address, notification.address, board.address, proxy.address());
    let mut client = proxy.client();
    let mut server = log_in(&mut client, &dispatch, "Alice@Example.com");
    server.sends(format!("XFR 2 NS {ns} 0 {ds}\r\n"));
    client.sees(format!("XFR 2 NS {here} 0 {here}\r\n"));
    drop(server);
    client.sees_end();
    drop(client);

    let mut client = proxy.client();
    let mut server = log_in(&mut client, &notification, "Alice@Example.com");
    server.sends("USR 2 OK Alice@Example.com Alice%20E 1 0\r\n");
    client.sees("USR 2 OK Alice@Example.com Alice%20E 1 0\r\n");
    client.sends("XFR 3 SB\r\n");
    server.sees("XFR 3 SB\r\n");
    server.sends(format!("XFR 3 SB {sb} CKI 17262740.1\r\n"));
    client.sees(format!("XFR 3 SB {here} CKI 17262740.1\r\n"));
    leaves(opens(&proxy, &board, "USR 1 alice@example.com 17262740.1"));
    leaves((client, server));

    let expected = [
        "session".to_owned(),
        format!("#1 to {ds}, ns"),
        "#1 >>> VER 1 MSNP9 MSNP8 CVR0".to_owned(),
        "#1 <<< VER 1 MSNP8".to_owned(),
        "#1 >>> USR 2 TWN I Alice@Example.com".to_owned(),
        format!("#1 <<< XFR 2 NS {ns} 0 {ds} => [<<< XFR 2 NS {here} 0 {here}] by redirect"),
        "#1 closed by server".to_owned(),
        format!("#2 to {ns}, ns, alice@example.com, MSNP8"),
        "#2 follows #1 by redirect".to_owned(),
        "#2 >>> VER 1 MSNP9 MSNP8 CVR0".to_owned(),
        "#2 <<< VER 1 MSNP8".to_owned(),
        "#2 >>> USR 2 TWN I Alice@Example.com".to_owned(),
        "#2 <<< USR 2 OK Alice@Example.com Alice%20E 1 0".to_owned(),
        "#2 >>> XFR 3 SB".to_owned(),
        format!("#2 <<< XFR 3 SB {sb} CKI 17262740.1 => [<<< XFR 3 SB {here} CKI 17262740.1] by redirect"),
        "#2 closed by client".to_owned(),
        format!("#3 to {sb}, sb, alice@example.com, MSNP8"),
        "#3 follows #2 by cookie".to_owned(),
        "#3 >>> USR 1 alice@example.com 17262740.1".to_owned(),
        "#3 closed by client".to_owned(),
        "over after 3".to_owned(),
    ];
    let ended = proxy.stop();
    assert_eq!(ended.transcript().outline(), expected.join("\n"));
    assert_eq!(ended.warnings(), [""; 0]);
}

#[test]
fn two_users_who_chat_are_two_sessions() {
    let (notification, board) = (Server::start(), Server::start());
    let proxy = Setup::before(notification.address).start();
    let (sb, here) = (board.address, proxy.address());
    let (mut alice, mut bob) = (proxy.client(), proxy.client());
    let mut alices = log_in(&mut alice, &notification, "alice@example.com");
    let mut bobs = log_in(&mut bob, &notification, "bob@example.com");

    alices.sends(format!("XFR 3 SB {sb} CKI 1.1\r\n"));
    alice.sees(format!("XFR 3 SB {here} CKI 1.1\r\n"));
    let (mut caller, mut callers) = opens(&proxy, &board, "USR 1 alice@example.com 1.1");
    caller.sends("CAL 2 bob@example.com\r\n");
    callers.sees("CAL 2 bob@example.com\r\n");
    bobs.sends(format!("RNG 77 {sb} CKI 2.2 alice@example.com Alice\r\n"));
    bob.sees(format!("RNG 77 {here} CKI 2.2 alice@example.com Alice\r\n"));
    let (mut callee, mut callees) = opens(&proxy, &board, "ANS 1 bob@example.com 2.2 77");
    callees.sends("IRO 1 1 1 alice@example.com Alice\r\nANS 1 OK\r\n");
    callee.sees("IRO 1 1 1 alice@example.com Alice\r\nANS 1 OK\r\n");
    caller.sends("MSG 3 N 5\r\nhello");
    callers.sees("MSG 3 N 5\r\nhello");
    callees.sends("MSG alice@example.com Alice 5\r\nhello");
    callee.sees("MSG alice@example.com Alice 5\r\nhello");
    leaves((caller, callers));
    leaves((callee, callees));
    leaves((alice, alices));
    leaves((bob, bobs));

    let ns = notification.address;
    let expected = [
        [
            "session".to_owned(),
            format!("#1 to {ns}, ns"),
            "#1 >>> VER 1 MSNP9 MSNP8 CVR0".to_owned(),
            "#1 <<< VER 1 MSNP8".to_owned(),
            "#1 >>> USR 2 TWN I alice@example.com".to_owned(),
            format!("#1 <<< XFR 3 SB {sb} CKI *** => [<<< XFR 3 SB {here} CKI ***] by redirect"),
            "#1 closed by client".to_owned(),
            format!("#3 to {sb}, sb, alice@example.com, MSNP8"),
            "#3 follows #1 by cookie".to_owned(),
            "#3 >>> USR 1 alice@example.com ***".to_owned(),
            "#3 >>> CAL 2 bob@example.com".to_owned(),
            "#3 >>> MSG 3 N 5 \"hello\"".to_owned(),
            "#3 closed by client".to_owned(),
            "over after 2".to_owned(),
        ]
        .join("\n"),
        [
            "session".to_owned(),
            format!("#2 to {ns}, ns"),
            "#2 >>> VER 1 MSNP9 MSNP8 CVR0".to_owned(),
            "#2 <<< VER 1 MSNP8".to_owned(),
            "#2 >>> USR 2 TWN I bob@example.com".to_owned(),
            format!(
                "#2 <<< RNG 77 {sb} CKI *** alice@example.com Alice => \
                 [<<< RNG 77 {here} CKI *** alice@example.com Alice] by redirect"
            ),
            "#2 closed by client".to_owned(),
            format!("#4 to {sb}, sb, bob@example.com, MSNP8"),
            "#4 follows #2 by invitation".to_owned(),
            "#4 >>> ANS 1 bob@example.com *** 77".to_owned(),
            "#4 <<< IRO 1 1 1 alice@example.com Alice".to_owned(),
            "#4 <<< ANS 1 OK".to_owned(),
            "#4 <<< MSG alice@example.com Alice 5 \"hello\"".to_owned(),
            "#4 closed by client".to_owned(),
            "over after 2".to_owned(),
        ]
        .join("\n"),
    ];
    assert_eq!(proxy.stop().outlines(), expected);
}

/// As rusty-retro-messaging does it.
#[test]
fn caller_and_callees_with_one_and_the_same_cookie_end_in_their_sessions() {
    let (notification, board) = (Server::start(), Server::start());
    let proxy = Setup::before(notification.address).start();
    let (sb, here) = (board.address, proxy.address());
    let mut clients = [proxy.client(), proxy.client(), proxy.client()];
    let accounts = ["alice@example.com", "bob@example.com", "carol@example.com"];
    let mut servers = Vec::new();
    for (client, account) in clients.iter_mut().zip(accounts) {
        servers.push(log_in(client, &notification, account));
    }
    servers[0].sends(format!("XFR 3 SB {sb} CKI same\r\n"));
    clients[0].sees(format!("XFR 3 SB {here} CKI same\r\n"));
    for index in [1, 2] {
        servers[index].sends(format!("RNG 5 {sb} CKI same alice@example.com Alice\r\n"));
        clients[index].sees(format!("RNG 5 {here} CKI same alice@example.com Alice\r\n"));
    }
    let _carol = opens(&proxy, &board, "ANS 1 carol@example.com same 5");
    let _bob = opens(&proxy, &board, "ANS 1 bob@example.com same 5");
    let _alice = opens(&proxy, &board, "USR 1 Alice@example.com same");
    let ended = proxy.stop();
    let joins = ended.transcripts.iter().map(|transcript| {
        let lines = transcript.outline();
        lines.lines().filter(|line| line.contains("follows")).map(str::to_owned).collect::<Vec<_>>()
    });
    let expected = [["#6 follows #1 by cookie"], ["#5 follows #2 by invitation"], ["#4 follows #3 by invitation"]];
    assert_eq!(joins.collect::<Vec<_>>(), expected);
    assert_eq!(ended.warnings(), [""; 0]);
}

#[test]
fn a_session_id_that_the_client_mangles_still_finds_the_session() {
    let (notification, board) = (Server::start(), Server::start());
    let proxy = Setup::before(notification.address).start();
    let mut client = proxy.client();
    let mut server = log_in(&mut client, &notification, "bob@example.com");
    server.sends(format!("RNG 60287abc {} CKI 1.1 alice@example.com Alice\r\n", board.address));
    client.sees(format!("RNG 60287abc {} CKI 1.1 alice@example.com Alice\r\n", proxy.address()));
    let _open = opens(&proxy, &board, "ANS 1 bob@example.com 1.1 60287");
    assert!(proxy.stop().transcript().outline().contains("#2 follows #1 by invitation"));
}

#[test]
fn a_cookie_of_somebody_else_does_not_open_their_session() {
    let (notification, board) = (Server::start(), Server::start());
    let proxy = Setup::before(notification.address).start();
    let mut client = proxy.client();
    let mut server = log_in(&mut client, &notification, "alice@example.com");
    server.sends(format!("XFR 3 SB {} CKI 1.1\r\n", board.address));
    client.sees(format!("XFR 3 SB {} CKI 1.1\r\n", proxy.address()));
    let _mallory = opens(&proxy, &notification, "USR 1 mallory@example.com 1.1");
    assert!(!board.has_another());
    let _alice = opens(&proxy, &board, "USR 1 alice@example.com 1.1");
    let ended = proxy.stop();
    assert_eq!(ended.transcripts.len(), 2);
    assert_eq!(ended.warnings().len(), 1);
}

#[test]
fn an_endpoint_id_is_no_part_of_the_account() {
    let (notification, board) = (Server::start(), Server::start());
    let proxy = Setup::before(notification.address).start();
    let mut client = proxy.client();
    client.sends("VER 1 MSNP18 CVR0\r\n");
    let mut server = notification.accept();
    server.sees("VER 1 MSNP18 CVR0\r\n");
    server.sends("VER 1 MSNP18\r\n");
    client.sees("VER 1 MSNP18\r\n");
    client.sends("CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 14.0.8117.0416 msmsgs alice@example.com\r\n");
    server.sees("CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 14.0.8117.0416 msmsgs alice@example.com\r\n");
    server.sends(format!("XFR 3 SB {} CKI 1.1 U messenger.msn.com 1\r\n", board.address));
    client.sees(format!("XFR 3 SB {} CKI 1.1 U messenger.msn.com 1\r\n", proxy.address()));
    let _open = opens(&proxy, &board, "USR 1 Alice@example.com;{1f2e3d4c-0000-4000-8000-000000000001} 1.1");
    let ended = proxy.stop();
    let opened = format!("#2 to {}, sb, alice@example.com, MSNP18\n#2 follows #1 by cookie\n", board.address);
    assert!(ended.transcript().outline().contains(&opened), "{}", ended.transcript().outline());
}

#[test]
fn a_session_ends_with_its_last_connection_once_no_redirect_is_pending() {
    let (notification, board) = (Server::start(), Server::start());
    let proxy = Setup::before(notification.address).set("redirect.lifetime=200ms").start();
    let mut bob = proxy.client();
    let bobs = log_in(&mut bob, &notification, "bob@example.com");
    leaves((bob, bobs));
    proxy.records("the end of a session without redirects", |all| {
        all.len() == 1 && all[0].outline().ends_with("over after 1")
    });
    let mut alice = proxy.client();
    let mut alices = log_in(&mut alice, &notification, "alice@example.com");
    alices.sends(format!("XFR 3 SB {} CKI 1.1\r\n", board.address));
    alice.sees(format!("XFR 3 SB {} CKI 1.1\r\n", proxy.address()));
    leaves((alice, alices));
    proxy.records("the end of a session with one", |all| {
        all.iter().all(|transcript| transcript.outline().ends_with("over after 1"))
    });
    proxy.stop();
}
