//! SARIF 2.1.0, for code scanners and what shows their findings in a review.
//!
//! Written piece by piece, so that any number of findings takes no memory: [`Writer::new`], [`Writer::finding`] for each,
//! [`Writer::finish`].

use std::io::{self, Write};

use serde_json::{Value, json};

use super::report::Finding;
use super::rule::{Rule, Severity};
use super::rules::RULES;

/// Writes a log with one run.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    count: u64,
}

impl<W: Write> Writer<W> {
    /// Starts the log: tool and rules.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn new(mut out: W, version: &str) -> io::Result<Writer<W>> {
        let driver = json!({
            "name": "mitmsn",
            "version": version,
            "semanticVersion": version,
            "rules": RULES.iter().map(|rule| descriptor(rule)).collect::<Vec<Value>>(),
        });
        write!(out, r#"{{"$schema":"{SCHEMA}","version":"2.1.0","runs":[{{"tool":{{"driver":{driver}}},"#)?;
        write!(out, r#""columnKind":"unicodeCodePoints","results":["#)?;
        Ok(Writer { out, count: 0 })
    }

    /// Writes one finding in a file.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn finding(&mut self, file: &str, finding: &Finding) -> io::Result<()> {
        let comma = if self.count > 0 { "," } else { "" };
        self.count += 1;
        write!(self.out, "{comma}\n{}", result(file, finding))
    }

    /// Ends the log. `problems` are what could not be read, `notes` what could not be judged.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn finish(mut self, problems: &[String], notes: &[String]) -> io::Result<()> {
        let told = |level: &'static str| move |text: &String| json!({"level": level, "message": {"text": text}});
        let all: Vec<Value> = problems.iter().map(told("error")).chain(notes.iter().map(told("warning"))).collect();
        let invocation = json!({"executionSuccessful": problems.is_empty(), "toolExecutionNotifications": all});
        writeln!(self.out, "\n],\"invocations\":[{invocation}]}}]}}")?;
        self.out.flush()
    }
}

fn descriptor(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.explanation},
        "help": {"text": format!("Source: {}\n\nWrong:\n{}\n\nRight:\n{}", rule.reference, rule.wrong, rule.right)},
        "defaultConfiguration": {"level": level(rule.severity)},
    })
}

fn result(file: &str, finding: &Finding) -> Value {
    let Finding { rule, place, message } = finding;
    let index = RULES.iter().position(|known| known.id == rule.id);
    let text = match place.command.is_empty() {
        true => message.clone(),
        false => format!("{}: {message}", place.command),
    };
    let direction = place.direction.unwrap_or_default();
    json!({
        "ruleId": rule.id,
        "ruleIndex": index,
        "level": level(rule.severity),
        "message": {"text": text},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": uri(file)},
                "region": {"startLine": place.line.max(1)},
            },
            "logicalLocations": [{
                "name": format!("#{} {direction}", place.connection),
                "fullyQualifiedName": format!("{}/#{}/{}", place.session, place.connection, place.seq),
            }],
        }],
        "properties": {"time": place.time, "session": place.session, "connection": place.connection, "seq": place.seq},
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// Returns a path as a relative or absolute reference.
fn uri(file: &str) -> String {
    let mut out = String::with_capacity(file.len());
    for &byte in file.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
