//! The command line of `mitmsn export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Write recorded sessions in a form that others read: web pages, text, tables
///
/// html is a folder of pages that need no server and no network: an index of the sessions; for each its facts, a sequence diagram
/// and its state over time; and a page for each connection with every command, whose lines can be linked to. text, markdown and
/// mediawiki are for mails, forums and wikis, with commands as people quote them: >>> from the client, <<< from the server. csv
/// and json have one row for each command. pcapng is for Wireshark, dialogue for tests; import reads both back. docs/export.md shows
/// them all and lists the columns, docs/pcapng.md says what becomes packets.
///
/// Names, addresses, texts and secrets are replaced by others before anything is written, unless --no-redact is given: what is
/// exported is meant to be shared.
///
/// What is written is whole or not there at all: it is made under another name and renamed at the end.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Export {
    /// Transcripts, as the proxy records them, or folders of them; - is standard input
    #[arg(required = true, value_name = "TRANSCRIPT")]
    pub(crate) files: Vec<PathBuf>,

    /// The form [default: what the name of --out ends in]
    #[arg(long, value_name = "FORMAT", value_parser = crate::commands::export_formats())]
    pub(crate) format: Option<String>,

    /// Where to write: a file, or for html a folder; - is standard output [default: -]
    #[arg(short, long, value_name = "OUT")]
    pub(crate) out: Option<PathBuf>,

    /// Replace what is there under the name of --out: a file, or a folder that an export made
    #[arg(long)]
    pub(crate) force: bool,

    /// Show names, addresses, texts and whatever secrets the transcripts hold; nobody but you may read what is written
    #[arg(long)]
    pub(crate) no_redact: bool,

    /// Only commands for which this CEL expression holds, e.g. 'verb == "MSG" && from == "client"'
    ///
    /// Variables: verb, trid, args, arg, from, server, version, account, session, connection, payload, text, headers,
    /// size, origin. A missing header or argument makes the expression false. It looks at what is written: at the names that
    /// stand for others, where those were replaced.
    #[arg(short, long, value_name = "EXPR")]
    pub(crate) filter: Option<String>,

    /// Which bytes become packets, where rules changed what came: pcapng only [default: received]
    #[arg(long, value_name = "SIDE")]
    pub(crate) side: Option<WhichSide>,
}

/// Which bytes become packets.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum WhichSide {
    /// What arrived from client and server; an import gives the transcript back
    Received,
    /// What left towards them: changes, injected commands, delays and holds carried out
    Sent,
}

const EXAMPLES: &str = "\
Examples:
  mitmsn export session.jsonl --format html -o pages      then open pages/index.html
  mitmsn export ~/.local/state/mitmsn/sessions --format html -o archive
  mitmsn export session.jsonl -o login.md --filter 'server == \"ns\" && trid < 10'
  mitmsn export session.jsonl -o session.pcapng --no-redact && wireshark session.pcapng
  mitmsn export session.jsonl --format json | jq -r '.[] | select(.error) | [.time, .verb, .error] | @tsv'";
