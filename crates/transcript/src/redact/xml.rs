//! Documents: attributes and texts get what the table says of their element; every other byte stays.

use super::classes::class;
use super::kind::{Kind, Policy};
use super::names::Mode;
use super::net::entities;
use super::pen::Pen;
use super::pseudonym;
use super::table::{self, Place};

/// Redacts a document; `None` if the text is none. Broken documents lose what is broken.
pub(super) fn redact(pen: &mut Pen<'_>, text: &str) -> Option<String> {
    let start = text.trim_start_matches(['\u{feff}', '\r', '\n', ' ', '\t']);
    if !start.starts_with('<') || pen.depth >= DEEPEST {
        return None;
    }
    pen.depth += 1;
    let mut document = Document { pen, out: String::with_capacity(text.len()), open: Vec::new(), domain: None };
    document.read(text);
    let out = document.out;
    pen.depth -= 1;
    Some(out)
}

struct Document<'p, 'a> {
    pen: &'p mut Pen<'a>,
    out: String,
    open: Vec<String>,
    /// The domain that stands around contacts.
    domain: Option<String>,
}

impl Document<'_, '_> {
    fn read(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find('<') {
            self.text(&rest[..at]);
            rest = &rest[at..];
            let Some(end) = tag_end(rest) else {
                // a tag that does not end: nothing can be told of it
                self.out.push_str(&class(rest));
                return;
            };
            self.tag(&rest[..end]);
            rest = &rest[end..];
        }
        self.text(rest);
    }

    fn tag(&mut self, tag: &str) {
        if let Some(inner) = tag.strip_prefix("<![CDATA[").and_then(|tag| tag.strip_suffix("]]>")) {
            let new = self.content(inner);
            self.out.push_str(&format!("<![CDATA[{new}]]>"));
        } else if tag.starts_with("<?") || tag.starts_with("<!") {
            let new = if tag.starts_with("<?xml ") { self.pen.keep(tag) } else { class(tag) };
            self.out.push_str(&new);
        } else if let Some(name) = tag.strip_prefix("</") {
            let name = name.trim_end_matches('>').trim();
            if name.eq_ignore_ascii_case("d") {
                self.domain = None;
            }
            if self.open.last().is_some_and(|open| open == name) {
                self.open.pop();
            }
            self.out.push_str(&self.pen.keep(tag));
        } else {
            self.start(tag);
        }
    }

    fn start(&mut self, tag: &str) {
        let inner = &tag[1..tag.len() - 1];
        let length = inner.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(inner.len());
        let (name, mut rest) = inner.split_at(length);
        self.out.push('<');
        self.out.push_str(&self.pen.keep(name));
        let element = local_name(name);
        if element == "c" {
            self.pen.person = None;
        }
        while let Some(equals) = rest.find('=') {
            let (key, after) = (&rest[..equals], &rest[equals + 1..]);
            let value = after.trim_start();
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
            let Some((quote, length)) = quote.and_then(|quote| Some((quote, value[1..].find(quote)?))) else { break };
            let raw = &value[1..1 + length];
            let is_plain = key.trim().chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.'));
            let new = self.attribute(element, key.trim(), raw);
            self.out.push_str(&if is_plain { self.pen.keep(key) } else { class(key) });
            self.out.push('=');
            self.out.push_str(&after[..after.len() - value.len()]);
            self.out.push(quote);
            self.out.push_str(&new);
            self.out.push(quote);
            rest = &value[length + 2..];
        }
        let is_empty = inner.ends_with('/');
        self.out.push_str(&class(rest));
        self.out.push('>');
        if !is_empty && self.open.len() < MOST_OPEN {
            self.open.push(name.to_owned());
        }
    }

    fn attribute(&mut self, element: &str, name: &str, raw: &str) -> String {
        let value = decoded(raw);
        let new = if name == "xmlns" || name.starts_with("xmlns:") || name.starts_with("xml:") {
            self.pen.keep(&value)
        } else {
            match table::document(Place::Attribute(element, name)) {
                // the name of an object is base64 of UTF-16
                Some(row) if row.kind == Kind::Mixed => self.pen.wide_name(&value),
                Some(row) => self.mapped(row.kind, row.policy, &value),
                None => self.pen.undocumented(&value),
            }
        };
        encoded(raw, &value, &new)
    }

    fn text(&mut self, raw: &str) {
        if raw.trim_matches(['\r', '\n', ' ', '\t', '\0']).is_empty() {
            self.out.push_str(raw);
            return;
        }
        let value = decoded(raw);
        let new = self.content(&value);
        self.out.push_str(&encoded(raw, &value, &new));
    }

    fn content(&mut self, value: &str) -> String {
        let element = self.open.last().cloned().unwrap_or_default();
        match table::document(Place::Element(local_name(&element))) {
            // services have ids where people have them
            Some(row) if row.kind == Kind::Mixed && is_enumeration(value) => value.to_owned(),
            Some(row) if row.kind == Kind::Mixed => self.mapped(Kind::Address, row.policy, value),
            Some(row) => self.mapped(row.kind, row.policy, value),
            // documents lie within documents
            None => redact(self.pen, value).unwrap_or_else(|| self.pen.undocumented(value)),
        }
    }

    fn mapped(&mut self, kind: Kind, policy: Policy, value: &str) -> String {
        match (kind, policy) {
            (Kind::Domain, Policy::Map) => {
                self.domain = Some(value.to_owned());
                self.pen.names.domain(value)
            }
            (Kind::Address, Policy::Map) => match self.domain.clone() {
                Some(domain) if !value.contains('@') && !value.contains(':') => self.local(value, &domain),
                _ => self.pen.value(kind, policy, value),
            },
            // ids of messages, of mails: GUIDs or counts
            (Kind::Guid, Policy::Map) if value.len() <= 5 && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                value.to_owned()
            }
            (Kind::Name, Policy::Map) if value.contains("=?") => super::mime::encoded_word(self.pen, value),
            (Kind::Object, _) => redact(self.pen, value).unwrap_or_else(|| self.pen.undocumented(value)),
            _ => self.pen.value(kind, policy, value),
        }
    }

    fn local(&mut self, local: &str, domain: &str) -> String {
        let address = self.pen.value(Kind::Address, Policy::Map, &format!("{local}@{domain}"));
        self.pen.names.audit_part(local);
        match (self.pen.names.mode(), address.rsplit_once('@')) {
            (Mode::Write, Some((local, _))) => local.to_owned(),
            _ => local.to_owned(),
        }
    }
}

/// Returns where the tag ends that `text` starts with.
fn tag_end(text: &str) -> Option<usize> {
    for (start, end) in [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")] {
        if text.starts_with(start) {
            return text.find(end).map(|at| at + end.len());
        }
    }
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') if !text.starts_with("</") => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '>') => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn decoded(raw: &str) -> String {
    entities(raw.as_bytes()).map_or_else(|| raw.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes a value as it was written before, if it is the same; escaped as the original was where it matters, if not.
fn encoded(raw: &str, value: &str, new: &str) -> String {
    if value == new {
        return raw.to_owned();
    }
    let mut out = String::with_capacity(new.len());
    let at = ["&#x40;", "&#64;"].into_iter().find(|at| raw.contains(at));
    for c in new.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' if raw.contains("&apos;") || raw.contains("&#39;") => out.push_str("&apos;"),
            '@' => out.push_str(at.unwrap_or("@")),
            c => out.push(c),
        }
    }
    out
}

/// `IM`, `PE`, `PD`: services, where ids of people stand too.
fn is_enumeration(value: &str) -> bool {
    value.len() <= 4 && value.bytes().all(|byte| byte.is_ascii_uppercase()) && !pseudonym::is_guid(value)
}

fn local_name(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// How deep documents may lie within documents.
const DEEPEST: usize = 4;
const MOST_OPEN: usize = 256;
