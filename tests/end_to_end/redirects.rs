//! Every shape in which a server sends a client elsewhere: the client comes back through the proxy, which leads it on.

use std::net::SocketAddr;

use crate::support::{Peer, Proxy, Server, Setup, log_in};

/// Logs in on `dispatch`, which answers with `answer`; the client sees `expected` and both leave.
fn is_redirected(proxy: &Proxy, dispatch: &Server, account: &str, answer: &str, expected: &str) {
    let mut client = proxy.client();
    let mut server = log_in(&mut client, dispatch, account);
    server.sends(format!("{answer}\r\n"));
    client.sees(format!("{expected}\r\n"));
    drop(server);
    client.sees_end();
}

/// Comes to `address` as a client of `account` does, and is led to `server`.
fn follows(address: SocketAddr, server: &Server, account: &str) {
    let mut client = Peer::to(address);
    let mut server = log_in(&mut client, server, account);
    drop(client);
    server.sees_end();
}

#[test]
fn every_shape_of_xfr_ns_leads_back_to_the_proxy_and_on_to_the_server() {
    let (dispatch, notification) = (Server::start(), Server::start());
    let proxy = Setup::before(dispatch.address).start();
    let (from, to, here) = (dispatch.address, notification.address, proxy.address());
    let shapes = [
        (2, format!("XFR 2 NS {to}"), format!("XFR 2 NS {here}")),
        (3, format!("XFR 2 NS {to} 0"), format!("XFR 2 NS {here} 0")),
        (6, format!("XFR 2 NS {to} 0"), format!("XFR 2 NS {here} 0")),
        (7, format!("XFR 2 NS {to} 0 {from}"), format!("XFR 2 NS {here} 0 {here}")),
        (12, format!("XFR 2 NS {to} 0 {from}"), format!("XFR 2 NS {here} 0 {here}")),
        (13, format!("XFR 2 NS {to} U D"), format!("XFR 2 NS {here} U D")),
        (20, format!("XFR 2 NS {to} G D"), format!("XFR 2 NS {here} G D")),
        (21, format!("XFR 2 NS {to} U D VmVyc2lvbjogMQ0K"), format!("XFR 2 NS {here} U D VmVyc2lvbjogMQ0K")),
    ];
    for (version, answer, expected) in &shapes {
        let login = |id: u32| format!("VER {id} MSNP{version} CVR0\r\nUSR 2 MD5 I alice{version}@example.com\r\n");
        let mut client = proxy.client();
        client.sends(login(1));
        let mut server = dispatch.accept();
        server.sees(login(1));
        server.sends(format!("VER 1 MSNP{version}\r\n{answer}\r\n"));
        client.sees(format!("VER 1 MSNP{version}\r\n{expected}\r\n"));
        drop(server);
        client.sees_end();
        drop(client);
        let mut client = proxy.client();
        client.sends(login(7));
        let mut server = notification.accept();
        server.sees(login(7));
        drop(client);
        server.sees_end();
    }
    let ended = proxy.stop();
    assert_eq!(ended.warnings(), [""; 0]);
    let expected = shapes.iter().enumerate().map(|(index, (version, answer, rewritten))| {
        let (first, second) = (2 * index + 1, 2 * index + 2);
        let account = format!("alice{version}@example.com");
        [
            "session".to_owned(),
            format!("#{first} to {from}, ns"),
            format!("#{first} >>> VER 1 MSNP{version} CVR0"),
            format!("#{first} >>> USR 2 MD5 I {account}"),
            format!("#{first} <<< VER 1 MSNP{version}"),
            format!("#{first} <<< {answer} => [<<< {rewritten}] by redirect"),
            format!("#{first} closed by server"),
            format!("#{second} to {to}, ns, {account}, MSNP{version}"),
            format!("#{second} follows #{first} by redirect"),
            format!("#{second} >>> VER 7 MSNP{version} CVR0"),
            format!("#{second} >>> USR 2 MD5 I {account}"),
            format!("#{second} closed by client"),
            "over after 2".to_owned(),
        ]
        .join("\n")
    });
    assert_eq!(ended.outlines(), expected.collect::<Vec<_>>());
}

#[test]
fn a_missing_port_is_that_of_the_protocol_or_of_an_http_gateway() {
    let shapes = [
        ("XFR 2 NS 127.0.0.9", "XFR 2 NS {here}", "127.0.0.9:1863"),
        ("XFR 2 NS 127.0.0.9 0 127.0.0.8", "XFR 2 NS {here} 0 {here}", "127.0.0.9:1863"),
        ("XFR 2 NS 127.0.0.9 U D", "XFR 2 NS {here} U D", "127.0.0.9:1863"),
        ("XFR 2 NS 127.0.0.9 G D", "XFR 2 NS {here} G D", "127.0.0.9:80"),
        ("XFR 2 NS [::9]", "XFR 2 NS {here}", "[::9]:1863"),
    ];
    for (answer, expected, upstream) in shapes {
        let dispatch = Server::start();
        let proxy = Setup::before(dispatch.address).set("limits.connect_timeout=50ms").start();
        let expected = expected.replace("{here}", &proxy.address().to_string());
        is_redirected(&proxy, &dispatch, "alice@example.com", answer, &expected);
        let mut client = proxy.client();
        client.sends("VER 1 MSNP9 MSNP8 CVR0\r\nUSR 2 TWN I alice@example.com\r\n");
        client.sees_end();
        let ended = proxy.stop();
        let opened = format!("#2 to {upstream}, ns, alice@example.com, MSNP8\n#2 follows #1 by redirect");
        assert!(ended.transcript().outline().contains(&opened), "{}", ended.transcript().outline());
    }
}

#[test]
fn host_names_and_ipv6_literals_are_followed() {
    let (dispatch, four, six) = (Server::start(), Server::start(), Server::at("[::1]:0"));
    let proxy = Setup::before(format!("localhost:{}", dispatch.port())).start();
    let here = proxy.address();
    let answer = format!("XFR 2 NS localhost:{} 0", four.port());
    is_redirected(&proxy, &dispatch, "alice@example.com", &answer, &format!("XFR 2 NS {here} 0"));
    follows(here, &four, "alice@example.com");
    let answer = format!("XFR 2 NS {} 0", six.address);
    is_redirected(&proxy, &dispatch, "alice@example.com", &answer, &format!("XFR 2 NS {here} 0"));
    follows(here, &six, "alice@example.com");
    assert_eq!(proxy.stop().transcripts.len(), 2);
}

#[test]
fn a_client_that_came_over_ipv6_is_sent_back_over_ipv6() {
    let (dispatch, notification) = (Server::start(), Server::start());
    let proxy = Setup::before(dispatch.address).listen("[::1]:0").start();
    let here = proxy.address();
    assert!(here.to_string().starts_with("[::1]:"));
    let answer = format!("XFR 2 NS {} 0 {}", notification.address, dispatch.address);
    is_redirected(&proxy, &dispatch, "alice@example.com", &answer, &format!("XFR 2 NS {here} 0 {here}"));
    follows(here, &notification, "alice@example.com");
    proxy.stop();
}

#[test]
fn a_client_is_sent_back_to_the_address_that_it_reached() {
    let (dispatch, notification) = (Server::start(), Server::start());
    let proxy = Setup::before(dispatch.address).listen("[::]:0").start();
    let port = proxy.address().port();
    for (host, account) in [("127.0.0.1", "a@example.com"), ("127.0.0.2", "b@example.com"), ("[::1]", "c@example.com")]
    {
        let here: SocketAddr = format!("{host}:{port}").parse().unwrap();
        let mut client = Peer::to(here);
        let mut server = log_in(&mut client, &dispatch, account);
        server.sends(format!("XFR 2 NS {}\r\n", notification.address));
        client.sees(format!("XFR 2 NS {here}\r\n"));
        follows(here, &notification, account);
    }
    proxy.stop();
}

#[test]
fn the_advertised_address_stands_in_every_redirect() {
    let (server, board) = (Server::start(), Server::start());
    for (advertise, with_port) in [("proxy.example", true), ("proxy.example:41863", false), ("[fd00::1]", true)] {
        let proxy = Setup::before(server.address).flag("--advertise").flag(advertise).start();
        let here = if with_port { format!("{advertise}:{}", proxy.address().port()) } else { advertise.to_owned() };
        let mut client = proxy.client();
        let mut server = log_in(&mut client, &server, "alice@example.com");
        let to = board.address;
        server.sends(format!(
            "XFR 3 SB {to} CKI 1.1\r\nRNG 7 {to} CKI 1.2 bob@example.com Bob\r\nXFR 0 NS {to} 0 {to}\r\n"
        ));
        client.sees(format!(
            "XFR 3 SB {here} CKI 1.1\r\nRNG 7 {here} CKI 1.2 bob@example.com Bob\r\nXFR 0 NS {here} 0 {here}\r\n"
        ));
        proxy.stop();
    }
}

#[test]
fn every_shape_of_xfr_sb_and_rng_leads_to_the_switchboard() {
    let (server, board) = (Server::start(), Server::start());
    let proxy = Setup::before(server.address).start();
    let (to, here) = (board.address, proxy.address());
    let mut client = proxy.client();
    let mut server = log_in(&mut client, &server, "alice@example.com");
    for (number, tail) in
        ["", " U messenger.msn.com", " U messenger.msn.com 1", " U messenger.msn.com 0"].iter().enumerate()
    {
        client.sends(format!("XFR {number} SB\r\n"));
        server.sees(format!("XFR {number} SB\r\n"));
        server.sends(format!("XFR {number} SB {to} CKI 17262740.{number}{tail}\r\n"));
        client.sees(format!("XFR {number} SB {here} CKI 17262740.{number}{tail}\r\n"));
        let mut caller = proxy.client();
        caller.sends(format!("USR 1 alice@example.com 17262740.{number}\r\n"));
        board.accept().sees(format!("USR 1 alice@example.com 17262740.{number}\r\n"));

        server.sends(format!("RNG 118{number} {to} CKI 849102291.{number} bob@example.com Bob{tail}\r\n"));
        client.sees(format!("RNG 118{number} {here} CKI 849102291.{number} bob@example.com Bob{tail}\r\n"));
        let mut callee = proxy.client();
        let answer = format!("ANS 1 alice@example.com;{{1f2e}} 849102291.{number} 118{number}\r\n");
        callee.sends(&answer);
        board.accept().sees(&answer);
    }
    let ended = proxy.stop();
    assert_eq!(ended.warnings(), [""; 0]);
    let outline = ended.transcript().outline();
    let joined: Vec<&str> = outline.lines().filter(|line| line.contains("follows")).collect();
    let expected: Vec<String> = (0..4)
        .flat_map(|number| {
            let (caller, callee) = (2 * number + 2, 2 * number + 3);
            [format!("#{caller} follows #1 by cookie"), format!("#{callee} follows #1 by invitation")]
        })
        .collect();
    assert_eq!(joined, expected);
}

#[test]
fn a_server_that_moves_a_logged_in_client_is_followed() {
    let (first, second) = (Server::start(), Server::start());
    let proxy = Setup::before(first.address).start();
    let here = proxy.address();
    let mut client = proxy.client();
    let mut server = log_in(&mut client, &first, "alice@example.com");
    server.sends("USR 2 OK alice@example.com 1 0\r\n");
    client.sees("USR 2 OK alice@example.com 1 0\r\n");
    server.sends(format!("XFR 0 NS {} U D\r\n", second.address));
    client.sees(format!("XFR 0 NS {here} U D\r\n"));
    drop(client);
    server.sees_end();
    follows(here, &second, "alice@example.com");
    let ended = proxy.stop();
    assert!(ended.transcript().outline().contains("#2 follows #1 by redirect"));
}

#[test]
fn a_request_to_log_in_again_on_the_same_connection_passes_untouched() {
    let server = Server::start();
    let proxy = Setup::before(server.address).start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    peer.sends("XFR 0 NS 0\r\n");
    client.sees("XFR 0 NS 0\r\n");
    client.sends("VER 1 MSNP9 MSNP8 CVR0\r\n");
    peer.sees("VER 1 MSNP9 MSNP8 CVR0\r\n");
    assert!(!server.has_another());
    assert!(proxy.stop().transcript().outline().contains("#1 <<< XFR 0 NS 0\n"));
}

#[test]
fn commands_behind_a_redirect_in_one_segment_arrive() {
    let (dispatch, notification) = (Server::start(), Server::start());
    let proxy = Setup::before(dispatch.address).start();
    let (to, here) = (notification.address, proxy.address());
    let mut client = proxy.client();
    let mut server = log_in(&mut client, &dispatch, "alice@example.com");
    server.sends(format!("QNG 50\r\nXFR 2 NS {to} 0 {to}\r\nMSG Hotmail Hotmail 5\r\nhelloOUT SSD\r\n"));
    client.sees(format!("QNG 50\r\nXFR 2 NS {here} 0 {here}\r\nMSG Hotmail Hotmail 5\r\nhelloOUT SSD\r\n"));
    client.sends("PNG\r\nOUT\r\n");
    server.sees("PNG\r\nOUT\r\n");
    proxy.stop();
}

#[test]
fn a_redirect_that_cannot_be_read_passes_untouched_and_is_said() {
    let dispatch = Server::start();
    let proxy = Setup::before(dispatch.address).start();
    let mut client = proxy.client();
    let mut server = log_in(&mut client, &dispatch, "alice@example.com");
    let odd = "XFR 2 NS example:99999 0\r\nXFR 2 SB\r\nXFR 2 XX 127.0.0.1:1\r\nXFR\r\nRNG 1\r\n";
    server.sends(odd);
    client.sees(odd);
    let ended = proxy.stop();
    let warning = "WARN a redirect that cannot be read: passed on untouched";
    let expected: Vec<String> =
        ["XFR", "XFR", "XFR", "XFR", "RNG"].iter().map(|verb| format!("{warning} connection=1 verb={verb}")).collect();
    assert_eq!(ended.warnings(), expected);
}

#[test]
fn two_clients_at_one_address_are_told_apart_by_their_accounts() {
    let (dispatch, notification) = (Server::start(), Server::start());
    let proxy = Setup::before(dispatch.address).start();
    let here = proxy.address();
    let mut clients = [proxy.client(), proxy.client()];
    let mut alice = log_in(&mut clients[0], &dispatch, "alice@example.com");
    let mut bob = log_in(&mut clients[1], &dispatch, "bob@example.com");
    for (server, client) in [&mut alice, &mut bob].into_iter().zip(&mut clients) {
        server.sends(format!("XFR 2 NS {} 0\r\n", notification.address));
        client.sees(format!("XFR 2 NS {here} 0\r\n"));
    }
    // the later one comes first
    follows(here, &notification, "Bob@example.com");
    follows(here, &notification, "alice@example.com");
    let joins: Vec<Vec<String>> = proxy.stop().outlines().iter().map(|outline| joins(outline)).collect();
    assert_eq!(joins, [["#4 follows #1 by redirect"], ["#3 follows #2 by redirect"]]);
}

fn joins(outline: &str) -> Vec<String> {
    outline.lines().filter(|line| line.contains("follows")).map(str::to_owned).collect()
}

#[test]
fn a_later_redirect_of_one_address_to_another_server_gets_its_own_port() {
    let (dispatch, one, two) = (Server::start(), Server::start(), Server::start());
    for advertise in [None, Some("127.0.0.1:9")] {
        let mut setup = Setup::before(dispatch.address).loud();
        if let Some(address) = advertise {
            setup = setup.flag("--advertise").flag(address);
        }
        let proxy = setup.start();
        let here = advertise.map_or(proxy.address(), |address| address.parse().unwrap());
        let mut clients = [proxy.client(), proxy.client()];
        let mut alice = log_in(&mut clients[0], &dispatch, "alice@example.com");
        let mut bob = log_in(&mut clients[1], &dispatch, "bob@example.com");
        alice.sends(format!("XFR 2 NS {} 0\r\n", one.address));
        clients[0].sees(format!("XFR 2 NS {here} 0\r\n"));
        bob.sends(format!("XFR 2 NS {} 0 {}\r\n", two.address, dispatch.address));
        let line = clients[1].sees_line();
        let door: SocketAddr = line.split(' ').nth(3).unwrap().parse().unwrap();
        assert_eq!(line, format!("XFR 2 NS {door} 0 {here}\r\n"));
        assert_ne!(door.port(), proxy.address().port());
        assert_eq!(door.ip(), here.ip());
        proxy.says(&format!("listening for one redirected client address={door} to={}", two.address));

        let mut client = Peer::to(door);
        let mut server = log_in(&mut client, &two, "bob@example.com");
        // that port is closed by now: from there on he comes back where everybody does
        server.sends(format!("XFR 3 SB {} CKI 1.1\r\nXFR 4 NS {} 0\r\n", one.address, two.address));
        client.sees(format!("XFR 3 SB {here} CKI 1.1\r\n"));
        assert!(client.sees_line().starts_with("XFR 4 NS "));
        drop(client);
        server.sees_end();
        follows(proxy.address(), &one, "alice@example.com");
        let joins: Vec<Vec<String>> = proxy.stop().outlines().iter().map(|outline| joins(outline)).collect();
        assert_eq!(joins, [["#4 follows #1 by redirect"], ["#3 follows #2 by redirect"]]);
    }
}

#[test]
fn a_server_that_sends_its_client_everywhere_opens_only_so_many_ports() {
    let dispatch = Server::start();
    let proxy = Setup::before(dispatch.address).start();
    let mut client = proxy.client();
    let mut server = log_in(&mut client, &dispatch, "alice@example.com");
    let mut ports = std::collections::HashSet::new();
    for port in 1..=200 {
        server.sends(format!("XFR 2 NS 192.0.2.1:{port}\r\nXFR 3 SB 192.0.2.1:{port} CKI {port}.1\r\n"));
        ports.insert(client.sees_line());
        client.sees_line();
    }
    // those of their own, and the one that the others share
    assert_eq!(ports.len(), 64 + 1);
    drop((client, server));
    let warnings = proxy.stop().warnings();
    assert_eq!(warnings.iter().filter(|line| line.contains("no free port")).count(), 1, "{warnings:?}");
}

#[test]
fn a_stranger_from_the_address_of_a_redirect_is_led_there_and_that_is_said() {
    let (dispatch, one) = (Server::start(), Server::start());
    let proxy = Setup::before(dispatch.address).start();
    let (answer, expected) = (format!("XFR 2 NS {}", one.address), format!("XFR 2 NS {}", proxy.address()));
    is_redirected(&proxy, &dispatch, "alice@example.com", &answer, &expected);
    // a first line does not tell who it is
    follows(proxy.address(), &one, "bob@example.com");
    follows(proxy.address(), &one, "alice@example.com");
    let ended = proxy.stop();
    let joins: Vec<Vec<String>> = ended.outlines().iter().map(|outline| joins(outline)).collect();
    assert_eq!(joins, [vec!["#3 follows #1 by redirect".to_owned()], vec![]]);
    assert_eq!(ended.warnings().len(), 1, "{:?}", ended.warnings());
    assert!(ended.warnings()[0].contains("another account's of this address: a session of its own connection=2"));
    assert!(ended.outlines()[1].contains("another account's of this address"), "{}", ended.outlines()[1]);
}

#[test]
fn a_redirect_to_a_server_that_cannot_be_reached_captures_nobody() {
    let dispatch = Server::start();
    // a port where nobody listens any more
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = Setup::before(dispatch.address).start();
    is_redirected(
        &proxy,
        &dispatch,
        "alice@example.com",
        &format!("XFR 2 NS {gone}"),
        &format!("XFR 2 NS {}", proxy.address()),
    );
    let mut client = proxy.client();
    client.sends("VER 1 MSNP8\r\n");
    client.sees_end();
    // the next one logs in where everybody does
    follows(proxy.address(), &dispatch, "alice@example.com");
    let warnings = proxy.stop().warnings();
    assert!(warnings.iter().any(|line| line.contains("to that server are forgotten")), "{warnings:?}");
}

#[test]
fn a_port_of_its_own_is_closed_when_its_redirect_expires() {
    let (dispatch, one, two) = (Server::start(), Server::start(), Server::start());
    let proxy = Setup::before(dispatch.address).set("redirect.lifetime=300ms").start();
    let mut clients = [proxy.client(), proxy.client()];
    let mut alice = log_in(&mut clients[0], &dispatch, "alice@example.com");
    let mut bob = log_in(&mut clients[1], &dispatch, "bob@example.com");
    alice.sends(format!("XFR 2 NS {}\r\n", one.address));
    clients[0].sees(format!("XFR 2 NS {}\r\n", proxy.address()));
    bob.sends(format!("XFR 2 NS {}\r\n", two.address));
    let line = clients[1].sees_line();
    let door: SocketAddr = line.trim_end().split(' ').nth(3).unwrap().parse().unwrap();
    assert_ne!(door, proxy.address());
    crate::support::eventually("the port to close", || std::net::TcpListener::bind(door).is_ok());
    proxy.stop();
}

#[test]
fn an_unknown_cookie_leads_to_the_configured_server_and_a_session_of_its_own() {
    let server = Server::start();
    let proxy = Setup::before(server.address).start();
    let mut client = proxy.client();
    client.sends("ANS 1 bob@example.com 849102291.520491113 11752013\r\n");
    let mut board = server.accept();
    board.sees("ANS 1 bob@example.com 849102291.520491113 11752013\r\n");
    board.sends("ANS 1 OK\r\n");
    client.sees("ANS 1 OK\r\n");
    drop(client);
    board.sees_end();
    drop(board);
    let ended = proxy.stop();
    let to = server.address;
    let warning = format!("WARN a switchboard with an unknown cookie: a session of its own connection=1 to={to}");
    assert_eq!(ended.warnings(), [warning]);
    let expected = [
        "session".to_owned(),
        format!("#1 to {to}, sb"),
        "#1 note: the cookie is unknown: this switchboard could not be joined to a session".to_owned(),
        "#1 >>> ANS 1 bob@example.com ******************* 11752013".to_owned(),
        "#1 <<< ANS 1 OK".to_owned(),
        "#1 closed by client".to_owned(),
        "over after 1".to_owned(),
    ];
    assert_eq!(ended.transcript().outline(), expected.join("\n"));
}

#[test]
fn a_cookie_whose_redirect_has_expired_is_unknown() {
    let (server, board) = (Server::start(), Server::start());
    let proxy = Setup::before(server.address).set("redirect.lifetime=1ms").start();
    let mut client = proxy.client();
    let mut notification = log_in(&mut client, &server, "alice@example.com");
    notification.sends(format!("XFR 3 SB {} CKI 17262740.1050826919\r\n", board.address));
    client.sees(format!("XFR 3 SB {} CKI 17262740.1050826919\r\n", proxy.address()));
    // a redirect lives from when it was read, which is before the client saw it
    std::thread::sleep(std::time::Duration::from_millis(2));
    let mut caller = proxy.client();
    caller.sends("USR 1 alice@example.com 17262740.1050826919\r\n");
    server.accept().sees("USR 1 alice@example.com 17262740.1050826919\r\n");
    assert!(!board.has_another());
    let ended = proxy.stop();
    assert_eq!(ended.transcripts.len(), 2);
    assert_eq!(ended.warnings().len(), 1, "{:?}", ended.warnings());
}

#[test]
fn after_a_restart_pending_redirects_are_unknown_and_lead_to_the_configured_server() {
    let (server, board) = (Server::start(), Server::start());
    let proxy = Setup::before(server.address).start();
    let here = proxy.address();
    let mut client = proxy.client();
    let mut notification = log_in(&mut client, &server, "alice@example.com");
    notification.sends(format!("XFR 3 SB {} CKI 1.1\r\n", board.address));
    client.sees(format!("XFR 3 SB {here} CKI 1.1\r\n"));
    proxy.stop();
    let proxy = Setup::before(server.address).listen(here).start();
    assert_eq!(proxy.address(), here);
    let mut caller = proxy.client();
    caller.sends("USR 1 alice@example.com 1.1\r\n");
    server.accept().sees("USR 1 alice@example.com 1.1\r\n");
    follows(here, &server, "alice@example.com");
    let ended = proxy.stop();
    assert_eq!(ended.transcripts.len(), 2);
}

#[test]
fn a_blank_line_does_not_hide_the_cookie_behind_it() {
    let (server, board) = (Server::start(), Server::start());
    let proxy = Setup::before(server.address).start();
    let mut client = proxy.client();
    let mut notification = log_in(&mut client, &server, "alice@example.com");
    notification.sends(format!("XFR 3 SB {} CKI 1.1\r\n", board.address));
    client.sees(format!("XFR 3 SB {} CKI 1.1\r\n", proxy.address()));
    let mut caller = proxy.client();
    caller.sends("\r\n\r\nUSR 1 alice@example.com 1.1\r\n");
    board.accept().sees("\r\n\r\nUSR 1 alice@example.com 1.1\r\n");
    assert!(proxy.stop().transcript().outline().contains("#2 follows #1 by cookie"));
}

#[test]
fn a_redirect_to_the_proxy_itself_does_not_go_round_in_circles() {
    let dispatch = Server::start();
    let proxy = Setup::before(dispatch.address).start();
    let here = proxy.address();
    let mut client = proxy.client();
    let mut server = log_in(&mut client, &dispatch, "alice@example.com");
    server.sends(format!("XFR 3 SB {here} CKI 1.1\r\n"));
    client.sees(format!("XFR 3 SB {here} CKI 1.1\r\n"));
    let mut caller = proxy.client();
    caller.sends("USR 1 alice@example.com 1.1\r\n");
    caller.sees_end();
    let outline = proxy.stop().transcript().outline();
    let end = format!("#2 closed by proxy: cannot connect to {here}: {here} is the proxy itself\nover after 2");
    assert!(outline.ends_with(&end), "{outline}");
}
