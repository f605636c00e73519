//! The command line as people meet it: output, messages, exit codes.

use crate::support::{mitmsn, out, said};

const TRANSCRIPT: &str = concat!(
    r#"{"type":"session","seq":0,"time":"2026-11-22T12:00:00.000000Z","session":"01jd","format":"mitmsn-transcript","version":1,"software":"mitmsn 0.1.0"}"#,
    "\n",
    r#"{"type":"connection-opened","seq":1,"time":"2026-11-22T12:00:00.000000Z","session":"01jd","connection":2,"client":"127.0.0.1:5","listener":"127.0.0.1:1863","upstream":"ns.example:1863","server":"ns","account":"alice@example.com","version":"MSNP8"}"#,
    "\n",
    r#"{"type":"command","seq":2,"time":"2026-11-22T12:00:01.000000Z","session":"01jd","connection":2,"server":"ns","direction":"c2s","verb":"CVR","trid":2,"args":["2","0x0409","win","4.10","i386","MSNMSGR","5.0.0544","MSMSGS","alice@example.com"],"origin":"peer"}"#,
    "\n",
    r#"{"type":"command","seq":3,"time":"2026-11-22T12:00:02.000000Z","session":"01jd","connection":2,"server":"ns","direction":"s2c","verb":"QNG","args":["50"],"origin":"peer"}"#,
    "\n",
);

#[test]
fn wrong_usage_is_exit_code_2_and_says_what_is_right() {
    let home = tempfile::tempdir().unwrap();
    let output = mitmsn(home.path(), &["proxy", "--lisen", "127.0.0.1:0", "x"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("--listen"), "{}", said(&output));
    let output = mitmsn(home.path(), &["proxy"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("which server?"), "{}", said(&output));
    let output = mitmsn(home.path(), &["proxy", "host:99999"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("expected host, host:port or [ipv6]:port"), "{}", said(&output));
}

#[test]
fn files_that_are_missing_or_broken_are_named_with_the_place() {
    let home = tempfile::tempdir().unwrap();
    let rules = home.path().join("my.toml");
    let rules = rules.to_str().unwrap();
    let output = mitmsn(home.path(), &["proxy", "localhost", "--rules", rules]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains(&format!("cannot read {rules}: No such file")), "{}", said(&output));
    std::fs::write(rules, "[[rule]]\nverbs = [\"XRF\"]\ndrop = true\n").unwrap();
    let output = mitmsn(home.path(), &["check", "--rules", rules]);
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(text.contains("unknown verb `XRF`") && text.contains("my.toml:2:10") && text.contains('^'), "{text}");
    std::fs::create_dir_all(home.path().join(".config/mitmsn")).unwrap();
    std::fs::write(home.path().join(".config/mitmsn/config.toml"), "[limits]\nlin = 1\n").unwrap();
    let output = mitmsn(home.path(), &["check"]);
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(text.contains("config.toml:2:1") && text.contains("did you mean `line`?"), "{text}");
}

#[test]
fn an_address_in_use_is_named() {
    let home = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = mitmsn(home.path(), &["proxy", "localhost", "--no-record", "--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains(&format!("cannot listen on {address}: Address already in use")),
        "{}",
        said(&output)
    );
}

#[test]
fn show_draws_filters_and_reports_a_torn_line() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("session.jsonl");
    std::fs::write(&file, format!("{TRANSCRIPT}{{\"type\":\"comm")).unwrap();
    let file = file.to_str().unwrap();
    let output = mitmsn(home.path(), &["show", file]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        out(&output),
        "12:00:00.000 alice@example.com          ns#2 --- connected: 127.0.0.1:5 -> 127.0.0.1:1863 -> ns.example:1863\n\
         12:00:01.000 alice@example.com          ns#2 >>> CVR 2 0x0409 win 4.10 i386 MSNMSGR 5.0.0544 MSMSGS alice@example.com\n\
         12:00:02.000 alice@example.com          ns#2 <<< QNG 50\n"
    );
    assert_eq!(said(&output), format!("mitmsn: {file}:5 is cut off: the recording ended there\n"));
    let filter = "from == 'server' && version == 8 && account == 'alice@example.com'";
    let output = mitmsn(home.path(), &["show", file, "--json", "--filter", filter]);
    assert_eq!(out(&output), format!("{}\n", TRANSCRIPT.lines().last().unwrap()));
    let output = mitmsn(home.path(), &["show", file, "--filter", "vreb == 'MSG'"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        said(&output),
        "mitmsn: --filter: unknown variable `vreb`\n  vreb == 'MSG'\n  ^^^^\n  help: did you mean `verb`?\n"
    );
    let output = mitmsn(home.path(), &["show", file, "--color", "always"]);
    assert!(out(&output).contains("\u{1b}["), "{}", out(&output));
    let output = mitmsn(home.path(), &["show", "/nonexistent.jsonl"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(said(&output), "mitmsn: /nonexistent.jsonl: No such file or directory (os error 2)\n");
}

#[test]
fn check_tries_rules_on_a_session_and_touches_nothing() {
    let home = tempfile::tempdir().unwrap();
    let session = home.path().join("session.jsonl");
    std::fs::write(&session, TRANSCRIPT).unwrap();
    let rules = home.path().join("my.toml");
    std::fs::write(&rules, "[[rule]]\nname = \"newer\"\nverbs = [\"CVR\"]\nset.client_version = \"7.5\"\n").unwrap();
    let (session, rules) = (session.to_str().unwrap(), rules.to_str().unwrap());
    let output = mitmsn(home.path(), &["check", "--rules", rules, "--against", session]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(
        out(&output),
        "configuration: ok\nrules: 1 in 1 file(s): ok\n\
         12:00:01.000 alice@example.com          ns#2 >>> CVR 2 0x0409 win 4.10 i386 MSNMSGR 5.0.0544 MSMSGS alice@example.com\n\
         \u{20}                                            ~>> CVR 2 0x0409 win 4.10 i386 MSNMSGR 7.5 MSMSGS alice@example.com   (newer)\n\
         1 command(s) would have been changed\n       1  newer\n"
    );
    assert_eq!(std::fs::read_to_string(session).unwrap(), TRANSCRIPT);
    std::fs::write(rules, "[[rule]]\nverbs = [\"MSG\"]\ndrop = true\n").unwrap();
    let output = mitmsn(home.path(), &["check", "--rules", rules, "--against", session]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn help_completions_man_and_explain_say_what_they_should() {
    let home = tempfile::tempdir().unwrap();
    let help = out(&mitmsn(home.path(), &["--help"]));
    for command in ["proxy", "show", "check", "replay", "demo", "sandbox", "explain", "completions", "man"] {
        assert!(help.contains(&format!("  {command} ")), "{command}\n{help}");
    }
    assert!(help.contains("Examples:") && help.contains("Exit codes:"));
    assert!(out(&mitmsn(home.path(), &["proxy", "--help"])).contains("--keep-secrets"));
    assert!(out(&mitmsn(home.path(), &["completions", "bash"])).contains("complete -F _mitmsn"));
    assert!(out(&mitmsn(home.path(), &["man"])).starts_with(".ie"));
    let pages = home.path().join("man");
    mitmsn(home.path(), &["man", "--out", pages.to_str().unwrap()]);
    assert!(pages.join("mitmsn-proxy.1").exists());
    assert!(pages.join("mitmsn-replay-client.1").exists());
    assert!(out(&mitmsn(home.path(), &["explain", "911"])).contains("AuthenticationFailed"));
    assert!(out(&mitmsn(home.path(), &["explain", "CVR"])).contains("client_version"));
    assert_eq!(mitmsn(home.path(), &["explain", "XRF"]).status.code(), Some(1));
}

#[test]
fn the_demo_shows_the_dialogue_and_leaves_two_transcripts() {
    let home = tempfile::tempdir().unwrap();
    let output = mitmsn(home.path(), &["demo"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = out(&output);
    for line in
        ["(Say we are MSN 7.5)", "(Bob hears French)", "(redirect)", "by invitation", "  4 x Say we are MSN 7.5"]
    {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let files: Vec<_> = std::fs::read_dir(home.path().join(".local/state/mitmsn/sessions")).unwrap().collect();
    assert_eq!(files.len(), 2);
    for file in files {
        let file = file.unwrap().path();
        assert!(text.contains(file.to_str().unwrap()), "{text}");
        assert_eq!(mitmsn(home.path(), &["show", file.to_str().unwrap()]).status.code(), Some(0));
    }
}

#[cfg(feature = "lua")]
#[test]
fn check_loads_scripts() {
    let home = tempfile::tempdir().unwrap();
    let script = home.path().join("it.luau");
    std::fs::write(&script, "return { options = { rate = 1 } }").unwrap();
    let script = script.to_str().unwrap();
    let output = mitmsn(home.path(), &["check", "--script", script, "--set", "rate=0.5"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(out(&output).contains("scripts: 1"), "{}", out(&output));
    let output = mitmsn(home.path(), &["check", "--script", script, "--set", "raet=0.5"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("did you mean rate?"), "{}", said(&output));
    std::fs::write(script, "return {\n verbs = 'CVR' }").unwrap();
    let output = mitmsn(home.path(), &["check", "--script", script]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("`verbs` must be a list of strings, not a string"), "{}", said(&output));
    assert!(said(&output).contains("it.luau:2:2"), "{}", said(&output));
}
