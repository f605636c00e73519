//! HTTP/1.1 messages, as much of it as logins need: a head, and a body of a known length. For the server and the client.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest head, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Longest body, in bytes.
const MAX_BODY_BYTES: usize = 256 * 1024;
/// Most header lines.
const MAX_HEADERS: usize = 64;

/// Who reads a message: a server reads requests, a client responses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Server,
    Client,
}

/// A request or a response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The method and the target of a request, empty in a response.
    method: String,
    target: String,
    /// The status of a response, 0 in a request.
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Why a message cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum MessageError {
    /// The connection broke or ended.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What came is no HTTP.
    #[error("not an HTTP/1 message")]
    Malformed,
    /// The body's length is not told by `Content-Length`.
    #[error("a body of unknown length")]
    UnknownLength,
    /// The head or the body is too large.
    #[error("a message of more than {limit} bytes")]
    TooLarge {
        /// The most that is accepted.
        limit: usize,
    },
}

impl Message {
    /// Reads one message.
    pub(crate) async fn read<S>(stream: &mut S, side: Side) -> Result<Message, MessageError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut buffer = Vec::new();
        let mut continued = false;
        loop {
            if let Some(message) = Message::parse(&buffer, side)? {
                return Ok(message);
            }
            if side == Side::Server && !continued && expects_continue(&buffer) {
                continued = true;
                stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }

    /// Returns the message that `buffer` starts with, or `None` if it is not whole yet.
    pub(crate) fn parse(buffer: &[u8], side: Side) -> Result<Option<Message>, MessageError> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut message =
            Message { method: String::new(), target: String::new(), status: 0, headers: Vec::new(), body: Vec::new() };
        let head = match side {
            Side::Server => {
                let mut request = httparse::Request::new(&mut headers);
                let head = request.parse(buffer).map_err(|_| MessageError::Malformed)?;
                message.method = request.method.unwrap_or_default().into();
                message.target = request.path.unwrap_or_default().into();
                head
            }
            Side::Client => {
                let mut response = httparse::Response::new(&mut headers);
                let head = response.parse(buffer).map_err(|_| MessageError::Malformed)?;
                message.status = response.code.unwrap_or_default();
                head
            }
        };
        let httparse::Status::Complete(head) = head else {
            return if buffer.len() > MAX_HEAD_BYTES {
                Err(MessageError::TooLarge { limit: MAX_HEAD_BYTES })
            } else {
                Ok(None)
            };
        };
        message.headers = headers
            .iter()
            .take_while(|header| !header.name.is_empty())
            .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).trim().to_owned()))
            .collect();
        let length = message.body_length()?;
        let Some(body) = buffer.get(head..head + length) else { return Ok(None) };
        message.body = body.to_vec();
        Ok(Some(message))
    }

    /// Returns the value of the first header called `name`, whatever its case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(&header.1)
    }

    fn body_length(&self) -> Result<usize, MessageError> {
        if self.header("Transfer-Encoding").is_some() {
            return Err(MessageError::UnknownLength);
        }
        let Some(length) = self.header("Content-Length") else { return Ok(0) };
        match length.parse() {
            Ok(length) if length <= MAX_BODY_BYTES => Ok(length),
            Ok(_) => Err(MessageError::TooLarge { limit: MAX_BODY_BYTES }),
            Err(_) => Err(MessageError::UnknownLength),
        }
    }
}

fn expects_continue(head: &[u8]) -> bool {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    request.parse(head).is_ok_and(|status| status.is_complete())
        && request.headers.iter().any(|header| {
            header.name.eq_ignore_ascii_case("Expect") && header.value.eq_ignore_ascii_case(b"100-continue")
        })
}

/// A message that is a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    target: &'a str,
}

impl<'a> Request<'a> {
    /// Returns the request, if the message has a target.
    pub(crate) fn of(message: &'a Message) -> Option<Request<'a>> {
        (!message.target.is_empty()).then_some(Request { method: &message.method, target: &message.target })
    }

    /// Returns the path without the query; also for targets that are whole URLs, as clients send them to a proxy.
    pub(crate) fn path(&self) -> &'a str {
        let target = match self.target.strip_prefix("http://") {
            Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
            None => self.target,
        };
        target.split('?').next().unwrap_or(target)
    }
}

/// What a server answers. Header names are written in the case given: old clients look for exactly that.
#[derive(Debug)]
pub(crate) struct Response {
    head: String,
    body: String,
}

impl Response {
    /// Returns a response without headers and body.
    pub(crate) fn status(code: u16, reason: &str) -> Response {
        Response { head: format!("HTTP/1.1 {code} {reason}\r\n"), body: String::new() }
    }

    /// Returns the response with one more header. The value has no line end.
    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Response {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Returns the response with a body.
    pub(crate) fn with_body(mut self, body: String) -> Response {
        self.body = body;
        self
    }

    /// Returns the response in wire form. It is the last on its connection.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        let Response { head, body } = self;
        format!("{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_when_its_body_is() {
        let request = b"POST /RST.srf?x=1 HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello";
        for end in 0..request.len() {
            assert_eq!(Message::parse(&request[..end], Side::Server).unwrap(), None, "{end}");
        }
        let message = Message::parse(request, Side::Server).unwrap().unwrap();
        assert_eq!(Request::of(&message).unwrap().path(), "/RST.srf");
        assert_eq!((message.body.as_slice(), message.header("Content-Length")), (&b"hello"[..], Some("5")));
    }

    #[test]
    fn what_is_no_http_or_too_large_is_an_error() {
        for (bytes, error) in [
            ("VER 1 MSNP8 CVR0\r\n\r\n".to_owned(), "not an HTTP/1 message"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".into(), "a body of unknown length"),
            ("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n".into(), "a body of unknown length"),
            ("POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n".into(), "a message of more than 262144 bytes"),
            (format!("GET /{} HTTP/1.1\r\n", "x".repeat(20_000)), "a message of more than 16384 bytes"),
        ] {
            assert_eq!(Message::parse(bytes.as_bytes(), Side::Server).unwrap_err().to_string(), error);
        }
    }
}
