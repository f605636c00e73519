//! The scripts of `mitmsn proxy` and `mitmsn check`.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use mitmsn_lua::{Background, Scripts, SetError};
use mitmsn_proxy::EngineBuilder;
use mitmsn_proxy::rules::{Problem, Watch, render_all};
use tracing::{error, info, warn};

use super::output;
use crate::config::{Config, unknown_key};

/// Loads the scripts of the configuration and sets their options; `None` if there are none.
pub(super) fn load(config: &Config) -> Result<Option<Arc<Scripts>>> {
    if config.scripts.is_empty() {
        config.no_options()?;
        return Ok(None);
    }
    let scripts = match Scripts::load(&config.scripts, &config.script) {
        Ok(scripts) => scripts,
        Err(problems) => {
            output::say(&render_all(&problems, true));
            bail!("{} problem(s) in scripts", problems.len());
        }
    };
    for (path, text) in &config.options {
        let name = path.strip_prefix("script.").unwrap_or(path);
        match scripts.set(name, text) {
            Err(SetError::Unknown { known, .. }) => return Err(unknown_key(path, text, &known)?),
            set => set.with_context(|| format!("--set {path}={text}"))?,
        }
    }
    Ok(Some(Arc::new(scripts)))
}

/// Joins an engine that is being built.
pub(super) fn join(scripts: &Scripts, mut builder: EngineBuilder) -> EngineBuilder {
    for script in scripts.list() {
        builder = builder.hook(Arc::clone(script) as _).observer(Arc::clone(script) as _);
    }
    builder
}

/// What runs beside the engine: timers and ticks, and the watch over the files.
pub(super) struct Beside {
    _background: Background,
    _watch: Option<Watch>,
}

/// Starts it.
pub(super) fn start(scripts: &Arc<Scripts>) -> Result<Beside> {
    let background = scripts.start().context("cannot start the thread of the scripts")?;
    let watched = Arc::clone(scripts);
    let watch = Watch::files(&scripts.files(), move || report(watched.reload()))
        .inspect_err(|error| warn!(%error, "cannot watch the scripts: send SIGHUP to reload them"))
        .ok();
    Ok(Beside { _background: background, _watch: watch })
}

/// Says what became of a reload.
pub(super) fn report(outcome: Result<usize, Vec<Problem>>) {
    match outcome {
        Ok(0) => {}
        Ok(count) => info!(scripts = count, "scripts reloaded"),
        Err(problems) => {
            error!("a script is broken: it stays as it was");
            output::say(&render_all(&problems, true));
        }
    }
}
