//! What is wrong with a script, and where.

use std::time::Duration;

use mitmsn_lua::{Scripts, Settings};

use crate::support::{Rig, patient};

/// Loading must fail with this picture, without its first arrow line.
fn shows(source: &str, expected: &[&str]) {
    let problem = Rig::try_with(source, &patient()).err().unwrap();
    for part in expected {
        assert!(problem.contains(part), "no {part:?} in\n{problem}");
    }
}

#[test]
fn a_syntax_error_is_shown_in_its_line() {
    let source = "local script = {}\nfunction script.command(cmd)\n    local x = = 3\nend\nreturn script\n";
    let problem = Rig::try_with(source, &patient()).err().unwrap();
    let (_, picture) = problem.split_once("it.luau").unwrap();
    assert!(problem.starts_with("error: Expected identifier when parsing expression, got '='\n"), "{problem}");
    assert_eq!(picture, ":3:5\n  |\n3 |     local x = = 3\n  |     ^^^^^^^^^^^^^");
}

#[test]
fn an_error_while_the_file_runs_is_shown_in_its_line() {
    shows("local x\nx.y = 1\nreturn {}", &["attempt to index nil with 'y'", "it.luau:2:1"]);
    shows("local function f()\n error('oh')\nend\nf()\nreturn {}", &["error: oh", "it.luau:2:2"]);
    shows("\nrequire('x')", &["attempt to call a nil value", "it.luau:2:1"]);
    let mut settings = patient();
    settings.time_limit = Duration::from_millis(10);
    let problem = Rig::try_with("\n while true do end", &settings).err().unwrap();
    assert!(problem.contains("still at work after 1000 ms") && problem.contains("it.luau:2:2"), "{problem}");
}

#[test]
fn a_file_returns_a_table() {
    shows("local x = 1\n", &["a script returns a table", "help: end it with `return"]);
    shows("\nreturn 5", &["not a number", "it.luau:2:1"]);
}

#[test]
fn a_wrong_key_is_shown_with_a_hint() {
    shows("return {\n verb = { 'CVR' },\n}", &["unknown key `verb`", "it.luau:2:2", "did you mean `verbs`?"]);
    shows("local s = {}\nfunction s.comand() end\nreturn s", &["unknown key `comand`", "it.luau:2:12", "`command`?"]);
    shows("return { quite_another = 1 }", &["a script has the keys name, from, verbs"]);
    shows("return { 1 }", &["names for keys"]);
}

#[test]
fn a_wrong_value_says_what_is_right() {
    for (source, expected) in [
        ("return { from = 'peer' }", "`from` is \"client\" or \"server\", not \"peer\""),
        ("return { verbs = 'CVR' }", "`verbs` must be a list of strings, not a string"),
        ("return { verbs = {} }", "leave it out to mean all"),
        ("return { verbs = { 'cvr' } }", "\"cvr\" is no verb"),
        ("return { servers = { 'xx' } }", "\"xx\" is no kind of server: ds, ns or sb"),
        ("return { on_error = 'ignore' }", "`on_error` is \"pass\", \"drop\" or \"close\""),
        ("return { command = 1 }", "`command` must be a function, not a"),
        ("return { tick_interval = 0 }", "between 0.1 and 86400 seconds"),
        ("return { options = { f = print } }", "the option `f` is a number, a string, a boolean or a list"),
        ("return { commands = { print } }", "names for keys and functions for values"),
        ("return { name = {} }", "`name` must be a string"),
    ] {
        shows(source, &[expected, "it.luau:1:"]);
    }
}

#[test]
fn every_broken_file_is_told_of() {
    let problems = Scripts::load(&["a/none.luau".into(), "b/none.luau".into()], &Settings::default()).unwrap_err();
    assert_eq!(problems.len(), 2);
    assert!(problems[0].message.starts_with("cannot read a/none.luau: "), "{}", problems[0].message);
}
