//! A tree of pages: an index of sessions, a page for each, and pages for each of its connections.
//!
//! ```text
//! index.html              the sessions
//! s-ID/index.html         a session: facts, connections, sequence diagram, state over time, what is worth a look
//! s-ID/2.html             connection 2; #c17 is the event of seq 17
//! s-ID/2-2.html           its second page
//! ```
//!
//! A page needs no other file, no server and no script; links between pages are relative.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use super::{ExportError, Format, Options, Writer};
use crate::Transcript;
use page::Page;
use plan::Plan;

mod changes;
mod command;
mod diagram;
mod drawing;
mod index;
mod page;
mod plan;
mod session;
mod stream;
mod words;

pub(super) const FORMAT: Format =
    Format::new("html", &[], "a folder of web pages that need no server", Writer::Folder(export));

fn export(transcripts: &[Transcript], options: &Options, folder: &Path) -> Result<Vec<String>, ExportError> {
    let mut remarks = Vec::new();
    let mut rows = Page::default();
    let mut names = HashSet::new();
    let mut commands = 0;
    for transcript in transcripts {
        let plan = Plan::of(transcript, options, name(transcript.id(), &mut names));
        commands += plan.summary.commands;
        let own = folder.join(&plan.folder);
        fs::create_dir(&own).map_err(|problem| ExportError::File { file: own.clone(), problem })?;
        session::write(&plan, &own)?;
        remarks.extend(stream::write(&plan, &own)?);
        index::row(&mut rows, &plan);
    }
    put(folder, "index.html", index::page(&rows, transcripts.len() as u64, commands, options))?;
    Ok(remarks)
}

/// Writes a file of the tree.
fn put(folder: &Path, name: &str, text: String) -> Result<(), ExportError> {
    let file = folder.join(name);
    fs::write(&file, text).map_err(|problem| ExportError::File { file, problem })
}

/// Returns a name for a session's folder that no other has, whatever its id holds.
fn name(id: &str, taken: &mut HashSet<String>) -> String {
    let safe: String = id.chars().filter(char::is_ascii_alphanumeric).take(LONGEST_ID).collect();
    let base = format!("s-{}", safe.to_ascii_lowercase());
    let mut name = base.clone();
    let mut number = 1;
    while !taken.insert(name.clone()) {
        number += 1;
        name = format!("{base}-{number}");
    }
    name
}

const LONGEST_ID: usize = 40;
