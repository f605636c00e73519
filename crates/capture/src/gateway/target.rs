//! What a request to a gateway asks for.

/// What a request asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Target {
    /// A new session, with a server at this address.
    Open { address: String },
    /// To go on with a session.
    Session(Vec<u8>),
    /// Nothing of a gateway.
    Other,
}

impl Target {
    /// Reads the target of a request: a path, or an absolute URI as clients of proxies send it.
    pub(super) fn of(target: &[u8]) -> Target {
        let (path, query) = match memchr::memchr(b'?', target) {
            Some(at) => (&target[..at], &target[at + 1..]),
            None => (target, &[][..]),
        };
        if !path.to_ascii_lowercase().ends_with(b"gateway.dll") {
            return Target::Other;
        }
        let value = |key| value(query, b'&', key).filter(|value| !value.is_empty());
        if value("Action").is_some_and(|action| action.eq_ignore_ascii_case(b"open")) {
            let host = value("IP").map(|host| msnp::argument::decode(host).into_owned()).unwrap_or_default();
            let host = String::from_utf8_lossy(&host).into_owned();
            let address = match msnp::flow::Address::parse(&host) {
                Some(address) => msnp::flow::Address { port: Some(address.port()), ..address }.to_string(),
                None => String::new(),
            };
            return Target::Open { address };
        }
        value("SessionID").map_or(Target::Other, |id| Target::Session(id.to_vec()))
    }
}

/// Returns the value of `key` in a list of `key=value`.
pub(super) fn value<'a>(list: &'a [u8], separator: u8, key: &str) -> Option<&'a [u8]> {
    list.split(|&byte| byte == separator).find_map(|pair| {
        let at = memchr::memchr(b'=', pair)?;
        let name = pair[..at].trim_ascii();
        name.eq_ignore_ascii_case(key.as_bytes()).then(|| pair[at + 1..].trim_ascii())
    })
}
