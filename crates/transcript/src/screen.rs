//! Draws a dialogue for people: the live view and `mitmsn show` alike.
//!
//! ```text
//! 12:00:01.234 alice@example.com        ns#2 >>> XFR 7 SB
//! 12:00:01.236 alice@example.com        ns#2 <<< XFR 7 SB 10.0.0.5:1864 CKI *****
//!                                            ~<< XFR 7 SB 127.0.0.1:1863 CKI *****   (redirect)
//! ```
//!
//! Time (UTC), account, server kind and connection, then `>>>` from the client or `<<<` from the server. Below a command
//! that was changed stands what left: `~` changed, `+` injected or replied, `x` dropped, `=||` held.

use std::collections::HashMap;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use msnp::Command;
use msnp::argument::{self, Scope};
use msnp::command::lossy;
use msnp::errors;
use msnp::flow::Facts;
use msnp::types::Direction;

use crate::event::{CommandEvent, Event, Origin, ReleasedEvent};

pub(crate) mod payload;

/// Returns a payload as lines for people: XML indented, MIME headers and body, P2P headers taken apart.
pub(crate) fn pretty(command: &Command) -> String {
    payload::pretty(command)
}

/// How to draw.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// 0: lines; 1: names of arguments and payloads too, by content type; 2: hexadecimal too.
    pub verbosity: u8,
    /// Whether to use colours.
    pub color: bool,
}

/// What is known of the connections whose events pass by: the view behind expressions and the account column.
#[derive(Debug, Default)]
pub struct Tracker {
    facts: HashMap<u64, Facts>,
    accounts: HashMap<String, String>,
}

impl Tracker {
    /// Learns from an event. A connection is forgotten when its closing has been learned and [`Tracker::forget`] asked.
    pub fn learn(&mut self, event: &Event) {
        match event {
            Event::ConnectionOpened(opened) => {
                let facts = Facts {
                    server: opened.server.map(Into::into),
                    version: opened.version.as_deref().and_then(|version| version.parse().ok()),
                    account: opened.account.clone(),
                };
                self.facts.insert(opened.connection, facts);
            }
            Event::Command(event) => {
                let facts = self.facts.entry(event.connection).or_default();
                facts.server = event.server.map(Into::into).or(facts.server);
                if let (Origin::Peer, Ok(command)) = (event.origin, event.command()) {
                    facts.learn(&command);
                }
                if let Some(account) = &facts.account {
                    self.accounts.insert(event.stem.session.clone(), account.clone());
                }
            }
            _ => {}
        }
    }

    /// Forgets a connection or session that has ended.
    pub fn forget(&mut self, event: &Event) {
        match event {
            Event::ConnectionClosed(closed) => {
                self.facts.remove(&closed.connection);
            }
            Event::SessionClosed(closed) => {
                self.accounts.remove(&closed.stem.session);
            }
            _ => {}
        }
    }

    /// Returns what is known of a connection.
    pub fn scope(&self, connection: u64) -> Scope {
        let facts = self.facts.get(&connection);
        Scope { server: facts.and_then(|facts| facts.server), version: facts.and_then(|facts| facts.version) }
    }

    /// Returns the account of a session's connection, or the empty string.
    pub fn account(&self, session: &str, connection: u64) -> &str {
        let own = self.facts.get(&connection).and_then(|facts| facts.account.as_deref());
        own.or_else(|| self.accounts.get(session).map(String::as_str)).unwrap_or("")
    }
}

/// Draws events, one after the other.
#[derive(Debug)]
pub struct Screen {
    options: Options,
    tracker: Tracker,
}

impl Screen {
    /// Returns a screen that has seen nothing.
    pub fn new(options: Options) -> Screen {
        Screen { options, tracker: Tracker::default() }
    }

    /// Learns from an event without drawing it.
    pub fn learn(&mut self, event: &Event) {
        self.tracker.learn(event);
        self.tracker.forget(event);
    }

    /// Returns what is known of the connections.
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// Learns from an event and returns its lines, each with its end; the empty string for one that people need not see.
    pub fn draw(&mut self, event: &Event) -> String {
        self.tracker.learn(event);
        let drawn = match event {
            Event::Command(command) => self.command(command),
            Event::ConnectionOpened(opened) => {
                let ends = [&opened.client[..], &opened.listener, &opened.upstream];
                // logs do not tell them
                let text = match ends.iter().all(|end| end.is_empty()) {
                    true => "connected".into(),
                    false => format!("connected: {}", ends.join(" -> ")),
                };
                self.remark(event, opened.connection, &text)
            }
            Event::ConnectionClosed(closed) => {
                let reason = closed.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                self.remark(event, closed.connection, &format!("closed by {}{reason}", closed.by))
            }
            Event::Released(released) => self.released(event, released),
            Event::Opaque(opaque) => {
                let way = Direction::from(opaque.direction);
                let mut text = format!("{} {} bytes outside the protocol", way.arrow(), opaque.length);
                if let (1.., Some(Ok(bytes))) = (self.options.verbosity, opaque.payload.as_ref().map(|p| p.bytes())) {
                    text += "\n";
                    text += payload::hex(&bytes).trim_end();
                }
                self.remark(event, opaque.connection, &text)
            }
            Event::Gap(gap) => {
                let bytes = gap
                    .length
                    .map_or_else(|| "bytes are missing".into(), |length| format!("{length} bytes are missing"));
                self.remark(event, gap.connection, &format!("{} {bytes}", Direction::from(gap.direction).arrow()))
            }
            Event::SessionJoined(joined) => {
                let text = format!("belongs to the session of #{}, by {:?}", joined.from, joined.by).to_lowercase();
                self.remark(event, joined.connection, &text)
            }
            Event::Note(note) => self.remark(event, note.connection.unwrap_or(0), &note.text),
            Event::Tag(tag) => self.remark(event, tag.connection, &format!("tagged {:?}", tag.tag)),
            Event::Session(_) | Event::SessionClosed(_) => String::new(),
        };
        self.tracker.forget(event);
        drawn
    }

    fn command(&self, event: &CommandEvent) -> String {
        let Ok(command) = event.command() else { return String::new() };
        let mut out = self.left(event.stem.time.as_str(), &event.stem.session, event.connection);
        let way = command.direction();
        let is_injected = event.origin == Origin::Injected;
        let _ = match is_injected {
            true => write!(out, "{} ", self.paint(&format!("+{}", &way.arrow()[1..]), AnsiColor::Magenta.on_default())),
            false => write!(out, "{} ", self.paint(way.arrow(), way_style(way))),
        };
        self.line(&mut out, &command);
        if is_injected && !event.by.is_empty() {
            out.push_str(&self.dim(&format!("   ({})", event.by.join(", "))));
        }
        out.push('\n');
        self.arguments(&mut out, &command, event.connection);
        self.payload(&mut out, &command);
        if let (Some(sent), Ok(commands)) = (&event.sent, event.sent()) {
            self.sent(&mut out, event, &command, &commands);
            if !sent.iter().any(|sent| sent.direction == event.direction) {
                self.below(&mut out, &format!("x{}", &way.arrow()[1..]), AnsiColor::Red, "dropped", &event.by);
            }
        }
        if let Some(delay) = event.delay {
            let text = format!("delayed by {delay} s");
            self.below(&mut out, &format!("~{}", &way.arrow()[1..]), AnsiColor::Yellow, &text, &event.by);
        }
        if let Some(held) = event.held {
            self.below(&mut out, "=||", AnsiColor::Yellow, &format!("held as {held}"), &event.by);
        }
        out
    }

    /// Draws the end of a hold, and what left if it was edited.
    fn released(&self, event: &Event, released: &ReleasedEvent) -> String {
        let ReleasedEvent { held, by, after, .. } = released;
        let what = match released.sent.as_deref() {
            Some([]) => "dropped",
            _ => "released",
        };
        let mut out = self.remark(event, released.connection, &format!("{held} {what} after {after:.1} s by {by}"));
        for command in released.sent.iter().flatten().filter_map(|sent| sent.command().ok()) {
            let mut line = String::new();
            self.line(&mut line, &command);
            self.below(&mut out, &format!("~{}", &command.direction().arrow()[1..]), AnsiColor::Yellow, &line, &[]);
            self.payload(&mut out, &command);
        }
        out
    }

    /// Draws what left where it is not what arrived.
    fn sent(&self, out: &mut String, event: &CommandEvent, command: &Command, sent: &[Command]) {
        let mut replaced = false;
        for new in sent {
            if new == command && !replaced {
                replaced = true;
                continue;
            }
            let is_change = !replaced && new.direction() == command.direction() && new.verb() == command.verb();
            replaced |= is_change;
            let (sign, color) = if is_change { ('~', AnsiColor::Yellow) } else { ('+', AnsiColor::Magenta) };
            let mut line = String::new();
            self.line(&mut line, new);
            self.below(out, &format!("{sign}{}", &new.direction().arrow()[1..]), color, &line, &event.by);
            if new.payload() != command.payload() {
                self.payload(out, new);
            }
        }
    }

    fn below(&self, out: &mut String, mark: &str, color: AnsiColor, text: &str, by: &[String]) {
        let by = if by.is_empty() { String::new() } else { format!("   ({})", by.join(", ")) };
        let _ = writeln!(out, "{:LEFT$}{} {text}{}", "", self.paint(mark, color.on_default()), self.dim(&by));
    }

    fn line(&self, out: &mut String, command: &Command) {
        let verb = command.verb();
        let rest = printable(command.line().get(3..).unwrap_or_default());
        let _ = write!(out, "{}{rest}", self.paint(verb.as_str(), verb_style(command)));
        if command.eol() == b"\n" {
            out.push_str(&self.dim(" [LF]"));
        }
        if let Some(error) = verb.error_code().and_then(errors::lookup) {
            let _ = write!(out, "   {}", self.dim(&format!("({}: {})", error.name, error.meaning)));
        }
    }

    /// Draws the arguments with their documented names.
    fn arguments(&self, out: &mut String, command: &Command, connection: u64) {
        if self.options.verbosity == 0 {
            return;
        }
        let arguments: Vec<&[u8]> = command.arguments().collect();
        let scope = self.tracker.scope(connection);
        let described = argument::describe(command.verb(), command.direction(), &arguments, scope);
        let Some((_, names)) = described else { return };
        let named: Vec<String> = names
            .iter()
            .zip(&arguments)
            .filter_map(|(name, value)| Some(format!("{}={}", (*name)?, printable(value))))
            .collect();
        if !named.is_empty() {
            let _ = writeln!(out, "{:LEFT$}{}", "", self.dim(&format!("  {}", named.join("  "))));
        }
    }

    fn payload(&self, out: &mut String, command: &Command) {
        if self.options.verbosity == 0 || command.payload().is_empty() {
            return;
        }
        let mut text = payload::pretty(command);
        if self.options.verbosity > 1 {
            text.push('\n');
            text += &payload::hex(command.payload());
        }
        for line in text.trim_end_matches('\n').split('\n') {
            let _ = writeln!(out, "{:LEFT$}{} {}", "", self.dim("|"), line);
        }
    }

    fn remark(&self, event: &Event, connection: u64, text: &str) -> String {
        let stem = event.stem();
        let mut out = self.left(&stem.time, &stem.session, connection);
        let mut lines = text.split('\n');
        let _ =
            writeln!(out, "{}", self.dim(&format!("--- {}", printable(lines.next().unwrap_or_default().as_bytes()))));
        for line in lines {
            let _ = writeln!(out, "{:LEFT$}{} {line}", "", self.dim("|"));
        }
        out
    }

    /// The columns before the arrow.
    fn left(&self, time: &str, session: &str, connection: u64) -> String {
        let clock = time.get(11..23).unwrap_or(time);
        let account = self.tracker.account(session, connection);
        let account = printable(if account.is_empty() { b"-" } else { account.as_bytes() });
        let account: String = match account.chars().count() {
            0..=ACCOUNT => format!("{account:ACCOUNT$}"),
            _ => account.chars().take(ACCOUNT - 1).chain(['…']).collect(),
        };
        let server = self.tracker.scope(connection).server.map_or("", |kind| kind.as_str());
        let place = if connection == 0 { String::new() } else { format!("{server}#{connection}") };
        format!("{} {account} {place:>PLACE$} ", self.dim(clock))
    }

    fn dim(&self, text: &str) -> String {
        self.paint(text, Style::new().dimmed())
    }

    fn paint(&self, text: &str, style: Style) -> String {
        if self.options.color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// Returns bytes as text that is safe on a terminal: control characters are escaped, what is not UTF-8 is replaced.
pub fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for c in lossy(bytes).chars() {
        if is_deceptive(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a character shows itself as nothing, or reorders what a reader sees: control characters, marks of direction.
pub(crate) fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn way_style(direction: Direction) -> Style {
    match direction {
        Direction::ClientToServer => AnsiColor::Cyan.on_default(),
        Direction::ServerToClient => AnsiColor::Green.on_default(),
    }
}

fn verb_style(command: &Command) -> Style {
    let color = match command.verb().as_str() {
        _ if command.verb().is_error() => AnsiColor::Red,
        "VER" | "CVR" | "CVQ" | "INF" | "USR" | "OUT" | "CHL" | "QRY" => AnsiColor::Blue,
        "XFR" | "RNG" | "CAL" | "ANS" | "IRO" | "JOI" | "BYE" => AnsiColor::Magenta,
        "MSG" | "UBM" | "UUM" | "SDG" => AnsiColor::Yellow,
        "CHG" | "ILN" | "NLN" | "FLN" | "UBX" | "UUX" | "PUT" | "NFY" => AnsiColor::Cyan,
        _ => return Style::new().bold(),
    };
    color.on_default().bold()
}

/// Width of the account column.
const ACCOUNT: usize = 24;
/// Width of the column of server and connection.
const PLACE: usize = 6;
/// Width of all columns before the arrow: clock, account and place, each with a space.
const LEFT: usize = 12 + 1 + ACCOUNT + 1 + PLACE + 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(options: Options, lines: &[&str]) -> String {
        let mut screen = Screen::new(options);
        lines.iter().map(|line| screen.draw(&serde_json::from_str(line).unwrap())).collect()
    }

    const OPENED: &str = r#"{"type":"connection-opened","seq":1,"time":"2026-11-22T12:00:01.000000Z","session":"01jd","connection":2,"client":"127.0.0.1:5","listener":"127.0.0.1:1863","upstream":"ns.example:1863","server":"ns","account":"alice@example.com","version":"MSNP8"}"#;

    #[test]
    fn a_changed_command_is_drawn_with_what_left() {
        let command = r#"{"type":"command","seq":17,"time":"2026-11-22T12:00:01.234567Z","session":"01jd","connection":2,"server":"ns","direction":"s2c","verb":"XFR","trid":7,"args":["7","SB","10.0.0.5:1864","CKI","***"],"origin":"peer","sent":[{"direction":"s2c","verb":"XFR","args":["7","SB","127.0.0.1:1863","CKI","***"]}],"by":["redirect"]}"#;
        assert_eq!(
            draw(Options::default(), &[OPENED, command]),
            concat!(
                "12:00:01.000 alice@example.com          ns#2 --- connected: 127.0.0.1:5 -> 127.0.0.1:1863 -> ns.example:1863\n",
                "12:00:01.234 alice@example.com          ns#2 <<< XFR 7 SB 10.0.0.5:1864 CKI ***\n",
                "                                             ~<< XFR 7 SB 127.0.0.1:1863 CKI ***   (redirect)\n",
            )
        );
    }

    #[test]
    fn dropped_and_answered_commands_are_marked() {
        let command = r#"{"type":"command","seq":17,"time":"2026-11-22T12:00:01.234567Z","session":"01jd","connection":2,"direction":"c2s","verb":"PNG","args":[],"origin":"peer","sent":[{"direction":"s2c","verb":"QNG","args":["50"]}],"by":["pong"]}"#;
        assert_eq!(
            draw(Options::default(), &[command]),
            concat!(
                "12:00:01.234 -                            #2 >>> PNG\n",
                "                                             +<< QNG 50   (pong)\n",
                "                                             x>> dropped   (pong)\n",
            )
        );
    }

    #[test]
    fn errors_have_their_meaning_and_payloads_their_form() {
        let error = r#"{"type":"command","seq":1,"time":"2026-11-22T12:00:01.234567Z","session":"01jd","connection":1,"direction":"s2c","verb":"911","trid":3,"args":["3"],"origin":"peer"}"#;
        assert!(
            draw(Options::default(), &[error])
                .ends_with("<<< 911 3   (AuthenticationFailed: Bad password, ticket or cookie; server closes)\n")
        );
        let ubx = r#"{"type":"command","seq":1,"time":"2026-11-22T12:00:01.234567Z","session":"01jd","connection":1,"direction":"s2c","verb":"UBX","args":["b@c.d","35"],"payload":{"text":"<Data><PSM>gone\u001b[31m</PSM></Data>"},"origin":"peer"}"#;
        let drawn = draw(Options { verbosity: 1, color: false }, &[ubx]);
        let left = " ".repeat(LEFT);
        assert!(
            drawn.ends_with(&format!("{left}| <Data>\n{left}|   <PSM>gone\\u{{1b}}[31m</PSM>\n{left}| </Data>\n")),
            "{drawn}"
        );
    }

    #[test]
    fn nothing_a_peer_sends_reaches_the_terminal_raw() {
        assert_eq!(printable(b"a\x1b[2Jb\x07\xff\xe2\x80\xae"), "a\\u{1b}[2Jb\\u{7}\u{fffd}\\u{202e}");
    }
}
