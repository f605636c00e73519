//! A command as named fields: what two commands are compared by, and what tells whether they are alike.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use msnp::argument;

use super::accounts::AccountMap;
use super::align::Keys;
use super::atoms;
use super::side::{Content, Item};
use super::volatile::{self, Class, Kind};

mod arguments;
mod mime;
mod p2p;
mod payload;
mod xml;

/// Where a difference lies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Part {
    /// The verb: an answer of another kind.
    Verb,
    /// An argument, or the form of the line.
    Argument,
    /// A header of the payload.
    Header,
    /// A line of text.
    Text,
    /// An element or attribute of an XML document.
    Xml,
    /// A header of P2P.
    P2p,
    /// The payload as bytes.
    Payload,
    /// How the line ends.
    Line,
    /// The order of commands.
    Order,
}

/// A named value.
#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    pub(super) part: Part,
    pub(super) name: Cow<'static, str>,
    pub(super) value: Value<'a>,
}

/// A value, and how it is compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value<'a> {
    /// As text, but for what only stands for something.
    Plain(Cow<'a, [u8]>),
    /// By what it stands for.
    Id(Kind, Cow<'a, [u8]>),
    /// A list of such, separated by commas.
    Ids(Kind, Cow<'a, [u8]>),
    /// Not at all: only that it is there.
    Free(Cow<'a, [u8]>),
    /// Line by line.
    Text(Cow<'a, [u8]>),
    /// Byte by byte.
    Bytes(Cow<'a, [u8]>),
    /// As one thing whose parts follow as fields of their own, with names that start with this one's.
    Whole(Cow<'a, [u8]>),
    /// Not at all, since it is masked: it is equal to anything, and to nothing.
    Masked,
}

impl<'a> Value<'a> {
    /// Returns the value of a class.
    fn of(class: Option<Class>, bytes: Cow<'a, [u8]>) -> Value<'a> {
        match class {
            Some(Class::Board(kind) | Class::Entry(kind)) if kind != Kind::Group => Value::Id(kind, bytes),
            Some(Class::Board(_) | Class::Entry(_) | Class::GroupNumber) => Value::Ids(Kind::Group, bytes),
            Some(Class::Machine) => Value::Id(Kind::Guid, bytes),
            Some(
                Class::Transaction | Class::Length | Class::Time | Class::Secret | Class::ListVersion | Class::Address,
            ) => Value::Free(bytes),
            Some(Class::Client | Class::Service) | None => Value::Plain(bytes),
        }
    }

    /// Returns the bytes that are shown.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Value::Plain(bytes)
            | Value::Id(_, bytes)
            | Value::Ids(_, bytes)
            | Value::Free(bytes)
            | Value::Text(bytes)
            | Value::Bytes(bytes)
            | Value::Whole(bytes) => bytes,
            Value::Masked => b"***",
        }
    }
}

/// Collects the fields of an item.
struct Fields<'a> {
    item: &'a Item,
    /// Renames the accounts of A; `None` for B.
    accounts: Option<&'a AccountMap>,
    list: Vec<Field<'a>>,
}

/// Returns the fields of an item; `accounts` if it is one of A.
pub(super) fn fields<'a>(item: &'a Item, accounts: Option<&'a AccountMap>) -> Vec<Field<'a>> {
    let mut fields = Fields { item, accounts, list: Vec::new() };
    match &item.content {
        Content::Command(command) => {
            fields.arguments(command);
            fields.payload(command);
            let end = if command.eol() == b"\n" { "LF" } else { "CRLF" };
            fields.push(Part::Line, "line end", Value::Plain(Cow::Borrowed(end.as_bytes())));
        }
        Content::Opaque { bytes, .. } => {
            let value = bytes.as_ref().map_or(Value::Masked, |bytes| Value::Bytes(Cow::Borrowed(bytes)));
            fields.push(Part::Payload, "bytes", value);
        }
    }
    fields.list
}

impl<'a> Fields<'a> {
    fn push(&mut self, part: Part, name: impl Into<Cow<'static, str>>, value: Value<'a>) {
        self.list.push(Field { part, name: name.into(), value });
    }

    /// Adds a value, unless the place is masked or its value is nothing but `*`.
    fn push_visible(&mut self, part: Part, name: impl Into<Cow<'static, str>>, place: &str, value: Value<'a>) {
        let is_hidden = self.item.is_masked(place) || is_stars(value.bytes());
        self.push(part, name, if is_hidden { Value::Masked } else { value });
    }
}

/// Whether a value is masked: three `*` and nothing else, or more.
fn is_stars(value: &[u8]) -> bool {
    value.len() > 2 && value.iter().all(|byte| *byte == b'*')
}

/// Returns what an item is, for the alignment.
pub(super) fn keys(item: &Item, accounts: Option<&AccountMap>) -> Keys {
    let fields = fields(item, accounts);
    let account = |account: &[u8]| renamed(accounts, account);
    let hash_of = |field: &Field<'_>| {
        let mut hasher = DefaultHasher::new();
        field.name.hash(&mut hasher);
        match &field.value {
            Value::Plain(bytes) => atoms::hash(bytes, &account, &mut hasher),
            Value::Text(bytes) => lines(bytes).for_each(|line| atoms::hash(line, &account, &mut hasher)),
            Value::Bytes(bytes) => bytes.hash(&mut hasher),
            Value::Id(..) | Value::Ids(..) | Value::Free(_) | Value::Whole(_) | Value::Masked => {}
        }
        hasher.finish()
    };
    let mut verb = DefaultHasher::new();
    (item.direction().index(), item.verb()).hash(&mut verb);
    // the order of headers, attributes and elements is none
    let mut keys = [verb.finish(); 3];
    for field in &fields {
        let hash = hash_of(field);
        let levels = 1 + usize::from(THING.contains(&&*field.name)) + usize::from(SORT.contains(&&*field.name));
        for key in &mut keys[..levels] {
            *key = key.wrapping_add(hash);
        }
    }
    Keys { exact: keys[0], thing: keys[1], sort: keys[2] }
}

/// Returns the account that a field names, as it is called in B.
pub(super) fn account_in(fields: &[Field<'_>], name: &str, accounts: Option<&AccountMap>) -> Option<Vec<u8>> {
    let field = fields.iter().find(|field| field.name == name)?;
    let found = atoms::atoms(field.value.bytes()).into_iter().find_map(|atom| match atom {
        atoms::Atom::Account(account) => Some(renamed(accounts, account)),
        _ => None,
    });
    found.or_else(|| Some(field.value.bytes().to_vec()))
}

/// Returns an account as it is called in B, in lower case.
pub(super) fn renamed(accounts: Option<&AccountMap>, account: &[u8]) -> Vec<u8> {
    accounts.map_or_else(|| account.to_ascii_lowercase(), |accounts| accounts.stands_for(account))
}

/// Splits text at CRLF, CR or LF; what stands after the last is a line if it is not empty.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        let after = rest.get(end..).unwrap_or_default();
        rest = after.strip_prefix(b"\r\n").or_else(|| after.get(1..)).unwrap_or_default();
        Some(line)
    })
}

/// The fields that tell what a command is about.
const THING: &[&str] = &[
    "form",
    "Content-Type",
    "content.Message-Type",
    "email",
    "inviter_email",
    "to_email",
    "email_or_guid",
    "key",
    "list",
    "service",
    "action",
    "group_name",
    "p2p.session",
    "slp",
];
/// The fields that tell what it can be compared with.
const SORT: &[&str] = &["Content-Type", "content.Message-Type"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_any_line_end() {
        let cut = |text: &'static str| lines(text.as_bytes()).collect::<Vec<_>>();
        assert_eq!(cut("a\r\nb\rc\nd"), [b"a", b"b", b"c", b"d"]);
        assert_eq!(cut("\r\n\r\na\r\n"), [&b""[..], b"", b"a"]);
        assert!(cut("").is_empty());
    }
}
