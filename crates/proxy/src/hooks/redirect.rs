//! Keeps the client on the proxy: rewrites the address in `XFR NS`, `XFR SB` and `RNG`, and remembers where it led.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use msnp::flow::{Address, Redirect, RedirectKind};
use msnp::{Command, Direction, Verb, Version};
use tokio::sync::mpsc::UnboundedSender;
use tracing::{debug, warn};

use crate::connection::Connection;
use crate::hook::{Context, Hook, Interest, Verdict};
use crate::routes::{Announcement, Route, Routes};
use crate::settings;

/// The hook. It comes last, so that it sees the address that other hooks may have put in.
#[derive(Debug)]
pub struct Redirects {
    routes: Arc<Routes>,
    settings: settings::Redirect,
    /// Leaves addresses alone: clients reach the proxy without them.
    transparent: bool,
    doors: UnboundedSender<Door>,
    open: OpenDoors,
    /// When it was said last that a port is missing.
    complained: Mutex<Option<Instant>>,
}

/// A port that one redirected client is to come back to.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    /// The address of `listen` by which the client came that is redirected.
    pub(crate) by: SocketAddr,
    pub(crate) leads: Leads,
}

/// What a port is open for.
#[derive(Clone, Debug)]
pub(crate) struct Leads {
    pub(crate) route: Route,
    /// The port at which the client comes back afterwards.
    pub(crate) home: u16,
    /// Counts the door as open.
    _open: Arc<OpenDoor>,
}

/// Doors that are open, by client address.
type OpenDoors = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// A door that is counted.
#[derive(Debug)]
struct OpenDoor {
    client: IpAddr,
    all: OpenDoors,
}

impl OpenDoor {
    /// Counts one more, if there are not too many: each is a descriptor, and a server can ask for any number.
    fn count(all: &OpenDoors, client: IpAddr) -> Option<Arc<OpenDoor>> {
        let mut doors = lock(all);
        if doors.values().sum::<usize>() >= MOST_DOORS || doors.get(&client).is_some_and(|own| *own >= MOST_OF_ONE) {
            return None;
        }
        *doors.entry(client).or_default() += 1;
        Some(Arc::new(OpenDoor { client, all: Arc::clone(all) }))
    }
}

impl Drop for OpenDoor {
    fn drop(&mut self) {
        let mut doors = lock(&self.all);
        if let Some(own) = doors.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                doors.remove(&self.client);
            }
        }
    }
}

impl Redirects {
    pub(crate) fn new(
        routes: Arc<Routes>,
        settings: settings::Redirect,
        transparent: bool,
        doors: UnboundedSender<Door>,
    ) -> Redirects {
        Redirects { routes, settings, transparent, doors, open: OpenDoors::default(), complained: Mutex::default() }
    }

    /// Returns the address at which the client comes back.
    fn way_back(&self, connection: &Connection, port: Option<u16>) -> Address {
        let home = Some(connection.home());
        match &self.settings.advertise {
            Some(address) => Address { host: address.host.clone(), port: port.or(address.port).or(home) },
            None => Address { host: plain(connection.reached.ip()).to_string(), port: port.or(home) },
        }
    }

    fn login(&self, from: Announcement, context: &Context<'_>, versions: Vec<Version>) -> Option<u16> {
        let needs_port = !self.transparent && self.routes.needs_own_port(from.client, &from.upstream);
        let open = if needs_port { self.open(context.connection.reached.ip(), from.client) } else { None };
        let port = open.as_ref().and_then(|(listener, _)| listener.local_addr().ok()).map(|address| address.port());
        let route = self.routes.add_login(from, versions, port.is_some());
        if let Some((listener, open)) = open {
            let (by, home) = (context.connection.listener(), context.connection.home());
            // the engine that would serve the door is gone only when this connection ends too
            let _ = self.doors.send(Door { listener, by, leads: Leads { route, home, _open: open } });
        }
        port
    }

    /// Opens a port of its own. Binding does not block.
    fn open(&self, ip: IpAddr, client: IpAddr) -> Option<(TcpListener, Arc<OpenDoor>)> {
        let mut ports = self.settings.ports.0.clone();
        let bind = |open| Some((ports.find_map(|port| TcpListener::bind(SocketAddr::new(ip, port)).ok())?, open));
        let door = OpenDoor::count(&self.open, client).and_then(bind);
        let mut complained = lock(&self.complained);
        if door.is_none() && complained.is_none_or(|last| last.elapsed() > SILENCE) {
            *complained = Some(Instant::now());
            let ports = &self.settings.ports;
            warn!(%ports, %client, "no free port for a second redirect of one client address: they share one");
        }
        door
    }
}

impl Hook for Redirects {
    fn name(&self) -> &str {
        "redirect"
    }

    fn interest(&self) -> Interest {
        const XFR: Verb = Verb::new(*b"XFR").expect("three capitals");
        const RNG: Verb = Verb::new(*b"RNG").expect("three capitals");
        Interest::nothing().and(Direction::ServerToClient, XFR).and(Direction::ServerToClient, RNG)
    }

    fn command(&self, command: &mut Command, context: &mut Context<'_>) -> Verdict {
        let (Some(redirect), Some(session)) = (Redirect::of(command), context.session) else {
            if !self.transparent && !is_restart(command) {
                let (connection, verb) = (context.connection.number, command.verb());
                warn!(connection, %verb, "a redirect that cannot be read: passed on untouched");
            }
            return Verdict::forward();
        };
        let mut upstream = redirect.address.clone();
        let account = if context.account.is_empty() { session.account() } else { Some(context.account) };
        if upstream.port.is_none() && redirect.kind == (RedirectKind::Notification { gateway: true }) {
            upstream.port = Some(80);
        }
        let from = Announcement {
            upstream: Address { port: Some(upstream.port()), ..upstream },
            session: Arc::clone(session),
            from: context.connection.number,
            account: account.map(str::to_owned),
            client: plain(context.connection.client.ip()),
        };
        debug!(connection = context.connection.number, to = %from.upstream, "the server sends the client on");
        let port = match redirect.kind {
            RedirectKind::Notification { .. } => self.login(from, context, context.offered.to_vec()),
            RedirectKind::Switchboard { cookie } => {
                self.routes.add_switchboard(from, cookie, None);
                None
            }
            RedirectKind::Invitation { cookie, session } => {
                self.routes.add_switchboard(from, cookie, Some(session));
                None
            }
        };
        if !self.transparent {
            let back = self.way_back(context.connection, port).to_string();
            let current = self.way_back(context.connection, None).to_string();
            let rewritten = command.set_argument(redirect.index, back.as_bytes());
            let rewritten = rewritten.and_then(|()| match redirect.current {
                Some(index) => command.set_argument(index, current.as_bytes()),
                None => Ok(()),
            });
            if let Err(error) = rewritten {
                warn!(connection = context.connection.number, %error, "cannot rewrite a redirect");
            }
        }
        Verdict::forward()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ports that are open for redirects at one time, and for those of one client address.
const MOST_DOORS: usize = 512;
const MOST_OF_ONE: usize = 64;
/// How long it is not said again that a port is missing.
const SILENCE: Duration = Duration::from_secs(10);

/// Whether a command is `XFR 0 NS 0`, which asks the client to log in again where it is.
fn is_restart(command: &Command) -> bool {
    command.arguments().skip(1).take(2).eq([&b"NS"[..], b"0"])
}

/// Returns an IPv4 address that came in the clothes of an IPv6 one as itself.
pub(crate) fn plain(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}
