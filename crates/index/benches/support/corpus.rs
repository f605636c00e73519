//! Years of made-up sessions: a few people who log in, talk and leave. The same seed makes the same transcripts.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};

/// How many commands a session has about.
const SESSION: u64 = 500;
/// How many words there are.
const WORDS: usize = 20_000;

/// Writes transcripts with so many commands in all into a folder. Returns how many bytes they have.
pub(crate) fn write(folder: &Path, commands: u64) -> io::Result<u64> {
    let mut random = Rng::with_seed(1863);
    let words = words(&mut random);
    let start = Timestamp::from_second(1_577_836_800).unwrap_or(Timestamp::UNIX_EPOCH);
    let sessions = commands.div_ceil(SESSION);
    // five years
    let apart = SignedDuration::from_secs(5 * 365 * 86_400) / i32::try_from(sessions.max(1)).unwrap_or(i32::MAX);
    let (mut time, mut left, mut bytes) = (start, commands, 0);
    for session in 0..sessions {
        let mut text = Session::new(session, time, &words, &mut random);
        text.fill(left.min(SESSION));
        left = left.saturating_sub(SESSION);
        let name = format!("{}-{session:05}.jsonl", time.strftime("%Y%m%d-%H%M%S"));
        bytes += text.text.len() as u64;
        fs::write(folder.join(name), text.text)?;
        time = time.checked_add(apart).unwrap_or(time);
    }
    Ok(bytes)
}

/// Returns the words of all messages, the most common first.
fn words(random: &mut Rng) -> Vec<String> {
    (0..WORDS).map(|index| word(index, random)).collect()
}

/// Returns the word of this rank, 0 being the most common.
pub(crate) fn word_of(rank: usize) -> String {
    words(&mut Rng::with_seed(1863)).swap_remove(rank)
}

/// Syllables, so that words have the lengths and starts of words.
fn word(index: usize, random: &mut Rng) -> String {
    const STARTS: [&str; 12] = ["b", "ch", "d", "f", "gr", "h", "k", "l", "m", "p", "st", "tr"];
    const ENDS: [&str; 8] = ["a", "en", "i", "o", "un", "ar", "et", "is"];
    let syllables = 1 + random.usize(..3);
    let stem: String = (0..syllables)
        .map(|_| [STARTS[random.usize(..STARTS.len())], ENDS[random.usize(..ENDS.len())]].concat())
        .collect();
    if index < 1000 { stem } else { format!("{stem}{}", STARTS[index % STARTS.len()]) }
}

struct Session<'a> {
    text: String,
    id: String,
    seq: u64,
    time: Timestamp,
    words: &'a [String],
    random: &'a mut Rng,
}

impl<'a> Session<'a> {
    fn new(number: u64, time: Timestamp, words: &'a [String], random: &'a mut Rng) -> Session<'a> {
        let mut session = Session { text: String::new(), id: format!("{number:026}"), seq: 0, time, words, random };
        session.event("\"type\":\"session\"", "\"format\":\"mitmsn-transcript\",\"version\":1,\"software\":\"corpus\"");
        for (connection, server) in [(1, "ns"), (2, "sb")] {
            let rest = format!(
                "\"connection\":{connection},\"client\":\"127.0.0.1:5\",\"listener\":\"127.0.0.1:1863\",\"upstream\":\"h:1863\",\"server\":\"{server}\",\"account\":\"alice@example.com\",\"version\":\"MSNP12\""
            );
            session.event("\"type\":\"connection-opened\"", &rest);
        }
        session
    }

    fn fill(&mut self, commands: u64) {
        for _ in 0..commands {
            let contact = format!("contact{}@example.com", self.random.u32(..200));
            match self.random.u32(..100) {
                0..50 => self.message(&contact),
                50..60 => self.command("sb", "s2c", "MSG", &[&contact, "Some%20Body", "97"], Some("MIME-Version: 1.0\\r\\nContent-Type: text/x-msmsgscontrol\\r\\nTypingUser: x@example.com\\r\\n\\r\\n\\r\\n")),
                60..75 => self.command("ns", "s2c", "NLN", &["BSY", &contact, "Friendly%20Name%20Here", "1073741824"], None),
                75..80 => self.command("ns", "s2c", "FLN", &[&contact], None),
                80..88 => self.command("ns", "c2s", "PNG", &[], None),
                88..96 => self.command("ns", "s2c", "QNG", &["50"], None),
                _ => self.command("sb", "s2c", "JOI", &[&contact, "Some%20Body", "1073741824"], None),
            }
        }
    }

    fn message(&mut self, contact: &str) {
        let length = 1 + self.random.usize(..18);
        let mut text = String::new();
        for _ in 0..length {
            // few words are often said, most are rare
            let rank = self.random.f64().powi(4) * self.words.len() as f64;
            let _ = write!(text, "{} ", self.words[rank as usize]);
        }
        let payload = format!(
            "MIME-Version: 1.0\\r\\nContent-Type: text/plain; charset=UTF-8\\r\\nX-MMS-IM-Format: FN=MS%20Sans%20Serif; EF=; CO=0; CS=0; PF=0\\r\\n\\r\\n{}",
            text.trim_end()
        );
        match self.random.bool() {
            true => self.command("sb", "s2c", "MSG", &[contact, "Some%20Body", "130"], Some(&payload)),
            false => self.command("sb", "c2s", "MSG", &["42", "N", "130"], Some(&payload)),
        }
    }

    fn command(&mut self, server: &str, direction: &str, verb: &str, args: &[&str], payload: Option<&str>) {
        let connection = if server == "ns" { 1 } else { 2 };
        let args: Vec<String> = args.iter().map(|arg| format!("\"{arg}\"")).collect();
        let payload = payload.map(|payload| format!(",\"payload\":{{\"text\":\"{payload}\"}}")).unwrap_or_default();
        let rest = format!(
            "\"connection\":{connection},\"server\":\"{server}\",\"direction\":\"{direction}\",\"verb\":\"{verb}\",\"args\":[{}]{payload},\"origin\":\"peer\"",
            args.join(",")
        );
        self.event("\"type\":\"command\"", &rest);
    }

    fn event(&mut self, kind: &str, rest: &str) {
        let (seq, session) = (self.seq, &self.id);
        let time = self.time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ");
        let _ = writeln!(self.text, "{{{kind},\"seq\":{seq},\"time\":\"{time}\",\"session\":\"{session}\",{rest}}}");
        self.seq += 1;
        let pause = SignedDuration::from_micros(self.random.i64(1_000..20_000_000));
        self.time = self.time.checked_add(pause).unwrap_or(self.time);
    }
}
