//! The command lines of `mitmsn coverage` and `mitmsn stats`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use msnp::Version;
use msnp_transcript::stats::By;

/// Compare recorded sessions with the table of commands: what was seen, what never, what is undocumented
///
/// Every command of the transcripts is counted under the documented form that describes it (`mitmsn explain VERB` prints the
/// forms), by version, number of arguments and type of payload. What no form describes is listed first, with the place
/// where it was seen first. What the proxy injected does not count.
///
/// Exit codes: 0 success, 1 something could not be read.
#[derive(Debug, Args)]
#[command(after_long_help = COVERAGE_EXAMPLES, disable_version_flag = true)]
pub(crate) struct Coverage {
    /// Transcripts, as the proxy records them, or folders of them; - is standard input
    #[arg(required = true, value_name = "TRANSCRIPT")]
    pub(crate) files: Vec<PathBuf>,

    /// Look only at connections of this version, and at the forms that it has
    #[arg(long = "version", value_name = "MSNPn", value_parser = parse_version)]
    pub(crate) msnp_version: Option<Version>,

    /// How to print it
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(crate) format: SurveyFormat,

    /// Print it as JSON; the same as --format json
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
}

const COVERAGE_EXAMPLES: &str = "\
Examples:
  mitmsn coverage ~/.local/state/mitmsn/sessions
  mitmsn coverage session.jsonl --version MSNP12
  mitmsn coverage sessions/ --format html > coverage.html
  mitmsn coverage sessions/ --json | jq '.undocumented[] | [.verb, .what, .count]'";

/// Sum up recorded sessions: who, when, how much, how fast
///
/// Prints sessions, people and their messages, connections, commands by verb, times from request to answer, errors, and
/// what rules and hooks did. Percentiles are right to within 3 %.
///
/// Exit codes: 0 success, 1 something could not be read.
#[derive(Debug, Args)]
#[command(after_long_help = STATS_EXAMPLES)]
pub(crate) struct Stats {
    /// Transcripts, as the proxy records them, or folders of them; - is standard input
    #[arg(required = true, value_name = "TRANSCRIPT")]
    pub(crate) files: Vec<PathBuf>,

    /// Print only one table, or list of the JSON, by this
    #[arg(long, value_name = "KEY", value_enum)]
    pub(crate) by: Option<StatsBy>,

    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const STATS_EXAMPLES: &str = "\
Examples:
  mitmsn stats ~/.local/state/mitmsn/sessions
  mitmsn stats session.jsonl --by verb
  mitmsn stats sessions/ --json | jq '.replies[] | select(.p99 > 1)'";

/// How tables are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum SurveyFormat {
    /// Columns
    #[default]
    Text,
    /// Tables of GitHub and others
    Markdown,
    /// Tables of wikis that run MediaWiki
    Mediawiki,
    /// One page that needs nothing else
    Html,
    /// For programs
    Json,
}

/// By what a table is arranged.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum StatsBy {
    /// One row per session
    Session,
    /// One row per verb, direction and kind of server
    Verb,
    /// One row per person
    Account,
}

impl From<StatsBy> for By {
    fn from(by: StatsBy) -> By {
        match by {
            StatsBy::Session => By::Session,
            StatsBy::Verb => By::Verb,
            StatsBy::Account => By::Account,
        }
    }
}

/// Reads `MSNP12`, `msnp12` or `12`.
fn parse_version(text: &str) -> Result<Version, String> {
    let number = text.get(..4).filter(|start| start.eq_ignore_ascii_case("MSNP")).map_or(text, |_| &text[4..]);
    match number.parse() {
        Ok(number @ 2..=21) => Ok(Version(number)),
        _ => Err("expected a version from MSNP2 to MSNP21".to_owned()),
    }
}
