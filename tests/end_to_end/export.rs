//! `mitmsn export`: what is written and what is not, and the pages in a real browser.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::support::said;

/// A transcript in which everything happens and names are hostile.
const EVERYTHING: &str = include_str!("../../crates/transcript/tests/data/everything.jsonl");

/// A folder with the transcript `session.jsonl`.
fn home() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("session.jsonl"), EVERYTHING).unwrap();
    home
}

fn export(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mitmsn"));
    command.env_clear().env("HOME", home).current_dir(home).arg("export").args(arguments);
    command.stdin(Stdio::null()).output().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_format_is_written_whole_and_replaces_nothing_unasked() {
    let home = home();
    let at = |name: &str| home.path().join(name);
    for (name, start) in [
        ("a.txt", "# Session: "),
        ("a.md", "## MSNP session of "),
        ("a.wiki", "== MSNP session of "),
        ("a.csv", "session,seq,time,"),
        ("a.json", "[\n{\"session\":"),
    ] {
        let output = export(home.path(), &["session.jsonl", "-o", name]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert_eq!((output.stdout.len(), said(&output).as_str()), (0, ""));
        assert!(fs::read_to_string(at(name)).unwrap().starts_with(start), "{name}");
        let output = export(home.path(), &["session.jsonl", "-o", name]);
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).ends_with(&format!("{name} exists: --force replaces it\n")), "{}", said(&output));
    }
    fs::write(at("a.csv"), "mine").unwrap();
    assert_eq!(export(home.path(), &["session.jsonl", "-o", "a.csv", "--force"]).status.code(), Some(0));
    assert!(fs::read_to_string(at("a.csv")).unwrap().starts_with("session,"));
    let output = export(home.path(), &["session.jsonl", "--format", "json"]);
    assert_eq!(output.stdout, fs::read(at("a.json")).unwrap());
    // what cannot be written leaves nothing behind
    let output = export(home.path(), &["session.jsonl", "-o", "nowhere/a.csv"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("nowhere/a.csv: No such file"), "{}", said(&output));
    let output = export(home.path(), &["session.jsonl", "-o", "/dev/full", "--format", "csv"]);
    assert!(said(&output).contains("cannot write /dev/full: No space left"), "{}", said(&output));
    assert_eq!(names(home.path()), ["a.csv", "a.json", "a.md", "a.txt", "a.wiki", "session.jsonl"]);
}

#[test]
fn pages_replace_pages_and_nothing_else() {
    let home = home();
    let pages = home.path().join("pages");
    let run =
        |more: &[&str]| export(home.path(), &[&["session.jsonl", "--format", "html", "-o", "pages"], more].concat());
    assert_eq!(run(&[]).status.code(), Some(0));
    assert!(pages.join("index.html").exists());
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).ends_with("pages exists and is not empty: --force replaces it\n"), "{}", said(&output));
    fs::write(pages.join("old.html"), "").unwrap();
    assert_eq!(run(&["--force"]).status.code(), Some(0));
    assert!(!pages.join("old.html").exists());
    // a folder of somebody else's stays
    fs::remove_dir_all(&pages).unwrap();
    fs::create_dir(&pages).unwrap();
    fs::write(pages.join("thesis.txt"), "").unwrap();
    let output = run(&["--force"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("is no export of mitmsn"), "{}", said(&output));
    assert_eq!(names(&pages), ["thesis.txt"]);
    fs::remove_file(pages.join("thesis.txt")).unwrap();
    assert_eq!(run(&[]).status.code(), Some(0), "an empty folder is taken");
    assert_eq!(names(home.path()), ["pages", "session.jsonl"]);
    let output = export(home.path(), &["session.jsonl", "--format", "html", "-o", "session.jsonl"]);
    assert!(said(&output).ends_with("session.jsonl is a file, and html needs a folder\n"), "{}", said(&output));
}

#[test]
fn names_are_replaced_unless_they_are_asked_for() {
    let home = home();
    for format in ["text", "markdown", "mediawiki", "csv", "json"] {
        let shown = |more: &[&str]| {
            let output = export(home.path(), &[&["session.jsonl", "--format", format], more].concat());
            assert_eq!(output.status.code(), Some(0), "{}", said(&output));
            String::from_utf8(output.stdout).unwrap()
        };
        let (redacted, raw) = (shown(&[]), shown(&["--no-redact"]));
        for name in ["c17@example.com", "F=C17", "alert(1)"] {
            assert!(raw.contains(name), "{format}: {name}");
        }
        for name in ["c17@example.com", "F=C17", "alert(1)"] {
            assert!(!redacted.contains(name), "{format}: {name}\n{redacted}");
        }
    }
    let output = export(home.path(), &["session.jsonl", "--format", "csv", "--filter", "account == 'c17@example.com'"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("--filter names what is replaced"), "{}", said(&output));
    // only its owner reads what is not redacted
    let mode = |name: &str| fs::metadata(home.path().join(name)).unwrap().permissions().mode() & 0o077;
    export(home.path(), &["session.jsonl", "-o", "raw.csv", "--no-redact"]);
    export(home.path(), &["session.jsonl", "--format", "html", "-o", "raw", "--no-redact"]);
    assert_eq!((mode("raw.csv"), mode("raw")), (0, 0));
}

#[test]
fn wrong_usage_and_broken_input_are_told_apart() {
    let home = home();
    for (arguments, wanted) in [
        (&["session.jsonl"][..], "which format? Say it with --format: html, text,"),
        (&["session.jsonl", "-o", "a.doc"], "which format?"),
        (&["session.jsonl", "--format", "html"], "html is a folder of files: say where with -o DIR"),
        (&["session.jsonl", "--format", "docx"], "possible values: html, text, markdown, mediawiki, csv, json"),
    ] {
        let output = export(home.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(said(&output).contains(wanted), "{}", said(&output));
    }
    let output = export(home.path(), &["session.jsonl", "--format", "csv", "--filter", "vreb == 'MSG'"]);
    assert!(said(&output).contains("unknown variable `vreb`"), "{}", said(&output));
    // what can be read is written all the same
    let torn = EVERYTHING.trim_end();
    fs::write(home.path().join("torn.jsonl"), &torn[..torn.len() - 10]).unwrap();
    let output =
        export(home.path(), &["torn.jsonl", "nothing.jsonl", "--format", "html", "-o", "pages", "--no-redact"]);
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(text.contains("torn.jsonl:60 is cut off") && text.contains("nothing.jsonl: No such file"), "{text}");
    let page = fs::read_to_string(home.path().join("pages/s-01evil/index.html")).unwrap();
    assert!(page.contains("Not all of the transcript could be read"));
}

/// A browser's view of a page: the document as it is in the end, and what the browser's console says.
#[expect(clippy::print_stderr, reason = "a test that cannot run says so")]
fn browse(folder: &Path, page: &str) -> Option<(String, String)> {
    let Some(browser) = ["chromium", "chromium-browser", "google-chrome"].iter().find_map(|name| which(name)) else {
        eprintln!("NOT TESTED: the pages in a browser need chromium");
        return None;
    };
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]);
    command.args(["--disable-component-update", "--disable-sync", "--virtual-time-budget=5000"]);
    command.args(["--enable-logging=stderr", "--v=0", "--dump-dom"]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.arg(format!("file://{}/{page}", folder.display()));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let console: String = said(&output).lines().filter(|line| line.contains("CONSOLE")).collect();
    Some((String::from_utf8(output.stdout).unwrap(), console))
}

fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.exists())
}

/// The start tags of the commands that are to be seen.
fn seen(document: &str) -> Vec<&str> {
    let tags = document.split("<li ").skip(1).filter_map(|rest| rest.split('>').next());
    let commands = tags.filter(|tag| tag.contains("data-v=") && !tag.contains("hidden"));
    commands.filter_map(|tag| tag.split('"').nth(1)).collect()
}

#[test]
fn a_browser_shows_the_pages_with_scripts_and_without() {
    let home = home();
    let output = export(home.path(), &["session.jsonl", "--format", "html", "-o", "pages", "--no-redact"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let pages = home.path().join("pages");
    for page in ["index.html", "s-01evil/index.html", "s-01evil/1.html", "s-01evil/2.html#c50"] {
        let Some((document, console)) = browse(&pages, page) else { return };
        assert_eq!(console, "", "{page}");
        assert!(document.contains("<main id=\"main\">"), "{document}");
        // the policy lets the page's own script run
        let has_form = document.contains("<form id=\"filter\"");
        assert_eq!(has_form, page != "s-01evil/index.html");
        let form = document.split("<form id=\"filter\"").nth(1).and_then(|rest| rest.split('>').next());
        assert!(form.is_none_or(|tag| !tag.contains("hidden")), "{form:?}");
    }
    // a browser that runs no script: the policy of this copy allows none
    let page = fs::read_to_string(pages.join("s-01evil/1.html")).unwrap();
    fs::write(pages.join("s-01evil/still.html"), page.replace("script-src", "script-src &#39;none&#39;; x")).unwrap();
    let Some((document, console)) = browse(&pages, "s-01evil/still.html") else { return };
    assert!(console.contains("script"), "{console}");
    assert_eq!(seen(&document).len(), 43);
    let form = document.split("<form id=\"filter\"").nth(1).and_then(|rest| rest.split('>').next());
    assert!(form.is_some_and(|tag| tag.contains("hidden")), "{form:?}");
}

#[test]
fn search_and_verbs_filter_the_commands_of_a_page() {
    let home = home();
    export(home.path(), &["session.jsonl", "--format", "html", "-o", "pages", "--no-redact"]);
    let own = home.path().join("pages/s-01evil");
    let page = fs::read_to_string(own.join("1.html")).unwrap();
    // a script that uses the page as people do; the page's policy would not let it run
    let policy = page.find("<meta http-equiv=\"Content-Security-Policy\"").unwrap();
    let after = policy + page[policy..].find('\n').unwrap();
    let unguarded = format!("{}{}", &page[..policy], &page[after..]);
    for (action, wanted, count) in [
        ("get('q').value = 'C17@example'", &["c37"][..], "1 of 43"),
        ("get('q').value = 'awy'", &[], "0 of 43"),
        ("get('q').value = '0324 CVR'", &["c4"], "1 of 43"),
        ("get('only').value = 'err'", &["c7"], "1 of 43"),
        ("get('only').value = 'fate'; get('from').value = 's2c'", &["c12", "c16"], "2 of 43"),
        ("document.querySelector('[value=VER]').checked = true", &["c2", "c3"], "2 of 43"),
        ("get('q').value = '<script>'; get('from').value = 's2c'", &["c6", "c7", "c12"], "3 of 43"),
    ] {
        let script = format!(
            "<script>const get = id => document.getElementById(id); {action}; \
             get('filter').dispatchEvent(new Event('input'));\
             document.title = get('count').value;</script></body>"
        );
        fs::write(own.join("driven.html"), unguarded.replace("</body>", &script)).unwrap();
        let Some((document, console)) = browse(&own, "driven.html") else { return };
        assert_eq!((seen(&document), console.as_str()), (wanted.to_vec(), ""), "{action}");
        assert!(document.contains(&format!("<title>{count}</title>")), "{action}");
    }
}
