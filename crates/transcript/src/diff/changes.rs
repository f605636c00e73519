//! In what two commands differ, by name.

use std::collections::{HashMap, HashSet};

use super::accounts::AccountMap;
use super::align::{Keys, align};
use super::atoms::{Atom, atoms};
use super::fields::{Field, Part, Value, fields, lines, renamed};
use super::identities::Identities;
use super::side::Item;
use super::volatile::Kind;
use crate::screen::printable;

/// One difference between two commands that belong together.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Change {
    /// Where it lies.
    pub part: Part,
    /// The name: of an argument as documented, of a header, `text`, `payload`, a path in an XML document. `form` is the
    /// words of a line that are no values; `args[2]` an argument that nobody has documented.
    pub name: String,
    /// What A has, in short; absent if it has nothing there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<String>,
    /// What B has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<String>,
    /// What else is to be said: that an identifier stood for another one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Change {
    pub(super) fn new(part: Part, name: &str, a: Option<&[u8]>, b: Option<&[u8]>) -> Change {
        let shown = |bytes: &[u8]| shorten(&printable(bytes));
        Change { part, name: name.to_owned(), a: a.map(shown), b: b.map(shown), note: None }
    }
}

impl std::fmt::Display for Change {
    /// `client_version: 7.0.0777 -> 7.5.0324`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = |value: &Option<String>| match value {
            None => "(none)".to_owned(),
            Some(value) if value.is_empty() => "(empty)".to_owned(),
            Some(value) => value.clone(),
        };
        write!(f, "{}: {} -> {}", self.name, side(&self.a), side(&self.b))?;
        self.note.as_ref().map_or(Ok(()), |note| write!(f, " ({note})"))
    }
}

/// Compares commands, and remembers what stands for what.
#[derive(Debug)]
pub(super) struct Comparer<'a> {
    accounts: &'a AccountMap,
    identities: Identities,
    /// Whether the exact bytes of both are known.
    has_bytes: bool,
}

impl<'a> Comparer<'a> {
    pub(super) fn new(accounts: &'a AccountMap, has_bytes: bool) -> Comparer<'a> {
        Comparer { accounts, identities: Identities::default(), has_bytes }
    }

    /// Returns in what two items differ, in the order of A.
    pub(super) fn compare(&mut self, a: &Item, b: &Item) -> Vec<Change> {
        if a.verb() != b.verb() {
            let change = Change::new(Part::Verb, "verb", Some(a.verb().as_bytes()), Some(b.verb().as_bytes()));
            return vec![change];
        }
        let (ours, theirs) = (fields(a, Some(self.accounts)), fields(b, None));
        let places: HashMap<&str, usize> =
            theirs.iter().enumerate().map(|(index, field)| (&*field.name, index)).collect();
        let known: HashSet<&str> = ours.iter().map(|field| &*field.name).collect();
        let mut changes = Vec::new();
        // the parts of what only one side has are no differences of their own
        let mut lone: Vec<&str> = Vec::new();
        for field in &ours {
            if lone.iter().any(|whole| is_part_of(&field.name, whole)) {
                continue;
            }
            let other = places.get(&*field.name).map(|index| &theirs[*index]);
            let is_whole = |field: &Field<'_>| matches!(field.value, Value::Whole(_));
            if other.is_none_or(|other| is_whole(other) != is_whole(field)) {
                lone.push(&field.name);
            }
            self.field(field, other, &mut changes);
        }
        for field in &theirs {
            if !known.contains(&*field.name) && !lone.iter().any(|whole| is_part_of(&field.name, whole)) {
                lone.push(&field.name);
                self.lone(field, false, &mut changes);
            }
        }
        changes
    }

    fn field(&mut self, ours: &Field<'_>, theirs: Option<&Field<'_>>, changes: &mut Vec<Change>) {
        let Some(theirs) = theirs else {
            self.lone(ours, true, changes);
            return;
        };
        if ours.part == Part::Line && !self.has_bytes {
            return;
        }
        let (a, b) = (ours.value.bytes(), theirs.value.bytes());
        let change = || Change::new(ours.part, &ours.name, Some(a), Some(b));
        match (&ours.value, &theirs.value) {
            (Value::Masked, _) | (_, Value::Masked) | (Value::Free(_), Value::Free(_)) => {}
            (Value::Whole(_), Value::Whole(_)) => {}
            (Value::Id(kind, _), Value::Id(..)) => {
                let note = self.identities.pair(*kind, a, b);
                changes.extend(note.map(|note| Change { note: Some(note), ..change() }));
            }
            (Value::Ids(kind, _), Value::Ids(..)) => {
                let (ours, theirs): (Vec<&[u8]>, Vec<&[u8]>) = (split(a), split(b));
                if ours.len() != theirs.len() {
                    changes.push(change());
                    return;
                }
                let notes = ours.into_iter().zip(theirs).filter_map(|(a, b)| self.identities.pair(*kind, a, b));
                let notes: Vec<String> = notes.collect();
                if !notes.is_empty() {
                    changes.push(Change { note: Some(notes.join("; ")), ..change() });
                }
            }
            (Value::Text(_), Value::Text(_)) => self.text(ours, a, b, changes),
            (Value::Bytes(_), Value::Bytes(_)) => {
                if let Some((a, b)) = unequal_bytes(a, b) {
                    let change = Change::new(ours.part, &ours.name, Some(a.as_bytes()), Some(b.as_bytes()));
                    changes.push(change);
                }
            }
            (Value::Plain(_), Value::Plain(_)) => match self.plain(a, b) {
                Equality::Same => {}
                Equality::Other => changes.push(change()),
                Equality::Broken(note) => changes.push(Change { note: Some(note), ..change() }),
            },
            _ if a == b => {}
            _ => changes.push(change()),
        }
    }

    fn lone(&self, field: &Field<'_>, is_ours: bool, changes: &mut Vec<Change>) {
        if field.part == Part::Line && !self.has_bytes {
            return;
        }
        let size;
        let value = match &field.value {
            Value::Bytes(bytes) => {
                size = format!("{} bytes", bytes.len());
                size.as_bytes()
            }
            value => value.bytes(),
        };
        let (a, b) = if is_ours { (Some(value), None) } else { (None, Some(value)) };
        changes.push(Change::new(field.part, &field.name, a, b));
    }

    /// Compares texts part by part.
    fn plain(&mut self, a: &[u8], b: &[u8]) -> Equality {
        let (ours, theirs) = (atoms(a), atoms(b));
        if ours.len() != theirs.len() {
            return Equality::Other;
        }
        let is_alike = ours.iter().zip(&theirs).all(|pair| match pair {
            (Atom::Plain(a), Atom::Plain(b)) => a == b,
            (Atom::Account(a), Atom::Account(b)) => renamed(Some(self.accounts), a) == b.to_ascii_lowercase(),
            (Atom::Guid(_), Atom::Guid(_)) | (Atom::Time(_), Atom::Time(_)) => true,
            _ => false,
        });
        if !is_alike {
            return Equality::Other;
        }
        let guids = ours.iter().zip(&theirs).filter_map(|pair| match pair {
            (Atom::Guid(a), Atom::Guid(b)) => self.identities.pair(Kind::Guid, a, b),
            _ => None,
        });
        match guids.reduce(|all, note| all + "; " + &note) {
            Some(note) => Equality::Broken(note),
            None => Equality::Same,
        }
    }

    /// Compares texts line by line.
    fn text(&mut self, field: &Field<'_>, a: &[u8], b: &[u8], changes: &mut Vec<Change>) {
        let (ours, theirs): (Vec<&[u8]>, Vec<&[u8]>) = (lines(a).collect(), lines(b).collect());
        let keys = |list: &[&[u8]], accounts: Option<&AccountMap>| -> Vec<Keys> {
            list.iter().map(|line| line_keys(line, accounts)).collect()
        };
        let (pairs, _) = align(&keys(&ours, Some(self.accounts)), &keys(&theirs, None));
        let is_one = ours.len() < 2 && theirs.len() < 2;
        let name = |line: usize| match is_one {
            true => field.name.to_string(),
            false => format!("{}:{}", field.name, line + 1),
        };
        let push = |changes: &mut Vec<Change>, line: usize, a: Option<&[u8]>, b: Option<&[u8]>| {
            changes.push(Change::new(field.part, &name(line), a, b));
        };
        let mut at = (0, 0);
        for (our, their) in pairs.into_iter().chain([(ours.len(), theirs.len())]) {
            (at.0..our).for_each(|line| push(changes, line, Some(ours[line]), None));
            (at.1..their).for_each(|line| push(changes, line, None, Some(theirs[line])));
            if our < ours.len() {
                match self.plain(ours[our], theirs[their]) {
                    Equality::Same => {}
                    Equality::Other => push(changes, our, Some(ours[our]), Some(theirs[their])),
                    Equality::Broken(note) => {
                        push(changes, our, Some(ours[our]), Some(theirs[their]));
                        if let Some(last) = changes.last_mut() {
                            last.note = Some(note);
                        }
                    }
                }
            }
            at = (our + 1, their + 1);
        }
    }
}

enum Equality {
    Same,
    Other,
    Broken(String),
}

fn line_keys(line: &[u8], accounts: Option<&AccountMap>) -> Keys {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    super::atoms::hash(line, &|account| renamed(accounts, account), &mut hasher);
    // any line may stand for any other
    Keys { exact: hasher.finish(), thing: 0, sort: 0 }
}

/// Whether a field is a part of a whole: `Data/PSM` of `Data`.
fn is_part_of(name: &str, whole: &str) -> bool {
    name.strip_prefix(whole).is_some_and(|rest| rest.starts_with(['/', '.']))
}

fn split(list: &[u8]) -> Vec<&[u8]> {
    list.split(|byte| *byte == b',').filter(|part| !part.is_empty()).collect()
}

/// Returns length and first difference of bytes that are not the same.
fn unequal_bytes(a: &[u8], b: &[u8]) -> Option<(String, String)> {
    if a == b {
        return None;
    }
    let at = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let shown = |bytes: &[u8]| {
        let digits: String = bytes[at..].iter().take(8).map(|byte| format!(" {byte:02x}")).collect();
        let digits = if digits.is_empty() { " the end".to_owned() } else { digits };
        format!("{} bytes, at {at}:{digits}", bytes.len())
    };
    Some((shown(a), shown(b)))
}

/// Shortens a value for people.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// How many characters of a value are shown.
const LONGEST: usize = 200;
