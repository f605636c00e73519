//! Experiment files: what to send when, with which variants, and what to expect.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use mitmsn_proxy::rules::Problem;
use mitmsn_proxy::settings::parse_duration;
use msnp::errors::ERRORS;
use msnp_transcript::StateExpression;
use msnp_transcript::answer::AnswerExpression;
use msnp_transcript::expression::ExpressionError;
use serde::Deserialize;
use toml::Spanned;

/// An experiment.
#[derive(Debug)]
pub(super) struct Experiment {
    pub(super) name: String,
    /// The state in which a session has to be.
    pub(super) when: StateExpression,
    /// Whose session; any if it is empty.
    pub(super) account: String,
    /// How long to wait for such a session.
    pub(super) patience: Duration,
    pub(super) steps: Vec<Step>,
}

/// One command with its variants.
#[derive(Debug)]
pub(super) struct Step {
    /// The command in text form, with the names of the variants in braces.
    pub(super) send: String,
    pub(super) to: To,
    pub(super) on: On,
    pub(super) keep_length: bool,
    pub(super) expect: Expect,
    pub(super) within: Duration,
    pub(super) settle: Duration,
    pub(super) variants: Vec<Vec<(String, String)>>,
    /// Sent after each variant.
    pub(super) reset: Vec<(String, To)>,
}

/// What is to come back.
#[derive(Debug)]
pub(super) enum Expect {
    /// Anything will do.
    Anything,
    /// A reply, and the connection goes on.
    Reply,
    /// Nothing, and the connection goes on.
    Nothing,
    /// The connection is closed.
    Close,
    Expression(AnswerExpression),
}

/// To whom a command goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum To {
    #[default]
    Server,
    Client,
}

/// On which connection of the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum On {
    /// The notification server.
    #[default]
    Ns,
    /// The newest switchboard.
    Sb,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExperiment {
    name: String,
    #[serde(default = "logged_in")]
    when: Spanned<String>,
    #[serde(default)]
    account: String,
    patience: Option<Spanned<String>>,
    step: Vec<Spanned<RawStep>>,
}

fn logged_in() -> Spanned<String> {
    Spanned::new(0..0, "logged_in".to_owned())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    send: Spanned<String>,
    #[serde(default)]
    to: To,
    #[serde(default)]
    on: On,
    #[serde(default)]
    keep_length: bool,
    expect: Option<Spanned<String>>,
    within: Option<Spanned<String>>,
    settle: Option<Spanned<String>>,
    repeat: Option<u32>,
    #[serde(default)]
    vary: BTreeMap<String, Spanned<Values>>,
    #[serde(default)]
    reset: Vec<RawReset>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawReset {
    Line(String),
    Full { send: String, to: To },
}

/// The values of a variant.
#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    /// `errors` or `statuses`.
    Named(String),
    List(Vec<Value>),
    /// Numbers from one to another.
    Range {
        from: i64,
        to: i64,
        step: Option<i64>,
    },
    /// A text, so many times.
    Times {
        text: String,
        times: Vec<usize>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Number(i64),
}

/// Reads a file.
pub(super) fn read(file: &Path) -> Result<Experiment, Vec<Problem>> {
    let source = std::fs::read_to_string(file).map_err(|error| vec![Problem::of_file(file, &error)])?;
    parse(file, &source)
}

fn parse(file: &Path, source: &str) -> Result<Experiment, Vec<Problem>> {
    let raw: RawExperiment = toml::from_str(source).map_err(|error| vec![Problem::of_toml(file, source, &error)])?;
    let mut reader = Reader { file, source, problems: Vec::new() };
    let when = StateExpression::compile(raw.when.get_ref());
    let when = reader.expression(&raw.when, when);
    let patience = reader.duration(raw.patience.as_ref(), PATIENCE);
    let steps: Vec<Option<Step>> = raw.step.into_iter().map(|step| reader.step(step)).collect();
    if steps.is_empty() {
        reader.problem(0..0, "there is no [[step]]", None);
    }
    let runs: usize = steps.iter().flatten().map(|step| step.variants.len()).sum();
    if runs > MOST_RUNS {
        reader.problem(0..0, format!("{runs} runs are too many: at most {MOST_RUNS}"), None);
    }
    match when {
        Some(when) if reader.problems.is_empty() => Ok(Experiment {
            name: raw.name,
            when,
            account: raw.account,
            patience,
            steps: steps.into_iter().flatten().collect(),
        }),
        _ => Err(reader.problems),
    }
}

struct Reader<'a> {
    file: &'a Path,
    source: &'a str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn step(&mut self, raw: Spanned<RawStep>) -> Option<Step> {
        let raw = raw.into_inner();
        let mut variants = vec![Vec::new()];
        for (name, values) in &raw.vary {
            if !raw.send.get_ref().contains(&format!("{{{name}}}")) {
                let message = format!("`send` does not use {{{name}}}");
                self.problem(values.span(), message, None);
            }
            let values = self.values(values)?;
            variants = variants
                .iter()
                .flat_map(|variant| values.iter().map(move |value| (variant, value)))
                .map(|(variant, value)| [&variant[..], &[(name.clone(), value.clone())]].concat())
                .take(MOST_RUNS + 1)
                .collect();
        }
        let times = raw.repeat.unwrap_or(1) as usize;
        let variants = variants.iter().flat_map(|variant| std::iter::repeat_n(variant.clone(), times));
        let variants: Vec<_> = variants.take(MOST_RUNS + 1).collect();
        let text = filled(raw.send.get_ref(), variants.first()?);
        if let Err(error) = msnp::text::parse(&text) {
            self.problem(raw.send.span(), format!("`send` is no command: {error}"), None);
        }
        let expect = match raw.expect.as_ref().map(|expect| (expect, expect.get_ref().as_str())) {
            None => Expect::Anything,
            Some((_, "reply")) => Expect::Reply,
            Some((_, "none")) => Expect::Nothing,
            Some((_, "close")) => Expect::Close,
            Some((expect, source)) => Expect::Expression(self.expression(expect, AnswerExpression::compile(source))?),
        };
        Some(Step {
            to: raw.to,
            on: raw.on,
            keep_length: raw.keep_length,
            expect,
            within: self.duration(raw.within.as_ref(), WITHIN),
            settle: self.duration(raw.settle.as_ref(), SETTLE),
            variants,
            reset: raw.reset.into_iter().map(RawReset::command).collect(),
            send: raw.send.into_inner(),
        })
    }

    fn values(&mut self, values: &Spanned<Values>) -> Option<Vec<String>> {
        Some(match values.get_ref() {
            Values::Named(name) if name == "errors" => ERRORS.iter().map(|error| error.code.to_string()).collect(),
            Values::Named(name) if name == "statuses" => STATUSES.iter().map(|status| (*status).to_owned()).collect(),
            Values::Named(name) => {
                let help = "a list, `errors`, `statuses`, { from = 1, to = 9 } or { text = \"x\", times = [1, 9] }";
                self.problem(values.span(), format!("unknown values {name:?}"), Some(help.to_owned()));
                return None;
            }
            Values::List(list) => list.iter().map(Value::text).collect(),
            Values::Range { from, to, step } => {
                let step = usize::try_from(step.unwrap_or(1)).unwrap_or(0);
                if step == 0 {
                    self.problem(values.span(), "`step` must be at least 1", None);
                    return None;
                }
                (*from..=*to).step_by(step).take(MOST_RUNS + 1).map(|number| number.to_string()).collect()
            }
            Values::Times { text, times } => {
                if let Some(times) = times.iter().find(|times| times.saturating_mul(text.len()) > LONGEST) {
                    self.problem(values.span(), format!("{times} times is longer than {LONGEST} bytes"), None);
                    return None;
                }
                times.iter().map(|&times| text.repeat(times)).collect()
            }
        })
    }

    fn expression<T>(&mut self, source: &Spanned<String>, compiled: Result<T, ExpressionError>) -> Option<T> {
        compiled
            .map_err(|error| {
                // behind the quote, if the text has no escapes
                let span = source.span();
                let exact = self.source.get(span.clone()).and_then(|raw| raw.find(source.get_ref().as_str()));
                let place = match exact {
                    Some(at) => span.start + at + error.range.start..span.start + at + error.range.end,
                    None => span,
                };
                self.problem(place, error.message, error.help);
            })
            .ok()
    }

    fn duration(&mut self, text: Option<&Spanned<String>>, default: Duration) -> Duration {
        match text.map(|text| (text, parse_duration(text.get_ref()))) {
            None => default,
            Some((_, Ok(duration))) => duration,
            Some((text, Err(message))) => {
                self.problem(text.span(), message, None);
                default
            }
        }
    }

    fn problem(&mut self, place: std::ops::Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.problems.push(Problem::at(self.file, self.source, place, message).help(help));
    }
}

impl Value {
    fn text(&self) -> String {
        match self {
            Value::Text(text) => text.clone(),
            Value::Number(number) => number.to_string(),
        }
    }
}

impl RawReset {
    fn command(self) -> (String, To) {
        match self {
            RawReset::Line(send) => (send, To::Server),
            RawReset::Full { send, to } => (send, to),
        }
    }
}

/// Puts the values of a variant into a text.
pub(super) fn filled(text: &str, variant: &[(String, String)]) -> String {
    variant.iter().fold(text.to_owned(), |text, (name, value)| {
        let value = value.replace('\\', "\\\\").replace('{', "{{").replace('\r', "\\r").replace('\n', "\\n");
        text.replace(&format!("{{{name}}}"), &value)
    })
}

/// The statuses of the protocol, and some that are none.
const STATUSES: &[&str] = &["NLN", "BSY", "IDL", "BRB", "AWY", "PHN", "LUN", "HDN", "FLN", "XXX", "nln"];

const PATIENCE: Duration = Duration::from_secs(60);
const WITHIN: Duration = Duration::from_secs(3);
const SETTLE: Duration = Duration::from_millis(200);
/// Most commands of one file.
const MOST_RUNS: usize = 10_000;
/// Longest value.
const LONGEST: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use mitmsn_proxy::rules::render_all;

    use super::*;

    fn problem(source: &str) -> String {
        render_all(&parse(Path::new("e.toml"), source).unwrap_err(), false)
    }

    #[test]
    fn variants_are_combined_and_repeated() {
        let source = "name = 'x'\n[[step]]\nsend = 'CHG {trid} {status} {flags}'\nvary.status = ['NLN', 'BSY']\n\
                      vary.flags = { from = 0, to = 4, step = 2 }\nrepeat = 2\n";
        let experiment = parse(Path::new("e.toml"), source).unwrap();
        let step = &experiment.steps[0];
        assert_eq!(step.variants.len(), 12);
        assert_eq!(filled(&step.send, &step.variants[0]), "CHG {trid} NLN 0");
        assert_eq!(filled(&step.send, &step.variants[11]), "CHG {trid} BSY 4");
        let source = "name = 'x'\n[[step]]\nsend = '{code} {trid}'\nto = 'client'\nvary.code = 'errors'\n";
        assert_eq!(parse(Path::new("e.toml"), source).unwrap().steps[0].variants.len(), ERRORS.len());
        let source = "name = 'x'\n[[step]]\nsend = 'REA {trid} a@b {n}'\nvary.n = { text = '{\\', times = [1, 2] }\n";
        let experiment = parse(Path::new("e.toml"), source).unwrap();
        assert_eq!(filled("{n}", &experiment.steps[0].variants[1]), "{{\\\\{{\\\\");
    }

    #[test]
    fn every_experiment_of_the_project_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/experiments");
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 7);
        for file in files {
            let experiment = read(&file).unwrap_or_else(|problems| panic!("{}", render_all(&problems, false)));
            for step in &experiment.steps {
                for variant in &step.variants {
                    msnp::text::parse(&filled(&step.send, variant)).unwrap();
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_is_shown_where_it_is() {
        let step = "name = 'x'\n[[step]]\n";
        for (source, says) in [
            ("name = 'x'\n".to_owned(), "missing field `step`"),
            (format!("{step}send = 'chg'\n"), "`send` is no command"),
            (format!("{step}send = 'PNG'\nexpect = 'vreb == 1'\n"), "did you mean `verb`?"),
            (format!("{step}send = 'PNG'\nwithin = '5'\n"), "is not a duration"),
            (format!("{step}send = 'PNG'\nvary.x = ['1']\n"), "`send` does not use {x}"),
            (format!("{step}send = 'PNG {{x}}'\nvary.x = 'errrs'\n"), "unknown values \"errrs\""),
            (format!("{step}send = 'PNG'\nsned = 1\n"), "unknown field `sned`"),
            (format!("when = 'loged_in'\n{step}send = 'PNG'\n"), "did you mean `logged_in`?"),
        ] {
            let text = problem(&source);
            assert!(text.contains(says) && text.contains("e.toml:"), "{source}\n{text}");
        }
    }
}
