//! Wikitext of MediaWiki: the dialogue in `<pre>`, payloads that open on a click.

use std::io::{self, Write};

use super::blocks::{Markup, dialogue};
use super::summary::Summary;
use super::{ExportError, Format, Options, Writer};
use crate::Transcript;
use crate::screen::printable;

pub(super) const FORMAT: Format =
    Format::new("mediawiki", &["wiki", "mediawiki"], "wikitext for MediaWiki", Writer::File(export));

const MARKUP: Markup = Markup {
    place: |out, kind, number| writeln!(out, "=== {} ===", inline(&format!("{kind}#{number}"))),
    lines: preformatted,
    payload: |out, size, text| {
        writeln!(out, "<div class=\"mw-collapsible mw-collapsed\">{size} bytes of payload")?;
        writeln!(out, "<div class=\"mw-collapsible-content\">")?;
        preformatted(out, text)?;
        writeln!(out, "</div></div>")
    },
};

fn export(transcripts: &[Transcript], options: &Options, out: &mut dyn Write) -> Result<Vec<String>, ExportError> {
    let mut remarks = Vec::new();
    for transcript in transcripts {
        let summary = Summary::of(transcript, options);
        let account = summary.account.as_deref().unwrap_or("an unknown account");
        writeln!(out, "== MSNP session of {} ==\n{{| class=\"wikitable\"", inline(account))?;
        for (name, value) in summary.facts(options) {
            writeln!(out, "|-\n! scope=\"row\" | {name}\n| {}", inline(&value))?;
        }
        writeln!(out, "|}}\n")?;
        dialogue(transcript, options, &MARKUP, out, &mut remarks)?;
        writeln!(out)?;
    }
    Ok(remarks)
}

/// Writes lines in which nothing is wikitext; only entities are still read.
fn preformatted(out: &mut dyn Write, text: &str) -> io::Result<()> {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    writeln!(out, "<pre>\n{}\n</pre>", text.trim_end_matches('\n'))
}

/// Returns text that stands for itself within a heading or a cell.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in printable(text.as_bytes()).chars() {
        match c {
            // an address would become a link
            ':' if !out.ends_with(char::is_alphabetic) => out.push(c),
            // entities, templates, links, tables, quotes, signatures, magic words, addresses, lists
            '<' | '>' | '&' | '{' | '}' | '[' | ']' | '|' | '\'' | '"' | '~' | '_' | ':' | '=' | '*' | '#' | ';'
            | '!' => {
                out.push_str(&format!("&#{};", u32::from(c)));
            }
            _ => out.push(c),
        }
    }
    out
}
