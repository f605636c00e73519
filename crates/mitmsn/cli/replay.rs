//! The command line of `mitmsn replay`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use msnp::flow::Address;

use super::parse_address;

/// Play one side of a recorded session to a live peer, and report what the peer did differently
///
/// `replay server` is the server of the recording, for a live client; `replay client` is its client, for a live server. What
/// two runs never share is adapted: transaction ids, times, addresses, cookies, session ids, challenges, logins. At the end
/// stands a report; the exit code is 0 if the live peer did the same, and 3 if not.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(subcommand)]
    pub(crate) side: ReplaySide,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReplaySide {
    Server(ReplayServer),
    Client(ReplayClient),
}

/// Be the server of a recorded session, for a live client
///
/// Point the client at the listening address. Dispatch, notification and switchboard servers are all there: redirects and
/// invitations name the address on which the client came in. Each command of the client is looked for in the recording, by
/// verb and by the arguments that matter, and answered with what followed it there. What the server said unasked comes at its
/// recorded distance. Pings are always answered; other commands that the recording does not have are reported and left
/// without an answer, as most clients put up with silence better than with an error.
///
/// Any ticket is right, and any password without --password-file. Anybody may log in: the account of the recording is
/// replaced. A client that asks a login service for a ticket first (MSNP8 and later) needs one; `mitmsn sandbox` has it.
///
/// It ends when every recorded connection was played and is closed, or with Ctrl-C; then it prints the report.
#[derive(Debug, Args)]
#[command(after_long_help = SERVER_EXAMPLES)]
pub(crate) struct ReplayServer {
    /// A transcript, as the proxy records it, with or without secrets; - is standard input
    #[arg(value_name = "TRANSCRIPT")]
    pub(crate) file: PathBuf,

    /// Address to listen on
    #[arg(short, long, value_name = "ADDR", default_value = "127.0.0.1:1863")]
    pub(crate) listen: SocketAddr,

    /// Answer only the next recorded command of a connection, with equal arguments
    ///
    /// Without it the recorded command of that verb is taken that is most alike, whatever the order.
    #[arg(long)]
    pub(crate) strict: bool,

    /// Play so many times as fast as it was recorded
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = parse_speed)]
    pub(crate) speed: f64,

    /// Say what nobody asked for as soon as the client has said what it had said by then
    #[arg(long, conflicts_with = "speed")]
    pub(crate) no_wait: bool,

    /// Refuse MD5 logins (MSNP2 to MSNP7) with another password than the one in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output: ReplayOutput,
}

/// Be the client of a recorded session, for a live server
///
/// Each command of the recorded client is said once everything has come that had come by then in the recording: answers by
/// their transaction id, the rest by verb and person. Redirects are followed, switchboards opened with the live cookies,
/// challenges answered. With several transcripts of one time, people who talked to each other do so again: take all of them,
/// or the others are waited for in vain.
///
/// A transcript has no passwords. MD5 logins need one (--password-file, or the variable MITMSN_PASSWORD). Logins with tickets
/// need the ticket (--set ticket=...; for MSNP15 and later also --set secret=..., the base64 secret that came with it), or a
/// password and the login service to ask (--nexus for MSNP8 to MSNP14, --rst for MSNP15 and later; plain HTTP).
#[derive(Debug, Args)]
#[command(after_long_help = CLIENT_EXAMPLES)]
pub(crate) struct ReplayClient {
    /// Transcripts of one time, as the proxy records them, with or without secrets; - is standard input
    #[arg(required = true, value_name = "TRANSCRIPT")]
    pub(crate) files: Vec<PathBuf>,

    /// The server: host or host:port, an IPv6 address in brackets; port 1863 if it is missing
    #[arg(long, value_name = "HOST[:PORT]", value_parser = parse_address)]
    pub(crate) to: Address,

    /// Give a ticket, secret or circle (ticket of USR SHA A), or an account to log in with instead; may be repeated
    ///
    /// With ACCOUNT: in front it holds for that account of the recording, else for all.
    #[arg(long, value_name = "[ACCOUNT:]KEY=VALUE")]
    pub(crate) set: Vec<String>,

    /// File with the password, or with lines ACCOUNT:PASSWORD [default: the password in MITMSN_PASSWORD]
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,

    /// Fetch tickets here with the password (MSNP8 to MSNP14), e.g. http://127.0.0.1:1880/rdr/pprdr.asp
    #[arg(long, value_name = "URL", value_parser = parse_url)]
    pub(crate) nexus: Option<String>,

    /// Fetch tickets here with the password (MSNP15 and later), e.g. http://127.0.0.1:1880/RST.srf
    #[arg(long, value_name = "URL", value_parser = parse_url)]
    pub(crate) rst: Option<String>,

    /// How long to wait for each recorded answer before going on without it
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = mitmsn_proxy::settings::parse_duration)]
    pub(crate) timeout: Duration,

    #[command(flatten)]
    pub(crate) output: ReplayOutput,
}

/// What a replay leaves behind.
#[derive(Debug, Args)]
pub(crate) struct ReplayOutput {
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Folder for the transcripts of the replay [default: $XDG_STATE_HOME/mitmsn/sessions]
    #[arg(short = 'w', long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,

    /// Record nothing
    #[arg(long, conflicts_with = "record")]
    pub(crate) no_record: bool,

    /// Keep passwords, tickets and cookies readable in the transcripts of the replay
    #[arg(long)]
    pub(crate) keep_secrets: bool,

    /// Log only warnings
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

const SERVER_EXAMPLES: &str = "\
Examples:
  mitmsn replay server session.jsonl           then point a client at 127.0.0.1:1863
  mitmsn replay server session.jsonl --listen 127.0.0.1:0 --no-wait --json > report.json

Exit codes: 0 the client did what was recorded, 1 failure, 2 wrong usage, 3 it did something else.";

const CLIENT_EXAMPLES: &str = "\
Examples:
  MITMSN_PASSWORD=... mitmsn replay client old.jsonl --to ns.example            an MD5 login
  mitmsn replay client session.jsonl --to ns.example --set 'ticket=t=...&p='    a ticket at hand
  mitmsn replay client alice.jsonl bob.jsonl --password-file passwords --to 127.0.0.1:1864 \\
      --nexus http://127.0.0.1:1880/rdr/pprdr.asp                               two people, on `mitmsn sandbox`

Exit codes: 0 the server did what was recorded, 1 failure, 2 wrong usage, 3 it did something else.";

fn parse_speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| (0.001..=1_000_000.0).contains(speed));
    speed.ok_or_else(|| "expected a number from 0.001 to 1000000, such as 2 for twice as fast".to_owned())
}

fn parse_url(text: &str) -> Result<String, String> {
    let is_one =
        text.strip_prefix("http://").is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace));
    if is_one {
        Ok(text.to_owned())
    } else {
        Err("expected http://host[:port]/path; TLS is not spoken here".to_owned())
    }
}
