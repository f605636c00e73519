//! The arguments of a line: their documented names, and percent-encoding.
//!
//! The column `arguments` of the [table](crate::table) is a small grammar, in the notation that protocol documents use:
//!
//! ```text
//! trid NS host:port <transport:U|G> D     literals in capitals or digits; a choice, named in angle brackets
//! trid list [N=email] [C=guid]            optional arguments; a prefix that belongs to the argument
//! trid dialect... CVR0                    repetition
//! trid OK | 0 length                      two forms
//! ```
//!
//! A name is the word in the grammar; signs become underscores (`host:port` is also `host_port`).

use std::borrow::Cow;
use std::sync::LazyLock;

use percent_encoding::percent_decode;

use crate::table::{ROWS, Row, Slot};
use crate::types::{Direction, ServerKind, Verb, Version};

/// What is known of the connection that a command travels on; `None` where it is not known (yet).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scope {
    /// The kind of server.
    pub server: Option<ServerKind>,
    /// The negotiated version.
    pub version: Option<Version>,
}

/// Where an argument stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its index, counted from 0 after the verb. Equal to the number of arguments if it is optional, absent, and would
    /// come next.
    pub index: usize,
    /// What stands before its value in the same token, such as `N=`.
    pub prefix: &'static str,
}

/// Returns the row that describes a line, and the documented name of each of its arguments (`None` for literals).
pub fn describe(
    verb: Verb,
    direction: Direction,
    arguments: &[&[u8]],
    scope: Scope,
) -> Option<(&'static Row, Vec<Option<&'static str>>)> {
    let (form, items) = matching(verb, direction, arguments, scope)?;
    Some((form.row, items.iter().map(|&item| form.items[item].name.as_deref()).collect()))
}

/// Returns where the argument called `name` stands in a line.
pub fn find(verb: Verb, direction: Direction, arguments: &[&[u8]], scope: Scope, name: &str) -> Option<Place> {
    let (form, items) = matching(verb, direction, arguments, scope)?;
    let wanted = form.items.iter().position(|item| item.is_called(name))?;
    let prefix = form.items[wanted].prefix.as_str();
    if let Some(index) = items.iter().position(|&item| item == wanted) {
        return Some(Place { index, prefix });
    }
    let next = items.last().map_or(0, |last| last + 1);
    (wanted == next).then_some(Place { index: items.len(), prefix })
}

/// Returns every documented name of an argument of `verb` in `direction`, in order of appearance.
pub fn names(verb: Verb, direction: Direction) -> Vec<&'static str> {
    let mut names = Vec::new();
    for form in forms(verb, direction) {
        for name in form.items.iter().filter_map(|item| item.name.as_deref()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// Returns every documented name of an argument of any command, by the alphabet.
pub fn all_names() -> Vec<&'static str> {
    let items = FORMS.iter().flat_map(|form| &form.items);
    let mut names: Vec<&str> = items.filter_map(|item| item.name.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether `name` is a documented argument of `verb` in `direction`.
pub fn has_name(verb: Verb, direction: Direction, name: &str) -> bool {
    forms(verb, direction).any(|form| form.items.iter().any(|item| item.is_called(name)))
}

/// Decodes `%XX`; a plus stays a plus, and bad or cut escapes stay as they are.
pub fn decode(argument: &[u8]) -> Cow<'_, [u8]> {
    percent_decode(argument).into()
}

/// Encodes what would break a line: `%`, space, CR and LF. UTF-8 stays as it is, as servers send it.
pub fn encode(text: &[u8]) -> Cow<'_, [u8]> {
    escape(text, |byte| matches!(byte, b'%' | b' ' | b'\r' | b'\n'))
}

/// Encodes only what cannot stand in an argument: space, CR and LF. Text that is already encoded stays as it is.
pub fn protect(text: &[u8]) -> Cow<'_, [u8]> {
    escape(text, |byte| matches!(byte, b' ' | b'\r' | b'\n'))
}

fn escape(text: &[u8], special: impl Fn(u8) -> bool) -> Cow<'_, [u8]> {
    if !text.iter().any(|&byte| special(byte)) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len() + 8);
    for &byte in text {
        if special(byte) {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            out.push(byte);
        }
    }
    Cow::Owned(out)
}

/// One form of a row: what its tokens are.
struct Form {
    row: &'static Row,
    items: Vec<Item>,
}

struct Item {
    name: Option<String>,
    /// The word as the grammar has it.
    word: String,
    prefix: String,
    kind: Kind,
    optional: bool,
    repeats: bool,
}

enum Kind {
    /// One of these words.
    Literal(Vec<String>),
    Number,
    /// `1234` or `1234:48`.
    Capabilities,
    Address,
    Any,
}

impl Item {
    fn is_called(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name) || (self.name.is_some() && self.word == name)
    }

    fn accepts(&self, token: &[u8]) -> bool {
        let Some(value) = token.strip_prefix(self.prefix.as_bytes()) else { return false };
        match &self.kind {
            Kind::Literal(words) => words.iter().any(|word| word.as_bytes() == value),
            Kind::Number => !value.is_empty() && value.iter().all(u8::is_ascii_digit),
            Kind::Capabilities => value.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'-')),
            Kind::Address => memchr::memchr(b'@', value).is_some(),
            Kind::Any => true,
        }
    }
}

static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    ROWS.iter().flat_map(|row| row.arguments.split(" | ").map(move |form| Form { row, items: parse(form) })).collect()
});

/// The forms of each slot of the table, from the client and from the server.
static BY_SLOT: LazyLock<Vec<[Vec<&'static Form>; 2]>> = LazyLock::new(|| {
    let mut slots = vec![[Vec::new(), Vec::new()]; 128];
    for form in FORMS.iter() {
        // an error by any code, and none for the row of unknown verbs
        let verb = if form.row.verb == "NNN" { "200" } else { form.row.verb };
        if let Ok(verb) = verb.parse::<Verb>() {
            slots[usize::from(Slot::of(verb).0)][form.row.direction.index()].push(form);
        }
    }
    slots
});

fn forms(verb: Verb, direction: Direction) -> impl Iterator<Item = &'static Form> {
    BY_SLOT[usize::from(Slot::of(verb).0)][direction.index()].iter().copied()
}

/// Returns the form that fits best, and for each argument the item that it is.
fn matching(
    verb: Verb,
    direction: Direction,
    arguments: &[&[u8]],
    scope: Scope,
) -> Option<(&'static Form, Vec<usize>)> {
    let spaces = arguments.iter().rev().take_while(|argument| argument.is_empty()).count();
    let arguments = &arguments[..arguments.len() - spaces];
    let fits = |form: &&'static Form, strict: bool| {
        !strict
            || (scope.server.is_none_or(|kind| form.row.servers.contains(kind))
                && scope.version.is_none_or(|version| form.row.applies_to(version)))
    };
    // a proxy sees servers that answer in the manner of another version: the scope is a preference
    [true, false].into_iter().find_map(|strict| {
        forms(verb, direction).filter(|form| fits(form, strict)).find_map(|form| {
            let mut taken = Vec::with_capacity(arguments.len());
            assign(&form.items, 0, arguments, &mut taken).then_some((form, taken))
        })
    })
}

/// Gives each token an item, greedily and with backtracking.
fn assign(items: &[Item], at: usize, tokens: &[&[u8]], taken: &mut Vec<usize>) -> bool {
    let Some((token, rest)) = tokens.split_first() else {
        return items.get(at..).is_none_or(|rest| rest.iter().all(|item| item.optional || item.word == "CVR0"));
    };
    let Some(item) = items.get(at) else { return false };
    if item.accepts(token) {
        taken.push(at);
        if item.repeats && assign(items, at, rest, taken) || assign(items, at + 1, rest, taken) {
            return true;
        }
        taken.pop();
    }
    item.optional && assign(items, at + 1, tokens, taken)
}

fn parse(form: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut depth = 0;
    // remarks in parentheses are for people
    let form = form.split(" (").next().unwrap_or(form);
    for word in form.split(' ').filter(|word| !word.is_empty()) {
        let word = match word.strip_prefix('[') {
            Some(inner) => {
                depth += 1;
                inner
            }
            None => word,
        };
        // brackets inside a word, as in email[;{guid}], belong to the word
        let own = word.matches('[').count();
        let closed = word.matches(']').count() - own;
        let word = &word[..word.len() - closed];
        items.push(item(word, depth > 0));
        depth -= closed;
    }
    items
}

fn item(word: &str, optional: bool) -> Item {
    let (word, repeats) = match word.strip_suffix("...") {
        Some(word) => (word, true),
        None => (word, false),
    };
    let any = |name: &str, prefix: &str, kind| Item {
        name: Some(name.into()),
        word: word.into(),
        prefix: prefix.into(),
        kind,
        optional,
        repeats,
    };
    if let Some((name, words)) = word.strip_prefix('<').and_then(|word| word.strip_suffix('>')?.split_once(':')) {
        let kind =
            if words.contains('=') { Kind::Any } else { Kind::Literal(words.split('|').map(str::to_owned).collect()) };
        return any(name, "", kind);
    }
    let is_literal = word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        || ["Hotmail", "null"].contains(&word);
    if is_literal {
        let kind = Kind::Literal(vec![word.into()]);
        return Item { name: None, word: word.into(), prefix: String::new(), kind, optional, repeats };
    }
    // what stands in brackets inside a word is a part that its value may have
    let base = word.split('[').next().unwrap_or(word);
    if let Some((key, value)) = base.split_once('=') {
        let name = if value == "x" { key } else { value };
        return any(name, &format!("{key}="), Kind::Any);
    }
    match base {
        "network_id:email" => any("email", "", Kind::Address),
        "email" => any("email", "", Kind::Address),
        "capabilities" | "capabilities:ext" => any("capabilities", "", Kind::Capabilities),
        "trid" | "length" | "list_version" | "index" | "total" | "list_bits" | "network_id" | "contacts" | "groups"
        | "seconds" | "minutes" | "message_type" | "site_id" | "verified" | "restricted" => any(base, "", Kind::Number),
        _ => any(&base.replace([':', '.'], "_"), "", Kind::Any),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(direction: Direction, line: &str, scope: Scope) -> Vec<Option<&'static str>> {
        let mut tokens = line.split(' ');
        let verb = tokens.next().unwrap().parse().unwrap();
        let tokens: Vec<&[u8]> = tokens.map(str::as_bytes).collect();
        describe(verb, direction, &tokens, scope).map(|(_, names)| names).unwrap_or_default()
    }

    #[test]
    fn arguments_have_their_documented_names() {
        use Direction::*;
        let scope = Scope::default();
        assert_eq!(
            named(ServerToClient, "XFR 20 SB 192.0.2.20:1863 CKI 1.2.3", scope),
            [Some("trid"), None, Some("host_port"), None, Some("cookie")]
        );
        assert_eq!(
            named(ServerToClient, "NLN NLN bob@example.com 1 Bob 12:48 0", scope),
            ["status", "email", "network_id", "friendly_name", "capabilities", "msnobject_urlenc"].map(Some)
        );
        assert_eq!(named(ServerToClient, "GTC A", scope), [Some("prompt")]);
        assert_eq!(named(ServerToClient, "GTC 9 12 A", scope), [Some("trid"), Some("list_version"), Some("prompt")]);
        assert_eq!(
            named(ServerToClient, "LST N=bob@example.com F=Bob C=7c2f 11 6b1f", scope),
            ["email", "friendly_name", "guid", "list_bits", "group_guids"].map(Some)
        );
        assert_eq!(
            named(ServerToClient, "ADG 12 New%20Group 9d1f 0", scope),
            [Some("trid"), Some("group_name"), Some("group_id_or_guid"), None]
        );
        let names = named(ServerToClient, "FLN 1:bob@example.com;via=9:guid@live.com 0:0", scope);
        assert_eq!(names, ["email", "capabilities"].map(Some));
        assert_eq!(named(ServerToClient, "911 3", scope), [Some("trid")]);
        assert!(named(ClientToServer, "ZZZ 1 2", scope).is_empty());
    }

    #[test]
    fn the_scope_decides_between_forms() {
        let line = "LSG 0 Other%20Contacts 0";
        let eight = Scope { version: Some(Version(8)), ..Scope::default() };
        assert_eq!(named(Direction::ServerToClient, line, eight), [Some("group_id"), Some("group_name"), None]);
        let board = Scope { server: Some(ServerKind::Switchboard), ..Scope::default() };
        assert_eq!(
            named(Direction::ClientToServer, "USR 1 alice@example.com 17262740.1050826919.32308", board),
            ["trid", "email", "cookie"].map(Some)
        );
    }

    #[test]
    fn an_absent_optional_argument_is_found_behind_the_last() {
        let verb = "CHG".parse().unwrap();
        let found = find(verb, Direction::ClientToServer, &[b"8", b"NLN"], Scope::default(), "capabilities");
        assert_eq!(found, Some(Place { index: 2, prefix: "" }));
        let found = find(verb, Direction::ClientToServer, &[b"8", b"NLN"], Scope::default(), "msnobject_urlenc");
        assert_eq!(found, None);
    }

    #[test]
    fn bad_escapes_stay() {
        assert_eq!(&*decode(b"a%20b%2"), b"a b%2");
        assert_eq!(&*decode(b"1+1%zz"), b"1+1%zz");
        assert_eq!(&*encode("50% für".as_bytes()), "50%25%20für".as_bytes());
        assert_eq!(&*protect(b"a%20b c"), b"a%20b%20c");
    }

    #[test]
    fn every_form_of_the_table_is_understood() {
        for form in FORMS.iter() {
            let depth = form.row.arguments.matches('[').count();
            assert_eq!(depth, form.row.arguments.matches(']').count(), "{}", form.row.arguments);
            for item in &form.items {
                assert!(!item.word.is_empty(), "{}", form.row.arguments);
            }
        }
    }
}
