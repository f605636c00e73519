//! Expressions on what came back for a command that was sent, in CEL.

use std::fmt;
use std::sync::Arc;

use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::{Program, Value};

use crate::expression::{self, ExpressionError, Kind};

/// The variables that an expression on an answer may use.
pub const ANSWER_VARIABLES: &[&str] = &["verb", "args", "error", "replies", "verbs", "disconnected", "done", "after"];

/// A compiled expression on what came back, such as `verb == "CHG" && !disconnected`. Variables:
///
/// | name | type | meaning |
/// |---|---|---|
/// | `verb` | string | of the first reply, `""` if there was none |
/// | `args` | list of string | of the first reply |
/// | `error` | int | the first reply that is an error, 0 if none is |
/// | `replies` | list of string | the lines of all replies |
/// | `verbs` | list of string | the verbs of all replies |
/// | `disconnected` | bool | whether the connection was closed |
/// | `done` | string | why no more was waited for: `"complete"`, `"quiet"`, `"waiting"` ... |
/// | `after` | double | seconds until the first reply, or until no more was waited for |
pub struct AnswerExpression {
    source: String,
    program: Program,
}

/// What came back.
#[derive(Clone, PartialEq, Debug, Default)]
#[non_exhaustive]
pub struct Answer {
    /// Verb and arguments of each reply.
    pub replies: Vec<(String, Vec<String>)>,
    /// Whether the connection was closed.
    pub disconnected: bool,
    /// Why no more was waited for.
    pub done: String,
    /// Seconds until the first reply, or until no more was waited for.
    pub after: f64,
}

impl AnswerExpression {
    /// Compiles an expression.
    ///
    /// # Errors
    ///
    /// If it is no expression, or uses a variable or a function that does not exist, or is no condition.
    pub fn compile(source: &str) -> Result<AnswerExpression, ExpressionError> {
        let program = expression::compile(source, ANSWER_VARIABLES, |name| match name {
            "verb" | "done" => Kind::Text,
            "args" | "replies" | "verbs" => Kind::Texts,
            "error" | "after" => Kind::Number,
            "disconnected" => Kind::Flag,
            _ => Kind::Unknown,
        })?
        .0;
        Ok(AnswerExpression { source: source.to_owned(), program })
    }

    /// Whether the expression holds. One that fails (an argument that is missing) does not.
    pub fn matches(&self, answer: &Answer) -> bool {
        expression::holds(&self.program, answer)
    }

    /// Returns the text that was compiled.
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for AnswerExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnswerExpression({})", self.source)
    }
}

impl VariableResolver for Answer {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let first = self.replies.first();
        let list = |texts: Vec<String>| Value::List(Arc::new(texts.into_iter().map(Value::from).collect()));
        let value = match variable {
            "verb" => Value::from(first.map(|(verb, _)| verb.clone()).unwrap_or_default()),
            "args" => list(first.map(|(_, arguments)| arguments.clone()).unwrap_or_default()),
            "error" => Value::Int(self.error().map_or(0, i64::from)),
            "replies" => list(self.lines()),
            "verbs" => list(self.replies.iter().map(|(verb, _)| verb.clone()).collect()),
            "disconnected" => Value::Bool(self.disconnected),
            "done" => Value::from(self.done.clone()),
            "after" => Value::Float(self.after),
            _ => return None,
        };
        value.try_into().ok().map(CowVal::Owned)
    }
}

impl Answer {
    /// Returns the lines of the replies.
    pub fn lines(&self) -> Vec<String> {
        let line = |(verb, arguments): &(String, Vec<String>)| {
            arguments.iter().fold(verb.clone(), |line, argument| format!("{line} {argument}"))
        };
        self.replies.iter().map(line).collect()
    }

    /// Returns the first error among the replies.
    pub fn error(&self) -> Option<u16> {
        let is_code = |verb: &&String| verb.len() == 3 && verb.bytes().all(|byte| byte.is_ascii_digit());
        self.replies.iter().map(|(verb, _)| verb).find(is_code)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_can_be_asked_everything() {
        let reply = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            (words.next().unwrap(), words.collect())
        };
        let replies = vec![reply("CHG 8 AWY 0"), reply("ILN 8 NLN bob@example.com Bob")];
        let answer = Answer { replies, done: "quiet".into(), after: 0.25, ..Answer::default() };
        for source in [
            "verb == 'CHG' && args[1] == 'AWY' && error == 0",
            "replies == ['CHG 8 AWY 0', 'ILN 8 NLN bob@example.com Bob'] && 'ILN' in verbs",
            "!disconnected && done == 'quiet' && after < 1.0",
        ] {
            assert!(AnswerExpression::compile(source).unwrap().matches(&answer), "{source}");
        }
        let refused = Answer { replies: vec![reply("201 8")], disconnected: true, ..Answer::default() };
        assert!(AnswerExpression::compile("error == 201 && disconnected").unwrap().matches(&refused));
        assert!(!AnswerExpression::compile("args[5] == 'x'").unwrap().matches(&refused));
        let error = AnswerExpression::compile("vreb == 'CHG'").unwrap_err();
        assert_eq!(error.help.as_deref(), Some("did you mean `verb`?"));
    }
}
