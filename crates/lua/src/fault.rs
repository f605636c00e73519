//! [`Fault`]: why a call of a script was lost, and where.

use std::fmt;

use mlua::Error;

/// Why a call was lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    pub(crate) message: String,
    /// The line of the script, from 1, if that is known.
    pub(crate) line: Option<u32>,
}

impl Fault {
    /// Reads an error of Luau. `chunk` is the name of the script in it.
    pub(crate) fn of(error: &Error, chunk: &str) -> Fault {
        let (text, traceback) = texts(error);
        let (line, message) = match place(&text, chunk) {
            Some((line, mut rest)) => {
                // an error that went through coroutines has the place of each
                while let Some((_, inner)) = rest.strip_prefix(": ").and_then(|rest| place(rest, chunk)) {
                    rest = inner;
                }
                (Some(line), rest.strip_prefix(": ").unwrap_or(rest))
            }
            None => (traceback.lines().find_map(|level| Some(place(level.trim_start(), chunk)?.0)), text.as_str()),
        };
        Fault { message: shorten(message), line }
    }

    /// Nobody got to the script in time.
    pub(crate) fn busy() -> Fault {
        let message = "not asked: other calls of the script took all the time that script.time_limit gives";
        Fault { message: message.to_owned(), line: None }
    }

    /// Takes a place that is known otherwise, if the error did not say one.
    pub(crate) fn or_line(mut self, line: Option<u32>) -> Fault {
        self.line = self.line.or(line);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Whether an error, or what caused it, is a lack of memory.
pub(crate) fn is_memory(error: &Error) -> bool {
    match error {
        Error::MemoryError(_) => true,
        Error::CallbackError { cause, .. } | Error::WithContext { cause, .. } => is_memory(cause),
        _ => false,
    }
}

/// Returns what an error says, and the calls that led to it.
fn texts(error: &Error) -> (String, String) {
    match error {
        Error::CallbackError { traceback, cause } => {
            let (text, inner) = texts(cause);
            (text, format!("{inner}\n{traceback}"))
        }
        Error::RuntimeError(text) => {
            let (message, traceback) = text.split_once("\nstack traceback:").unwrap_or((text, ""));
            (message.to_owned(), traceback.to_owned())
        }
        Error::SyntaxError { message, .. } => (message.clone(), String::new()),
        Error::MemoryError(_) => ("more memory than script.memory_limit allows".to_owned(), String::new()),
        other => (other.to_string(), String::new()),
    }
}

/// Returns the line that a text starts with, as in `echo.luau:12: oh`, and what stands behind it.
fn place<'t>(text: &'t str, chunk: &str) -> Option<(u32, &'t str)> {
    let rest = text.strip_prefix(chunk)?.strip_prefix(':')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some((rest[..end].parse().ok()?, &rest[end..]))
}

/// Makes one line of it that fits into a log.
fn shorten(message: &str) -> String {
    // a function of the prelude says where it is itself
    let message = match place(message, "mitmsn") {
        Some((_, rest)) => rest.trim_start_matches(": "),
        None => message,
    };
    let one_line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match one_line.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{} ...", &one_line[..end]),
        None => one_line,
    }
}

/// Longest message that is told.
const MOST_CHARACTERS: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_comes_from_the_message_or_from_the_calls_that_led_there() {
        let fault = |error: Error| {
            let fault = Fault::of(&error, "a/echo.luau");
            (fault.line, fault.message)
        };
        let twice = Error::RuntimeError("a/echo.luau:12: a/echo.luau:3: oh".into());
        assert_eq!(fault(twice), (Some(12), "oh".into()));
        let raised = Error::RuntimeError("a/echo.luau:12: oh\nno\nstack traceback:\n\t[C]: in ?".into());
        assert_eq!(fault(raised), (Some(12), "oh no".into()));
        let traceback = "stack traceback:\n\t[C]: in ?\n\ta/echo.luau:3: in function <a/echo.luau:1>".to_owned();
        let cause = std::sync::Arc::new(Error::RuntimeError("no".into()));
        assert_eq!(fault(Error::CallbackError { traceback, cause }), (Some(3), "no".into()));
        assert_eq!(fault(Error::RuntimeError("b.luau:1: x".into())), (None, "b.luau:1: x".into()));
        assert_eq!(fault(Error::RuntimeError("mitmsn:9: x".into())), (None, "x".into()));
    }
}
