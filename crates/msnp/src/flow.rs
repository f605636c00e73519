//! How connections follow from one another: what opens a connection, where a server sends the client next, and what
//! the commands tell of account and version.

use std::fmt;

use crate::command::Command;
use crate::types::{Direction, ServerKind, Verb, Version};

/// A place to connect to, as `XFR` and `RNG` name it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Address {
    /// Host name or IP address; an IPv6 address without its brackets.
    pub host: String,
    /// The port, unless the server left it out.
    pub port: Option<u16>,
}

impl Address {
    /// The port of MSNP.
    pub const DEFAULT_PORT: u16 = 1863;

    /// Reads `host`, `host:port`, `[ipv6]:port`, `[ipv6]` or a bare IPv6 address.
    pub fn parse(text: &str) -> Option<Address> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']')?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        } else {
            match text.rsplit_once(':') {
                Some((host, _)) if host.contains(':') => (text, None),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        let valid = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"[]/@".contains(&byte));
        let port = match port {
            Some(port) => Some(port.parse().ok().filter(|&port| port != 0)?),
            None => None,
        };
        valid.then(|| Address { host: host.into(), port })
    }

    /// Returns the port, or the one of MSNP.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(Address::DEFAULT_PORT)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// What the first command of a client says about the connection.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Opening {
    /// `VER`: a login on a dispatch or notification server. No identity yet.
    Login {
        /// The versions offered.
        versions: Vec<Version>,
    },
    /// `USR trid account cookie`: opens the switchboard that an `XFR SB` named.
    Caller {
        /// The account, without an endpoint id.
        account: String,
        /// The cookie.
        cookie: Vec<u8>,
    },
    /// `ANS trid account cookie session`: joins the switchboard that a `RNG` named.
    Callee {
        /// The account, without an endpoint id.
        account: String,
        /// The cookie.
        cookie: Vec<u8>,
        /// The switchboard's session id.
        session: Vec<u8>,
    },
    /// Anything else.
    Other,
}

impl Opening {
    /// Reads the first command of a client.
    pub fn of(command: &Command) -> Opening {
        let arguments: Vec<&[u8]> = command.arguments().filter(|argument| !argument.is_empty()).collect();
        match (command.verb().as_bytes(), &arguments[..]) {
            (b"VER", [_, tokens @ ..]) => {
                Opening::Login { versions: tokens.iter().filter_map(|token| Version::from_token(token)).collect() }
            }
            (b"USR", [_, who, cookie]) if who.contains(&b'@') => {
                Opening::Caller { account: account_of(who), cookie: cookie.to_vec() }
            }
            (b"ANS", [_, who, cookie, session, ..]) => {
                Opening::Callee { account: account_of(who), cookie: cookie.to_vec(), session: session.to_vec() }
            }
            _ => Opening::Other,
        }
    }

    /// Returns what kind of server such an opening is meant for.
    pub fn server(&self) -> Option<ServerKind> {
        match self {
            Opening::Login { .. } => Some(ServerKind::Notification),
            Opening::Caller { .. } | Opening::Callee { .. } => Some(ServerKind::Switchboard),
            Opening::Other => None,
        }
    }
}

/// Where a server sends the client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redirect {
    /// What the address is.
    pub kind: RedirectKind,
    /// The address.
    pub address: Address,
    /// Which argument the address is, from 0.
    pub index: usize,
    /// Which argument names the server being left (MSNP7 to MSNP12), if one does.
    pub current: Option<usize>,
}

/// What a redirect leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RedirectKind {
    /// `XFR trid NS host:port ...`
    Notification {
        /// Whether the host is an HTTP gateway (`G`).
        gateway: bool,
    },
    /// `XFR trid SB host:port CKI cookie ...`: the client asked for a switchboard.
    Switchboard {
        /// The cookie that the client will show there.
        cookie: Vec<u8>,
    },
    /// `RNG session host:port CKI cookie ...`: someone invites the client.
    Invitation {
        /// The cookie that the client will show there.
        cookie: Vec<u8>,
        /// The switchboard's session id.
        session: Vec<u8>,
    },
}

impl Redirect {
    /// Reads a server's `XFR` or `RNG`; `None` for any other command, and for `XFR 0 NS 0`, which asks the client to log
    /// in again where it is.
    pub fn of(command: &Command) -> Option<Redirect> {
        if command.direction() != Direction::ServerToClient {
            return None;
        }
        let arguments: Vec<&[u8]> = command.arguments().collect();
        let address = |index: usize| {
            let text = std::str::from_utf8(arguments.get(index)?).ok()?;
            if text == "0" { None } else { Address::parse(text) }
        };
        match (command.verb().as_bytes(), &arguments[..]) {
            (b"XFR", [_, b"NS", _, rest @ ..]) => {
                let gateway = rest.first() == Some(&&b"G"[..]);
                let current = (rest.first() == Some(&&b"0"[..]) && rest.len() >= 2 && !rest[1].is_empty()).then_some(4);
                let kind = RedirectKind::Notification { gateway };
                Some(Redirect { kind, address: address(2)?, index: 2, current })
            }
            (b"XFR", [_, b"SB", _, b"CKI", cookie, ..]) => {
                let kind = RedirectKind::Switchboard { cookie: cookie.to_vec() };
                Some(Redirect { kind, address: address(2)?, index: 2, current: None })
            }
            (b"RNG", [session, _, b"CKI", cookie, ..]) => {
                let kind = RedirectKind::Invitation { cookie: cookie.to_vec(), session: session.to_vec() };
                Some(Redirect { kind, address: address(1)?, index: 1, current: None })
            }
            _ => None,
        }
    }
}

/// What is known about one connection from its commands so far.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// What the server is.
    pub server: Option<ServerKind>,
    /// The version: the one chosen, or the best one offered until then.
    pub version: Option<Version>,
    /// The account that logs in, lower-cased.
    pub account: Option<String>,
}

/// The verbs that [`Facts::learn`] looks at, with their direction.
pub const TELLING: &[(Direction, Verb)] = {
    const fn verb(name: &[u8; 3]) -> Verb {
        Verb::new(*name).expect("three capitals")
    }
    &[
        (Direction::ClientToServer, verb(b"VER")),
        (Direction::ClientToServer, verb(b"CVR")),
        (Direction::ClientToServer, verb(b"USR")),
        (Direction::ClientToServer, verb(b"ANS")),
        (Direction::ServerToClient, verb(b"VER")),
        (Direction::ServerToClient, verb(b"USR")),
        (Direction::ServerToClient, verb(b"XFR")),
    ]
};

impl Facts {
    /// Learns from one command and returns whether anything changed.
    pub fn learn(&mut self, command: &Command) -> bool {
        let before = self.clone();
        let opening = match command.direction() {
            Direction::ClientToServer => Opening::of(command),
            Direction::ServerToClient => Opening::Other,
        };
        match (&opening, command.verb().as_bytes(), command.direction()) {
            (Opening::Login { versions }, ..) => {
                self.server = Some(ServerKind::Notification);
                self.version = versions.iter().max().copied();
            }
            (Opening::Caller { account, .. } | Opening::Callee { account, .. }, ..) if self.is_at_start() => {
                self.server = Some(ServerKind::Switchboard);
                self.account = Some(account.clone());
            }
            (_, b"VER", Direction::ServerToClient) => {
                let chosen = command.arguments().skip(1).find_map(Version::from_token);
                self.version = chosen.or(self.version);
            }
            (_, b"XFR", Direction::ServerToClient)
                if matches!(Redirect::of(command), Some(Redirect { kind: RedirectKind::Notification { .. }, .. }))
                    && !self.is_logged_in(command) =>
            {
                self.server = Some(ServerKind::Dispatch);
            }
            (_, b"CVR", Direction::ClientToServer) => self.identify(command.argument(8)),
            (_, b"USR", Direction::ClientToServer) if command.argument(2) == Some(b"I") => {
                self.identify(command.argument(3));
            }
            (_, b"USR", Direction::ServerToClient) if command.argument(1) == Some(b"OK") => {
                self.identify(command.argument(2));
            }
            _ => {}
        }
        *self != before
    }

    fn is_at_start(&self) -> bool {
        self.server != Some(ServerKind::Notification)
    }

    /// A server that moves a logged-in client (`XFR 0 NS`) was a notification server.
    fn is_logged_in(&self, command: &Command) -> bool {
        command.argument(0) == Some(b"0")
    }

    fn identify(&mut self, argument: Option<&[u8]>) {
        if let Some(address) = argument.filter(|address| address.contains(&b'@')) {
            self.account = Some(account_of(address));
        }
    }
}

/// Returns the account in an argument: without an endpoint id, lower-cased.
pub fn account_of(argument: &[u8]) -> String {
    let address = argument.split(|&byte| byte == b';').next().unwrap_or(argument);
    String::from_utf8_lossy(&crate::argument::decode(address)).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(line: &str) -> Command {
        Command::new(Direction::ClientToServer, line.as_bytes(), None).unwrap()
    }

    fn server(line: &str) -> Command {
        Command::new(Direction::ServerToClient, line.as_bytes(), None).unwrap()
    }

    #[test]
    fn addresses_come_with_and_without_port_and_brackets() {
        let parse = |text| Address::parse(text).map(|address| (address.host.clone(), address.port));
        assert_eq!(parse("192.0.2.1:1863"), Some(("192.0.2.1".into(), Some(1863))));
        assert_eq!(parse("ns.example"), Some(("ns.example".into(), None)));
        assert_eq!(parse("[2001:db8::1]:1864"), Some(("2001:db8::1".into(), Some(1864))));
        assert_eq!(parse("2001:db8::1"), Some(("2001:db8::1".into(), None)));
        assert_eq!(parse("[::1]"), Some(("::1".into(), None)));
        for bad in ["", ":1863", "host:", "host:0", "host:99999", "[::1", "[::1]x", "a b:1"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(Address::parse("[::1]:5").unwrap().to_string(), "[::1]:5");
    }

    #[test]
    fn every_shape_of_redirect_is_read() {
        let shapes = [
            ("XFR 3 NS 192.0.2.10:1863", None),
            ("XFR 3 NS 192.0.2.10:1863 0", None),
            ("XFR 3 NS 192.0.2.10:1863 0 192.0.2.1:1863", Some(4)),
            ("XFR 3 NS 192.0.2.10:1863 U D", None),
            ("XFR 0 NS 192.0.2.10:1863 U D VmVyc2lvbjogMQ0K", None),
        ];
        for (line, current) in shapes {
            let redirect = Redirect::of(&server(line)).unwrap();
            assert_eq!(redirect.kind, RedirectKind::Notification { gateway: false });
            assert_eq!((redirect.address.to_string().as_str(), redirect.index), ("192.0.2.10:1863", 2));
            assert_eq!(redirect.current, current);
        }
        assert_eq!(Redirect::of(&server("XFR 0 NS 0")), None);
        assert_eq!(Redirect::of(&client("XFR 20 SB")), None);
        let board = Redirect::of(&server("XFR 20 SB 192.0.2.20 CKI 1.2.3 U messenger.msn.com 1")).unwrap();
        assert_eq!((board.kind, board.address.port()), (RedirectKind::Switchboard { cookie: b"1.2.3".into() }, 1863));
        let ring = Redirect::of(&server("RNG 11 192.0.2.20:1863 CKI 8.5 alice@example.com Alice")).unwrap();
        assert_eq!(ring.kind, RedirectKind::Invitation { cookie: b"8.5".into(), session: b"11".into() });
        assert_eq!(ring.index, 1);
    }

    #[test]
    fn openings_tell_what_the_connection_is() {
        assert_eq!(Opening::of(&client("VER 1 MSNP9 MSNP8 CVR0")).server(), Some(ServerKind::Notification));
        let caller = Opening::of(&client("USR 1 Alice@example.com;{1f2e} 1.2.3"));
        assert_eq!(caller, Opening::Caller { account: "alice@example.com".into(), cookie: b"1.2.3".into() });
        let callee = Opening::of(&client("ANS 1 bob@example.com 8.5 11"));
        assert_eq!(callee.server(), Some(ServerKind::Switchboard));
        assert_eq!(Opening::of(&client("USR 3 TWN I alice@example.com")), Opening::Other);
    }

    #[test]
    fn facts_are_learned_from_a_login() {
        let mut facts = Facts::default();
        facts.learn(&client("VER 1 MSNP9 MSNP8 CVR0"));
        assert_eq!(facts.version, Some(Version(9)));
        facts.learn(&server("VER 1 MSNP8"));
        assert_eq!((facts.version, facts.server), (Some(Version(8)), Some(ServerKind::Notification)));
        facts.learn(&client("USR 3 TWN I Alice@example.com"));
        assert_eq!(facts.account.as_deref(), Some("alice@example.com"));
        facts.learn(&server("XFR 3 NS 192.0.2.10:1863 0 192.0.2.1:1863"));
        assert_eq!(facts.server, Some(ServerKind::Dispatch));
    }
}
