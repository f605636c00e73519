//! `mitmsn send`: a command into a connection, and its answers.

use std::io::Read;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use mitmsn_web::types::{self, Length, Outcome, Receiver};
use msnp::errors;

use super::DIFFERENT;
use super::control::Remote;
use super::output::{print, print_json};
use crate::cli::{LineLength, Send, To};

/// Sends and prints what came back.
pub(super) fn run(arguments: &Send) -> Result<ExitCode> {
    let remote = Remote::find(&arguments.reach)?;
    let request = types::Send {
        target: arguments.target.clone(),
        text: text(arguments)?,
        to: match arguments.to {
            To::Server => Receiver::Server,
            To::Client => Receiver::Client,
        },
        length: if arguments.length.is_some() { Length::Keep } else { Length::Repair },
        wait: arguments.wait,
        by: None,
    };
    let outcomes: Vec<Outcome> = remote.post("/api/send", &request)?;
    if arguments.reach.json {
        print_json(&outcomes)?;
    } else {
        let to_client = request.to == Receiver::Client;
        print(&outcomes.iter().map(|outcome| describe(outcome, to_client)).collect::<Vec<_>>().concat())?;
    }
    let is_sent = outcomes.iter().all(|outcome| outcome.sent.is_some() && !outcome.disconnected);
    let is_unanswered = |outcome: &Outcome| match outcome.done.as_str() {
        "complete" => false,
        "quiet" => outcome.replies.is_empty(),
        _ => true,
    };
    Ok(match is_sent {
        false => ExitCode::FAILURE,
        true if request.to == Receiver::Server && request.wait != Some(0.0) && outcomes.iter().any(is_unanswered) => {
            ExitCode::from(DIFFERENT)
        }
        true => ExitCode::SUCCESS,
    })
}

/// Returns the text form of what is to be sent.
fn text(arguments: &Send) -> Result<String> {
    if arguments.command == "-" {
        if arguments.payload_file.is_some() || arguments.text.is_some() {
            bail!("standard input has the payloads: leave --text and --payload-file out");
        }
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        return Ok(text);
    }
    let mut text = arguments.command.clone();
    let payload = match (&arguments.payload_file, &arguments.text) {
        (Some(file), _) => Some(std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?),
        (None, Some(body)) if arguments.command.trim_start_matches([' ', '<', '>']).starts_with("MSG ") => {
            Some([TEXT_HEADERS.as_bytes(), body.as_bytes()].concat())
        }
        (None, Some(body)) => Some(body.clone().into_bytes()),
        (None, None) => None,
    };
    match (arguments.length, &payload) {
        (Some(LineLength::Number(length)), _) => text += &format!(" {length}"),
        (None, Some(_)) if !text.contains("{len}") => text += " {len}",
        _ => {}
    }
    text.push('\n');
    if let Some(payload) = payload {
        let hex: Vec<String> = payload.iter().map(|byte| format!("{byte:02x}")).collect();
        text += &format!(": {}\n", hex.join(" "));
    }
    Ok(text)
}

fn describe(outcome: &Outcome, to_client: bool) -> String {
    let mut out = String::new();
    match &outcome.sent {
        Some(sent) => out += &sent.text,
        None => out += "# not sent\n",
    }
    for reply in &outcome.replies {
        out += &format!("# after {:.3} s{}\n", reply.after, meaning(&reply.shown.command.verb));
        out += &reply.shown.text;
    }
    let done = match outcome.done.as_str() {
        "complete" if to_client || !outcome.replies.is_empty() => return out,
        "quiet" if to_client && outcome.replies.is_empty() => "the client says nothing",
        "quiet" if to_client => return out,
        "complete" => "no answer is due",
        "quiet" if outcome.replies.is_empty() => "no answer",
        "quiet" => "no more came",
        "closed" => "the connection was closed",
        "busy" => "too many injections wait for answers on this connection, or its receiver takes nothing",
        "unframed" => "the stream is not MSNP: there is no place between two commands",
        _ if outcome.sent.is_none() => "it still waits behind a held or unfinished command",
        _ => "not waited for longer",
    };
    out + &format!("# {done}\n")
}

fn meaning(verb: &str) -> String {
    let code = verb.parse::<msnp::Verb>().ok().and_then(|verb| verb.error_code());
    code.and_then(errors::lookup).map(|error| format!("   ({}: {})", error.name, error.meaning)).unwrap_or_default()
}

/// What a text message starts with.
const TEXT_HEADERS: &str = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\n";
