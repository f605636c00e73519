//! The command line of `mitmsn import`.

use std::path::PathBuf;

use clap::{ArgAction, Args};

/// Make transcripts of packet captures and logs
///
/// Reads what tcpdump, Wireshark and others have captured (pcap, pcapng; also compressed by gzip or zstd), finds the MSNP
/// connections in it, whatever their port, and writes the transcripts that the proxy would have recorded: one for each login,
/// with all of its connections. `show`, `replay` and the others read them.
///
/// What is missing in a capture is missing in the transcript too, and said: a gap where packets were lost, a note where a
/// connection had begun before, a session of its own for a switchboard whose invitation is not there.
///
/// MSNP inside HTTP POSTs to a gateway.dll is unwrapped: docs/import-logs.md. The same page tells of the logs that are read: >>> and <<< as
/// Escargot, papyon and `mitmsn show` write them, C: and S: as wikis do, the debug log of libpurple (pidgin -d), and the dialogues
/// of this project. What a log does not have (payloads, times, addresses) the transcript says to lack.
///
/// With --follow it reads a capture while it is made, shows the dialogue as it happens and records it. Capture your own traffic,
/// or that of people who agreed; anything else is wrong and in most countries a crime.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Import {
    /// Captures and logs, in the order in which they were made; - is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Folder for the transcripts [default: $XDG_STATE_HOME/mitmsn/sessions]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Keep passwords, tickets and cookies readable
    ///
    /// Without it they are replaced by as many asterisks. Transcripts that keep them rebuild both byte streams exactly;
    /// do not share those.
    #[arg(long)]
    pub(crate) keep_secrets: bool,

    /// Show and record a capture as it comes, until it ends or Ctrl-C
    ///
    /// A file is waited for to grow.
    #[arg(long)]
    pub(crate) follow: bool,

    /// With --follow, show names of arguments and payloads too, by content type; twice: hexadecimal too
    #[arg(short, long, action = ArgAction::Count, requires = "follow")]
    pub(crate) verbose: u8,

    /// With --follow, show only commands for which this CEL expression holds, as in `mitmsn show`
    #[arg(short, long, value_name = "EXPR", requires = "follow")]
    pub(crate) filter: Option<String>,

    /// Print the summary as JSON, on standard output
    #[arg(long, conflicts_with = "follow")]
    pub(crate) json: bool,
}

const EXAMPLES: &str = "\
Examples:
  mitmsn import old.pcap                                        into the folder of the proxy's recordings
  mitmsn import monday.pcapng.gz tuesday.pcap -o sessions --json
  mitmsn show sessions/*.jsonl -v                               read what was found
  tcpdump -U -w - port 1863 | mitmsn import - --follow          see and record what happens on this machine
  ssh router tcpdump -U -w - port 1863 | mitmsn import - --follow -o router

A capture that is damaged or cut off is read as far as it goes, which is said; the exit code is 1 then.

Exit codes: 0 all was read, 1 something could not be read or written, 2 wrong usage, 130 and 143 ended by a signal; what
came before it is written.";
