//! Memberships in lists, as `ADL`, `RML` and `FQY` carry them from MSNP13 on.
//!
//! ```text
//! <ml l="1"><d n="example.com"><c n="bob" l="3" t="1" f="Bob"/></d><t><c n="tel:+15550100" l="1"/></t></ml>
//! <ml l="1"><d n="example.com"><c n="bob" t="1"><s n="IM" l="3"/></c></d></ml>     MSNP21
//! ```

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::payload::xml;

/// One address and what is said of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Member {
    /// The address, `bob@example.com` or `tel:+15550100`, as written.
    pub address: String,
    /// `l`, the lists: 1 forward, 2 allow, 4 block, 8 reverse, 16 pending. In MSNP21 those of all services together.
    pub lists: Option<u8>,
    /// `t`, the network: 1 Live, 32 Yahoo, and others.
    pub network_id: Option<u32>,
    /// `f`, the friendly name.
    pub name: Option<String>,
}

/// Returns the members in order; of a document that is broken, those before that place.
pub fn members(payload: &[u8]) -> Vec<Member> {
    let mut members = Vec::new();
    let Ok(text) = std::str::from_utf8(payload) else { return members };
    let mut reader = Reader::from_str(text);
    let mut domain = None;
    let mut open: Option<Member> = None;
    loop {
        let (element, is_empty) = match reader.read_event() {
            Ok(Event::Start(element)) => (element, false),
            Ok(Event::Empty(element)) => (element, true),
            Ok(Event::End(element)) => {
                match element.name().as_ref() {
                    "c" => members.extend(open.take()),
                    "d" => domain = None,
                    _ => {}
                }
                continue;
            }
            Ok(Event::Eof) | Err(_) => return members,
            Ok(_) => continue,
        };
        match element.name().as_ref() {
            "d" if !is_empty => domain = attribute(&element, "n"),
            "c" => {
                let member = member(&element, domain.as_deref());
                if is_empty {
                    members.extend(member);
                } else {
                    open = member;
                }
            }
            "s" => {
                if let (Some(member), Some(lists)) = (&mut open, number::<u8>(&element, "l")) {
                    member.lists = Some(member.lists.unwrap_or(0) | lists);
                }
            }
            _ => {}
        }
    }
}

fn member(element: &BytesStart<'_>, domain: Option<&str>) -> Option<Member> {
    let local = attribute(element, "n")?;
    Some(Member {
        address: match domain {
            Some(domain) => format!("{local}@{domain}"),
            None => local,
        },
        lists: number(element, "l"),
        network_id: number(element, "t"),
        name: attribute(element, "f"),
    })
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = element.attributes();
    let found = attributes.with_checks(false).flatten().find(|attribute| attribute.key.as_ref() == name)?;
    Some(xml::unescape(&found.value).into_owned())
}

fn number<T: std::str::FromStr>(element: &BytesStart<'_>, name: &str) -> Option<T> {
    attribute(element, name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(payload: &str) -> Vec<(String, Option<u8>, Option<u32>)> {
        members(payload.as_bytes())
            .into_iter()
            .map(|member| (member.address, member.lists, member.network_id))
            .collect()
    }

    #[test]
    fn addresses_are_put_together() {
        let payload = concat!(
            r#"<ml l="1"><d n="example.com"><c n="bob" l="3" t="1"/><c n="carol" l="2" t="32" f="C &amp; A"/></d>"#,
            r#"<t><c n="tel:+15550100" l="1"/></t></ml>"#
        );
        assert_eq!(
            found(payload),
            [
                ("bob@example.com".to_owned(), Some(3), Some(1)),
                ("carol@example.com".to_owned(), Some(2), Some(32)),
                ("tel:+15550100".to_owned(), Some(1), None),
            ]
        );
        assert_eq!(members(payload.as_bytes())[1].name.as_deref(), Some("C & A"));
    }

    #[test]
    fn the_lists_of_all_services_count_together() {
        let payload = r#"<ml><d n="example.com"><c n="bob" t="1"><s n="IM" l="3"/><s n="PE" l="4"/></c></d></ml>"#;
        assert_eq!(found(payload), [("bob@example.com".to_owned(), Some(7), Some(1))]);
    }

    #[test]
    fn a_broken_document_gives_what_comes_before() {
        let payload = r#"<ml><d n="example.com"><c n="bob"/><c n="carol""#;
        assert_eq!(found(payload), [("bob@example.com".to_owned(), None, None)]);
        assert_eq!(found("not XML"), []);
        assert_eq!(found(r#"<d n="x"/><c n="tel:1" l="999"/>"#), [("tel:1".to_owned(), None, None)]);
    }
}
