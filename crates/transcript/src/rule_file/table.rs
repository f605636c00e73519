//! A TOML table read key by key, with a problem and its place for everything that is not as it should be.

use std::ops::Range;
use std::path::Path;

use msnp::table as verbs;
use msnp::types::{Direction, ServerKind, Verb};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;
use crate::Expression;
use crate::expression::closest;

/// Reads tables of one file and collects what is wrong with them.
#[derive(Debug)]
pub struct Reader<'a> {
    /// The file.
    pub file: &'a Path,
    /// Its text.
    pub source: &'a str,
    /// What is wrong so far.
    pub problems: Vec<Problem>,
}

/// A value and its place.
pub type Value<'i> = Spanned<DeValue<'i>>;

impl<'a> Reader<'a> {
    /// Starts to read a file.
    pub fn new(file: &'a Path, source: &'a str) -> Reader<'a> {
        Reader { file, source, problems: Vec::new() }
    }

    /// Notes a problem.
    pub fn problem(&mut self, place: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.problems.push(Problem::at(self.file, self.source, place, message).help(help));
    }

    /// Notes every key of `table` that is none of `allowed`.
    pub fn check_keys(&mut self, table: &DeTable<'_>, what: &str, allowed: &[&str]) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if !allowed.contains(&name) {
                let help = did_you_mean(name, allowed.iter().copied())
                    .unwrap_or_else(|| format!("{what} has the keys {}", allowed.join(", ")));
                self.problem(key.span(), format!("unknown key `{name}` in {what}"), Some(help));
            }
        }
    }

    /// Reads a string.
    pub fn string<'v>(&mut self, value: &'v Value<'_>, what: &str) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(value, what, "a string");
        }
        text
    }

    /// Reads `true` or `false`.
    pub fn bool(&mut self, value: &Value<'_>, what: &str) -> Option<bool> {
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(value, what, "true or false");
        }
        flag
    }

    /// Reads a table.
    pub fn table<'v, 'i>(&mut self, value: &'v Value<'i>, what: &str) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, what, "a table");
        }
        table
    }

    /// Reads a whole number from `least` on.
    pub fn count(&mut self, value: &Value<'_>, what: &str, least: u64) -> Option<u64> {
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok())
            .filter(|&number| number >= least);
        if number.is_none() {
            self.wrong_type(value, what, &format!("a whole number from {least}"));
        }
        number
    }

    /// Reads a number from 0 to 1.
    pub fn probability(&mut self, value: &Value<'_>, what: &str) -> Option<f64> {
        let text = match value.get_ref() {
            DeValue::Float(number) => number.as_str(),
            DeValue::Integer(number) => number.as_str(),
            _ => "",
        };
        let number = text.parse::<f64>().ok().filter(|number| (0.0..=1.0).contains(number));
        if number.is_none() {
            self.wrong_type(value, what, "a number from 0 to 1");
        }
        number
    }

    /// Reads a string or a list of strings, and returns each with its place.
    pub fn strings<'v>(&mut self, value: &'v Value<'_>, what: &str) -> Vec<(&'v str, Range<usize>)> {
        let values = match value.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            _ => vec![value],
        };
        values.into_iter().filter_map(|value| Some((self.string(value, what)?, value.span()))).collect()
    }

    /// Reads `from`: who sends.
    pub fn direction(&mut self, value: &Value<'_>) -> Option<Direction> {
        let text = self.string(value, "`from`")?;
        let found = Direction::BOTH.into_iter().find(|direction| direction.sender() == text);
        if found.is_none() {
            let help = did_you_mean(text, ["client", "server"]).unwrap_or("write \"client\" or \"server\"".to_owned());
            self.problem(value.span(), format!("`from` must be \"client\" or \"server\", found {text:?}"), Some(help));
        }
        found
    }

    /// Reads `verbs`: verbs of the protocol's table, and error codes.
    pub fn verbs(&mut self, value: &Value<'_>) -> Vec<Verb> {
        let mut found = Vec::new();
        for (text, place) in self.strings(value, "`verbs`") {
            match text.parse::<Verb>() {
                Ok(verb) if verbs::is_known(verb) => found.push(verb),
                _ => {
                    let known = verbs::ROWS.iter().map(|row| row.verb).filter(|verb| verb.len() == 3 && *verb != "NNN");
                    let help = did_you_mean(text, known).unwrap_or_else(|| {
                        "a verb is three capitals of the protocol's table, or a three-digit error code".to_owned()
                    });
                    self.problem(place, format!("unknown verb `{text}`"), Some(help));
                }
            }
        }
        found
    }

    /// Reads `server`: kinds of servers.
    pub fn servers(&mut self, value: &Value<'_>) -> Vec<ServerKind> {
        let mut found = Vec::new();
        for (text, place) in self.strings(value, "`server`") {
            match text.parse() {
                Ok(server) => found.push(server),
                Err(_) => {
                    let help = "ds is a dispatch server, ns a notification server, sb a switchboard".to_owned();
                    self.problem(place, format!("unknown kind of server {text:?}"), Some(help));
                }
            }
        }
        found
    }

    /// Reads `when`: an expression on a command.
    pub fn expression(&mut self, value: &Value<'_>) -> Option<Expression> {
        let text = self.string(value, "`when`")?;
        Expression::compile(text)
            .map_err(|error| {
                let place = self.inside(value, &error.range);
                self.problem(place, error.message, error.help);
            })
            .ok()
    }

    /// Notes that a value should be something else.
    pub fn wrong_type(&mut self, value: &Value<'_>, what: &str, expected: &str) {
        let kind = value.get_ref().type_str();
        let found = match value.get_ref() {
            DeValue::Array(_) | DeValue::Table(_) => kind,
            _ => self.source.get(value.span()).filter(|text| text.len() < 40).unwrap_or(kind),
        };
        self.problem(value.span(), format!("{what} must be {expected}, found {found}"), None);
    }

    /// Returns the place of a part of a string value, given as a range of its text: exact if the string has no escapes.
    pub fn inside(&self, value: &Value<'_>, part: &Range<usize>) -> Range<usize> {
        let span = value.span();
        let (Some(raw), Some(text)) = (self.source.get(span.clone()), value.get_ref().as_str()) else { return span };
        match raw.find(text) {
            Some(at) => span.start + at + part.start..span.start + at + part.end,
            None => span,
        }
    }
}

/// Returns a hint if one of the candidates is near.
pub fn did_you_mean<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    closest(word, candidates).map(|near| format!("did you mean `{near}`?"))
}
