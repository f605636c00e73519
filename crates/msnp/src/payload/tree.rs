//! XML payloads as trees, to compare one with another.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::payload::xml;

/// An element: its name, its attributes in order and its content. Entities are resolved.
///
/// ```text
/// <ml l="1"><d n="example.com"><c n="bob" l="3"/></d></ml>
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Element {
    /// The name, with its prefix if it has one.
    pub name: String,
    /// Names and values of the attributes.
    pub attributes: Vec<(String, String)>,
    /// The elements inside, in order.
    pub children: Vec<Element>,
    /// The text directly inside, without the space around it.
    pub text: String,
}

impl Element {
    /// Reads a document; a closing NUL is allowed. `None` if it is not one well-formed element, or nested deeper than
    /// [`DEEPEST`].
    pub fn parse(payload: &[u8]) -> Option<Element> {
        let document = payload.strip_suffix(b"\0").unwrap_or(payload);
        if document.trim_ascii_start().first() != Some(&b'<') {
            return None;
        }
        let mut reader = Reader::from_str(std::str::from_utf8(document).ok()?);
        // the first holds the document
        let mut open = vec![Element::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) if open.len() <= DEEPEST => open.push(Element::of(&start)?),
                Event::Start(_) => return None,
                Event::Empty(start) => open.last_mut()?.children.push(Element::of(&start)?),
                Event::End(_) => {
                    let mut closed = open.pop()?;
                    closed.text = closed.text.trim().to_owned();
                    open.last_mut()?.children.push(closed);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(&text),
                Event::CData(text) => open.last_mut()?.text.push_str(&text),
                Event::GeneralRef(entity) => {
                    let entity = format!("&{};", &*entity);
                    open.last_mut()?.text.push_str(&xml::unescape(&entity));
                }
                Event::Eof => break,
                _ => {}
            }
        }
        let mut document = open.pop().filter(|_| open.is_empty())?;
        let root = document.children.pop()?;
        (document.children.is_empty() && document.text.trim().is_empty()).then_some(root)
    }

    /// Returns the value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn of(start: &BytesStart<'_>) -> Option<Element> {
        let mut attributes = Vec::new();
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.ok()?;
            attributes.push((attribute.key.as_ref().to_owned(), xml::unescape(&attribute.value).into_owned()));
        }
        Some(Element { name: start.name().as_ref().to_owned(), attributes, ..Element::default() })
    }
}

/// How deep elements may be nested.
pub const DEEPEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_a_tree_without_its_layout() {
        let root = Element::parse(b"<Data>\r\n <PSM> a &amp; b </PSM>\r\n <x y='1' z=\"&lt;\"/></Data>\0").unwrap();
        assert_eq!((root.name.as_str(), root.text.as_str(), root.children.len()), ("Data", "", 2));
        assert_eq!(root.children[0].text, "a & b");
        assert_eq!(root.children[1].attribute("z"), Some("<"));
    }

    #[test]
    fn what_is_not_one_element_is_no_tree() {
        for bad in [&b"<Data>"[..], b"hello", b"", b"<a></b>", b"\xff", b"</a>", b"<a/><b/>", b"<a/>x"] {
            assert_eq!(Element::parse(bad), None, "{bad:?}");
        }
        let deep = |count: usize| "<a>".repeat(count) + &"</a>".repeat(count);
        assert!(Element::parse(deep(DEEPEST).as_bytes()).is_some());
        assert_eq!(Element::parse(deep(DEEPEST + 1).as_bytes()), None);
    }
}
