//! Files that say which differences do not matter.
//!
//! ```toml
//! [[ignore]]
//! reason = "each server has its own news"
//! verbs = ["NOT"]
//! from = "server"
//! ```

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use msnp::types::{Direction, ServerKind, Verb};
use msnp::{argument, table as verbs};
use toml::de::{DeTable, DeValue};

use super::State;
use super::changes::Change;
use super::fields::Part;
use super::side::{Connection, Item, Side};
use crate::Expression;
use crate::rule_file::{Problem, Reader, Value, did_you_mean};

/// What does not matter.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Ignore {
    /// Why; the name of the rule in reports.
    pub reason: String,
    /// Where it stands: file and line.
    pub place: (PathBuf, usize),
    verbs: Vec<Verb>,
    direction: Option<Direction>,
    servers: Vec<ServerKind>,
    states: Vec<State>,
    argument: Option<String>,
    header: Option<String>,
    path: Option<String>,
    when: Option<Expression>,
}

impl Ignore {
    /// Whether it is about whole commands.
    pub(super) fn is_whole(&self) -> bool {
        self.argument.is_none() && self.header.is_none() && self.path.is_none()
    }

    /// Whether it is about such a difference, of whatever command.
    pub(super) fn covers(&self, change: &Change) -> bool {
        let name = change.name.as_str();
        let is_part = |of: &str| {
            name.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '/', ':']))
        };
        if let Some(argument) = &self.argument {
            return matches!(change.part, Part::Argument | Part::Line | Part::Verb | Part::Order) && is_part(argument);
        }
        if let Some(header) = &self.header {
            // a header of a block is called `routing.To`
            let own = header.to_lowercase();
            let name = name.to_lowercase();
            let is_it = |name: &str| {
                name.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            return matches!(change.part, Part::Header | Part::P2p)
                && (is_it(&name) || name.match_indices('.').any(|(dot, _)| is_it(&name[dot + 1..])));
        }
        match &self.path {
            Some(path) => match path.strip_prefix("//") {
                Some(end) => {
                    change.part == Part::Xml && name.match_indices('/').any(|(at, _)| is_below(&name[at + 1..], end))
                }
                None => matches!(change.part, Part::Xml | Part::P2p | Part::Text | Part::Payload) && is_part(path),
            },
            None => true,
        }
    }

    /// Whether it selects a command in this state: `items` are those that belong together.
    pub(super) fn selects<'a>(
        &self,
        state: State,
        mut items: impl Iterator<Item = (&'a Side, &'a Connection, &'a Item)>,
    ) -> bool {
        (self.states.is_empty() || self.states.contains(&state))
            && items.any(|(side, connection, item)| {
                let verb = item.command().map(msnp::Command::verb);
                (self.verbs.is_empty() || verb.is_some_and(|verb| self.verbs.contains(&verb)))
                    && self.direction.is_none_or(|direction| direction == item.direction())
                    && (self.servers.is_empty()
                        || connection.facts.server.is_some_and(|server| self.servers.contains(&server)))
                    && self.when.as_ref().is_none_or(|when| item.passes(when, side, connection))
            })
    }
}

/// Whether a path ends with what is sought, or goes on below it.
fn is_below(path: &str, end: &str) -> bool {
    path.strip_prefix(end).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[']))
}

/// Reads the rules of one file.
///
/// # Errors
///
/// Every problem of the file.
pub fn parse(file: &Path, source: &str) -> Result<Vec<Ignore>, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(source);
    let mut reader = Reader::new(file, source);
    reader.problems.extend(errors.iter().map(|error| Problem::of_toml(file, source, error)));
    if !reader.problems.is_empty() {
        return Err(reader.problems);
    }
    let table = table.get_ref();
    reader.check_keys(table, "a file of differences to ignore", &["ignore"]);
    let mut rules = Vec::new();
    if let Some(list) = table.get("ignore") {
        match list.get_ref() {
            DeValue::Array(list) => {
                for rule in list.iter() {
                    if let Some(table) = reader.table(rule, "`ignore`") {
                        rules.extend(read(&mut reader, table, rule));
                    }
                }
            }
            _ => reader.problem(list.span(), "`ignore` must be a list of tables", Some("write [[ignore]]".to_owned())),
        }
    }
    if reader.problems.is_empty() { Ok(rules) } else { Err(reader.problems) }
}

const KEYS: &[&str] = &["reason", "verbs", "from", "server", "kind", "argument", "header", "path", "when"];
/// What else stands where arguments do.
const LINE: &[&str] = &["form", "line end", "spaces at the end", "verb", "order"];

/// Reads one rule; `None` if it has a problem.
fn read(reader: &mut Reader<'_>, table: &DeTable<'_>, whole: &Value<'_>) -> Option<Ignore> {
    let before = reader.problems.len();
    reader.check_keys(table, "a rule", KEYS);
    let line = reader.source.get(..whole.span().start).map_or(1, |text| text.matches('\n').count() + 1);
    let reason = match table.get("reason") {
        Some(reason) => reader.string(reason, "`reason`").map(str::to_owned),
        None => {
            let help = "say why these differences do not matter: it stands in the report".to_owned();
            reader.problem(whole.span(), "a rule lacks `reason`", Some(help));
            None
        }
    };
    let direction = table.get("from").and_then(|value| reader.direction(value));
    let verbs = table.get("verbs").map(|value| reader.verbs(value)).unwrap_or_default();
    let rule = Ignore {
        reason: reason.unwrap_or_default(),
        place: (reader.file.to_owned(), line),
        states: table.get("kind").map(|value| states(reader, value)).unwrap_or_default(),
        argument: table.get("argument").and_then(|value| named(reader, value, direction, &verbs)),
        header: table.get("header").and_then(|value| reader.string(value, "`header`").map(str::to_owned)),
        path: table.get("path").and_then(|value| reader.string(value, "`path`").map(str::to_owned)),
        when: table.get("when").and_then(|value| reader.expression(value)),
        servers: table.get("server").map(|value| reader.servers(value)).unwrap_or_default(),
        direction,
        verbs,
    };
    let parts: Vec<&str> = ["argument", "header", "path"].into_iter().filter(|key| table.contains_key(*key)).collect();
    if let [first, second, ..] = parts[..] {
        let place = table.get(second).map_or(whole.span(), Value::span);
        let message = format!("a rule is about one part of commands, not `{first}` and `{second}`");
        reader.problem(place, message, Some("write two rules".to_owned()));
    }
    if let (Some(kind), [part, ..]) = (table.get("kind"), &parts[..])
        && !rule.states.is_empty()
        && !rule.states.contains(&State::Changed)
    {
        let message = format!("a command that is missing or extra has no `{part}` that differs");
        reader.problem(kind.span(), message, Some("write kind = \"changed\", or leave it out".to_owned()));
    }
    let names = ["verbs", "from", "server", "kind", "argument", "header", "path", "when"];
    if !names.iter().any(|key| table.contains_key(*key)) && reader.problems.len() == before {
        let help = format!("say which differences: {}", names.join(", "));
        reader.problem(whole.span(), "this rule would ignore every difference", Some(help));
    }
    (reader.problems.len() == before).then_some(rule)
}

fn states(reader: &mut Reader<'_>, value: &Value<'_>) -> Vec<State> {
    const NAMES: [(&str, State); 3] =
        [("missing", State::Missing), ("extra", State::Extra), ("changed", State::Changed)];
    let mut found = Vec::new();
    for (text, place) in reader.strings(value, "`kind`") {
        match NAMES.iter().find(|(name, _)| *name == text) {
            Some((_, state)) => found.push(*state),
            None => {
                let help = did_you_mean(text, NAMES.map(|(name, _)| name)).unwrap_or_else(|| {
                    "write \"missing\" (only in A), \"extra\" (only in B) or \"changed\"".to_owned()
                });
                reader.problem(place, format!("unknown kind of difference {text:?}"), Some(help));
            }
        }
    }
    found
}

/// Reads the name of an argument, which one of the verbs must have.
fn named(reader: &mut Reader<'_>, value: &Value<'_>, direction: Option<Direction>, own: &[Verb]) -> Option<String> {
    let name = reader.string(value, "`argument`")?.to_owned();
    // `msnobject_urlenc.SHA1D` is a part of an argument, `args[2]` one without a name
    let base = name.split('.').next().unwrap_or(&name);
    let is_place = base
        .strip_prefix("args[")
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|index| index.parse::<usize>().is_ok());
    if is_place || LINE.contains(&base) {
        return Some(name);
    }
    let ways = || Direction::BOTH.into_iter().filter(|way| direction.is_none_or(|own| own == *way));
    let every = || -> Vec<Verb> { verbs::ROWS.iter().filter_map(|row| row.verb.parse().ok()).collect() };
    let verbs = if own.is_empty() { every() } else { own.to_vec() };
    let has = |verb: &Verb| ways().any(|way| argument::has_name(*verb, way, base));
    if verbs.iter().any(has) {
        // names with signs are compared by their form with underscores
        return Some(name.replace([':'], "_"));
    }
    let known: HashSet<&str> =
        verbs.iter().flat_map(|verb| ways().flat_map(|way| argument::names(*verb, way))).collect();
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    let help = did_you_mean(base, known.iter().copied().chain(LINE.iter().copied())).or_else(|| {
        (!own.is_empty()).then(|| match &known[..] {
            [] => "it has no arguments there".to_owned(),
            known => format!("there are {}, and {}", known.join(", "), LINE.join(", ")),
        })
    });
    let whose = match own {
        [] => "no command".to_owned(),
        [verb] => format!("{verb} has no"),
        _ => "none of these verbs".to_owned(),
    };
    let message = match own {
        [_] => format!("{whose} argument `{base}`"),
        _ => format!("{whose} has an argument `{base}`"),
    };
    reader.problem(value.span(), message, help);
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule_file::render;

    fn problem(text: &str) -> String {
        let problems = parse(Path::new("ignore.toml"), text).unwrap_err();
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        render(problem, false)
    }

    #[test]
    fn what_is_wrong_is_shown_with_its_place_and_what_is_right() {
        for (rule, expected) in [
            ("verbs = [\"CVR\"]", "a rule lacks `reason`"),
            ("reason = \"x\"", "this rule would ignore every difference"),
            ("reason = \"x\"\nkind = \"mising\"", "did you mean `missing`?"),
            ("reason = \"x\"\nverbs = [\"CVR\"]\nargument = \"clientversion\"", "did you mean `client_version`?"),
            ("reason = \"x\"\nverbs = [\"CHG\"]\nargument = \"zzzzzzzzz\"", "CHG has no argument `zzzzzzzzz`"),
            ("reason = \"x\"\nargument = \"freindly_name\"", "did you mean `friendly_name`?"),
            ("reason = \"x\"\nverbs = [\"XRF\"]", "did you mean `XFR`?"),
            ("reason = \"x\"\nwhen = 'vreb == \"MSG\"'", "did you mean `verb`?"),
            ("reason = \"x\"\nargument = \"trid\"\nheader = \"To\"", "not `argument` and `header`"),
            ("reason = \"x\"\nkind = \"extra\"\nheader = \"To\"", "a command that is missing or extra has no `header`"),
            ("reason = \"x\"\nverb = [\"MSG\"]", "did you mean `verbs`?"),
        ] {
            let text = problem(&format!("[[ignore]]\n{rule}\n"));
            assert!(text.contains(expected) && text.contains("ignore.toml:") && text.contains('^'), "{rule}\n{text}");
        }
        assert!(problem("[ignore]\nreason = 'x'").contains("write [[ignore]]"));
        assert!(parse(Path::new("x"), "[[ignore").is_err());
    }

    #[test]
    fn a_rule_covers_the_parts_that_it_names() {
        let rule = |keys: &str| parse(Path::new("x"), &format!("[[ignore]]\nreason = 'x'\n{keys}")).unwrap().remove(0);
        let change = |part, name: &str| Change::new(part, name, None, None);
        assert!(rule("argument = 'client_version'").covers(&change(Part::Argument, "client_version")));
        assert!(rule("argument = 'msnobject_urlenc'").covers(&change(Part::Argument, "msnobject_urlenc.SHA1D")));
        assert!(!rule("argument = 'client_name'").covers(&change(Part::Argument, "client_version")));
        assert!(rule("header = 'to'").covers(&change(Part::Header, "routing.To")));
        assert!(rule("header = 'X-MMS-IM-Format'").covers(&change(Part::Header, "X-MMS-IM-Format.FN")));
        assert!(!rule("header = 'to'").covers(&change(Part::Header, "P2P-Dest")));
        assert!(rule("path = 'Data/PSM'").covers(&change(Part::Xml, "Data/PSM/text()")));
        assert!(rule("path = '//@l'").covers(&change(Part::Xml, "ml/d[n=a]/c[n=b]/@l")));
        assert!(!rule("path = 'Data'").covers(&change(Part::Xml, "DataX")));
        assert!(rule("path = 'text'").covers(&change(Part::Text, "text:2")));
    }
}
