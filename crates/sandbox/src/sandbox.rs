//! [`Sandbox`]: the listeners and the tasks behind them.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use msnp::ServerKind;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{Instrument, debug, debug_span, warn};

use crate::connection::{Session, lock, serve};
use crate::http;
use crate::notification::{Notification, Role};
use crate::options::Options;
use crate::switchboard::Switchboard;
use crate::users::List;
use crate::world::{Addresses, World};

/// How long to wait before accepting again when the system refuses (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How many connections [`Sandbox::accepted`] remembers.
const MAX_ACCEPTED: usize = 100_000;

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} for {purpose}")]
    Bind {
        /// What the address was for.
        purpose: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A connection that reached one of the servers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Accepted {
    /// The server that it reached.
    pub server: ServerKind,
    /// Where it came from.
    pub peer: SocketAddr,
}

/// A running server. It ends when it is dropped.
pub struct Sandbox {
    dispatch: SocketAddr,
    notification: SocketAddr,
    switchboard: SocketAddr,
    http: SocketAddr,
    shared: Arc<Shared>,
    listeners: JoinSet<()>,
}

/// What all tasks share.
struct Shared {
    world: Mutex<World>,
    accepted: Mutex<Vec<Accepted>>,
    connections: Semaphore,
}

impl Sandbox {
    /// Starts to listen on all addresses. When this returns, clients can connect.
    ///
    /// # Errors
    ///
    /// If an address cannot be listened on.
    pub async fn start(options: Options) -> Result<Sandbox, Error> {
        let (dispatch_listener, dispatch) = bind("the dispatch server", options.dispatch).await?;
        let (notification_listener, notification) = bind("the notification server", options.notification).await?;
        let (switchboard_listener, switchboard) = bind("the switchboards", options.switchboard).await?;
        let (http_listener, http) = bind("the login endpoints", options.http).await?;
        let told = |address| told_address(address, options.public_host.as_deref());
        let addresses =
            Addresses { dispatch: told(dispatch), notification: told(notification), switchboard: told(switchboard) };
        let shared = Arc::new(Shared {
            world: Mutex::new(World::new(&options, addresses)),
            accepted: Mutex::default(),
            connections: Semaphore::new(options.max_connections.min(Semaphore::MAX_PERMITS)),
        });
        let mut listeners = JoinSet::new();
        listeners.spawn(accept_all(dispatch_listener, Service::Msnp(ServerKind::Dispatch), shared.clone()));
        listeners.spawn(accept_all(notification_listener, Service::Msnp(ServerKind::Notification), shared.clone()));
        listeners.spawn(accept_all(switchboard_listener, Service::Msnp(ServerKind::Switchboard), shared.clone()));
        listeners.spawn(accept_all(http_listener, Service::Http, shared.clone()));
        Ok(Sandbox { dispatch, notification, switchboard, http, shared, listeners })
    }

    /// Ends all listeners and connections.
    pub async fn shutdown(mut self) {
        self.listeners.shutdown().await;
    }

    /// Returns where the dispatch server listens.
    pub fn dispatch(&self) -> SocketAddr {
        self.dispatch
    }

    /// Returns where the notification server listens.
    pub fn notification(&self) -> SocketAddr {
        self.notification
    }

    /// Returns where the switchboards listen.
    pub fn switchboard(&self) -> SocketAddr {
        self.switchboard
    }

    /// Returns where the HTTP endpoints listen.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Returns the address of the nexus, which clients of MSNP8 to MSNP12 ask where to log in.
    pub fn nexus_url(&self) -> String {
        format!("http://{}{}", told_address(self.http, None), http::NEXUS_PATH)
    }

    /// Returns the address of the ticket service for clients of MSNP15 (and MSN 7.5).
    pub fn rst_url(&self) -> String {
        format!("http://{}{}", told_address(self.http, None), http::RST_PATH)
    }

    /// Returns whom an account has on its forward list now.
    pub(crate) fn contacts(&self, email: &str) -> Vec<String> {
        let world = lock(&self.shared.world);
        let Some(user) = world.users.get(&email.to_lowercase()) else { return Vec::new() };
        user.contacts.keys().filter(|contact| user.has(List::Forward, contact)).cloned().collect()
    }

    /// Returns every connection that ever reached one of the three servers, in order. The first 100 000 are remembered.
    pub fn accepted(&self) -> Vec<Accepted> {
        self.shared.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("dispatch", &self.dispatch)
            .field("notification", &self.notification)
            .field("switchboard", &self.switchboard)
            .field("http", &self.http)
            .finish_non_exhaustive()
    }
}

/// What a listener serves.
#[derive(Clone, Copy, Debug)]
enum Service {
    Msnp(ServerKind),
    Http,
}

async fn bind(purpose: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Bind { purpose, address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Accepts connections for ever. Those that it accepted end with it.
async fn accept_all(listener: TcpListener, service: Service, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                let span = debug_span!("connection", %peer, ?service);
                connections.spawn(connection(stream, peer, service, shared.clone()).instrument(span));
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, service: Service, shared: Arc<Shared>) {
    if let Service::Msnp(server) = service {
        let mut accepted = shared.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if accepted.len() < MAX_ACCEPTED {
            accepted.push(Accepted { server, peer });
        }
    }
    let Ok(_permit) = shared.connections.try_acquire() else {
        warn!("too many connections");
        return;
    };
    debug!("connected");
    match service {
        Service::Http => http::serve(stream, &shared.world).await,
        Service::Msnp(ServerKind::Switchboard) => {
            let open = |outbox, now| Box::new(Switchboard::new(outbox, now)) as Box<dyn Session>;
            serve(stream, &shared.world, open).await;
        }
        Service::Msnp(kind) => {
            let role = if kind == ServerKind::Dispatch { Role::Dispatch } else { Role::Notification };
            let open = |outbox, now| Box::new(Notification::new(role, peer, outbox, now)) as Box<dyn Session>;
            serve(stream, &shared.world, open).await;
        }
    }
    debug!("disconnected");
}

/// Returns how clients are told an address. Nobody can connect to `0.0.0.0`: it is told as loopback.
fn told_address(address: SocketAddr, public_host: Option<&str>) -> String {
    let port = address.port();
    match (public_host, address.ip()) {
        (Some(host), _) if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{port}"),
        (Some(host), _) => format!("{host}:{port}"),
        (None, IpAddr::V4(ip)) if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string(),
        (None, IpAddr::V6(ip)) if ip.is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, port)).to_string(),
        (None, _) => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_addresses_that_they_can_connect_to() {
        let address = |text: &str| text.parse().unwrap();
        assert_eq!(told_address(address("192.0.2.1:1863"), None), "192.0.2.1:1863");
        assert_eq!(told_address(address("0.0.0.0:1863"), None), "127.0.0.1:1863");
        assert_eq!(told_address(address("[::]:1863"), None), "[::1]:1863");
        assert_eq!(told_address(address("0.0.0.0:1863"), Some("msn.example")), "msn.example:1863");
        assert_eq!(told_address(address("0.0.0.0:1863"), Some("2001:db8::1")), "[2001:db8::1]:1863");
    }

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = Sandbox::start(Options { switchboard: address, ..Options::default() }).await.unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on {address} for the switchboards"));
    }
}
