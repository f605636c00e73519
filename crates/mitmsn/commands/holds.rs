//! `mitmsn hold`, `held`, `release` and `drop`.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use mitmsn_web::types::{self, Breakpoint, Held, Length, NewBreakpoint, Sender};
use serde_json::Value;

use super::control::Remote;
use super::output::{self, print, print_json};
use crate::cli::{Hold, Peer, Reach, Release};

/// Sets, lists or removes breakpoints.
pub(super) fn hold(arguments: &Hold) -> Result<ExitCode> {
    let remote = Remote::find(&arguments.reach)?;
    if let Some(number) = arguments.remove {
        let removed: Value = remote.delete(&format!("/api/breakpoints/{number}"))?;
        return if arguments.reach.json {
            print_json(&removed)
        } else {
            print(&format!("removed breakpoint {number}\n"))
        };
    }
    let Some(expression) = &arguments.expression else {
        let all: Vec<Breakpoint> = remote.get("/api/breakpoints")?;
        return if arguments.reach.json {
            print_json(&all)
        } else {
            print(&all.iter().map(describe).collect::<Vec<_>>().concat())
        };
    };
    output::expression("EXPR", expression)?;
    let new = NewBreakpoint {
        when: expression.clone(),
        from: arguments.from.map(|from| match from {
            Peer::Client => Sender::Client,
            Peer::Server => Sender::Server,
        }),
        first: arguments.first,
        timeout: arguments.timeout,
        answer_challenges: arguments.answer_challenges,
    };
    let set: Breakpoint = remote.post("/api/breakpoints", &new)?;
    if arguments.reach.json { print_json(&set) } else { print(&describe(&set)) }
}

/// Lists the held commands.
pub(super) fn held(reach: &Reach) -> Result<ExitCode> {
    let all: Vec<Held> = Remote::find(reach)?.get("/api/held")?;
    if reach.json {
        return print_json(&all);
    }
    let describe = |held: &Held| {
        let who = held.account.as_deref().unwrap_or("-");
        let by = held.by.join(", ");
        format!("# {}  {who} #{}  by {by}, {:.0} s left\n{}", held.number, held.connection, held.left, held.text)
    };
    print(&all.iter().map(describe).collect::<Vec<_>>().join("\n"))
}

/// Lets a held command go on.
pub(super) fn release(arguments: &Release) -> Result<ExitCode> {
    let remote = Remote::find(&arguments.reach)?;
    let number = arguments.number;
    let text = match (&arguments.with, arguments.edit) {
        (Some(file), _) => Some(read(file)?),
        (None, true) => {
            let held: Held = remote.get(&format!("/api/held/{number}"))?;
            Some(edit(&held)?)
        }
        (None, false) => None,
    };
    let length = if arguments.keep_length { Length::Keep } else { Length::Repair };
    let release = types::Release { text, length, by: None };
    let released: Value = remote.post(&format!("/api/held/{number}/release"), &release)?;
    if arguments.reach.json { print_json(&released) } else { print(&format!("released {number}\n")) }
}

/// Drops a held command.
pub(super) fn drop(number: u64, reach: &Reach) -> Result<ExitCode> {
    let release = types::Release::default();
    let dropped: Value = Remote::find(reach)?.post(&format!("/api/held/{number}/drop"), &release)?;
    if reach.json { print_json(&dropped) } else { print(&format!("dropped {number}\n")) }
}

fn describe(breakpoint: &Breakpoint) -> String {
    let NewBreakpoint { when, from, first, timeout, .. } = &breakpoint.set;
    let from = match from {
        Some(Sender::Client) => " from the client",
        Some(Sender::Server) => " from the server",
        None => "",
    };
    let first = first.map(|first| format!(", the next {first}")).unwrap_or_default();
    let hits = breakpoint.hits;
    format!("breakpoint {}: {when}{from}{first}, at most {timeout} s each, {hits} held so far\n", breakpoint.number)
}

/// Lets a person edit the text form of a held command.
fn edit(held: &Held) -> Result<String> {
    let set = |name| std::env::var(name).ok().filter(|editor| !editor.trim().is_empty());
    let Some(editor) = ["VISUAL", "EDITOR"].into_iter().find_map(set) else {
        bail!("no editor: set EDITOR, or use --with FILE");
    };
    let help = "# The command goes on as it stands here when you leave the editor. Lengths are made right. Several\n\
                # commands take its place one after the other (a second one with {trid} for its id); none drops it.\n";
    let mut file =
        tempfile::Builder::new().prefix("mitmsn-").suffix(".msnp").tempfile().context("no temporary file")?;
    file.write_all(format!("{help}{}", held.text).as_bytes()).context("cannot write a temporary file")?;
    file.flush()?;
    // as git and others do it: the variable may hold arguments
    let status = Command::new("sh").arg("-c").arg(format!("{editor} \"$@\"")).arg(&editor).arg(file.path()).status();
    let status = status.with_context(|| format!("cannot start {editor}"))?;
    if !status.success() {
        bail!("{editor} failed ({status}): {} stays held", held.number);
    }
    std::fs::read_to_string(file.path()).context("cannot read what was edited")
}

fn read(file: &Path) -> Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}
