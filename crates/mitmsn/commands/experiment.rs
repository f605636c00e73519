//! `mitmsn experiment`: sends variants of a command into a live session and makes a table of what came back.

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use mitmsn_proxy::rules::render_all;

use super::control::Remote;
use super::{DIFFERENT, output};
use crate::cli::{Experiment, Reach, TableFormat};

mod file;
mod run;
mod table;

/// Runs the experiments of all files, and writes one table.
pub(super) fn run(arguments: &Experiment) -> Result<ExitCode> {
    let mut experiments = Vec::new();
    let mut problems = Vec::new();
    for file in &arguments.files {
        match file::read(file) {
            Ok(experiment) => experiments.push(experiment),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        anstream::eprintln!("{}", render_all(&problems, true));
        bail!("{} problem(s) in experiment files", problems.len());
    }
    if arguments.check {
        return Ok(ExitCode::SUCCESS);
    }
    let remote = Remote::find(&Reach { control: arguments.control, json: false })?;
    for experiment in &mut experiments {
        if let Some(account) = &arguments.account {
            experiment.account.clone_from(account);
        }
    }
    let total: usize = experiments.iter().flat_map(|one| &one.steps).map(|step| step.variants.len()).sum();
    let mut rows = Vec::new();
    let mut outcome = Ok(());
    for experiment in &experiments {
        if !arguments.quiet {
            anstream::eprintln!("{}: waiting for a session with `{}`", experiment.name, experiment.when.source());
        }
        outcome = run::run(&remote, experiment, |row| {
            rows.push(row.clone());
            if !arguments.quiet {
                let [sent, got, after, connection, passed] = table::cells(row);
                anstream::eprintln!("[{}/{total}] {sent}  ->  {got}  ({after}, {connection})  {passed}", rows.len());
            }
        });
        if outcome.is_err() {
            break;
        }
    }
    // what was found out until then is worth as much
    let text = table::write(&rows, arguments.format.unwrap_or_else(|| by_name(arguments)))?;
    match &arguments.out {
        Some(file) => std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?,
        None if rows.is_empty() && std::io::stdout().is_terminal() => {}
        None => {
            output::print(&text)?;
        }
    }
    outcome?;
    let failed = rows.iter().filter(|row| row.passed == Some(false)).count();
    if failed > 0 {
        anstream::eprintln!("mitmsn: {failed} of {} not as expected", rows.len());
        return Ok(ExitCode::from(DIFFERENT));
    }
    Ok(ExitCode::SUCCESS)
}

/// The format that the name of the output file asks for.
fn by_name(arguments: &Experiment) -> TableFormat {
    let extension = arguments.out.as_ref().and_then(|file| file.extension()?.to_str());
    match extension {
        Some("md") => TableFormat::Markdown,
        Some("wiki" | "mediawiki") => TableFormat::Mediawiki,
        Some("json") => TableFormat::Json,
        _ => TableFormat::Text,
    }
}
