//! The script of a replay: what both sides said on every connection of a recorded session.
//!
//! Left out is what neither peer said (commands that were injected, and the answers to them), bytes outside of commands, and
//! connections on which no client spoke. What a replay said is what one of the peers said: its transcripts can be replayed.

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::Duration;

use msnp::argument::Scope;
use msnp::command::lossy;
use msnp::flow::Opening;
use msnp::{Command, Direction, ServerKind, Version};
use msnp_transcript::{Reader, mask};

use crate::error::Error;
use build::Builder;

mod build;
mod link;

/// A recorded session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Script {
    /// Where it was read from.
    pub name: PathBuf,
    /// The account that logged in, lower-cased, if it is known.
    pub account: Option<String>,
    /// The connections, in the order in which they were opened.
    pub dialogues: Vec<Dialogue>,
    /// What a reader of the report should know, such as what was left out.
    pub notes: Vec<String>,
}

/// What was said on one recorded connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dialogue {
    /// Its number in the recording.
    pub connection: u64,
    /// What the server was.
    pub server: ServerKind,
    /// The version spoken; that of the login for a switchboard.
    pub version: Option<Version>,
    /// Where it led, `host:port`; empty if the recording does not say.
    pub upstream: String,
    /// When it was opened. All times count from the Unix epoch.
    pub opened: Duration,
    /// The redirect that led the client here, if there was one.
    pub cause: Option<Cause>,
    /// What was said, in order.
    pub steps: Vec<Step>,
    /// How it ended, if the recording goes so far.
    pub end: Option<End>,
}

/// The place of an `XFR` or `RNG` in a script.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Cause {
    /// Index of the dialogue.
    pub dialogue: usize,
    /// Index of the step.
    pub step: usize,
}

/// One command of a dialogue.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Step {
    /// Its sequence number in the recording.
    pub seq: u64,
    /// When it was seen.
    pub at: Duration,
    /// The command as its sender said it; masked places hold `*`.
    pub command: Command,
    /// Which places are masked, as in [`msnp_transcript::CommandEvent::masked`].
    pub masked: Vec<String>,
    /// For a server's command: the client's command that it answers, by transaction id.
    pub reply_to: Option<usize>,
    /// For a server's command that answers none: the last client's command that was settled before it.
    pub gate: Option<usize>,
}

/// How a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct End {
    /// When.
    pub at: Duration,
    /// Who closed it.
    pub by: Closer,
}

/// Who closed a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closer {
    /// The client.
    Client,
    /// The server.
    Server,
    /// Whoever recorded it: nobody knows how it would have gone on.
    Recorder,
}

impl Script {
    /// Reads a transcript from a file. A last line that was cut off is left out and noted.
    ///
    /// # Errors
    ///
    /// If it is none, if one of its lines cannot be read, or if no client says anything in it.
    pub fn open(path: &Path) -> Result<Script, Error> {
        Script::read(Reader::open(path)?, path)
    }

    /// Reads a transcript; `name` stands in errors and reports.
    ///
    /// # Errors
    ///
    /// As [`Script::open`].
    pub fn read<R: BufRead>(mut reader: Reader<R>, name: &Path) -> Result<Script, Error> {
        let mut builder = Builder::new(name);
        for event in reader.by_ref() {
            builder.add(event)?;
        }
        if let Some(line) = reader.torn() {
            builder.note(format!("{}:{line} is cut off: the recording ended there", name.display()));
        }
        builder.finish()
    }

    /// Returns how many dialogues begin with a login.
    pub fn logins(&self) -> usize {
        self.dialogues.iter().filter(|dialogue| matches!(dialogue.opening(), Opening::Login { .. })).count()
    }
}

impl Dialogue {
    /// Returns what the client's first command says about the connection.
    pub fn opening(&self) -> Opening {
        self.requests().next().map_or(Opening::Other, |(_, step)| Opening::of(&step.command))
    }

    /// Returns what is known of the connection.
    pub fn scope(&self) -> Scope {
        Scope { server: Some(self.server), version: self.version }
    }

    /// Returns the client's commands, with their indices.
    pub fn requests(&self) -> impl Iterator<Item = (usize, &Step)> {
        self.steps.iter().enumerate().filter(|(_, step)| step.is_request())
    }
}

impl Step {
    /// Whether the client said it.
    pub fn is_request(&self) -> bool {
        self.command.direction() == Direction::ClientToServer
    }

    /// Whether it is part of what is compared: keep-alives come when they come, and whether a client says `OUT` before
    /// it closes the connection is a race even with itself.
    pub fn matters(&self) -> bool {
        !matches!(self.command.verb().as_bytes(), b"PNG" | b"QNG" | b"OUT")
    }
}

/// Returns a command's line as people may see it.
pub(crate) fn line_of(command: &Command) -> String {
    let masked = mask::mask_command(command);
    let command = masked.as_ref().map_or(command, |masked| &masked.command);
    shorten(&lossy(command.line()))
}

/// Cuts a text that is too long for a report.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(LONGEST_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

const LONGEST_SHOWN: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, script};

    fn replies(script: &Script) -> Vec<(Option<usize>, Option<usize>)> {
        script.dialogues[0].steps.iter().map(|step| (step.reply_to, step.gate)).collect()
    }

    #[test]
    fn answers_belong_to_their_command_and_the_rest_to_what_was_settled_before() {
        let script = script(
            "0 #1 > VER 0 MSNP8 CVR0
             1 #1 < VER 0 MSNP8
             2 #1 > SYN 1 0
             3 #1 > CHG 2 NLN
             4 #1 < SYN 1 4 1 1
             5 #1 < LST bob@example.com Bob 11 0
             6 #1 < CHL 0 1557
             7 #1 < CHG 2 NLN
             8 #1 < ILN 2 NLN bob@example.com Bob
             9 #1 > PNG
             9 #1 < QNG
             9 #1 < NLN AWY bob@example.com Bob
            10 #1 < 800 2",
        );
        let none = (None, None);
        let expected = [
            none,
            (Some(0), None),
            none,
            none,
            (Some(2), None),
            (None, Some(2)),
            (None, Some(2)),
            (Some(3), None),
            (Some(3), None),
            none,
            (Some(9), None),
            (None, Some(3)),
            (Some(3), None),
        ];
        assert_eq!(replies(&script), expected);
    }

    #[test]
    fn what_was_injected_and_the_answers_to_it_are_left_out() {
        let text = testing::transcript(
            "0 #1 > VER 1 MSNP8 CVR0
             1 #1 < VER 1 MSNP8
             2 #1 > CHG 2 NLN
             3 #1 < CHG 2 NLN
             4 #1 > PNG
             5 #1 < QNG
             6 #1 < QNG",
        );
        let injected = |line: &str| line.replace(r#""origin":"peer""#, r#""origin":"injected""#);
        let lines: Vec<String> = text
            .lines()
            .map(|line| {
                if line.contains(r#""c2s","verb":"CHG""#) || line.contains("PNG") {
                    injected(line)
                } else {
                    line.into()
                }
            })
            .collect();
        let script = testing::read(&lines.join("\n")).unwrap();
        let verbs: Vec<String> = script.dialogues[0].steps.iter().map(|step| step.command.verb().to_string()).collect();
        assert_eq!(verbs, ["VER", "VER", "QNG"]);
        assert_eq!(script.notes, ["4 commands that no peer sent, or that answer such, are left out"]);
    }

    #[test]
    fn ids_that_the_proxy_shifted_still_find_their_command() {
        let text = testing::transcript("0 #1 > VER 1 MSNP8 CVR0\n 1 #1 > CHG 8 NLN\n 2 #1 < CHG 9 NLN");
        let sent = r#""origin":"peer","sent":[{"direction":"c2s","verb":"CHG","args":["9","NLN"]}]"#;
        let lines: Vec<String> = text
            .lines()
            .map(|line| {
                if line.contains(r#""c2s","verb":"CHG""#) {
                    line.replace(r#""origin":"peer""#, sent)
                } else {
                    line.into()
                }
            })
            .collect();
        assert_eq!(replies(&testing::read(&lines.join("\n")).unwrap())[2], (Some(1), None));
    }

    #[test]
    fn switchboards_are_led_to_by_their_redirect_even_if_the_cookie_is_masked() {
        let script = script(
            "0 #1 > VER 1 MSNP8 CVR0
             1 #1 < XFR 3 NS 192.0.2.2:1863 0 192.0.2.1:1863
             2 #1 closed server
             3 #2 > VER 1 MSNP8 CVR0
             4 #2 < XFR 8 SB 192.0.2.3:1863 CKI *****
             5 #2 < XFR 9 SB 192.0.2.3:1863 CKI ****
             6 #3 > USR 1 alice@example.com ****
             7 #4 > USR 1 alice@example.com *****
             8 #2 < RNG 11 192.0.2.3:1863 CKI ***** bob@example.com Bob
             9 #2 < RNG 12 192.0.2.3:1863 CKI ***** bob@example.com Bob
            10 #5 > ANS 1 alice@example.com ***** 12
            11 #6 > USR 1 alice@example.com ****",
        );
        let causes: Vec<_> =
            script.dialogues.iter().map(|dialogue| dialogue.cause.map(|c| (c.dialogue, c.step))).collect();
        assert_eq!(causes, [None, Some((0, 1)), Some((1, 2)), Some((1, 1)), Some((1, 4)), None]);
        assert_eq!(script.dialogues[0].server, ServerKind::Dispatch);
        assert_eq!(
            script.dialogues[2].scope(),
            Scope { server: Some(ServerKind::Switchboard), version: Some(Version(8)) }
        );
        assert_eq!(script.dialogues[0].end.map(|end| end.by), Some(Closer::Server));
    }

    #[test]
    fn what_is_no_transcript_is_refused_with_file_and_line() {
        let error = |text: &str| testing::read(text).unwrap_err().to_string();
        assert_eq!(error("GET / HTTP/1.1\n"), "t.jsonl:1: not a mitmsn-transcript of version 1");
        assert_eq!(error("{\"type\":\"note\"}\n"), "t.jsonl:1: not a mitmsn-transcript of version 1");
        assert_eq!(error(""), "t.jsonl:1: not a mitmsn-transcript of version 1");
        let good = testing::transcript("0 #1 > VER 1 MSNP8 CVR0");
        assert_eq!(
            error(&good.replace("\"version\":1,", "\"version\":2,")),
            "t.jsonl:1: not a mitmsn-transcript of version 1"
        );
        assert!(error(&format!("{good}{{}}\n{good}")).starts_with("t.jsonl:4: not an event: missing field `type`"));
        assert_eq!(error(&good.replace("VER", "VERB")), "t.jsonl:3: \"VERB 1 MSNP8 CVR0\" is no command line");
        assert_eq!(
            error(&good.replace("T12:", " noon ")),
            "t.jsonl:1: \"2026-11-22 noon 00:00.000000Z\" is not a time such as 2026-11-22T12:00:00.000000Z"
        );
        let silent = testing::transcript("0 #1 < QNG 50");
        assert_eq!(error(&silent), "t.jsonl: no command of a client: there is nothing to replay");
        let torn = testing::read(&format!("{good}{{\"type\":\"comm")).unwrap();
        assert_eq!(torn.notes, ["t.jsonl:4 is cut off: the recording ended there"]);
    }
}
