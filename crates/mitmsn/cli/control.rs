//! The commands that talk to a running proxy.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::View;

/// Which proxy is meant.
#[derive(Debug, Default, Args)]
pub(crate) struct Reach {
    /// Control address of the proxy [default: that of the only one that runs here]
    ///
    /// Its token is found by itself, or taken from the environment variable MITMSN_TOKEN.
    #[arg(long, value_name = "ADDR", env = "MITMSN_CONTROL")]
    pub(crate) control: Option<SocketAddr>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ControlCommand {
    /// List the sessions of a running proxy, or describe one
    ///
    /// Each session with its account, version and connections; the names and numbers of the connections are what `send` and
    /// `close` take. With an id or an account it prints what is known of that session: status, contact list and presence as
    /// the client was told them, switchboards and who is in them, commands without an answer.
    Sessions {
        /// Id of a session (a start of it will do), or an account
        session: Option<String>,
        #[command(flatten)]
        reach: Reach,
    },
    Tail(Tail),
    Send(Send),
    Hold(Hold),
    /// List the held commands
    Held {
        #[command(flatten)]
        reach: Reach,
    },
    Release(Release),
    /// Drop a held command: it goes nowhere, what waits behind it goes on
    Drop {
        /// Number of the held command
        number: u64,
        #[command(flatten)]
        reach: Reach,
    },
    /// Close a connection, once all that was read is delivered
    Close {
        /// Which one: alice, alice/ns, alice/sb2, or its number
        target: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// List, switch and reload the rules of a running proxy
    Rules {
        #[command(subcommand)]
        action: RulesAction,
    },
    Experiment(Experiment),
    /// Call a command of a script
    ///
    /// Without a name it lists the commands that the scripts of the proxy have.
    Call {
        /// Name of the command
        name: Option<String>,
        /// Its arguments
        arguments: Vec<String>,
        #[command(flatten)]
        reach: Reach,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesAction {
    /// List the rules with their hits
    List {
        #[command(flatten)]
        reach: Reach,
    },
    /// Switch a rule on, until the files are loaded again
    Enable {
        /// Name of the rule
        name: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Switch a rule off, until the files are loaded again
    Disable {
        /// Name of the rule
        name: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Load the rule files again
    Reload {
        #[command(flatten)]
        reach: Reach,
    },
}

/// Show the dialogues of a running proxy as they happen
#[derive(Debug, Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    pub(crate) view: View,

    /// Only this session, by its id or account
    #[arg(long, value_name = "SESSION")]
    pub(crate) session: Option<String>,

    /// End after so many events
    #[arg(short = 'n', long, value_name = "COUNT")]
    pub(crate) count: Option<u64>,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Send a command into a connection of a running proxy, and print what comes back
///
/// Towards the server it travels under a transaction id of its own: its answer is printed here and does not reach the client,
/// whose own ids are translated from there on. Towards the client it is put between two whole commands.
///
/// The command is in the text form that `held` and `release --edit` use: the line, then each line of a payload behind `| `,
/// or bytes in hexadecimal behind `: `; `\n`, `\x00` and so on are escapes. The length on the line is made right unless
/// --length says otherwise. {trid} (as first argument), {len}, {account}, {name}, {version}, {session} and {connection} are
/// filled in; {{ is a brace.
///
/// Exit code: 0 if it was sent, 1 if it could not be or the connection was closed, 3 if an answer was due and did not come in
/// time.
#[derive(Debug, Args)]
#[command(after_long_help = SEND_EXAMPLES)]
pub(crate) struct Send {
    /// Where: alice or alice/ns (her notification server), alice/sb2 (her second switchboard), or a connection's number
    pub(crate) target: String,

    /// The command, such as 'CHG {trid} AWY 0'; - reads commands in text form from standard input
    pub(crate) command: String,

    /// To whom
    #[arg(long, value_enum, default_value_t, value_name = "PEER")]
    pub(crate) to: To,

    /// Payload: the bytes of a file
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub(crate) payload_file: Option<PathBuf>,

    /// Payload: a text. For MSG it gets the headers of a text message
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,

    /// Put this length on the line, right or wrong; `keep` leaves the line as it is written
    #[arg(long, value_name = "N", value_parser = parse_length)]
    pub(crate) length: Option<LineLength>,

    /// How long to wait: for the server's answer [default: 5s], or for what the client says to it [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub(crate) wait: Option<f64>,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

const SEND_EXAMPLES: &str = "\
Examples:
  mitmsn send alice 'CHG {trid} AWY 0'
  mitmsn send alice/sb1 'MSG {trid} N' --text 'hello from the proxy'
  mitmsn send alice 'NLN AWY bob@example.com Bob 0' --to client
  mitmsn send alice 'UUX {trid}' --payload-file psm.xml --length 500
  mitmsn send 7 - < commands.txt";

/// To whom a command goes.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum To {
    /// As if the client had sent it.
    #[default]
    Server,
    /// As if the server had sent it.
    Client,
}

/// Who sends a command.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Peer {
    /// Commands of the client.
    Client,
    /// Commands of the server.
    Server,
}

/// A length for the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LineLength {
    Keep,
    Number(u64),
}

/// Hold commands of a running proxy: set a breakpoint
///
/// Commands for which the expression holds wait until `mitmsn release` or `mitmsn drop`, or until the timeout is over; what
/// comes behind them in their direction waits too, the other direction flows. While the client is held its pings are answered
/// by the proxy. Without an expression it lists the breakpoints.
#[derive(Debug, Args)]
pub(crate) struct Hold {
    /// A CEL expression as in rules and filters, such as 'verb == "CHG"'; docs/expressions.md has the names and
    /// functions
    pub(crate) expression: Option<String>,

    /// Only commands from this peer
    #[arg(long, value_enum, value_name = "PEER")]
    pub(crate) from: Option<Peer>,

    /// Hold only the first so many
    #[arg(long, value_name = "N")]
    pub(crate) first: Option<u64>,

    /// After this time a held command goes on unchanged
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_seconds)]
    pub(crate) timeout: f64,

    /// Answer the server's challenges while a command of the server is held
    #[arg(long)]
    pub(crate) answer_challenges: bool,

    /// Remove the breakpoint of this number; what it holds stays held
    #[arg(long, value_name = "N", conflicts_with = "expression")]
    pub(crate) remove: Option<u64>,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Let a held command go on: as it is, edited, or replaced by several
///
/// What takes its place is in the text form of `mitmsn send`, with the same placeholders. Towards the server one of several is
/// the client's command: the first with its transaction id, or else with {trid}. The others get an id of their own for {trid},
/// and their answers do not reach the client.
#[derive(Debug, Args)]
pub(crate) struct Release {
    /// Number of the held command
    pub(crate) number: u64,

    /// Edit it first, in $VISUAL or $EDITOR; an empty text drops it, several commands replace it
    #[arg(short, long)]
    pub(crate) edit: bool,

    /// Read what takes its place, in text form, from a file; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "edit")]
    pub(crate) with: Option<PathBuf>,

    /// Leave lengths as they are written
    #[arg(long)]
    pub(crate) keep_length: bool,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Send variants of commands into live sessions, and make a table of what comes back
///
/// A TOML file says when (an expression on the session's state), what to send to whom with which variants, and what to
/// expect; config/experiments/ has commented ones. It needs a running proxy with a client connected through it (logged in,
/// unless `when` says otherwise), and waits for one. The table says what was sent, what came back, after how long, and whether the connection was closed.
///
/// Exit code: 0 if all was as expected, 3 if something was not, 1 if it could not be run.
#[derive(Debug, Args)]
pub(crate) struct Experiment {
    /// Experiment files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Whose session, instead of what the files say
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) account: Option<String>,

    /// Write the table here [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// Format of the table [default: by the name of --out, else text]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<TableFormat>,

    /// Only check the files
    #[arg(long)]
    pub(crate) check: bool,

    /// Show no progress
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Control address of the proxy [default: that of the only one that runs here]
    #[arg(long, value_name = "ADDR", env = "MITMSN_CONTROL")]
    pub(crate) control: Option<SocketAddr>,
}

/// Format of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum TableFormat {
    /// Columns.
    Text,
    /// A table in Markdown.
    Markdown,
    /// A table in the markup of MediaWiki.
    Mediawiki,
    /// All that is known, for programs.
    Json,
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    if text == "0" {
        return Ok(0.0);
    }
    mitmsn_proxy::settings::parse_duration(text).map(|time| time.as_secs_f64())
}

fn parse_length(text: &str) -> Result<LineLength, String> {
    match text {
        "keep" => Ok(LineLength::Keep),
        _ => text.parse().map(LineLength::Number).map_err(|_| "expected a number, or `keep`".to_owned()),
    }
}
