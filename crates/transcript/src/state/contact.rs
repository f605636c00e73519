//! The shapes of contacts.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One person of whom the client was told.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Contact {
    /// The friendly name, decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The network of the address: 1 Live, 32 Yahoo, and others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_id: Option<u32>,
    /// The GUID (MSNP10 to MSNP12).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guid: Option<String>,
    /// The lists that the contact is on.
    #[serde(flatten)]
    pub lists: Lists,
    /// The groups, by number or GUID.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// The presence.
    #[serde(flatten)]
    pub presence: Presence,
}

/// What is known of someone's presence.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Presence {
    /// `NLN` online, `BSY`, `IDL`, `BRB`, `AWY`, `PHN`, `LUN`, `HDN` hidden, `FLN` offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The capabilities as written, `1342554156` or `2788999228:48`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<String>,
    /// The MSNObject of the display picture, as XML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The personal message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal_message: Option<String>,
    /// What is being played, in the client's own notation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_media: Option<String>,
}

impl Presence {
    /// Whether a status is known and it is not the one of those who are offline.
    pub fn is_online(&self) -> bool {
        self.status.as_deref().is_some_and(|status| status != "FLN")
    }
}

/// A list of contacts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum List {
    /// The forward list: whom the client shows.
    Fl,
    /// The allow list: who may see it.
    Al,
    /// The block list: who may not.
    Bl,
    /// The reverse list: who has added it.
    Rl,
    /// The pending list: who has added it and waits.
    Pl,
}

impl List {
    /// All lists, in the order of their bits.
    pub const ALL: [List; 5] = [List::Fl, List::Al, List::Bl, List::Rl, List::Pl];

    /// Returns the list that an argument names.
    pub fn from_token(token: &[u8]) -> Option<List> {
        List::ALL.into_iter().find(|list| list.as_str().as_bytes() == token)
    }

    /// Returns the list's bit on the wire: 1, 2, 4, 8, 16.
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Returns `FL`, `AL`, `BL`, `RL` or `PL`.
    pub const fn as_str(self) -> &'static str {
        match self {
            List::Fl => "FL",
            List::Al => "AL",
            List::Bl => "BL",
            List::Rl => "RL",
            List::Pl => "PL",
        }
    }
}

/// A set of lists. In JSON two fields: `lists`, the names, and `list_bits`, the number on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Shape", into = "Shape")]
pub struct Lists(u8);

#[derive(Serialize, Deserialize, JsonSchema)]
struct Shape {
    /// The names of the lists.
    #[serde(default)]
    lists: Vec<List>,
    /// The sum of their bits: 1 FL, 2 AL, 4 BL, 8 RL, 16 PL. Other bits as servers send them.
    #[serde(default)]
    list_bits: u8,
}

impl From<Lists> for Shape {
    fn from(lists: Lists) -> Shape {
        Shape { lists: lists.iter().collect(), list_bits: lists.0 }
    }
}

impl From<Shape> for Lists {
    fn from(shape: Shape) -> Lists {
        Lists(shape.list_bits)
    }
}

impl Lists {
    /// Returns the lists with these bits.
    pub const fn from_bits(bits: u8) -> Lists {
        Lists(bits)
    }

    /// Returns the sum of the bits.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Adds lists.
    pub const fn insert(&mut self, lists: Lists) {
        self.0 |= lists.0;
    }

    /// Takes lists away.
    pub const fn remove(&mut self, lists: Lists) {
        self.0 &= !lists.0;
    }

    /// Whether it is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `list` is among them.
    pub const fn contains(self, list: List) -> bool {
        self.0 & list.bit() != 0
    }

    /// Returns the lists in order of their bits.
    pub fn iter(self) -> impl Iterator<Item = List> {
        List::ALL.into_iter().filter(move |list| self.contains(*list))
    }
}

impl From<List> for Lists {
    fn from(list: List) -> Lists {
        Lists(list.bit())
    }
}
