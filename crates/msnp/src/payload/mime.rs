//! Header blocks: `Name: value` lines up to an empty one, as in `MSG`, `UBM` and `UUM`.

use std::ops::Range;

/// The header block that a payload starts with. Names compare without regard to case; every byte stays where it is.
///
/// ```text
/// MIME-Version: 1.0\r\n
/// Content-Type: text/plain; charset=UTF-8\r\n
/// \r\n
/// Hello
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Headers<'a> {
    payload: &'a [u8],
    /// Length of the header lines, the empty line not included.
    lines: usize,
    /// Where the body starts.
    body: usize,
}

/// One header line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeaderLine<'a> {
    raw: &'a [u8],
    colon: usize,
}

impl<'a> Headers<'a> {
    /// Reads the header block at the start of `payload`. It ends at the first empty line, or before the first line that
    /// is no header (a payload may have none at all).
    pub fn parse(payload: &'a [u8]) -> Headers<'a> {
        let mut at = 0;
        loop {
            let rest = &payload[at..];
            let length = match rest {
                [b'\n', ..] => 1,
                [b'\r', b'\n', ..] => 2,
                [b'\r'] => 1,
                [] => 0,
                _ => {
                    // a name holds no line end
                    let name = rest.iter().position(|&byte| !IS_NAME[usize::from(byte)]).unwrap_or(rest.len());
                    let length = name + memchr::memchr(b'\n', &rest[name..]).map_or(rest.len() - name, |end| end + 1);
                    let line = HeaderLine { raw: &rest[..length], colon: 0 };
                    if !is_header(line.content(), name) {
                        return Headers { payload, lines: at, body: at };
                    }
                    at += length;
                    continue;
                }
            };
            let body = if at == 0 { 0 } else { at + length };
            return Headers { payload, lines: at, body };
        }
    }

    /// Returns the value of the first header called `name`, without the space around it.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.range(name).map(|range| &self.payload[range])
    }

    /// Returns where the value of the first header called `name` lies in the payload.
    pub fn range(&self, name: &str) -> Option<Range<usize>> {
        let mut at = 0;
        for line in self.lines() {
            if line.name().eq_ignore_ascii_case(name.as_bytes()) {
                let start = at + line.value_start();
                return Some(start..start + line.value().len());
            }
            at += line.raw.len();
        }
        None
    }

    /// Returns the header lines in order, with their line ends.
    pub fn lines(&self) -> impl Iterator<Item = HeaderLine<'a>> + use<'a> {
        self.payload[..self.lines]
            .split_inclusive(|&byte| byte == b'\n')
            .map(|raw| HeaderLine { raw, colon: memchr::memchr(b':', raw).unwrap_or(raw.len()) })
    }

    /// Returns the `Content-Type` without its parameters.
    pub fn content_type(&self) -> Option<&'a [u8]> {
        let value = self.get("Content-Type")?;
        Some(value.split(|&byte| byte == b';').next().unwrap_or(value).trim_ascii())
    }

    /// Whether the `Content-Type` is `expected`, whatever its case and parameters.
    pub fn is(&self, expected: &str) -> bool {
        self.content_type().is_some_and(|found| found.eq_ignore_ascii_case(expected.as_bytes()))
    }

    /// Whether there is no header at all.
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// Returns where the body starts in the payload; 0 if there are no headers.
    pub fn body_start(&self) -> usize {
        self.body
    }

    /// Returns where a further header line would go.
    pub fn end_of_lines(&self) -> usize {
        self.lines
    }

    /// Returns the empty line between the header lines and the body, as it stands; no bytes if there is none.
    pub fn gap(&self) -> &'a [u8] {
        self.payload.get(self.lines..self.body).unwrap_or_default()
    }

    /// Returns the bytes after the empty line.
    pub fn body(&self) -> &'a [u8] {
        &self.payload[self.body..]
    }

    /// Returns the second block of headers, which some types have for a body: notifications, invitations, datacasts and
    /// system messages.
    pub fn second_level(&self) -> Option<Headers<'a>> {
        let kind = self.content_type()?.to_ascii_lowercase();
        let two_levels = kind.starts_with(b"text/x-msmsgs") && kind.ends_with(b"notification")
            || [&b"text/x-msmsgsinvite"[..], b"text/x-msnmsgr-datacast", b"application/x-msmsgssystemmessage"]
                .contains(&&kind[..])
            || kind == b"text/x-clientcaps";
        two_levels.then(|| Headers::parse(self.body()))
    }
}

impl<'a> HeaderLine<'a> {
    /// Returns the line with its end.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Returns the name.
    pub fn name(&self) -> &'a [u8] {
        self.raw[..self.colon].trim_ascii()
    }

    /// Returns the value without the space around it.
    pub fn value(&self) -> &'a [u8] {
        let start = self.value_start();
        self.content().get(start..).unwrap_or_default().trim_ascii_end()
    }

    fn value_start(&self) -> usize {
        let content = self.content();
        let after = content.get(self.colon + 1..).unwrap_or_default();
        content.len() - after.trim_ascii_start().len()
    }

    fn content(&self) -> &'a [u8] {
        let line = self.raw.strip_suffix(b"\n").unwrap_or(self.raw);
        line.strip_suffix(b"\r").unwrap_or(line)
    }
}

/// Whether a line reads `Name: value`, with a name of printable ASCII without spaces that is so long.
fn is_header(line: &[u8], name: usize) -> bool {
    // space may stand before the colon
    let rest = line.get(name..).unwrap_or_default();
    name > 0 && (rest.first() == Some(&b':') || rest.trim_ascii_start().first() == Some(&b':'))
}

/// The bytes that a name may hold.
const IS_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        table[byte as usize] = byte != b':';
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_case_and_values_without_space() {
        let headers = Headers::parse(b"MIME-Version: 1.0\r\ncontent-type:text/plain; charset=UTF-8 \r\n\r\nhi");
        assert_eq!(headers.get("Content-Type"), Some(&b"text/plain; charset=UTF-8"[..]));
        assert_eq!(headers.content_type(), Some(&b"text/plain"[..]));
        assert_eq!(headers.body(), b"hi");
        assert!(headers.is("TEXT/PLAIN"));
    }

    #[test]
    fn a_payload_may_have_no_headers_and_no_empty_line() {
        assert!(Headers::parse(b"\r\nbare body").is_empty());
        assert_eq!(Headers::parse(b"\r\nbare body").body(), b"\r\nbare body");
        assert_eq!(Headers::parse(b"").body(), b"");
        let headers = Headers::parse(b"A: b\r\nC:");
        assert_eq!((headers.get("c"), headers.body()), (Some(&b""[..]), &b""[..]));
        let headers = Headers::parse(b"A: b\r\n<xml/>");
        assert_eq!((headers.get("a"), headers.body()), (Some(&b"b"[..]), &b"<xml/>"[..]));
    }

    #[test]
    fn a_datacast_has_headers_for_a_body() {
        let headers = Headers::parse(b"Content-Type: text/x-msnmsgr-datacast\r\n\r\nID: 1\r\n\r\n");
        assert_eq!(headers.second_level().unwrap().get("ID"), Some(&b"1"[..]));
        let plain = Headers::parse(b"Content-Type: text/plain\r\n\r\nID: 1\r\n");
        assert_eq!(plain.second_level(), None);
    }

    proptest::proptest! {
        #[test]
        fn a_block_ends_where_the_definition_says(text in "[a:\r\n !é]{0,24}") {
            let mut at = 0;
            let mut body = None;
            for raw in text.as_bytes().split_inclusive(|&byte| byte == b'\n').chain([&b""[..]]) {
                let line = HeaderLine { raw, colon: 0 }.content();
                let colon = line.iter().position(|&byte| byte == b':');
                let is_header = colon.is_some_and(|colon| {
                    let name = line[..colon].trim_ascii_end();
                    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
                });
                if !is_header {
                    let skipped = if line.is_empty() && at > 0 { raw.len() } else { 0 };
                    body = Some(at + skipped);
                    break;
                }
                at += raw.len();
            }
            let headers = Headers::parse(text.as_bytes());
            proptest::prop_assert_eq!((headers.lines, headers.body), (at, body.unwrap_or(at)));
        }
    }
}
