//! The pen: what becomes of one value, decoded, of a known kind.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;

use super::classes::{blank, class, class_bytes, stars};
use super::kind::{Kind, Policy, TextPolicy};
use super::names::{Mode, Names};
use super::net::Net;
use super::{pseudonym, xml};

/// Replaces values, in the context of one command.
#[derive(Debug)]
pub(super) struct Pen<'a> {
    pub(super) names: &'a mut Names,
    /// Known values in texts that stay; there is none while values are learned.
    pub(super) net: Option<&'a Net>,
    pub(super) text: TextPolicy,
    /// The account whose name stands next, if one was just met.
    pub(super) person: Option<String>,
    /// The account that the session belongs to.
    pub(super) owner: Option<String>,
    /// Places where a secret was replaced by `*`.
    pub(super) masked: Vec<String>,
    /// How deep documents lie within documents.
    pub(super) depth: usize,
}

impl Pen<'_> {
    /// Returns what a value becomes.
    pub(super) fn value(&mut self, kind: Kind, policy: Policy, value: &str) -> String {
        if value.is_empty() || value.bytes().all(|byte| byte == b'*') {
            return value.to_owned();
        }
        match policy {
            Policy::Keep => self.keep(value),
            Policy::Drop => {
                self.names.drop_value(kind, value);
                stars(value)
            }
            Policy::Class if kind == Kind::Url => match value.split_once("://") {
                Some((scheme, rest)) => {
                    let host = rest.split(['/', '?', '#', '@']).next().unwrap_or_default();
                    format!("{}://{}{}", self.keep(scheme), self.keep(host), class(&rest[host.len()..]))
                }
                None => class(value),
            },
            Policy::Class => {
                self.names.drop_value(kind, value);
                class(value)
            }
            Policy::Text => self.words(value),
            Policy::Map => self.map(kind, value),
        }
    }

    /// Returns what bytes in an unknown character set become, where the policy is one of texts.
    pub(super) fn text_bytes(&mut self, bytes: &[u8]) -> Vec<u8> {
        match (self.text, std::str::from_utf8(bytes)) {
            (TextPolicy::Keep, Ok(text)) => self.words(text).into_bytes(),
            (TextPolicy::Drop, _) => blank(bytes),
            _ => class_bytes(bytes),
        }
    }

    /// Returns a text that stays, but for the values, addresses, GUIDs and IP addresses within it.
    pub(super) fn keep(&mut self, text: &str) -> String {
        let known = self.net.and_then(|net| net.replace(text));
        let text = known.as_deref().unwrap_or(text);
        if !text.bytes().any(|byte| matches!(byte, b'@' | b'-' | b'.' | b':')) {
            return text.to_owned();
        }
        let text = ADDRESS.replace_all(text, |found: &regex::Captures<'_>| self.address(&found[0]));
        let text = GUID.replace_all(&text, |found: &regex::Captures<'_>| self.map(Kind::Guid, &found[0]));
        let text = IP.replace_all(&text, |found: &regex::Captures<'_>| match found[0].parse::<std::net::IpAddr>() {
            Ok(ip) => self.server_ip(&found[0], ip),
            Err(_) => found[0].to_owned(),
        });
        text.into_owned()
    }

    /// Returns a value of a place that nobody documents: as [`Pen::keep`], and what is longer than a name would be, goes.
    pub(super) fn unknown(&mut self, value: &str) -> String {
        let is_number = value.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b':' | b'-'));
        if value.len() > LONGEST_UNKNOWN && !is_number && !value.contains('@') && !pseudonym::is_guid(value) {
            return class(value);
        }
        self.keep(value)
    }

    /// Returns a value of a document's place that nobody documents: what is no plain number or truth value goes.
    pub(super) fn undocumented(&mut self, value: &str) -> String {
        let is_harmless = matches!(value, "true" | "false" | "True" | "False" | "")
            || value.len() <= 5 && value.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b':'));
        if is_harmless {
            return value.to_owned();
        }
        if value.contains('@') || pseudonym::is_guid(value) {
            let kept = self.keep(value);
            if self.names.mode() != Mode::Write {
                return kept;
            }
            // what surrounds the address is as unknown as before
            return if is_made(&kept) { kept } else { class(value) };
        }
        class(value)
    }

    fn words(&mut self, value: &str) -> String {
        match self.text {
            TextPolicy::Keep => {
                let text = self.keep(value);
                PHONE.replace_all(&text, |found: &regex::Captures<'_>| self.map(Kind::Phone, &found[0])).into_owned()
            }
            TextPolicy::Class => class(value),
            TextPolicy::Drop => "x".repeat(value.len()),
        }
    }

    fn map(&mut self, kind: Kind, value: &str) -> String {
        match kind {
            Kind::Address => self.address(value),
            Kind::Name => self.name(value),
            Kind::Guid => self.each(value, |pen, guid| pen.guid(guid)),
            Kind::Ip => self.each(value, |pen, ip| pen.names.look(Kind::Ip, ip, None)),
            Kind::Port => self.each(value, |pen, port| match port.parse::<u16>() {
                Ok(_) => pen.names.look(Kind::Port, port, None),
                Err(_) => class(port),
            }),
            Kind::Phone => self.phone(value),
            Kind::Server => self.server(value),
            Kind::Url => self.url(value),
            Kind::Ticket => self.ticket(value),
            Kind::Object => self.object(value),
            Kind::Number | Kind::Puid
                if !value.bytes().all(|byte| byte.is_ascii_hexdigit() || b"xX:-{}".contains(&byte)) =>
            {
                self.undocumented(value)
            }
            Kind::Number if pseudonym::is_guid(value) => self.guid(value),
            Kind::Text | Kind::Plain | Kind::Mixed => self.keep(value),
            // a column further than the table has it
            Kind::Group if pseudonym::is_guid(value) => self.guid(value),
            kind => self.names.look(kind, value, None),
        }
    }

    /// `1:bob@example.org;via=9:guid@live.com;{guid}`, `N=` and the like left out.
    fn address(&mut self, value: &str) -> String {
        let mut parts = value.split(';');
        let mut out = self.account(parts.next().unwrap_or_default(), true);
        for part in parts {
            out.push(';');
            let part = match part.split_once('=') {
                Some((key, part)) if key.eq_ignore_ascii_case("via") => format!("{key}={}", self.account(part, false)),
                Some((key, part)) if key.eq_ignore_ascii_case("epid") => format!("{key}={}", self.guid(part)),
                Some((key, part)) if key.eq_ignore_ascii_case("path") => format!("{key}={}", self.keep(part)),
                _ if pseudonym::is_guid(part) => self.guid(part),
                _ => self.undocumented(part),
            };
            out.push_str(&part);
        }
        out
    }

    fn account(&mut self, value: &str, is_person: bool) -> String {
        let (prefix, plain) = match value.split_once(':') {
            Some((network, plain)) if !network.is_empty() && network.bytes().all(|byte| byte.is_ascii_digit()) => {
                value.split_at(value.len() - plain.len())
            }
            _ => ("", value),
        };
        let plain = match plain.get(..4) {
            Some(tel) if tel.eq_ignore_ascii_case("tel:") => self.phone(plain),
            _ if plain.contains('@') => {
                if is_person {
                    self.person = Some(Kind::Address.key(plain));
                }
                self.names.look(Kind::Address, plain, None)
            }
            _ if pseudonym::is_guid(plain) => self.guid(plain),
            _ if is_phone(plain) => self.phone(plain),
            // an index, a language
            _ if plain.len() <= 6
                && plain.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'x')
                && plain.starts_with(|c: char| c.is_ascii_digit()) =>
            {
                self.keep(plain)
            }
            _ if plain == "fb" => plain.to_owned(),
            _ => self.names.look(Kind::Address, plain, None),
        };
        format!("{prefix}{plain}")
    }

    fn name(&mut self, value: &str) -> String {
        match ADDRESS.find(value) {
            // the default friendly name is the account
            Some(found) if found.len() == value.len() => self.names.look(Kind::Address, value, None),
            _ => {
                let person = self.person.clone();
                self.names.look(Kind::Name, value, person.as_deref())
            }
        }
    }

    fn guid(&mut self, value: &str) -> String {
        let bare = value.trim_matches(['{', '}']);
        // before MSNP10 groups have small numbers
        if !pseudonym::is_guid(bare) {
            return self.undocumented(value);
        }
        value.replace(bare, &self.names.look(Kind::Guid, bare, None))
    }

    fn phone(&mut self, value: &str) -> String {
        let (prefix, number) = match value.get(..4) {
            Some(tel) if tel.eq_ignore_ascii_case("tel:") => value.split_at(4),
            _ => ("", value),
        };
        if number.chars().filter(char::is_ascii_digit).count() < 3 {
            return format!("{prefix}{}", self.undocumented(number));
        }
        format!("{prefix}{}", self.names.look(Kind::Phone, number, None))
    }

    /// Each of several values that stand with spaces, commas or semicolons between them.
    fn each(&mut self, value: &str, one: impl Fn(&mut Self, &str) -> String) -> String {
        let mut out = String::with_capacity(value.len());
        for part in value.split_inclusive([' ', ',', ';', '|']) {
            let plain = part.trim_end_matches([' ', ',', ';', '|']);
            if !plain.is_empty() {
                out.push_str(&one(self, plain));
            }
            out.push_str(&part[plain.len()..]);
        }
        out
    }

    /// `host:port`. Servers are public, unless they are in a private network or a client too.
    pub(super) fn server(&mut self, value: &str) -> String {
        match msnp::flow::Address::parse(value) {
            Some(address) => match address.host.parse() {
                Ok(ip) => value.replacen(&address.host, &self.server_ip(&address.host, ip), 1),
                Err(_) if is_own_host(&address.host) => class(value),
                Err(_) => self.keep(value),
            },
            None => self.undocumented(value),
        }
    }

    /// `ip:port` of a client.
    pub(super) fn client(&mut self, value: &str) -> String {
        match msnp::flow::Address::parse(value) {
            Some(address) if address.host.parse::<std::net::IpAddr>().is_ok() => {
                value.replacen(&address.host, &self.names.look(Kind::Ip, &address.host, None), 1)
            }
            _ => self.undocumented(value),
        }
    }

    fn server_ip(&mut self, text: &str, ip: std::net::IpAddr) -> String {
        match pseudonym::is_private(ip) || self.names.knows(Kind::Ip, text) {
            true => self.names.look(Kind::Ip, text, None),
            false => text.to_owned(),
        }
    }

    /// An address on the web: what stands in its query and fragment goes, path and host stay.
    fn url(&mut self, value: &str) -> String {
        let end = value.find(['?', '#']).unwrap_or(value.len());
        let (path, query) = value.split_at(end);
        // what stands before an @ in the host lets somebody in
        let path = match path.split_once("://") {
            Some((scheme, rest)) => match rest.split('/').next().and_then(|host| host.rsplit_once('@')) {
                Some((user, _)) => format!("{scheme}://{}{}", stars(user), &rest[user.len()..]),
                None => path.to_owned(),
            },
            None => path.to_owned(),
        };
        let mut out: String = path.split_inclusive('/').map(|part| self.segment(part)).collect();
        for part in query.split_inclusive(['?', '&', '#', ';']) {
            let plain = part.trim_end_matches(['?', '&', '#', ';']);
            let masked = match plain.split_once('=') {
                Some((key, value)) => format!("{}={}", self.keep(key), self.value(Kind::Secret, Policy::Drop, value)),
                None => stars(plain),
            };
            out.push_str(&masked);
            out.push_str(&part[plain.len()..]);
        }
        out
    }

    fn segment(&mut self, part: &str) -> String {
        let plain = part.trim_end_matches('/');
        format!("{}{}", self.unknown(plain), &part[plain.len()..])
    }

    /// `t=...&p=...`, or a ticket without its parts.
    fn ticket(&mut self, value: &str) -> String {
        let is_parted = value.starts_with("t=") || value.contains("&p=");
        if !is_parted {
            return self.names.look(Kind::Ticket, value, None);
        }
        let parts: Vec<String> = value
            .split('&')
            // the padding of base64 is no end of a key
            .map(|part| match part.split_once('=').filter(|(key, _)| matches!(*key, "t" | "p")) {
                Some((key, part)) => format!("{key}={}", self.names.look(Kind::Ticket, part, None)),
                None => self.names.look(Kind::Ticket, part, None),
            })
            .collect();
        parts.join("&")
    }

    /// An MSNObject, `0` or another document.
    fn object(&mut self, value: &str) -> String {
        match xml::redact(self, value) {
            Some(object) => object,
            None => self.undocumented(value),
        }
    }

    /// A name in base64 and UTF-16, as objects have it.
    pub(super) fn wide_name(&mut self, value: &str) -> String {
        let Ok(bytes) = STANDARD.decode(value.trim()) else { return class(value) };
        let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
        let text = String::from_utf16_lossy(&units);
        let name = text.trim_end_matches('\0');
        if name.is_empty() {
            return value.to_owned();
        }
        let person = self.person.take();
        let mapped = self.name(name);
        self.person = person;
        if mapped == name {
            return value.to_owned();
        }
        let bytes: Vec<u8> = mapped.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        STANDARD.encode(bytes)
    }
}

/// Whether a text is one pseudonym and nothing around it but braces and a network's number.
fn is_made(text: &str) -> bool {
    let bare = text.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(':');
    bare.split(';').all(|part| {
        let part = part.split_once('=').map_or(part, |(_, part)| part);
        let part = part.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(':');
        [Kind::Address, Kind::Guid].iter().any(|kind| pseudonym::is_one(*kind, part))
    })
}

/// Whether a host's name means something in one house only.
fn is_own_host(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host != "localhost" && (!host.contains('.') || OWN_DOMAINS.iter().any(|domain| host.ends_with(domain)))
}

fn is_phone(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    digits >= 7 && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-() .".contains(&byte))
}

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of this file")
}

static ADDRESS: LazyLock<Regex> = LazyLock::new(|| pattern(r"[\w.+\-]{1,128}@[\w-]+(?:\.[\w-]+)*"));
static GUID: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"));
static IP: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\b(?:[0-9A-Fa-f]{1,4}:){2,7}(?::?[0-9A-Fa-f]{1,4}){1,6}\b|\bfe80::[0-9A-Fa-f:]+\b",
    )
});
static PHONE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\+?\d[\d ()/.-]{5,}\d"));

const OWN_DOMAINS: &[&str] = &[".lan", ".local", ".home", ".internal", ".localdomain", ".home.arpa"];
/// A value of an unknown place that is longer holds something: a ticket, a document.
const LONGEST_UNKNOWN: usize = 40;
