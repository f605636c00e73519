//! [`Request`]: a client's command, taken apart once so that everything behind it can rely on its parts.

use msnp::{Command, TransactionId, Verb};

/// A command without its transaction id and its length.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) verb: Verb,
    /// 0 for the commands that have none, `PNG` and `OUT`.
    pub(crate) id: TransactionId,
    /// What stands between the two, empty tokens left out.
    pub(crate) arguments: Vec<&'a str>,
    pub(crate) payload: &'a [u8],
}

impl<'a> Request<'a> {
    /// Takes a command apart; `None` if it is not UTF-8 or lacks a transaction id, so that no answer could be paired
    /// with it.
    pub(crate) fn parse(command: &'a Command) -> Option<Request<'a>> {
        let verb = command.verb();
        let line = std::str::from_utf8(command.line()).ok()?;
        let mut arguments: Vec<&str> = line.split(' ').skip(1).filter(|token| !token.is_empty()).collect();
        let mut id = TransactionId(0);
        if !matches!(verb.as_bytes(), b"PNG" | b"OUT") {
            id = TransactionId::from_token(arguments.first()?.as_bytes())?;
            arguments.remove(0);
        }
        if command.has_payload() {
            arguments.pop();
        }
        Some(Request { verb, id, arguments, payload: command.payload() })
    }

    /// Returns argument `index`, from 0 behind the transaction id; empty if there is none.
    pub(crate) fn argument(&self, index: usize) -> &'a str {
        self.arguments.get(index).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use msnp::Direction;

    fn command(bytes: &[u8]) -> Command {
        Command::parse(Direction::ClientToServer, bytes).unwrap()
    }

    #[test]
    fn the_transaction_id_and_the_length_are_taken_off() {
        let command = command(b"MSG 4  A 5\r\nhello");
        let request = Request::parse(&command).unwrap();
        assert_eq!((request.id, request.arguments, request.payload), (TransactionId(4), vec!["A"], &b"hello"[..]));
    }

    #[test]
    fn a_ping_needs_no_transaction_id() {
        assert!(Request::parse(&command(b"PNG\r\n")).is_some());
        assert!(Request::parse(&command(b"SYN\r\n")).is_none());
        assert!(Request::parse(&command(b"SYN x\r\n")).is_none());
        assert!(Request::parse(&command(b"CHG 1 \xff\r\n")).is_none());
    }
}
