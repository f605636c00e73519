//! The subcommands: one file each.

use std::process::ExitCode;

use anyhow::Result;
use clap::CommandFactory;

#[cfg(feature = "web")]
use crate::cli::ControlCommand;
use crate::cli::{Cli, Command};

mod check;
#[cfg(feature = "web")]
mod control;
mod coverage;
mod demo;
mod diff;
#[cfg(feature = "web")]
mod experiment;
mod explain;
mod export;
mod extract;
mod generate;
#[cfg(feature = "web")]
mod holds;
#[cfg(feature = "capture")]
mod import;
#[cfg(feature = "index")]
mod index;
mod lint;
pub(crate) mod output;
mod proxy;
mod redact;
mod replay;
#[cfg(feature = "web")]
mod rules;
mod sandbox;
#[cfg(feature = "lua")]
mod scripts;
#[cfg(feature = "index")]
mod search;
#[cfg(feature = "web")]
mod send;
#[cfg(feature = "web")]
mod sessions;
mod show;
mod stats;
mod stream;
#[cfg(feature = "web")]
mod tail;

pub(crate) use export::names as export_formats;

/// Exit code of a comparison that found differences.
const DIFFERENT: u8 = 3;

/// Runs what the command line asks for.
pub(crate) fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Proxy(arguments) => proxy::run(&arguments),
        Command::Show(arguments) => show::run(&arguments),
        #[cfg(feature = "capture")]
        Command::Import(arguments) => import::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Redact(arguments) => redact::run(&arguments),
        #[cfg(feature = "index")]
        Command::Search(arguments) => search::run(&arguments),
        #[cfg(feature = "index")]
        Command::Index(arguments) => index::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Lint(arguments) => lint::run(&arguments),
        Command::Coverage(arguments) => coverage::run(&arguments),
        Command::Stats(arguments) => stats::run(&arguments),
        Command::Extract(arguments) => extract::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Sandbox(arguments) => sandbox::run(&arguments),
        #[cfg(feature = "web")]
        Command::Control(command) => control(command),
        Command::Explain { words } => explain::run(&words),
        Command::Completions { shell } => generate::completions(&mut Cli::command(), shell),
        Command::Man { out } => generate::man(Cli::command(), out.as_deref()),
    }
}

/// Runs a command that talks to a running proxy.
#[cfg(feature = "web")]
fn control(command: ControlCommand) -> Result<ExitCode> {
    match command {
        ControlCommand::Sessions { session, reach } => sessions::run(session.as_deref(), &reach),
        ControlCommand::Tail(arguments) => tail::run(&arguments),
        ControlCommand::Send(arguments) => send::run(&arguments),
        ControlCommand::Hold(arguments) => holds::hold(&arguments),
        ControlCommand::Held { reach } => holds::held(&reach),
        ControlCommand::Release(arguments) => holds::release(&arguments),
        ControlCommand::Drop { number, reach } => holds::drop(number, &reach),
        ControlCommand::Close { target, reach } => sessions::close(&target, &reach),
        ControlCommand::Rules { action } => rules::run(&action),
        ControlCommand::Experiment(arguments) => experiment::run(&arguments),
        ControlCommand::Call { name, arguments, reach } => rules::call(name, arguments, &reach),
    }
}
