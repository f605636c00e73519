//! The pages of the connections: every command, every gap, every remark, in order.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use msnp::table::ROWS;
use msnp::{Direction, ServerKind, Version};

use super::command::{self, Glossary, preformatted};
use super::page::{Page, count};
use super::plan::{Plan, file, way};
use super::put;
use crate::event::{Event, OpaqueEvent};
use crate::export::ExportError;
use crate::export::fate::Fate;
use crate::export::summary::{between, redacted, seconds};
use crate::export::text::{released_fates, remark};
use crate::export::walk::{Step, What, broken, walk};
use crate::screen::payload::hex;

/// A page that is being written.
struct Open {
    page: Page,
    number: u32,
    verbs: BTreeMap<String, u64>,
    glossary: Glossary,
}

/// Writes the pages of a session's connections into its folder, and returns what could not be shown.
pub(super) fn write(plan: &Plan<'_>, folder: &Path) -> Result<Vec<String>, ExportError> {
    let mut open: BTreeMap<u64, Open> = BTreeMap::new();
    let mut remarks = Vec::new();
    walk(plan.transcript, plan.options, |step| {
        if matches!(step.what, What::Broken) {
            remarks.push(broken(plan.transcript, step.event));
        }
        let (Some(connection), Some(number)) = (step.event.connection(), plan.page(step.index)) else { return Ok(()) };
        if open.get(&connection).is_some_and(|open| open.number != number)
            && let Some(full) = open.remove(&connection)
        {
            finish(plan, connection, full, folder)?;
        }
        let page = open.entry(connection).or_insert_with(|| Open {
            page: Page::default(),
            number,
            verbs: BTreeMap::new(),
            glossary: BTreeSet::new(),
        });
        match &step.what {
            What::Command(event, command) => {
                *page.verbs.entry(command.verb().to_string()).or_default() += 1;
                command::item(&mut page.page, plan, &step, event, command, &mut page.glossary);
            }
            _ => other(page, plan, &step),
        }
        Ok::<(), ExportError>(())
    })?;
    for (connection, page) in open {
        finish(plan, connection, page, folder)?;
    }
    Ok(remarks)
}

/// Adds an event that is no command.
fn other(open: &mut Open, plan: &Plan<'_>, step: &Step<'_>) {
    let Some(text) = remark(step.event) else { return };
    let page = &mut open.page;
    let (class, sign) = match step.event {
        Event::Gap(_) => ("gap", "\u{26a0} gap"),
        Event::Opaque(_) => ("opaque", "\u{26a0} outside the protocol"),
        Event::Note(_) => ("note", "note"),
        Event::Released(_) => ("released", "=|| let go:"),
        _ => ("edge", "\u{2014}"),
    };
    let anchor = plan.anchor(step.index);
    page.raw("<li id=\"").text(&anchor).raw("\" class=\"x ").raw(class).raw("\">");
    command::head(page, &anchor, step.event.stem().seq, &step.event.stem().time);
    page.raw("<div class=\"b\"><p><b>").raw(sign).raw("</b> ");
    match step.event {
        Event::Opaque(event) => opaque(page, event),
        Event::Released(released) => {
            page.text(&text);
            let held = plan.held.get(&released.held).copied();
            if let Some(address) = held.and_then(|index| plan.address(index)) {
                page.raw(" <a href=\"").text(&address).raw("\">(the command)</a>");
            }
            page.raw("</p>");
            if let Some(Event::Command(event)) = held.and_then(|index| plan.transcript.events.get(index))
                && let Ok(command) = event.command()
            {
                for fate in released_fates(event, &command, released) {
                    if let Fate::Changed(new) | Fate::Added(new) = &fate {
                        let is_change = matches!(fate, Fate::Changed(_));
                        command::left(page, step, &command, new, is_change, &mut open.glossary);
                    }
                }
            }
        }
        _ => {
            page.text(&text).raw("</p>");
        }
    }
    open.page.raw("</div></li>\n");
}

fn opaque(page: &mut Page, event: &OpaqueEvent) {
    let direction = Direction::from(event.direction);
    page.raw("from the ").text(direction.sender()).raw(": ").text(&count(event.length, "byte"));
    let bytes = event.payload.as_ref().and_then(|payload| payload.bytes().ok());
    match bytes {
        Some(bytes) => {
            page.raw("</p><details class=\"p ").raw(way(direction)).raw("\"><summary>bytes</summary>");
            preformatted(page, hex(&bytes).trim_end_matches('\n'));
            page.raw("</details>");
        }
        None => {
            page.raw(", which were masked when it was recorded</p>");
        }
    }
}

/// Writes a page that is complete.
fn finish(plan: &Plan<'_>, connection: u64, open: Open, folder: &Path) -> Result<(), ExportError> {
    let facts = plan.summary.connections.get(&connection);
    let kind = facts.map_or("??", |facts| facts.kind());
    let name = format!("{kind}#{connection}");
    let pages = plan.pages(connection);
    let of = if pages > 1 { format!(", page {} of {pages}", open.number) } else { String::new() };
    let trail = [
        ("Sessions".to_owned(), Some("../index.html".to_owned())),
        (plan.title(), Some("index.html".to_owned())),
        (format!("{name}{of}"), None),
    ];
    let mut page = Page::new(&format!("{name}{of}: {}", plan.title()), &trail);
    page.raw("<h1>").text(facts.map_or("unknown server", |facts| facts.kind_name()));
    page.raw(" <span class=\"id\">").text(&name).raw("</span></h1>\n<p class=\"lead\">");
    if let Some(facts) = facts {
        if !facts.upstream.is_empty() {
            page.raw("<code>").text(&facts.upstream).raw("</code>, ");
        }
        page.text(&count(facts.commands[0], "command")).raw(" from the client, ").number(facts.commands[1]);
        page.raw(" from the server");
        if let Some(duration) = between(&facts.start, &facts.end) {
            page.raw(", ").text(&seconds(duration));
        }
        if let Some((from, by)) = facts.joined {
            page.raw(". Follows from <a href=\"").text(&file(from, 1)).raw("\">#").number(from).raw("</a> by ").raw(by);
        }
        page.raw(". ").raw(if facts.closed.is_some() { "" } else { "The transcript does not have its end." });
    }
    if let Some(filter) = &plan.options.filter {
        page.raw(" Only commands for which <code>").text(filter.source()).raw("</code> holds.");
    }
    page.raw("</p>\n");
    neighbours(&mut page, plan, connection, open.number, "Pages");
    filter(&mut page, &open.verbs, pages > 1);
    page.raw("<ol class=\"log\">\n").part(&open.page).raw("</ol>\n");
    neighbours(&mut page, plan, connection, open.number, "Pages, again");
    glossary(&mut page, &open.glossary);
    put(folder, &file(connection, open.number), page.finish(redacted(plan.options)))
}

/// Adds links to the other pages of the connection, and to the connections beside it.
fn neighbours(page: &mut Page, plan: &Plan<'_>, connection: u64, number: u32, label: &'static str) {
    let pages = plan.pages(connection);
    let all: Vec<u64> = plan.connections().collect();
    let at = all.iter().position(|&other| other == connection).unwrap_or_default();
    page.raw("<nav class=\"near\" aria-label=\"").raw(label).raw("\">");
    if let Some(&before) = at.checked_sub(1).and_then(|at| all.get(at)) {
        page.raw("<a href=\"").text(&file(before, 1)).raw("\">\u{2190} #").number(before).raw("</a> ");
    }
    if let Some(&after) = all.get(at + 1) {
        page.raw("<a href=\"").text(&file(after, 1)).raw("\">#").number(after).raw(" \u{2192}</a> ");
    }
    if pages > 1 {
        page.raw("<span>Page ");
        let mut last = 0;
        for other in 1..=pages {
            // the ends, and what is near
            if other != 1 && other != pages && other.abs_diff(number) > 3 {
                continue;
            }
            page.raw(if other != last + 1 { "\u{2026} " } else { "" });
            last = other;
            if other == number {
                page.raw("<b aria-current=\"page\">").number(other).raw("</b> ");
            } else {
                page.raw("<a href=\"").text(&file(connection, other)).raw("\">").number(other).raw("</a> ");
            }
        }
        page.raw("</span>");
    }
    page.raw("</nav>\n");
}

/// Adds the form by which the script hides commands; without a script it stays hidden.
fn filter(page: &mut Page, verbs: &BTreeMap<String, u64>, is_part: bool) {
    page.raw(
        "<form id=\"filter\" role=\"search\" aria-label=\"Filter the commands\" hidden>\n<p><label for=\"q\">Search",
    );
    page.raw(if is_part { " this page" } else { "" });
    page.raw("</label> <input id=\"q\" type=\"search\" autocomplete=\"off\" spellcheck=\"false\">\n");
    page.raw("<label for=\"from\">From</label> <select id=\"from\"><option value=\"\">both</option>");
    page.raw("<option value=\"c2s\">client</option><option value=\"s2c\">server</option></select>\n");
    page.raw("<label for=\"only\">Show</label> <select id=\"only\"><option value=\"\">all</option>");
    page.raw("<option value=\"fate\">what the proxy changed</option><option value=\"err\">errors</option></select>\n");
    page.raw("<button type=\"button\" id=\"open\">Open payloads</button> <button type=\"button\" id=\"shut\">Close all</button>\n");
    page.raw("<button type=\"reset\">Reset</button> <output id=\"count\" for=\"q from only\" aria-live=\"polite\"></output></p>\n");
    page.raw("<fieldset><legend class=\"vh\">Verbs</legend>");
    for (verb, number) in verbs {
        page.raw("<label><input type=\"checkbox\" name=\"v\" value=\"").text(verb).raw("\"> ").text(verb);
        page.raw(" <small>").number(*number).raw("</small></label> ");
    }
    page.raw("</fieldset>\n</form>\n");
}

/// Adds what the verbs of a page are.
fn glossary(page: &mut Page, glossary: &Glossary) {
    if glossary.is_empty() {
        return;
    }
    page.raw(
        "<section class=\"glossary\" aria-labelledby=\"verbs\">\n<h2 id=\"verbs\">Commands on this page</h2>\n<dl>\n",
    );
    for (place, row) in glossary.iter().filter_map(|&place| Some((place, ROWS.get(place)?))) {
        page.raw("<div id=\"g").number(place as u64).raw("\"><dt><code class=\"").raw(way(row.direction)).raw("\">");
        page.text(row.direction.arrow()).raw(" ").text(row.verb).raw(" ").text(row.arguments).raw("</code></dt><dd>");
        let servers = [ServerKind::Dispatch, ServerKind::Notification, ServerKind::Switchboard];
        let servers: Vec<&str> =
            servers.into_iter().filter(|&kind| row.servers.contains(kind)).map(ServerKind::as_str).collect();
        page.text(row.meaning).raw(". <span class=\"what\">").text(&servers.join(", ")).raw(", ");
        page.text(&versions(row.since, row.until)).raw("; sources: ").text(row.sources).raw("</span></dd></div>\n");
    }
    page.raw("</dl>\n</section>\n");
}

fn versions(since: Version, until: Option<Version>) -> String {
    match until {
        Some(until) if until == since => since.to_string(),
        Some(until) => format!("{since} to {until}"),
        None => format!("{since} on"),
    }
}
