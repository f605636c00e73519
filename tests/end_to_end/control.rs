//! The control interface, through the commands of the tool and through `curl`.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use msnp::Version;
use msnp_sandbox::client::{Client, Login};
use msnp_sandbox::{Account, Options, Sandbox};
use msnp_transcript::Event;
use msnp_transcript::event::Origin;
use serde_json::Value;

use crate::support::{Peer, Proxy, Server, Setup, eventually, log_in};

/// A sandbox, a proxy before it, and people who are online through it.
struct Office {
    runtime: tokio::runtime::Runtime,
    _sandbox: Sandbox,
    proxy: Option<Proxy>,
    people: Vec<Client>,
}

impl Office {
    fn open(rules: &str, who: &[&str]) -> Office {
        Office::with(|setup| setup.rules(rules), who)
    }

    fn with(set: impl FnOnce(Setup) -> Setup, who: &[&str]) -> Office {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let mut options = Options::default();
        options.accounts.push(Account::new("carol@example.com", "password", "Carol"));
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        let proxy = set(Setup::before(sandbox.dispatch())).controlled().start();
        let mut people = Vec::new();
        for name in who {
            let mut login = Login::to(&sandbox, &format!("{name}@example.com"), "password", Version(9));
            login.server = proxy.address().to_string();
            let online = async {
                let mut client = Client::login(&login).await?;
                client.set_status("NLN").await?;
                Ok::<_, msnp_sandbox::client::ClientError>(client)
            };
            people.push(runtime.block_on(online).unwrap());
        }
        Office { runtime, _sandbox: sandbox, proxy: Some(proxy), people }
    }

    fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().unwrap()
    }

    /// Runs a command of the tool that must succeed.
    fn tool(&self, arguments: &[&str]) -> String {
        let (code, out, problem) = self.proxy().tool(arguments);
        assert_eq!((code, problem.as_str()), (Some(0), ""), "{arguments:?}: {out}");
        out
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.tool(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap()
    }

    /// Runs a command of the tool that must fail with 1, and returns what it says.
    fn fails(&self, arguments: &[&str]) -> String {
        let (code, out, problem) = self.proxy().tool(arguments);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{arguments:?}");
        problem
    }
}

#[test]
fn sessions_are_listed_and_described() {
    let office = Office::open("", &["alice", "bob"]);
    let sessions = office.json(&["sessions"]);
    let accounts: Vec<&str> = sessions.as_array().unwrap().iter().map(|one| one["account"].as_str().unwrap()).collect();
    assert_eq!(accounts, ["alice@example.com", "bob@example.com"]);
    let names = sessions[0]["connections"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["ds1", "ns1"]);
    let alice = office.json(&["sessions", "alice"]);
    assert_eq!((&alice["version"], &alice["state"]["status"]), (&"MSNP9".into(), &"NLN".into()));
    assert_eq!(alice["state"]["contacts"]["bob@example.com"]["status"], "NLN");
    assert!(office.tool(&["sessions", "alice"]).contains("contact bob@example.com  NLN  "));
    assert!(office.fails(&["sessions", "eve"]).contains("no session of \"eve\""));
}

#[test]
fn a_command_is_sent_and_its_answer_comes_back() {
    let mut office = Office::open("", &["alice", "bob"]);
    let sent = office.json(&["send", "alice", "CHG {trid} AWY 0"]);
    assert_eq!((&sent[0]["replies"][0]["verb"], &sent[0]["done"]), (&"CHG".into(), &"quiet".into()));
    assert!(office.tool(&["send", "alice", "XYZ {trid}"]).contains("# after "));
    let told = office.tool(&["send", "alice/ns", "NLN BSY bob@example.com Bob 0", "--to", "client"]);
    assert_eq!(told, "<<< NLN BSY bob@example.com Bob 0\n");
    let Office { runtime, people, .. } = &mut office;
    // the client goes on, and hears what was injected for it
    let alice = &mut people[0];
    runtime.block_on(alice.wait_for("a status", |command| command.line() == b"NLN BSY bob@example.com Bob 0")).unwrap();
    runtime.block_on(alice.set_status("BRB")).unwrap();
    // bob has seen both of her new statuses
    let bob = &mut people[1];
    for status in ["NLN AWY alice@example.com", "NLN BRB alice@example.com"] {
        runtime.block_on(bob.wait_for("a status", |command| command.line().starts_with(status.as_bytes()))).unwrap();
    }
    let ended = office.proxy.take().unwrap().stop();
    let injected = ended.transcripts[0].events.iter().filter_map(|event| match event {
        Event::Command(event) if event.origin == Origin::Injected => Some((event.verb.as_str(), event.by.concat())),
        _ => None,
    });
    assert_eq!(injected.collect::<Vec<_>>(), [("CHG", "send".into()), ("XYZ", "send".into()), ("NLN", "send".into())]);
}

#[test]
fn payloads_and_their_lengths_are_as_asked() {
    let server = Server::start();
    let proxy = Setup::before(server.address).controlled().start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    let send = |arguments: &[&str]| {
        let (code, out, problem) = proxy.tool(&[&["send", "alice"], arguments, &["--wait", "0"]].concat());
        assert_eq!((code, problem.as_str()), (Some(0), ""), "{out}");
    };
    send(&["UUX {trid}", "--text", "<Data/>"]);
    peer.sees("UUX 3 7\r\n<Data/>");
    send(&["UUX {trid}", "--text", "<Data/>", "--length", "500"]);
    peer.sees("UUX 4 500\r\n<Data/>");
    let file = proxy.folder().join("payload");
    std::fs::write(&file, b"\x00\xff\r\n").unwrap();
    send(&["QRY {trid} msmsgs@msnmsgr.com", "--payload-file", file.to_str().unwrap()]);
    peer.sees(b"QRY 5 msmsgs@msnmsgr.com 4\r\n\x00\xff\r\n");
    send(&["MSG {trid} N", "--text", "hé"]);
    peer.sees("MSG 6 N 65\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\nhé");
    // the client's own go on behind them
    client.sends("SYN 3 0\r\n");
    peer.sees("SYN 7 0\r\n");
    proxy.stop();
}

#[test]
fn a_target_that_is_not_clear_lists_what_it_can_be() {
    let server = Server::start();
    let proxy = Setup::before(server.address).controlled().start();
    let mut clients: Vec<Peer> = (0..2).map(|_| proxy.client()).collect();
    let _peers: Vec<Peer> = clients.iter_mut().map(|client| log_in(client, &server, "alice@example.com")).collect();
    let (code, _, problem) = proxy.tool(&["send", "alice", "PNG"]);
    let expected = "mitmsn: \"alice\" can mean 2 connections: name one by its number\n  1  alice@example.com/ns1\n  2  alice@example.com/ns1\n";
    assert_eq!((code, problem.as_str()), (Some(1), expected));
    for (arguments, says) in [
        (&["send", "eve", "PNG"][..], "nobody called \"eve\" has an open connection"),
        (&["send", "9", "PNG"], "no open connection 9"),
        (&["send", "1", "PNG {nmae}"], "unknown placeholder {nmae}"),
        (&["send", "1", "png"], "it starts with three capital letters or three digits"),
        (&["close", "alice/sb"], "alice has no open connection \"sb\""),
        (&["release", "3"], "nothing is held as 3"),
        (&["hold", "verb = 1"], "EXPR: "),
        (&["rules", "enable", "x"], "there is no rule \"x\""),
        (&["call", "x"], "no script has a command \"x\""),
    ] {
        let (code, out, problem) = proxy.tool(arguments);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(problem.contains(says), "{arguments:?}: {problem}");
    }
    proxy.stop();
}

#[test]
fn a_held_command_is_edited_and_goes_on() {
    let server = Server::start();
    let proxy = Setup::before(server.address).controlled().start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    let run = |arguments: &[&str]| {
        let (code, out, problem) = proxy.tool(arguments);
        assert_eq!((code, problem.as_str()), (Some(0), ""), "{arguments:?}: {out}");
        out
    };
    run(&["hold", "verb == 'UUX'", "--from", "client", "--first", "2"]);
    client.sends("UUX 3 4\r\nabcdSYN 4 0\r\nUUX 5 1\r\nxPNG\r\n");
    let held = run(&["held"]);
    assert!(
        held.starts_with("# 1  alice@example.com #1  by breakpoint 1, ") && held.contains("\n>>> UUX 3 4\n| abcd\n"),
        "{held}"
    );
    // an editor that a script plays
    let editor = proxy.folder().join("editor");
    std::fs::write(&editor, "#!/bin/sh\nsed -i 's/abcd/a longer one/' \"$1\"\n").unwrap();
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut release = proxy.command(env!("CARGO_BIN_EXE_mitmsn"));
    let status = release.args(["release", "1", "--edit"]).env("EDITOR", &editor).stdout(Stdio::null()).status();
    assert!(status.unwrap().success());
    peer.sees("UUX 3 12\r\na longer oneSYN 4 0\r\n");
    assert_eq!(run(&["drop", "2"]), "dropped 2\n");
    client.sees("QNG\r\n");
    client.sends("PNG\r\n");
    peer.sees("PNG\r\n");
    assert!(run(&["hold"]).contains("the next 0, at most 60 s each, 2 held so far"));
    proxy.stop();
}

#[test]
fn rules_are_listed_switched_and_reloaded() {
    let rules = "[[rule]]\nname = 'no pings'\nfrom = 'client'\nverbs = ['PNG']\nreply = 'QNG 1'\n";
    let server = Server::start();
    let proxy = Setup::before(server.address).rules(rules).controlled().start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    client.sends("PNG\r\n");
    client.sees("QNG 1\r\n");
    let (_, out, _) = proxy.tool(&["rules", "disable", "no pings"]);
    assert_eq!(out, "off        1 hits  no pings\n");
    client.sends("PNG\r\n");
    peer.sees("PNG\r\n");
    let (_, out, _) = proxy.tool(&["rules", "enable", "no pings"]);
    assert_eq!(out, "on         1 hits  no pings\n");
    client.sends("PNG\r\n");
    client.sees("QNG 1\r\n");
    std::fs::write(proxy.folder().join("rules.toml"), "[[rule]]\nverbs = ['PNX']\n").unwrap();
    let (code, _, problem) = proxy.tool(&["rules", "reload"]);
    assert_eq!(code, Some(1));
    assert!(problem.contains("unknown verb `PNX`") && problem.contains("rules.toml:2:10"), "{problem}");
    client.sends("PNG\r\n");
    client.sees("QNG 1\r\n");
    proxy.stop();
}

#[test]
fn a_peer_that_has_left_is_said_to_have_left_though_the_other_stays() {
    let server = Server::start();
    let proxy = Setup::before(server.address).controlled().start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| proxy.tool(&["send", "alice", "ZZZ {trid}", "--wait", "10m"]));
        peer.sees("ZZZ 3\r\n");
        peer.ends();
        let (code, out, _) = asking.join().unwrap();
        assert_eq!((code, out.as_str()), (Some(1), ">>> ZZZ 3\n# the connection was closed\n"));
    });
    client.sees_end();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "bob@example.com");
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| proxy.tool(&["send", "bob", "XXX 1", "--to", "client", "--wait", "10m"]));
        client.sees("XXX 1\r\n");
        client.ends();
        peer.sees_end();
        let (code, out, _) = asking.join().unwrap();
        assert_eq!((code, out.as_str()), (Some(1), "<<< XXX 1\n# the connection was closed\n"));
        let (code, out, _) = proxy.tool(&["send", "bob", "XXX 2", "--to", "client"]);
        assert_eq!((code, out.as_str()), (Some(1), "# not sent\n# the connection was closed\n"));
    });
}

#[test]
fn messages_are_counted_though_a_rule_or_an_id_changed_them() {
    let server = Server::start();
    let rule = "[[rule]]\nverbs = ['MSG']\nreplace = { in = 'text', regex = 'colour', with = 'color' }\n";
    let proxy = Setup::before(server.address).rules(rule).controlled().start();
    let mut client = proxy.client();
    client.sends("USR 1 alice@example.com 17.1\r\n");
    let mut board = server.accept();
    board.sees("USR 1 alice@example.com 17.1\r\n");
    board.sends("USR 1 OK alice@example.com Alice\r\n");
    client.sees("USR 1 OK alice@example.com Alice\r\n");
    let (code, _, _) = proxy.tool(&["send", "alice", "CAL {trid} bob@example.com", "--wait", "0s"]);
    assert_eq!(code, Some(0));
    board.sees("CAL 2 bob@example.com\r\n");
    client.sends("MSG 2 A 10\r\n\r\n\r\ncolour");
    board.sees("MSG 3 A 9\r\n\r\n\r\ncolor");
    board.sends("ACK 3\r\nMSG bob@example.com Bob 10\r\n\r\n\r\ncolour");
    client.sees("ACK 2\r\nMSG bob@example.com Bob 9\r\n\r\n\r\ncolor");
    eventually("both messages and their confirmation are counted", || {
        let (_, out, _) = proxy.tool(&["sessions", "alice", "--json"]);
        let session: Value = serde_json::from_str(&out).unwrap();
        let state = &session["state"];
        let counts = ["sent", "received", "acknowledged"].map(|count| &state["switchboards"][0][count]);
        // the CAL has had no answer
        counts.iter().all(|count| **count == 1) && state["connections"][0]["in_flight"].as_array().unwrap().len() == 1
    });
    proxy.stop();
}

#[test]
fn an_answer_that_does_not_come_is_told_by_the_exit_code() {
    let server = Server::start();
    let proxy = Setup::before(server.address).controlled().start();
    let mut client = proxy.client();
    let _peer = log_in(&mut client, &server, "alice@example.com");
    let code = |arguments: &[&str]| proxy.tool(&[&["send", "alice"], arguments].concat()).0;
    assert_eq!(code(&["CHG {trid} AWY 0", "--wait", "10ms"]), Some(3));
    assert_eq!(code(&["CHG {trid} AWY 0", "--wait", "0s"]), Some(0));
    assert_eq!(code(&["NLN AWY bob@example.com Bob 0", "--to", "client"]), Some(0));
    assert_eq!(code(&["OUT", "--to", "nobody"]), Some(2));
    proxy.stop();
}

#[test]
fn what_happens_is_followed_on_the_screen() {
    let server = Server::start();
    let proxy = Setup::before(server.address).controlled().start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    let mut tail = proxy.command(env!("CARGO_BIN_EXE_mitmsn"));
    tail.args(["tail", "--filter", "verb == 'CHG' && account == 'alice@example.com'", "-n", "1"]);
    let tail = tail.stdout(Stdio::piped()).spawn().unwrap();
    // until the stream has begun nobody can tell
    let folder = proxy.folder().to_owned();
    let output = std::thread::spawn(move || tail.wait_with_output().unwrap());
    let mut id = 3;
    eventually("the tail to see a status", || {
        client.socket.peer_addr().unwrap();
        let mut handle = client.handle();
        handle.sends(format!("CHG {id} AWY 0\r\n"));
        output.is_finished()
    });
    id += 1;
    let text = String::from_utf8(output.join().unwrap().stdout).unwrap();
    assert!(text.contains("alice@example.com") && text.contains(">>> CHG 3 AWY 0"), "{text}{id}");
    peer.sees("CHG 3 AWY 0\r\n");
    drop(folder);
    proxy.stop();
}

#[test]
fn the_interface_ends_with_the_proxy_and_its_file_is_for_its_owner_alone() {
    let server = Server::start();
    let proxy = Setup::before(server.address).controlled().start();
    let folder = proxy.folder().join(".local/state/mitmsn");
    let files = || -> Vec<std::path::PathBuf> {
        let all = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
        all.filter(|path| path.is_file()).collect()
    };
    let file = files().remove(0);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let access: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let address: std::net::SocketAddr = access["address"].as_str().unwrap().parse().unwrap();
    assert!(TcpStream::connect(address).is_ok());
    // a follower does not keep the proxy from ending
    let mut tail = proxy.command(env!("CARGO_BIN_EXE_mitmsn")).arg("tail").stdout(Stdio::null()).spawn().unwrap();
    let ended = proxy.stop();
    assert_eq!(ended.status.code(), Some(143));
    assert!(tail.wait().is_ok());
    assert!(TcpStream::connect(address).is_err());
}

/// The examples of the documentation, one after the other in one shell, against a proxy with alice, bob and carol.
#[test]
fn every_example_of_the_documentation_works() {
    let has = |program: &str| std::process::Command::new(program).arg("--version").output().is_ok();
    if !(has("curl") && has("jq")) {
        eprintln!("not tested: the examples of docs/api.md need curl and jq");
        return;
    }
    let rules = "[[rule]]\nname = 'no nudges'\nverbs = ['MSG']\ntag = 'x'\n";
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/config/scripts/login_log.luau");
    let set = |setup: Setup| setup.rules(rules).flag("--script").flag(script);
    let office = Office::with(set, &["alice", "bob", "carol"]);
    let document = include_str!("../../docs/api.md");
    let blocks: Vec<&str> = document.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let routes: Vec<&str> =
        document.lines().filter_map(|line| line.strip_prefix('`')?.split_once(" /api/")?.1.split('`').next()).collect();
    assert!(routes.len() >= 12 && blocks.len() >= 12, "{routes:?}");
    let script = format!("set -e\n{}", blocks.concat());
    let output = office.proxy().command("bash").arg("-c").arg(&script).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for part in [
        r#""status":"NLN""#,
        r#""verb":"USR""#,
        r#""verb":"CHG","args":["#,
        r#""text":"<<< NLN BRB bob@example.com"#,
        r#"{"released":1}"#,
        r#"{"dropped":2}"#,
        r#"{"result":"#,
        r#"{"removed":1}"#,
        r#"{"name":"no nudges","enabled":false"#,
        "event: opening",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}
