//! How each version writes what a server says: the shapes of the lines that differ between versions.
//!
//! Source: protocol notes "session flow", sections 2 to 4, and the command table of [`msnp::table`].

use msnp::{TransactionId, Version};

/// What a line says about a person who is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presence<'a> {
    pub(crate) status: &'a str,
    pub(crate) email: &'a str,
    /// The friendly name in wire form.
    pub(crate) name: &'a str,
    pub(crate) capabilities: &'a str,
    /// The display picture's MSNObject in wire form.
    pub(crate) object: Option<&'a str>,
}

/// Returns the redirect from a dispatch server (`current`) to a notification server (`to`), both `host:port`.
pub(crate) fn redirect(version: Version, id: TransactionId, to: &str, current: &str) -> String {
    match version.0 {
        ..=2 => format!("XFR {id} NS {to}"),
        3..=6 => format!("XFR {id} NS {to} 0"),
        7..=12 => format!("XFR {id} NS {to} 0 {current}"),
        _ => format!("XFR {id} NS {to} U D"),
    }
}

/// Returns the address and the cookie of a switchboard that the client asked for.
pub(crate) fn switchboard(version: Version, id: TransactionId, address: &str, cookie: &str) -> String {
    format!("XFR {id} SB {address} CKI {cookie}{}", switchboard_tail(version))
}

/// Returns an invitation to a switchboard.
pub(crate) fn ring(version: Version, board: u32, address: &str, cookie: &str, email: &str, name: &str) -> String {
    format!("RNG {board} {address} CKI {cookie} {email} {name}{}", switchboard_tail(version))
}

fn switchboard_tail(version: Version) -> &'static str {
    match version.0 {
        ..=12 => "",
        13 => " U messenger.msn.com",
        _ => " U messenger.msn.com 1",
    }
}

/// Returns the end of a login that succeeded.
pub(crate) fn logged_in(version: Version, id: TransactionId, email: &str, name: &str) -> String {
    match version.0 {
        ..=5 => format!("USR {id} OK {email} {name}"),
        6..=7 => format!("USR {id} OK {email} {name} 1"),
        8..=9 => format!("USR {id} OK {email} {name} 1 0"),
        _ => format!("USR {id} OK {email} 1 0"),
    }
}

/// Returns the presence of a contact, told in answer to the first `CHG`.
pub(crate) fn initial_presence(version: Version, id: TransactionId, presence: &Presence<'_>) -> String {
    format!("ILN {id} {}", described(version, presence))
}

/// Returns the presence of a contact, told because it changed.
pub(crate) fn presence(version: Version, presence: &Presence<'_>) -> String {
    format!("NLN {}", described(version, presence))
}

fn described(version: Version, presence: &Presence<'_>) -> String {
    let Presence { status, email, name, capabilities, object } = presence;
    let with_object = |line: String, none: &str| match object {
        Some(object) => format!("{line} {object}"),
        None => format!("{line}{none}"),
    };
    match version.0 {
        ..=7 => format!("{status} {email} {name}"),
        8 => format!("{status} {email} {name} {capabilities}"),
        9..=11 => with_object(format!("{status} {email} {name} {capabilities}"), ""),
        12..=13 => with_object(format!("{status} {email} {name} {capabilities}"), " 0"),
        _ => with_object(format!("{status} {email} 1 {name} {capabilities}"), " 0"),
    }
}

/// Returns that a contact went offline.
pub(crate) fn offline(version: Version, email: &str) -> String {
    match version.0 {
        ..=13 => format!("FLN {email}"),
        _ => format!("FLN {email} 1 0"),
    }
}

/// Returns the line of a contact's personal message without the length; `None` for versions that have none.
pub(crate) fn personal_message(version: Version, email: &str) -> Option<String> {
    match version.0 {
        ..=10 => None,
        11..=13 => Some(format!("UBX {email}")),
        _ => Some(format!("UBX {email} 1")),
    }
}

/// Returns the answer to a ping.
pub(crate) fn pong(version: Version, seconds: u64) -> String {
    match version.0 {
        ..=8 => "QNG".into(),
        _ => format!("QNG {seconds}"),
    }
}

/// Returns how a participant of a switchboard is named in `IRO` and `JOI`.
pub(crate) fn participant(version: Version, email: &str, name: &str, capabilities: &str) -> String {
    match version.0 {
        ..=11 => format!("{email} {name}"),
        _ => format!("{email} {name} {capabilities}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: TransactionId = TransactionId(3);
    const BOB: Presence<'static> =
        Presence { status: "NLN", email: "bob@example.com", name: "Bob", capabilities: "0", object: None };

    #[test]
    fn redirects_have_the_shape_of_their_version() {
        let shapes =
            [2, 3, 6, 7, 12, 15].map(|version| redirect(Version(version), ID, "192.0.2.10:1863", "192.0.2.1:1863"));
        assert_eq!(
            shapes,
            [
                "XFR 3 NS 192.0.2.10:1863",
                "XFR 3 NS 192.0.2.10:1863 0",
                "XFR 3 NS 192.0.2.10:1863 0",
                "XFR 3 NS 192.0.2.10:1863 0 192.0.2.1:1863",
                "XFR 3 NS 192.0.2.10:1863 0 192.0.2.1:1863",
                "XFR 3 NS 192.0.2.10:1863 U D",
            ]
        );
    }

    #[test]
    fn switchboards_are_named_with_a_domain_from_msnp13_on() {
        assert_eq!(switchboard(Version(9), ID, "192.0.2.20:1863", "1.2.3"), "XFR 3 SB 192.0.2.20:1863 CKI 1.2.3");
        assert_eq!(
            ring(Version(15), 11752013, "192.0.2.20:1863", "8.5", "bob@example.com", "Bob"),
            "RNG 11752013 192.0.2.20:1863 CKI 8.5 bob@example.com Bob U messenger.msn.com 1"
        );
    }

    #[test]
    fn a_login_ends_in_the_shape_of_its_version() {
        let shapes = [5, 7, 9, 10, 15].map(|version| logged_in(Version(version), ID, "a@example.com", "A"));
        assert_eq!(
            shapes,
            [
                "USR 3 OK a@example.com A",
                "USR 3 OK a@example.com A 1",
                "USR 3 OK a@example.com A 1 0",
                "USR 3 OK a@example.com 1 0",
                "USR 3 OK a@example.com 1 0",
            ]
        );
    }

    #[test]
    fn presence_grows_with_the_version() {
        let with_object = Presence { object: Some("%3Cmsnobj/%3E"), ..BOB };
        assert_eq!(initial_presence(Version(2), ID, &with_object), "ILN 3 NLN bob@example.com Bob");
        assert_eq!(presence(Version(8), &with_object), "NLN NLN bob@example.com Bob 0");
        assert_eq!(presence(Version(9), &with_object), "NLN NLN bob@example.com Bob 0 %3Cmsnobj/%3E");
        assert_eq!(presence(Version(11), &BOB), "NLN NLN bob@example.com Bob 0");
        assert_eq!(initial_presence(Version(15), ID, &BOB), "ILN 3 NLN bob@example.com 1 Bob 0 0");
        assert_eq!(offline(Version(12), "bob@example.com"), "FLN bob@example.com");
        assert_eq!(offline(Version(15), "bob@example.com"), "FLN bob@example.com 1 0");
    }

    #[test]
    fn old_versions_are_told_nothing_that_they_do_not_know() {
        assert_eq!(personal_message(Version(10), "bob@example.com"), None);
        assert_eq!(pong(Version(8), 50), "QNG");
        assert_eq!(pong(Version(9), 50), "QNG 50");
        assert_eq!(participant(Version(11), "bob@example.com", "Bob", "0"), "bob@example.com Bob");
        assert_eq!(participant(Version(12), "bob@example.com", "Bob", "0"), "bob@example.com Bob 0");
    }
}
