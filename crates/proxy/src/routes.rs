//! Redirects that wait for their client: what leads a connection to its server and to its session.
//!
//! A switchboard is found by the cookie in its first command. A notification server is found by the address of the
//! client, and its login belongs to the redirect of the same account; several logins behind one address are told apart
//! by that, and by ports of their own if their servers differ.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use msnp::Version;
use msnp::flow::{Address, Opening};
use msnp_transcript::event::JoinedBy;

use crate::session::Session;

/// A redirect that waits for its client.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    number: u64,
    /// Where the server sent the client.
    pub(crate) upstream: Address,
    /// The session that the connection will belong to.
    pub(crate) session: Arc<Session>,
    /// The connection on which the redirect came.
    pub(crate) from: u64,
    /// The account that was redirected, if it is known.
    account: Option<String>,
    client: IpAddr,
    kind: Kind,
    expires: Instant,
    /// Whether a connection has followed it already.
    used: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    Notification { versions: Vec<Version>, own_port: bool },
    Caller,
    Callee { session: Vec<u8> },
}

/// What a redirect leads from and to, before it is one.
#[derive(Debug)]
pub(crate) struct Announcement {
    pub(crate) upstream: Address,
    pub(crate) session: Arc<Session>,
    pub(crate) from: u64,
    pub(crate) account: Option<String>,
    pub(crate) client: IpAddr,
}

/// Where a connection's first command leads.
#[derive(Debug)]
pub(crate) enum Found {
    /// To a pending redirect, whose session it belongs to.
    Route(Route, JoinedBy),
    /// To the server of pending redirects; to whose session shows when the account is known.
    Upstream(Address),
    /// A cookie that no redirect announced.
    UnknownCookie,
    /// A login of its own.
    Nothing,
}

/// The redirects that wait.
#[derive(Debug)]
pub(crate) struct Routes {
    table: Mutex<Table>,
    lifetime: Duration,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    logins: HashMap<IpAddr, Vec<Route>>,
    switchboards: HashMap<Vec<u8>, Vec<Route>>,
    /// The numbers and cookies of those that each connection announced, in order.
    announced: HashMap<u64, VecDeque<(u64, Vec<u8>)>>,
}

/// Most redirects that wait for one client address, under one cookie, or from one connection; the oldest make room.
const MOST_PENDING: usize = 256;

impl Routes {
    pub(crate) fn new(lifetime: Duration) -> Routes {
        Routes { table: Mutex::default(), lifetime }
    }

    /// Whether a redirect to `upstream` would be confused with one that waits for the same client address already.
    pub(crate) fn needs_own_port(&self, client: IpAddr, upstream: &Address) -> bool {
        let now = Instant::now();
        self.lock().logins.get(&client).is_some_and(|routes| {
            routes.iter().any(|route| route.is_pending(now) && !route.has_own_port() && route.upstream != *upstream)
        })
    }

    /// Adds a redirect to a notification server. `versions` are those that the client offered before.
    pub(crate) fn add_login(&self, from: Announcement, versions: Vec<Version>, own_port: bool) -> Route {
        let client = from.client;
        self.add(from, Kind::Notification { versions, own_port }, |table| table.logins.entry(client).or_default())
    }

    /// Adds a redirect to a switchboard: of a caller, or of a callee with the switchboard's session id.
    pub(crate) fn add_switchboard(&self, from: Announcement, cookie: Vec<u8>, session: Option<Vec<u8>>) -> Route {
        let kind = session.map_or(Kind::Caller, |session| Kind::Callee { session });
        let route = self.add(from, kind, |table| table.switchboards.entry(cookie.clone()).or_default());
        let mut table = self.lock();
        let announced = table.announced.entry(route.from).or_default();
        announced.push_back((route.number, cookie));
        let oldest = if announced.len() > MOST_PENDING { announced.pop_front() } else { None };
        let gone = oldest.map(|(number, cookie)| table.remove_switchboard(number, &cookie));
        drop(table);
        // a session may end with its last route, which observers hear of: not under the lock
        drop(gone);
        route
    }

    /// Returns where a connection goes by its first command.
    pub(crate) fn find(&self, opening: &Opening, client: IpAddr) -> Found {
        let now = Instant::now();
        let mut table = self.lock();
        match opening {
            Opening::Login { versions } => {
                let pending = table.logins.get(&client).into_iter().flatten();
                let mut pending = pending.filter(|route| route.is_pending(now) && !route.has_own_port());
                pending
                    .find(|route| route.fits_versions(versions))
                    .map_or(Found::Nothing, |route| Found::Upstream(route.upstream.clone()))
            }
            Opening::Caller { account, cookie } => table.switchboard(cookie, account, None, client, now),
            Opening::Callee { account, cookie, session } => {
                table.switchboard(cookie, account, Some(session), client, now)
            }
            // not MSNP: it may be what a client says to an HTTP gateway that it was sent to
            _ => table
                .logins
                .get(&client)
                .into_iter()
                .flatten()
                .find(|route| route.is_pending(now) && !route.has_own_port())
                .map_or(Found::Nothing, |route| Found::Upstream(route.upstream.clone())),
        }
    }

    /// Takes the redirect that sent `account` from `client` to `upstream` (anywhere, if that is not told); one of an unknown account will do if there is
    /// none of this one.
    pub(crate) fn claim_login(
        &self,
        client: IpAddr,
        upstream: Option<&Address>,
        account: Option<&str>,
    ) -> Option<Route> {
        let now = Instant::now();
        let mut table = self.lock();
        let routes = table.logins.get_mut(&client)?;
        let fits = |route: &Route, whose: Option<&str>| {
            let leads_there = upstream.is_none_or(|upstream| route.upstream == *upstream);
            route.is_pending(now) && !route.has_own_port() && leads_there && route.account.as_deref() == whose
        };
        let index = account
            .and_then(|account| routes.iter().position(|route| fits(route, Some(account))))
            .or_else(|| routes.iter().position(|route| fits(route, None)))?;
        Some(routes.remove(index))
    }

    /// Forgets a redirect whose own port has been used, and returns whether it was still waiting.
    pub(crate) fn remove(&self, route: &Route) -> bool {
        let mut table = self.lock();
        let Some(routes) = table.logins.get_mut(&route.client) else { return false };
        let before = routes.len();
        let gone: Vec<Route> = routes.extract_if(.., |known| known.number == route.number).collect();
        let removed = before != routes.len();
        drop(table);
        // a session may end with its last route, which observers hear of: not under the lock
        drop(gone);
        removed
    }

    /// Forgets the logins of a client address that lead to a server which cannot be reached: they would lead everybody
    /// there who comes from that address. Returns how many they were.
    pub(crate) fn forget_upstream(&self, client: IpAddr, upstream: &Address) -> usize {
        let mut table = self.lock();
        let Some(routes) = table.logins.get_mut(&client) else { return 0 };
        let gone: Vec<Route> = routes.extract_if(.., |route| route.upstream == *upstream).collect();
        drop(table);
        gone.len()
    }

    /// Forgets what has expired.
    pub(crate) fn expire(&self) {
        self.forget(|route, now| !route.is_pending(now));
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.forget(|_, _| true);
    }

    fn forget(&self, is_over: impl Fn(&Route, Instant) -> bool) {
        let now = Instant::now();
        let mut gone = Vec::new();
        let mut table = self.lock();
        let Table { logins, switchboards, announced, .. } = &mut *table;
        logins.retain(|_, routes| {
            gone.extend(routes.extract_if(.., |route| is_over(route, now)));
            !routes.is_empty()
        });
        switchboards.retain(|_, routes| {
            gone.extend(routes.extract_if(.., |route| is_over(route, now)));
            !routes.is_empty()
        });
        if !gone.is_empty() {
            let numbers: HashSet<u64> = gone.iter().map(|route| route.number).collect();
            announced.retain(|_, waiting| {
                waiting.retain(|(number, _)| !numbers.contains(number));
                !waiting.is_empty()
            });
        }
        drop(table);
        drop(gone);
    }

    fn add(&self, from: Announcement, kind: Kind, place: impl FnOnce(&mut Table) -> &mut Vec<Route>) -> Route {
        let Announcement { upstream, session, from, account, client } = from;
        let mut table = self.lock();
        table.next += 1;
        let expires = Instant::now() + self.lifetime;
        let route = Route { number: table.next, upstream, session, from, account, client, kind, expires, used: false };
        let routes = place(&mut table);
        let oldest = (routes.len() >= MOST_PENDING).then(|| routes.remove(0));
        routes.push(route.clone());
        drop(table);
        drop(oldest);
        route
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn remove_switchboard(&mut self, number: u64, cookie: &[u8]) -> Vec<Route> {
        let Some(routes) = self.switchboards.get_mut(cookie) else { return Vec::new() };
        let gone = routes.extract_if(.., |route| route.number == number).collect();
        if routes.is_empty() {
            self.switchboards.remove(cookie);
        }
        gone
    }

    /// Finds a switchboard. Servers exist that give caller and callee, or two callees, one and the same cookie.
    fn switchboard(
        &mut self,
        cookie: &[u8],
        account: &str,
        session: Option<&Vec<u8>>,
        client: IpAddr,
        now: Instant,
    ) -> Found {
        let routes = self.switchboards.get_mut(cookie).map(Vec::as_mut_slice).unwrap_or_default();
        let rank = |route: &Route| {
            let fits = match &route.kind {
                Kind::Caller => session.is_none(),
                Kind::Callee { session: announced } => session == Some(announced),
                Kind::Notification { .. } => false,
            };
            let is_own = route.account.as_deref() == Some(account);
            (route.is_pending(now) && (is_own || route.account.is_none())).then_some((
                fits,
                is_own,
                !route.used,
                route.client == client,
            ))
        };
        // a callee whose client mangles the session id is still known by cookie and account
        let best = routes.iter_mut().filter_map(|route| Some((rank(route)?, route))).max_by_key(|(rank, _)| *rank);
        match best {
            Some((_, route)) => {
                route.used = true;
                let by = if route.kind == Kind::Caller { JoinedBy::Cookie } else { JoinedBy::Invitation };
                Found::Route(route.clone(), by)
            }
            None => Found::UnknownCookie,
        }
    }
}

impl Route {
    fn is_pending(&self, now: Instant) -> bool {
        self.expires > now
    }

    /// Returns when the redirect expires.
    pub(crate) fn expires(&self) -> Instant {
        self.expires
    }

    fn has_own_port(&self) -> bool {
        matches!(self.kind, Kind::Notification { own_port: true, .. })
    }

    /// A redirected client offers what it offered before, or less.
    fn fits_versions(&self, offered: &[Version]) -> bool {
        match &self.kind {
            Kind::Notification { versions, .. } => {
                versions.is_empty() || offered.iter().all(|version| versions.contains(version))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::observer::Observers;

    fn session() -> Arc<Session> {
        Arc::new(Session::start(Observers::new(Vec::new()), SystemTime::UNIX_EPOCH))
    }

    fn announce(session: &Arc<Session>, upstream: &str, account: Option<&str>) -> Announcement {
        Announcement {
            upstream: Address::parse(upstream).unwrap(),
            session: Arc::clone(session),
            from: 1,
            account: account.map(str::to_owned),
            client: IpAddr::from([127, 0, 0, 1]),
        }
    }

    fn login(versions: &[u8]) -> Opening {
        Opening::Login { versions: versions.iter().map(|&version| Version(version)).collect() }
    }

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const LONG: Duration = Duration::from_secs(1000);

    #[test]
    fn two_logins_behind_one_address_are_told_apart_by_account() {
        let routes = Routes::new(LONG);
        let (alice, bob) = (session(), session());
        routes.add_login(announce(&alice, "ns:1863", Some("alice@a")), vec![Version(8)], false);
        routes.add_login(announce(&bob, "ns:1863", Some("bob@a")), vec![Version(8)], false);
        assert!(matches!(routes.find(&login(&[8]), CLIENT), Found::Upstream(address) if address.host == "ns"));
        let upstream = Address::parse("ns:1863").unwrap();
        let claimed = routes.claim_login(CLIENT, Some(&upstream), Some("bob@a")).unwrap();
        assert_eq!(claimed.session.id(), bob.id());
        assert!(routes.claim_login(CLIENT, Some(&upstream), Some("bob@a")).is_none());
        let claimed = routes.claim_login(CLIENT, Some(&upstream), Some("alice@a")).unwrap();
        assert_eq!(claimed.session.id(), alice.id());
        assert!(matches!(routes.find(&login(&[8]), CLIENT), Found::Nothing));
    }

    #[test]
    fn a_client_that_offers_other_versions_is_another_client() {
        let routes = Routes::new(LONG);
        routes.add_login(announce(&session(), "ns:1863", None), vec![Version(8), Version(9)], false);
        assert!(matches!(routes.find(&login(&[12]), CLIENT), Found::Nothing));
        assert!(matches!(routes.find(&login(&[8]), CLIENT), Found::Upstream(_)));
        assert!(matches!(routes.find(&login(&[8]), IpAddr::from([127, 0, 0, 2])), Found::Nothing));
    }

    #[test]
    fn only_a_second_server_for_one_address_needs_a_port() {
        let routes = Routes::new(LONG);
        let other = Address::parse("other:1863").unwrap();
        assert!(!routes.needs_own_port(CLIENT, &other));
        let first = routes.add_login(announce(&session(), "ns:1863", None), Vec::new(), false);
        assert!(!routes.needs_own_port(CLIENT, &Address::parse("ns:1863").unwrap()));
        assert!(routes.needs_own_port(CLIENT, &other));
        assert!(routes.remove(&first));
        assert!(!routes.needs_own_port(CLIENT, &other));
    }

    #[test]
    fn one_cookie_for_caller_and_callees_still_finds_each() {
        let routes = Routes::new(LONG);
        let (alice, bob, carol) = (session(), session(), session());
        routes.add_switchboard(announce(&alice, "sb:1", Some("alice@a")), b"1.2".into(), None);
        routes.add_switchboard(announce(&bob, "sb:1", Some("bob@a")), b"1.2".into(), Some(b"77".into()));
        routes.add_switchboard(announce(&carol, "sb:1", Some("carol@a")), b"1.2".into(), Some(b"77".into()));
        let find = |opening: &Opening| match routes.find(opening, CLIENT) {
            Found::Route(route, by) => (route.session.id().to_owned(), by),
            other => panic!("{other:?}"),
        };
        let callee = |who: &str, session: &[u8]| Opening::Callee {
            account: who.into(),
            cookie: b"1.2".into(),
            session: session.into(),
        };
        let caller = Opening::Caller { account: "alice@a".into(), cookie: b"1.2".into() };
        assert_eq!(find(&caller), (alice.id().into(), JoinedBy::Cookie));
        assert_eq!(find(&callee("carol@a", b"77")), (carol.id().into(), JoinedBy::Invitation));
        assert_eq!(find(&callee("bob@a", b"60287")), (bob.id().into(), JoinedBy::Invitation));
        let unknown = Opening::Caller { account: "alice@a".into(), cookie: b"9.9".into() };
        assert!(matches!(routes.find(&unknown, CLIENT), Found::UnknownCookie));
    }

    #[test]
    fn what_has_expired_is_forgotten() {
        let routes = Routes::new(Duration::ZERO);
        let alice = session();
        routes.add_login(announce(&alice, "ns:1863", None), Vec::new(), false);
        routes.add_switchboard(announce(&alice, "sb:1", None), b"1.2".into(), None);
        assert!(matches!(routes.find(&login(&[8]), CLIENT), Found::Nothing));
        assert_eq!(Arc::strong_count(&alice), 3);
        routes.expire();
        assert_eq!(Arc::strong_count(&alice), 1);
    }
}
