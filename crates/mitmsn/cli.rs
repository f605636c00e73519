//! The command line: what can be said, and its help.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use msnp::flow::Address;

#[cfg(feature = "web")]
mod control;
mod diff;
mod export;
mod extract;
#[cfg(feature = "capture")]
mod import;
#[cfg(feature = "index")]
mod index;
mod lint;
mod redact;
mod replay;
mod survey;

#[cfg(feature = "web")]
pub(crate) use control::{
    ControlCommand, Experiment, Hold, LineLength, Peer, Reach, Release, RulesAction, Send, TableFormat, Tail, To,
};
pub(crate) use diff::{Accounts, Diff};
pub(crate) use export::{Export, WhichSide};
pub(crate) use extract::Extract;
#[cfg(feature = "capture")]
pub(crate) use import::Import;
#[cfg(feature = "index")]
pub(crate) use index::{Index, Search};
pub(crate) use lint::Lint;
pub(crate) use redact::Redact;
pub(crate) use replay::{Replay, ReplayClient, ReplayOutput, ReplayServer, ReplaySide};
pub(crate) use survey::{Coverage, Stats, StatsBy, SurveyFormat};

/// Intercepting proxy and research workbench for the MSN Messenger protocol, MSNP2 to MSNP21
///
/// mitmsn sits between a client and a server. Point the client at it, and it shows the dialogue command by command,
/// rewrites it by your rules, and records every login, with all its connections, as one transcript.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100, after_long_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// When to use colours
    ///
    /// `auto` uses them on a terminal, unless NO_COLOR is set or TERM is dumb.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
}

const EXAMPLES: &str = "\
Examples:
  mitmsn demo                                  see it at work, without client or server
  mitmsn proxy messenger.example               listen on 127.0.0.1:1863, lead to that server
  mitmsn proxy ns.example:1863 --rules my.toml --listen 0.0.0.0:1863
  mitmsn show ~/.local/state/mitmsn/sessions/*.jsonl --filter 'verb == \"MSG\"' -v
  mitmsn import old-traffic.pcapng -o sessions make transcripts of a packet capture
  mitmsn export session.jsonl --format html -o pages
  mitmsn check --rules my.toml --against session.jsonl
  mitmsn search 'hello OR \"see you\"'           where that was said, in all recordings
  mitmsn lint session.jsonl                    what is wrong in it; coverage and stats count what is there
  mitmsn diff ours.jsonl theirs.jsonl          what differs between two sessions
  mitmsn replay server session.jsonl           be the server of that session, for a client without one
  mitmsn replay client session.jsonl --to messenger.example --nexus http://messenger.example/rdr/pprdr.asp
  mitmsn redact session.jsonl -o public        a copy to share: no credentials, nobody's name

Settings come from defaults, then the configuration file, then the environment (MITMSN_LISTEN,
MITMSN_LIMITS_LINE ...), then --set, then the other flags; the later wins.

Exit codes: 0 success, 1 failure, 2 wrong usage, 3 `check --against` found changes, a replay or two
sessions differed, `lint` found something or an experiment was not as expected, 130 ended by SIGINT,
143 ended by SIGTERM.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Proxy(Proxy),
    Show(Show),
    #[cfg(feature = "capture")]
    Import(Import),
    Export(Export),
    Redact(Redact),
    #[cfg(feature = "index")]
    Search(Search),
    #[cfg(feature = "index")]
    Index(Index),
    Diff(Diff),
    Lint(Lint),
    Coverage(Coverage),
    Stats(Stats),
    Extract(Extract),
    Replay(Replay),
    Check(Check),
    Demo(Demo),
    Sandbox(Sandbox),
    #[cfg(feature = "web")]
    #[command(flatten)]
    Control(ControlCommand),
    /// Tell what a verb or an error code is
    ///
    /// Prints every form of a command from the table that framing, rules and screen use: direction, servers, versions,
    /// arguments by name, payload, meaning, sources. Without words it lists all verbs.
    Explain {
        /// Verbs and error codes, such as XFR or 911
        words: Vec<String>,
    },
    /// Print the script that completes commands in a shell
    ///
    /// For bash: mitmsn completions bash > ~/.local/share/bash-completion/completions/mitmsn
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write one for each command into a folder
    ///
    /// To read it: mitmsn man | man -l -
    Man {
        /// Write mitmsn.1, mitmsn-proxy.1 ... here instead
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// Where settings come from.
#[derive(Debug, Default, Args)]
pub(crate) struct Sources {
    /// Configuration file [default: $XDG_CONFIG_HOME/mitmsn/config.toml, if there is one]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Set any key of the configuration file, e.g. limits.idle_timeout=10m, or an option of a script; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// Listen for clients and lead them to a server, watching, rewriting and recording
///
/// Point the client at the listening address. Its login passes through, and so does all that follows: when the server
/// sends the client to another server or to a switchboard, the address is rewritten so that the client comes back here.
///
/// On the screen: time (UTC), account, kind of server (ds, ns, sb) and connection, then >>> from the client or <<< from
/// the server. Below a command that was changed stands what left: ~ changed, + injected, x dropped, =|| held.
#[derive(Debug, Default, Args)]
pub(crate) struct Proxy {
    /// The server that clients are led to: host or host:port, an IPv6 address in brackets; port 1863 if it is missing
    ///
    /// The name is resolved anew for each connection. Not needed with --transparent.
    #[arg(value_name = "UPSTREAM", value_parser = parse_address)]
    pub(crate) upstream: Option<Address>,

    /// Address to listen on; may be repeated [default: 127.0.0.1:1863]
    #[arg(short, long, value_name = "ADDR")]
    pub(crate) listen: Vec<SocketAddr>,

    /// Lead connections that the firewall redirects here to where the client meant to go (Linux)
    ///
    /// Works with REDIRECT and, if mitmsn may set IP_TRANSPARENT, with TPROXY. Addresses need no rewriting then.
    #[arg(long, conflicts_with = "upstream")]
    pub(crate) transparent: bool,

    /// Address to put into redirects, for clients behind NAT or in a virtual machine [default: where the client came in]
    #[arg(long, value_name = "HOST[:PORT]", value_parser = parse_address)]
    pub(crate) advertise: Option<Address>,

    /// Rule file; may be repeated; reloaded when it changes, and on SIGHUP
    #[arg(short, long, value_name = "FILE")]
    pub(crate) rules: Vec<PathBuf>,

    /// Script in Luau that sees and changes commands; may be repeated; reloaded when it changes, and on SIGHUP
    ///
    /// Scripts are asked before rules, in the order given. Their options are set with --set NAME=VALUE; their commands are
    /// called with `mitmsn call`. docs/scripts.md tells how to write one, config/scripts has examples.
    #[cfg(feature = "lua")]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) script: Vec<PathBuf>,

    /// Folder for transcripts [default: $XDG_STATE_HOME/mitmsn/sessions]
    #[arg(short = 'w', long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,

    /// Record nothing
    #[arg(long, conflicts_with = "record")]
    pub(crate) no_record: bool,

    /// Keep passwords, tickets and cookies readable in transcripts and on the screen
    ///
    /// Without it they are replaced by as many asterisks. Transcripts that keep them rebuild both byte streams exactly;
    /// do not share those.
    #[arg(long)]
    pub(crate) keep_secrets: bool,

    /// Address of the control interface, which `mitmsn sessions`, `send`, `hold` and others use [default: 127.0.0.1:8863]
    ///
    /// HTTP and JSON, described in docs/api.md. It needs the token of a file that these commands find by themselves. If the
    /// default address is taken, the proxy runs without it.
    #[cfg(feature = "web")]
    #[arg(long, value_name = "ADDR")]
    pub(crate) control: Option<SocketAddr>,

    /// Run without the control interface
    #[cfg(feature = "web")]
    #[arg(long, conflicts_with = "control")]
    pub(crate) no_control: bool,

    #[command(flatten)]
    pub(crate) sources: Sources,

    #[command(flatten)]
    pub(crate) view: View,

    /// Show no dialogue and log only warnings
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// What is shown of commands.
#[derive(Debug, Default, Args)]
pub(crate) struct View {
    /// Show names of arguments and payloads too, by content type; twice: hexadecimal too
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Show only commands for which this CEL expression holds, e.g. 'verb == "MSG" && from == "client"'
    ///
    /// Variables: verb, trid, args, arg, from, server, version, account, session, connection, payload, text, headers,
    /// size, origin. A missing header or argument makes the expression false. docs/expressions.md says more.
    #[arg(short, long, value_name = "EXPR")]
    pub(crate) filter: Option<String>,
}

/// Print recorded sessions as dialogues
///
/// Prints what the proxy showed while it recorded. A last line that was cut off when the recording ended is left out
/// and reported.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Transcripts, as the proxy records them; - is standard input
    #[arg(required = true, value_name = "TRANSCRIPT")]
    pub(crate) files: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) view: View,

    /// Print the events as JSON Lines
    #[arg(long)]
    pub(crate) json: bool,
}

/// Validate configuration and rules, and try rules on a recorded session
///
/// Without problems it prints what it has read and exits with 0. With --against it prints every command that the rules
/// would have changed, without touching anything, and exits with 3 if there is one.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Rule file; may be repeated [default: those of the configuration]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) rules: Vec<PathBuf>,

    /// Script; may be repeated [default: those of the configuration]
    #[cfg(feature = "lua")]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) script: Vec<PathBuf>,

    /// Try the rules on this transcript; may be repeated
    #[arg(long, value_name = "TRANSCRIPT")]
    pub(crate) against: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) sources: Sources,

    /// Show names of arguments and payloads too, by content type; twice: hexadecimal too
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// See it at work: a server, the proxy with two rules, and two people who chat through it
///
/// Alice (MSNP8) and Bob (MSNP12) log in to a sandbox server through the proxy, are redirected, chat in a switchboard and
/// leave. The dialogue is shown as the proxy shows it, and recorded.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Folder for transcripts [default: $XDG_STATE_HOME/mitmsn/sessions]
    #[arg(short = 'w', long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,

    /// Leave server and proxy up afterwards, and tell how to point a real client at them
    #[arg(long)]
    pub(crate) keep_running: bool,

    /// Show names of arguments and payloads too, by content type; twice: hexadecimal too
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// Run the sandbox server alone, to try a client or the proxy on
///
/// A small but correct server for MSNP2 to MSNP12 and MSNP15: dispatch, notification and switchboard servers, and the HTTP
/// services that logins call. Everything is in memory. The accounts alice@example.com and bob@example.com, password
/// `password`, have each other as contacts.
#[derive(Debug, Args)]
pub(crate) struct Sandbox {
    /// Address of the dispatch server
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:1864")]
    pub(crate) dispatch: SocketAddr,

    /// Address of the notification server
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:1865")]
    pub(crate) notification: SocketAddr,

    /// Address of the switchboard server
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:1866")]
    pub(crate) switchboard: SocketAddr,

    /// Address of nexus, login and RST
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:1880")]
    pub(crate) http: SocketAddr,

    /// Host that clients are told in redirects, instead of the addresses above
    #[arg(long, value_name = "HOST")]
    pub(crate) public_host: Option<String>,

    /// One more account, EMAIL:PASSWORD, a contact of alice and bob and they of it; may be repeated
    #[arg(long, value_name = "EMAIL:PASSWORD", value_parser = parse_account)]
    pub(crate) account: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// Makes the choice that of all output.
    pub(crate) fn write_global(self) {
        let choice = match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// Reads an address.
pub(crate) fn parse_address(text: &str) -> Result<Address, String> {
    Address::parse(text).ok_or_else(|| "expected host, host:port or [ipv6]:port".to_owned())
}

fn parse_account(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((email, password)) if email.contains('@') && !email.contains(' ') && !password.is_empty() => {
            Ok((email.to_owned(), password.to_owned()))
        }
        _ => Err("expected EMAIL:PASSWORD".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
