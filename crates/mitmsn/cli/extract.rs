//! The command line of `mitmsn extract`.

use std::path::PathBuf;

use clap::Args;

/// Take pictures, emoticons, files, winks, voice clips and texts out of recorded sessions
///
/// Puts together what clients sent each other through the server in P2P messages of both versions, and in messages
/// themselves: display pictures, custom emoticons, backgrounds, winks, voice clips, handwriting, files, and the previews
/// that came with offers of files. What they are is told by their content, and pictures are checked against the hash
/// that their owner gave. Files that went over a connection between two clients are not in a recording; they are listed
/// with that reason.
///
/// In DIR, manifest.json describes every file: what it is, from whom to whom, when, in which session, whether it is whole.
/// messages.jsonl has the text messages, those that came in chunks put together. A file of which parts are missing is
/// called NAME.partial and has holes.
///
/// What is extracted gives away people's pictures, names, files and words. Masking of credentials does not change that. A
/// redacted transcript has none of it, and the manifest says how much was taken out. Files come from strangers: names are made
/// safe, contents are not.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Extract {
    /// Transcripts, or folders of them; - is standard input
    #[arg(required = true, value_name = "TRANSCRIPT")]
    pub(crate) files: Vec<PathBuf>,

    /// Folder for the files; it is made, and must be empty unless --force is given
    #[arg(short, long, value_name = "DIR", required_unless_present = "list")]
    pub(crate) out: Option<PathBuf>,

    /// Show what there is and write nothing
    #[arg(long, conflicts_with = "out")]
    pub(crate) list: bool,

    /// Write into a folder that is not empty; files of the same names are replaced
    #[arg(long, requires = "out")]
    pub(crate) force: bool,

    /// Print the manifest as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Largest file that is put together, in MiB; of a larger one the beginning is kept
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=2048))]
    pub(crate) max_file: u64,
}

const EXAMPLES: &str = "\
Examples:
  mitmsn extract ~/.local/state/mitmsn/sessions --list      what is there
  mitmsn extract session.jsonl -o pictures                  and out with it
  mitmsn extract alice.jsonl bob.jsonl -o out --json | jq '.files[] | select(.sha1d.ok == false)'";
