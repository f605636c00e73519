//! The proxy under test: the real binary, its files, its memory.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A running proxy. It is killed with the soak, unless that ends it.
#[derive(Debug)]
pub(crate) struct Proxy {
    child: Child,
    pub(crate) address: SocketAddr,
    /// The file of the control interface.
    pub(crate) access: Value,
    pub(crate) script: Option<PathBuf>,
    /// Lines of the log that are no plain news.
    complaints: Arc<Mutex<Vec<String>>>,
}

/// What the process has at one time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) after: Duration,
    /// Resident memory in KiB.
    pub(crate) memory: u64,
    pub(crate) descriptors: u64,
}

impl Proxy {
    /// Starts it before `upstream`, with all its files in `folder`.
    pub(crate) fn start(folder: &Path, upstream: SocketAddr) -> Result<Proxy> {
        let rules = rules(folder);
        std::fs::write(&rules, "")?;
        let program = env!("CARGO_BIN_EXE_mitmsn");
        let help = Command::new(program).args(["proxy", "--help"]).output()?;
        let script = String::from_utf8_lossy(&help.stdout).contains("--script").then(|| folder.join("script.luau"));
        let mut command = Command::new(program);
        command.env_clear().env("HOME", folder).env("RUST_BACKTRACE", "1");
        command.args([
            "proxy",
            &upstream.to_string(),
            "--listen",
            "127.0.0.1:0",
            "--control",
            "127.0.0.1:0",
            "--quiet",
        ]);
        command.arg("--keep-secrets").arg("--record").arg(folder.join("sessions")).arg("--rules").arg(&rules);
        if let Some(script) = &script {
            std::fs::write(script, "return {}\n")?;
            command.arg("--script").arg(script);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let log = child.stderr.take().context("no log")?;
        let (ready, listens) = mpsc::channel();
        let complaints = Arc::new(Mutex::new(Vec::new()));
        let own = Arc::clone(&complaints);
        std::thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listening on ") {
                    // the soak may have given up
                    let _ = ready.send(address.trim().to_owned());
                } else if !line.contains(" INFO ") {
                    own.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            }
        });
        let address = listens.recv_timeout(PATIENCE).context("the proxy does not listen")?.parse()?;
        let access = access(folder)?;
        Ok(Proxy { child, address, access, script, complaints })
    }

    /// Looks at the process, which has to be there.
    pub(crate) fn sample(&mut self, start: Instant) -> Result<Sample> {
        if let Some(status) = self.child.try_wait()? {
            // what it says last may come a moment later
            std::thread::sleep(Duration::from_millis(200));
            let log = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
            let last = log[log.len().saturating_sub(40)..].join("\n");
            bail!("the proxy ended with {status} after {:?}; the end of its log:\n{last}", start.elapsed());
        }
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = std::fs::read_to_string(process.join("status")).context("the proxy has ended")?;
        let memory =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
        let descriptors = std::fs::read_dir(process.join("fd"))?.count() as u64;
        Ok(Sample { after: start.elapsed(), memory: memory.context("no VmRSS")?, descriptors })
    }

    /// Returns how many seconds of processor time it has used.
    pub(crate) fn cpu(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
        Ok((ticks(11) + ticks(12)) / 100.0)
    }

    /// Ends it as an init system would, and returns what its log complains of, without times, and how often.
    pub(crate) fn stop(mut self) -> Result<Vec<(String, usize)>> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-s", "TERM", &id]).status()?;
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > deadline => bail!("the proxy does not end"),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        if status.code() != Some(143) {
            bail!("the proxy ended with {status}");
        }
        let mut complaints: Vec<(String, usize)> = Vec::new();
        for line in self.complaints.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let text = line.split_once("Z ").map_or(line.as_str(), |(_, text)| text.trim());
            let text = text.split(" connection=").next().unwrap_or(text).to_owned();
            match complaints.iter_mut().find(|(known, _)| *known == text) {
                Some((_, count)) => *count += 1,
                None => complaints.push((text, 1)),
            }
        }
        Ok(complaints)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // it may have ended by itself
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the rule file.
pub(crate) fn rules(folder: &Path) -> PathBuf {
    folder.join("rules.toml")
}

/// Reads the file by which the control interface is found.
fn access(folder: &Path) -> Result<Value> {
    let folder = folder.join(".local/state/mitmsn");
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let files = std::fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok);
        let mut files = files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|end| end == "json"));
        if let Some(file) = files.next() {
            return Ok(serde_json::from_slice(&std::fs::read(file)?)?);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    bail!("no control interface in {}", folder.display())
}

const PATIENCE: Duration = Duration::from_secs(30);
