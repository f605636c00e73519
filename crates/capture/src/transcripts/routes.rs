//! Redirects that wait for their client: what leads a connection to its session.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use msnp::Version;
use msnp::flow::{Address, Opening};
use msnp_transcript::event::JoinedBy;

use crate::sink::Peers;

/// A redirect that waits for its client.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// The number of the session that the connection will belong to.
    pub(super) session: u64,
    /// The connection on which the redirect came.
    pub(super) from: u64,
    /// The account that was redirected, if it is known.
    pub(super) account: Option<String>,
    /// The client's address.
    pub(super) client: String,
    /// Where the server sent it.
    pub(super) address: Address,
    pub(super) kind: Kind,
    pub(super) time: SystemTime,
    /// Whether a connection has followed it already.
    pub(super) used: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// To a notification server: with the versions that the client offered before.
    Login(Vec<Version>),
    Caller,
    /// To the switchboard with this session id.
    Callee(Vec<u8>),
}

/// Where a connection's first command leads.
#[derive(Debug)]
pub(super) enum Led {
    /// To a session, by a redirect of this connection.
    To { session: u64, from: u64, by: JoinedBy },
    /// To one of those that wait for a client at this address: to which shows when the account is known.
    Login,
    /// A cookie that no redirect announced.
    UnknownCookie,
    /// A login of its own.
    Nowhere,
}

/// The redirects that wait.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// By client address.
    logins: HashMap<String, Vec<Route>>,
    /// By cookie.
    switchboards: HashMap<Vec<u8>, Vec<Route>>,
}

impl Routes {
    /// Adds a redirect. If there are too many, the session of an older one that made room is returned.
    pub(super) fn add_login(&mut self, route: Route) -> Option<u64> {
        push(self.logins.entry(route.client.clone()).or_default(), route)
    }

    /// The same for a redirect to a switchboard, which will be known by this cookie.
    pub(super) fn add_switchboard(&mut self, cookie: Vec<u8>, route: Route) -> Option<u64> {
        push(self.switchboards.entry(cookie).or_default(), route)
    }

    /// Returns where a connection belongs by its first command.
    pub(super) fn find(&mut self, opening: &Opening, peers: &Peers) -> Led {
        match opening {
            Opening::Login { versions } => {
                let mut waiting = self.logins.get(&host(&peers.client)).into_iter().flatten();
                match waiting.any(|route| route.fits(versions)) {
                    true => Led::Login,
                    false => Led::Nowhere,
                }
            }
            Opening::Caller { account, cookie } => self.switchboard(cookie, account, None, peers),
            Opening::Callee { account, cookie, session } => self.switchboard(cookie, account, Some(session), peers),
            _ => Led::Nowhere,
        }
    }

    /// Takes the redirect that sent this account from this client's address: to where the connection leads if there is one,
    /// else anywhere, since addresses may have been translated on the way. One of an unknown account will do if there is none
    /// of this one.
    pub(super) fn claim_login(&mut self, peers: &Peers, account: Option<&str>) -> Option<Route> {
        let routes = self.logins.get_mut(&host(&peers.client))?;
        let rank = |route: &Route| match route.account.as_deref() {
            known @ Some(_) if known == account => Some((true, route.leads_to(&peers.server))),
            None => Some((false, route.leads_to(&peers.server))),
            Some(_) => None,
        };
        let ranked = routes.iter().enumerate().filter_map(|(index, route)| Some((rank(route)?, index)));
        // of several, the one that waits longest
        let (_, index) = ranked.max_by_key(|&(rank, index)| (rank, std::cmp::Reverse(index)))?;
        Some(routes.remove(index))
    }

    /// Forgets what has waited too long, or everything, and returns the sessions concerned.
    pub(super) fn expire(&mut self, now: Option<SystemTime>) -> Vec<u64> {
        let is_over = |route: &mut Route| {
            now.is_none_or(|now| now.duration_since(route.time).is_ok_and(|waited| waited >= LIFETIME))
        };
        let mut gone = Vec::new();
        let mut sift = |routes: &mut Vec<Route>| {
            gone.extend(routes.extract_if(.., is_over).map(|route| route.session));
            !routes.is_empty()
        };
        self.logins.retain(|_, routes| sift(routes));
        self.switchboards.retain(|_, routes| sift(routes));
        gone
    }

    /// Finds a switchboard. Servers exist that give caller and callee, or two callees, one and the same cookie.
    fn switchboard(&mut self, cookie: &[u8], account: &str, session: Option<&Vec<u8>>, peers: &Peers) -> Led {
        let routes = self.switchboards.get_mut(cookie).map(Vec::as_mut_slice).unwrap_or_default();
        let client = host(&peers.client);
        let rank = |route: &Route| {
            let fits = match &route.kind {
                Kind::Caller => session.is_none(),
                Kind::Callee(announced) => session == Some(announced),
                Kind::Login(_) => false,
            };
            let is_own = route.account.as_deref() == Some(account);
            (is_own || route.account.is_none()).then_some((
                fits,
                is_own,
                // a capture beside a proxy has each connection twice
                route.leads_to(&peers.server),
                !route.used,
                route.client == client,
            ))
        };
        let best = routes.iter_mut().filter_map(|route| Some((rank(route)?, route))).max_by_key(|(rank, _)| *rank);
        match best {
            Some((_, route)) => {
                route.used = true;
                let by = if route.kind == Kind::Caller { JoinedBy::Cookie } else { JoinedBy::Invitation };
                Led::To { session: route.session, from: route.from, by }
            }
            None => Led::UnknownCookie,
        }
    }
}

impl Route {
    fn leads_to(&self, server: &str) -> bool {
        server.parse::<SocketAddr>().is_ok_and(|server| {
            self.address.port() == server.port()
                && self.address.host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical() == server.ip().to_canonical())
        })
    }

    /// A redirected client offers what it offered before, or less.
    fn fits(&self, offered: &[Version]) -> bool {
        match &self.kind {
            Kind::Login(versions) => versions.is_empty() || offered.iter().all(|version| versions.contains(version)),
            _ => false,
        }
    }
}

/// Returns the address in `ip:port`, or all of it if it is something else.
pub(super) fn host(end: &str) -> String {
    end.parse::<SocketAddr>().map_or_else(|_| end.to_owned(), |address| address.ip().to_canonical().to_string())
}

fn push(routes: &mut Vec<Route>, route: Route) -> Option<u64> {
    let oldest = (routes.len() >= MOST_WAITING).then(|| routes.remove(0));
    routes.push(route);
    oldest.map(|route| route.session)
}

/// How long a redirect waits for its client: as in the proxy.
const LIFETIME: Duration = Duration::from_secs(120);
/// Most redirects that wait for one client address, or under one cookie; the oldest make room.
const MOST_WAITING: usize = 256;
