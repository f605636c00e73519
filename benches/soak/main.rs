//! A soak: many connections through the real proxy, disturbed at random, every byte accounted for, memory flat.
//!
//! ```text
//! cargo bench --bench soak -- [--minutes 30] [--connections 200] [--seed 1] [--pace 1.5] [--smoke] [--keep]
//! ```
//!
//! Without arguments it is over in ten seconds. The files stay if a byte is not accounted for; `--keep` leaves them in any
//! case, and writes streams down that differ, so use it for short runs.
//!
//! Both ends of every dialogue are here: each client knows every answer before it asks, each server knows every request, and
//! what a third injects, edits or drops is known again by its token. At the end the transcripts are compared with what the
//! sockets sent and received. It exits with 1 on any violation.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::api::Api;
use crate::chaos::Chaos;
use crate::client::World;
use crate::ledger::Ledger;
use crate::proxy::{Proxy, Sample};

mod api;
mod chaos;
mod client;
mod judge;
mod ledger;
mod proxy;
mod server;
mod tally;
mod wire;

struct Options {
    time: Duration,
    connections: usize,
    seed: u64,
    /// Mean time between two bursts of a client.
    pace: Duration,
    /// Leaves the files where they are.
    keeps: bool,
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]
fn main() -> ExitCode {
    let result = options(std::env::args().skip(1)).and_then(|options| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(soak(&options))
    });
    match result {
        Ok(report) => {
            println!("{}", report.text);
            if report.violations.is_empty() {
                println!("no violation");
                return ExitCode::SUCCESS;
            }
            for violation in report.violations.iter().take(100) {
                eprintln!("VIOLATION {violation}");
            }
            eprintln!("{} violations", report.violations.len());
        }
        Err(error) => eprintln!("soak: {error:#}"),
    }
    ExitCode::FAILURE
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
    let (time, pace) = (Duration::from_secs(10), Duration::from_millis(300));
    let mut options = Options { time, connections: 40, seed: fastrand::u64(..), pace, keeps: false };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--minutes" => options.time = Duration::from_secs_f64(60.0 * value()?.parse::<f64>()?),
            "--connections" => options.connections = value()?.parse::<usize>()?.max(4),
            "--seed" => options.seed = value()?.parse()?,
            "--pace" => options.pace = Duration::from_secs_f64(value()?.parse()?),
            "--keep" => {
                options.keeps = true;
                tally::keep_all();
            }
            "--smoke" => {
                options.time = Duration::from_secs(4);
                options.connections = 16;
            }
            // cargo says so
            "--bench" => {}
            _ => bail!("unknown argument {argument}"),
        }
    }
    Ok(options)
}

struct Report {
    text: String,
    violations: Vec<String>,
}

async fn soak(options: &Options) -> Result<Report> {
    let folder = tempfile::tempdir()?;
    let (servers, boards) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
    let (upstream, beyond) = (servers.local_addr()?, boards.local_addr()?);
    let mut proxy = Proxy::start(folder.path(), upstream)?;
    let api = Api::new(&proxy.access)?;
    let world = Arc::new(World {
        ledger: Arc::new(Ledger::default()),
        proxy: proxy.address,
        boards: Arc::new(Semaphore::new(options.connections / 4)),
        pace: options.pace,
        life: options.time.mul_f64(0.3).min(Duration::from_secs(120)),
        seed: options.seed,
    });
    for listener in [servers, boards] {
        tokio::spawn(server::serve(Arc::clone(&world), listener, beyond));
    }
    let start = Instant::now();
    let mut people = JoinSet::new();
    for index in 0..options.connections - options.connections / 4 {
        people.spawn(client::live(Arc::clone(&world), index));
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let threads = disturb(&world, options, &proxy, &api, folder.path(), &is_over);
    let mut samples = vec![proxy.sample(start)?];
    let mut is_full = 0;
    while start.elapsed() < options.time {
        let left = options.time.saturating_sub(start.elapsed());
        tokio::time::sleep((options.time / 180).clamp(Duration::from_millis(100), SAMPLE).min(left)).await;
        samples.push(proxy.sample(start)?);
        is_full = is_full.max(samples.last().map_or(0, |sample| sample.descriptors));
    }
    // first those who disturb, then those who are disturbed
    is_over.store(true, Ordering::Relaxed);
    tokio::task::spawn_blocking(move || threads.into_iter().map(std::thread::JoinHandle::join).for_each(drop)).await?;
    world.ledger.is_over.store(true, Ordering::Relaxed);
    if tokio::time::timeout(PATIENCE, people.join_all()).await.is_err() {
        world.ledger.violation("some clients do not end".to_owned());
    }
    let deadline = Instant::now() + server::GRACE;
    let status = loop {
        let status = api.get("/api/status")?;
        let is_empty = ["connections", "held"].iter().all(|what| status[what] == 0);
        let is_known = world.ledger.books().connections.values().all(|record| record.server.is_some());
        if is_empty && is_known || Instant::now() > deadline {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    if ["connections", "held"].iter().any(|what| status[what] != 0) {
        world.ledger.violation(format!("all have gone, and the proxy says {status}"));
    }
    let (last, cpu) = (proxy.sample(start)?, proxy.cpu()?);
    let complaints = proxy.stop()?;
    for (complaint, _) in
        complaints.iter().filter(|(text, _)| ["soak: ", "panicked"].iter().any(|bad| text.contains(bad)))
    {
        world.ledger.violation(format!("in the log: {complaint}"));
    }
    let mut books = std::mem::take(&mut *world.ledger.books());
    let bytes = judge::judge(&mut books, &folder.path().join("sessions"))?;
    let (memory, problem) = flatness(&samples, last);
    let keeps = options.keeps || !books.violations.is_empty();
    if options.time >= JUDGED {
        books.violations.extend(problem);
    }
    let text = table(
        options,
        &books,
        &[format!("{memory}\n"), format!("processor time of the proxy: {cpu:.1} s\n")],
        bytes,
        &complaints,
    );
    if keeps {
        let kept = folder.keep();
        return Ok(Report { text: format!("{text}files: {}", kept.display()), violations: books.violations });
    }
    Ok(Report { text, violations: books.violations })
}

/// Starts those who disturb.
fn disturb(
    world: &Arc<World>,
    options: &Options,
    proxy: &Proxy,
    api: &Api,
    folder: &Path,
    is_over: &Arc<AtomicBool>,
) -> Vec<std::thread::JoinHandle<()>> {
    let chaos = |name: &str| Chaos {
        api: api.clone(),
        ledger: Arc::clone(&world.ledger),
        random: world.random(name),
        is_over: Arc::clone(is_over),
        rules: proxy::rules(folder),
        script: proxy.script.clone(),
        between_closes: (options.time / 100).clamp(Duration::from_millis(500), Duration::from_secs(10)),
    };
    let mut threads = Vec::new();
    for name in ["holds", "more holds"] {
        let chaos = chaos(name);
        threads.push(std::thread::spawn(move || chaos.hold()));
    }
    for name in ["injections", "more injections", "even more injections"] {
        let chaos = chaos(name);
        threads.push(std::thread::spawn(move || chaos.inject()));
    }
    let chaos = chaos("administration");
    threads.push(std::thread::spawn(move || chaos.administer()));
    threads
}

/// Judges whether memory and descriptors stay where they are: their mean in the last third of the time against that in the
/// second. Returns what to show, and what is wrong.
fn flatness(samples: &[Sample], last: Sample) -> (String, Option<String>) {
    let third = samples.len() / 3;
    let mean =
        |part: &[Sample], of: fn(&Sample) -> u64| part.iter().map(of).sum::<u64>() as f64 / part.len().max(1) as f64;
    let (second, end) = (&samples[third..2 * third], &samples[2 * third..]);
    let memory: fn(&Sample) -> u64 = |one| one.memory;
    let descriptors: fn(&Sample) -> u64 = |one| one.descriptors;
    let at = |share: usize| samples.get((samples.len() - 1) * share / 100).map_or(0, memory);
    let most = |of: fn(&Sample) -> u64| samples.iter().map(of).max().unwrap_or(0);
    let text = format!(
        "memory in KiB: start {}, 25 % {}, 50 % {}, 75 % {}, 100 % {}, most {}, when all have gone {}\n\
         mean of the second third {:.0}, of the last {:.0}; descriptors: mean {:.1}, {:.1}, most {}, when all have gone {}\n\
         {} samples in {:.0} s",
        at(0),
        at(25),
        at(50),
        at(75),
        at(100),
        most(memory),
        last.memory,
        mean(second, memory),
        mean(end, memory),
        mean(second, descriptors),
        mean(end, descriptors),
        most(descriptors),
        last.descriptors,
        samples.len(),
        samples.last().map_or(0.0, |sample| sample.after.as_secs_f64()),
    );
    let growth = mean(end, memory) - mean(second, memory);
    let opened = mean(end, descriptors) - mean(second, descriptors);
    let problem = if growth > ALLOWED_GROWTH {
        Some(format!("memory grows: {growth:.0} KiB from the second third to the last"))
    } else if opened > ALLOWED_DESCRIPTORS {
        Some(format!("descriptors grow: {opened:.1} from the second third to the last"))
    } else {
        None
    };
    (text, problem)
}

fn table(
    options: &Options,
    books: &ledger::Books,
    lines: &[String],
    bytes: u64,
    complaints: &[(String, usize)],
) -> String {
    let mut text = format!(
        "soak of {:.1} min, {} connections at a time, seed {}, pace {:?}\n",
        options.time.as_secs_f64() / 60.0,
        options.connections,
        options.seed,
        options.pace
    );
    for (what, count) in &books.counts {
        text.push_str(&format!("{count:>10}  {what}\n"));
    }
    let ends = books.connections.values().flat_map(|record| [&record.client, &record.server]).flatten();
    let (sent, received) = ends.fold((0, 0), |sum, end| (sum.0 + end.sent.len(), sum.1 + end.received.len()));
    text.push_str(&format!("{sent:>10}  bytes sent by both ends\n{received:>10}  bytes received by both ends\n"));
    text.push_str(&format!("{bytes:>10}  bytes of transcripts\n"));
    lines.iter().for_each(|line| text.push_str(line));
    for (complaint, count) in complaints {
        text.push_str(&format!("{count:>10}  times in the log: {complaint}\n"));
    }
    text
}

const SAMPLE: Duration = Duration::from_secs(10);
/// Longest time that the last commands may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// A shorter run says nothing of memory.
const JUDGED: Duration = Duration::from_secs(600);
/// In KiB: the allocator's own movements are smaller.
const ALLOWED_GROWTH: f64 = 2048.0;
const ALLOWED_DESCRIPTORS: f64 = 10.0;
