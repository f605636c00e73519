//! What both ends of a dialogue say: frames, tokens by which every command is known again, and the server's answers.

use std::io;

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::tally::Tally;

/// A command: its line, without an end, and its payload. The soak frames by itself, so that the proxy's framing has a witness.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) line: String,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn verb(&self) -> &str {
        self.line.get(..3).unwrap_or(&self.line)
    }

    /// Returns an argument; 0 is the first behind the verb.
    pub(crate) fn argument(&self, index: usize) -> &str {
        self.line.split(' ').nth(index + 1).unwrap_or_default()
    }

    /// Returns the token of the line or of the payload.
    pub(crate) fn token(&self) -> Option<Token> {
        match self.payload.is_empty() {
            true => self.line.split(' ').find_map(Token::read),
            false => Body::read(&self.payload).ok().and_then(|body| Token::read(&body.token)),
        }
    }
}

/// By what a command is known again, wherever it turns up.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// The connection, or "x".
    pub(crate) key: String,
    pub(crate) number: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Kind {
    /// A command of a client.
    Request,
    /// A command of a server that nobody asked for.
    Push,
    /// A command of a client that may be dropped.
    LooseRequest,
    /// A command of a server that may be dropped.
    LoosePush,
    /// A request that a rule may answer.
    Shield,
    /// What was injected.
    Injected,
}

const KINDS: [(&str, Kind); 6] = [
    ("q", Kind::Request),
    ("p", Kind::Push),
    ("d", Kind::LooseRequest),
    ("e", Kind::LoosePush),
    ("g", Kind::Shield),
    ("x", Kind::Injected),
];

impl Token {
    pub(crate) fn read(text: &str) -> Option<Token> {
        let mut parts = text.split('/');
        let (kind, key, number) = (parts.next()?, parts.next()?, parts.next()?);
        let kind = KINDS.iter().find(|(letter, _)| *letter == kind)?.1;
        let number = number.parse().ok().filter(|_| parts.next().is_none())?;
        Some(Token { kind, key: key.to_owned(), number })
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let letter = KINDS.iter().find(|(_, kind)| *kind == self.kind).map_or("?", |(letter, _)| letter);
        write!(f, "{letter}/{}/{}", self.key, self.number)
    }
}

/// A payload that says whose it is and whether it is whole: token, mark, hash of the rest, the rest.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) token: String,
    /// What an edit changes.
    pub(crate) mark: String,
}

impl Body {
    /// Writes one. Most are short, and some are no text.
    pub(crate) fn write(token: &str, mark: &str, random: &mut Rng) -> Vec<u8> {
        let len = match random.u8(..) {
            0..=199 => random.usize(0..200),
            200..=250 => random.usize(200..2000),
            _ => random.usize(2000..20_000),
        };
        let any = random.u8(..) < 50;
        let rest: Vec<u8> = (0..len)
            .map(|_| if any { random.u8(..) } else { *random.choice(b"abcdefghij {}\\|\r\n").unwrap_or(&b' ') })
            .collect();
        let mut body = format!("{token} {mark} {:016x} ", Tally::of(&rest).hash()).into_bytes();
        body.extend(rest);
        body
    }

    /// Reads one, behind MIME headers or not, and checks its hash.
    pub(crate) fn read(payload: &[u8]) -> Result<Body> {
        let body = payload.strip_prefix(HEADERS.as_bytes()).unwrap_or(payload);
        let mut parts = body.splitn(4, |byte| *byte == b' ');
        let mut next = || parts.next().context("a payload is cut off");
        let (token, mark, hash, rest) = (next()?, next()?, next()?, next()?);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if text(hash) != format!("{:016x}", Tally::of(rest).hash()) {
            bail!("the payload of {} is not what was sent", text(token));
        }
        Ok(Body { token: text(token), mark: text(mark) })
    }
}

/// Before the body of every `MSG`.
pub(crate) const HEADERS: &str = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\n";
/// The mark of a body that nobody touched; a rule may turn it into [`RULED`].
pub(crate) const PLAIN: &str = "colour";
/// The mark that a rule leaves.
pub(crate) const RULED: &str = "color";
/// The payload of `GCF`.
pub(crate) const SHIELDS: &str = "<config></config>";

/// Returns what a server answers, line by line. The client knows it beforehand, by the same function.
pub(crate) fn answers(line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let word = |index: usize| words.get(index).copied().unwrap_or_default();
    let id = word(1);
    let several = || 1..=word(3).parse().unwrap_or(0u32).min(9);
    match word(0) {
        "VER" => vec![format!("VER {id} MSNP8")],
        "USR" if word(2) == "TWN" => vec![format!("USR {id} OK {} Name 1 0", word(4))],
        "USR" => vec![format!("USR {id} OK {} Name", word(2))],
        "URL" if word(2) == "ERR" => vec![format!("500 {id}")],
        "URL" => vec![format!("URL {id} {} https://h 2", word(3))],
        // CHG id NLN count token
        "CHG" => std::iter::once(format!("CHG {id} NLN {} {}", word(3), word(4)))
            .chain(several().map(|index| format!("ILN {id} NLN bob{index}@example.com {} 0", word(4))))
            .collect(),
        // FND id count token
        "FND" => {
            let count = word(2).parse().unwrap_or(0u32).min(9);
            (1..=count).map(|index| format!("FND {id} {index} {count} {}", word(3))).collect()
        }
        // SYN id 0 token
        "SYN" => {
            let token = word(3);
            vec![
                format!("SYN {id} 1 1 2 1"),
                format!("LSG {token} Friends"),
                format!("LST l0@example.com {token} 11"),
                format!("LST l1@example.com {token} 11"),
            ]
        }
        "XYZ" => vec![format!("XYZ {id} {} ok", word(2))],
        "CAL" => vec![format!("CAL {id} RINGING {}", word(3))],
        "MSG" if word(2) == "A" => vec![format!("ACK {id}")],
        "UUX" => vec![format!("UUX {id} 0")],
        "QRY" => vec![format!("QRY {id}")],
        "PNG" => vec!["QNG 50".to_owned()],
        _ => Vec::new(),
    }
}

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Peer {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    is_client: bool,
    buffer: Vec<u8>,
    pub(crate) sent: Tally,
    pub(crate) received: Tally,
}

impl Peer {
    pub(crate) fn new(socket: TcpStream, is_client: bool) -> Peer {
        // a dialogue of small commands; without it everything waits for acknowledgements
        let _ = socket.set_nodelay(true);
        let (reader, writer) = socket.into_split();
        let sent = Tally::with_tail();
        Peer { reader, writer, is_client, buffer: Vec::new(), sent, received: Tally::default() }
    }

    /// Returns the next frame; `None` at the end. Cancel-safe.
    pub(crate) async fn frame(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.next()? {
                return Ok(Some(frame));
            }
            let before = self.buffer.len();
            let count = match self.reader.read_buf(&mut self.buffer).await {
                Ok(count) => count,
                Err(error) if is_gone(&error) => 0,
                Err(error) => return Err(error.into()),
            };
            self.received.add(&self.buffer[before..]);
            if count == 0 {
                return Ok(None);
            }
        }
    }

    /// What was read of a command that has not ended.
    pub(crate) fn rest(&self) -> usize {
        self.buffer.len()
    }

    /// Sends bytes. Returns whether they could leave: whether they arrive is known at the end.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<bool> {
        self.sent.add(bytes);
        match self.writer.write_all(bytes).await {
            Ok(()) => Ok(true),
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends nothing more.
    pub(crate) async fn end(&mut self) {
        // it may be gone
        let _ = self.writer.shutdown().await;
    }

    fn next(&mut self) -> Result<Option<Frame>> {
        let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
        let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        let verbs: &[&str] = match self.is_client {
            true => &["UBX", "NOT", "MSG", "GCF", "UUX"],
            false => &["UUX", "MSG", "QRY"],
        };
        let has_payload = line.get(..3).is_some_and(|verb| verbs.contains(&verb));
        let length = match line.rsplit(' ').next().map(str::parse::<usize>) {
            Some(Ok(length)) if has_payload => length,
            _ if has_payload => bail!("no length in {line:?}"),
            _ => 0,
        };
        let start = end + 2;
        if self.buffer.len() < start + length {
            return Ok(None);
        }
        let payload = self.buffer[start..start + length].to_vec();
        self.buffer.drain(..start + length);
        Ok(Some(Frame { line, payload }))
    }
}

/// Whether the other side has closed.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
    matches!(error.kind(), BrokenPipe | ConnectionReset | NotConnected)
}
