//! What a value is, and what becomes of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a value is. Values of one kind that are equal get the same pseudonym.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// An account, `bob@example.org`; with what may stand around it: `1:bob@example.org;{guid}`, `tel:+1555010`.
    Address,
    /// The domain of an account, where it stands alone.
    Domain,
    /// A friendly name.
    Name,
    /// The name of a group.
    Group,
    /// A GUID: of a contact, group, endpoint, machine, call.
    Guid,
    /// A ticket that logs in to services.
    Ticket,
    /// A cookie that opens a switchboard.
    Cookie,
    /// A number that identifies: session, invitation, CID.
    Number,
    /// A Passport id, `0x00030000:0x84A5C3F1`.
    Puid,
    /// A port of a client.
    Port,
    /// A phone number.
    Phone,
    /// An IP address of a client, or of a private network.
    Ip,
    /// The hash of a picture or object.
    Hash,
    /// A file's name.
    File,
    /// The id of a session that is not in the form that the recorder gives it.
    Session,
    /// A secret: password, proof, nonce. Never mapped.
    Secret,
    /// A personal detail: birthday, city, name of a computer. Never mapped.
    Personal,
    /// What people wrote.
    Text,
    /// An object in XML.
    Object,
    /// An address on the web.
    Url,
    /// The address of a server, `host:port`.
    Server,
    /// One of several in one place; the code beside it tells.
    Mixed,
    /// Anything else.
    Plain,
}

impl Kind {
    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Address => "address",
            Kind::Domain => "domain",
            Kind::Name => "name",
            Kind::Group => "group",
            Kind::Guid => "guid",
            Kind::Ticket => "ticket",
            Kind::Cookie => "cookie",
            Kind::Number => "number",
            Kind::Puid => "puid",
            Kind::Port => "port",
            Kind::Phone => "phone",
            Kind::Ip => "ip",
            Kind::Hash => "hash",
            Kind::File => "file",
            Kind::Session => "session",
            Kind::Secret => "secret",
            Kind::Personal => "personal",
            Kind::Text => "text",
            Kind::Object => "object",
            Kind::Url => "url",
            Kind::Server => "server",
            Kind::Mixed => "mixed",
            Kind::Plain => "plain",
        }
    }

    /// Returns the form in which two spellings of one value are equal.
    pub(super) fn key(self, value: &str) -> String {
        match self {
            Kind::Address | Kind::Domain | Kind::File => value.trim().to_lowercase(),
            Kind::Guid => value.trim_matches(['{', '}']).to_ascii_lowercase(),
            Kind::Phone => value.chars().filter(char::is_ascii_digit).collect(),
            Kind::Puid => value.to_ascii_lowercase(),
            Kind::Ip => value.parse::<std::net::IpAddr>().map_or_else(|_| value.to_owned(), |ip| ip.to_string()),
            _ => value.to_owned(),
        }
    }

    /// Whether values of the kind are known only to be searched for: they have no pseudonym and are never written down.
    pub(super) fn is_dropped(self) -> bool {
        matches!(self, Kind::Secret | Kind::Personal)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What becomes of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Policy {
    /// It gets the pseudonym that the same value has everywhere.
    Map,
    /// As many `*` take its place.
    Drop,
    /// Letters become `x` and digits `0`; of a name that identifies nobody else.
    Class,
    /// As [`TextPolicy`] says.
    Text,
    /// It stays, but for known values and addresses within it.
    Keep,
}

/// What becomes of the text of messages.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TextPolicy {
    /// It stays, but for known values, addresses, GUIDs and phone numbers within it.
    Keep,
    /// Letters become `x` and digits `0`: lengths, spaces and signs stay.
    #[default]
    Class,
    /// All becomes `x`: only the length stays.
    Drop,
}
