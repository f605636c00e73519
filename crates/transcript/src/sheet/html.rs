//! One page of HTML that needs nothing else: no script, no font, no picture.

use std::fmt::Write as _;

use super::{Sheet, visible};

/// Returns a page with tables. `lead` is a sentence below the title.
pub fn page(title: &str, lead: &str, sheets: &[Sheet]) -> String {
    let title = escape(&visible(title));
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>{title}</h1>\n<p>{}</p>\n<nav><ul>\n",
        escape(&visible(lead))
    );
    for (index, sheet) in sheets.iter().enumerate() {
        let (title, count) = (escape(&visible(&sheet.title)), sheet.rows.len());
        let _ = writeln!(out, "<li><a href=\"#t{index}\">{title}</a> ({count})</li>");
    }
    out.push_str("</ul></nav>\n");
    for (index, sheet) in sheets.iter().enumerate() {
        table(&mut out, index, sheet);
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn table(out: &mut String, index: usize, sheet: &Sheet) {
    let _ = writeln!(out, "<section id=\"t{index}\">\n<h2>{}</h2>", escape(&visible(&sheet.title)));
    if !sheet.note.is_empty() {
        let _ = writeln!(out, "<p>{}</p>", escape(&visible(&sheet.note)));
    }
    out.push_str("<div class=\"wide\"><table>\n<thead><tr>");
    for column in &sheet.columns {
        let class = if column.is_number { " class=\"n\"" } else { "" };
        let _ = write!(out, "<th scope=\"col\"{class}>{}</th>", escape(column.name));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &sheet.rows {
        out.push_str("<tr>");
        for (cell, column) in row.iter().zip(&sheet.columns) {
            let text = escape(&visible(cell));
            let _ = match (column.is_number, column.is_code) {
                (true, _) => write!(out, "<td class=\"n\">{text}</td>"),
                (_, true) => write!(out, "<td><code>{text}</code></td>"),
                _ => write!(out, "<td>{text}</td>"),
            };
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n</section>\n");
}

/// Returns text as it may stand in an element or a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            character => out.push(character),
        }
    }
    out
}

const STYLE: &str = "\
:root { --ink: #1d2430; --paper: #fff; --line: #d8dde6; --soft: #f4f6f9; --link: #0b5cad; --faint: #5b6576 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #dfe4ec; --paper: #14181f; --line: #323a47; --soft: #1b2129; --link: #7db7ff; --faint: #9aa5b5 }
}
body { margin: 2rem auto; max-width: 78rem; padding: 0 1rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2rem 0 .3rem }
p { margin: .3rem 0; color: var(--faint) } a { color: var(--link) }
nav ul { padding: 0; margin: .8rem 0; list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; vertical-align: top; padding: .25rem .7rem .25rem .3rem; border-bottom: 1px solid var(--line) }
th { background: var(--soft); white-space: nowrap }
.n { text-align: right; white-space: nowrap }
tbody tr:hover { background: var(--soft) }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere }
@media print { a { color: inherit; text-decoration: none } }
";
