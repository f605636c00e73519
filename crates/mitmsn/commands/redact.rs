//! `mitmsn redact`: copies of transcripts that can be shared.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Cursor, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use msnp_transcript::reader::ReadError;
use msnp_transcript::redact::{Leftover, Map, Options, Passage, Redactor};
use msnp_transcript::transcript::MOST_BYTES;
use msnp_transcript::{Event, Reader};
use serde::Serialize;

use super::output;
use crate::cli::Redact;

/// Redacts, or only checks.
pub(super) fn run(arguments: &Redact) -> Result<ExitCode> {
    let mut options = Options::default();
    options.text = arguments.text.into();
    options.keep.clone_from(&arguments.keep);
    options.map = arguments.map.as_deref().map(|file| read_map(file, arguments.check)).transpose()?.flatten();
    let mut redactor = Redactor::new(options);
    let mut report = Report::default();
    let code = match &arguments.out {
        None => check(&mut redactor, &arguments.files, &mut report)?,
        Some(folder) => redact(&mut redactor, arguments, folder, &mut report)?,
    };
    if arguments.json {
        anstream::println!("{}", serde_json::to_string_pretty(&report)?);
    }
    Ok(if report.left.is_empty() { code } else { ExitCode::FAILURE })
}

/// What happened, for programs.
#[derive(Debug, Default, Serialize)]
struct Report {
    written: Vec<PathBuf>,
    left: Vec<Left>,
}

/// A value that is left, without the value.
#[derive(Debug, Serialize)]
struct Left {
    file: PathBuf,
    line: u64,
    event: u64,
    place: String,
    kind: &'static str,
}

/// One transcript, which is read three times.
struct Source {
    path: PathBuf,
    /// Standard input, which cannot be read again.
    held: Option<Vec<u8>>,
    /// The name of its copy.
    copy: PathBuf,
}

fn redact(redactor: &mut Redactor, arguments: &Redact, folder: &Path, report: &mut Report) -> Result<ExitCode> {
    let (mut sources, code) = learn(redactor, &arguments.files)?;
    let mut names: Vec<PathBuf> = Vec::new();
    for source in &mut sources {
        let name = redactor.file_name(&source.path);
        source.copy = folder.join(distinct(&name, &names));
        names.push(source.copy.file_name().map(PathBuf::from).unwrap_or_default());
        if source.copy.exists() && !arguments.force {
            bail!("{} is there already; give another folder, or --force to replace it", source.copy.display());
        }
    }
    for source in &sources {
        walk(redactor, source, |line, redactor, passages, event| {
            let redacted = redactor.redact_event(&mut passages.0, &event)?;
            report.add(&source.path, line, redactor.check_event(&mut passages.1, &redacted));
            Ok(())
        })?;
        let name = source.copy.file_name().unwrap_or_default().to_string_lossy();
        report.add(&source.path, 0, redactor.check_text(&name));
    }
    if !report.left.is_empty() {
        anstream::eprintln!("mitmsn: nothing was written: {} left", count(report.left.len(), "value is", "values are"));
        return Ok(ExitCode::FAILURE);
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for source in &sources {
        write(redactor, source)?;
        report.written.push(source.copy.clone());
        if !arguments.json {
            anstream::println!("{}", source.copy.display());
        }
    }
    let map = redactor.map();
    if let Some(file) = &arguments.map {
        replace(file, |out| Ok(map.write(out)?)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    anstream::eprintln!("mitmsn: {}", summary(&map, sources.len()));
    Ok(code)
}

/// Learns from all transcripts. What is no transcript is reported and left out.
fn learn(redactor: &mut Redactor, files: &[PathBuf]) -> Result<(Vec<Source>, ExitCode)> {
    let mut sources = Vec::new();
    let mut code = ExitCode::SUCCESS;
    for path in output::paths(files)? {
        let held = if path.as_os_str() == "-" { Some(standard_input()?) } else { None };
        let source = Source { path, held, copy: PathBuf::new() };
        let mut problems = Vec::new();
        let mut count = 0;
        let learned = read(&source, &mut problems, |_, event| {
            if count == 0 && !matches!(event, Event::Session(_)) {
                return Ok(false);
            }
            count += 1;
            Ok(true)
        });
        problems.iter().for_each(|problem| anstream::eprintln!("mitmsn: {problem}"));
        match learned {
            Ok(()) if count > 0 => {
                let mut passage = Passage::new();
                read(&source, &mut Vec::new(), |_, event| {
                    redactor.learn_event(&mut passage, &event);
                    Ok(true)
                })?;
                redactor.learn_name(&passage, &source.path);
                if !problems.is_empty() {
                    code = ExitCode::FAILURE;
                }
                sources.push(source);
            }
            Ok(()) => {
                anstream::eprintln!("mitmsn: {}: no transcript", source.path.display());
                code = ExitCode::FAILURE;
            }
            Err(error) => {
                anstream::eprintln!("mitmsn: {error:#}");
                code = ExitCode::FAILURE;
            }
        }
    }
    match sources.is_empty() {
        true => bail!("no transcript could be read"),
        false => Ok((sources, code)),
    }
}

fn standard_input() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(MOST_BYTES + 1).read_to_end(&mut bytes).context("cannot read standard input")?;
    match bytes.len() as u64 > MOST_BYTES {
        true => bail!("standard input: more than {MOST_BYTES} bytes; give a file, which can be read more than once"),
        false => Ok(bytes),
    }
}

/// Calls `each` with every event and its line; what is no event is a problem.
fn read(source: &Source, problems: &mut Vec<String>, mut each: impl FnMut(u64, Event) -> Result<bool>) -> Result<()> {
    let input: Box<dyn BufRead> = match &source.held {
        Some(bytes) => Box::new(Cursor::new(bytes)),
        None => {
            let file = File::open(&source.path).with_context(|| format!("cannot open {}", source.path.display()))?;
            Box::new(BufReader::new(file))
        }
    };
    let mut reader = Reader::new(input, &source.path);
    let mut is_first = true;
    while let Some(event) = reader.next() {
        match event {
            Ok(event) => {
                if !each(reader.line(), event)? {
                    return Ok(());
                }
            }
            Err(error @ (ReadError::File { .. } | ReadError::Format { .. })) => return Err(error.into()),
            Err(error) if is_first => return Err(error.into()),
            Err(error) => problems.push(format!("{error}; the line is left out")),
        }
        is_first = false;
    }
    if let Some(line) = reader.torn() {
        problems.push(format!(
            "{}:{line} is cut off: the recording ended there; the line is left out",
            source.path.display()
        ));
    }
    Ok(())
}

/// Walks over a transcript that was learned, with a passage for each of two walks side by side.
fn walk(
    redactor: &mut Redactor,
    source: &Source,
    mut each: impl FnMut(u64, &mut Redactor, &mut (Passage, Passage), Event) -> Result<()>,
) -> Result<()> {
    let mut passages = (Passage::new(), Passage::new());
    read(source, &mut Vec::new(), |line, event| each(line, redactor, &mut passages, event).map(|()| true))
}

fn write(redactor: &mut Redactor, source: &Source) -> Result<()> {
    replace(&source.copy, |out| {
        walk(redactor, source, |_, redactor, passages, event| {
            let redacted = redactor.redact_event(&mut passages.0, &event)?;
            // the file may have grown since it was checked
            let left = redactor.check_event(&mut passages.1, &redacted);
            if let Some(left) = left.first() {
                bail!("{}: {left}", source.path.display());
            }
            serde_json::to_writer(&mut *out, &redacted)?;
            Ok(out.write_all(b"\n")?)
        })
    })
    .with_context(|| format!("cannot write {}", source.copy.display()))
}

/// Writes a file for its owner alone, beside its place first: there is either all of it or what was there before.
fn replace(file: &Path, write: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let name = file.file_name().context("no name of a file")?.to_string_lossy();
    let part = file.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    let mut out = BufWriter::new(opened);
    let written = write(&mut out).and_then(|()| Ok(out.flush()?)).and_then(|()| Ok(fs::rename(&part, file)?));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}

/// Searches files of any kind for what a map knows.
fn check(redactor: &mut Redactor, files: &[PathBuf], report: &mut Report) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    let mut searched = 0usize;
    for path in output::paths(files)? {
        match check_file(redactor, &path, report) {
            Ok(()) => searched += 1,
            Err(error) => {
                anstream::eprintln!("mitmsn: {error:#}");
                code = ExitCode::FAILURE;
            }
        }
    }
    let values = count(redactor.map().values.len(), "value", "values");
    let left = match report.left.len() {
        0 => "nothing is left".to_owned(),
        left => format!("{} left", count(left, "is", "are")),
    };
    anstream::eprintln!("mitmsn: {} searched for {values}: {left}", count(searched, "file", "files"));
    Ok(code)
}

fn check_file(redactor: &mut Redactor, path: &Path, report: &mut Report) -> Result<()> {
    let context = || format!("cannot read {}", path.display());
    let mut input: Box<dyn BufRead> = match path.as_os_str() == "-" {
        true => Box::new(BufReader::new(std::io::stdin())),
        false => Box::new(BufReader::new(File::open(path).with_context(context)?)),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    report.add(path, 0, redactor.check_text(&name));
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        let read = input.by_ref().take(msnp_transcript::reader::LONGEST_LINE).read_until(b'\n', &mut text);
        if read.with_context(context)? == 0 {
            break;
        }
        report.add(path, line, redactor.check_line(&text));
    }
    Ok(())
}

impl Report {
    fn add(&mut self, file: &Path, line: u64, left: Vec<Leftover>) {
        for leftover in left {
            let place = if line == 0 { "name of the file".to_owned() } else { format!("line {line}, {leftover}") };
            if self.left.len() < MOST_SHOWN {
                anstream::eprintln!("mitmsn: {}: {place}: left", file.display());
            } else if self.left.len() == MOST_SHOWN {
                anstream::eprintln!("mitmsn: and more");
            }
            let (event, place) = (leftover.seq, leftover.place);
            self.left.push(Left { file: file.to_owned(), line, event, place, kind: leftover.kind.as_str() });
        }
    }
}

fn read_map(file: &Path, is_needed: bool) -> Result<Option<Map>> {
    match fs::read(file) {
        Ok(text) => Ok(Some(Map::parse(&text).with_context(|| format!("{}", file.display()))?)),
        Err(error) if error.kind() == ErrorKind::NotFound && !is_needed => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// Returns a name that no copy of this call has.
fn distinct(name: &Path, names: &[PathBuf]) -> PathBuf {
    let stem = name.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let other = (2..).map(|number| PathBuf::from(format!("{stem}-{number}.jsonl")));
    std::iter::once(name.to_owned()).chain(other).find(|name| !names.contains(name)).unwrap_or_default()
}

fn summary(map: &Map, files: usize) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for value in &map.values {
        let kind = value.kind.as_str();
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let replaced = if kinds.is_empty() { "nothing to replace".to_owned() } else { kinds.join(", ") };
    format!("{} redacted, and nothing left of what was replaced: {replaced}", count(files, "transcript", "transcripts"))
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Values that are left and shown on standard error.
const MOST_SHOWN: usize = 50;
