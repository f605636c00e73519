//! `mitmsn coverage`: recorded sessions against the table of commands.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use msnp_transcript::coverage;
use msnp_transcript::sheet::{Sheet, page};

use super::stream::{self, Problems};
use crate::cli::{Coverage, SurveyFormat};

/// Counts, and prints the sum.
pub(super) fn run(arguments: &Coverage) -> Result<ExitCode> {
    let mut coverage = coverage::Coverage::new(arguments.msnp_version);
    let mut problems = Problems::default();
    stream::each_file(&arguments.files, &mut problems, |file, events, _| {
        let name = file.to_string_lossy();
        let mut events = events.peekable();
        if events.peek().is_some() {
            coverage.begin();
        }
        events.for_each(|(line, event)| coverage.event(&name, line, &event));
        Ok(())
    })?;
    let report = coverage.report();
    if report.transcripts == 0 {
        return Ok(ExitCode::FAILURE);
    }
    let format = if arguments.json { SurveyFormat::Json } else { arguments.format };
    let mut out = anstream::stdout().lock();
    let each = |draw: fn(&Sheet) -> String| report.sheets().iter().map(draw).collect::<Vec<_>>().join("\n");
    match format {
        SurveyFormat::Text => write!(out, "{}\n\n{}", report.summary(), each(Sheet::to_text))?,
        SurveyFormat::Markdown => write!(out, "# {TITLE}\n\n{}\n\n{}", report.summary(), each(Sheet::to_markdown))?,
        SurveyFormat::Mediawiki => write!(out, "{}\n\n{}", report.summary(), each(Sheet::to_mediawiki))?,
        SurveyFormat::Html => write!(out, "{}", page(TITLE, &report.summary(), &report.sheets()))?,
        SurveyFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
    }
    out.flush()?;
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

const TITLE: &str = "Coverage of the MSN Messenger protocol";
