//! Loads every file of `config/scripts` and does what its comments say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use msnp::challenge;
use msnp::types::{ServerKind, Version};

use crate::limits::Log;
use crate::live::Live;
use crate::support::{Rig, message, patient};

const TEXT: &str = "text/plain; charset=UTF-8";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/scripts")
}

fn example(file: &str) -> Rig {
    Rig::of(folder().join(file), &patient()).unwrap_or_else(|problem| panic!("{problem}"))
}

async fn live(file: &str) -> Live {
    Live::start(&std::fs::read_to_string(folder().join(file)).unwrap(), &patient()).await
}

#[test]
fn every_example_is_exercised_here() {
    let files: BTreeSet<String> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let exercised = [
        "announce.luau",
        "auto_answer.luau",
        "challenges.luau",
        "client_version.luau",
        "echo_bot.luau",
        "latency.luau",
        "login_log.luau",
        "mitmsn.d.luau",
        "nicknames.luau",
        "packet_loss.luau",
        "round_trip.luau",
    ];
    assert_eq!(files, exercised.into_iter().map(str::to_owned).collect());
    for file in exercised.into_iter().filter(|file| !file.ends_with(".d.luau")) {
        example(file);
    }
}

#[test]
fn another_client_version_is_told() {
    let rig = example("client_version.luau").at(ServerKind::Notification, 8);
    let cvr = "CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS alice@example.com\r\n";
    let made = rig.client(cvr);
    assert_eq!(made.forward, [cvr.replace("6.0.0602", "7.5.0324")]);
    assert_eq!(made.by, ["Another client version"]);
    rig.scripts.set("version", "8.5.1302").unwrap();
    rig.scripts.set("client", "MSMSGS").unwrap();
    rig.scripts.set("language", "0x0407").unwrap();
    let other = cvr.replace("6.0.0602", "8.5.1302").replace("MSNMSGR", "MSMSGS").replace("0x0409", "0x0407");
    assert_eq!(rig.client(cvr).forward, [other]);
    // in MSNP2 to MSNP7 the line ends earlier
    assert_eq!(rig.client("CVR 2 0x0409 win 4.90 i386 MSMSGS 3.6.0039\r\n").forward.len(), 1);
}

#[test]
fn the_absent_answer_each_contact_once() {
    let rig = example("auto_answer.luau");
    let hello = |text: &str| message("MSG bob@example.com Bob", TEXT, text);
    assert_eq!(rig.server(&hello("hi")).replies.len(), 0);
    rig.client("CHG 8 AWY 0\r\n");
    let made = rig.server(&hello("hi"));
    assert_eq!(made.forward, [hello("hi")]);
    let answer = "I am not at the computer. This is an automatic answer.";
    assert_eq!(made.replies, [message("MSG 0 N", TEXT, answer)]);
    assert_eq!(rig.server(&hello("are you there?")).replies.len(), 0);
    let typing = message("MSG carol@example.com Carol", "text/x-msmsgscontrol", "\r\n");
    assert_eq!(rig.server(&typing).replies.len(), 0);
    assert_eq!(rig.server(&message("MSG carol@example.com Carol", TEXT, "hi")).replies.len(), 1);
    rig.client("CHG 9 NLN 0\r\n");
    assert_eq!(rig.server(&hello("hi")).replies.len(), 0);
    rig.client("CHG 10 BRB 0\r\n");
    assert_eq!(rig.server(&hello("hi")).replies.len(), 1);
}

#[test]
fn nicknames_are_translated() {
    let rig = example("nicknames.luau").at(ServerKind::Notification, 9);
    let shows = |line: &str, expected: &str| assert_eq!(rig.server(line).forward, [expected]);
    shows("NLN NLN bob@example.com Bobby 0\r\n", "NLN NLN bob@example.com Bob%20(work) 0\r\n");
    shows("ILN 7 AWY bob@example.com Bobby 0\r\n", "ILN 7 AWY bob@example.com Bob%20(work) 0\r\n");
    shows("LST bob@example.com Bobby 11 0\r\n", "LST bob@example.com Bob%20(work) 11 0\r\n");
    shows(
        "RNG 11752013 192.0.2.20:1863 CKI 1.2 bob@example.com Bobby\r\n",
        "RNG 11752013 192.0.2.20:1863 CKI 1.2 bob@example.com Bob%20(work)\r\n",
    );
    let decorated = "NLN NLN carol@example.com [b][c=4]Carol[/c]%20\u{b7}$12,3is\u{b7}#here[/b] 0\r\n";
    shows(decorated, "NLN NLN carol@example.com Carol%20ishere 0\r\n");
    // what needs no change is left as it came, however it is encoded
    shows("NLN NLN carol@example.com C%61rol 0\r\n", "NLN NLN carol@example.com C%61rol 0\r\n");
    let rig = rig.at(ServerKind::Switchboard, 18);
    assert_eq!(
        rig.server("JOI bob@example.com;{00000000-0000-0000-0000-000000000001} Bobby 0:0\r\n").forward,
        ["JOI bob@example.com;{00000000-0000-0000-0000-000000000001} Bob%20(work) 0:0\r\n"]
    );
    let rig = rig.at(ServerKind::Notification, 10);
    assert_eq!(
        rig.server("LST N=bob@example.com F=Bobby C=7c2f 11\r\n").forward,
        ["LST N=bob@example.com F=Bob%20(work) C=7c2f 11\r\n"]
    );
    assert_eq!(rig.server("LST N=dave@example.com C=7c2f 11\r\n").by.len(), 0);
}

#[test]
fn the_echo_bot_says_everything_once() {
    let rig = example("echo_bot.luau");
    let made = rig.server(&message("MSG bob@example.com Bob", TEXT, "hello"));
    assert_eq!(made.forward, [message("MSG bob@example.com Bob", TEXT, "hello")]);
    let echo = message("MSG 0 N", TEXT, "Echo: hello").replace("\r\n\r\n", "\r\nX-Echo: 1\r\n\r\n");
    let length = echo.split_once("\r\n").unwrap().1.len();
    assert_eq!(made.replies, [echo.replacen(&(length - 11).to_string(), &length.to_string(), 1)]);
    // what another bot says, and what is no text
    let answer = made.replies[0].replace("MSG 0 N", "MSG bob@example.com Bob");
    assert!(rig.server(&answer).replies.is_empty());
    assert!(rig.server(&message("MSG bob@example.com Bob", "text/x-msmsgscontrol", "\r\n")).replies.is_empty());
    rig.scripts.set("show", "no").unwrap();
    assert!(rig.server(&message("MSG bob@example.com Bob", TEXT, "hello")).forward.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_are_in_a_table() {
    let live = live("login_log.luau").await;
    let (mut client, mut server) = live.log_in("alice@example.com").await;
    let cvr = "CVR 3 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS alice@example.com\r\n";
    client.send(cvr).await;
    server.expect(cvr).await;
    let address = client.0.local_addr().unwrap();
    let row = |outcome: &str| format!("alice@example.com\t{address}\tMSNMSGR 6.0.0602\tMSNP8\t{outcome}");
    live.says("logins", &row("under way")).await;
    server.send("USR 4 OK alice@example.com Alice 1 0\r\n").await;
    client.expect("USR 4 OK alice@example.com Alice 1 0\r\n").await;
    live.says("logins", &row("ok")).await;
    drop((client, server));
    live.says("logins", &row("ok, 0 s")).await;
    let (mut client, mut server) = live.log_in("bob@example.com").await;
    server.send("911 2\r\n").await;
    client.expect("911 2\r\n").await;
    assert!(live.call("logins", &["bob@example.com"]).await.ends_with("refused with 911"));
    assert_eq!(live.call("logins", &["carol@example.com"]).await, "");
}

#[test]
fn packets_are_lost_by_chance_and_late() {
    let rig = example("packet_loss.luau");
    rig.scripts.set("rate", "0.5").unwrap();
    let text = message("MSG 3 A", TEXT, "hi");
    let lost = || (0..200).filter(|_| rig.client(&text).forward.is_empty()).count();
    assert!((60..140).contains(&lost()));
    rig.scripts.set("rate", "1").unwrap();
    // once on its way is enough
    assert_eq!(rig.server(&message("MSG bob@example.com Bob", TEXT, "hi")).forward.len(), 1);
    let made = rig.client(&message("MSG 3 A", TEXT, "hi"));
    assert_eq!((made.forward.len(), made.tags), (0, vec!["lost".to_owned()]));
    assert_eq!(rig.client(&message("MSG 4 U", "text/x-msmsgscontrol", "\r\n")).forward.len(), 1);
    rig.scripts.set("rate", "0").unwrap();
    assert!(rig.client(&text).verdict.delay.is_none());
    rig.scripts.set("late", "1").unwrap();
    assert!(rig.client(&text).verdict.delay.unwrap().as_secs_f64() < 2.0);
}

#[test]
fn commands_that_do_not_round_trip_are_found() {
    let rig = example("round_trip.luau").at(ServerKind::Notification, 9);
    let tags = |line: &str| rig.server(line).tags;
    assert_eq!(tags("NLN NLN bob@example.com Bob 0\r\n"), [""; 0]);
    assert_eq!(tags("NLN NLN bob@example.com B%6fb 0\r\n"), ["round-trip encoding"]);
    assert_eq!(tags("ZZZ 1 2\r\n"), ["round-trip undocumented"]);
    assert_eq!(tags("LST bob@example.com  11 0 \n"), ["round-trip undocumented"; 0]);
    let broken = message("MSG bob@example.com Bob", TEXT, "\u{1}").into_bytes();
    let broken: Vec<u8> = broken.into_iter().map(|byte| if byte == 1 { 0xff } else { byte }).collect();
    assert_eq!(rig.ask(msnp::Direction::ServerToClient, &broken).tags, ["round-trip charset"]);
    let odd = rig.call("odd", &[]).unwrap();
    let lines: Vec<&str> = odd.lines().collect();
    assert_eq!(
        lines,
        [
            "1\tserver MSG charset\tconnection 1: not UTF-8",
            "1\tserver NLN encoding\tconnection 1: argument 3",
            "1\tserver ZZZ undocumented\tconnection 1: 2 arguments",
        ]
    );
}

#[test]
fn challenges_are_answered_in_the_clients_place() {
    let rig = example("challenges.luau").at(ServerKind::Notification, 12);
    let made = rig.server("CHL 0 15570131571988941333\r\n");
    let product = challenge::product_for(Version(12)).unwrap();
    let answer = challenge::answer(b"15570131571988941333", product, Version(12));
    assert_eq!(made.forward, [""; 0]);
    assert_eq!(made.replies, [format!("QRY 0 {} 32\r\n{answer}", product.id)]);
    rig.scripts.set("wrong", "true").unwrap();
    let wrong = rig.server("CHL 0 15570131571988941333\r\n").replies;
    assert_eq!(wrong[0].len(), made.replies[0].len());
    assert!(!wrong[0].ends_with(&answer));
    let rig = rig.at(ServerKind::Notification, 5);
    assert_eq!(rig.server("CHL 0 15570131571988941333\r\n").forward.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_goes_to_the_server_under_an_id_of_its_own() {
    let live = live("challenges.luau").await;
    let (mut client, mut server) = live.log_in("alice@example.com").await;
    server.send("CHL 0 15570131571988941333\r\nNLN NLN bob@example.com Bob 0\r\n").await;
    client.expect("NLN NLN bob@example.com Bob 0\r\n").await;
    let product = challenge::product_for(Version(8)).unwrap();
    let answer = challenge::answer(b"15570131571988941333", product, Version(8));
    server.expect(&format!("QRY 3 {} 32\r\n{answer}", product.id)).await;
    server.send("QRY 3\r\nFLN bob@example.com\r\n").await;
    client.expect("FLN bob@example.com\r\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announcement_is_shown_to_everybody() {
    let live = live("announce.luau").await;
    let (mut client, _server) = live.log_in("alice@example.com").await;
    live.says("announce stop", "stopped").await;
    // the script knows who it is once it has seen the account
    while live.call("announce", &["10"]).await != "told 1" {}
    let payload = "MIME-Version: 1.0\r\nContent-Type: application/x-msmsgssystemmessage\r\n\r\nType: 1\r\nArg1: 10\r\n";
    client.expect(&format!("MSG Hotmail Hotmail {}\r\n{payload}", payload.len())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_latency_of_the_server_is_measured() {
    let source = std::fs::read_to_string(folder().join("latency.luau")).unwrap();
    let live = Live::start(&source.replace("tick_interval = 5", "tick_interval = 0.1"), &patient()).await;
    let (mut client, mut server) = live.log_in("alice@example.com").await;
    server.send("USR 4 OK alice@example.com Alice 1 0\r\n").await;
    client.expect("USR 4 OK alice@example.com Alice 1 0\r\n").await;
    server.expect("PNG\r\n").await;
    server.send("QNG 50\r\nNLN NLN bob@example.com Bob 0\r\n").await;
    client.expect("NLN NLN bob@example.com Bob 0\r\n").await;
    while !live.call("latency", &[]).await.starts_with("alice@example.com\t1 answers\tmean ") {}
}

#[test]
fn nothing_of_an_example_is_lost() {
    let log = Log::of(|| {
        for file in ["auto_answer.luau", "echo_bot.luau", "nicknames.luau", "round_trip.luau", "packet_loss.luau"] {
            let rig = example(file);
            for line in
                ["MSG Hotmail Hotmail 0\r\n", "NLN\r\n", "MSG x 5\r\nhello", "RNG\r\n", "CHG\r\n", "USR 1 OK\r\n"]
            {
                rig.server(line);
                rig.client(line);
            }
        }
    });
    assert!(log.iter().all(|line| !line.contains("is lost")), "{log:?}");
}

#[test]
fn the_scripts_in_the_documentation_load() {
    let text = std::fs::read_to_string(folder().join("../../docs/scripts.md")).unwrap();
    let blocks: Vec<&str> = text.split("```luau\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 3);
    for block in &blocks {
        Rig::new(block);
    }
    let made = Rig::new(blocks[0]).client(&message("MSG 3 N", TEXT, "hello"));
    assert_eq!((made.forward, made.by), (vec![message("MSG 3 N", TEXT, "HELLO!")], vec!["Shout".to_owned()]));
    assert_eq!(Rig::new(blocks[2]).call("hello", &["Alice"]).unwrap(), "hello Alice, there are 0 connections");
}

/// Whatever a script can use has a type and is documented, and whatever has a type is there.
#[test]
fn the_types_for_editors_name_everything() {
    let documentation = std::fs::read_to_string(folder().join("../../docs/scripts.md")).unwrap();
    let documents = |before: &str, names: &BTreeSet<String>| {
        for name in names {
            let is_there = [".", ":"].iter().any(|sign| documentation.contains(&format!("`{before}{sign}{name}")));
            assert!(is_there, "{before}.{name}");
        }
    };
    let types = std::fs::read_to_string(folder().join("mitmsn.d.luau")).unwrap();
    let block = |start: &str, end: &str| {
        let (_, rest) = types.split_once(start).unwrap_or_else(|| panic!("no {start}"));
        rest.split_once(end).unwrap().0.to_owned()
    };
    let names = |block: &str| -> BTreeSet<String> {
        // further in are parameters
        let lines = block.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| !line.starts_with("--"));
        let names = lines.filter_map(|line| {
            let line = line.strip_prefix("read ").or(line.strip_prefix("function ")).unwrap_or(line);
            let end = line.find(|c: char| !c.is_alphanumeric() && c != '_')?;
            (end > 0 && [":", "("].iter().any(|sign| line[end..].starts_with(sign))).then(|| line[..end].to_owned())
        });
        names.collect()
    };
    // an unknown field is an error that lists all that there is
    let listed = |value: &str| -> BTreeSet<String> {
        let body = format!("local _, e = pcall(function() return {value}.zzzzzzzzzzzz end) ctx:tag(tostring(e))");
        let tags = Rig::body(&body).client("PNG\r\n").tags.concat();
        let (_, list) = tags.split_once("it has ").unwrap();
        list.split(", ").map(|name| name.split_whitespace().next().unwrap_or_default().to_owned()).collect()
    };
    for (kind, value) in [("Command", "cmd"), ("Context", "ctx")] {
        let own = listed(value);
        assert_eq!(names(&block(&format!("declare extern type {kind} with"), "\nend")), own);
        documents(value, &own);
    }
    for (table, start) in [("Command", "declare Command: {"), ("mitmsn", "declare mitmsn: {")] {
        let body =
            format!("local t = {{}} for name in {table} do table.insert(t, name) end ctx:tag(table.concat(t, ','))");
        let tags = Rig::body(&body).client("PNG\r\n").tags.concat();
        let there: BTreeSet<String> = tags.split(',').map(str::to_owned).collect();
        assert_eq!(names(&block(start, "\n}")), there);
        documents(table, &there);
    }
    let keys = names(&block("export type Script = {", "\n}"));
    let problem = Rig::try_with("return { zzzzzzzzzzzz = 1 }", &patient()).err().unwrap();
    let (_, list) = problem.split_once("a script has the keys ").unwrap();
    assert_eq!(keys, list.split(", ").map(|name| name.trim().to_owned()).collect());
    for key in keys {
        assert!(documentation.contains(&format!("\n| `{key}` | ")), "{key}");
    }
}
