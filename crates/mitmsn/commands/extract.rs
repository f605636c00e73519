//! `mitmsn extract`: pictures, files and texts out of transcripts.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use msnp_transcript::Reader;
use msnp_transcript::extract::{Collection, Entry, Extractor, Found, Limits, Manifest, NewFile, Status, TextMessage};
use msnp_transcript::reader::ReadError;
use msnp_transcript::screen::printable;

use super::output;
use crate::cli::Extract;

/// Extracts, and prints what was found. The exit code is 1 if a transcript could not be read in whole.
pub(super) fn run(arguments: &Extract) -> Result<ExitCode> {
    let files = output::paths(&arguments.files)?;
    let folder = arguments.out.as_deref().map(|folder| Folder::prepare(folder, arguments.force)).transpose()?;
    let file = arguments.max_file << 20;
    let limits = Limits { file, in_flight: file.max(Limits::default().in_flight) };
    let mut task = Task { collection: Collection::default(), folder, limits, is_sound: true, transcripts: 0 };
    for file in &files {
        task.transcript(file)?;
    }
    if task.transcripts == 0 {
        bail!("no transcript could be read");
    }
    let is_sound = task.is_sound;
    let manifest = task.finish()?;
    let mut out = anstream::AutoStream::auto(std::io::stdout().lock());
    match arguments.json {
        true => writeln!(out, "{}", serde_json::to_string_pretty(&manifest)?)?,
        false => print(&manifest, &mut out)?,
    }
    out.flush()?;
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Task {
    collection: Collection,
    folder: Option<Folder>,
    limits: Limits,
    is_sound: bool,
    transcripts: usize,
}

impl Task {
    fn transcript(&mut self, file: &Path) -> Result<()> {
        match file.as_os_str() == "-" {
            true => self.read(Reader::new(BufReader::new(std::io::stdin()), file), file),
            false => match Reader::open(file) {
                Ok(reader) => self.read(reader, file),
                Err(error) => {
                    self.complain(&error.to_string());
                    Ok(())
                }
            },
        }
    }

    fn read<R: std::io::BufRead>(&mut self, mut reader: Reader<R>, file: &Path) -> Result<()> {
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
        let mut extractor = Extractor::new(&name, self.limits);
        let mut events = 0u64;
        for event in reader.by_ref() {
            match event {
                Ok(event) => {
                    events += 1;
                    let found = extractor.push(&event);
                    self.take(found)?;
                }
                Err(error @ (ReadError::Format { .. } | ReadError::File { .. })) => {
                    self.complain(&error.to_string());
                    break;
                }
                Err(error) => self.complain(&error.to_string()),
            }
        }
        if let Some(line) = reader.torn()
            && events > 0
        {
            self.complain(&format!("{}:{line} is cut off: the recording ended there", file.display()));
        }
        if events == 0 {
            self.complain(&format!("{}: not a transcript", file.display()));
            return Ok(());
        }
        self.transcripts += 1;
        let (found, origin) = extractor.finish();
        self.take(found)?;
        self.collection.end(origin);
        Ok(())
    }

    fn take(&mut self, found: Vec<Found>) -> Result<()> {
        for found in found {
            let (file, text) = self.collection.add(found);
            if let Some(folder) = &mut self.folder {
                file.as_ref().map(|file| folder.file(file)).transpose()?;
                text.as_ref().map(|text| folder.text(text)).transpose()?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Manifest> {
        let (files, manifest) = self.collection.finish();
        if let Some(mut folder) = self.folder {
            for file in &files {
                folder.file(file)?;
            }
            folder.finish(&manifest)?;
        }
        Ok(manifest)
    }

    fn complain(&mut self, problem: &str) {
        anstream::eprintln!("mitmsn: {problem}");
        self.is_sound = false;
    }
}

/// The folder that files go into.
struct Folder {
    path: PathBuf,
    replaces: bool,
    messages: BufWriter<File>,
}

impl Folder {
    fn prepare(path: &Path, replaces: bool) -> Result<Folder> {
        use std::os::unix::fs::DirBuilderExt;
        let made = fs::DirBuilder::new().mode(0o700).recursive(true).create(path);
        made.with_context(|| format!("cannot make the folder {}", path.display()))?;
        let mut inside = fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
        if !replaces && inside.next().is_some() {
            bail!("{} is not empty: name another folder, or add --force to replace what is there", path.display());
        }
        let messages = BufWriter::new(create(&path.join("messages.jsonl"), replaces)?);
        Ok(Folder { path: path.to_owned(), replaces, messages })
    }

    fn file(&mut self, file: &NewFile) -> Result<()> {
        let path = self.path.join(&file.name);
        let written = file.write(&mut create(&path, self.replaces)?);
        if written.is_err() {
            // half a file that looks like a whole one is worse than none; why it failed is what matters
            let _ = fs::remove_file(&path);
        }
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    fn text(&mut self, text: &TextMessage) -> Result<()> {
        let line = serde_json::to_string(text)? + "\n";
        self.messages.write_all(line.as_bytes()).with_context(|| self.about("messages.jsonl"))
    }

    fn finish(mut self, manifest: &Manifest) -> Result<()> {
        self.messages.flush().with_context(|| self.about("messages.jsonl"))?;
        let text = serde_json::to_string_pretty(manifest)? + "\n";
        let mut file = create(&self.path.join("manifest.json"), self.replaces)?;
        file.write_all(text.as_bytes()).with_context(|| self.about("manifest.json"))
    }

    fn about(&self, name: &str) -> String {
        format!("cannot write {}", self.path.join(name).display())
    }
}

/// Makes a file that only its owner reads. One of that name is replaced, never written through: it may be a link.
fn create(path: &Path, replaces: bool) -> Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    if replaces {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot replace {}", path.display()));
            }
            _ => {}
        }
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.with_context(|| format!("cannot write {}", path.display()))
}

fn print(manifest: &Manifest, out: &mut impl Write) -> Result<()> {
    let safe = |text: &str| printable(text.as_bytes());
    for entry in &manifest.files {
        let what = entry.file.as_deref().or(entry.name.as_deref()).unwrap_or("-");
        let bytes = match (entry.status, entry.expected_bytes) {
            (Status::Missing, None) => "-".to_owned(),
            (_, Some(expected)) => format!("{}/{expected}", entry.bytes),
            (_, None) => entry.bytes.to_string(),
        };
        let mime = entry.mime.as_deref().unwrap_or("-");
        writeln!(out, "{:17} {bytes:>13} {mime:24} {}", entry.kind, safe(what))?;
        if let Some(remark) = remark(entry) {
            writeln!(out, "{:17} {:13} {}", "", "", safe(&remark))?;
        }
        let Some(seen) = entry.seen.first() else { continue };
        let more = match entry.seen.len() {
            1 => String::new(),
            number => format!(", seen {number} times"),
        };
        let time = seen.first_time.get(..19).unwrap_or(&seen.first_time);
        let (from, to) =
            (person(&seen.from), if seen.to.is_empty() { String::new() } else { format!(" to {}", seen.to) });
        let place = format!("{}, {} {}-{}", time, seen.transcript, seen.first_seq, seen.last_seq);
        writeln!(out, "{:17} {:13} {}", "", "", safe(&format!("from {from}{to}, {place}{more}")))?;
    }
    for emoticon in &manifest.emoticons {
        let file = emoticon.file.as_deref().unwrap_or("not found");
        let text = format!("{:17} {:>13} is {file} for {}", "shortcut", emoticon.shortcut, person(&emoticon.from));
        writeln!(out, "{}", safe(&text))?;
    }
    let count = |status| manifest.files.iter().filter(|entry| entry.status == status).count();
    let (whole, partial, missing) = (count(Status::Complete), count(Status::Partial), count(Status::Missing));
    writeln!(out, "{whole} complete, {partial} partial, {missing} without data; {} text messages", manifest.messages)?;
    for note in &manifest.notes {
        writeln!(out, "{}", safe(note))?;
    }
    Ok(())
}

/// Returns what is not as it should be.
fn remark(entry: &Entry) -> Option<String> {
    let is_wrong = entry.sha1d.as_ref().is_some_and(|check| check.ok == Some(false));
    let hash = is_wrong.then_some("its hash is not the one that its owner gave");
    let missing: Vec<String> = entry
        .missing
        .iter()
        .take(8)
        .map(|missing| format!("{}-{}", missing.from, missing.to.map(|to| to.to_string()).unwrap_or_default()))
        .collect();
    let ranges = (!missing.is_empty()).then(|| format!("missing {}", missing.join(", ")));
    let remarks: Vec<&str> = [hash, entry.reason.as_deref(), ranges.as_deref()].into_iter().flatten().collect();
    (!remarks.is_empty()).then(|| remarks.join("; "))
}

fn person(account: &str) -> &str {
    if account.is_empty() { "somebody" } else { account }
}
