//! One direction of HTTP/1, cut into heads and bodies as it comes.

use super::target::value;

/// One direction.
#[derive(Debug)]
pub(super) struct Http {
    kind: Kind,
    state: State,
    /// What of a head or a line of a chunked body has come.
    partial: Vec<u8>,
}

/// What a direction has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Requests,
    Answers,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Head,
    /// So many bytes of the body are to come.
    Body(u64),
    /// The line with the size of a chunk.
    ChunkSize,
    ChunkData(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    /// The lines behind the last chunk.
    Trailer,
    /// The body goes on until the connection ends.
    UntilClose,
    /// The next head has to be found.
    Seeking,
}

/// What is found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Part<'a> {
    Head(Head),
    Body(&'a [u8]),
    /// So many bytes of the body are missing.
    Missing(u64),
    End,
    /// Something is not HTTP, or missing: the next head has to be found.
    Lost,
}

/// What matters of a head.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Head {
    /// Of a request: what it asks for.
    pub(super) target: Vec<u8>,
    pub(super) host: Vec<u8>,
    /// Of an answer.
    pub(super) status: u16,
    pub(super) session: Option<Vec<u8>>,
    pub(super) gateway: Option<Vec<u8>>,
    /// Whether the gateway closes the session.
    pub(super) closes: bool,
    length: Option<u64>,
    is_chunked: bool,
    /// Whether none follows, whatever the length says.
    has_no_body: bool,
}

impl Http {
    pub(super) fn new(kind: Kind) -> Http {
        Http { kind, state: State::Head, partial: Vec::new() }
    }

    pub(super) fn data(&mut self, mut bytes: &[u8], found: &mut dyn FnMut(Part<'_>)) {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Head => self.head(bytes, found),
                State::Body(left) => {
                    let rest = self.body(left, bytes, State::Body, State::Head, found);
                    if self.state == State::Head {
                        found(Part::End);
                    }
                    rest
                }
                State::ChunkData(left) => self.body(left, bytes, State::ChunkData, State::ChunkEnd, found),
                State::ChunkSize | State::ChunkEnd | State::Trailer => self.line(bytes, found),
                State::UntilClose => {
                    found(Part::Body(bytes));
                    &[]
                }
                State::Seeking => self.seek(bytes),
            };
        }
    }

    /// Bytes are missing, so many if that is known.
    pub(super) fn gap(&mut self, length: Option<u64>, found: &mut dyn FnMut(Part<'_>)) {
        match (self.state, length) {
            (State::Body(left), Some(length)) if length < left => {
                found(Part::Missing(length));
                self.state = State::Body(left - length);
            }
            (State::ChunkData(left), Some(length)) if length < left => {
                found(Part::Missing(length));
                self.state = State::ChunkData(left - length);
            }
            (State::Body(left), Some(length)) if length == left => {
                found(Part::Missing(length));
                self.state = State::Head;
                found(Part::End);
            }
            (State::UntilClose, Some(length)) => found(Part::Missing(length)),
            _ => self.lose(found),
        }
    }

    /// The connection ends.
    pub(super) fn finish(&mut self, found: &mut dyn FnMut(Part<'_>)) {
        match self.state {
            State::UntilClose => found(Part::End),
            State::Head | State::Seeking if self.partial.is_empty() => {}
            State::Seeking => {}
            _ => found(Part::Lost),
        }
    }

    fn head<'a>(&mut self, bytes: &'a [u8], found: &mut dyn FnMut(Part<'_>)) -> &'a [u8] {
        let before = self.partial.len();
        self.partial.extend_from_slice(&bytes[..bytes.len().min(MOST_HEAD)]);
        // an empty line before a request is to be ignored
        let empty = self.partial.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let parsed = parse(self.kind, &self.partial[empty..]);
        match parsed {
            Ok(Some((head, length))) => {
                let used = empty + length - before.min(empty + length);
                self.partial.clear();
                self.state = after(self.kind, &head);
                let has_ended = self.state == State::Head;
                found(Part::Head(head));
                if has_ended {
                    found(Part::End);
                }
                &bytes[used.min(bytes.len())..]
            }
            Ok(None) if self.partial.len() < MOST_HEAD => &[],
            // what is at hand may hold the next head
            Ok(None) | Err(NotHttp) => {
                self.lose(found);
                if before == 0 { bytes.get(1..).unwrap_or_default() } else { bytes }
            }
        }
    }

    fn body<'a>(
        &mut self,
        left: u64,
        bytes: &'a [u8],
        more: fn(u64) -> State,
        then: State,
        found: &mut dyn FnMut(Part<'_>),
    ) -> &'a [u8] {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let (body, rest) = bytes.split_at(count);
        if !body.is_empty() {
            found(Part::Body(body));
        }
        let left = left - count as u64;
        self.state = if left == 0 { then } else { more(left) };
        rest
    }

    /// Reads a line of a chunked body.
    fn line<'a>(&mut self, bytes: &'a [u8], found: &mut dyn FnMut(Part<'_>)) -> &'a [u8] {
        let end = memchr::memchr(b'\n', bytes);
        let used = end.map_or(bytes.len(), |end| end + 1);
        self.partial.extend_from_slice(&bytes[..used.min(MOST_LINE)]);
        if self.partial.len() > MOST_LINE {
            self.lose(found);
            return bytes;
        }
        if end.is_none() {
            return &[];
        }
        let line = std::mem::take(&mut self.partial);
        let line = line.trim_ascii();
        match (self.state, line.is_empty()) {
            (State::ChunkSize, _) => match chunk_size(line) {
                Some(0) => self.state = State::Trailer,
                Some(size) => self.state = State::ChunkData(size),
                None => self.lose(found),
            },
            (State::ChunkEnd, true) => self.state = State::ChunkSize,
            (State::Trailer, true) => {
                self.state = State::Head;
                found(Part::End);
            }
            (State::Trailer, false) => {}
            _ => self.lose(found),
        }
        &bytes[used..]
    }

    /// Looks for the beginning of a head.
    fn seek<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let start: &[u8] = match self.kind {
            Kind::Requests => b"POST ",
            Kind::Answers => b"HTTP/1.",
        };
        let before = self.partial.len();
        self.partial.extend_from_slice(bytes);
        match memchr::memmem::find(&self.partial, start) {
            Some(at) => {
                // a part of the start may be kept from before
                let kept = self.partial[at.min(before)..before].to_vec();
                self.partial = kept;
                self.state = State::Head;
                &bytes[at.saturating_sub(before)..]
            }
            None => {
                let end = self.partial.len().saturating_sub(start.len() - 1);
                self.partial.drain(..end);
                &[]
            }
        }
    }

    fn lose(&mut self, found: &mut dyn FnMut(Part<'_>)) {
        self.partial.clear();
        if self.state != State::Seeking {
            self.state = State::Seeking;
            found(Part::Lost);
        }
    }
}

/// Returns what follows a head.
fn after(kind: Kind, head: &Head) -> State {
    match (head.is_chunked, head.length) {
        _ if head.has_no_body => State::Head,
        (true, _) => State::ChunkSize,
        (false, Some(0)) => State::Head,
        (false, Some(length)) => State::Body(length),
        (false, None) if kind == Kind::Requests => State::Head,
        (false, None) => State::UntilClose,
    }
}

#[derive(Debug)]
struct NotHttp;

/// Reads a head and returns it with its length; `None` if there is more to come.
fn parse(kind: Kind, bytes: &[u8]) -> Result<Option<(Head, usize)>, NotHttp> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = Head::default();
    let status = match kind {
        Kind::Requests => {
            let mut request = httparse::Request::new(&mut headers);
            let status = request.parse(bytes).map_err(|_| NotHttp)?;
            head.target = request.path.unwrap_or_default().into();
            for header in request.headers.iter() {
                head.learn(header);
            }
            status
        }
        Kind::Answers => {
            let mut answer = httparse::Response::new(&mut headers);
            let status = answer.parse(bytes).map_err(|_| NotHttp)?;
            head.status = answer.code.unwrap_or_default();
            head.has_no_body = matches!(head.status, 100..=199 | 204 | 304);
            for header in answer.headers.iter() {
                head.learn(header);
            }
            status
        }
    };
    Ok(match status {
        httparse::Status::Complete(length) => Some((head, length)),
        httparse::Status::Partial => None,
    })
}

impl Head {
    fn learn(&mut self, header: &httparse::Header<'_>) {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            self.length = std::str::from_utf8(header.value).ok().and_then(|value| value.trim().parse().ok());
        } else if is("transfer-encoding") {
            self.is_chunked = header.value.to_ascii_lowercase().ends_with(b"chunked");
        } else if is("host") {
            self.host = header.value.to_vec();
        } else if is("x-msn-host") {
            self.gateway = Some(header.value.to_vec());
        } else if is("x-msn-messenger") {
            let value = |key: &str| value(header.value, b';', key).map(<[u8]>::to_vec);
            self.session = value("SessionID").filter(|id| !id.is_empty());
            self.gateway = self.gateway.take().or_else(|| value("GW-IP"));
            self.closes = value("Session").is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
        }
    }
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|&byte| byte == b';').next()?.trim_ascii();
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u64::from_str_radix(digits, 16).ok()
}

/// Longest head, in bytes.
const MOST_HEAD: usize = 64 << 10;
/// Most headers of a head.
const MOST_HEADERS: usize = 100;
/// Longest line of a chunked body that is no body.
const MOST_LINE: usize = 4096;
