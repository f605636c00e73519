//! The command line of `mitmsn redact`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use msnp_transcript::redact::TextPolicy;

/// Make copies of transcripts that can be shared: without credentials, accounts, names, texts
///
/// Everybody becomes Alice, Bob, Carol ... at example.com, the account of the first transcript first, and is the same person
/// in all transcripts of one call: in arguments, in XML, MSNObjects, invitations and base64. Cookies, tickets, GUIDs, phone
/// numbers, client addresses and names of groups are replaced in the same way. Passwords, proofs and personal details become
/// asterisks, pictures and files zeros, and the letters of messages x. Verbs, transaction ids, statuses, list bits, codes and
/// the number of arguments stay, lengths are counted anew, and each command is still one.
///
/// Before anything is written, the result is searched for every value that was replaced, in every encoding. If one is left,
/// nothing is written and the exit code is 1. docs/privacy.md has the whole list, and what is not found.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Redact {
    /// Transcripts; a folder stands for the .jsonl files in it, - is standard input. With --check, any files
    #[arg(required = true, value_name = "TRANSCRIPT")]
    pub(crate) files: Vec<PathBuf>,

    /// Folder for the copies; it is made if there is none. In their names, accounts are replaced too
    #[arg(short, long, value_name = "DIR", required_unless_present = "check", conflicts_with = "check")]
    pub(crate) out: Option<PathBuf>,

    /// What becomes of the text of messages
    #[arg(long, value_name = "POLICY", value_enum, default_value_t = Text::Class, conflicts_with = "check")]
    pub(crate) text: Text,

    /// An account that may stay, such as a bot's; *@example.org is all of a domain. May be repeated
    #[arg(long, value_name = "ACCOUNT", value_parser = parse_keep, conflicts_with = "check")]
    pub(crate) keep: Vec<String>,

    /// Keep who is who in this file, and use what it says if it is there
    ///
    /// With it, later calls give the same people the same names, and --check can be run again. It undoes the redaction: it is
    /// written for you alone (mode 0600); never share it.
    #[arg(long, value_name = "FILE")]
    pub(crate) map: Option<PathBuf>,

    /// Only search files for what the map knows; write nothing. The exit code is 1 if something is left
    #[arg(long, requires = "map")]
    pub(crate) check: bool,

    /// Replace copies that are there already
    #[arg(long, conflicts_with = "check")]
    pub(crate) force: bool,

    /// Print what was written, and what is left, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What becomes of the text of messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Text {
    /// It stays, but for accounts, names and numbers in it
    Keep,
    /// Letters become x and digits 0
    #[default]
    Class,
    /// Only its length stays
    Drop,
}

impl From<Text> for TextPolicy {
    fn from(text: Text) -> TextPolicy {
        match text {
            Text::Keep => TextPolicy::Keep,
            Text::Class => TextPolicy::Class,
            Text::Drop => TextPolicy::Drop,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  mitmsn redact ~/.local/state/mitmsn/sessions -o public
  mitmsn redact alice.jsonl bob.jsonl -o public --map who-is-who.json
  mitmsn redact session.jsonl -o public --text keep --keep echo@bots.example
  mitmsn redact --check public/*.jsonl page.html --map who-is-who.json";

fn parse_keep(text: &str) -> Result<String, String> {
    match text.rsplit_once('@') {
        Some((local, domain)) if !local.is_empty() && !domain.is_empty() && !text.contains(char::is_whitespace) => {
            Ok(text.to_owned())
        }
        _ => Err("expected an account such as echo@example.org, or *@example.org".to_owned()),
    }
}
