//! `mitmsn lint`, `coverage` and `stats`: real sessions have nothing wrong with them, and what is wrong is found.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use msnp::Version;
use msnp_sandbox::client::{Client, Login};
use msnp_sandbox::{Challenges, Options, Sandbox};
use serde_json::Value;

use crate::clients::{Person, meet};
use crate::support::{Setup, out, said};

fn mitmsn(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mitmsn"));
    command.env_clear().args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Nothing at all is found in the transcripts of a folder, on neither side.
fn is_clean(folder: &Path, count: usize) {
    for side in ["received", "sent"] {
        let output = mitmsn(&["lint", folder.to_str().unwrap(), "--severity", "info", "--side", side]);
        assert_eq!(out(&output), "", "{side}");
        assert_eq!(said(&output), format!("mitmsn: nothing wrong in {count} transcripts\n"));
        assert_eq!(output.status.code(), Some(0));
    }
}

async fn chat(sandbox: &Sandbox, proxy: String, version: u8) {
    let login = |email| Login { server: proxy.clone(), ..Login::to(sandbox, email, "password", Version(version)) };
    let mut alice = Client::login(&login("alice@example.com")).await.unwrap();
    alice.set_status("NLN").await.unwrap();
    let mut bob = Client::login(&login("bob@example.com")).await.unwrap();
    bob.set_status("AWY").await.unwrap();
    let mut hers = alice.open_switchboard().await.unwrap();
    hers.invite("bob@example.com").await.unwrap();
    let mut his = bob.accept_invitation().await.unwrap();
    hers.wait_for_participant().await.unwrap();
    hers.send_typing().await.unwrap();
    hers.send_text("Grüße\r\n你好").await.unwrap();
    his.next_message().await.unwrap();
    his.next_message().await.unwrap();
    his.send_nudge().await.unwrap();
    hers.next_message().await.unwrap();
    his.leave().await.unwrap();
    hers.wait_for_departure().await.unwrap();
    hers.leave().await.unwrap();
    bob.logout().await.unwrap();
    alice.logout().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_every_version_have_nothing_wrong() {
    let versions = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15];
    for keeps_secrets in [true, false] {
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        let setup = Setup::before(sandbox.dispatch());
        let proxy = if keeps_secrets { setup.keep_secrets() } else { setup }.start();
        for version in versions {
            chat(&sandbox, proxy.address().to_string(), version).await;
        }
        let ended = tokio::task::spawn_blocking(|| proxy.stop()).await.unwrap();
        let folder = ended.transcripts[0].path.parent().unwrap();
        is_clean(folder, versions.len() * 2);

        let output = mitmsn(&["coverage", folder.to_str().unwrap(), "--json"]);
        let report: Value = serde_json::from_str(&out(&output)).unwrap();
        assert_eq!(report["undocumented"].as_array().unwrap().len(), 0, "{}", report["undocumented"]);
        assert!(report["seen"].as_array().unwrap().len() > 60);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_clients_that_others_wrote_have_nothing_wrong() {
    // this client answers no challenge
    let options = Options { challenges: Challenges::Never, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let proxy = Setup::before(sandbox.dispatch()).keep_secrets().start();
    let nexus = sandbox.nexus_url();
    let mut alice = Person::log_in(proxy.address(), &nexus, "alice@example.com").await;
    let mut bob = Person::log_in(proxy.address(), &nexus, "bob@example.com").await;
    meet(&mut alice, &mut bob).await;
    let ended = tokio::task::spawn_blocking(|| proxy.stop()).await.unwrap();
    let folder = ended.transcripts[0].path.parent().unwrap();
    is_clean(folder, 2);

    let output = mitmsn(&["stats", folder.to_str().unwrap(), "--json"]);
    let report: Value = serde_json::from_str(&out(&output)).unwrap();
    let (alice, bob) = (&report["accounts"]["alice@example.com"], &report["accounts"]["bob@example.com"]);
    assert_eq!((&alice["said"]["text"], &alice["heard"]["text"]), (&1.into(), &1.into()));
    assert_eq!((&bob["said"]["nudge"], &bob["heard"]["nudge"]), (&1.into(), &1.into()));
    assert_eq!(report["errors"], Value::Array(Vec::new()));
    let replies: Vec<&str> =
        report["replies"].as_array().unwrap().iter().filter_map(|reply| reply["verb"].as_str()).collect();
    assert!(["VER", "USR", "SYN", "CAL", "MSG"].iter().all(|verb| replies.contains(verb)), "{replies:?}");
    let text = out(&mitmsn(&["stats", folder.to_str().unwrap(), "--by", "account"]));
    assert!(text.contains("\nPeople\n") && !text.contains("\nCommands\n"), "{text}");
}

const HEADER: &str = concat!(
    r#"{"type":"session","seq":0,"time":"2026-11-22T12:00:00.000000Z","session":"01jd","format":"mitmsn-transcript","version":1,"software":"mitmsn 0.1.0"}"#,
    "\n",
    r#"{"type":"connection-opened","seq":1,"time":"2026-11-22T12:00:00.000000Z","session":"01jd","connection":2,"client":"127.0.0.1:5","listener":"127.0.0.1:1863","upstream":"ns.example:1863","server":"ns","account":"alice@example.com","version":"MSNP8"}"#,
    "\n",
);
const WRONG: &str = concat!(
    r#"{"type":"command","seq":2,"time":"2026-11-22T12:00:01.000000Z","session":"01jd","connection":2,"server":"ns","direction":"c2s","verb":"PNG","args":[],"eol":"\n","origin":"peer"}"#,
    "\n",
    r#"{"type":"command","seq":3,"time":"2026-11-22T12:00:02.000000Z","session":"01jd","connection":2,"server":"ns","direction":"s2c","verb":"URL","args":["7","/x","https://l/"],"origin":"peer"}"#,
    "\n",
    r#"{"type":"command","seq":4,"time":"2026-11-22T12:00:03.000000Z","session":"01jd","connection":2,"server":"ns","direction":"s2c","verb":"QNG","args":[],"origin":"peer"}"#,
    "\n",
);

#[test]
fn what_is_wrong_is_told_with_place_rule_and_source() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a b.jsonl");
    std::fs::write(&file, [HEADER, WRONG].concat()).unwrap();
    let file = file.to_str().unwrap();
    let output = mitmsn(&["lint", file]);
    let expected = format!(
        "{file}:3: warning: the line ends in LF, without CR [framing/bare-lf]\n    >>> PNG\n    \
         2026-11-22T12:00:01.000000Z ns #2, seq 2, session 01jd\n    a line ends in LF without CR; source: framing 1 (ESC KB21)\n\
         {file}:4: error: the client sent nothing with id 7 [transaction/not-echoed]\n    <<< URL 7 /x https://l/\n    \
         2026-11-22T12:00:02.000000Z ns #2, seq 3, session 01jd\n    \
         an answer to a transaction id that was not asked; source: framing 2, what to track (ESC PUR M11)\n"
    );
    assert_eq!(out(&output), expected);
    assert_eq!(
        (output.status.code(), said(&output).as_str()),
        (Some(3), "mitmsn: 1 error, 1 warning in 1 transcript\n")
    );

    let codes = |arguments: &[&str]| mitmsn(&[&["lint", file], arguments].concat()).status.code();
    assert_eq!(codes(&["--severity", "error", "--ignore", "transaction"]), Some(0));
    assert_eq!(codes(&["--rule", "framing/bare-lf"]), Some(3));
    assert_eq!(codes(&["--rule", "challenge"]), Some(0));
    let output = mitmsn(&["lint", file, "--rule", "framing/bare-fl"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(said(&output), "mitmsn: no rule is called framing/bare-fl; did you mean framing/bare-lf?\n");

    let lines = out(&mitmsn(&["lint", file, "--json"]));
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["file"], &first["line"], &first["rule"]), (&file.into(), &3.into(), &"framing/bare-lf".into()));
}

#[test]
fn a_sarif_log_names_rules_places_and_what_could_not_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a b.jsonl");
    std::fs::write(&file, [HEADER, WRONG, "nonsense\n", &WRONG[..40]].concat()).unwrap();
    let output = mitmsn(&["lint", file.to_str().unwrap(), "--sarif"]);
    assert_eq!(output.status.code(), Some(1));
    let log: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for result in results {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert!(place["artifactLocation"]["uri"].as_str().unwrap().ends_with("/a%20b.jsonl"));
        assert!(place["region"]["startLine"].as_u64().unwrap() >= 3);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
    }
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let told = invocation["toolExecutionNotifications"].as_array().unwrap();
    assert!(told[0]["message"]["text"].as_str().unwrap().contains("a b.jsonl:6: "), "{told:?}");
    assert!(
        told[1]["message"]["text"].as_str().unwrap().ends_with("a b.jsonl:7 is cut off: the recording ended there")
    );
}

#[test]
fn what_is_no_transcript_is_refused_by_all_three() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.jsonl");
    for (bytes, line) in [(&b"\x00\xff\xfe garbage"[..], 1), (b"", 1), (WRONG.as_bytes(), 1), (b"{}\n{}\n", 1)] {
        std::fs::write(&file, bytes).unwrap();
        for command in ["lint", "coverage", "stats"] {
            let output = mitmsn(&[command, file.to_str().unwrap()]);
            let name = file.display();
            let text = said(&output);
            let is_refused = text.contains(&format!("{name}:{line}: not a mitmsn-transcript of version 1"))
                || text.contains(&format!("{name}:{line} is cut off"));
            assert!(is_refused && output.status.code() == Some(1), "{command}: {text}");
        }
    }
    let output = mitmsn(&["coverage", "/nonexistent.jsonl"]);
    assert_eq!(said(&output), "mitmsn: /nonexistent.jsonl: No such file or directory (os error 2)\n");
}

#[test]
fn coverage_comes_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.jsonl");
    let odd = WRONG.replace("\"URL\"", "\"ZZZ\"").replace("https://l/", "<script>");
    std::fs::write(&file, [HEADER, &odd].concat()).unwrap();
    let file = file.to_str().unwrap();
    let text = out(&mitmsn(&["coverage", file]));
    assert!(
        text.starts_with("3 commands in 1 transcripts: 2 of ") && text.contains("Seen but undocumented\n"),
        "{text}"
    );
    assert!(text.contains(&format!("{file}:4")), "{text}");
    let markdown = out(&mitmsn(&["coverage", file, "--format", "markdown"]));
    assert!(markdown.contains("| `ZZZ` | s2c | ns | 3 | the verb | 1 | 8 |"), "{markdown}");
    let wiki = out(&mitmsn(&["coverage", file, "--format", "mediawiki"]));
    assert!(wiki.contains("{| class=\"wikitable sortable\"") && wiki.contains("<code>ZZZ</code>"), "{wiki}");
    let html = out(&mitmsn(&["coverage", file, "--format", "html"]));
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("<code>ZZZ</code>") && !html.contains("<script"));
    let limited: Value =
        serde_json::from_str(&out(&mitmsn(&["coverage", file, "--version", "MSNP12", "--json"]))).unwrap();
    assert_eq!((&limited["commands"], &limited["version"]), (&0.into(), &"MSNP12".into()));
}
