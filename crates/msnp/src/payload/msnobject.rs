//! MSNObjects: the description of a display picture, emoticon or wink.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::argument;

/// The attributes of one `<msnobj .../>`, in order, as they were written.
///
/// ```text
/// <msnobj Creator="bob@example.com" Size="10" Type="3" Location="TFR1.dat" Friendly="AAA=" SHA1D="..." SHA1C="..."/>
/// ```
///
/// `Type`: 2 emoticon, 3 display picture, 5 background, 7 dynamic picture, 8 wink, 11 voice clip. `SHA1D` is the hash
/// of the data, `SHA1C` of the other attributes; both base64.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MsnObject<'a> {
    xml: Cow<'a, [u8]>,
    attributes: Vec<(String, String)>,
}

impl<'a> MsnObject<'a> {
    /// Reads an object, percent-encoded as an argument carries it or plain; `None` for `0` (no object) and for what is
    /// not one.
    pub fn parse(argument: &'a [u8]) -> Option<MsnObject<'a>> {
        let xml = argument::decode(argument);
        let text = std::str::from_utf8(&xml).ok()?.trim_end_matches('\0');
        let mut reader = Reader::from_str(text);
        let (Event::Empty(element) | Event::Start(element)) = reader.read_event().ok()? else { return None };
        if !element.name().as_ref().eq_ignore_ascii_case("msnobj") {
            return None;
        }
        let mut attributes = Vec::new();
        for attribute in element.attributes().with_checks(false) {
            let attribute = attribute.ok()?;
            attributes.push((attribute.key.as_ref().to_owned(), attribute.value.into_owned()));
        }
        Some(MsnObject { xml, attributes })
    }

    /// Returns the value of an attribute, as written.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns the attributes in order.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Returns the element, decoded.
    pub fn xml(&self) -> &[u8] {
        &self.xml
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_object_is_read() {
        let argument = b"%3Cmsnobj%20Creator%3D%22bob%40example.com%22%20Size%3D%2210%22%20Type%3D%223%22%20Location%3D%22TFR1.dat%22%20Friendly%3D%22AAA%3D%22%20SHA1D%3D%22AAAA%22%20SHA1C%3D%22AAAA%22%2F%3E";
        let object = MsnObject::parse(argument).unwrap();
        assert_eq!(object.get("Creator"), Some("bob@example.com"));
        assert_eq!(object.get("type"), Some("3"));
        assert_eq!(object.attributes().count(), 7);
        assert_eq!(MsnObject::parse(b"0"), None);
    }
}
