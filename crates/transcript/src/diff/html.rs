//! The result of a comparison as one page: no script, nothing fetched, light or dark as the reader likes.

use std::fmt::Write;

use super::side::{Item, payload_of};
use super::text::{arrowed, runs, summary, title};
use super::{Change, Diff, Entry, Pair, State};

/// Returns a comparison as an HTML page, with so many commands around each difference.
pub fn page(diff: &Diff, context: usize) -> String {
    let mut out = String::new();
    let verdict = if diff.is_same() { "the same" } else { "different" };
    let names = format!("{} and {}", name(&diff.a.name), name(&diff.b.name));
    let _ =
        write!(out, "{HEAD}<title>{} are {verdict}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n", escape(&names));
    let _ = writeln!(out, "<h1>The sessions are {verdict}</h1>\n<ul class=\"summary\">");
    for line in summary(diff) {
        let _ = writeln!(out, "<li>{}</li>", escape(&line));
    }
    let _ = writeln!(out, "</ul>");
    for pair in &diff.connections {
        connection(&mut out, diff, pair, context);
    }
    if !diff.ignores.is_empty() {
        let _ = writeln!(
            out,
            "<h2>Ignored</h2>\n<table class=\"rules\">\n<tr><th>differences</th><th>why</th><th>where</th></tr>"
        );
        for (rule, covered) in &diff.ignores {
            let place = format!("{}:{}", rule.place.0.display(), rule.place.1);
            let class = if *covered == 0 { " class=\"unused\"" } else { "" };
            let (reason, place) = (escape(&rule.reason), escape(&place));
            let _ = writeln!(out, "<tr{class}><td>{covered}</td><td>{reason}</td><td>{place}</td></tr>");
        }
        let _ = writeln!(out, "</table>");
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn connection(out: &mut String, diff: &Diff, pair: &Pair, context: usize) {
    let runs = runs(&pair.entries, context);
    let is_open = if runs.is_empty() { "" } else { " open" };
    let _ = writeln!(out, "<details{is_open}>\n<summary>{}</summary>", escape(&title(diff, pair)));
    if !runs.is_empty() {
        let _ = writeln!(out, "<table class=\"commands\">\n<tr><th></th><th>A</th><th>B</th></tr>");
        let mut at = 0;
        for run in runs {
            skipped(out, run.start - at);
            pair.entries[run.clone()].iter().for_each(|entry| row(out, diff, pair, entry));
            at = run.end;
        }
        skipped(out, pair.entries.len() - at);
        let _ = writeln!(out, "</table>");
    }
    let _ = writeln!(out, "</details>");
}

fn skipped(out: &mut String, count: usize) {
    if count > 0 {
        let _ =
            writeln!(out, "<tr class=\"skipped\"><td></td><td colspan=\"2\">{count} without a difference</td></tr>");
    }
}

fn row(out: &mut String, diff: &Diff, pair: &Pair, entry: &Entry) {
    let (class, mark) = match entry.state {
        State::Same => ("same", ""),
        State::Ignored => ("ignored", "."),
        State::Changed => ("changed", "~"),
        State::Missing => ("missing", "-"),
        State::Extra => ("extra", "+"),
    };
    let _ = write!(out, "<tr class=\"{class}\"><td>{mark}</td>");
    let items = diff.items(pair, entry).map(|found| found.map(|(_, item)| item));
    for item in items {
        out.push_str("<td>");
        if let Some(item) = item {
            command(out, item, matches!(entry.state, State::Missing | State::Extra));
        }
        out.push_str("</td>");
    }
    out.push_str("</tr>\n");
    let verb = items.into_iter().flatten().next().map_or("", |item| item.verb());
    for found in &entry.changes {
        change(out, verb, found);
    }
}

fn command(out: &mut String, item: &Item, has_payload: bool) {
    let _ = write!(out, "<code title=\"seq {}\">{}</code>", item.seq, escape(&arrowed(item)));
    let lines = if has_payload { payload_of(item, MOST_LINES) } else { Vec::new() };
    if !lines.is_empty() {
        let _ = write!(out, "<pre>{}</pre>", escape(&lines.join("\n")));
    }
}

fn change(out: &mut String, verb: &str, change: &Change) {
    let side = |value: &Option<String>| match value.as_deref() {
        None => "<i>none</i>".to_owned(),
        Some("") => "<i>empty</i>".to_owned(),
        Some(value) => escape(value),
    };
    let note = change.note.as_ref().map(|note| format!(" <span class=\"note\">({})</span>", escape(note)));
    let _ = writeln!(
        out,
        "<tr class=\"change\"><td></td><td colspan=\"2\"><b>{} {}</b>: <del>{}</del> → <ins>{}</ins>{}</td></tr>",
        escape(verb),
        escape(&change.name),
        side(&change.a),
        side(&change.b),
        note.unwrap_or_default()
    );
}

/// Returns the last part of a path.
fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Escapes what means something in HTML; what came from the wire is shown and never more than that.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// How many lines of a payload are shown of a command that one side lacks.
const MOST_LINES: usize = 40;

const HEAD: &str = "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">
";

const STYLE: &str = "
:root { --back: #fff; --text: #1b1f24; --dim: #667; --line: #d6d9de; --red: #fbe3e4; --green: #dff5e1; --yellow: #fdf3d0; }
@media (prefers-color-scheme: dark) {
  :root { --back: #14171b; --text: #dfe3e8; --dim: #8b939e; --line: #343a42; --red: #4a2023; --green: #17391f; --yellow: #403611; }
}
body { background: var(--back); color: var(--text); font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; }
ul.summary { padding-left: 1.2rem; }
details { border: 1px solid var(--line); border-radius: 6px; margin: 1rem 0; overflow: hidden; }
summary { padding: .5rem .8rem; font-weight: 600; cursor: pointer; }
table { border-collapse: collapse; width: 100%; }
table.commands { table-layout: fixed; }
table.commands th:first-child { width: 1.6rem; }
th { text-align: left; color: var(--dim); font-weight: 500; padding: .1rem .5rem; }
td { border-top: 1px solid var(--line); padding: .15rem .5rem; vertical-align: top; overflow-wrap: anywhere; }
code, pre { font: 13px/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; }
pre { border-left: 2px solid var(--line); margin: .2rem 0 .2rem .3rem; padding-left: .6rem; color: var(--dim); }
tr.same, tr.ignored, tr.skipped, tr.unused { color: var(--dim); }
tr.missing td:nth-child(2), del { background: var(--red); }
tr.extra td:nth-child(3), ins { background: var(--green); }
tr.changed td { background: var(--yellow); }
tr.change td { border-top: 0; padding-bottom: .35rem; }
tr.skipped td { text-align: center; font-size: 13px; }
del, ins { text-decoration: none; padding: 0 .2rem; border-radius: 3px; }
.note { color: var(--dim); }
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_the_wire_is_markup() {
        assert_eq!(escape("<script>\"'&"), "&lt;script&gt;&quot;&#39;&amp;");
    }
}
