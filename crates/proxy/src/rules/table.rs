//! A TOML table read key by key, with a problem and its place for everything that is not as it should be.

use std::ops::Range;
use std::path::Path;

use msnp_transcript::expression::closest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;

/// Reads tables of one file and collects what is wrong with them.
pub(crate) struct Reader<'a> {
    pub(crate) file: &'a Path,
    pub(crate) source: &'a str,
    pub(crate) problems: Vec<Problem>,
}

/// A value and its place.
pub(crate) type Value<'i> = Spanned<DeValue<'i>>;

impl Reader<'_> {
    /// Notes a problem.
    pub(crate) fn problem(&mut self, place: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.problems.push(Problem::at(self.file, self.source, place, message).help(help));
    }

    /// Notes every key of `table` that is none of `allowed`.
    pub(crate) fn check_keys(&mut self, table: &DeTable<'_>, what: &str, allowed: &[&str]) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if !allowed.contains(&name) {
                let help = did_you_mean(name, allowed.iter().copied())
                    .unwrap_or_else(|| format!("{what} has the keys {}", allowed.join(", ")));
                self.problem(key.span(), format!("unknown key `{name}` in {what}"), Some(help));
            }
        }
    }

    pub(crate) fn string<'v>(&mut self, value: &'v Value<'_>, what: &str) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(value, what, "a string");
        }
        text
    }

    pub(crate) fn bool(&mut self, value: &Value<'_>, what: &str) -> Option<bool> {
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(value, what, "true or false");
        }
        flag
    }

    pub(crate) fn table<'v, 'i>(&mut self, value: &'v Value<'i>, what: &str) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, what, "a table");
        }
        table
    }

    /// Reads a whole number from `least` on.
    pub(crate) fn count(&mut self, value: &Value<'_>, what: &str, least: u64) -> Option<u64> {
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
    pub(crate) fn probability(&mut self, value: &Value<'_>, what: &str) -> Option<f64> {
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
    pub(crate) fn strings<'v>(&mut self, value: &'v Value<'_>, what: &str) -> Vec<(&'v str, Range<usize>)> {
        let values = match value.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            _ => vec![value],
        };
        values.into_iter().filter_map(|value| Some((self.string(value, what)?, value.span()))).collect()
    }

    pub(crate) fn wrong_type(&mut self, value: &Value<'_>, what: &str, expected: &str) {
        let found = value.get_ref().type_str();
        self.problem(value.span(), format!("{what} must be {expected}, found {found}"), None);
    }

    /// Returns the place of a part of a string value, given as a range of its text: exact if the string has no escapes.
    pub(crate) fn inside(&self, value: &Value<'_>, part: &Range<usize>) -> Range<usize> {
        let span = value.span();
        let (Some(raw), Some(text)) = (self.source.get(span.clone()), value.get_ref().as_str()) else { return span };
        match raw.find(text) {
            Some(at) => span.start + at + part.start..span.start + at + part.end,
            None => span,
        }
    }
}

/// Returns a hint if one of the candidates is near.
pub(crate) fn did_you_mean<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    closest(word, candidates).map(|near| format!("did you mean `{near}`?"))
}
