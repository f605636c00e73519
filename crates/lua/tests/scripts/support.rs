//! One script, asked about commands without a network.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mitmsn_lua::{Script, Scripts, Settings};
use mitmsn_proxy::rules::render_all;
use mitmsn_proxy::{Connection, Context, Hook, Injection, Verdict};
use msnp::Command;
use msnp::argument::Scope;
use msnp::types::{Direction, ServerKind, Version};
use tempfile::TempDir;

/// A loaded script, and the connection on which it is asked.
pub(crate) struct Rig {
    pub(crate) scripts: Scripts,
    pub(crate) connection: Arc<Connection>,
    pub(crate) scope: Scope,
    pub(crate) account: &'static str,
    pub(crate) file: PathBuf,
    _folder: Option<TempDir>,
}

/// What the script made of one command.
#[derive(Debug)]
pub(crate) struct Made {
    /// What goes on, what goes beside it included.
    pub(crate) forward: Vec<String>,
    pub(crate) replies: Vec<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) by: Vec<String>,
    pub(crate) verdict: Verdict,
}

/// Limits that no machine exceeds by being slow.
pub(crate) fn patient() -> Settings {
    let mut settings = Settings::default();
    settings.time_limit = Duration::from_secs(20);
    settings.seed = 1;
    settings
}

impl Rig {
    pub(crate) fn new(source: &str) -> Rig {
        Rig::with(source, &patient())
    }

    pub(crate) fn with(source: &str, settings: &Settings) -> Rig {
        Rig::try_with(source, settings).unwrap_or_else(|problem| panic!("{problem}"))
    }

    pub(crate) fn try_with(source: &str, settings: &Settings) -> Result<Rig, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("it.luau");
        std::fs::write(&file, source).unwrap();
        Ok(Rig { _folder: Some(folder), ..Rig::of(file, settings)? })
    }

    pub(crate) fn of(file: PathBuf, settings: &Settings) -> Result<Rig, String> {
        let scripts =
            Scripts::load(std::slice::from_ref(&file), settings).map_err(|problems| render_all(&problems, false))?;
        Ok(Rig {
            scripts,
            connection: connection(1),
            scope: Scope { server: Some(ServerKind::Switchboard), version: Some(Version(9)) },
            account: "alice@example.com",
            file,
            _folder: None,
        })
    }

    /// A script whose function `command` has this body.
    pub(crate) fn body(body: &str) -> Rig {
        Rig::new(&format!("return {{ name = 'it', command = function(cmd, ctx)\n{body}\nend }}"))
    }

    pub(crate) fn at(mut self, server: ServerKind, version: u8) -> Rig {
        self.scope = Scope { server: Some(server), version: Some(Version(version)) };
        self
    }

    pub(crate) fn script(&self) -> &Arc<Script> {
        &self.scripts.list()[0]
    }

    pub(crate) fn client(&self, bytes: &str) -> Made {
        self.ask(Direction::ClientToServer, bytes.as_bytes())
    }

    pub(crate) fn server(&self, bytes: &str) -> Made {
        self.ask(Direction::ServerToClient, bytes.as_bytes())
    }

    pub(crate) fn ask(&self, direction: Direction, bytes: &[u8]) -> Made {
        let mut command = Command::parse(direction, bytes).unwrap();
        let mut context = Context::new(&self.connection, self.scope, self.account, SystemTime::UNIX_EPOCH);
        let is_wanted = self.script().interest().holds(direction, command.slot());
        let mut verdict =
            if is_wanted { self.script().command(&mut command, &mut context) } else { Verdict::forward() };
        let own = verdict.replacement.take().unwrap_or_else(|| vec![command]);
        let own = own.iter().map(text).collect::<Vec<_>>();
        let forward = [injected(&verdict.before), own, injected(&verdict.after)].concat();
        let by = context.by.iter().map(ToString::to_string).collect();
        Made { forward, replies: injected(&verdict.replies), tags: context.tags, by, verdict }
    }

    /// Returns what the script returns when its body raises it for `bytes` of the client: for tests of values.
    pub(crate) fn call(&self, name: &str, arguments: &[&str]) -> Result<String, String> {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        self.scripts.call(name, &arguments).map_err(|error| error.to_string())
    }
}

pub(crate) fn connection(number: u64) -> Arc<Connection> {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1863));
    Connection::new(number, nowhere, nowhere)
}

fn injected(list: &[Injection]) -> Vec<String> {
    list.iter().map(|one| text(one.command())).collect()
}

pub(crate) fn text(command: &Command) -> String {
    String::from_utf8_lossy(command.as_bytes()).into_owned()
}

/// A message with its right length.
pub(crate) fn message(line: &str, kind: &str, body: &str) -> String {
    let payload = format!("MIME-Version: 1.0\r\nContent-Type: {kind}\r\n\r\n{body}");
    format!("{line} {}\r\n{payload}", payload.len())
}
