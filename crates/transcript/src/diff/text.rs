//! The result of a comparison for people: unified as `diff -u` has it, or side by side.
//!
//! ```text
//! === notification server: A ns#2, B ns#5: 1 changed, 1 extra
//!   >>> VER 1 MSNP12 CVR0
//! - >>> CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.0.0777 msmsgs alice@example.com
//! + >>> CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.5.0324 msmsgs alice@example.com
//!     ~ CVR client_version: 7.0.0777 -> 7.5.0324
//! + <<< SBS 0 null
//! ```

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::side::{Item, Side, line_of, payload_of};
use super::{Diff, Entry, Pair, State};
use crate::screen::printable;

/// How to draw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Options {
    /// How many commands without a difference are shown before and behind one that has.
    pub context: usize,
    /// Side by side in so many columns, or unified.
    pub side_by_side: Option<usize>,
    /// Whether to use colours.
    pub color: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { context: 3, side_by_side: None, color: false }
    }
}

impl Options {
    /// Sets how many commands are shown around a difference.
    #[must_use]
    pub fn context(self, context: usize) -> Options {
        Options { context, ..self }
    }

    /// Draws side by side, in so many columns.
    #[must_use]
    pub fn side_by_side(self, width: Option<usize>) -> Options {
        Options { side_by_side: width, ..self }
    }

    /// Uses colours.
    #[must_use]
    pub fn color(self, color: bool) -> Options {
        Options { color, ..self }
    }
}

/// Returns a comparison as text: a summary, then what differs.
pub fn draw(diff: &Diff, options: Options) -> String {
    let mut page = Page { diff, options, out: String::new() };
    page.summary();
    for pair in &diff.connections {
        page.pair(pair);
    }
    page.out
}

/// Returns the lines of the summary.
pub(super) fn summary(diff: &Diff) -> Vec<String> {
    let mut lines = vec![side("A", &diff.a), side("B", &diff.b)];
    let renamed = |(a, b): (&String, &String)| format!("{} of A is {} of B", clean(a), clean(b));
    lines.extend(diff.accounts.iter().map(renamed));
    lines.extend(diff.not_compared.iter().map(|text| clean(text)));
    let (connections, commands) = (diff.summary.connections, diff.summary.commands);
    let paired = connections.same + connections.changed;
    let mut first = format!("connections: {paired} paired");
    let _ = match connections.changed {
        0 => Ok(()),
        changed => write!(first, " ({changed} with differences)"),
    };
    let _ = write!(first, ", {} missing, {} extra", connections.missing, connections.extra);
    let mut second = format!(
        "commands: {} same, {} changed, {} missing, {} extra",
        commands.same, commands.changed, commands.missing, commands.extra
    );
    for (line, ignored) in [(&mut first, connections.ignored), (&mut second, commands.ignored)] {
        let _ = match ignored {
            0 => Ok(()),
            ignored => write!(line, ", {ignored} ignored"),
        };
    }
    lines.extend([first, second]);
    for (rule, covered) in diff.ignores.iter().filter(|(_, covered)| *covered > 0) {
        lines.push(format!("ignored: {covered} x {}", clean(&rule.reason)));
    }
    lines
}

fn side(name: &str, side: &Side) -> String {
    let account = side.account.as_deref().map(|account| format!(" of {}", clean(account))).unwrap_or_default();
    let (connections, commands) = (side.connections.len(), side.commands());
    format!("{name} {}{account}: {connections} connections, {commands} commands", clean(&side.name))
}

fn clean(text: &str) -> String {
    printable(text.as_bytes())
}

/// Returns the title of a pair of connections.
pub(super) fn title(diff: &Diff, pair: &Pair) -> String {
    let end = |name: &str, side: &Side, index: Option<usize>| {
        let connection = side.connections.get(index?)?;
        let server = connection.facts.server.map_or("", |server| server.as_str());
        let version = connection.facts.version.map(|version| format!(" {version}")).unwrap_or_default();
        let others = match &connection.others[..] {
            [] => String::new(),
            others => format!(" with {}", clean(&others.join(", "))),
        };
        Some(format!("{name} {server}#{}{version}{others}", connection.number))
    };
    let ends = [end("A", &diff.a, pair.a), end("B", &diff.b, pair.b)];
    let only = match ends {
        [Some(_), None] => "only ",
        [None, Some(_)] => "only ",
        _ => "",
    };
    let ends: Vec<String> = ends.into_iter().flatten().collect();
    let role = pair.a.and_then(|index| diff.a.connections.get(index));
    let role = role.or_else(|| diff.b.connections.get(pair.b?)).map_or("", |connection| connection.role.as_str());
    let tally = pair.tally();
    let counts =
        [(tally.changed, "changed"), (tally.missing, "missing"), (tally.extra, "extra"), (tally.ignored, "ignored")];
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let counts = if counts.is_empty() { "same".to_owned() } else { counts.join(", ") };
    format!("{role}: {only}{}: {counts}", ends.join(", "))
}

/// Returns which entries are shown: those with a difference and those around them, in runs.
pub(super) fn runs(entries: &[Entry], context: usize) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    let differs = |entry: &Entry| !matches!(entry.state, State::Same | State::Ignored);
    for (index, _) in entries.iter().enumerate().filter(|(_, entry)| differs(entry)) {
        let (start, end) =
            (index.saturating_sub(context), entries.len().min(index.saturating_add(context).saturating_add(1)));
        match runs.last_mut() {
            Some(last) if last.end >= start => last.end = end,
            _ => runs.push(start..end),
        }
    }
    runs
}

struct Page<'a> {
    diff: &'a Diff,
    options: Options,
    out: String,
}

impl Page<'_> {
    fn summary(&mut self) {
        for line in summary(self.diff) {
            self.out.push_str(&line);
            self.out.push('\n');
        }
    }

    fn pair(&mut self, pair: &Pair) {
        let runs = runs(&pair.entries, self.options.context);
        if runs.is_empty() {
            return;
        }
        let title = format!("=== {}", title(self.diff, pair));
        let title = self.paint(&title, Style::new().bold());
        let _ = writeln!(self.out, "\n{title}");
        let mut at = 0;
        for run in runs {
            self.skipped(run.start - at);
            for entry in &pair.entries[run.clone()] {
                match self.options.side_by_side {
                    Some(width) => self.beside(pair, entry, width),
                    None => self.entry(pair, entry),
                }
            }
            at = run.end;
        }
        self.skipped(pair.entries.len() - at);
    }

    fn skipped(&mut self, count: usize) {
        if count > 0 {
            let text = format!("@@ {count} without a difference @@");
            let text = self.paint(&text, AnsiColor::Cyan.on_default());
            let _ = writeln!(self.out, "{text}");
        }
    }

    fn entry(&mut self, pair: &Pair, entry: &Entry) {
        let [a, b] = self.diff.items(pair, entry);
        let items = [a, b].map(|found| found.map(|(_, item)| item));
        if matches!(entry.state, State::Same | State::Ignored) {
            let mark = if entry.state == State::Ignored { "." } else { " " };
            if let Some(item) = items[0].or(items[1]) {
                let line = self.paint(&format!("{mark} {}", arrowed(item)), Style::new().dimmed());
                let _ = writeln!(self.out, "{line}");
            }
            return;
        }
        for (item, (mark, style)) in items.into_iter().zip(MARKS).filter_map(|(item, mark)| Some((item?, mark))) {
            let line = self.paint(&format!("{mark} {}", arrowed(item)), style.on_default());
            let _ = writeln!(self.out, "{line}");
            if entry.state != State::Changed {
                self.payload(item, mark, style);
            }
        }
        self.changes(pair, entry);
    }

    fn payload(&mut self, item: &Item, mark: &str, style: AnsiColor) {
        for line in payload_of(item, MOST_LINES) {
            let line = self.paint(&format!("{mark}     | {line}"), style.on_default());
            let _ = writeln!(self.out, "{line}");
        }
    }

    fn changes(&mut self, pair: &Pair, entry: &Entry) {
        let verb = self.diff.items(pair, entry).into_iter().flatten().next().map_or("", |(_, item)| item.verb());
        for change in &entry.changes {
            let line = self.paint(&format!("    ~ {verb} {change}"), AnsiColor::Yellow.on_default());
            let _ = writeln!(self.out, "{line}");
        }
    }

    fn beside(&mut self, pair: &Pair, entry: &Entry, width: usize) {
        let column = width.saturating_sub(3).max(2) / 2;
        let [a, b] = self.diff.items(pair, entry).map(|found| found.map(|(_, item)| arrowed(item)));
        let (mark, style) = match entry.state {
            State::Same => (' ', Style::new().dimmed()),
            State::Ignored => ('.', Style::new().dimmed()),
            State::Changed => ('|', AnsiColor::Yellow.on_default()),
            State::Missing => ('<', AnsiColor::Red.on_default()),
            State::Extra => ('>', AnsiColor::Green.on_default()),
        };
        let left = fit(&a.unwrap_or_default(), column);
        let right = fit(&b.unwrap_or_default(), column);
        let line = format!("{left} {mark} {}", right.trim_end());
        let line = self.paint(line.trim_end(), style);
        let _ = writeln!(self.out, "{line}");
        self.changes(pair, entry);
    }

    fn paint(&self, text: &str, style: Style) -> String {
        if self.options.color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// Returns an item with its arrow.
pub(super) fn arrowed(item: &Item) -> String {
    format!("{} {}", item.direction().arrow(), line_of(item))
}

/// Cuts or fills a text to so many columns.
fn fit(text: &str, columns: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.peek().copied() {
        let next = used + columns_of(c);
        let is_last = rest.clone().nth(1).is_none();
        if next > columns || (next == columns && !is_last) {
            out.push('…');
            used += 1;
            break;
        }
        out.push(c);
        used = next;
        rest.next();
    }
    out.extend(std::iter::repeat_n(' ', columns.saturating_sub(used)));
    out
}

/// Returns how many columns a character takes: two for those of East Asia and for pictures, none for marks.
fn columns_of(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f => 2,
        0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// The mark of what only A has, and of what only B has.
const MARKS: [(&str, AnsiColor); 2] = [("-", AnsiColor::Red), ("+", AnsiColor::Green)];
/// How many lines of a payload are shown of a command that one side lacks.
const MOST_LINES: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_cut_and_filled_by_what_is_seen() {
        assert_eq!(fit("abc", 5), "abc  ");
        assert_eq!(fit("abcde", 5), "abcde");
        assert_eq!(fit("abcdef", 5), "abcd…");
        assert_eq!(fit("你好你好", 5), "你好…");
        assert_eq!(fit("", 2), "  ");
    }
}
