//! Reads rule files: TOML in, rules or problems with their places out.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use memchr::memmem::Finder;
use msnp::types::{Direction, Verb};
use msnp::{Command, LengthPolicy, argument};
use msnp_transcript::Expression;
use msnp_transcript::rule_file::{Problem, Reader, Value, did_you_mean};
use regex::bytes::RegexBuilder;
use toml::de::{DeTable, DeValue};

use super::action::{Action, Part, Place};
use super::rule::Rule;
use super::template::Template;
use crate::fault::{self, Fault};
use crate::hook::Hold;
use crate::settings::parse_duration;

/// Reads the rules of one file.
///
/// # Errors
///
/// Every problem of the file.
pub fn parse(file: &Path, source: &str) -> Result<Vec<Rule>, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(source);
    let mut loader = Loader { reader: Reader::new(file, source), has_bad_verbs: false };
    loader.problems.extend(errors.iter().map(|error| Problem::of_toml(file, source, error)));
    if !loader.problems.is_empty() {
        return Err(loader.reader.problems);
    }
    let table = table.get_ref();
    loader.check_keys(table, "a rule file", &["rule"]);
    let mut rules = Vec::new();
    if let Some(list) = table.get("rule") {
        match list.get_ref() {
            DeValue::Array(list) => {
                for (index, rule) in list.iter().enumerate() {
                    if let Some(table) = loader.table(rule, "`rule`") {
                        rules.extend(loader.rule(table, rule, index));
                    }
                }
            }
            _ => loader.problem(list.span(), "`rule` must be a list of tables", Some("write [[rule]]".to_owned())),
        }
    }
    if loader.problems.is_empty() { Ok(rules) } else { Err(loader.reader.problems) }
}

const KEYS: &[&str] = &[
    "name",
    "enabled",
    "from",
    "verbs",
    "server",
    "when",
    "probability",
    "first",
    "every",
    "seed",
    "length",
    "set",
    "replace",
    "tag",
    "inject",
    "reply",
    "duplicate",
    "drop",
    "delay",
    "hold",
    "fault",
    "close",
];
const ACTIONS: &str = "set, replace, tag, inject, reply, duplicate, drop, delay, hold, fault, close";
/// A pattern may not compile to more than this many bytes.
const LARGEST_REGEX: usize = 1 << 20;
/// Most copies of one command.
const MOST_COPIES: u64 = 1000;

/// Reads rules.
struct Loader<'a> {
    reader: Reader<'a>,
    /// The verbs of the rule at hand could not be read, so that nobody knows which arguments they have.
    has_bad_verbs: bool,
}

impl<'a> Deref for Loader<'a> {
    type Target = Reader<'a>;

    fn deref(&self) -> &Reader<'a> {
        &self.reader
    }
}

impl<'a> DerefMut for Loader<'a> {
    fn deref_mut(&mut self) -> &mut Reader<'a> {
        &mut self.reader
    }
}

impl Loader<'_> {
    /// Reads one rule; `None` if it has a problem.
    fn rule(&mut self, table: &DeTable<'_>, whole: &Value<'_>, index: usize) -> Option<Rule> {
        let before = self.problems.len();
        self.check_keys(table, "a rule", KEYS);
        let name = table.get("name").and_then(|value| self.string(value, "`name`"));
        let name: Arc<str> = name.map_or_else(|| format!("rule {}", index + 1), str::to_owned).into();
        let seed = table.get("seed").and_then(|value| self.count(value, "`seed`", 0));
        let enabled = table.get("enabled").and_then(|value| self.bool(value, "`enabled`")).unwrap_or(true);
        let direction = table.get("from").and_then(|value| self.direction(value));
        let before_verbs = self.problems.len();
        let verbs = table.get("verbs").map(|value| self.verbs(value)).unwrap_or_default();
        self.has_bad_verbs = verbs.is_empty() && self.problems.len() > before_verbs;
        let servers = table.get("server").map(|value| self.servers(value)).unwrap_or_default();
        let when = table.get("when").and_then(|value| self.condition(value, direction, &verbs));
        let rule = Rule {
            direction,
            when,
            probability: table.get("probability").and_then(|value| self.probability(value, "`probability`")),
            first: table.get("first").and_then(|value| self.count(value, "`first`", 1)),
            every: table.get("every").and_then(|value| self.count(value, "`every`", 1)),
            seed,
            length: table.get("length").map(|value| self.length(value)).unwrap_or_default(),
            actions: self.actions(table, direction, &verbs, (&name, seed)),
            name,
            verbs,
            servers,
            counts: Arc::default(),
            has_complained: AtomicBool::new(false),
            is_enabled: AtomicBool::new(enabled),
        };
        if rule.actions.is_empty() && self.problems.len() == before {
            let help = format!("actions are {ACTIONS}");
            self.problem(whole.span(), format!("rule {:?} does nothing", rule.name()), Some(help));
        }
        (self.problems.len() == before).then_some(rule)
    }

    /// Reads a condition, and checks that one of the verbs at least has the arguments that it asks for.
    fn condition(&mut self, value: &Value<'_>, direction: Option<Direction>, verbs: &[Verb]) -> Option<Expression> {
        let when = self.expression(value)?;
        let ways = || Direction::BOTH.into_iter().filter(|way| direction.is_none_or(|own| own == *way));
        let pairs = || verbs.iter().flat_map(|verb| ways().map(|way| (*verb, way)));
        for (name, part) in when.argument_names() {
            if verbs.is_empty() || pairs().any(|(verb, way)| argument::has_name(verb, way, name)) {
                continue;
            }
            let known = names_of(pairs());
            let list = verbs.iter().map(Verb::as_str).collect::<Vec<_>>().join(", ");
            let help = did_you_mean(name, known.iter().copied()).unwrap_or_else(|| match &known[..] {
                [] => format!("{list} has no arguments there"),
                known => format!("{list} has {}", known.join(", ")),
            });
            let place = self.inside(value, &part);
            self.problem(place, format!("{list} has no argument `{name}`"), Some(help));
        }
        Some(when)
    }

    fn length(&mut self, value: &Value<'_>) -> LengthPolicy {
        match self.string(value, "`length`") {
            Some("repair") | None => LengthPolicy::Repair,
            Some("keep") => LengthPolicy::Keep,
            Some(text) => {
                let message = format!("`length` must be \"repair\" or \"keep\", found {text:?}");
                self.problem(value.span(), message, did_you_mean(text, ["repair", "keep"]));
                LengthPolicy::Repair
            }
        }
    }

    /// Reads the actions, in the order in which they are done.
    fn actions(
        &mut self,
        table: &DeTable<'_>,
        direction: Option<Direction>,
        verbs: &[Verb],
        (rule, seed): (&Arc<str>, Option<u64>),
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Some(set) = table.get("set").and_then(|value| self.table(value, "`set`")) {
            for (key, value) in set.iter() {
                self.set(key.get_ref(), key.span(), value, direction, verbs, &mut actions);
            }
        }
        for replace in table.get("replace").map(many).unwrap_or_default() {
            actions.extend(self.replace(replace, direction, verbs));
        }
        if let Some(tags) = table.get("tag") {
            actions.extend(self.strings(tags, "`tag`").into_iter().map(|(tag, _)| Action::Tag(tag.to_owned())));
        }
        if let Some(inject) = table.get("inject").and_then(|value| self.table(value, "`inject`")) {
            self.check_keys(inject, "`inject`", &["before", "after", "other"]);
            for (key, place) in [("before", Place::Before), ("after", Place::After), ("other", Place::Other)] {
                for value in inject.get(key).map(many).unwrap_or_default() {
                    let command = self.command(value, &format!("`inject.{key}`"));
                    actions.extend(command.map(|(line, payload)| Action::Inject { place, line, payload }));
                }
            }
        }
        let drop = table.get("drop").and_then(|value| self.bool(value, "`drop`"));
        let mut is_dropped = drop == Some(true);
        if let Some(reply) = table.get("reply") {
            for value in many(reply) {
                let command = self.command(value, "`reply`");
                actions.extend(command.map(|(line, payload)| Action::Reply { line, payload }));
            }
            // an answered command goes no further, unless the rule says that it does
            is_dropped |= drop.is_none();
        }
        if let Some(value) = table.get("duplicate") {
            match self.count(value, "`duplicate`", 2) {
                Some(copies) if copies > MOST_COPIES => {
                    self.problem(value.span(), format!("`duplicate` must be at most {MOST_COPIES}"), None);
                }
                copies => actions.extend(copies.map(Action::Duplicate)),
            }
        }
        if is_dropped {
            actions.push(Action::Drop);
        }
        if let Some(value) = table.get("delay") {
            match self.string(value, "`delay`").map(parse_duration) {
                Some(Ok(delay)) => actions.push(Action::Delay(delay)),
                Some(Err(message)) => self.problem(value.span(), message, None),
                None => {}
            }
        }
        if let Some(value) = table.get("hold") {
            actions.extend(self.hold(value).map(Action::Hold));
        }
        for value in table.get("fault").map(many).unwrap_or_default() {
            actions.extend(fault::read(self, value, fault::OF_RULE).map(|read| {
                let fault = Fault { name: Arc::clone(rule), kind: read.kind, seed };
                Action::Fault { fault, toxicity: read.toxicity }
            }));
        }
        if table.get("close").and_then(|value| self.bool(value, "`close`")) == Some(true) {
            actions.push(Action::Close);
        }
        actions
    }

    /// Reads `hold`: `true`, or a table.
    fn hold(&mut self, value: &Value<'_>) -> Option<Hold> {
        let mut hold = Hold::default();
        if let DeValue::Boolean(is_on) = value.get_ref() {
            return is_on.then_some(hold);
        }
        let table = self.table(value, "`hold`")?;
        self.check_keys(table, "`hold`", &["timeout", "answer_challenges"]);
        if let Some(value) = table.get("timeout") {
            match self.string(value, "`timeout`").map(parse_duration)? {
                Ok(timeout) => hold.timeout = timeout,
                Err(message) => self.problem(value.span(), message, None),
            }
        }
        if let Some(value) = table.get("answer_challenges") {
            hold.answer_challenges = self.bool(value, "`answer_challenges`")?;
        }
        Some(hold)
    }

    fn set(
        &mut self,
        name: &str,
        place: std::ops::Range<usize>,
        value: &Value<'_>,
        direction: Option<Direction>,
        verbs: &[Verb],
        actions: &mut Vec<Action>,
    ) {
        if name == "headers" {
            let Some(headers) = self.table(value, "`set.headers`") else { return };
            for (key, value) in headers.iter() {
                if let Some(value) = self.template(value, "a header") {
                    actions.push(Action::Set { part: Part::Header(key.get_ref().to_string()), value });
                }
            }
            return;
        }
        let part = self.part(name, place, direction, verbs);
        let value = self.template(value, &format!("`set.{name}`"));
        if let (Some(part), Some(value)) = (part, value) {
            actions.push(Action::Set { part, value });
        }
    }

    fn replace(&mut self, value: &Value<'_>, direction: Option<Direction>, verbs: &[Verb]) -> Option<Action> {
        let table = self.table(value, "`replace`")?;
        self.check_keys(table, "`replace`", &["in", "regex", "with"]);
        let mut required = |key: &str| {
            let found = table.get(key);
            if found.is_none() {
                let help = "replace = { in = \"text\", regex = \"colou?r\", with = \"hue\" }".to_owned();
                self.problem(value.span(), format!("`replace` lacks `{key}`"), Some(help));
            }
            found
        };
        let (place, regex, with) = (required("in"), required("regex"), required("with"));
        let (place, regex, with) = (place?, regex?, with?);
        let part = self.string(place, "`in`").map(str::to_owned);
        let part = part.and_then(|name| self.part(&name, place.span(), direction, verbs));
        let pattern = self.string(regex, "`regex`").map(str::to_owned)?;
        let compiled = RegexBuilder::new(&pattern).size_limit(LARGEST_REGEX).build();
        let with = self.string(with, "`with`").map(|with| with.as_bytes().to_vec());
        match compiled {
            Ok(regex) => {
                // a pattern that is only a word is looked for as one, which is faster
                let is_word = !pattern.is_empty() && pattern.chars().all(|c| c.is_alphanumeric() || c == ' ');
                let word = is_word.then(|| Box::new(Finder::new(&pattern).into_owned()));
                Some(Action::Replace { part: part?, regex, word, with: with? })
            }
            Err(error) => {
                let (message, range) = regex_problem(&error, &pattern);
                let at = self.inside(regex, &range);
                let help = "a sign that is meant as itself takes a backslash: \\( or \\[, in single quotes".to_owned();
                self.problem(at, format!("bad regular expression: {message}"), Some(help));
                None
            }
        }
    }

    /// Reads which part of a command is meant, and checks that the verbs have such an argument.
    fn part(
        &mut self,
        name: &str,
        place: std::ops::Range<usize>,
        direction: Option<Direction>,
        verbs: &[Verb],
    ) -> Option<Part> {
        if name == "text" {
            return Some(Part::Text);
        }
        if name == "payload" {
            return Some(Part::Payload);
        }
        if let Some(header) = name.strip_prefix("headers.") {
            return Some(Part::Header(header.to_owned()));
        }
        if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
            return name.parse().ok().map(Part::Index);
        }
        if self.has_bad_verbs {
            return None;
        }
        if verbs.is_empty() {
            let help = "name the verbs, so that the name has a meaning, or give the index, from 0".to_owned();
            self.problem(place, format!("`{name}` names an argument, but the rule has no `verbs`"), Some(help));
            return None;
        }
        for &verb in verbs {
            let directions = || Direction::BOTH.into_iter().filter(|way| direction.is_none_or(|own| own == *way));
            if !directions().any(|way| argument::has_name(verb, way, name)) {
                let known = names_of(directions().map(|way| (verb, way)));
                let help = did_you_mean(name, known.iter().copied()).unwrap_or_else(|| match &known[..] {
                    [] => format!("{verb} has no arguments there"),
                    known => format!("{verb} has {}, and text, payload and headers.NAME", known.join(", ")),
                });
                self.problem(place, format!("{verb} has no argument `{name}`"), Some(help));
                return None;
            }
        }
        Some(Part::Argument(name.to_owned()))
    }

    fn template(&mut self, value: &Value<'_>, what: &str) -> Option<Template> {
        let text = self.string(value, what)?;
        Template::parse(text)
            .map_err(|(message, part, help)| {
                let place = self.inside(value, &part);
                self.problem(place, message, help);
            })
            .ok()
    }

    /// Reads a command that a rule makes: a line, or a line and a payload.
    fn command(&mut self, value: &Value<'_>, what: &str) -> Option<(Template, Option<Template>)> {
        let (line, payload) = match value.get_ref() {
            DeValue::Table(table) => {
                self.check_keys(table, what, &["line", "payload"]);
                let Some(line) = table.get("line") else {
                    let help = "write { line = \"NOT\", payload = \"...\" }".to_owned();
                    self.problem(value.span(), format!("{what} lacks `line`"), Some(help));
                    return None;
                };
                (line, table.get("payload"))
            }
            _ => (value, None),
        };
        let text = self.string(line, what)?.to_owned();
        // the direction plays no part in whether it is a line
        if Command::new(Direction::ServerToClient, text.as_bytes(), None).is_err() {
            let help = "a verb of three capitals or digits, then arguments; no line end".to_owned();
            self.problem(line.span(), format!("{what} is not a command line"), Some(help));
            return None;
        }
        let line = self.template(line, what)?;
        match payload {
            Some(payload) => Some((line, Some(self.template(payload, what)?))),
            None => Some((line, None)),
        }
    }
}

/// Returns the values of a list, or the one value that is none.
fn many<'v, 'i>(value: &'v Value<'i>) -> Vec<&'v Value<'i>> {
    match value.get_ref() {
        DeValue::Array(list) => list.iter().collect(),
        _ => vec![value],
    }
}

/// Returns the names of the arguments that these commands have, each once.
fn names_of(commands: impl Iterator<Item = (Verb, Direction)>) -> Vec<&'static str> {
    let mut names = Vec::new();
    for name in commands.flat_map(|(verb, way)| argument::names(verb, way)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Takes message and place out of the several lines that the regex crate makes of them.
fn regex_problem(error: &regex::Error, pattern: &str) -> (String, std::ops::Range<usize>) {
    let text = error.to_string();
    let message = text.lines().last().unwrap_or(&text).trim_start_matches("error: ").to_owned();
    // title, pattern, carets, message; a pattern of several lines is shown in another way
    let carets = text.lines().nth(2).filter(|_| !pattern.contains('\n'));
    let range = carets.and_then(|line| {
        let start = line.find('^')?.checked_sub(4)?;
        // columns are characters
        let byte = |column| pattern.char_indices().map(|(at, _)| at).chain([pattern.len()]).nth(column);
        Some(byte(start)?..byte(start + line.trim().len())?)
    });
    (message, range.unwrap_or(0..pattern.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::render;

    fn bad_part(rule: &str) -> String {
        let problems = parse(Path::new("rules.toml"), &format!("[[rule]]\ntag = \"x\"\n{rule}\n")).unwrap_err();
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        let _ = render(problem, false);
        problem.source[problem.place.clone().unwrap()].to_owned()
    }

    #[test]
    fn a_bad_pattern_is_shown_where_it_is_bad_in_any_language() {
        let bad_regex = |pattern| bad_part(&format!("replace = {{ in = 'text', regex = '{pattern}', with = '' }}"));
        assert_eq!(bad_regex("Grüße("), "(");
        assert_eq!(bad_regex("^ü[ß"), "[");
        assert_eq!(bad_regex("a{1000}{1000}{1000}"), "a{1000}{1000}{1000}");
    }

    #[test]
    fn a_bad_condition_is_shown_in_whole_characters() {
        assert_eq!(bad_part("when = 'verb == ü'"), "ü");
        assert_eq!(bad_part("when = 'vreb == \"ü\"'"), "vreb");
        assert_eq!(bad_part("verbs = ['CVR', 'USR']\nwhen = 'verb == \"ü\" && arg.lists == \"x\"'"), "lists");
    }
}
