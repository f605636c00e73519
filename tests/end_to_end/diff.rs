//! Comparisons: recorded sessions of two dialects, a session and its copies, and what the tool says of bad input.

use std::io::Write;
use std::path::Path;
use std::process::{Command as Process, Output, Stdio};

use msnp_sandbox::client::{Client, Login};
use msnp_sandbox::{Challenges, Options, Sandbox};
use msnp_transcript::diff::report;
use serde_json::Value;

use crate::support::{Ended, Setup};

/// Runs `mitmsn diff` with no setting of whoever runs the tests.
fn diff(arguments: &[&str], input: &str) -> Output {
    let mut command = Process::new(env!("CARGO_BIN_EXE_mitmsn"));
    command.env_clear().arg("diff").args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // a comparison that fails early reads no input
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).unwrap()
}

/// Checks that two sessions are the same. Whether a client says `OUT` before it goes differs from run to run.
pub(crate) fn assert_same(a: &Path, b: &Path) {
    let output = diff(&[a.to_str().unwrap(), b.to_str().unwrap(), "--filter", "verb != 'OUT'"], "");
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// Records one login with a switchboard.
async fn record(version: u8) -> Ended {
    let sandbox = Sandbox::start(Options { challenges: Challenges::Never, ..Options::default() }).await.unwrap();
    let proxy = Setup::before(sandbox.dispatch()).start();
    let mut login = Login::to(&sandbox, "alice@example.com", "password", msnp::Version(version));
    login.server = proxy.address().to_string();
    let mut client = Client::login(&login).await.unwrap();
    client.set_status("NLN").await.unwrap();
    client.open_switchboard().await.unwrap().leave().await.unwrap();
    client.logout().await.unwrap();
    tokio::task::spawn_blocking(|| proxy.stop()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_of_a_client_are_the_same_and_two_dialects_are_not() {
    let (first, second, newer) = (record(8).await, record(8).await, record(12).await);
    let [first, second, newer] = [&first, &second, &newer].map(|ended| ended.transcript().path.to_str().unwrap());
    let output = diff(&[first, second], "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let output = diff(&[first, newer, "--json"], "");
    assert_eq!(output.status.code(), Some(3));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    jsonschema::validator_for(&report::schema()).unwrap().validate(&report).unwrap();
    assert_eq!(report["summary"]["connections"]["changed"], 2, "{report:#}");
    let changes = report["connections"].as_array().unwrap().iter().flat_map(|connection| {
        connection["differences"].as_array().unwrap().iter().flat_map(|found| found["changes"].as_array().unwrap())
    });
    let dialect = changes.clone().find(|change| change["name"] == "dialect").unwrap();
    assert_eq!((dialect["a"].as_str(), dialect["b"].as_str()), (Some("MSNP8 CVR0"), Some("MSNP12 CVR0")));
    // from the other side, what was missing is extra
    let turned: Value = serde_json::from_slice(&diff(&[newer, first, "--json"], "").stdout).unwrap();
    let (there, back) = (&report["summary"]["commands"], &turned["summary"]["commands"]);
    assert_eq!((&there["missing"], &there["changed"]), (&back["extra"], &back["changed"]));
}

const A: &str = concat!(
    r#"{"type":"session","seq":0,"time":"2026-11-22T12:00:00.000000Z","session":"01jd","format":"mitmsn-transcript","version":1,"software":"mitmsn 0.1.0"}"#,
    "\n",
    r#"{"type":"command","seq":1,"time":"2026-11-22T12:00:01.000000Z","session":"01jd","connection":2,"server":"ns","direction":"c2s","verb":"VER","trid":1,"args":["1","MSNP8","CVR0"],"origin":"peer"}"#,
    "\n",
    r#"{"type":"command","seq":2,"time":"2026-11-22T12:00:01.000000Z","session":"01jd","connection":2,"server":"ns","direction":"c2s","verb":"CVR","trid":2,"args":["2","0x0409","winnt","5.1","i386","MSNMSGR","7.0.0777","MSMSGS","alice@example.com"],"origin":"peer"}"#,
    "\n",
    r#"{"type":"command","seq":3,"time":"2026-11-22T12:00:02.000000Z","session":"01jd","connection":2,"server":"ns","direction":"s2c","verb":"QNG","args":["50"],"origin":"peer"}"#,
    "\n",
);

#[test]
fn a_difference_is_drawn_written_ignored_or_told_by_the_exit_code_alone() {
    let home = tempfile::tempdir().unwrap();
    let [a, b, page, rules] = ["a.jsonl", "b.jsonl", "diff.html", "ignore.toml"].map(|name| home.path().join(name));
    std::fs::write(&a, A).unwrap();
    std::fs::write(&b, A.replace("7.0.0777", "7.5.0324").replace("\"2\",", "\"9\",")).unwrap();
    let [first, second, page, rules] = [&a, &b, &page, &rules].map(|path| path.to_str().unwrap());
    let output = diff(&[first, second, "--html", page], "");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert_eq!(
        text(&output.stdout),
        format!(
            "A {first} of alice@example.com: 1 connections, 3 commands\n\
             B {second} of alice@example.com: 1 connections, 3 commands\n\
             connections: 1 paired (1 with differences), 0 missing, 0 extra\n\
             commands: 2 same, 1 changed, 0 missing, 0 extra\n\n\
             === notification server: A ns#2 MSNP8, B ns#2 MSNP8: 1 changed\n\
             \u{20} >>> VER 1 MSNP8 CVR0\n\
             - >>> CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.0.0777 MSMSGS alice@example.com\n\
             + >>> CVR 9 0x0409 winnt 5.1 i386 MSNMSGR 7.5.0324 MSMSGS alice@example.com\n\
             \u{20}   ~ CVR client_version: 7.0.0777 -> 7.5.0324\n\
             \u{20} <<< QNG 50\n"
        )
    );
    assert!(std::fs::read_to_string(page).unwrap().contains("<del>7.0.0777</del> → <ins>7.5.0324</ins>"));
    let output = diff(&[first, second, "--quiet"], "");
    assert_eq!(
        (output.status.code(), text(&output.stdout), text(&output.stderr)),
        (Some(3), String::new(), String::new())
    );
    let output = diff(&[first, second, "--color", "always", "--side-by-side", "--width", "40"], "");
    assert!(text(&output.stdout).contains("\u{1b}["), "{}", text(&output.stdout));
    // standard input, and rules
    std::fs::write(
        rules,
        "[[ignore]]\nreason = \"known\"\nverbs = [\"CVR\"]\nargument = \"client_version\"\n\
         [[ignore]]\nreason = \"news\"\nverbs = [\"NOT\"]\n",
    )
    .unwrap();
    let output = diff(&[first, "-", "--ignore", rules], &std::fs::read_to_string(second).unwrap());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("ignored: 1 x known\n"), "{}", text(&output.stdout));
    assert_eq!(text(&output.stderr), format!("mitmsn: {rules}:5: nothing to ignore: news\n"));
}

#[test]
fn what_cannot_be_compared_is_named_with_its_place_and_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let [a, rules, torn, folder, page] =
        ["a.jsonl", "ignore.toml", "torn.jsonl", "folder", "no/diff.html"].map(|name| home.path().join(name));
    std::fs::write(&a, A).unwrap();
    std::fs::write(&torn, &A[..A.len() - 20]).unwrap();
    std::fs::write(&rules, "[[ignore]]\nreason = \"x\"\nverbs = [\"CVR\"]\nargument = \"client_versoin\"\n").unwrap();
    std::fs::create_dir(&folder).unwrap();
    let [first, rules, torn, folder, page] = [&a, &rules, &torn, &folder, &page].map(|path| path.to_str().unwrap());
    for (arguments, code, expected) in [
        (vec![first], 2, "<B>"),
        (vec!["-", "-"], 2, "A and B cannot both be standard input"),
        (vec![first, first, "--map", "alice"], 2, "expected ACCOUNT=ACCOUNT"),
        (vec![first, first, "--map", "a@b=c@d", "--map", "a@b=e@f"], 2, "a@b cannot stand for both c@d and e@f"),
        (vec![first, first, "--width", "80"], 2, "--side-by-side"),
        (vec![first, first, "--filter", "vreb == 'MSG'"], 1, "did you mean `verb`?"),
        (vec![first, "/nonexistent.jsonl"], 1, "/nonexistent.jsonl: No such file"),
        (vec![first, rules], 1, "ignore.toml:1: "),
        (vec![first, folder], 1, "there is no transcript in"),
        (vec![first, torn], 1, "torn.jsonl:4 is cut off: the recording ended there"),
        (vec![first, first, "--html", page], 1, "no/diff.html: No such file"),
        (vec![first, first, "--ignore", "/nonexistent.toml"], 1, "cannot read /nonexistent.toml"),
    ] {
        let output = diff(&arguments, "");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    let said = text(&diff(&[first, first, "--ignore", rules], "").stderr);
    assert!(said.contains("ignore.toml:4:12") && said.contains("did you mean `client_version`?"), "{said}");
    // a folder stands for the one transcript in it
    std::fs::copy(&a, Path::new(folder).join("one.jsonl")).unwrap();
    assert_eq!(diff(&[first, folder], "").status.code(), Some(0));
    std::fs::copy(&a, Path::new(folder).join("two.jsonl")).unwrap();
    assert!(text(&diff(&[first, folder], "").stderr).contains("holds 2 transcripts; name one of them"));
}
