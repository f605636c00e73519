//! Settings: defaults, configuration file, environment, `--set`; the later wins. Dedicated flags come on top.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use etcetera::{BaseStrategy, choose_base_strategy};
use mitmsn_proxy::fault::{self, StreamFault};
use mitmsn_proxy::rules::{Problem, render_all};
use mitmsn_proxy::settings::{self, Settings};
use msnp_transcript::expression::closest;
use serde::{Deserialize, Deserializer, Serialize, de};
use toml::de::DeTable;
use toml::{Table, Value};

use crate::cli::{Sources, parse_address};

/// Everything that can be set. `config/mitmsn.toml` documents each key.
#[derive(Clone, PartialEq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The server that clients are led to; empty: it must be named on the command line.
    #[serde(deserialize_with = "address_or_nothing")]
    pub(crate) upstream: String,
    /// Addresses to listen on.
    pub(crate) listen: Vec<SocketAddr>,
    /// Whether connections go where the client meant to go before the firewall redirected it here.
    pub(crate) transparent: bool,
    /// Rule files.
    pub(crate) rules: Vec<PathBuf>,
    /// Script files.
    #[cfg(feature = "lua")]
    pub(crate) scripts: Vec<PathBuf>,
    /// Limits of scripts.
    #[cfg(feature = "lua")]
    pub(crate) script: mitmsn_lua::Settings,
    /// What was set and is no key: an option of a script, perhaps.
    #[serde(skip)]
    pub(crate) options: Vec<(String, String)>,
    /// Whether to record.
    pub(crate) record: bool,
    /// Folder for transcripts; empty: the one of XDG.
    pub(crate) record_folder: PathBuf,
    /// Whether to keep credentials readable.
    pub(crate) keep_secrets: bool,
    /// How the proxy is controlled.
    pub(crate) control: Control,
    // the settings of the engine; were they flattened in, what is wrong with one would be said of the whole file
    limits: settings::Limits,
    redirect: settings::Redirect,
    fault: Vec<StreamFault>,
}

/// How the proxy is controlled. Without the cargo feature `web` it is not.
#[derive(Clone, PartialEq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Control {
    /// Whether the control interface runs.
    pub(crate) enabled: bool,
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// How many bytes of the latest commands are kept in memory for it.
    pub(crate) history: usize,
}

impl Default for Control {
    fn default() -> Control {
        Control { enabled: true, listen: SocketAddr::from(([127, 0, 0, 1], 8863)), history: 8 << 20 }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            upstream: String::new(),
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 1863))],
            transparent: false,
            rules: Vec::new(),
            #[cfg(feature = "lua")]
            scripts: Vec::new(),
            #[cfg(feature = "lua")]
            script: mitmsn_lua::Settings::default(),
            options: Vec::new(),
            record: true,
            record_folder: PathBuf::new(),
            keep_secrets: false,
            control: Control::default(),
            limits: settings::Limits::default(),
            redirect: settings::Redirect::default(),
            fault: Vec::new(),
        }
    }
}

impl Config {
    /// Reads file, environment and `--set`.
    pub(crate) fn load(sources: &Sources) -> Result<Config> {
        let config = Config::load_with_options(sources)?;
        config.no_options()?;
        Ok(config)
    }

    /// As [`Config::load`], but keeps what may be an option of a script.
    pub(crate) fn load_with_options(sources: &Sources) -> Result<Config> {
        let mut options = Vec::new();
        let mut table = match config_file(sources)? {
            Some(file) => read_file(&file)?,
            None => Table::new(),
        };
        let known = defaults()?;
        for (path, default) in leaves(&known) {
            let variable = variable(&path);
            if let Ok(text) = std::env::var(&variable) {
                let value = parse_like(&default, &text).and_then(|value| check_value(&path, value));
                let value = value.with_context(|| format!("environment variable {variable}={text}"))?;
                insert(&mut table, &path, value);
            }
        }
        warn_of_unknown_variables(&known);
        for assignment in &sources.set {
            let (path, text) = assignment
                .split_once('=')
                .with_context(|| format!("--set {assignment}: expected KEY=VALUE, e.g. limits.idle_timeout=10m"))?;
            let Some((_, default)) = leaves(&known).find(|(known, _)| known == path) else {
                options.push((path.to_owned(), text.to_owned()));
                continue;
            };
            let value = parse_like(&default, text).and_then(|value| check_value(path, value));
            let value = value.with_context(|| format!("--set {assignment}"))?;
            insert(&mut table, path, value);
        }
        let config = Config::deserialize(table);
        let config = config.map_err(|error| anyhow!("configuration: {}", error.message()))?;
        Ok(Config { options, ..config })
    }

    /// Refuses what is no key, where there are no scripts that may know it.
    pub(crate) fn no_options(&self) -> Result<()> {
        self.options.first().map_or(Ok(()), |(path, text)| Err(unknown_key(path, text, &[])?))
    }

    /// Returns the settings of the engine.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        settings.limits = self.limits.clone();
        settings.redirect = self.redirect.clone();
        settings.faults.clone_from(&self.fault);
        settings
    }

    /// Returns the settings of redirects, to change them.
    pub(crate) fn redirect_mut(&mut self) -> &mut settings::Redirect {
        &mut self.redirect
    }

    /// Returns the folder for transcripts.
    pub(crate) fn folder(&self) -> Result<PathBuf> {
        if self.record_folder.as_os_str().is_empty() {
            let strategy = choose_base_strategy().context("cannot find the home folder; name one with --record")?;
            let state = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
            return Ok(state.join("mitmsn/sessions"));
        }
        Ok(self.record_folder.clone())
    }
}

/// Returns the file to read: the one named, or the usual one if it exists.
fn config_file(sources: &Sources) -> Result<Option<PathBuf>> {
    if let Some(file) = &sources.config {
        return Ok(Some(file.clone()));
    }
    let Ok(strategy) = choose_base_strategy() else { return Ok(None) };
    let file = strategy.config_dir().join("mitmsn/config.toml");
    Ok(file.exists().then_some(file))
}

fn read_file(file: &Path) -> Result<Table> {
    let source = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let problems = check_file(file, &source)?;
    if !problems.is_empty() {
        bail!("configuration\n{}", render_all(&problems, false));
    }
    Ok(source.parse()?)
}

/// Returns what is wrong with a configuration file.
fn check_file(file: &Path, source: &str) -> Result<Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(source);
    if !errors.is_empty() {
        return Ok(errors.iter().map(|error| Problem::of_toml(file, source, error)).collect());
    }
    let mut problems = Vec::new();
    check_keys(file, source, table.get_ref(), &defaults()?, &mut problems);
    problems.extend(fault::check(file, source));
    if problems.is_empty()
        && let Err(error) = toml::from_str::<Config>(source)
    {
        problems.push(Problem::of_toml(file, source, &error));
    }
    Ok(problems)
}

fn check_keys(file: &Path, source: &str, table: &DeTable<'_>, known: &Table, problems: &mut Vec<Problem>) {
    for (key, value) in table.iter() {
        let name = key.get_ref().as_ref();
        match (known.get(name), value.get_ref().as_table()) {
            (Some(Value::Table(known)), Some(table)) => check_keys(file, source, table, known, problems),
            (Some(_), _) => {}
            (None, _) => {
                let names: Vec<&str> = known.keys().map(String::as_str).collect();
                let help = match closest(name, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("keys are {}", names.join(", ")),
                };
                let problem = Problem::at(file, source, key.span(), format!("unknown key `{name}`"));
                problems.push(problem.help(Some(help)));
            }
        }
    }
}

/// Returns the environment variable of a key.
fn variable(path: &str) -> String {
    format!("MITMSN_{}", path.replace('.', "_").to_uppercase())
}

/// Says which variables look like settings and are none.
fn warn_of_unknown_variables(known: &Table) {
    let known: Vec<String> = leaves(known).map(|(path, _)| variable(&path)).collect();
    for (name, _) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with("MITMSN_")) else { continue };
        if known.iter().any(|known| known == name) || OTHER_VARIABLES.contains(&name) {
            continue;
        }
        if let Some(near) = closest(name, known.iter().map(String::as_str)) {
            anstream::eprintln!("mitmsn: the environment variable {name} sets nothing; did you mean {near}?");
        }
    }
}

/// Reads the text of an address, which may be empty.
fn address_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match parse_address(&text) {
        Err(problem) if !text.is_empty() => Err(de::Error::custom(format!("{text:?}: {problem}"))),
        _ => Ok(text),
    }
}

/// Returns a value if its key takes it.
fn check_value(path: &str, value: Value) -> Result<Value> {
    let mut table = Table::new();
    insert(&mut table, path, value.clone());
    Config::deserialize(table).map_err(|error| anyhow!("{}", error.message()))?;
    Ok(value)
}

/// Variables that are read elsewhere.
const OTHER_VARIABLES: [&str; 4] = ["MITMSN_LOG", "MITMSN_CONTROL", "MITMSN_TOKEN", "MITMSN_PASSWORD"];

/// Returns the complaint about a `--set` of what is neither a key nor one of these options of scripts.
pub(crate) fn unknown_key(path: &str, text: &str, options: &[String]) -> Result<anyhow::Error> {
    let known = defaults()?;
    let paths: Vec<String> = leaves(&known).map(|(path, _)| path).chain(options.iter().cloned()).collect();
    Ok(match closest(path, paths.iter().map(String::as_str)) {
        Some(near) => anyhow!("--set {path}={text}: unknown key {path}; did you mean {near}?"),
        None => anyhow!("--set {path}={text}: unknown key {path}; keys are {}", paths.join(", ")),
    })
}

/// Returns every key with its default.
fn defaults() -> Result<Table> {
    Table::try_from(Config::default()).context("the defaults are TOML")
}

/// Returns the path and value of every key that is not a table.
fn leaves(table: &Table) -> impl Iterator<Item = (String, Value)> {
    table
        .iter()
        .flat_map(|(name, value)| match value {
            Value::Table(inner) => leaves(inner).map(|(path, value)| (format!("{name}.{path}"), value)).collect(),
            value => vec![(name.clone(), value.clone())],
        })
        .collect::<Vec<_>>()
        .into_iter()
}

/// Reads a text as a value of the same kind as another.
fn parse_like(like: &Value, text: &str) -> Result<Value> {
    Ok(match like {
        Value::Integer(_) => Value::Integer(text.parse().with_context(|| format!("{text:?} is not a whole number"))?),
        Value::Boolean(_) => match text {
            "true" | "1" | "yes" => Value::Boolean(true),
            "false" | "0" | "no" => Value::Boolean(false),
            _ => bail!("{text:?} is neither true nor false"),
        },
        // tables; an address never starts so
        Value::Array(_) if text.starts_with("[{") => {
            let mut table: Table = format!("list = {text}").parse().context("not a list of tables as TOML has it")?;
            table.remove("list").context("an empty list")?
        }
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
        }
        _ => Value::String(text.to_owned()),
    })
}

fn insert(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        Some((name, rest)) => {
            let inner = table.entry(name).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
        None => {
            table.insert(path.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_file_has_every_key_with_its_default() {
        let file = Path::new("config/mitmsn.toml");
        let source = include_str!("../../config/mitmsn.toml");
        assert_eq!(check_file(file, source).unwrap(), []);
        assert_eq!(source.parse::<Table>().unwrap(), defaults().unwrap());
    }

    #[test]
    fn set_wins_over_the_file() {
        let folder = std::env::temp_dir();
        let file = folder.join(format!("mitmsn-config-{}.toml", std::process::id()));
        std::fs::write(&file, "listen = [\"127.0.0.1:1\"]\n[limits]\nline = 100\n").unwrap();
        let sources = Sources { config: Some(file.clone()), set: vec!["limits.line=200".into()] };
        let config = Config::load(&sources).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(config.settings().limits.line, 200);
        assert_eq!(config.listen, ["127.0.0.1:1".parse().unwrap()]);
    }

    #[test]
    fn faults_are_read_from_a_file_and_from_the_command_line() {
        let file = "[[fault]]\ntype = 'latency'\nlatency = '1s'\n[[fault]]\ntype = 'timeout'\nstream = 'upstream'\n";
        let names =
            |config: Config| config.settings().faults.iter().map(|fault| fault.name.to_string()).collect::<Vec<_>>();
        assert_eq!(check_file(Path::new("c.toml"), file).unwrap(), []);
        assert_eq!(names(toml::from_str(file).unwrap()), ["latency_downstream", "timeout_upstream"]);
        let load = |set: &str| Config::load(&Sources { config: None, set: vec![set.into()] });
        let config = load("fault=[{type = \"slicer\", average_size = 5, delay = \"10us\", seed = 1}]").unwrap();
        let written = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<Config>(&written).unwrap(), config, "what is written is read as the same");
        assert_eq!(names(config), ["slicer_downstream"]);
        let error = |set| format!("{:#}", load(set).unwrap_err());
        assert!(error("fault=[{type = \"slicer\", bytes = 5, average_size = 5}]").contains("slicer has no `bytes`"));
        assert!(error("fault=[{type = \"slicer\"}]").contains("slicer lacks `average_size`"));
        assert!(error("fault=[{type = slicer}]").contains("not a list of tables"));
        assert!(error("fault=latency").contains("expected a fault: {type = \"latency\""));
    }

    #[test]
    fn wrong_keys_and_values_say_where_and_what_to_do() {
        let problems = check_file(Path::new("c.toml"), "[limits]\nlin = 5\n").unwrap();
        let text = render_all(&problems, false);
        assert!(text.contains("unknown key `lin`") && text.contains("c.toml:2:1"), "{text}");
        assert!(text.contains("did you mean `line`?"), "{text}");
        let values = [
            ("[limits]\nidle_timeout = '5'", "is not a duration", "2:16"),
            ("[limits]\nconnections = 0", "at least 1", "2:15"),
            ("[limits]\nconnect_timeout = '0s'", "no time at all", "2:19"),
            ("[limits]\npayload = -1", "invalid value: integer `-1`", "2:11"),
            ("[redirect]\nports = '0'\nlifetime = '2x'", "\"2x\" is not a duration", "3:12"),
            ("[redirect]\nadvertise = 'a b'", "is not an address", "2:13"),
            ("upstream = 'foo:99999'", "\"foo:99999\": expected host, host:port", "1:12"),
            ("listen = ['nowhere']", "invalid socket address", "1:11"),
        ];
        for (source, message, place) in values {
            let text = render_all(&check_file(Path::new("c.toml"), source).unwrap(), false);
            assert!(text.contains(message) && text.contains(&format!("c.toml:{place}\n")), "{place} {message}\n{text}");
            let set = source.replace("[limits]\n", "limits.").replace("[redirect]\nports = '0'\n", "redirect.");
            let set = set.replace("[redirect]\n", "redirect.").replace(" = ", "=").replace(['\'', '[', ']'], "");
            let error = Config::load(&Sources { config: None, set: vec![set.clone()] }).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.starts_with(&format!("--set {set}: ")) && error.contains(message), "{error}");
        }
        let faults = [
            ("type = 'latncy'", "unknown fault \"latncy\"", "2:8", "did you mean `latency`?"),
            ("type = 'limit_data'\nbits = 5", "unknown key `bits` in a fault of type limit_data", "3:1", "bytes"),
            ("type = 'limit_data'\nbytes = 'x'", "invalid type: string \"x\", expected u64", "3:9", ""),
            ("type = 'limit_data'\nbytes = 5\nstream = 'up'", "`stream` must be \"upstream\"", "4:10", "towards"),
            ("type = 'timeout'\nlisten = '1863'", "invalid socket address", "3:10", ""),
            ("latency = '5ms'", "`fault` lacks `type`", "1:1", "type = \"latency\""),
        ];
        for (lines, message, place, help) in faults {
            let problems = check_file(Path::new("c.toml"), &format!("[[fault]]\n{lines}\n")).unwrap();
            let text = render_all(&problems, false);
            for part in [message, &format!("c.toml:{place}"), help] {
                assert!(text.contains(part), "{part:?} is not in\n{text}");
            }
            assert_eq!(problems.len(), 1);
        }
        let problems = check_file(Path::new("c.toml"), "[fault]\ntype = 'timeout'\n").unwrap();
        assert!(render_all(&problems, false).contains("write [[fault]]"));
        let sources = Sources { config: None, set: vec!["limits.idle=5".into()] };
        let error = format!("{:#}", Config::load(&sources).unwrap_err());
        assert!(error.contains("unknown key limits.idle"), "{error}");
    }
}
