//! What a rule is.

use std::fmt;
use std::str::FromStr;

use msnp::types::ParseWordError;
use serde::Serialize;

/// How bad something is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing: peers differ here.
    Info,
    /// Some peers will not take it.
    Warning,
    /// The protocol is broken.
    Error,
}

impl Severity {
    /// All, the least first.
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Error];

    /// Returns `info`, `warning` or `error`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Severity, ParseWordError> {
        let found = Severity::ALL.into_iter().find(|severity| severity.as_str() == text);
        found.ok_or_else(|| ParseWordError { found: text.into(), expected: "error, warning or info" })
    }
}

/// What a rule needs that not every transcript has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// Nothing but commands in order.
    Commands,
    /// The exact bytes.
    Bytes,
    /// The times of events.
    Times,
}

/// Something that the linter looks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Rule {
    /// Its name: `group/what`.
    pub id: &'static str,
    /// How bad a violation is.
    pub severity: Severity,
    /// One line.
    pub summary: &'static str,
    /// Why it matters, and when the linter keeps silent.
    pub explanation: &'static str,
    /// Document and section, and the programs or documents that say so.
    pub reference: &'static str,
    /// What a transcript must have for the rule to be checked.
    pub needs: Needs,
    /// A dialogue that breaks the rule and no other, in the notation of [`super::rules`].
    pub wrong: &'static str,
    /// The same, as it should be.
    pub right: &'static str,
}
