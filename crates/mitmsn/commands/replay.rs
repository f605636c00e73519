//! `mitmsn replay`: one side of a recorded session, for a live peer.

use std::cell::Cell;
use std::io::BufReader;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use msnp::{Direction, Version};
use msnp_replay::client::{self, Secrets};
use msnp_replay::server::{self, Matching, Pace, Server};
use msnp_replay::{Outcome, Recording, Report, Script};
use msnp_sandbox::client::{Login, nexus_ticket, single_sign_on_ticket};
use msnp_transcript::Reader;
use tracing::{error, info};

use super::output::{self, START};
use crate::cli::{Replay, ReplayClient, ReplayOutput, ReplayServer, ReplaySide, Sources};
use crate::config::Config;

/// Plays a side and prints the report.
pub(super) fn run(arguments: &Replay) -> Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start")?;
    let code = match &arguments.side {
        ReplaySide::Server(arguments) => {
            output::start_log(arguments.output.quiet)?;
            runtime.block_on(be_server(arguments))
        }
        ReplaySide::Client(arguments) => {
            output::start_log(arguments.output.quiet)?;
            runtime.block_on(be_client(arguments))
        }
    };
    // a name that is being looked up must not keep the process
    runtime.shutdown_background();
    code
}

async fn be_server(arguments: &ReplayServer) -> Result<ExitCode> {
    let ended = output::until_signal()?;
    let script = read(&arguments.file)?;
    let account = script.account.clone().unwrap_or_default();
    let mut secrets = Secrets::default();
    if let Some(file) = &arguments.password_file {
        secrets.set_password_file(&password_file(file)?);
    }
    let options = server::Options {
        matching: if arguments.strict { Matching::Strict } else { Matching::Loose },
        pace: if arguments.no_wait { Pace::AtOnce } else { Pace::Recorded(arguments.speed) },
        password: secrets.password(&account).map(str::to_owned),
    };
    let recording = record(&arguments.output)?;
    let (logins, connections) = (script.logins(), script.dialogues.len());
    let server = Server::bind(script, arguments.listen, options, recording.as_ref()).await?;
    info!(logins, connections, account, "playing the server of {}", arguments.file.display());
    info!(target: START, "listening on {}", server.address());
    // the usual way to end it: the report tells how it went
    let until = async {
        ended.await;
    };
    let report = server.run(until).await;
    finish(&report, recording.as_ref(), &arguments.output)
}

async fn be_client(arguments: &ReplayClient) -> Result<ExitCode> {
    let scripts: Vec<Script> = arguments.files.iter().map(|file| read(file)).collect::<Result<_>>()?;
    let mut secrets = Secrets::default();
    if let Ok(password) = std::env::var("MITMSN_PASSWORD") {
        secrets.set_password(None, &password);
    }
    if let Some(file) = &arguments.password_file {
        secrets.set_password_file(&password_file(file)?);
    }
    for setting in &arguments.set {
        secrets.set(setting)?;
    }
    secrets.check_accounts(&scripts)?;
    for script in &scripts {
        fetch_ticket(script, arguments, &mut secrets).await?;
        secrets.check(script)?;
    }
    let options = client::Options { secrets, timeout: arguments.timeout, ..client::Options::to(arguments.to.clone()) };
    let recording = record(&arguments.output)?;
    let signal = Cell::new(None);
    let ended = output::until_signal()?;
    let early = async { signal.set(Some(ended.await)) };
    let report = client::play(scripts, options, recording.as_ref(), early).await?;
    let code = finish(&report, recording.as_ref(), &arguments.output)?;
    Ok(signal.get().unwrap_or(code))
}

fn read(file: &Path) -> Result<Script> {
    let script = match file == Path::new("-") {
        true => Script::read(Reader::new(BufReader::new(std::io::stdin()), file), file),
        false => Script::open(file),
    };
    Ok(script?)
}

fn password_file(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Fetches the ticket that a recorded login needs, unless it was given.
async fn fetch_ticket(script: &Script, arguments: &ReplayClient, secrets: &mut Secrets) -> Result<()> {
    let Some(recorded) = &script.account else { return Ok(()) };
    let account = secrets.account(recorded).unwrap_or(recorded).to_owned();
    let Some(password) = secrets.password(recorded).map(str::to_owned) else { return Ok(()) };
    if secrets.has_ticket(recorded) {
        return Ok(());
    }
    let login = Login {
        server: arguments.to.to_string(),
        email: account.clone(),
        password,
        version: script.dialogues.first().and_then(|dialogue| dialogue.version).unwrap_or(Version(8)),
        nexus_url: arguments.nexus.clone().unwrap_or_default(),
        rst_url: arguments.rst.clone().unwrap_or_default(),
        contacts: Vec::new(),
        timeout: arguments.timeout,
    };
    let context = || format!("cannot get a ticket for {account}");
    if arguments.nexus.is_some() && logs_in_by(script, b"TWN") {
        let ticket = nexus_ticket(&login, PARAMETERS).await.with_context(context)?;
        secrets.set(&format!("{recorded}:ticket={ticket}"))?;
    }
    if arguments.rst.is_some() && logs_in_by(script, b"SSO") {
        let (ticket, secret) = single_sign_on_ticket(&login).await.with_context(context)?;
        secrets.set(&format!("{recorded}:ticket={ticket}"))?;
        secrets.set(&format!("{recorded}:secret={secret}"))?;
    }
    Ok(())
}

fn logs_in_by(script: &Script, scheme: &[u8]) -> bool {
    script.dialogues.iter().flat_map(|dialogue| dialogue.requests()).any(|(_, step)| {
        let command = &step.command;
        command.direction() == Direction::ClientToServer
            && command.verb().as_bytes() == b"USR"
            && command.argument(1) == Some(scheme)
            && command.argument(2) == Some(b"S")
    })
}

fn record(arguments: &ReplayOutput) -> Result<Option<Recording>> {
    if arguments.no_record {
        return Ok(None);
    }
    let mut config = Config::load(&Sources::default())?;
    if let Some(folder) = &arguments.record {
        config.record_folder.clone_from(folder);
    }
    let recording = Recording::start(&config.folder()?, arguments.keep_secrets);
    info!(folder = %recording.folder().display(), secrets = if arguments.keep_secrets { "kept" } else { "masked" }, "recording");
    Ok(Some(recording))
}

fn finish(report: &Report, recording: Option<&Recording>, arguments: &ReplayOutput) -> Result<ExitCode> {
    if let Some(recording) = recording {
        if !recording.finish(PATIENCE) {
            error!("the transcripts of the replay are not complete");
        }
        recording.paths().iter().for_each(|path| info!("recorded {}", path.display()));
    }
    match arguments.json {
        true => anstream::println!("{}", serde_json::to_string_pretty(report)?),
        false => anstream::print!("{report}"),
    }
    Ok(match report.result {
        Outcome::Same => ExitCode::SUCCESS,
        Outcome::Different => ExitCode::from(super::DIFFERENT),
    })
}

/// How long the writer of transcripts may take at the end.
const PATIENCE: Duration = Duration::from_secs(5);
/// What servers tell clients to pass on to the login service; services look at the language at most.
const PARAMETERS: &str = "lc=1033,id=507";
