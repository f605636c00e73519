//! Reads transcripts event by event, for whoever needs no whole one in memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Result;
use msnp_transcript::reader::ReadError;
use msnp_transcript::{Event, Reader};

use super::output;

/// What could not be read of transcripts.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<String>);

impl Problems {
    /// Says what is wrong, on standard error.
    pub(super) fn add(&mut self, problem: String) {
        anstream::eprintln!("mitmsn: {problem}");
        if self.0.len() < MOST_PROBLEMS {
            self.0.push(problem);
        }
    }

    /// Whether all could be read.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns them; of very many, the first.
    pub(super) fn texts(&self) -> &[String] {
        &self.0
    }
}

/// Reads files, `-` for standard input and folders, which stand for the `.jsonl` files in them. `each` is given what each of
/// them has, in order. What is wrong with one is said on standard error, and the rest is read all the same.
pub(super) fn each_file(
    files: &[PathBuf],
    problems: &mut Problems,
    mut each: impl FnMut(&Path, &mut dyn Iterator<Item = (u64, Event)>, &mut Problems) -> Result<()>,
) -> Result<()> {
    for file in output::paths(files)? {
        let source: Box<dyn BufRead> = match file.as_os_str() == "-" {
            true => Box::new(BufReader::new(io::stdin())),
            false => match File::open(&file) {
                Ok(source) => Box::new(BufReader::new(source)),
                Err(problem) => {
                    problems.add(format!("{}: {problem}", file.display()));
                    continue;
                }
            },
        };
        let mut events =
            Events { reader: Reader::new(source, &file), name: file.clone(), has_begun: false, found: Vec::new() };
        let result = each(&file, &mut events, problems);
        events.end(problems);
        result?;
    }
    Ok(())
}

/// The events that can be read, with the numbers of their lines.
struct Events<R> {
    reader: Reader<R>,
    name: PathBuf,
    has_begun: bool,
    found: Vec<String>,
}

impl<R: BufRead> Events<R> {
    fn end(self, problems: &mut Problems) {
        self.found.into_iter().for_each(|problem| problems.add(problem));
        if let Some(line) = self.reader.torn() {
            problems.add(format!("{}:{line} is cut off: the recording ended there", self.name.display()));
        } else if !self.has_begun {
            problems.add(ReadError::Format { name: self.name, line: 1 }.to_string());
        }
    }

    fn refuse(&mut self, problem: String) -> Option<(u64, Event)> {
        self.has_begun = true;
        self.found.push(problem);
        None
    }
}

impl<R: BufRead> Iterator for Events<R> {
    type Item = (u64, Event);

    fn next(&mut self) -> Option<(u64, Event)> {
        loop {
            match self.reader.next()? {
                Ok(event) => {
                    if !self.has_begun && !matches!(event, Event::Session(_)) {
                        let error = ReadError::Format { name: self.name.clone(), line: self.reader.line() };
                        return self.refuse(error.to_string());
                    }
                    self.has_begun = true;
                    return Some((self.reader.line(), event));
                }
                Err(error @ (ReadError::Format { .. } | ReadError::File { .. })) => {
                    return self.refuse(error.to_string());
                }
                // what does not begin as a transcript is none
                Err(_) if !self.has_begun => {
                    let error = ReadError::Format { name: self.name.clone(), line: self.reader.line() };
                    return self.refuse(error.to_string());
                }
                Err(error) if self.found.len() < MOST_PROBLEMS => self.found.push(error.to_string()),
                Err(_) => {}
            }
        }
    }
}

/// No more problems are kept than these.
const MOST_PROBLEMS: usize = 100;
