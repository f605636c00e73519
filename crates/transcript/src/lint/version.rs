//! What was agreed: the version, and what belongs to it.

use msnp::table::{self, Confidence};
use msnp::{Direction, Version};

use super::report::Report;
use super::rule::{Needs, Rule, Severity};
use super::said::Said;

pub(super) static NOT_OFFERED: Rule = Rule {
    id: "version/not-offered",
    severity: Severity::Error,
    summary: "the server chose a version that the client did not offer",
    explanation: "VER answers with one of the versions that were offered, or 0. Clients log out, or speak a version that the \
                  server does not mean.",
    reference: "session flow 1 (ESC KB21)",
    needs: Needs::Commands,
    wrong: "# start\nC: VER 1 MSNP9 MSNP8 CVR0\nS: VER 1 MSNP12",
    right: "# start\nC: VER 1 MSNP9 MSNP8 CVR0\nS: VER 1 MSNP8",
};

pub(super) static VERB: Rule = Rule {
    id: "version/verb",
    severity: Severity::Warning,
    summary: "a command that the agreed version does not have",
    explanation: "The command came with a later version, or was withdrawn with an earlier one. Servers answer 715 or end the \
                  connection; clients ignore it.",
    reference: "commands, columns since and until",
    needs: Needs::Commands,
    wrong: "# MSNP8\nC: ADL 10 {n}\\r\\n<ml></ml>\nS: 715 10",
    right: "# MSNP15\nC: ADL 10 {n}\\r\\n<ml></ml>\nS: ADL 10 OK",
};

pub(super) static FORM: Rule = Rule {
    id: "version/form",
    severity: Severity::Warning,
    summary: "a command in the form of another version",
    explanation: "The arguments are those of an earlier or later version. The other side finds names, networks and numbers in the \
                  wrong places.",
    reference: "commands, column arguments",
    needs: Needs::Commands,
    wrong: "# MSNP8\nC: SYN 10 0 0\nS: SYN 10 12 0 0",
    right: "# MSNP8\nC: SYN 10 0\nS: SYN 10 12 0 0",
};

/// The versions that the server heard.
#[derive(Debug, Default)]
pub(super) struct Offers(Option<Vec<Version>>);

impl Offers {
    pub(super) fn said(&self, said: &Said<'_>, report: &mut Report<'_>) {
        if said.verb() == b"VER" && said.command.direction() == Direction::ServerToClient {
            self.chosen(said, report);
        }
        form(said, report);
    }

    pub(super) fn heard(&mut self, heard: &Said<'_>) {
        if heard.verb() == b"VER" && heard.is_from_client() {
            let versions = heard.arguments.iter().filter_map(|token| Version::from_token(token));
            self.0 = Some(versions.take(MOST_VERSIONS).collect());
        }
    }

    fn chosen(&self, said: &Said<'_>, report: &mut Report<'_>) {
        let Some(offered) = &self.0 else { return };
        let chosen = said.arguments.iter().skip(1).find_map(|token| Version::from_token(token));
        if let Some(chosen) = chosen.filter(|chosen| !offered.contains(chosen)) {
            let offered: Vec<String> = offered.iter().map(Version::to_string).collect();
            report.add(&NOT_OFFERED, format!("{chosen} was not offered; offered: {}", offered.join(" ")));
        }
    }
}

fn form(said: &Said<'_>, report: &mut Report<'_>) {
    let (verb, direction) = (said.command.verb(), said.command.direction());
    let Some(version) = said.version() else { return };
    // what opens a connection may still be in another version than the one that will be agreed
    if verb.is_error() || matches!(verb.as_bytes(), b"VER" | b"CVR" | b"CVQ" | b"INF") {
        return;
    }
    let rows = || {
        let here = |row: &&table::Row| said.form_server().is_none_or(|server| row.servers.contains(server));
        table::rows(verb, direction).filter(here)
    };
    if rows().any(|row| row.confidence == Confidence::Low && row.arguments != "0 NS 0") || rows().next().is_none() {
        return;
    }
    if !rows().any(|row| row.applies_to(version)) {
        let since = rows().map(|row| row.since).min();
        let text = match since {
            Some(since) if version < since => format!("{version} does not have {verb}; it came with {since}"),
            _ => format!("{version} no longer has {verb}"),
        };
        report.add(&VERB, text);
        return;
    }
    let Some((row, _)) = &said.form else { return };
    if !row.applies_to(version) {
        let expected: Vec<&str> = rows().filter(|row| row.applies_to(version)).map(|row| row.arguments).collect();
        let until =
            row.until.filter(|until| *until != row.since).map(|until| format!(" to {until}")).unwrap_or_default();
        let written = format!("written as in {}{until}", row.since);
        report.add(&FORM, format!("{written}; {version} has `{verb} {}`", expected.join("` or `")));
    }
}

const MOST_VERSIONS: usize = 64;
