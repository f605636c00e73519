//! Every format, over the example dialogues and over a transcript in which everything happens and names are hostile
//! (`data/everything.jsonl`). The judges are parsers of Python's standard library.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use msnp::{Command, LengthPolicy, text};
use msnp_transcript::event::{CommandEvent, Event, Payload, Sent, Server, Stem};
use msnp_transcript::export::{FORMATS, Options, Writer};
use msnp_transcript::{Expression, Reader, Transcript};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn everything() -> Transcript {
    Transcript::open(&here("tests/data/everything.jsonl")).unwrap()
}

fn read(text: &str) -> Transcript {
    let name = Path::new("t.jsonl");
    Transcript::read(Reader::new(text.as_bytes(), name), name).unwrap()
}

/// The example dialogues as transcripts. Their records are the text form of commands in other clothes.
fn examples() -> Vec<Transcript> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(here("../msnp/tests/data/examples")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.file_stem().unwrap() != "README");
    files.sort();
    let transcripts: Vec<Transcript> = files.iter().map(|file| example(file)).collect();
    assert_eq!(transcripts.len(), 13);
    transcripts
}

fn example(file: &Path) -> Transcript {
    let session = file.file_stem().unwrap().to_str().unwrap();
    let mut lines = format!(
        r#"{{"type":"session","seq":0,"time":"2026-11-22T12:00:00.000000Z","session":"{session}","format":"mitmsn-transcript","version":1,"software":"hand"}}"#
    );
    let source = std::fs::read_to_string(file).unwrap();
    let mut records = source.lines().peekable();
    let mut open: Vec<(&str, Server)> = Vec::new();
    let mut current = 0;
    let mut seq = 0;
    while let Some(record) = records.next() {
        let words: Vec<&str> = record.split(' ').collect();
        let mut stem = || {
            seq += 1;
            let time = format!("2026-11-22T12:{:02}:{:02}.000000Z", seq / 60, seq % 60);
            Stem { seq, time, session: session.to_owned() }
        };
        match words[0] {
            "@conn" => {
                open.push((words[1], if words[2] == "SB" { Server::Sb } else { Server::Ns }));
                current = open.len() - 1;
            }
            "@use" => current = open.iter().position(|(id, _)| *id == words[1]).unwrap(),
            "C>" | "S>" => {
                let mut record = format!("{}{}", if words[0] == "C>" { ">>>" } else { "<<<" }, &record[2..]);
                while let Some(payload) = records.next_if(|line| line[1..].starts_with('|')) {
                    let _ = write!(record, "\n|{}", &payload[2..]);
                }
                let command = text::parse(&record).unwrap()[0].command(None, LengthPolicy::Keep).unwrap();
                let sent = Sent::of(&command);
                let event = Event::Command(CommandEvent {
                    stem: stem(),
                    connection: current as u64 + 1,
                    server: Some(open[current].1),
                    direction: sent.direction,
                    verb: sent.verb,
                    trid: None,
                    args: sent.args,
                    payload: sent.payload,
                    eol: sent.eol,
                    origin: Default::default(),
                    sent: None,
                    by: Vec::new(),
                    delay: None,
                    held: None,
                    masked: Vec::new(),
                });
                let _ = write!(lines, "\n{}", serde_json::to_string(&event).unwrap());
            }
            _ => {}
        }
    }
    read(&lines)
}

fn export(name: &str, transcripts: &[Transcript], options: &Options) -> String {
    let format = FORMATS.iter().find(|format| format.name == name).unwrap();
    let Writer::File(write) = format.writer else { panic!("{name} is a folder") };
    let mut out = Vec::new();
    assert_eq!(write(transcripts, options, &mut out).unwrap(), Vec::<String>::new());
    String::from_utf8(out).unwrap()
}

fn pages(transcripts: &[Transcript], options: &Options) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let format = FORMATS.iter().find(|format| format.name == "html").unwrap();
    let Writer::Folder(write) = format.writer else { panic!("a file") };
    assert_eq!(write(transcripts, options, folder.path()).unwrap(), Vec::<String>::new());
    folder
}

/// Asks a judge; `None`, and says so, where there is no Python.
#[expect(clippy::print_stderr, reason = "a test that cannot run says so")]
fn judge(script: &str, files: &[&Path]) -> Option<String> {
    let mut process = Process::new("python3");
    process.arg("-B").arg(here("tests/judges").join(script)).args(files);
    match process.output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
            Some(said)
        }
        Err(error) => {
            eprintln!("NOT TESTED: {script} needs python3: {error}");
            None
        }
    }
}

fn with_everything() -> Vec<Transcript> {
    let mut transcripts = examples();
    transcripts.push(everything());
    transcripts
}

#[test]
fn text_gives_every_command_back() {
    for transcript in with_everything() {
        let wanted: Vec<Command> = transcript.messages().map(|message| message.command).collect();
        let text = export("text", &[transcript], &Options::default());
        let drafts = text::parse(&text).unwrap();
        let read: Vec<Command> = drafts.iter().map(|draft| draft.command(None, LengthPolicy::Keep).unwrap()).collect();
        assert_eq!(read, wanted);
    }
}

#[test]
fn text_is_as_people_quote_it() {
    let text = export("text", &[everything()], &Options::default());
    let start = "\
# Session: 01evil
# Account: alice@example.com
# Version: MSNP12
# Started: 2026-11-22 12:00:00 UTC
# Duration: 2.2 s
# Connections: 2, to ns.example:1863, sb.example:1863
# Commands: 50
# Errors: 911 AuthenticationFailed
# Recorded by: mitmsn 0.1.0
# End: the transcript ends before the session does
# Redacted: no, it shows what the transcript holds
# 12:00:00.074 #1 connected: 127.0.0.1:5 -> 127.0.0.1:1863 -> ns.example:1863

# 12:00:00.111 ns#1
>>> VER 1 MSNP12 MSNP11 CVR0
<<< VER 1 MSNP12
>>> CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.0.0777 MSMSGS alice@example.com
# ~>> CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.5.0324 MSMSGS alice@example.com   (newer)
";
    assert!(text.starts_with(start), "{text}");
    for line in [
        "# x dropped   (no bob)",
        "# =|| held as 1   (breakpoint)",
        "# + injected   (tester)",
        "# ~ delayed by 0.5 s   (slow)",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn a_filter_leaves_out_the_other_commands() {
    let filter = |source: &str| Options {
        filter: Some(Expression::compile(source).unwrap()),
        redacted: true,
        ..Options::default()
    };
    let options = filter("verb == 'QNG' && from == 'server'");
    let text = export("text", &[everything()], &options);
    let end = "# Commands: 1 of 50\n# Filter: verb == 'QNG' && from == 'server'\n# Recorded by: mitmsn 0.1.0\n\
               # End: the transcript ends before the session does\n\
               # Redacted: yes, names, addresses, texts and secrets are replaced\n\n\
               # 12:00:00.629 ns#1\n<<< QNG 50\n# ~ delayed by 0.5 s   (slow)\n";
    assert!(text.ends_with(end), "{text}");
    assert_eq!(export("json", &[everything()], &filter("verb == 'ZZZ'")), "[]\n");
    assert_eq!(export("csv", &[everything()], &filter("origin == 'injected'")).lines().count(), 2);
    let folder = pages(&[everything()], &options);
    let page = std::fs::read_to_string(folder.path().join("s-01evil/1.html")).unwrap();
    assert_eq!(page.matches("data-v=").count(), 1);
}

#[test]
fn csv_and_json_say_the_same_and_python_reads_both() {
    let folder = tempfile::tempdir().unwrap();
    let (csv, json) = (folder.path().join("t.csv"), folder.path().join("t.json"));
    std::fs::write(&csv, export("csv", &with_everything(), &Options::default())).unwrap();
    std::fs::write(&json, export("json", &with_everything(), &Options::default())).unwrap();
    if let Some(said) = judge("table.py", &[&csv, &json]) {
        assert_eq!(said, "365 rows, 0 problems\n");
    }
}

#[test]
fn a_cell_is_no_formula() {
    let mut transcript = everything();
    for event in &mut transcript.events {
        if let Event::Command(event) = event {
            event.payload = event.payload.as_ref().map(|_| Payload::Text("=HYPERLINK(\"http://evil.example\")".into()));
        }
    }
    let csv = export("csv", &[transcript], &Options::default());
    assert!(csv.contains(r#","'=HYPERLINK(""http://evil.example"")","#), "{csv}");
    assert!(!csv.contains(r#","=HYPER"#));
}

#[test]
fn pages_hold_what_they_link_to_and_nothing_of_strangers_is_markup() {
    let transcripts = with_everything();
    let folder = pages(&transcripts, &Options::default());
    if let Some(said) = judge("pages.py", &[folder.path()]) {
        assert!(said.ends_with(" 0 problems\n"), "{said}");
    }
    let page = std::fs::read_to_string(folder.path().join("s-01evil/1.html")).unwrap();
    for shown in [
        "&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}&quot;onmouseover=&#39;alert(1)&#39;&amp;amp;\\u{7}`|[[x]]{{y}}",
        "AuthenticationFailed: Bad password, ticket or cookie; server closes",
        "~ changed</b> by newer",
        "<mark><span title=\"client_version: version of the client\">7.5.0324</span></mark>",
        "x dropped</b> by no bob",
        "+ injected</b> by tester",
        "=|| held as 1</b> by breakpoint, <a href=\"1.html#c15\">let go 1.2 s later, by tester</a>",
        "~ delayed by 0.5 s</b> by slow",
        "&lt;&lt;&lt; 512 bytes are missing",
        "from the client: 9 bytes",
        "# tagged</b> &lt;script&gt;",
        "generation MSNC5: what the client can do, as bits",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    let session = std::fs::read_to_string(folder.path().join("s-01evil/index.html")).unwrap();
    for shown in
        ["LST \u{d7}30", "<b>sb#2</b> who is there: <ins>bob@example.com</ins>", "<td class=\"dropped\"><b>dropped</b>"]
    {
        assert!(session.contains(shown), "{shown}");
    }
}

#[test]
fn an_id_of_a_session_names_no_other_folder() {
    let hostile = |id: &str| {
        read(&format!(
            r#"{{"type":"session","seq":0,"time":"","session":"{id}","format":"mitmsn-transcript","version":1,"software":""}}"#
        ))
    };
    let ids = ["../../etc", "..", "", "..", "CON", "a/b\\\\c", &"x".repeat(300)];
    let folder = pages(&ids.map(hostile), &Options::default());
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let long = format!("s-{}", "x".repeat(40));
    assert_eq!(names, ["index.html", "s-", "s--2", "s--3", "s-abc", "s-con", "s-etc", &long]);
}

#[test]
fn a_long_session_has_many_pages_and_one_diagram_that_ends() {
    let mut transcript = everything();
    let message = transcript.events.iter().rposition(|event| matches!(event, Event::Command(_))).unwrap();
    let Event::Command(message) = transcript.events[message].clone() else { panic!("a command") };
    let first = transcript.events.last().unwrap().stem().seq + 1;
    for seq in first..first + 2500 {
        let mut message = message.clone();
        message.stem.seq = seq;
        transcript.events.push(Event::Command(message));
    }
    let folder = pages(&[transcript], &Options::default());
    let own = folder.path().join("s-01evil");
    let text = |name: &str| std::fs::read_to_string(own.join(name)).unwrap();
    assert!(!own.join("2-4.html").exists());
    let counts = ["2.html", "2-2.html", "2-3.html"].map(|name| text(name).matches("data-v=").count());
    assert_eq!(counts.iter().sum::<usize>(), 2507);
    assert!(counts.iter().all(|&count| count <= 1000), "{counts:?}");
    let session = text("index.html");
    assert_eq!(session.matches("class=\"hit\"").count() + session.matches("class=\"edge\"").count(), 400 - 3);
    assert!(session.contains("commands are not drawn here: the pages of the connections have them"));
    if let Some(said) = judge("pages.py", &[folder.path()]) {
        assert!(said.ends_with(" 0 problems\n"), "{said}");
    }
}

#[test]
fn events_of_one_number_have_anchors_of_their_own() {
    let mut transcript = everything();
    let twice = transcript.events[5].clone();
    transcript.events.push(twice);
    let folder = pages(&[transcript], &Options::default());
    if let Some(said) = judge("pages.py", &[folder.path()]) {
        assert!(said.ends_with(" 0 problems\n"), "{said}");
    }
}

#[test]
fn forums_and_wikis_take_names_for_names() {
    let mut transcript = everything();
    for event in &mut transcript.events {
        match event {
            Event::ConnectionOpened(opened) => opened.account = None,
            Event::Command(event) if event.verb == "USR" => {
                event.args[2] = msnp_transcript::event::Text::of(b"I");
                event.args.truncate(3);
                event.args.push(msnp_transcript::event::Text::of(b"`a`|[[b]]{{c}}<i>~~~~*_@evil.example"));
            }
            Event::Command(event) if event.verb == "CVR" => event.args.truncate(2),
            Event::Command(event) if event.verb == "UBX" => {
                event.payload = Some(Payload::Text("````\n</pre></details><script>{{subst:x}}".into()));
            }
            _ => {}
        }
    }
    let markdown = export("markdown", &[transcript.clone()], &Options::default());
    let title = r"## MSNP session of \`a\`\|\[\[b\]\]\{\{c\}\}&#60;i&#62;\~\~\~\~\*\_&#64;evil.example";
    assert!(markdown.starts_with(title), "{markdown}");
    assert!(markdown.contains("`````text\n| ````\\n\n| </pre></details><script>{{{subst:x}}\n`````\n"), "{markdown}");
    assert_eq!(markdown.matches("<details>").count(), markdown.matches("\n</details>\n").count());
    let wiki = export("mediawiki", &[transcript], &Options::default());
    let title = "== MSNP session of `a`&#124;&#91;&#91;b&#93;&#93;&#123;&#123;c&#125;&#125;&#60;i&#62;&#126;&#126;&#126;&#126;&#42;&#95;@evil.example ==\n";
    assert!(wiki.starts_with(title), "{wiki}");
    assert!(
        wiki.contains("<pre>\n| ````\\n\n| &lt;/pre&gt;&lt;/details&gt;&lt;script&gt;{{{subst:x}}\n</pre>"),
        "{wiki}"
    );
    assert_eq!(wiki.matches("<pre>").count(), wiki.matches("</pre>").count());
}
