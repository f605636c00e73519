//! The rows themselves, and the names that identify nobody.

use msnp::types::Direction;

use super::{Place, Row};
use crate::redact::kind::{Kind, Policy};

use Direction::{ClientToServer, ServerToClient};
use Kind::{
    Address, Cookie, Domain, File, Group, Guid, Hash, Ip, Mixed, Name, Number, Object, Personal, Phone, Plain, Port,
    Puid, Secret, Server, Ticket, Url,
};
use Policy::{Class, Drop, Keep, Map};

const C2S: Option<Direction> = Some(ClientToServer);
const S2C: Option<Direction> = Some(ServerToClient);
const BOTH: Option<Direction> = None;

const fn argument(
    verbs: &'static str,
    direction: Option<Direction>,
    name: &'static str,
    kind: Kind,
    policy: Policy,
) -> Row {
    Row { verbs, direction, place: Place::Argument(name), kind, policy }
}

const fn property_row(key: &'static str, kind: Kind, policy: Policy) -> Row {
    Row { verbs: "PRP BPR SBP", direction: BOTH, place: Place::Property(key), kind, policy }
}

const fn head(content: &'static str, name: &'static str, kind: Kind, policy: Policy) -> Row {
    Row { verbs: MIME, direction: BOTH, place: Place::Header(content, name), kind, policy }
}

const fn text(content: &'static str, kind: Kind, policy: Policy) -> Row {
    Row { verbs: MIME, direction: BOTH, place: Place::Body(content), kind, policy }
}

const fn call(name: &'static str, kind: Kind, policy: Policy) -> Row {
    Row { verbs: "MSG SDG", direction: BOTH, place: Place::Slp(name), kind, policy }
}

const fn element(verbs: &'static str, name: &'static str, kind: Kind, policy: Policy) -> Row {
    Row { verbs, direction: BOTH, place: Place::Element(name), kind, policy }
}

const fn attribute(verbs: &'static str, element: &'static str, name: &'static str, kind: Kind, policy: Policy) -> Row {
    Row { verbs, direction: BOTH, place: Place::Attribute(element, name), kind, policy }
}

const fn payload(verbs: &'static str, direction: Option<Direction>, kind: Kind, policy: Policy) -> Row {
    Row { verbs, direction, place: Place::Payload, kind, policy }
}

const MIME: &str = "MSG UUM UBM PUT DEL NFY SDG";
const ML: &str = "ADL RML FQY NNN";
const PAGES: &str = "NOT IPG PAG PGD";
const DATA: &str = "UUX UBX";
const PRESENCE: &str = "PUT DEL NFY";
const OBJECT: &str = "CHG ILN NLN MSG SDG UUX UBX";

const PROFILE: &str = "text/x-msmsgsprofile";
const INVITE: &str = "text/x-msmsgsinvite";
const MAIL: &str = "text/x-msmsgs*";
const NOTICE: &str = "text/x-msmsgsemailnotification";
const DATACAST: &str = "text/x-msnmsgr-datacast";

/// The table. The first row that fits counts.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    // credentials on lines
    argument("USR", C2S, "password", Secret, Drop),
    argument("USR", C2S, "md5_response", Secret, Drop),
    argument("USR", S2C, "salt", Secret, Drop),
    argument("USR", C2S, "ticket", Ticket, Map),
    argument("USR", S2C, "passport_params", Secret, Keep), // the mask has hidden all but language and site
    argument("USR", C2S, "response_b64", Secret, Drop),
    argument("USR", S2C, "nonce_b64", Secret, Drop),
    argument("USR", S2C, "policy", Plain, Keep),
    argument("USR", C2S, "machine_guid", Guid, Map),
    argument("USR", C2S, "signed_circle_ticket_b64", Secret, Drop),
    argument("XFR RNG USR ANS", BOTH, "cookie", Cookie, Map),
    argument("URL", S2C, "redirect_url", Url, Map),
    argument("URL", S2C, "login_url", Url, Map),
    argument("URL", C2S, "param", Address, Map),
    argument("ILN", S2C, "icon_url", Url, Class),

    // identities on lines
    argument("*", BOTH, "email", Address, Map),
    argument("RNG", S2C, "inviter_email", Address, Map),
    argument("UBM", S2C, "to_email", Address, Map),
    argument("REM", BOTH, "email_or_guid", Address, Map),
    argument("SND SDC", C2S, "email_or_index", Address, Map),
    argument("PAG PGD", C2S, "email_or_phone", Address, Map),
    argument("*", BOTH, "friendly_name", Name, Map),
    argument("REA", C2S, "new_friendly_name", Name, Map),
    argument("RNG", S2C, "inviter_friendly_name", Name, Map),
    argument("*", BOTH, "group_name", Group, Map),
    argument("REG", S2C, "name", Group, Map),
    argument("REG", C2S, "new_name", Group, Map),
    argument("*", BOTH, "guid", Guid, Map),
    argument("SBP", BOTH, "contact_guid", Guid, Map),
    argument("*", BOTH, "group_guid", Guid, Map),
    argument("*", BOTH, "group_guids", Guid, Map),
    argument("*", BOTH, "group_id_or_guid", Guid, Map),
    argument("*", BOTH, "group_id", Guid, Map),
    argument("*", BOTH, "group_ids", Guid, Map),
    argument("*", BOTH, "group", Guid, Map),
    argument("RNG ANS CAL", BOTH, "session_id", Number, Map),
    argument("CHG ILN NLN", BOTH, "msnobject_urlenc", Object, Map),
    argument("FND", BOTH, "fname", Personal, Class),
    argument("FND", BOTH, "lname", Personal, Class),
    argument("FND", BOTH, "city", Personal, Class),
    argument("FND", BOTH, "state", Personal, Class),
    argument("FND", BOTH, "country", Personal, Class),
    property_row("MFN", Name, Map),
    property_row("PHH", Phone, Map),
    property_row("PHW", Phone, Map),
    property_row("PHM", Phone, Map),
    property_row("MOB", Plain, Keep),
    property_row("MBE", Plain, Keep),
    property_row("WWE", Plain, Keep),
    property_row("HSB", Plain, Keep),
    property_row("*", Personal, Class),
    argument("SBS", S2C, "credit", Personal, Drop),
    argument("VAS", C2S, "arg3", Plain, Class),
    argument("VAS", C2S, "arg4", Plain, Class),

    // servers are infrastructure, unless they are somebody's own
    argument("XFR RNG", S2C, "host_port", Server, Map),
    argument("XFR", S2C, "current_host_port", Server, Map),
    argument("CVR CVQ", S2C, "download_url", Url, Map),
    argument("CVR CVQ", S2C, "info_url", Url, Map),

    // headers
    head(PROFILE, "MSPAuth", Ticket, Map),
    head(PROFILE, "sid", Secret, Drop),
    head(PROFILE, "kv", Secret, Drop),
    head(PROFILE, "MemberIdHigh", Number, Map),
    head(PROFILE, "MemberIdLow", Number, Map),
    head(PROFILE, "preferredEmail", Address, Map),
    head(PROFILE, "Nickname", Name, Map),
    head(PROFILE, "ClientIP", Ip, Map),
    head(PROFILE, "ClientPort", Port, Map),
    head(PROFILE, "Birthday", Personal, Drop),
    head(PROFILE, "Age", Personal, Drop),
    head(PROFILE, "Gender", Personal, Drop),
    head(PROFILE, "country", Personal, Drop),
    head(PROFILE, "PostalCode", Personal, Drop),
    head(PROFILE, "Wallet", Personal, Drop),
    head(PROFILE, "lang_preference", Personal, Drop),
    head(PROFILE, "Kid", Personal, Drop),
    head(INVITE, "AuthCookie", Number, Map),
    head(INVITE, "Invitation-Cookie", Number, Map),
    head(INVITE, "Session-ID", Guid, Map),
    head(INVITE, "IP-Address", Ip, Map),
    head(INVITE, "IP-Address-Internal", Ip, Map),
    head(INVITE, "Port", Port, Map),
    head(INVITE, "PortX", Port, Map),
    head(INVITE, "PortX-Internal", Port, Map),
    head(INVITE, "Application-GUID", Guid, Map),
    head(INVITE, "Application-File", Personal, Class),
    head(INVITE, "Application-FileSize", Personal, Class),
    head(INVITE, "Application-URL", Url, Class),
    head(NOTICE, "From", Name, Map),
    head(NOTICE, "Subject", Personal, Class),
    head(NOTICE, "Message-URL", Url, Class),
    head(NOTICE, "id", Personal, Drop),
    head(MAIL, "From-Addr", Address, Map),
    head(MAIL, "Message-URL", Url, Class),
    head(MAIL, "Post-URL", Url, Map),
    head(MAIL, "Inbox-URL", Url, Map),
    head(MAIL, "Folders-URL", Url, Map),
    head(MAIL, "Mail-Data", Object, Map),
    head(DATACAST, "Data", Object, Map),
    head("*", "TypingUser", Address, Map),
    head("*", "RecordingUser", Address, Map),
    head("*", "P2P-Dest", Address, Map),
    head("*", "P2P-Src", Address, Map),
    head("*", "To", Mixed, Map),
    head("*", "From", Mixed, Map),
    head("*", "Via", Mixed, Map),
    head("*", "Dest-Email", Address, Map),
    head("*", "IM-Display-Name", Name, Map),
    head("*", "P4-Context", Name, Map),
    head("*", "Message-ID", Guid, Map),
    head("*", "X-OIM-Run-Id", Guid, Map),

    // bodies
    text("text/plain", Kind::Text, Policy::Text),
    text("text/x-mms-emoticon", Object, Map),
    text("text/x-mms-animemoticon", Object, Map),
    text("application/user+xml", Object, Map),
    text("application/circles+xml", Object, Map),
    text("application/x-msnmsgrp2p", Mixed, Map),
    text("text/*", Kind::Text, Class),

    // MSNSLP
    call("To", Mixed, Map),
    call("From", Mixed, Map),
    call("Via", Plain, Keep),
    call("Call-ID", Guid, Map),
    call("SessionID", Number, Map),
    call("EUF-GUID", Guid, Map),
    call("Context", Mixed, Map),
    call("Nonce", Guid, Map),
    call("Hashed-Nonce", Guid, Map),
    call("NetID", Number, Map),
    call("Conn-ID", Number, Map),
    call("ConnID", Number, Map),
    call("IPv4Internal-Addrs", Ip, Map),
    call("IPv4External-Addrs", Ip, Map),
    call("IPv6-Addrs", Ip, Map),
    call("IPv6-global", Ip, Map),
    call("IPv4InternalAddrsAndPorts", Mixed, Class),
    call("IPv4ExternalAddrsAndPorts", Mixed, Class),
    call("IPv4Internal-Port", Port, Map),
    call("IPv4External-Port", Port, Map),
    call("IPv6-Port", Port, Map),
    call("srddA-lanretnI4vPI", Ip, Map),
    call("srddA-lanretxE4vPI", Ip, Map),
    call("srddA-6vPI", Ip, Map),
    call("troP-lanretnI4vPI", Port, Map),
    call("troP-lanretxE4vPI", Port, Map),
    call("troP-6vPI", Port, Map),

    // memberships
    attribute(ML, "d", "n", Domain, Map),
    attribute(ML, "c", "n", Address, Map),
    attribute(ML, "c", "f", Name, Map),
    attribute(ML, "c", "l", Plain, Keep),
    attribute(ML, "c", "t", Plain, Keep),
    attribute(ML, "ml", "l", Plain, Keep),
    attribute(ML, "s", "n", Plain, Keep),
    attribute(ML, "s", "l", Plain, Keep),

    // pages and notifications
    attribute(PAGES, "TO", "name", Address, Map),
    attribute(PAGES, "TO", "email", Address, Map),
    attribute(PAGES, "TO", "pid", Puid, Map),
    attribute(PAGES, "FROM", "name", Address, Map),
    attribute(PAGES, "FROM", "email", Address, Map),
    attribute(PAGES, "FROM", "pid", Puid, Map),
    attribute(PAGES, "NOTIFICATION", "siteurl", Url, Map),
    attribute(PAGES, "NOTIFICATION", "id", Plain, Keep),
    attribute(PAGES, "NOTIFICATION", "siteid", Plain, Keep),
    attribute(PAGES, "NOTIFICATION", "ver", Plain, Keep),
    attribute(PAGES, "MSG", "id", Plain, Keep),
    attribute(PAGES, "MSG", "pri", Plain, Keep),
    attribute(PAGES, "ACTION", "url", Url, Class),
    attribute(PAGES, "SUBSCR", "url", Url, Class),
    attribute(PAGES, "CAT", "id", Plain, Keep),
    attribute(PAGES, "BODY", "lang", Plain, Keep),
    attribute(PAGES, "BODY", "lcid", Plain, Keep),
    attribute(PAGES, "BODY", "icon", Url, Class),
    attribute(PAGES, "VIA", "agent", Plain, Keep),
    attribute(PAGES, "TEXT", "enc", Plain, Keep),
    attribute(PAGES, "PHONE", "pri", Plain, Keep),
    element(PAGES, "NUM", Phone, Map),
    element(PAGES, "TEXT", Kind::Text, Policy::Text),
    element(PAGES, "TEXTX", Kind::Text, Policy::Text),
    element(PAGES, "CID", Number, Map),
    element(PAGES, "ResourceID", Number, Map),
    element(PAGES, "Service", Plain, Keep),
    element(PAGES, "LastModifiedDate", Plain, Keep),

    // presence
    element(DATA, "PSM", Kind::Text, Policy::Text),
    element(DATA, "CurrentMedia", Kind::Text, Policy::Text),
    element(DATA, "RUM", Kind::Text, Policy::Text),
    element(DATA, "EpName", Personal, Class),
    element(DATA, "MachineGuid", Guid, Map),
    element(DATA, "SignatureSound", Personal, Class),
    element(DATA, "Scene", Object, Map),
    element(DATA, "DDP", Object, Map),
    element(DATA, "Capabilities", Plain, Keep),
    element(DATA, "ClientType", Plain, Keep),
    element(DATA, "State", Plain, Keep),
    attribute(DATA, "EndpointData", "id", Guid, Map),
    attribute(DATA, "PrivateEndpointData", "id", Guid, Map),
    element(PRESENCE, "FriendlyName", Name, Map),
    element(PRESENCE, "UserTileLocation", Object, Map),
    element(PRESENCE, "Status", Plain, Keep),
    element(PRESENCE, "VER", Plain, Keep),
    element(PRESENCE, "TYP", Plain, Keep),
    element(PRESENCE, "id", Mixed, Map),
    attribute(PRESENCE, "sep", "epid", Guid, Map),
    attribute(PRESENCE, "sep", "n", Plain, Keep),
    attribute("UUN UBN", "SNM", "csid", Guid, Map),
    attribute("UUN UBN", "SNM", "opcode", Plain, Keep),
    attribute("UUN UBN", "SNM", "priority", Plain, Keep),
    attribute("GCF", "Policy", "type", Plain, Keep),

    // lists of mails
    element("MSG", "E", Address, Map),
    element("MSG", "N", Name, Map),
    element("MSG", "I", Guid, Map),
    element("MSG", "SU", Personal, Class),
    element("MSG", "RT", Personal, Class),
    element("MSG", "SZ", Personal, Class),

    // objects
    attribute(OBJECT, "msnobj", "Creator", Address, Map),
    attribute(OBJECT, "msnobj", "Size", Plain, Keep),
    attribute(OBJECT, "msnobj", "Type", Plain, Keep),
    attribute(OBJECT, "msnobj", "Location", File, Map),
    attribute(OBJECT, "msnobj", "Friendly", Mixed, Map),
    attribute(OBJECT, "msnobj", "SHA1D", Hash, Map),
    attribute(OBJECT, "msnobj", "SHA1C", Hash, Map),
    attribute(OBJECT, "msnobj", "contenttype", Plain, Keep),

    // whole payloads
    payload("QRY", C2S, Plain, Keep),
    payload("GCF", S2C, Plain, Keep),
    payload("SDC", C2S, Kind::Text, Policy::Text),
    payload("ADL RML FQY", BOTH, Object, Map),
    payload("UUX UBX", BOTH, Object, Map),
    payload("NOT IPG PAG PGD", BOTH, Object, Map),
    payload("NNN", S2C, Mixed, Map),
    payload("UUN UBN", BOTH, Mixed, Map),
    payload("MSG UUM UBM", BOTH, Mixed, Map),
    payload("PUT DEL NFY SDG", BOTH, Mixed, Map),
    payload("*", BOTH, Plain, Drop),
];

/// Arguments that identify nobody, and what they tell is what transcripts are shared for.
pub const PUBLIC_ARGUMENTS: &[&str] = &[
    "trid",
    "length",
    "ack_type",
    "action",
    "arch",
    "capabilities",
    "challenge",
    "client",
    "client_brand",
    "client_name",
    "client_version",
    "contacts",
    "device_type",
    "dialect",
    "direct_flag",
    "domain",
    "filename",
    "groups",
    "index",
    "key",
    "lcid",
    "library",
    "list",
    "list_bits",
    "list_version",
    "list_version_or_1",
    "message_type",
    "minimum_version",
    "minutes",
    "network_id",
    "os_type",
    "os_version",
    "privacy",
    "product_id",
    "prompt",
    "reason",
    "recommended_version",
    "recommended_version2",
    "redirect_info_b64",
    "restricted",
    "seconds",
    "security_package",
    "service",
    "setting",
    "site_id",
    "status",
    "timestamp1",
    "timestamp2",
    "to_network_id",
    "total",
    "transport",
    "type",
    "verified",
];

/// Headers that identify nobody.
pub const PUBLIC_HEADERS: &[&str] = &[
    "MIME-Version",
    "Content-Type",
    "Content-Length",
    "Content-Transfer-Encoding",
    "X-MMS-IM-Format",
    "Chunks",
    "Chunk",
    "LoginTime",
    "EmailEnabled",
    "Flags",
    "ABCHMigrated",
    "MPOPEnabled",
    "BetaInvites",
    "Client-Name",
    "User-Agent",
    "Chat-Logging",
    "Invitation-Command",
    "Application-Name",
    "Launch-Application",
    "Request-Data",
    "Cancel-Code",
    "Session-Protocol",
    "Sender-Connect",
    "Connectivity",
    "Conn-Type",
    "UPnP",
    "Inbox-Unread",
    "Folders-Unread",
    "Src-Folder",
    "Dest-Folder",
    "Message-Delta",
    "Type",
    "Arg1",
    "ID",
    "Routing",
    "Reliability",
    "Messaging",
    "Publication",
    "Notification",
    "Service-Channel",
    "Options",
    "Stream",
    "Segment",
    "Flags",
    "Window",
    "Message-Type",
    "Message-Subtype",
    "Uri",
    "NotifType",
    "NotifNum",
    "Pipe",
    "Bridging-Offsets",
    "X-OIM-Message-Type",
    "X-OIM-Sequence-Num",
    "Dest-Agent",
    "Agent",
    "Supported-Features",
    "CSeq",
    "Max-Forwards",
    "AppID",
    "SChannelState",
    "RequestFlags",
    "Capabilities-Flags",
    "Bridge",
    "Bridges",
    "TCP-Conn-Type",
    "UPnPNat",
    "ICF",
    "Listening",
    "NeedConnectingEndpointInfo",
    "NAT-Trav-Msg-Type",
];
