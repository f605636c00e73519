//! One command of a stream.

use std::collections::BTreeSet;

use msnp::argument;
use msnp::command::lossy;
use msnp::table::{ROWS, Row};
use msnp::{Command, errors, text};

use super::page::{Page, count};
use super::plan::{Plan, way};
use super::words;
use crate::event::CommandEvent;
use crate::export::fate::{Fate, fates};
use crate::export::summary::clock;
use crate::export::walk::Step;
use crate::screen::payload::{hex, pretty};

/// Which rows of the table of verbs a page needs, by their place there.
pub(super) type Glossary = BTreeSet<usize>;

/// A command with what is known of its arguments.
struct Shown<'a> {
    command: &'a Command,
    arguments: Vec<&'a [u8]>,
    names: Vec<Option<&'static str>>,
    row: Option<&'static Row>,
}

impl Shown<'_> {
    fn of<'a>(step: &Step<'_>, command: &'a Command) -> Shown<'a> {
        let arguments: Vec<&[u8]> = command.arguments().collect();
        let described = argument::describe(command.verb(), command.direction(), &arguments, step.scope);
        let (row, names) = described.map_or((None, Vec::new()), |(row, names)| (Some(row), names));
        Shown { command, arguments, names, row }
    }

    fn name(&self, index: usize) -> Option<&'static str> {
        self.names.get(index).copied().flatten()
    }
}

/// Adds a command as an item of a list.
pub(super) fn item(
    page: &mut Page,
    plan: &Plan<'_>,
    step: &Step<'_>,
    event: &CommandEvent,
    command: &Command,
    glossary: &mut Glossary,
) {
    let shown = Shown::of(step, command);
    let fates = fates(event, command);
    let anchor = plan.anchor(step.index);
    page.raw("<li id=\"").text(&anchor).raw("\" class=\"").raw(way(command.direction()));
    page.raw(if command.verb().is_error() { " err" } else { "" });
    page.raw(if fates.is_empty() { "" } else { " fate" });
    page.raw("\" data-v=\"").text(command.verb().as_str()).raw("\">");
    head(page, &anchor, event.stem.seq, &event.stem.time);
    page.raw("<div class=\"b\"><p class=\"l\"><span class=\"vh\">").text(command.direction().sender());
    page.raw(": </span><span class=\"w\" aria-hidden=\"true\">").text(command.direction().arrow()).raw("</span> ");
    line(page, &shown, None, glossary);
    if let Some(error) = command.verb().error_code() {
        let known = errors::lookup(error);
        let text = known
            .map_or_else(|| "an error that nobody has documented".into(), |e| format!("{}: {}", e.name, e.meaning));
        page.raw(" <span class=\"what\">").text(&text).raw("</span>");
    }
    page.raw("</p>");
    marks(page, plan, step, event, &shown, &fates, glossary);
    payload(page, command);
    details(page, event, &shown);
    page.raw("</div></li>\n");
}

/// Adds number and time of an item.
pub(super) fn head(page: &mut Page, anchor: &str, seq: u64, time: &str) {
    page.raw("<p class=\"h\"><a class=\"n\" href=\"#").text(anchor).raw("\">").number(seq).raw("</a> <time>");
    page.text(clock(time)).raw("</time></p>");
}

/// Adds the line of a command; tokens that differ from those of `other` are marked.
fn line(page: &mut Page, shown: &Shown<'_>, other: Option<&Command>, glossary: &mut Glossary) {
    let command = shown.command;
    page.raw("<code>");
    match shown.row {
        Some(row) => {
            let place = place_of(row);
            glossary.insert(place);
            page.raw("<a class=\"v\" href=\"#g").number(place as u64).raw("\" title=\"").text(row.meaning).raw("\">");
            page.text(command.verb().as_str()).raw("</a>");
        }
        None => {
            page.raw("<b class=\"v\">").text(command.verb().as_str()).raw("</b>");
        }
    }
    for (index, value) in shown.arguments.iter().enumerate() {
        let is_new = other.is_some_and(|other| other.argument(index) != Some(*value));
        page.raw(if is_new { " <mark>" } else { " " });
        match shown.name(index) {
            Some(name) => {
                page.raw("<span title=\"").text(&title(name, value)).raw("\">").text(&lossy(value)).raw("</span>")
            }
            None => page.text(&lossy(value)),
        };
        page.raw(if is_new { "</mark>" } else { "" });
    }
    page.raw("</code>");
    if command.eol() == b"\n" {
        page.raw(" <span class=\"what\">ends in a bare line feed</span>");
    }
}

/// Returns where a row stands in the table. A constant has no address to compare.
fn place_of(row: &Row) -> usize {
    let key = |row: &Row| (row.verb, row.direction, row.since, row.until, row.arguments);
    ROWS.iter().position(|other| key(other) == key(row)).unwrap_or_default()
}

fn title(name: &str, value: &[u8]) -> String {
    let mut title = name.to_owned();
    if let Some(said) = words::value(name, value) {
        title += &format!(" = {}", cut(&said, MOST_TITLE).0);
    }
    if let Some(meaning) = words::meaning(name) {
        title += &format!(": {meaning}");
    }
    title
}

fn marks(
    page: &mut Page,
    plan: &Plan<'_>,
    step: &Step<'_>,
    event: &CommandEvent,
    shown: &Shown<'_>,
    fates: &[Fate],
    glossary: &mut Glossary,
) {
    let tags = plan.tags.get(&event.stem.seq).filter(|_| plan.index_of(event.stem.seq) == Some(step.index));
    if fates.is_empty() && tags.is_none() {
        return;
    }
    page.raw("<ul class=\"marks\">");
    for fate in fates {
        page.raw("<li class=\"")
            .raw(fate.word())
            .raw("\"><b>")
            .text(fate.sign())
            .raw(" ")
            .text(&fate.words())
            .raw("</b>");
        if !event.by.is_empty() {
            page.raw(" by ").text(&event.by.join(", "));
        }
        if let Fate::Changed(new) | Fate::Added(new) = fate {
            left(page, step, shown.command, new, matches!(fate, Fate::Changed(_)), glossary);
        }
        if let Fate::Held(number) = fate {
            match plan.released.get(number).and_then(|(index, released)| Some((plan.address(*index)?, released))) {
                Some((address, released)) => {
                    let text = format!("{:.1} s later, by {}", released.after, released.by);
                    page.raw(", <a href=\"").text(&address).raw("\">let go ").text(&text).raw("</a>");
                }
                None => {
                    page.raw(", never let go");
                }
            }
        }
        page.raw("</li>");
    }
    for tag in tags.into_iter().flatten() {
        page.raw("<li class=\"tagged\"><b># tagged</b> ").text(tag).raw("</li>");
    }
    page.raw("</ul>");
}

/// Adds what left in the place of a command, or beside it.
pub(super) fn left(
    page: &mut Page,
    step: &Step<'_>,
    old: &Command,
    new: &Command,
    is_change: bool,
    glossary: &mut Glossary,
) {
    page.raw("<p class=\"l\"><span class=\"vh\">to the ").text(new.direction().opposite().sender());
    page.raw(": </span><span class=\"w\" aria-hidden=\"true\">").text(new.direction().arrow()).raw("</span> ");
    line(page, &Shown::of(step, new), is_change.then_some(old), glossary);
    page.raw("</p>");
    if new.payload() != old.payload() {
        payload(page, new);
    }
}

fn payload(page: &mut Page, command: &Command) {
    if command.payload().is_empty() {
        return;
    }
    let text = pretty(command);
    let text = text.trim_end_matches('\n');
    let is_short = text.lines().nth(FEW_LINES).is_none() && text.len() < FEW_BYTES;
    page.raw(if is_short { "<details class=\"p\" open>" } else { "<details class=\"p\">" });
    page.raw("<summary>").text(&count(command.payload().len() as u64, "byte"));
    if let Some(kind) = command.headers().content_type() {
        page.raw(", ").text(cut(&lossy(kind), MOST_TITLE).0);
    }
    page.raw("</summary>");
    preformatted(page, text);
    page.raw("</details>");
}

fn details(page: &mut Page, event: &CommandEvent, shown: &Shown<'_>) {
    let command = shown.command;
    page.raw("<details class=\"r\"><summary>raw</summary>");
    if shown.names.iter().any(Option::is_some) {
        page.raw("<table><tr><th scope=\"col\">Argument</th><th scope=\"col\">Value</th><th scope=\"col\">What it is</th></tr>");
        for (index, value) in shown.arguments.iter().enumerate() {
            let Some(name) = shown.name(index) else { continue };
            page.raw("<tr><th scope=\"row\">").text(name).raw("</th><td><code>").text(cut(&lossy(value), FEW_BYTES).0);
            page.raw("</code></td><td>");
            let said = words::value(name, value).map(|said| cut(&said, FEW_BYTES).0.to_owned());
            let parts: Vec<String> = said.into_iter().chain(words::meaning(name).map(str::to_owned)).collect();
            page.text(&parts.join("; ")).raw("</td></tr>");
        }
        page.raw("</table>");
    }
    if !event.masked.is_empty() {
        page.raw("<p>Masked when it was recorded: ").text(&event.masked.join(", ")).raw("</p>");
    }
    preformatted(page, text::write(command).trim_end_matches('\n'));
    let bytes = command.as_bytes();
    let first = bytes.get(..MOST_HEX).unwrap_or(bytes);
    page.raw("<pre>").block(hex(first).trim_end_matches('\n')).raw("</pre>");
    if first.len() < bytes.len() {
        page.raw("<p>").text(&count((bytes.len() - first.len()) as u64, "more byte")).raw(" are left out.</p>");
    }
    page.raw("</details>");
}

/// Adds lines, as many as a page can bear.
pub(super) fn preformatted(page: &mut Page, text: &str) {
    let (shown, rest) = cut(text, MOST_TEXT);
    page.raw("<pre>").block(shown).raw("</pre>");
    if rest > 0 {
        page.raw("<p>").text(&count(rest as u64, "more byte")).raw(" of text are left out.</p>");
    }
}

/// Returns the start of a text, and how many bytes follow it.
fn cut(text: &str, length: usize) -> (&str, usize) {
    let end = text.floor_char_boundary(length);
    let (start, rest) = text.split_at(end);
    (start, rest.len())
}

/// Payloads of so many lines are open,
const FEW_LINES: usize = 16;
/// if they are no longer than this; long values are cut here.
const FEW_BYTES: usize = 2048;
/// What hovers over an argument is no longer than this.
const MOST_TITLE: usize = 200;
/// Nor is text in one place.
const MOST_TEXT: usize = 64 << 10;
/// So many bytes of a command are shown in hexadecimal.
const MOST_HEX: usize = 4 << 10;
