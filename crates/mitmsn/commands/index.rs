//! `mitmsn index`: the database that `mitmsn search` uses.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use msnp_index::{IndexError, Report, Wait};
use serde_json::json;

use crate::cli::{Index, Sources};
use crate::config::Config;

/// Brings the index up to date and says what was done. The exit code is 1 if a transcript could not be read in whole.
pub(super) fn run(arguments: &Index) -> Result<ExitCode> {
    let (folder, path) = places(arguments.dir.as_deref(), arguments.database.as_deref())?;
    if arguments.rebuild {
        msnp_index::Index::delete(&path, Wait::Yes)?;
    }
    let mut index = match msnp_index::Index::open(&folder, &path, Wait::No) {
        Err(IndexError::Busy { .. }) => {
            anstream::eprintln!("mitmsn: another process brings the index up to date: waiting for it");
            msnp_index::Index::open(&folder, &path, Wait::Yes)?
        }
        index => index?,
    };
    let start = Instant::now();
    let report = update(&mut index)?;
    let took = start.elapsed();
    let (transcripts, commands) = index.size()?;
    let size = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
    let mut out = anstream::stdout();
    if arguments.json {
        let all = json!({ "database": path, "bytes": size, "transcripts": transcripts, "commands": commands });
        writeln!(out, "{}", serde_json::to_string_pretty(&json!({ "update": report, "index": all }))?)?;
    } else {
        writeln!(
            out,
            "{} of {} transcripts were new or changed, {} are gone; {} commands added in {:.1} s",
            report.changed,
            report.transcripts,
            report.removed,
            report.commands,
            took.as_secs_f64()
        )?;
        writeln!(out, "{}: {commands} commands, {:.1} MB", path.display(), size as f64 / 1e6)?;
    }
    Ok(if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns the folder of transcripts and the database.
pub(super) fn places(dir: Option<&Path>, database: Option<&Path>) -> Result<(PathBuf, PathBuf)> {
    let folder = match dir {
        Some(dir) => dir.to_owned(),
        None => Config::load(&Sources::default())?.folder()?,
    };
    if !folder.is_dir() {
        match folder.exists() {
            true => bail!("{} is not a folder of transcripts", folder.display()),
            false => bail!("{} does not exist: nothing was recorded there", folder.display()),
        }
    }
    let path = database.map_or_else(|| msnp_index::Index::usual_path(&folder), Path::to_owned);
    Ok((folder, path))
}

/// Brings an index up to date, with a bar on a terminal, and tells the problems.
pub(super) fn update(index: &mut msnp_index::Index) -> Result<Report> {
    let style = ProgressStyle::with_template("indexing {wide_bar} {percent:>3}% {msg} commands")
        .context("cannot draw the progress")?;
    // not before it takes a while, and not at all without a terminal
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()).with_style(style);
    let start = Instant::now();
    let report = index.update(&mut |progress| {
        if bar.is_hidden() && start.elapsed() > PATIENCE {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        bar.set_length(progress.of);
        bar.set_position(progress.bytes);
        bar.set_message(progress.commands.to_string());
    });
    bar.finish_and_clear();
    let report = report?;
    for problem in &report.problems {
        anstream::eprintln!("mitmsn: {problem}");
    }
    Ok(report)
}

/// How long nobody needs a bar.
const PATIENCE: Duration = Duration::from_millis(300);
