//! `mitmsn stats`: the numbers of recorded sessions.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use msnp_transcript::sheet::Sheet;
use msnp_transcript::stats;
use serde::Serialize;

use super::stream::{self, Problems};
use crate::cli::{Stats, StatsBy};

/// Counts, and prints the sum.
pub(super) fn run(arguments: &Stats) -> Result<ExitCode> {
    let mut stats = stats::Stats::new();
    let mut problems = Problems::default();
    stream::each_file(&arguments.files, &mut problems, |file, events, _| {
        let name = file.to_string_lossy();
        let mut events = events.peekable();
        if events.peek().is_some() {
            stats.begin();
        }
        events.for_each(|(_, event)| stats.event(&name, &event));
        Ok(())
    })?;
    let report = stats.report();
    if report.transcripts == 0 {
        return Ok(ExitCode::FAILURE);
    }
    let mut out = anstream::stdout().lock();
    match (arguments.json, arguments.by) {
        (true, None) => json(&mut out, &report)?,
        (true, Some(StatsBy::Session)) => json(&mut out, &report.sessions)?,
        (true, Some(StatsBy::Verb)) => json(&mut out, &report.verbs)?,
        (true, Some(StatsBy::Account)) => json(&mut out, &report.accounts)?,
        (false, by) => {
            let sheets: Vec<String> = report.sheets(by.map(Into::into)).iter().map(Sheet::to_text).collect();
            write!(out, "{}\n\n{}", report.summary(), sheets.join("\n"))?;
        }
    }
    out.flush()?;
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn json(out: &mut impl Write, value: &impl Serialize) -> Result<()> {
    Ok(writeln!(out, "{}", serde_json::to_string_pretty(value)?)?)
}
