//! Where captures come from: files, files that grow, standard input; each until it ends or a signal comes.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};

use super::super::output::{INTERRUPTED, TERMINATED};
use super::{cannot, spawn};

/// Whether the import shall end, and why.
#[derive(Clone, Debug)]
pub(super) struct Stop(Arc<AtomicU8>);

impl Stop {
    /// Ends with the first SIGINT or SIGTERM, once what is there is read; with the second at once.
    pub(super) fn on_signal() -> Result<Stop> {
        let stop = Stop(Arc::new(AtomicU8::new(RUNNING)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let runtime = runtime.with_context(cannot("listen to signals"))?;
        let flag = stop.clone();
        spawn("signals", move || {
            runtime.block_on(async {
                use tokio::signal::unix::{SignalKind, signal};
                let (Ok(mut interrupt), Ok(mut terminate)) =
                    (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
                else {
                    return;
                };
                loop {
                    let code = tokio::select! {
                        _ = interrupt.recv() => INTERRUPTED,
                        _ = terminate.recv() => TERMINATED,
                    };
                    if flag.0.compare_exchange(RUNNING, code, Ordering::Relaxed, Ordering::Relaxed).is_err() {
                        std::process::exit(i32::from(code));
                    }
                }
            });
        })?;
        Ok(stop)
    }

    /// Ends without a signal.
    pub(super) fn set(&self) {
        let _ = self.0.compare_exchange(RUNNING, OVER, Ordering::Relaxed, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed) != RUNNING
    }

    /// Returns the exit code that goes with it.
    pub(super) fn exit_code(&self) -> Option<ExitCode> {
        match self.0.load(Ordering::Relaxed) {
            RUNNING => None,
            OVER => Some(ExitCode::SUCCESS),
            code => Some(ExitCode::from(code)),
        }
    }
}

/// Opens an input.
pub(super) fn open(file: &Path, follow: bool, stop: &Stop) -> io::Result<Box<dyn Read>> {
    if file == Path::new("-") {
        return Ok(Box::new(Piped::new(stop)?));
    }
    let opened = File::open(file)?;
    let metadata = opened.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let file = Regular { file: opened, path: file.to_owned(), follow, stop: stop.clone() };
    let is_long = metadata.len() >= LONG && !follow && io::stderr().is_terminal();
    Ok(if is_long { Box::new(progress(&file.path, metadata.len()).wrap_read(file)) } else { Box::new(file) })
}

fn progress(path: &Path, length: u64) -> ProgressBar {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}");
    ProgressBar::new(length).with_message(name).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A file, which may grow.
#[derive(Debug)]
struct Regular {
    file: File,
    path: PathBuf,
    follow: bool,
    stop: Stop,
}

impl Read for Regular {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.stop.is_set() {
                return Ok(0);
            }
            let count = self.file.read(buffer)?;
            if count > 0 || !self.follow {
                return Ok(count);
            }
            if self.file.metadata()?.len() < self.file.stream_position()? {
                return Err(io::Error::other("it became shorter while it was read"));
            }
            std::thread::sleep(POLL);
        }
    }
}

/// Standard input, read by a thread of its own, so that a signal need not wait for it.
#[derive(Debug)]
struct Piped {
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    used: usize,
    stop: Stop,
    deadline: Option<Instant>,
}

impl Piped {
    fn new(stop: &Stop) -> io::Result<Piped> {
        let (sender, chunks) = mpsc::sync_channel(CHUNKS);
        let reader = move || {
            let mut input = io::stdin().lock();
            loop {
                let mut chunk = vec![0; CHUNK];
                let read = match input.read(&mut chunk) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    read => read,
                };
                let is_over = !matches!(read, Ok(1..));
                let sent = sender.send(read.map(|count| {
                    chunk.truncate(count);
                    chunk
                }));
                if is_over || sent.is_err() {
                    break;
                }
            }
        };
        std::thread::Builder::new().name("input".into()).spawn(reader)?;
        Ok(Piped { chunks, chunk: Vec::new(), used: 0, stop: stop.clone(), deadline: None })
    }
}

impl Read for Piped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.used == self.chunk.len() {
            // what captures gets the same Ctrl-C, and writes what it has left
            if self.stop.is_set() && Instant::now() >= *self.deadline.get_or_insert_with(|| Instant::now() + LEFT) {
                return Ok(0);
            }
            match self.chunks.recv_timeout(POLL) {
                Ok(chunk) => {
                    self.chunk = chunk?;
                    self.used = 0;
                    if self.chunk.is_empty() {
                        return Ok(0);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
        let rest = &self.chunk[self.used..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.used += count;
        Ok(count)
    }
}

const RUNNING: u8 = 0;
/// No signal, but nobody wants more.
const OVER: u8 = 1;
/// How often a file is looked at that may have grown.
const POLL: Duration = Duration::from_millis(100);
/// How long standard input may take to end after a signal.
const LEFT: Duration = Duration::from_secs(1);
/// Length from which on a file has a progress bar.
const LONG: u64 = 16 << 20;
const CHUNK: usize = 256 << 10;
const CHUNKS: usize = 4;
