//! Markdown, for forums and issues: the dialogue in fenced blocks, payloads behind a toggle.
//!
//! It keeps to CommonMark and the tables of GitHub; `<details>` is HTML that forums let pass.

use std::io::{self, Write};

use super::blocks::{Markup, dialogue};
use super::summary::Summary;
use super::{ExportError, Format, Options, Writer};
use crate::Transcript;
use crate::screen::printable;

pub(super) const FORMAT: Format =
    Format::new("markdown", &["md", "markdown"], "for forums and issues", Writer::File(export));

const MARKUP: Markup = Markup {
    place: |out, kind, number| writeln!(out, "### {kind}#{number}\n"),
    lines: |out, text| {
        fenced(out, text)?;
        writeln!(out)
    },
    payload: |out, size, text| {
        writeln!(out, "<details><summary>{size} bytes of payload</summary>\n")?;
        fenced(out, text)?;
        writeln!(out, "\n</details>\n")
    },
};

fn export(transcripts: &[Transcript], options: &Options, out: &mut dyn Write) -> Result<Vec<String>, ExportError> {
    let mut remarks = Vec::new();
    for transcript in transcripts {
        let summary = Summary::of(transcript, options);
        let account = summary.account.as_deref().unwrap_or("an unknown account");
        writeln!(out, "## MSNP session of {}\n\n| | |\n|---|---|", inline(account))?;
        for (name, value) in summary.facts(options) {
            writeln!(out, "| {name} | {} |", inline(&value))?;
        }
        writeln!(out)?;
        dialogue(transcript, options, &MARKUP, out, &mut remarks)?;
    }
    Ok(remarks)
}

/// Writes lines between fences that are longer than any that they hold.
fn fenced(out: &mut dyn Write, text: &str) -> io::Result<()> {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    write!(out, "{fence}text\n{text}{end}{fence}\n")
}

/// Returns text that stands for itself within a heading or a cell.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in printable(text.as_bytes()).chars() {
        match c {
            // an address would become a link, a name a mention
            ':' if !out.ends_with(char::is_alphabetic) => out.push(c),
            '<' | '>' | '&' | '@' | ':' => out.push_str(&format!("&#{};", u32::from(c))),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '!' | '|' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}
