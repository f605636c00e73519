//! `mitmsn lint`: what is wrong in recorded sessions.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use msnp_transcript::lint::rules::{self, RULES};
use msnp_transcript::lint::sarif::Writer;
use msnp_transcript::lint::{Finding, Linter, Needs, Rule, Severity};
use serde_json::{Value, json};

use super::DIFFERENT;
use super::stream::{self, Problems};
use crate::cli::Lint;

/// Judges the transcripts and prints what was found.
pub(super) fn run(arguments: &Lint) -> Result<ExitCode> {
    if arguments.list {
        return list(arguments.json);
    }
    if let Some(name) = &arguments.explain {
        return explain(name);
    }
    let selection = Selection::of(arguments)?;
    let mut found = Count::default();
    let mut problems = Problems::default();
    if arguments.sarif {
        let mut writer = Writer::new(std::io::stdout().lock(), env!("CARGO_PKG_VERSION"))?;
        let mut print = |file: &Path, finding: &Finding| writer.finding(&file.to_string_lossy(), finding);
        judge(arguments, &selection, &mut found, &mut problems, &mut print)?;
        writer.finish(problems.texts(), &found.notes())?;
    } else {
        let mut out = anstream::AutoStream::auto(std::io::stdout().lock());
        let mut print = |file: &Path, finding: &Finding| match arguments.json {
            true => writeln!(out, "{}", to_json(file, finding)),
            false => write_text(&mut out, file, finding),
        };
        judge(arguments, &selection, &mut found, &mut problems, &mut print)?;
        out.flush()?;
    }
    found.notes().iter().for_each(|note| anstream::eprintln!("mitmsn: {note}"));
    if found.files > 0 {
        anstream::eprintln!("mitmsn: {}", found.summary(selection.severity));
    }
    Ok(match (problems.is_empty(), found.reported()) {
        (false, _) => ExitCode::FAILURE,
        (true, 0) => ExitCode::SUCCESS,
        (true, _) => ExitCode::from(DIFFERENT),
    })
}

fn judge(
    arguments: &Lint,
    selection: &Selection,
    found: &mut Count,
    problems: &mut Problems,
    print: &mut dyn FnMut(&Path, &Finding) -> std::io::Result<()>,
) -> Result<()> {
    stream::each_file(&arguments.files, problems, |file, events, _| {
        let mut linter = Linter::new(arguments.side.into());
        let mut take = |findings: Vec<Finding>, found: &mut Count| -> Result<()> {
            for finding in findings.iter().filter(|finding| selection.holds(finding.rule)) {
                if finding.rule.severity < selection.severity {
                    found.below += 1;
                    continue;
                }
                found.add(finding.rule.severity);
                print(file, finding)?;
            }
            Ok(())
        };
        let mut is_empty = true;
        for (line, event) in events {
            is_empty = false;
            take(linter.event(line, &event), found)?;
        }
        take(linter.finish(), found)?;
        found.files += u64::from(!is_empty);
        for note in linter.notes() {
            if found.notes.len() < MOST_NOTES || found.notes.contains_key(&note) {
                found.notes.entry(note).or_insert_with(|| (file.to_owned(), 0)).1 += 1;
            }
        }
        Ok(())
    })
}

/// Which rules count.
struct Selection {
    severity: Severity,
    rules: Vec<&'static Rule>,
}

impl Selection {
    fn of(arguments: &Lint) -> Result<Selection> {
        let mut selected = match arguments.rule.is_empty() {
            true => RULES.to_vec(),
            false => named(&arguments.rule)?,
        };
        let ignored = named(&arguments.ignore)?;
        selected.retain(|rule| !ignored.contains(rule));
        Ok(Selection { severity: arguments.severity.into(), rules: selected })
    }

    fn holds(&self, rule: &Rule) -> bool {
        self.rules.iter().any(|selected| selected.id == rule.id)
    }
}

fn named(names: &[String]) -> Result<Vec<&'static Rule>> {
    let found: Vec<Vec<&Rule>> = names.iter().map(|name| rules::find(name)).collect::<Result<_, _>>()?;
    Ok(found.concat())
}

/// How much was found.
#[derive(Default)]
struct Count {
    by_severity: [u64; 3],
    below: u64,
    files: u64,
    /// What could not be judged, in which file first, and in how many.
    notes: BTreeMap<String, (PathBuf, u64)>,
}

impl Count {
    fn add(&mut self, severity: Severity) {
        self.by_severity[severity as usize] += 1;
    }

    fn reported(&self) -> u64 {
        self.by_severity.iter().sum()
    }

    fn notes(&self) -> Vec<String> {
        let note = |(note, (file, count)): (&String, &(PathBuf, u64))| match count {
            1 => format!("{}: {note}", file.display()),
            count => format!("{} and {} more: {note}", file.display(), count - 1),
        };
        self.notes.iter().map(note).collect()
    }

    fn summary(&self, threshold: Severity) -> String {
        let counts: Vec<String> = Severity::ALL
            .iter()
            .rev()
            .filter(|severity| self.by_severity[**severity as usize] > 0)
            .map(|severity| plural(self.by_severity[*severity as usize], severity.as_str()))
            .collect();
        let found = if counts.is_empty() { "nothing wrong".into() } else { counts.join(", ") };
        let below = match self.below {
            0 => String::new(),
            count => format!("; {count} below --severity {threshold}"),
        };
        format!("{found} in {}{below}", plural(self.files, "transcript"))
    }
}

fn plural(count: u64, word: &str) -> String {
    let end = match (count, word) {
        (1, _) | (_, "info") => "",
        _ => "s",
    };
    format!("{count} {word}{end}")
}

fn write_text(out: &mut impl Write, file: &Path, finding: &Finding) -> std::io::Result<()> {
    let Finding { rule, place, message, .. } = finding;
    let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
    let style = style(rule.severity);
    let (line, severity) = (place.line, rule.severity);
    writeln!(
        out,
        "{bold}{}:{line}:{bold:#} {style}{severity}:{style:#} {message} {dim}[{}]{dim:#}",
        file.display(),
        rule.id
    )?;
    let arrow = match place.direction {
        Some("c2s") => ">>> ",
        Some(_) => "<<< ",
        None => "",
    };
    let server = place.server.map(|server| format!("{server} ")).unwrap_or_default();
    let (seq, session, connection) = (place.seq, &place.session, place.connection);
    if !place.command.is_empty() {
        writeln!(out, "    {arrow}{}", place.command)?;
    }
    writeln!(out, "    {dim}{} {server}#{connection}, seq {seq}, session {session}{dim:#}", place.time)?;
    writeln!(out, "    {dim}{}; source: {}{dim:#}", rule.summary, rule.reference)
}

fn style(severity: Severity) -> Style {
    match severity {
        Severity::Info => AnsiColor::Cyan.on_default().bold(),
        Severity::Warning => AnsiColor::Yellow.on_default().bold(),
        Severity::Error => AnsiColor::Red.on_default().bold(),
    }
}

fn to_json(file: &Path, finding: &Finding) -> Value {
    let Finding { rule, place, message, .. } = finding;
    let mut value = json!({"file": file.to_string_lossy()});
    let more = json!({
        "rule": rule.id,
        "severity": rule.severity,
        "message": message,
        "summary": rule.summary,
        "reference": rule.reference,
    });
    if let (Value::Object(object), Ok(Value::Object(place)), Value::Object(more)) =
        (&mut value, serde_json::to_value(place), more)
    {
        object.extend(place);
        object.extend(more);
    }
    value
}

fn list(as_json: bool) -> Result<ExitCode> {
    let mut out = anstream::stdout().lock();
    for rule in RULES {
        if as_json {
            let (severity, reference) = (rule.severity, rule.reference);
            let value = json!({"id": rule.id, "severity": severity, "summary": rule.summary, "reference": reference});
            writeln!(out, "{value}")?;
        } else {
            let style = style(rule.severity);
            writeln!(out, "{:<27} {style}{:<7}{style:#}  {}", rule.id, rule.severity, rule.summary)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn explain(name: &str) -> Result<ExitCode> {
    let mut out = anstream::stdout().lock();
    for (index, rule) in rules::find(name)?.into_iter().enumerate() {
        let (bold, style) = (Style::new().bold(), style(rule.severity));
        let space = if index > 0 { "\n" } else { "" };
        writeln!(out, "{space}{bold}{}{bold:#} ({style}{}{style:#}): {}\n", rule.id, rule.severity, rule.summary)?;
        writeln!(out, "{}\n", rule.explanation)?;
        match rule.needs {
            Needs::Commands => {}
            Needs::Bytes => writeln!(out, "Needs the exact bytes; not checked in transcripts made from logs.\n")?,
            Needs::Times => writeln!(out, "Needs the times of events.\n")?,
        }
        writeln!(out, "Wrong:\n{}\n\nRight:\n{}\n", indented(rule.wrong), indented(rule.right))?;
        writeln!(out, "Source: {}", rule.reference)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn indented(dialogue: &str) -> String {
    dialogue.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// No more remarks are kept than these.
const MOST_NOTES: usize = 1000;
