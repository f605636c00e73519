//! Expressions that select commands, in CEL (the Common Expression Language).
//!
//! The same language stands in rules (`when`), filters of the screen and searches. Variables:
//!
//! | name | type | meaning |
//! |---|---|---|
//! | `verb` | string | `"MSG"` |
//! | `trid` | int | the transaction id |
//! | `args` | list of string | the arguments, split on every single space |
//! | `arg` | map | the arguments by documented name: `arg.email` |
//! | `from` | string | `"client"` or `"server"` |
//! | `server` | string | `"ds"`, `"ns"` or `"sb"`, `""` while unknown |
//! | `version` | int | 12 for MSNP12, 0 while unknown |
//! | `account` | string | who logs in, `""` while unknown |
//! | `session` | string | the session's id |
//! | `connection` | int | the connection's number |
//! | `payload` | string | the whole payload |
//! | `text` | string | its body after MIME headers |
//! | `headers` | map | its MIME headers, as written, in lower case and as `Content-Type` |
//! | `size` | int | bytes of the whole command |
//! | `origin` | string | `"peer"` or `"injected"` |
//!
//! Functions are those of CEL: `contains`, `startsWith`, `endsWith` and `matches` of a text, `size(...)`, `has(...)`,
//! `exists` and `all` of a list, `int(...)` and the like.
//!
//! A missing header or argument makes the condition false; it is not an error. Bytes that are not UTF-8 are replaced.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use cel::common::types::{CelInt, CelString};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::objects::Key;
use cel::{Context, Env, ParseErrors, Program, Value};
use msnp::Command;
use msnp::argument::{self, Scope};
use msnp::command::lossy;

pub(crate) use check::Kind;

mod check;

/// The variables that an expression may use.
pub const VARIABLES: &[&str] = &[
    "verb",
    "trid",
    "args",
    "arg",
    "from",
    "server",
    "version",
    "account",
    "session",
    "connection",
    "payload",
    "text",
    "headers",
    "size",
    "origin",
];

/// A compiled expression.
pub struct Expression {
    source: String,
    program: Program,
    arguments: Vec<String>,
}

/// What an expression looks at.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The command.
    pub command: &'a Command,
    /// What is known of its connection.
    pub scope: Scope,
    /// The account, or the empty string.
    pub account: &'a str,
    /// The session's id.
    pub session: &'a str,
    /// The connection's number.
    pub connection: u64,
    /// `peer`, `injected` or `replayed`.
    pub origin: &'a str,
}

/// Why an expression cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// What is wrong.
    pub message: String,
    /// Where, as a range of bytes of the expression.
    pub range: Range<usize>,
    /// What to do.
    pub help: Option<String>,
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    ///
    /// If it is no expression, uses a variable, a function or an argument that does not exist, or is no condition.
    pub fn compile(source: &str) -> Result<Expression, ExpressionError> {
        let (program, arguments) = compile(source, VARIABLES, kind)?;
        Ok(Expression { source: source.to_owned(), program, arguments })
    }

    /// Returns the names of arguments that the expression asks for, and where each stands in it.
    pub fn argument_names(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        self.arguments.iter().map(|name| {
            let start = word(&self.source, name).unwrap_or(0);
            (name.as_str(), start..start + name.len())
        })
    }

    /// Whether the expression holds. One that fails (a missing header, a comparison of unlike things) does not.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        holds(&self.program, subject)
    }

    /// Returns the text that was compiled.
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({})", self.source)
    }
}

/// Returns what a variable is.
fn kind(variable: &str) -> Kind {
    match variable {
        "trid" | "version" | "connection" | "size" => Kind::Number,
        "args" => Kind::Texts,
        "arg" | "headers" => Kind::Named,
        _ => Kind::Text,
    }
}

/// Compiles a condition that may use `variables`, which are of some kind. Returns the names of arguments in it too.
pub(crate) fn compile(
    source: &str,
    variables: &[&str],
    kind: fn(&str) -> Kind,
) -> Result<(Program, Vec<String>), ExpressionError> {
    let depth = check::depth(source).map_err(|at| ExpressionError {
        message: "nested too deeply, or too long a chain".to_owned(),
        range: at..source.ceil_char_boundary(at + 1),
        help: Some("put it into several rules, or compare with a list: verb in [\"MSG\", \"NLN\"]".to_owned()),
    })?;
    let program = parse(source, depth).map_err(|errors| {
        let first = errors.errors.into_iter().next();
        let (line, column) = first.as_ref().map_or((1, 1), |error| error.pos);
        let at = offset(source, line, column);
        let message = first.map_or_else(|| "not an expression".to_owned(), |error| error.msg);
        let help = "a condition is such as verb == \"MSG\" && text.contains(\"hi\")".to_owned();
        ExpressionError { message, range: at..source.ceil_char_boundary(at + 1), help: Some(help) }
    })?;
    let bound = bound_variables(source);
    let references = program.references();
    let mut unknown: Vec<&str> = references
        .variables()
        .into_iter()
        .filter(|name| !variables.contains(name) && !name.starts_with('@') && !bound.contains(name))
        .collect();
    unknown.sort_unstable();
    if let Some(name) = unknown.first() {
        let start = word(source, name).unwrap_or(0);
        return Err(ExpressionError {
            message: format!("unknown variable `{name}`"),
            range: start..start + name.len(),
            help: Some(match closest(name, variables.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("variables are {}", variables.join(", ")),
            }),
        });
    }
    let arguments = check::condition(program.expression(), kind).map_err(|complaint| {
        let place = complaint.word.as_deref().and_then(|name| Some((word(source, name)?, name.len())));
        let range = place.map_or(0..source.len(), |(start, length)| start..start + length);
        ExpressionError { message: complaint.message, range, help: complaint.help }
    })?;
    Ok((program, arguments))
}

/// Parses an expression. For each bracket within another the parser takes up to 150 kB of the stack, and a thread may have
/// little.
fn parse(source: &str, depth: usize) -> Result<Program, ParseErrors> {
    if depth <= SHALLOW {
        return ENV.compile(source);
    }
    std::thread::scope(|scope| {
        let apart = std::thread::Builder::new().stack_size(DEEP_STACK);
        match apart.spawn_scoped(scope, || ENV.compile(source)).map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(parsed)) => parsed,
            // no thread, or a parser that panicked: here it does the same
            _ => ENV.compile(source),
        }
    })
}

/// Brackets within each other that any thread can parse.
const SHALLOW: usize = 6;
const DEEP_STACK: usize = 32 << 20;

/// Whether a compiled expression holds with the values of `variables`.
pub(crate) fn holds(program: &Program, variables: &dyn VariableResolver) -> bool {
    let mut context = Context::with_env(Arc::clone(&ENV));
    context.set_variable_resolver(variables);
    matches!(program.execute(&context), Ok(Value::Bool(true)))
}

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

impl VariableResolver for Subject<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let command = self.command;
        let text = |text: String| Some(CowVal::owned(CelString::from(text)));
        let number = |number: i64| Some(CowVal::owned(CelInt::from(number)));
        let value = |value: Value| value.try_into().ok().map(CowVal::Owned);
        match variable {
            "verb" => text(command.verb().to_string()),
            "trid" => {
                number(i64::from(msnp::command::transaction_id(command.direction(), command.line(), self.scope)?.0))
            }
            "args" => value(Value::List(Arc::new(
                command.arguments().map(|argument| Value::from(lossy(argument).into_owned())).collect(),
            ))),
            "arg" => value(self.named()),
            "from" => Some(CowVal::owned(CelString::from(command.direction().sender()))),
            "server" => Some(CowVal::owned(CelString::from(self.scope.server.map_or("", |kind| kind.as_str())))),
            "version" => number(self.scope.version.map_or(0, |version| i64::from(version.0))),
            "account" => Some(CowVal::owned(CelString::from(self.account))),
            "session" => Some(CowVal::owned(CelString::from(self.session))),
            "connection" => number(i64::try_from(self.connection).unwrap_or(i64::MAX)),
            "payload" => text(lossy(command.payload()).into_owned()),
            "text" => text(lossy(command.text()).into_owned()),
            "headers" => value(self.headers()),
            "size" => number(i64::try_from(command.as_bytes().len()).unwrap_or(i64::MAX)),
            "origin" => Some(CowVal::owned(CelString::from(self.origin))),
            _ => None,
        }
    }
}

impl Subject<'_> {
    fn named(&self) -> Value {
        let arguments: Vec<&[u8]> = self.command.arguments().collect();
        let mut map = HashMap::new();
        let described = argument::describe(self.command.verb(), self.command.direction(), &arguments, self.scope);
        for name in described.into_iter().flat_map(|(_, names)| names).flatten() {
            if let Some(value) = self.command.argument_named(name, self.scope) {
                map.entry(Key::from(name)).or_insert_with(|| Value::from(lossy(value).into_owned()));
            }
        }
        Value::from(map)
    }

    fn headers(&self) -> Value {
        let mut map = HashMap::new();
        let headers = self.command.headers();
        let second = headers.second_level();
        for line in headers.lines().chain(second.iter().flat_map(|second| second.lines())) {
            let name = lossy(line.name()).into_owned();
            let value = Value::from(lossy(line.value()).into_owned());
            for name in [name.to_lowercase(), title_case(&name), name] {
                map.entry(Key::from(name)).or_insert_with(|| value.clone());
            }
        }
        Value::from(map)
    }
}

fn title_case(name: &str) -> String {
    name.split('-')
        .map(|part| match part.split_at_checked(1) {
            Some((first, rest)) => first.to_uppercase() + &rest.to_lowercase(),
            None => part.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("-")
}

/// Returns the names that macros bind: the `a` of `args.exists(a, a == "x")`.
fn bound_variables(source: &str) -> Vec<&str> {
    let macros = [".all(", ".exists(", ".exists_one(", ".map(", ".filter("];
    macros
        .iter()
        .flat_map(|name| source.match_indices(name).map(|(at, _)| at + name.len()))
        .filter_map(|at| Some(source.get(at..)?.split_once(',')?.0.trim()))
        .collect()
}

/// Returns where `name` stands as a whole word.
fn word(source: &str, name: &str) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    source
        .match_indices(name)
        .map(|(at, _)| at)
        .find(|&at| !source[..at].ends_with(is_part) && !source[at + name.len()..].starts_with(is_part))
}

fn offset(source: &str, line: isize, column: isize) -> usize {
    let start: usize = source.split_inclusive('\n').take(usize::try_from(line - 1).unwrap_or(0)).map(str::len).sum();
    let mut at = (start + usize::try_from(column - 1).unwrap_or(0)).min(source.len());
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Returns the word that looks most like `word`, if one is near enough to be meant.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = word.chars().count().div_ceil(3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The number of insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use msnp::types::{Direction, ServerKind, Version};

    fn holds(expression: &str, command: &Command) -> bool {
        let scope = Scope { server: Some(ServerKind::Switchboard), version: Some(Version(9)) };
        let subject =
            Subject { command, scope, account: "alice@example.com", session: "01jd", connection: 3, origin: "peer" };
        Expression::compile(expression).unwrap().matches(&subject)
    }

    fn nudge() -> Command {
        let payload = "MIME-Version: 1.0\r\ncontent-type: text/x-msnmsgr-datacast\r\n\r\nID: 1\r\n\r\n";
        let bytes = format!("MSG bob@example.com Bob {}\r\n{payload}", payload.len());
        Command::parse(Direction::ServerToClient, bytes.as_bytes()).unwrap()
    }

    #[test]
    fn every_variable_has_its_value() {
        for expression in [
            "verb == 'MSG' && from == 'server' && server == 'sb' && version == 9",
            "account == 'alice@example.com' && session == '01jd' && connection == 3 && origin == 'peer'",
            "args[0] == 'bob@example.com' && arg.email == 'bob@example.com' && size(args) == 3",
            "headers['Content-Type'].startsWith('text/x-msnmsgr-datacast') && text.contains('ID: 1')",
            "headers['content-type'] != '' && headers['ID'] == '1' && payload.contains('MIME')",
            "size > 50 && size < 200 && args.exists(a, a == 'Bob') && text.matches('ID: [0-9]')",
        ] {
            assert!(holds(expression, &nudge()), "{expression}");
        }
    }

    #[test]
    fn what_is_missing_makes_a_condition_false() {
        for expression in
            ["headers['X-Nothing'] == 'a'", "args[9] == 'x'", "arg.cookie == 'x'", "trid == 1", "1 in args"]
        {
            assert!(!holds(expression, &nudge()), "{expression}");
        }
        assert!(holds("!('X-Nothing' in headers)", &nudge()));
    }

    #[test]
    fn an_unknown_variable_is_an_error_with_a_hint() {
        let error = Expression::compile("verb == 'MSG' && acount == 'x'").unwrap_err();
        assert_eq!(error.message, "unknown variable `acount`");
        assert_eq!(error.range, 17..23);
        assert_eq!(error.help.as_deref(), Some("did you mean `account`?"));
    }

    #[test]
    fn what_can_never_hold_is_an_error_with_a_hint() {
        for (source, message, part, help) in [
            ("text.contain('a')", "unknown function `contain`", "contain", "did you mean `contains`?"),
            ("frob(text)", "unknown function `frob`", "frob", "functions are"),
            (
                "arg.client_verson == '1'",
                "no command has an argument `client_verson`",
                "client_verson",
                "client_version",
            ),
            ("1 + 1", "the result is a number and no condition", "1 + 1", "compare it"),
            ("size", "`size` is a number and no condition", "size", "compare it"),
            ("verb == 'MSG' && text", "`text` is a text and no condition", "text", "compare it"),
            ("version == 'MSNP8'", "`version` is a number and \"MSNP8\" is a text: never alike", "version", "is MSNP8"),
            ("verb == 5", "`verb` is a text and what stands there is a number: never alike", "verb", "\"5\""),
            ("args[0] > 5", "is a text and what stands there is a number: never alike", "args", "\"5\""),
            ("args.contains('x')", "`args` is a list: `contains` is for texts", "contains", "args[0]"),
            ("args.exists(a, a.foo('x'))", "unknown function `foo`", "foo", ""),
            ("verb.size", "`verb` is a text and has no `size`", "size", ""),
        ] {
            let error = Expression::compile(source).err().unwrap_or_else(|| panic!("{source} is taken"));
            assert!(error.message.contains(message), "{source}: {error}");
            assert_eq!(&source[error.range.clone()], part, "{source}");
            assert!(error.help.as_deref().unwrap_or_default().contains(help), "{source}: {error:?}");
        }
    }

    #[test]
    fn what_may_hold_is_taken() {
        for source in [
            "has(arg.email) && !(arg.email in ['a@example.com'])",
            "version >= 8 ? args[0] == 'x' : size(args) > 2",
            "args.map(a, size(a)).exists(n, n > 100)",
            "int(args[0]) % 2 == 0 && double(size) / 2.0 > 1.5",
            "headers['X'] + text == 'ab' || headers.X.matches('a+')",
            "size(text) > 3 && string(version) == '9'",
            "{'MSG': true}[verb]",
            "type(verb) == type('') && timestamp('2026-11-22T12:00:00Z').getHours() == 12",
            "(verb + server).startsWith('MSG') && true",
        ] {
            if let Err(error) = Expression::compile(source) {
                panic!("{source}: {error}");
            }
        }
    }

    #[test]
    fn the_documentation_has_every_variable_and_its_examples_are_taken() {
        let document = include_str!("../../../docs/expressions.md");
        let parts: Vec<&str> = document.split("\n## ").collect();
        let sets = [VARIABLES, crate::state::STATE_VARIABLES, crate::answer::ANSWER_VARIABLES];
        for (part, variables) in parts[1..].iter().zip(sets) {
            let rows = part.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
            let mut named: Vec<&str> = rows.map(|(name, _)| name).collect();
            let mut variables = variables.to_vec();
            named.sort_unstable();
            variables.sort_unstable();
            assert_eq!(named, variables);
        }
        let examples: Vec<&str> = parts[0].lines().filter_map(|line| line.strip_prefix("    ")).collect();
        assert_eq!(examples.len(), 4);
        for example in examples {
            assert!(Expression::compile(example).is_ok(), "{example}");
        }
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused_before_it_takes_the_stack() {
        let deep = [
            "(".repeat(100_000) + "true" + &")".repeat(100_000),
            "[".repeat(100_000),
            format!("size{} > 0", "+1".repeat(100_000)),
            format!("args{} == 1", "[0]".repeat(100_000)),
            format!("arg{} == 1", ".a".repeat(100_000)),
            "true ? ".repeat(100_000),
            "!(".repeat(100_000),
            "-".repeat(100_000),
        ];
        for source in deep {
            let error = Expression::compile(&source).unwrap_err();
            assert!(error.message.contains("nested too deeply"), "{}", &source[..20]);
        }
        // what is long but flat, or looks deep only in a text
        let addresses: Vec<String> = (0..5000).map(|number| format!("'user{number}@example.com'")).collect();
        assert!(Expression::compile(&format!("account in [{}]", addresses.join(", "))).is_ok());
        assert!(Expression::compile(&format!("text.contains('{}')", "([{+-.".repeat(500))).is_ok());
        assert!(Expression::compile(&format!("text.contains(\"\\\"{}\")", "((".repeat(500))).is_ok());
        assert!(Expression::compile(&format!("{}true{}", "(".repeat(64), ")".repeat(64))).is_ok());
        assert!(Expression::compile(&format!("size{} > 0", "+1".repeat(200))).is_ok());
        assert!(Expression::compile(&format!("{}true", "true ? false : ".repeat(64))).is_ok());
    }

    #[test]
    fn a_syntax_error_says_where() {
        let error = Expression::compile("verb == 'MSG' &&").unwrap_err();
        assert!(error.range.start >= 14, "{error:?}");
        assert!(Expression::compile("").is_err());
    }

    #[test]
    fn the_closest_word_is_found() {
        assert_eq!(closest("replce", ["replace", "reply"]), Some("replace"));
        assert_eq!(closest("XRF", ["XFR", "USR"]), Some("XFR"));
        assert_eq!(closest("zzzz", ["XFR", "USR"]), None);
    }
}
