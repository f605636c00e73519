//! The command lines of `mitmsn index` and `mitmsn search`.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use msnp::types::ServerKind;
use msnp_index::Period;

/// Make or bring up to date the index that `mitmsn search` uses
///
/// Reads the transcripts of a folder, from where it stopped in each, and writes which words stand where into a SQLite
/// database beside them. Recordings may go on meanwhile; they are only read. The index can be deleted at any time and made
/// again. `mitmsn search` brings it up to date by itself, so this is needed only to do the work beforehand.
///
/// The index holds the words of people's conversations as the recordings do, and like these is readable by its owner alone.
#[derive(Debug, Args)]
pub(crate) struct Index {
    /// Folder of transcripts [default: where the proxy records]
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,

    /// The database [default: DIR/index.sqlite]
    #[arg(long, value_name = "FILE")]
    pub(crate) database: Option<PathBuf>,

    /// Delete the index first and make it anew
    #[arg(long)]
    pub(crate) rebuild: bool,

    /// Print what was done as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Find commands in years of recorded sessions
///
/// Searches arguments (decoded), texts, names and header values of every command, brings the index up to date first, and
/// prints the newest hits as the proxy showed them, oldest first, with session, date and place. Beside a hit stands where it
/// is in its session, such as SB#142.
#[derive(Debug, Args)]
#[command(after_long_help = SEARCH_HELP)]
pub(crate) struct Search {
    /// What to find; without words, the other conditions alone count
    #[arg(value_name = "WORDS", allow_hyphen_values = false)]
    pub(crate) words: Vec<String>,

    /// Folder of transcripts [default: where the proxy records]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,

    /// The database [default: DIR/index.sqlite]
    #[arg(long, value_name = "FILE")]
    pub(crate) database: Option<PathBuf>,

    /// Only commands for which this CEL expression holds, the same as `show --filter`; it looks at every hit of the words
    #[arg(short, long = "where", value_name = "EXPR")]
    pub(crate) expression: Option<String>,

    /// Only connections of this account
    #[arg(short, long, value_name = "EMAIL")]
    pub(crate) account: Option<String>,

    /// Only this verb; may be repeated
    #[arg(long, value_name = "VERB")]
    pub(crate) verb: Vec<String>,

    /// Only dispatch (ds), notification (ns) or switchboard (sb) servers
    #[arg(long, value_name = "KIND")]
    pub(crate) server: Option<ServerKind>,

    /// Not before this time: 2026, 2026-11, 2026-11-22, 2026-11-22T19:00, or RFC 3339; UTC without an offset
    #[arg(long, value_name = "TIME", value_parser = parse_period)]
    pub(crate) since: Option<Period>,

    /// Not after this time; a day, month or year counts to its end
    #[arg(long, value_name = "TIME", value_parser = parse_period)]
    pub(crate) until: Option<Period>,

    /// Show so many commands of the same connection before and after each hit
    #[arg(short = 'C', long, value_name = "N", default_value_t = 0)]
    pub(crate) context: usize,

    /// Show at most so many hits, the newest; 0 is all
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: usize,

    /// Print only how many hits there are
    #[arg(long, conflicts_with_all = ["context", "limit"])]
    pub(crate) count: bool,

    /// Search what the index has, without looking for new recordings
    #[arg(long)]
    pub(crate) no_update: bool,

    /// Print one JSON object a hit
    #[arg(long)]
    pub(crate) json: bool,

    /// Show names of arguments and whole payloads too; twice: hexadecimal too
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

const SEARCH_HELP: &str = "\
Words:
  hello bob         both, in any order, whatever their case and accents
  \"see you\"         these words after one another
  photo*            photo, photos, photography
  hello -bob        hello, but not bob; also NOT bob
  hello OR bye      one of them; brackets group: (hello OR bye) bob
  bob@example.com   an address is the words it holds, after one another

Examples:
  mitmsn search 'nudge OR wink' --since 2026-11
  mitmsn search '\"display picture\"' --verb MSG -C 3
  mitmsn search --verb 911 --count
  mitmsn search bob --where 'from == \"server\" && size > 1000' --json

The exit code is 0 whether or not something was found.";

fn parse_period(text: &str) -> Result<Period, String> {
    Period::parse(text).ok_or_else(|| "expected a time such as 2026-11-22 or 2026-11-22T19:00:00Z".to_owned())
}
