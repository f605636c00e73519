//! What pseudonyms look like. Each form is reserved for examples where there is such a thing: `example.com`, 555-01,
//! documentation addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;

use super::kind::Kind;

/// The domain of everybody.
pub(super) const DOMAIN: &str = "example.com";

/// What stands behind a name at the domain of an account that is kept: `bob.example@bots.example.org`.
pub(super) const MARK: &str = ".example";

/// The people of protocols since 1978, one for each letter; from the twenty-seventh on people have numbers.
pub(super) const PEOPLE: [&str; 26] = [
    "Alice", "Bob", "Carol", "Dave", "Erin", "Frank", "Grace", "Heidi", "Ivan", "Judy", "Karl", "Laura", "Mallory",
    "Niaj", "Olivia", "Peggy", "Quentin", "Rupert", "Sybil", "Trent", "Ursula", "Victor", "Walter", "Xavier", "Yvonne",
    "Zoe",
];

/// Returns the pseudonym of this number. The first number is 1.
pub(super) fn of(kind: Kind, original: &str, number: u64) -> String {
    match kind {
        Kind::Guid => format!("{GUIDS}{number:012}"),
        Kind::Number => (10_000_000 + number).to_string(),
        Kind::Puid => format!("0x00000000:0x{number:08}"),
        Kind::Port => (40_000 + number % 25_000).to_string(),
        Kind::Phone => format!("+1555010{number:02}"),
        Kind::Ip => ip(original, number).to_string(),
        Kind::Hash => {
            let mut bytes = [0; 20];
            bytes[12..].copy_from_slice(&number.to_be_bytes());
            STANDARD.encode(bytes)
        }
        Kind::File => match original.rsplit_once('.') {
            Some((_, end)) if EXTENSIONS.contains(&end.to_ascii_lowercase().as_str()) => {
                format!("file-{number:02}.{}", end.to_ascii_lowercase())
            }
            _ => format!("file-{number:02}"),
        },
        Kind::Group => format!("Group {number}"),
        kind => format!("{kind}-{number:02}"),
    }
}

/// Whether a value could be a pseudonym.
pub(super) fn is_one(kind: Kind, value: &str) -> bool {
    let is = |form: &Regex| form.is_match(value);
    match kind {
        Kind::Address => match value.rsplit_once('@') {
            Some((local, domain)) => domain.eq_ignore_ascii_case(DOMAIN) && is_local(local),
            None => is_local(value),
        },
        Kind::Domain => value == DOMAIN,
        Kind::Name => is_one(Kind::Address, value) || is(&NAME),
        Kind::Guid => kind.key(value).starts_with(GUIDS),
        Kind::Number => value.len() == 8 && value.starts_with("100"),
        Kind::Puid => value.starts_with("0x00000000:0x0000"),
        Kind::Port => value.parse::<u16>().is_ok_and(|port| port > 40_000),
        Kind::Phone => kind.key(value).starts_with("1555010"),
        Kind::Ip => value
            .parse()
            .is_ok_and(|ip: IpAddr| (1..2).any(|number| of(kind, value, number) == value) || is_reserved(ip)),
        Kind::Hash => value.len() == 28 && value.starts_with("AAAAAAAAAAAAAAAAAAAAA"),
        Kind::Group => is(&GROUP),
        _ => is(&NUMBERED) && value.starts_with(kind.as_str()),
    }
}

/// Returns the name that goes with a pseudonym of an account; `None` for one that is not a person's.
pub(super) fn display(account: &str) -> Option<String> {
    let local = account.split('@').next()?;
    let local = local.strip_suffix(MARK).unwrap_or(local);
    if let Some(number) = local.strip_prefix("person").filter(|number| number.parse::<u64>().is_ok()) {
        return Some(format!("Person {number}"));
    }
    PEOPLE.iter().find(|name| name.eq_ignore_ascii_case(local)).map(|name| (*name).to_owned())
}

/// Whether a text is a GUID, with braces or without.
pub(super) fn is_guid(text: &str) -> bool {
    let bare = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    bare.len() == 36
        && bare.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether an address belongs to a network that is not the internet.
pub(super) fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => matches!(ip.segments()[0] & 0xfe00, 0xfc00) || ip.segments()[0] & 0xffc0 == 0xfe80,
    }
}

fn ip(original: &str, number: u64) -> IpAddr {
    let [.., high, low] = (number as u32).to_be_bytes();
    match original.parse::<IpAddr>() {
        Ok(IpAddr::V6(ip)) if is_private(ip.into()) => {
            Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, (number >> 16) as u16, number as u16).into()
        }
        Ok(IpAddr::V6(_)) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, (number >> 16) as u16, number as u16).into(),
        Ok(IpAddr::V4(ip)) if ip.is_link_local() && number < 256 => Ipv4Addr::new(169, 254, 0, low).into(),
        Ok(IpAddr::V4(ip)) if ip.is_private() || ip.is_link_local() => {
            Ipv4Addr::new(10, (number >> 16) as u8, high, low).into()
        }
        _ if number < 255 => Ipv4Addr::new(203, 0, 113, low).into(),
        // for benchmarks between networks: nobody's
        _ => Ipv4Addr::new(198, 18 | ((number >> 16) as u8 & 1), high, low).into(),
    }
}

fn is_reserved(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, third, _] = ip.octets();
            matches!((first, second, third), (203, 0, 113) | (198, 18 | 19, _) | (10, 0, _) | (169, 254, 0))
        }
        IpAddr::V6(ip) => {
            let segments = ip.segments();
            matches!(segments[..2], [0x2001, 0xdb8] | [0xfd00, 0]) && segments[2..6] == [0; 4]
        }
    }
}

fn is_local(local: &str) -> bool {
    let is_person = local.strip_prefix("person").is_some_and(|number| number.parse::<u32>().is_ok());
    is_person || PEOPLE.iter().any(|name| name.eq_ignore_ascii_case(local)) || local.starts_with(GUIDS)
}

/// What a pseudonymous GUID starts with.
const GUIDS: &str = "00000000-0000-4000-8000-";
const EXTENSIONS: &[&str] =
    &["dat", "tmp", "gif", "png", "jpg", "jpeg", "wav", "cab", "pcap", "pcapng", "txt", "log", "xml", "jsonl"];

static NAME: LazyLock<Regex> =
    LazyLock::new(|| form(&format!("^(?:(?:{}|Person \\d+)(?: \\d+)?|Name \\d+)$", PEOPLE.join("|"))));
static GROUP: LazyLock<Regex> = LazyLock::new(|| form(r"^Group \d+$"));
static NUMBERED: LazyLock<Regex> = LazyLock::new(|| form(r"^[a-z]+-\d{2,}(?:\.[a-z]+)?$"));

fn form(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of this file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pseudonym_is_known_as_one() {
        let originals = [
            (Kind::Guid, "7c2f0f4e-1111-4222-8333-0123456789ab"),
            (Kind::Number, "216498"),
            (Kind::Puid, "0x00030000:0x84A5C3F1"),
            (Kind::Port, "6891"),
            (Kind::Phone, "+442079460000"),
            (Kind::Ip, "192.168.1.20"),
            (Kind::Ip, "8.8.8.8"),
            (Kind::Ip, "2a00:1450::1"),
            (Kind::Ip, "fe80::1"),
            (Kind::Ip, "169.254.3.4"),
            (Kind::Hash, "TWFuIGlzIGRpc3Rpbmd1aXNoZWQ="),
            (Kind::File, "holiday.png"),
            (Kind::Cookie, "1.2.3"),
            (Kind::Ticket, "EwCo"),
            (Kind::Session, "x"),
            (Kind::Group, "Friends"),
        ];
        for (kind, original) in originals {
            for number in [1, 2, 99, 300] {
                let made = of(kind, original, number);
                assert!(is_one(kind, &made), "{kind} {made}");
            }
            assert!(!is_one(kind, original), "{kind} {original}");
        }
        assert_eq!(of(Kind::Ip, "192.168.1.20", 3), "10.0.0.3");
        assert_eq!(display("person27@example.com").as_deref(), Some("Person 27"));
    }
}
