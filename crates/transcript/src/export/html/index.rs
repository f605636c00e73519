//! The page of all sessions.

use super::page::{Page, count};
use super::plan::Plan;
use crate::event::Lack;
use crate::export::Options;
use crate::export::summary::{readable, redacted, seconds};

/// Returns the row of a session.
pub(super) fn row(page: &mut Page, plan: &Plan<'_>) {
    let summary = &plan.summary;
    page.raw("<tr data-v=\"\"><th scope=\"row\"><a href=\"").text(&plan.folder).raw("/index.html\">");
    let start = readable(&summary.start);
    let is_timed = !summary.lacks(Lack::Times) && !start.is_empty();
    page.text(if is_timed { &start } else { &summary.id }).raw("</a></th><td>");
    page.text(summary.account.as_deref().unwrap_or("not known")).raw("</td><td>");
    page.text(summary.version.as_deref().unwrap_or("not known")).raw("</td><td>");
    let servers = summary.servers();
    for (at, server) in servers.iter().take(MOST_SERVERS).enumerate() {
        page.raw(if at > 0 { ", <code>" } else { "<code>" }).text(server).raw("</code>");
    }
    if let Some(more) = servers.len().checked_sub(MOST_SERVERS).filter(|&more| more > 0) {
        page.raw(" and ").number(more as u64).raw(" more");
    }
    page.raw("</td><td>").text(&summary.duration.map(seconds).unwrap_or_default());
    page.raw("</td><td class=\"num\">").number(summary.connections.len() as u64);
    page.raw("</td><td class=\"num\">").number(summary.commands);
    page.raw("</td><td class=\"num\">").number(summary.altered);
    page.raw("</td><td>");
    let errors: Vec<String> = summary.errors.iter().map(|(code, count)| format!("{code} \u{d7}{count}")).collect();
    page.text(&errors.join(", "));
    page.raw("</td><td>").raw(if summary.is_closed { "" } else { "cut off" }).raw("</td></tr>\n");
}

/// Returns the page around the rows.
pub(super) fn page(rows: &Page, sessions: u64, commands: u64, options: &Options) -> String {
    let mut page = Page::new("MSNP sessions", &[("Sessions".to_owned(), None)]);
    page.raw("<h1>MSNP sessions</h1>\n<p class=\"lead\">").text(&count(sessions, "session")).raw(", ");
    page.text(&count(commands, "command"));
    if let Some(filter) = &options.filter {
        page.raw(" for which <code>").text(filter.source()).raw("</code> holds");
    }
    page.raw(".</p>\n<form id=\"filter\" role=\"search\" aria-label=\"Filter the sessions\" hidden>\n<p><label for=\"q\">Search</label> ");
    page.raw("<input id=\"q\" type=\"search\" autocomplete=\"off\" spellcheck=\"false\"> <button type=\"reset\">Reset</button> ");
    page.raw("<output id=\"count\" for=\"q\" aria-live=\"polite\"></output></p>\n</form>\n");
    page.raw("<div class=\"wide\" role=\"region\" aria-label=\"Sessions\" tabindex=\"0\"><table class=\"sessions\">\n<thead><tr>");
    for name in
        ["Started", "Account", "Version", "Servers", "Duration", "Connections", "Commands", "Changed", "Errors", "End"]
    {
        page.raw("<th scope=\"col\">").raw(name).raw("</th>");
    }
    page.raw("</tr></thead>\n<tbody>\n").part(rows).raw("</tbody>\n</table></div>\n");
    page.finish(redacted(options))
}

/// A row names no more servers than these.
const MOST_SERVERS: usize = 4;
