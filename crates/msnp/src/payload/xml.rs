//! XML payloads for people: `UBX`, `UUX`, `ADL`, `NOT`, `GCF` and others.

use std::borrow::Cow;

use quick_xml::escape;
use quick_xml::events::Event;
use quick_xml::{Reader, Writer};

/// Returns the document with one element a line, indented by two spaces; `None` if it is not well-formed XML, or nested so
/// deeply that the indentation would be most of it.
pub fn pretty(payload: &[u8]) -> Option<String> {
    let document = payload.strip_suffix(b"\0").unwrap_or(payload);
    let text = std::str::from_utf8(document).ok()?;
    let mut reader = Reader::from_str(text);
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    let mut depth = 0usize;
    let mut elements = 0usize;
    loop {
        match reader.read_event().ok()? {
            Event::Eof if depth == 0 && elements > 0 => break,
            Event::Eof => return None,
            Event::Text(text) if text.trim_ascii().is_empty() => {}
            event => {
                match &event {
                    Event::Start(_) => {
                        depth += 1;
                        elements += 1;
                        (depth <= DEEPEST).then_some(())?;
                    }
                    Event::End(_) => depth = depth.checked_sub(1)?,
                    Event::Empty(_) => elements += 1,
                    _ => {}
                }
                writer.write_event(event).ok()?;
            }
        }
    }
    String::from_utf8(writer.into_inner()).ok()
}

/// Elements may stand in so many others; no document of MSNP comes near.
const DEEPEST: usize = 64;

/// Returns the text inside the first element called `name`, as it stands in the document (entities not resolved).
pub fn text_of<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    let mut reader = Reader::from_str(document);
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) if element.name().as_ref() == name => {
                let start = reader.buffer_position() as usize;
                let end = element.to_end().into_owned();
                reader.read_to_end(end.name()).ok()?;
                let whole = document.get(start..reader.buffer_position() as usize)?;
                return whole.get(..whole.rfind("</")?);
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

/// Returns text with its entities resolved, or as it stands if one of them is unknown.
pub fn unescape(text: &str) -> Cow<'_, str> {
    escape::unescape(text).unwrap_or(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_indented() {
        let pretty = pretty(b"<Data><PSM>gone &amp; fishing</PSM><CurrentMedia/></Data>").unwrap();
        assert_eq!(pretty, "<Data>\n  <PSM>gone &amp; fishing</PSM>\n  <CurrentMedia/>\n</Data>");
    }

    #[test]
    fn what_is_not_xml_has_no_pretty_form() {
        for bad in [&b"<Data>"[..], b"hello", b"", b"<a></b>", b"\xff", b"</a>"] {
            assert_eq!(pretty(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_document_that_only_nests_is_not_blown_up() {
        let nested = |depth: usize| ["<a>".repeat(depth), "</a>".repeat(depth)].concat();
        assert!(pretty(nested(64).as_bytes()).is_some());
        assert_eq!(pretty(nested(100_000).as_bytes()), None);
    }

    #[test]
    fn the_text_of_an_element_is_found() {
        let document = "<Data><PSM>na\u{ef}ve</PSM><CurrentMedia></CurrentMedia></Data>";
        assert_eq!(text_of(document, "PSM"), Some("na\u{ef}ve"));
        assert_eq!(text_of(document, "CurrentMedia"), Some(""));
        assert_eq!(text_of(document, "Nothing"), None);
    }

    #[test]
    fn known_entities_are_resolved() {
        assert_eq!(unescape("a &amp; b &#233;"), "a & b \u{e9}");
        assert_eq!(unescape("a & b &nothing;"), "a & b &nothing;");
    }
}
