//! What is said of rule files that are wrong: the place, what was found, what to do.

use std::path::Path;

use mitmsn_proxy::rules::{parse, render};

fn problem(source: &str) -> String {
    match parse(Path::new("rules.toml"), source) {
        Ok(rules) => panic!("accepted: {rules:?}"),
        Err(problems) => render(&problems[0], false),
    }
}

fn rule(lines: &str) -> String {
    problem(&format!("[[rule]]\nname = \"r\"\n{lines}\n"))
}

#[test]
fn a_problem_is_shown_with_file_line_column_and_caret() {
    assert_eq!(
        rule("replce = { in = \"text\" }"),
        "error: unknown key `replce` in a rule
 --> rules.toml:3:1
  |
3 | replce = { in = \"text\" }
  | ^^^^^^
  |
  = help: did you mean `replace`?"
    );
}

#[test]
fn an_unknown_verb_is_not_said_to_be_missing_as_well() {
    let shown = rule("verbs = [\"CVX\"]\nset.client_version = \"1\"");
    assert!(shown.contains("unknown verb `CVX`") && !shown.contains("has no `verbs`"), "{shown}");
}

#[test]
fn every_kind_of_mistake_has_a_message_a_place_and_a_hint() {
    let cases = [
        ("verbs = [\"XRF\"]\ndrop = true", "unknown verb `XRF`", "3:10", "did you mean `XFR`?"),
        ("verbs = [\"msg\"]\ndrop = true", "unknown verb `msg`", "3:10", "did you mean `MSG`?"),
        ("from = \"sever\"\ndrop = true", "`from` must be", "3:8", "did you mean `server`?"),
        ("server = \"nb\"\ndrop = true", "unknown kind of server", "3:10", "switchboard"),
        ("when = 'acount == \"x\"'\ndrop = true", "unknown variable `acount`", "3:9", "did you mean `account`?"),
        ("when = 'verb =='\ndrop = true", "", "3:", ""),
        (
            "verbs = [\"CVR\"]\nset.client_verson = \"1\"",
            "CVR has no argument `client_verson`",
            "4:5",
            "did you mean `client_version`?",
        ),
        ("set.client_version = \"1\"", "names an argument, but the rule has no `verbs`", "3:5", "give the index"),
        (
            "replace = { in = \"text\", regex = \"(a\", with = \"\" }",
            "bad regular expression: unclosed group",
            "3:35",
            "",
        ),
        ("replace = { in = \"text\", regex = \"a\" }", "`replace` lacks `with`", "3:11", "replace = {"),
        ("reply = \"hello\"", "`reply` is not a command line", "3:9", "a verb of three capitals"),
        ("reply = \"QNG {trd}\"", "unknown placeholder `{trd}`", "3:14", "did you mean `{trid}`?"),
        ("delay = \"5\"", "is not a duration", "3:9", ""),
        ("duplicate = 1", "`duplicate` must be a whole number from 2", "3:13", ""),
        ("probability = 2.0\ndrop = true", "`probability` must be a number from 0 to 1", "3:15", ""),
        ("length = \"keeep\"\ndrop = true", "`length` must be", "3:10", "did you mean `keep`?"),
        ("fault = { type = \"slice\" }", "unknown fault \"slice\"", "3:18", "did you mean `slicer`?"),
        ("fault = { bytes = 5 }", "`fault` lacks `type`", "3:9", "write for instance type = \"latency\""),
        ("fault = \"latency\"", "`fault` must be a table, found \"latency\"", "3:9", ""),
        (
            "fault = { type = \"limit_data\", byte = 5 }",
            "unknown key `byte` in a fault of type limit_data",
            "3:32",
            "did you mean `bytes`?",
        ),
        (
            "fault = { type = \"latency\", rate = 5 }",
            "unknown key `rate` in a fault of type latency",
            "3:29",
            "latency",
        ),
        ("fault = { type = \"bandwidth\" }", "bandwidth lacks `rate`", "3:18", "rate = 10"),
        ("fault = { type = \"bandwidth\", rate = 0 }", "`rate` must be a whole number from 1", "3:38", "rate = 10"),
        ("fault = { type = \"timeout\", timeout = 5 }", "expected a string", "3:39", ""),
        ("fault = { type = \"timeout\", timeout = \"5\" }", "is not a duration such as 250ms", "3:39", ""),
        (
            "fault = { type = \"slicer\", average_size = 5, size_variation = 5 }",
            "`size_variation` must be less than `average_size`",
            "3:63",
            "",
        ),
        ("fault = { type = \"timeout\", toxicity = 2 }", "`toxicity` must be a number from 0 to 1", "3:40", ""),
        ("fault = { type = \"timeout\", seed = 2 }", "unknown key `seed` in a fault of type timeout", "3:29", ""),
        ("seed = -1\ndrop = true", "`seed` must be a whole number from 0", "3:8", ""),
        ("drop = \"yes\"", "`drop` must be true or false, found \"yes\"", "3:8", ""),
        ("from = \"client\"", "does nothing", "1:1", "actions are"),
    ];
    for (lines, message, place, help) in cases {
        let shown = rule(lines);
        assert!(shown.contains(message), "{lines}\n{shown}");
        assert!(shown.contains(&format!("rules.toml:{place}")), "{lines}\n{shown}");
        assert!(shown.contains(help), "{lines}\n{shown}");
        assert!(shown.contains('^'), "{lines}\n{shown}");
    }
}

#[test]
fn what_is_not_toml_is_shown_too() {
    let shown = problem("[[rule]\nname = 1");
    assert!(shown.contains("rules.toml:1:") && shown.contains('^'), "{shown}");
    let shown = problem("[rule]\nname = \"x\"");
    assert!(shown.contains("must be a list of tables") && shown.contains("write [[rule]]"), "{shown}");
    let shown = problem("[[rules]]\nname = \"x\"");
    assert!(shown.contains("unknown key `rules`") && shown.contains("did you mean `rule`?"), "{shown}");
}

#[test]
fn all_problems_of_a_file_are_found_at_once() {
    let source = "[[rule]]\nverbs = [\"XRF\"]\ndropp = true\n[[rule]]\nfrom = 1\ndrop = true\n";
    assert_eq!(parse(Path::new("rules.toml"), source).map_err(|problems| problems.len()).err(), Some(3));
}
