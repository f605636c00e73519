//! `mitmsn diff`: two recorded sessions, compared.

use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use msnp_transcript::diff::report::Report;
use msnp_transcript::diff::{self, Accounts, Diff, Ignore, What, html, text};
use msnp_transcript::rule_file::{Problem, render_all};
use msnp_transcript::{Reader, Transcript};

use super::{DIFFERENT, output};
use crate::cli;

/// Compares, prints what was found and says it with the exit code.
pub(super) fn run(arguments: &cli::Diff) -> Result<ExitCode> {
    if [&arguments.a, &arguments.b].iter().all(|file| file.as_os_str() == "-") {
        return Ok(wrong_usage("A and B cannot both be standard input"));
    }
    let filter = arguments.filter.as_deref().map(|source| output::expression("--filter", source)).transpose()?;
    let ignores = ignores(&arguments.ignore)?;
    let (a, b) = (read(&arguments.a)?, read(&arguments.b)?);
    let is_sound = a.problems.is_empty() && b.problems.is_empty();
    for problem in a.problems.iter().chain(&b.problems) {
        anstream::eprintln!("mitmsn: {problem}");
    }
    let options = diff::Options {
        accounts: match arguments.accounts {
            cli::Accounts::Exact => Accounts::Exact,
            cli::Accounts::Owner => Accounts::Owner,
            cli::Accounts::Any => Accounts::Any,
        },
        map: arguments.map.clone(),
        what: if arguments.sent { What::Left } else { What::Arrived },
        pings: arguments.pings,
        filter,
        ignores,
    };
    let found = match Diff::of(&a, &b, options) {
        Ok(found) => found,
        Err(error) => return Ok(wrong_usage(&format!("--map: {error}"))),
    };
    // the comparison holds what it needs of them
    drop((a, b));
    for (rule, _) in found.ignores.iter().filter(|(_, covered)| *covered == 0) {
        let (file, line) = (rule.place.0.display(), rule.place.1);
        anstream::eprintln!("mitmsn: {file}:{line}: nothing to ignore: {}", rule.reason);
    }
    if let Some(file) = &arguments.html {
        let page = html::page(&found, arguments.context);
        std::fs::write(file, page).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if arguments.json {
        anstream::println!("{}", serde_json::to_string_pretty(&Report::of(&found))?);
    } else if !arguments.quiet {
        print(&found, arguments)?;
    }
    // what could not be read may differ
    Ok(match (found.is_same(), is_sound) {
        (_, false) => ExitCode::FAILURE,
        (true, true) => ExitCode::SUCCESS,
        (false, true) => ExitCode::from(DIFFERENT),
    })
}

fn print(found: &Diff, arguments: &cli::Diff) -> Result<()> {
    let width = || arguments.width.map_or_else(columns, usize::from);
    let options = text::Options::default()
        .context(arguments.context)
        .side_by_side(arguments.side_by_side.then(width))
        // anstream takes colours out again where they are not wanted
        .color(true);
    let mut out = anstream::AutoStream::auto(std::io::stdout().lock());
    out.write_all(text::draw(found, options).as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Returns how wide the terminal is.
fn columns() -> usize {
    let of_environment = || std::env::var("COLUMNS").ok()?.parse::<usize>().ok().filter(|columns| *columns >= 20);
    match terminal_size::terminal_size() {
        Some((width, _)) => usize::from(width.0),
        None => of_environment().unwrap_or(WIDTH),
    }
}

/// Columns where nobody says how many there are.
const WIDTH: usize = 160;

fn ignores(files: &[PathBuf]) -> Result<Vec<Ignore>> {
    let (mut ignores, mut problems) = (Vec::new(), Vec::new());
    for file in files {
        match std::fs::read_to_string(file) {
            Ok(source) => match diff::parse_ignores(file, &source) {
                Ok(rules) => ignores.extend(rules),
                Err(found) => problems.extend(found),
            },
            Err(error) => problems.push(Problem::of_file(file, &error)),
        }
    }
    if problems.is_empty() {
        return Ok(ignores);
    }
    anstream::eprintln!("{}", render_all(&problems, true));
    bail!("{} problem(s) in files of differences to ignore", problems.len())
}

/// Reads one transcript.
fn read(file: &Path) -> Result<Transcript> {
    if file.as_os_str() == "-" {
        return Ok(Transcript::read(Reader::new(BufReader::new(std::io::stdin()), file), file)?);
    }
    match &output::paths(&[file.to_owned()])?[..] {
        [one] => Ok(Transcript::open(one)?),
        [] => bail!("there is no transcript in {}", file.display()),
        [first, second, ..] => {
            let count = output::paths(&[file.to_owned()])?.len();
            let (first, second) = (first.display(), second.display());
            bail!("{} holds {count} transcripts; name one of them, such as {first} or {second}", file.display())
        }
    }
}

fn wrong_usage(message: &str) -> ExitCode {
    anstream::eprintln!("mitmsn: {message}");
    ExitCode::from(WRONG_USAGE)
}

/// Exit code of wrong usage, as of what the command line does not understand.
const WRONG_USAGE: u8 = 2;
