//! Contact lists as MSNP13 and later tell them, in documents: `ADL`, `RML`, `FQY`.
//!
//! ```text
//! <ml [l="1"]><d n="example.com"><c n="bob" l="3" t="1"/></d></ml>
//! ```
//!
//! The client keeps its contacts elsewhere (in the address book, by SOAP) and tells the server at each login who is on
//! its lists, so an entry that is there already is no error.

use msnp::argument;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, escape};

use super::Member;
use super::lists::{put, take};
use crate::code::{self, ErrorCode};
use crate::connection::Turn;
use crate::users::{List, Lists};

/// `ADL trid length` + document -> `ADL trid OK`
pub(super) fn adl(member: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let entries = match entries(turn.request.payload) {
        Err(code::XML_INVALID) => return refuse(turn),
        entries => entries?,
    };
    if entries.iter().any(|entry| !turn.world.users.contains_key(&entry.email)) {
        return Err(code::INVALID_USERNAME);
    }
    if entries.iter().any(|entry| !entry.is_acceptable()) {
        return refuse(turn);
    }
    for entry in entries {
        for list in entry.lists() {
            match put(member, turn.world, list, &entry.email, None) {
                Ok(()) | Err(code::ALREADY_ON_LIST) => {}
                Err(code) => return Err(code),
            }
        }
    }
    turn.reply("OK");
    Ok(())
}

/// `RML trid length` + document -> `RML trid OK`
pub(super) fn rml(member: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let entries = match entries(turn.request.payload) {
        Err(code::XML_INVALID) => return refuse(turn),
        entries => entries?,
    };
    if entries.iter().any(|entry| !entry.is_acceptable()) {
        return refuse(turn);
    }
    let user = turn.world.users.get(&member.email).ok_or(code::NOT_LOGGED_IN)?;
    if entries.iter().any(|entry| entry.lists().any(|list| !user.has(list, &entry.email))) {
        return Err(code::NOT_ON_LIST);
    }
    for entry in entries {
        for list in entry.lists() {
            take(member, turn.world, list, &entry.email)?;
        }
    }
    turn.reply("OK");
    Ok(())
}

/// `FQY trid length` + document -> `FQY trid length` + document with the network of each address (1)
pub(super) fn fqy(_: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let entries = match entries(turn.request.payload) {
        Err(code::XML_INVALID) => return refuse(turn),
        entries => entries?,
    };
    let known: Vec<&Entry> = entries.iter().filter(|entry| turn.world.users.contains_key(&entry.email)).collect();
    if known.is_empty() {
        return Err(code::INVALID_USERNAME);
    }
    let document = known.iter().map(|entry| element(&entry.email, r#" t="1""#)).collect::<String>();
    turn.output.payload(format_args!("FQY {}", turn.request.id), format!("<ml>{document}</ml>").as_bytes());
    Ok(())
}

/// Answers with the document that is not acceptable.
fn refuse(turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    turn.output.payload(format_args!("{} {}", code::XML_INVALID, turn.request.id), turn.request.payload);
    Ok(())
}

/// Returns the document that tells somebody who is on their reverse list now (with a name, in wire form) or no more.
pub(super) fn reverse_document(email: &str, name: Option<&str>) -> String {
    let name = name.map(|name| {
        let name = String::from_utf8_lossy(&argument::decode(name.as_bytes())).into_owned();
        format!(r#" f="{}""#, escape::escape(&name))
    });
    let attributes = format!(r#" t="1" l="8"{}"#, name.unwrap_or_default());
    format!("<ml>{}</ml>", element(email, &attributes))
}

fn element(email: &str, attributes: &str) -> String {
    let (local, domain) = email.split_once('@').unwrap_or((email, ""));
    format!(r#"<d n="{}"><c n="{}"{attributes}/></d>"#, escape::escape(domain), escape::escape(local))
}

/// One contact in a document.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    email: String,
    lists: u8,
}

impl Entry {
    fn is_acceptable(&self) -> bool {
        self.lists != 0 && self.lists & !OWN_LISTS == 0
    }

    fn lists(&self) -> impl Iterator<Item = List> + use<> {
        let lists = Lists(self.lists);
        List::TOLD.into_iter().filter(move |list| lists.contains(*list))
    }
}

/// Reads a document. Telephone numbers (`<t>`) are passed over.
fn entries(document: &[u8]) -> Result<Vec<Entry>, ErrorCode> {
    let text = std::str::from_utf8(document).map_err(|_| code::XML_INVALID)?;
    let mut reader = Reader::from_str(text);
    let mut domain: Option<String> = None;
    let mut is_open = false;
    let mut entries = Vec::new();
    loop {
        match reader.read_event().map_err(|_| code::XML_INVALID)? {
            Event::Start(element) if element.name().as_ref() == "ml" => is_open = true,
            Event::Start(element) if element.name().as_ref() == "d" => domain = attribute(&element, "n")?,
            Event::End(element) if element.name().as_ref() == "d" => domain = None,
            Event::End(element) if element.name().as_ref() == "ml" => is_open = false,
            Event::Start(element) | Event::Empty(element) if element.name().as_ref() == "c" => {
                if let Some(domain) = &domain {
                    let local = attribute(&element, "n")?.ok_or(code::XML_INVALID)?;
                    let lists = attribute(&element, "l")?.unwrap_or_else(|| "0".into());
                    let lists = lists.parse().map_err(|_| code::XML_INVALID)?;
                    entries.push(Entry { email: format!("{local}@{domain}").to_lowercase(), lists });
                }
            }
            Event::Eof if is_open => return Err(code::XML_INVALID),
            Event::Eof if entries.is_empty() => return Err(code::XML_EMPTY),
            Event::Eof => return Ok(entries),
            _ => {}
        }
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, ErrorCode> {
    let attribute = element.try_get_attribute(name).map_err(|_| code::XML_INVALID)?;
    let Some(attribute) = attribute else { return Ok(None) };
    escape::unescape(&attribute.value).map(|value| Some(value.into_owned())).map_err(|_| code::XML_INVALID)
}

/// The lists that a client may name: forward, allow, block.
const OWN_LISTS: u8 = List::Forward as u8 | List::Allow as u8 | List::Block as u8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_domain_by_domain() {
        let document =
            br#"<ml l="1"><d n="example.com"><c n="bob" l="3" t="1"/><c n="Carol" l="5" t="1"></c></d></ml>"#;
        let bob = Entry { email: "bob@example.com".into(), lists: 3 };
        let carol = Entry { email: "carol@example.com".into(), lists: 5 };
        assert_eq!(entries(document), Ok(vec![bob, carol]));
    }

    #[test]
    fn documents_without_anybody_and_without_sense_are_told_apart() {
        assert_eq!(entries(b"<ml></ml>"), Err(code::XML_EMPTY));
        assert_eq!(entries(br#"<ml><t><c n="tel:+15550100" l="3"/></t></ml>"#), Err(code::XML_EMPTY));
        for document in
            [&b"<ml><d"[..], b"<ml></d></ml>", b"\xff", br#"<ml><d n="a"><c n="b" l="x"/></d></ml>"#, b"<ml>"]
        {
            assert_eq!(entries(document), Err(code::XML_INVALID), "{}", String::from_utf8_lossy(document));
        }
    }

    #[test]
    fn a_reverse_list_is_told_with_the_name_unescaped_and_escaped_again() {
        assert_eq!(
            reverse_document("carol@example.com", Some("Carol%20%26%20Co")),
            r#"<ml><d n="example.com"><c n="carol" t="1" l="8" f="Carol &amp; Co"/></d></ml>"#
        );
    }
}
