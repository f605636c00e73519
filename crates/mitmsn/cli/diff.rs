//! The command line of `mitmsn diff`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Compare two recorded sessions, and tell what differs by name
///
/// Two servers, two versions of a client, today and last year, a session and its replay. Connections are paired by what they
/// are for and who is there, commands by request and answer; what belongs together is compared argument by argument, header
/// by header, element by element. `-` is what only A has, `+` what only B has, `~` what changed:
///
///   ~ CVR client_version: 7.0.0777 -> 7.5.0324
///
/// What two runs never share is no difference: transaction ids, times, tickets, challenges, addresses, versions of lists, the
/// order of contacts. Identifiers (cookies, session ids, GUIDs, groups) are compared by what they stand for: one that stands
/// for two is a difference. The account that A belongs to stands for the one that B belongs to. Masked values are equal to
/// anything. docs/diff.md tells all of it.
///
/// The exit code is 0 if the sessions are the same, 3 if they differ, 1 if a file cannot be read and 2 for wrong usage.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Diff {
    /// The first transcript; - is standard input, a folder the one transcript in it
    #[arg(value_name = "A")]
    pub(crate) a: PathBuf,

    /// The second
    #[arg(value_name = "B")]
    pub(crate) b: PathBuf,

    /// File that says what does not matter; may be repeated
    ///
    /// config/diff has examples. Rules that cover nothing are reported.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) ignore: Vec<PathBuf>,

    /// Account of A and the one of B that stands for it; may be repeated
    #[arg(short, long, value_name = "ALICE=BOB", value_parser = parse_pair)]
    pub(crate) map: Vec<(String, String)>,

    /// Which other accounts stand for one another
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    pub(crate) accounts: Accounts,

    /// Compare what left the proxy instead of what arrived: what the peers were told, not what they said
    #[arg(long)]
    pub(crate) sent: bool,

    /// Count pings as differences that only one side has
    #[arg(long)]
    pub(crate) pings: bool,

    /// Look only at commands for which this CEL expression holds on either side, e.g. 'verb == "MSG"'
    ///
    /// Variables: those of `mitmsn show --filter`.
    #[arg(short, long, value_name = "EXPR")]
    pub(crate) filter: Option<String>,

    /// How many commands without a difference are shown around one that has
    #[arg(short = 'C', long, value_name = "N", default_value_t = 3)]
    pub(crate) context: usize,

    /// Show A at the left and B at the right
    #[arg(short = 'y', long, conflicts_with = "json")]
    pub(crate) side_by_side: bool,

    /// Columns of --side-by-side [default: those of the terminal, or 160]
    #[arg(long, value_name = "COLUMNS", requires = "side_by_side", value_parser = clap::value_parser!(u16).range(20..))]
    pub(crate) width: Option<u16>,

    /// Print the result as JSON, as docs/diff.schema.json describes it
    #[arg(long)]
    pub(crate) json: bool,

    /// Write the result as a page of HTML too
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Print nothing: the exit code tells
    #[arg(short, long, conflicts_with_all = ["json", "side_by_side"])]
    pub(crate) quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  mitmsn diff ours.jsonl theirs.jsonl                     two servers, the same client
  mitmsn diff msn70.jsonl msn75.jsonl --filter 'from == \"client\"'
  mitmsn diff session.jsonl replay.jsonl --quiet && echo same
  mitmsn diff ours.jsonl theirs.jsonl --map bob@example.com=bert@example.org
  mitmsn diff ours.jsonl theirs.jsonl --ignore config/diff/servers.toml --html diff.html";

/// Which accounts stand for one another, beside those that are given.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Accounts {
    /// None: every account is compared
    Exact,
    /// Whom the sessions belong to; all others are compared
    #[default]
    Owner,
    /// Also all others, in order of appearance, but for those that both sessions have
    Any,
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((from, to)) if from.contains('@') && to.contains('@') => Ok((from.to_owned(), to.to_owned())),
        _ => Err("expected ACCOUNT=ACCOUNT: the one of A, then the one of B".to_owned()),
    }
}
