//! What two runs of the same program never share, by the names of the [table](msnp::table) and of headers.

/// What an argument or a header is, as far as two sessions are concerned. What has no class is compared as it stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Class {
    /// A transaction id.
    Transaction,
    /// The length of something that is compared itself.
    Length,
    /// A time, or a span that follows from one.
    Time,
    /// A password, ticket, proof, nonce or challenge.
    Secret,
    /// The version of a contact list.
    ListVersion,
    /// Where a server or a client is.
    Address,
    /// What a server makes up and a client repeats, for one switchboard.
    Board(Kind),
    /// What a machine makes up for itself.
    Machine,
    /// What a server makes up for a contact or group, and clients repeat.
    Entry(Kind),
    /// The number of a group.
    GroupNumber,
    /// What the client is, and the system it runs on.
    Client,
    /// Versions and pages that a server recommends.
    Service,
}

/// What an identifier stands for: one that stands for another has its kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// The cookie of a switchboard.
    Cookie,
    /// The number of a switchboard.
    Session,
    /// A GUID, whatever it is the name of.
    Guid,
    /// A group of contacts.
    Group,
    /// The number of an account.
    Member,
    /// An invitation of the older kind.
    Invitation,
    /// A notification.
    Notification,
    /// A session of P2P.
    P2pSession,
    /// A message of P2P, or a sequence number.
    P2pMessage,
    /// What an acknowledgement of P2P repeats.
    P2pUnique,
}

impl Kind {
    /// Returns what people call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Cookie => "cookie",
            Kind::Session => "session id",
            Kind::Guid => "GUID",
            Kind::Group => "group",
            Kind::Member => "account number",
            Kind::Invitation => "invitation",
            Kind::Notification => "notification",
            Kind::P2pSession => "P2P session",
            Kind::P2pMessage => "P2P message",
            Kind::P2pUnique => "P2P acknowledgement",
        }
    }
}

/// Returns the class of an argument.
pub fn argument(name: &str) -> Option<Class> {
    ARGUMENTS.iter().find(|(known, _)| *known == name).map(|(_, class)| *class)
}

/// Returns the class of a header, whatever its case.
pub fn header(name: &[u8]) -> Option<Class> {
    HEADERS.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name)).map(|(_, class)| *class)
}

/// Whether an argument differs between two runs even if both peers do the same, so that a replay cannot compare it.
pub fn differs_between_runs(name: &str) -> bool {
    argument(name).is_some_and(|class| !matches!(class, Class::Entry(_) | Class::GroupNumber))
}

/// Whether an argument is what servers make up and clients repeat.
pub fn is_made_up(name: &str) -> bool {
    matches!(argument(name), Some(Class::Entry(_)))
}

/// Whether bytes start with a GUID, without braces.
pub fn starts_with_guid(bytes: &[u8]) -> bool {
    let Some(guid) = bytes.get(..GUID) else { return false };
    guid.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

/// Whether bytes start with a time such as `2003-05-01T00:00:04`; what follows may be a fraction and a zone.
pub fn starts_with_time(bytes: &[u8]) -> bool {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let Some(time) = bytes.get(..SHAPE.len()) else { return false };
    time.iter().zip(SHAPE).all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        _ => byte == shape,
    })
}

/// Length of a GUID.
pub const GUID: usize = 36;

const ARGUMENTS: &[(&str, Class)] = &[
    ("arch", Class::Client),
    ("challenge", Class::Secret),
    ("client_brand", Class::Client),
    ("client_name", Class::Client),
    ("client_version", Class::Client),
    ("contact_guid", Class::Entry(Kind::Guid)),
    ("cookie", Class::Board(Kind::Cookie)),
    ("current_host_port", Class::Address),
    ("download_url", Class::Service),
    ("group", Class::GroupNumber),
    ("group_guid", Class::Entry(Kind::Group)),
    ("group_guids", Class::Entry(Kind::Group)),
    ("group_id", Class::GroupNumber),
    ("group_id_or_guid", Class::Entry(Kind::Group)),
    ("group_ids", Class::GroupNumber),
    ("guid", Class::Entry(Kind::Guid)),
    ("host_port", Class::Address),
    ("info_url", Class::Service),
    ("lcid", Class::Client),
    ("length", Class::Length),
    ("list_version", Class::ListVersion),
    ("list_version_or_1", Class::ListVersion),
    ("login_url", Class::Service),
    ("machine_guid", Class::Machine),
    ("md5_response", Class::Secret),
    ("minimum_version", Class::Service),
    ("nonce_b64", Class::Secret),
    ("os_type", Class::Client),
    ("os_version", Class::Client),
    ("passport_params", Class::Secret),
    ("password", Class::Secret),
    ("policy", Class::Service),
    ("product_id", Class::Client),
    ("recommended_version", Class::Service),
    ("recommended_version2", Class::Service),
    ("redirect_info_b64", Class::Address),
    ("redirect_url", Class::Service),
    ("response_b64", Class::Secret),
    ("salt", Class::Secret),
    ("seconds", Class::Time),
    ("session_id", Class::Board(Kind::Session)),
    ("signed_circle_ticket_b64", Class::Secret),
    ("ticket", Class::Secret),
    ("timestamp1", Class::ListVersion),
    ("timestamp2", Class::ListVersion),
    ("trid", Class::Transaction),
];

/// Headers of profiles, invitations, MSNSLP and datagrams.
const HEADERS: &[(&str, Class)] = &[
    ("AuthCookie", Class::Secret),
    ("ClientIP", Class::Address),
    ("ClientPort", Class::Address),
    ("Conn-ID", Class::Secret),
    ("ConnID", Class::Secret),
    ("Content-Length", Class::Length),
    ("Date", Class::Time),
    ("Hashed-Nonce", Class::Secret),
    ("Invitation-Cookie", Class::Entry(Kind::Invitation)),
    ("IP-Address", Class::Address),
    ("IP-Address-Internal", Class::Address),
    ("IPv4External-Addrs", Class::Address),
    ("IPv4External-AddrsAndPorts", Class::Address),
    ("IPv4External-Port", Class::Address),
    ("IPv4Internal-Addrs", Class::Address),
    ("IPv4Internal-AddrsAndPorts", Class::Address),
    ("IPv4Internal-Port", Class::Address),
    ("IPv6-Addrs", Class::Address),
    ("IPv6-Port", Class::Address),
    ("kv", Class::Secret),
    ("LoginTime", Class::Time),
    ("MemberIdHigh", Class::Entry(Kind::Member)),
    ("MemberIdLow", Class::Entry(Kind::Member)),
    ("MSPAuth", Class::Secret),
    ("NetID", Class::Secret),
    ("Nonce", Class::Secret),
    ("Port", Class::Address),
    ("PortX", Class::Address),
    ("PortX-Internal", Class::Address),
    ("SessionID", Class::Entry(Kind::P2pSession)),
    ("sid", Class::Secret),
];

#[cfg(test)]
mod tests {
    use msnp::table::ROWS;

    use super::*;

    #[test]
    fn every_name_is_one_of_the_table_and_stands_in_order() {
        let names: Vec<&str> = ARGUMENTS.iter().map(|(name, _)| *name).collect();
        assert!(names.is_sorted(), "{names:?}");
        for name in names {
            let is_known = ROWS.iter().any(|row| {
                let verb = if row.verb == "NNN" { "200" } else { row.verb };
                verb.parse().is_ok_and(|verb| msnp::argument::has_name(verb, row.direction, name))
            });
            assert!(is_known, "{name}");
        }
    }

    #[test]
    fn guids_and_times_are_known_by_their_shape() {
        assert!(starts_with_guid(b"a56b9148-1496-61cf-b95d-bddbe89b3ddf}"));
        assert!(!starts_with_guid(b"a56b9148-1496-61cf-b95d-bddbe89b3dd"));
        assert!(starts_with_time(b"2003-05-01T00:00:04.123-07:00"));
        assert!(!starts_with_time(b"2003-05-01 00:00:04"));
    }
}
