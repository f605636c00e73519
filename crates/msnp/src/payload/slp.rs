//! MSNSLP: the invitations that P2P messages of session 0 carry, in the manner of SIP.

use crate::payload::mime::Headers;

/// One MSNSLP message.
///
/// ```text
/// INVITE MSNMSGR:bob@example.com MSNSLP/1.0\r\n
/// To: <msnmsgr:bob@example.com>\r\n
/// Content-Length: 97\r\n
/// \r\n
/// EUF-GUID: {A4268EEC-FEC5-49E5-95C3-F126696BDBF6}\r\n ...
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slp<'a> {
    start: &'a [u8],
    headers: Headers<'a>,
}

impl<'a> Slp<'a> {
    /// Reads a message; `None` if the first line is neither a request nor a status line of MSNSLP.
    pub fn parse(data: &'a [u8]) -> Option<Slp<'a>> {
        let end = memchr::memchr(b'\n', data)?;
        let start = data[..end].strip_suffix(b"\r").unwrap_or(&data[..end]);
        let is_slp = start.starts_with(b"MSNSLP/") || memchr::memmem::find(start, b" MSNSLP/").is_some();
        is_slp.then(|| Slp { start, headers: Headers::parse(&data[end + 1..]) })
    }

    /// Returns the first line: `INVITE MSNMSGR:... MSNSLP/1.0` or `MSNSLP/1.0 200 OK`.
    pub fn start_line(&self) -> &'a [u8] {
        self.start
    }

    /// Returns the method of a request: `INVITE`, `BYE`, `ACK`.
    pub fn method(&self) -> Option<&'a [u8]> {
        (!self.start.starts_with(b"MSNSLP/")).then(|| self.start.split(|&byte| byte == b' ').next())?
    }

    /// Returns the status code of an answer: 200, 603.
    pub fn status(&self) -> Option<u16> {
        let code = self.start.starts_with(b"MSNSLP/").then(|| self.start.split(|&byte| byte == b' ').nth(1))??;
        std::str::from_utf8(code).ok()?.parse().ok()
    }

    /// Returns the headers.
    pub fn headers(&self) -> Headers<'a> {
        self.headers
    }

    /// Returns the body, which is a block of headers too; usually closed by a NUL that `Content-Length` counts.
    pub fn body(&self) -> Headers<'a> {
        Headers::parse(self.headers.body())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_and_its_answer_are_read() {
        let invite =
            Slp::parse(b"INVITE MSNMSGR:bob@example.com MSNSLP/1.0\r\nCall-ID: {6}\r\n\r\nSessionID: 216498\r\n\r\n\0")
                .unwrap();
        assert_eq!(invite.method(), Some(&b"INVITE"[..]));
        assert_eq!(invite.headers().get("call-id"), Some(&b"{6}"[..]));
        assert_eq!(invite.body().get("SessionID"), Some(&b"216498"[..]));
        let declined = Slp::parse(b"MSNSLP/1.0 603 Decline\r\n\r\n").unwrap();
        assert_eq!((declined.method(), declined.status()), (None, Some(603)));
        assert_eq!(Slp::parse(b"hello\r\n"), None);
    }
}
