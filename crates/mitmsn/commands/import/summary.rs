//! What an import found, for people and as JSON.

use std::fmt;
use std::path::PathBuf;

use msnp_capture::Report;
use msnp_capture::report::Logs;
use msnp_capture::source::link_type_name;
use msnp_capture::transcripts::Made;
use serde::Serialize;

/// What an import found.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    pub(super) sources: Vec<Source>,
    #[serde(flatten)]
    pub(super) report: Report,
    pub(super) sessions: Vec<Made>,
}

/// A file that was read.
#[derive(Debug, Serialize)]
pub(super) struct Source {
    pub(super) file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
}

impl Summary {
    /// Whether something could not be read.
    pub(super) fn has_problems(&self) -> bool {
        let left_out = &self.report.left_out;
        self.sources.iter().any(|source| source.problem.is_some())
            || left_out.blocks > 0
            || !left_out.link_types.is_empty()
            || !self.report.logs.problems.is_empty()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &self.report;
        let sessions = counted(self.sessions.len() as u64, "session");
        if report.logs.commands > 0 {
            let commands = counted(report.logs.commands, "command");
            writeln!(
                f,
                "{commands} in logs{}",
                if report.packets == 0 { format!(", in {sessions}") } else { String::new() }
            )?;
        }
        if report.packets > 0 || report.logs == Logs::default() {
            writeln!(
                f,
                "{}, {}: {} MSNP, in {sessions}",
                counted(report.packets, "packet"),
                counted(report.tcp_connections, "TCP connection"),
                report.msnp_connections,
            )?;
        }
        for session in self.sessions.iter().take(MOST_LISTED) {
            write!(
                f,
                "  {}  {}, {}",
                session.file.display(),
                counted(session.connections, "connection"),
                counted(session.commands, "command"),
            )?;
            if session.gaps > 0 {
                write!(f, ", {}", counted(session.gaps, "gap"))?;
            }
            if session.apart {
                write!(f, ", could not be joined to another session")?;
            }
            writeln!(f)?;
        }
        if self.sessions.len() > MOST_LISTED {
            let more = self.sessions.len() - MOST_LISTED;
            writeln!(f, "  and {more} more; --json lists all of them")?;
        }
        if report.gaps > 0 {
            writeln!(f, "  {} bytes were not captured, in {}", report.missing_bytes, counted(report.gaps, "gap"))?;
        }
        if report.different_bytes > 0 {
            writeln!(f, "  {} bytes came again and were others: the first ones count", report.different_bytes)?;
        }
        if report.gateway_connections > 0 {
            let count = counted(report.gateway_connections, "connection");
            writeln!(f, "  {count} to an HTTP gateway, with {} MSNP inside", report.inside_http)?;
        }
        self.logs(f)?;
        self.left_out(f)
    }
}

impl Summary {
    fn logs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let logs = &self.report.logs;
        for problem in &logs.problems {
            writeln!(f, "  {problem}")?;
        }
        if logs.more_problems > 0 {
            writeln!(f, "  {} more of the kind", logs.more_problems)?;
        }
        if logs.missing_payloads > 0 {
            let count = counted(logs.missing_payloads, "payload");
            writeln!(f, "  {count} not in the log: gaps of their length stand for them")?;
        }
        if logs.other_lines > 0 {
            writeln!(f, "  left out: {} of other things", counted(logs.other_lines, "line"))?;
        }
        Ok(())
    }

    fn left_out(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left_out = &self.report.left_out;
        let report = &self.report;
        let ours = report.msnp_connections - report.inside_http + report.gateway_connections;
        let others = report.tcp_connections.saturating_sub(ours);
        let reasons = [
            (others, "TCP connection", "of other protocols"),
            (left_out.not_tcp, "packet", "without TCP"),
            (left_out.malformed, "packet", "that made no sense"),
            (left_out.cut_short, "packet", "whose end was not captured: only that"),
            (left_out.fragments, "packet", "of which fragments are missing"),
            (left_out.blocks, "block", "of the capture that made no sense"),
        ];
        for (count, what, why) in reasons {
            if count > 0 {
                writeln!(f, "  left out: {} {why}", counted(count, what))?;
            }
        }
        for (&number, &count) in &left_out.link_types {
            let name = link_type_name(number).map(|name| format!(" ({name})")).unwrap_or_default();
            let count = counted(count, "packet");
            writeln!(f, "  left out: {count} of link type {number}{name}, which is not read")?;
        }
        Ok(())
    }
}

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// Most sessions that are listed for people.
const MOST_LISTED: usize = 50;
