//! The page of a session.

use std::path::Path;

use msnp::command::lossy;
use msnp::errors;
use msnp::types::Direction;

use super::page::{Page, count};
use super::plan::{Plan, file};
use super::{changes, drawing, put};
use crate::event::Event;
use crate::export::ExportError;
use crate::export::fate::{Fate, fates, foremost};
use crate::export::summary::{between, clock, redacted, seconds};
use crate::export::text::remark;
use crate::export::walk::{What, walk};

/// Writes the page into the session's folder.
pub(super) fn write(plan: &Plan<'_>, folder: &Path) -> Result<(), ExportError> {
    let title = plan.title();
    let trail = [("Sessions".to_owned(), Some("../index.html".to_owned())), (title.clone(), None)];
    let mut page = Page::new(&format!("MSNP session of {title}"), &trail);
    let account = plan.summary.account.as_deref().unwrap_or("Unknown account");
    page.raw("<h1>").text(account).raw("</h1>\n");
    facts(&mut page, plan);
    streams(&mut page, plan);
    drawing::section(&mut page, plan);
    changes::section(&mut page, plan);
    marks(&mut page, plan);
    put(folder, "index.html", page.finish(redacted(plan.options)))
}

fn facts(page: &mut Page, plan: &Plan<'_>) {
    page.raw("<dl class=\"facts\">\n");
    for (name, value) in plan.summary.facts(plan.options) {
        if name != "Account" {
            page.raw("<div><dt>").raw(name).raw("</dt><dd>").text(&value).raw("</dd></div>\n");
        }
    }
    page.raw("</dl>\n");
    if !plan.transcript.problems.is_empty() {
        page.raw("<div class=\"warning\" role=\"note\"><p><b>Not all of the transcript could be read:</b></p><ul>");
        for problem in plan.transcript.problems.iter().take(MOST_MARKS) {
            page.raw("<li>").text(problem).raw("</li>");
        }
        page.raw("</ul></div>\n");
    }
}

fn streams(page: &mut Page, plan: &Plan<'_>) {
    page.raw("<section aria-labelledby=\"streams\">\n<h2 id=\"streams\">Connections</h2>\n");
    page.raw("<div class=\"wide\" role=\"region\" aria-labelledby=\"streams\" tabindex=\"0\"><table>\n<thead><tr>");
    for name in
        ["Stream", "Server", "Opened", "Lasted", "From client", "From server", "Errors", "Follows from", "Closed by"]
    {
        page.raw("<th scope=\"col\">").raw(name).raw("</th>");
    }
    page.raw("</tr></thead>\n<tbody>\n");
    for number in plan.connections() {
        let Some(facts) = plan.summary.connections.get(&number) else { continue };
        page.raw("<tr><th scope=\"row\"><a href=\"").text(&file(number, 1)).raw("\">").text(facts.kind());
        page.raw("#").number(number).raw("</a></th><td>").raw(facts.kind_name());
        if !facts.upstream.is_empty() {
            page.raw(" <code>").text(&facts.upstream).raw("</code>");
        }
        page.raw("</td><td><time>").text(clock(&facts.start)).raw("</time></td><td>");
        page.text(&between(&facts.start, &facts.end).map(seconds).unwrap_or_default());
        for direction in Direction::BOTH {
            page.raw("</td><td class=\"num\">").number(facts.commands[direction.index()]);
        }
        page.raw("</td><td class=\"num\">").number(facts.errors).raw("</td><td>");
        if let Some((from, by)) = facts.joined {
            page.raw("<a href=\"").text(&file(from, 1)).raw("\">#").number(from).raw("</a> by ").raw(by);
        }
        page.raw("</td><td>").text(facts.closed.as_deref().unwrap_or("not in the transcript")).raw("</td></tr>\n");
    }
    page.raw("</tbody>\n</table></div>\n</section>\n");
}

/// Adds what a reader should not miss: errors, what the proxy did, gaps, notes, tags.
fn marks(page: &mut Page, plan: &Plan<'_>) {
    let mut rows = Page::default();
    let (mut shown, mut left_out) = (0, 0u64);
    let walked = walk(plan.transcript, plan.options, |step| {
        let Some((what, text)) = noteworthy(plan, step.index, step.event, &step.what) else { return Ok(()) };
        if shown >= MOST_MARKS {
            left_out += 1;
            return Ok(());
        }
        shown += 1;
        rows.raw("<tr><td><time>").text(clock(&step.event.stem().time)).raw("</time></td><td>");
        let name = format!("#{}", step.event.stem().seq);
        let target = match step.event {
            Event::Tag(tag) => plan.index_of(tag.command),
            _ => Some(step.index),
        };
        match target.and_then(|index| plan.address(index)) {
            Some(address) => rows.raw("<a href=\"").text(&address).raw("\">").text(&name).raw("</a>"),
            None => rows.text(&name),
        };
        rows.raw("</td><td class=\"")
            .raw(what)
            .raw("\"><b>")
            .raw(what)
            .raw("</b></td><td>")
            .text(&text)
            .raw("</td></tr>\n");
        Ok::<(), std::convert::Infallible>(())
    });
    match walked {
        Ok(()) => {}
    }
    if shown == 0 {
        return;
    }
    page.raw("<section aria-labelledby=\"marks\">\n<h2 id=\"marks\">Worth a look</h2>\n");
    page.raw("<div class=\"wide\" role=\"region\" aria-labelledby=\"marks\" tabindex=\"0\"><table class=\"worth\">\n");
    page.raw("<thead><tr><th scope=\"col\">Time</th><th scope=\"col\">Event</th><th scope=\"col\">Kind</th><th scope=\"col\">What</th></tr></thead>\n");
    page.raw("<tbody>\n").part(&rows).raw("</tbody>\n</table></div>\n");
    if left_out > 0 {
        page.raw("<p>")
            .text(&count(left_out, "more"))
            .raw(" are left out here; the pages of the connections have them.</p>\n");
    }
    page.raw("</section>\n");
}

fn noteworthy(plan: &Plan<'_>, index: usize, event: &Event, what: &What<'_>) -> Option<(&'static str, String)> {
    match (what, event) {
        (What::Command(event, command), _) => {
            let line = || lossy(command.line()).chars().take(LONGEST_LINE).collect::<String>();
            if let Some(code) = command.verb().error_code() {
                let error = errors::lookup(code).map(|error| format!(" ({}: {})", error.name, error.meaning));
                return Some((
                    "error",
                    format!("{} {}{}", command.direction().arrow(), line(), error.unwrap_or_default()),
                ));
            }
            let fates = fates(event, command);
            let first = foremost(&fates)?;
            let by = if event.by.is_empty() { String::new() } else { format!(" by {}", event.by.join(", ")) };
            let all: Vec<String> = fates.iter().map(Fate::words).collect();
            Some((first.word(), format!("{} {} ({}{by})", command.direction().arrow(), line(), all.join(", "))))
        }
        (_, Event::Gap(_)) => Some(("gap", remark(event)?)),
        (_, Event::Opaque(opaque)) => {
            let direction = Direction::from(opaque.direction);
            Some(("opaque", format!("{} {} outside the protocol", direction.arrow(), count(opaque.length, "byte"))))
        }
        (_, Event::Note(_)) => Some(("note", remark(event)?)),
        (_, Event::Tag(tag)) => {
            let command = plan.index_of(tag.command).and_then(|index| plan.transcript.events.get(index));
            let verb = if let Some(Event::Command(event)) = command { event.verb.as_str() } else { "a command" };
            Some(("tagged", format!("{verb} #{} is tagged {:?}", tag.command, tag.tag)))
        }
        (What::Broken, _) => Some(("broken", format!("event {index} of the transcript describes no command"))),
        _ => None,
    }
}

/// No more of them are listed.
const MOST_MARKS: usize = 500;
/// Lines are cut here.
const LONGEST_LINE: usize = 120;
