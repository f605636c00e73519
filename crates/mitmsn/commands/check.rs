//! `mitmsn check`: validates configuration and rules, and tries rules on recorded sessions.

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Result, bail};
use mitmsn_proxy::rules::{Rules, render_all};
use mitmsn_proxy::{Connection, Context, Hook, Injection, Interest};
use msnp_transcript::event::Sent;
use msnp_transcript::screen::{Screen, Tracker};
use msnp_transcript::{CommandEvent, Event, Reader};

use super::{DIFFERENT, output};
use crate::cli::Check;
use crate::config::Config;

/// Checks, and prints what was found.
pub(super) fn run(arguments: &Check) -> Result<ExitCode> {
    #[cfg_attr(not(feature = "lua"), expect(unused_mut, reason = "scripts change it"))]
    let mut config = Config::load_with_options(&arguments.sources)?;
    #[cfg(feature = "lua")]
    if !arguments.script.is_empty() {
        config.scripts.clone_from(&arguments.script);
    }
    #[cfg(feature = "lua")]
    let scripts = super::scripts::load(&config)?;
    #[cfg(not(feature = "lua"))]
    config.no_options()?;
    mitmsn_proxy::engine::check_faults(&config.settings().faults, &config.listen)?;
    let files = if arguments.rules.is_empty() { &config.rules } else { &arguments.rules };
    let rules = match Rules::load(files) {
        Ok(rules) => rules,
        Err(problems) => {
            anstream::eprintln!("{}", render_all(&problems, true));
            bail!("{} problem(s) in rule files", problems.len());
        }
    };
    let mut out = anstream::AutoStream::auto(std::io::stdout().lock());
    writeln!(out, "configuration: ok")?;
    writeln!(out, "rules: {} in {} file(s): ok", rules.list().len(), files.len())?;
    #[cfg(feature = "lua")]
    if let Some(scripts) = scripts {
        writeln!(out, "scripts: {}: ok", scripts.list().len())?;
    }
    if arguments.against.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let mut changed = 0;
    for file in &arguments.against {
        changed += replay(&rules, file, arguments.verbose, &mut out)?;
    }
    writeln!(out, "{changed} command(s) would have been changed")?;
    for rule in rules.list().iter() {
        writeln!(out, "{:>8}  {}", rule.hits(), rule.name())?;
    }
    out.flush()?;
    Ok(if changed > 0 { ExitCode::from(DIFFERENT) } else { ExitCode::SUCCESS })
}

/// Runs the rules over a transcript and draws what they would have changed. Returns how many commands that is.
fn replay(rules: &Rules, file: &PathBuf, verbosity: u8, out: &mut impl Write) -> Result<u64> {
    let mut screen = Screen::new(output::options(verbosity));
    let mut connections = HashMap::new();
    let mut changed = 0;
    let interest = rules.interest();
    let mut events = Reader::open(Path::new(file))?;
    for event in events.by_ref() {
        let event = event?;
        let Event::Command(recorded) = &event else {
            screen.learn(&event);
            continue;
        };
        match would_become(rules, interest, recorded, screen.tracker(), &mut connections) {
            Some(event) => {
                changed += 1;
                out.write_all(screen.draw(&Event::Command(event)).as_bytes())?;
            }
            None => screen.learn(&event),
        }
    }
    if let Some(line) = events.torn() {
        anstream::eprintln!("mitmsn: {}:{line} is cut off: the recording ended there", file.display());
    }
    Ok(changed)
}

/// Returns the event that the recorder would have written if the rules had been there, if that differs.
fn would_become(
    rules: &Rules,
    interest: Interest,
    recorded: &CommandEvent,
    tracker: &Tracker,
    connections: &mut HashMap<u64, Arc<Connection>>,
) -> Option<CommandEvent> {
    let received = recorded.command().ok()?;
    if !interest.holds(received.direction(), received.slot()) {
        return None;
    }
    let number = recorded.connection;
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let connection = connections.entry(number).or_insert_with(|| Connection::new(number, nowhere, nowhere));
    let account = tracker.account(&recorded.stem.session, number);
    let mut context = Context::new(connection, tracker.scope(number), account, SystemTime::now());
    let mut command = received.clone();
    let verdict = rules.command(&mut command, &mut context);
    let is_plain = verdict.delay.is_none() && verdict.hold.is_none() && !verdict.close;
    let commands = |injections: Vec<Injection>| injections.into_iter().map(|injection| injection.command().clone());
    let mut sent: Vec<_> = commands(verdict.before).collect();
    sent.extend(verdict.replacement.unwrap_or_else(|| vec![command]));
    sent.extend(commands(verdict.after).chain(commands(verdict.replies)));
    let is_same = sent == [received] && is_plain;
    (!is_same || !context.by.is_empty()).then(|| CommandEvent {
        sent: Some(sent.iter().map(Sent::of).collect()),
        by: context.by.iter().map(ToString::to_string).collect(),
        delay: verdict.delay.map(|delay| delay.as_secs_f64()),
        ..recorded.clone()
    })
}
