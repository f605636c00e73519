//! What becomes of every place: the rows that the code follows.
//!
//! A place that has no row is not kept but for what cannot identify: see `pen.rs`. Credentials on lines are known to
//! [`crate::mask`], which hides what no row maps. What never reaches a transcript has no row: the HTTP services of logins,
//! address books and gateways; where their bytes appear they are opaque, and dropped.

use msnp::types::Direction;

use super::kind::{Kind, Policy};

pub use rows::{PUBLIC_ARGUMENTS, PUBLIC_HEADERS, ROWS};

mod rows;

/// One place and what becomes of it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The verbs, with spaces between them; `*` is any.
    pub verbs: &'static str,
    /// Which way they go; both, if there is none.
    pub direction: Option<Direction>,
    /// Where the value stands.
    pub place: Place<'static>,
    /// What the value is.
    pub kind: Kind,
    /// What becomes of it.
    pub policy: Policy,
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Place<'a> {
    /// The argument with this documented name.
    Argument(&'a str),
    /// The value of the property with this key, in `PRP`, `BPR` and `SBP`; `*` is any other.
    Property(&'a str),
    /// A header of a payload of this content type (`*` is any), with its name; in one of up to three blocks.
    Header(&'a str, &'a str),
    /// What follows the headers of this content type.
    Body(&'a str),
    /// A header of MSNSLP, or of its body.
    Slp(&'a str),
    /// The text of an element.
    Element(&'a str),
    /// An attribute of an element (`*` is any).
    Attribute(&'a str, &'a str),
    /// A payload as a whole.
    Payload,
}

/// Returns the row of an argument or payload.
pub(super) fn of(verb: &str, direction: Direction, place: Place<'_>) -> Option<&'static Row> {
    ROWS.iter().find(|row| {
        row.place == place
            && row.direction.is_none_or(|way| way == direction)
            && (row.verbs == "*" || row.verbs.split(' ').any(|known| known == verb))
    })
}

/// Returns the row of a property.
pub(super) fn property(key: &str) -> Option<&'static Row> {
    ROWS.iter()
        .find(|row| matches!(row.place, Place::Property(known) if known == "*" || known.eq_ignore_ascii_case(key)))
}

/// Returns the row of a header.
pub(super) fn header(content: &str, name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| match row.place {
        Place::Header(of, known) => is_content(of, content) && known.eq_ignore_ascii_case(name),
        _ => false,
    })
}

/// Whether some content type has a header of this name.
pub(super) fn is_header(name: &str) -> bool {
    let is_known = |row: &Row| match row.place {
        Place::Header(_, known) | Place::Slp(known) => known.eq_ignore_ascii_case(name),
        _ => false,
    };
    ROWS.iter().any(is_known)
}

/// Returns the row of a body.
pub(super) fn body(content: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| matches!(row.place, Place::Body(of) if is_content(of, content)))
}

/// Returns the row of a header of MSNSLP.
pub(super) fn slp(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| matches!(row.place, Place::Slp(known) if known.eq_ignore_ascii_case(name)))
}

/// Returns the row of an element or attribute.
pub(super) fn document(place: Place<'_>) -> Option<&'static Row> {
    ROWS.iter().find(|row| match (row.place, place) {
        (Place::Element(known), Place::Element(name)) => known.eq_ignore_ascii_case(name),
        (Place::Attribute(of, known), Place::Attribute(element, name)) => {
            (of == "*" || of.eq_ignore_ascii_case(element)) && known.eq_ignore_ascii_case(name)
        }
        _ => false,
    })
}

/// Whether a content type is meant; a pattern may end in `*`.
fn is_content(pattern: &str, content: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => content.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start)),
        None => pattern.eq_ignore_ascii_case(content),
    }
}
