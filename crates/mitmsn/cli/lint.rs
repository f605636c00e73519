//! The command line of `mitmsn lint`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use msnp_transcript::lint::{Severity, Side};

/// Check recorded sessions for violations of the protocol
///
/// Prints what is wrong like a compiler: the place in the transcript, the command, the rule, and the source that says so.
/// Each peer is judged by what it said, given what it had heard; what depends on something that the transcript does not
/// have (masked cookies, the start of a connection, exact bytes) is not judged.
///
/// Exit codes: 0 nothing found, 3 something found (at the chosen severity or above), 1 something could not be read.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Lint {
    /// Transcripts, as the proxy records them, or folders of them; - is standard input
    #[arg(required_unless_present_any = ["list", "explain"], value_name = "TRANSCRIPT")]
    pub(crate) files: Vec<PathBuf>,

    /// Report nothing below this severity
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t)]
    pub(crate) severity: Level,

    /// Check only this rule, or group of rules, such as challenge; may be repeated
    #[arg(long, value_name = "ID")]
    pub(crate) rule: Vec<String>,

    /// Do not check this rule or group of rules; may be repeated
    #[arg(long, value_name = "ID")]
    pub(crate) ignore: Vec<String>,

    /// Which commands to judge, where the proxy changed some
    #[arg(long, value_name = "SIDE", value_enum, default_value_t)]
    pub(crate) side: LintSide,

    /// Print what a rule, or every rule of a group, means, with an example; needs no transcript
    #[arg(long, value_name = "ID", conflicts_with_all = ["list", "sarif", "json"])]
    pub(crate) explain: Option<String>,

    /// List the rules; needs no transcript
    #[arg(long, conflicts_with = "sarif")]
    pub(crate) list: bool,

    /// Print the findings, or the list, as JSON: one object a line
    #[arg(long)]
    pub(crate) json: bool,

    /// Print the findings as SARIF 2.1.0, for code scanners
    #[arg(long, conflicts_with = "json")]
    pub(crate) sarif: bool,
}

const EXAMPLES: &str = "\
Examples:
  mitmsn lint session.jsonl
  mitmsn lint ~/.local/state/mitmsn/sessions --rule challenge --rule transaction/unanswered
  mitmsn lint session.jsonl --severity error --ignore version --sarif > mitmsn.sarif
  mitmsn lint --explain transaction/not-echoed";

/// How bad something is.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Level {
    /// Peers differ here
    Info,
    /// Some peers will not take it
    #[default]
    Warning,
    /// The protocol is broken
    Error,
}

/// Which commands are judged.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum LintSide {
    /// What the peers said, as it arrived
    #[default]
    Received,
    /// What left the proxy: changed and injected commands too
    Sent,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Severity {
        match level {
            Level::Info => Severity::Info,
            Level::Warning => Severity::Warning,
            Level::Error => Severity::Error,
        }
    }
}

impl From<LintSide> for Side {
    fn from(side: LintSide) -> Side {
        match side {
            LintSide::Received => Side::Received,
            LintSide::Sent => Side::Sent,
        }
    }
}
