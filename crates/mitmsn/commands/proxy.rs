//! `mitmsn proxy`: the proxy itself.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::CommandFactory;
use clap::error::ErrorKind;
use mitmsn_proxy::observers::{Console, Recording};
use mitmsn_proxy::rules::{Rules, Watch, render_all};
use mitmsn_proxy::{Engine, Target};
use msnp_transcript::Expression;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{debug, error, info, warn};

use super::output::{self, START};
use crate::cli::{Cli, Proxy, parse_address};
use crate::config::Config;

/// Runs the proxy until a signal ends it.
pub(super) fn run(arguments: &Proxy) -> Result<ExitCode> {
    output::start_log(arguments.quiet)?;
    let config = merge(arguments)?;
    let target = target(&config)?;
    let filter = output::filter(&arguments.view)?;
    let rules = load_rules(&config.rules)?;
    #[cfg(feature = "lua")]
    let scripts = super::scripts::load(&config)?;
    #[cfg(not(feature = "lua"))]
    config.no_options()?;
    // a connection takes two descriptors: as many as the system allows
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        debug!(%error, "cannot raise the limit of open files");
    }
    // a slow script makes threads, and the allocator keeps memory for each that works for long: they go soon
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().thread_keep_alive(THREADS_STAY).build().context("cannot start")?;
    let parts = Parts {
        filter,
        rules,
        #[cfg(feature = "lua")]
        scripts,
    };
    let code = runtime.block_on(serve(arguments, &config, target, parts));
    // a name that is being looked up must not keep the process
    runtime.shutdown_background();
    code
}

/// Puts the flags over the configuration.
fn merge(arguments: &Proxy) -> Result<Config> {
    let mut config = Config::load_with_options(&arguments.sources)?;
    if let Some(upstream) = &arguments.upstream {
        config.upstream = upstream.to_string();
        config.transparent = false;
    }
    if !arguments.listen.is_empty() {
        config.listen.clone_from(&arguments.listen);
    }
    if !arguments.rules.is_empty() {
        config.rules.clone_from(&arguments.rules);
    }
    #[cfg(feature = "lua")]
    if !arguments.script.is_empty() {
        config.scripts.clone_from(&arguments.script);
    }
    if let Some(folder) = &arguments.record {
        config.record_folder.clone_from(folder);
        config.record = true;
    }
    if let Some(address) = &arguments.advertise {
        config.redirect_mut().advertise = Some(address.clone());
    }
    config.transparent |= arguments.transparent;
    config.record &= !arguments.no_record;
    config.keep_secrets |= arguments.keep_secrets;
    #[cfg(feature = "web")]
    {
        if let Some(address) = arguments.control {
            config.control.listen = address;
            config.control.enabled = true;
        }
        config.control.enabled &= !arguments.no_control;
    }
    Ok(config)
}

fn target(config: &Config) -> Result<Target> {
    if config.transparent {
        if cfg!(not(target_os = "linux")) {
            bail!("--transparent works on Linux only; name the server instead");
        }
        return Ok(Target::Original);
    }
    if config.upstream.is_empty() {
        let message = "which server? Name it (mitmsn proxy messenger.example), or use --transparent";
        let mut cli = Cli::command();
        cli.build();
        let own = cli.find_subcommand("proxy").cloned();
        own.unwrap_or(cli).error(ErrorKind::MissingRequiredArgument, message).exit();
    }
    let address = parse_address(&config.upstream);
    address.map(Target::Fixed).map_err(|problem| anyhow::anyhow!("upstream {:?}: {problem}", config.upstream))
}

fn load_rules(files: &[PathBuf]) -> Result<Option<Arc<Rules>>> {
    if files.is_empty() {
        return Ok(None);
    }
    match Rules::load(files) {
        Ok(rules) => Ok(Some(Arc::new(rules))),
        Err(problems) => {
            output::say(&render_all(&problems, true));
            bail!("{} problem(s) in rule files", problems.len());
        }
    }
}

/// What was loaded for the proxy.
struct Parts {
    filter: Option<Expression>,
    rules: Option<Arc<Rules>>,
    #[cfg(feature = "lua")]
    scripts: Option<Arc<mitmsn_lua::Scripts>>,
}

async fn serve(arguments: &Proxy, config: &Config, target: Target, mut parts: Parts) -> Result<ExitCode> {
    let filter = parts.filter.take();
    let rules = &parts.rules;
    let mut builder = Engine::builder(target).settings(config.settings());
    for address in &config.listen {
        builder = builder.listen(*address);
    }
    #[cfg(feature = "lua")]
    if let Some(scripts) = &parts.scripts {
        builder = super::scripts::join(scripts, builder);
    }
    if let Some(rules) = rules {
        builder = builder.hook(Arc::clone(rules) as _);
    }
    let recording = match config.record {
        true => Some(Arc::new(Recording::start(&config.folder()?, config.keep_secrets))),
        false => None,
    };
    if let Some(recording) = &recording {
        // otherwise the log says already that it is not there
        if recording.folder().is_dir() {
            let secrets = if config.keep_secrets { "kept" } else { "masked" };
            info!(folder = %recording.folder().display(), secrets, "recording");
        }
        builder = builder.observer(Arc::clone(recording) as _);
    }
    let screen = if arguments.quiet { None } else { Some(output::standard_output()?) };
    if let Some(screen) = &screen {
        let options = output::options(arguments.view.verbose);
        builder = builder.observer(Arc::new(Console::new(screen.clone(), options, filter, config.keep_secrets)));
    }
    #[cfg(feature = "web")]
    let control = super::control::Prepared::new(config).await?;
    #[cfg(feature = "web")]
    if let Some(control) = &control {
        builder = control.join(builder);
    }
    let mut signals = Signals::new()?;
    let engine = Arc::new(builder.start().await?);
    #[cfg(feature = "web")]
    let control = match control {
        Some(prepared) => Some(prepared.start(&engine, config, |control| {
            control.rules.clone_from(rules);
            control.recording.clone_from(&recording);
            #[cfg(feature = "lua")]
            {
                control.scripts = parts.scripts.clone().map(|scripts| Arc::new(super::control::Calls(scripts)) as _);
            }
        })?),
        None => None,
    };
    let _watch = rules.as_ref().and_then(watch);
    #[cfg(feature = "lua")]
    let _beside = parts.scripts.as_ref().map(super::scripts::start).transpose()?;
    for address in engine.addresses() {
        info!(target: START, "listening on {address}");
    }
    let code = loop {
        match signals.next().await {
            Received::Reload => {
                reload(rules.as_deref());
                #[cfg(feature = "lua")]
                if let Some(scripts) = &parts.scripts {
                    super::scripts::report(scripts.reload());
                }
            }
            Received::End(code) => break code,
        }
    };
    info!("shutting down: what is in flight arrives; once more to abort");
    #[cfg(feature = "web")]
    if let Some(control) = control {
        control.stop().await;
    }
    tokio::select! {
        _ = engine.shutdown() => {}
        Received::End(code) = signals.end() => {
            warn!("aborted");
            return Ok(ExitCode::from(code));
        }
    }
    finish(recording.as_deref(), rules.as_deref(), config);
    if let Some(screen) = screen {
        screen.flush(output::READING);
    }
    Ok(ExitCode::from(code))
}

fn finish(recording: Option<&Recording>, rules: Option<&Rules>, config: &Config) {
    if let Some(recording) = recording {
        let in_time = recording.finish(config.settings().limits.shutdown_grace);
        if !in_time {
            error!(lost = recording.lost(), "the transcripts are not complete");
        }
    }
    for rule in rules.map(Rules::list).iter().flat_map(|list| list.iter()) {
        info!(rule = rule.name(), hits = rule.hits(), "rule");
    }
    for (name, hits) in rules.map(Rules::removed).into_iter().flatten() {
        info!(rule = &*name, hits, "rule, removed since");
    }
}

fn watch(rules: &Arc<Rules>) -> Option<Watch> {
    Watch::start(rules, report)
        .inspect_err(|error| warn!(%error, "cannot watch the rule files: send SIGHUP to reload them"))
        .ok()
}

fn reload(rules: Option<&Rules>) {
    match rules {
        Some(rules) => report(rules.reload()),
        None => info!("there are no rules to reload"),
    }
}

/// Says what became of a reload. The picture of a problem has several lines, which the log would not keep.
fn report(outcome: Result<usize, Vec<mitmsn_proxy::rules::Problem>>) {
    match outcome {
        Ok(count) => info!(rules = count, "rules reloaded"),
        Err(problems) => {
            error!("a rule file is broken: the rules stay as they were");
            output::say(&render_all(&problems, true));
        }
    }
}

/// The signals that the proxy listens to.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

enum Received {
    Reload,
    /// With this exit code.
    End(u8),
}

impl Signals {
    fn new() -> Result<Signals> {
        let listen = |kind| signal(kind).context("cannot listen to signals");
        Ok(Signals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Received {
        tokio::select! {
            _ = self.interrupt.recv() => Received::End(output::INTERRUPTED),
            _ = self.terminate.recv() => Received::End(output::TERMINATED),
            _ = self.hang_up.recv() => Received::Reload,
        }
    }

    async fn end(&mut self) -> Received {
        loop {
            if let end @ Received::End(_) = self.next().await {
                return end;
            }
        }
    }
}

/// How long a thread waits for another slow script.
const THREADS_STAY: Duration = Duration::from_millis(100);
