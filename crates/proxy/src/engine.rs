//! [`Engine`]: listeners, connections, shutdown.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use msnp::flow::Address;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::connection::Connection;
use crate::fault::StreamFault;
use crate::holds::{Held, Holds, Release};
use crate::hook::{Hook, Hooks};
use crate::hooks::Redirects;
use crate::hooks::redirect::{Door, Leads};
use crate::observer::{Observer, Observers};
use crate::routes::Routes;
use crate::settings::Settings;
use crate::transparent::{self, Outgoing};

mod serve;

/// Where connections lead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// To one server, unless a redirect says otherwise.
    Fixed(Address),
    /// To where the client meant to go before the kernel brought it here (Linux: REDIRECT or TPROXY).
    Original,
}

/// A running proxy.
///
/// ```no_run
/// # async fn run() -> Result<(), mitmsn_proxy::EngineError> {
/// use mitmsn_proxy::{Engine, Target};
/// use msnp::flow::Address;
///
/// let server = Address { host: "messenger.example".into(), port: None };
/// let engine = Engine::builder(Target::Fixed(server)).listen(([127, 0, 0, 1], 1863)).start().await?;
/// println!("listening on {:?}", engine.addresses());
/// engine.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
}

/// What an engine is made of.
pub struct EngineBuilder {
    target: Target,
    listen: Vec<SocketAddr>,
    hooks: Vec<Arc<dyn Hook>>,
    observers: Vec<Arc<dyn Observer>>,
    settings: Settings,
}

/// Why an engine cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {problem}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        problem: io::Error,
    },
    /// A fault is for connections that never come.
    #[error("the fault {name:?} is for the listener {address}, which is none; listeners are {listeners:?}")]
    Fault {
        /// Its name.
        name: Arc<str>,
        /// The address.
        address: SocketAddr,
        /// The addresses to listen on.
        listeners: Vec<SocketAddr>,
    },
}

/// What the tasks of an engine share.
pub(crate) struct Shared {
    pub(crate) target: Target,
    pub(crate) settings: Settings,
    pub(crate) hooks: Hooks,
    pub(crate) observers: Observers,
    pub(crate) routes: Arc<Routes>,
    pub(crate) outgoing: Outgoing,
    pub(crate) holds: Holds,
    listeners: Mutex<Vec<SocketAddr>>,
    connections: Mutex<Registry>,
    next: AtomicU64,
    permits: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// The connections of this moment by number, each with the handle that aborts its task.
type Registry = HashMap<u64, (Arc<Connection>, Option<AbortHandle>)>;

impl Engine {
    /// Returns a builder for an engine with this target. It listens on `127.0.0.1:1863` unless told otherwise.
    pub fn builder(target: Target) -> EngineBuilder {
        EngineBuilder {
            target,
            listen: Vec::new(),
            hooks: Vec::new(),
            observers: Vec::new(),
            settings: Settings::default(),
        }
    }

    /// Returns the addresses listened on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the connections of this moment, by number.
    pub fn connections(&self) -> Vec<Arc<Connection>> {
        let mut connections: Vec<_> =
            self.shared.registry().values().map(|(connection, _)| Arc::clone(connection)).collect();
        connections.sort_by_key(|connection| connection.number);
        connections
    }

    /// Returns the held commands, by number.
    pub fn held(&self) -> Vec<Arc<Held>> {
        self.shared.holds.list()
    }

    /// Lets go of a held command; `by` says in the transcript who did. Returns whether it was held still.
    pub async fn release(&self, number: u64, release: Release, by: &str) -> bool {
        let Some(held) = self.shared.holds.get(number) else { return false };
        let (done, released) = oneshot::channel();
        held.connection.release(number, release, by.into(), done) && released.await.unwrap_or(false)
    }

    /// Stops listening, lets the commands in flight arrive for at most the grace that is set, and ends all sessions.
    /// Returns whether every connection ended in time.
    pub async fn shutdown(&self) -> bool {
        let shared = &self.shared;
        shared.stop.cancel();
        shared.tasks.close();
        for connection in self.connections() {
            connection.close(SHUTDOWN);
        }
        let in_time = tokio::time::timeout(shared.settings.limits.shutdown_grace, shared.tasks.wait()).await.is_ok();
        if !in_time {
            let left = self.connections();
            warn!(connections = left.len(), "not all was delivered in time");
            // they end by themselves, so that their transcripts do
            left.iter().for_each(|connection| connection.abandon());
            if tokio::time::timeout(LAST_MOMENT, shared.tasks.wait()).await.is_err() {
                let stuck: Vec<_> = shared.registry().drain().collect();
                for (_, (_, task)) in stuck {
                    task.inspect(AbortHandle::abort);
                }
                shared.tasks.wait().await;
            }
        }
        shared.routes.clear();
        in_time
    }
}

/// Checks that faults of listeners are for those that there will be.
///
/// # Errors
///
/// About the first that is not.
pub fn check_faults(faults: &[StreamFault], listen: &[SocketAddr]) -> Result<(), EngineError> {
    for fault in faults {
        if let Some(address) = fault.listen.filter(|address| !listen.contains(address)) {
            return Err(EngineError::Fault { name: Arc::clone(&fault.name), address, listeners: listen.to_vec() });
        }
    }
    Ok(())
}

impl EngineBuilder {
    /// Adds an address to listen on; port 0 lets the system choose.
    #[must_use]
    pub fn listen(mut self, address: impl Into<SocketAddr>) -> EngineBuilder {
        self.listen.push(address.into());
        self
    }

    /// Adds a hook. Hooks are asked in the order in which they are added.
    #[must_use]
    pub fn hook(mut self, hook: Arc<dyn Hook>) -> EngineBuilder {
        self.hooks.push(hook);
        self
    }

    /// Adds an observer.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> EngineBuilder {
        self.observers.push(observer);
        self
    }

    /// Replaces the settings.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> EngineBuilder {
        self.settings = settings;
        self
    }

    /// Starts to listen and to serve.
    ///
    /// # Errors
    ///
    /// If an address cannot be listened on, or a fault names one that is not to be listened on.
    pub async fn start(self) -> Result<Engine, EngineError> {
        let EngineBuilder { target, mut listen, mut hooks, observers, settings } = self;
        if listen.is_empty() {
            listen.push(SocketAddr::from(([127, 0, 0, 1], Address::DEFAULT_PORT)));
        }
        check_faults(&settings.faults, &listen)?;
        let is_transparent = target == Target::Original;
        let routes = Arc::new(Routes::new(settings.redirect.lifetime));
        let (doors, opened) = mpsc::unbounded_channel();
        hooks.push(Arc::new(Redirects::new(Arc::clone(&routes), settings.redirect.clone(), is_transparent, doors)));
        let mut listeners = Vec::new();
        for address in listen {
            let bound = bind(address, is_transparent).map_err(|problem| EngineError::Listen { address, problem })?;
            listeners.push((bound, address));
        }
        let addresses: Vec<SocketAddr> =
            listeners.iter().filter_map(|(listener, _)| listener.local_addr().ok()).collect();
        let shared = Arc::new(Shared {
            target,
            permits: Arc::new(Semaphore::new(settings.limits.connections.min(Semaphore::MAX_PERMITS))),
            settings,
            hooks: Hooks::new(hooks),
            observers: Observers::new(observers),
            routes,
            outgoing: Outgoing::default(),
            holds: Holds::default(),
            listeners: Mutex::new(addresses.clone()),
            connections: Mutex::default(),
            next: AtomicU64::new(1),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        });
        for (listener, address) in listeners {
            shared.tasks.spawn(Arc::clone(&shared).accept(listener, address, None));
        }
        shared.tasks.spawn(Arc::clone(&shared).keep_house(opened));
        Ok(Engine { shared, addresses })
    }
}

impl Shared {
    /// Accepts clients until the engine stops, or, for the port of one redirect, until that is followed or expires.
    /// `address` is the one of `listen` by which they come.
    async fn accept(self: Arc<Self>, listener: TcpListener, address: SocketAddr, leads: Option<Leads>) {
        let expiry = leads.as_ref().map(|leads| leads.route.expires());
        let mut is_full = false;
        let mut is_failing = false;
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
                () = until(expiry) => return,
            };
            match accepted {
                Ok((socket, client)) => {
                    // only a client takes a permit: a listener that waited with one would keep it from the others
                    let Some(permit) = self.permit(&mut is_full).await else { return };
                    is_failing = false;
                    let follows = leads.as_ref().map(|leads| (leads.route.clone(), leads.home));
                    let is_last = follows.is_some();
                    self.spawn(socket, client, address, follows, permit);
                    if is_last {
                        return;
                    }
                }
                Err(error) => {
                    // out of descriptors, or a client that left before it was accepted
                    if !std::mem::replace(&mut is_failing, true) {
                        warn!(%error, "cannot accept a client: tried again until it works");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Waits until there is room for one more connection; `None` if the engine stops. `is_full` keeps that it was said.
    async fn permit(&self, is_full: &mut bool) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            *is_full = false;
            return Some(permit);
        }
        if !std::mem::replace(is_full, true) {
            let limit = self.settings.limits.connections;
            warn!(limit, "as many connections as allowed: further clients wait");
        }
        tokio::select! {
            // first, since a shutdown makes room
            biased;
            () = self.stop.cancelled() => None,
            permit = Arc::clone(&self.permits).acquire_owned() => permit.ok(),
        }
    }

    /// Serves doors that redirects open, and forgets redirects that nobody followed.
    async fn keep_house(self: Arc<Self>, mut doors: UnboundedReceiver<Door>) {
        let mut tick = tokio::time::interval(HOUSE_KEEPING);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = tick.tick() => self.routes.expire(),
                Some(Door { listener, by, leads }) = doors.recv() => {
                    let listener = listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener));
                    match listener {
                        Ok(listener) => {
                            if let Ok(address) = listener.local_addr() {
                                info!(%address, to = %leads.route.upstream, "listening for one redirected client");
                            }
                            self.tasks.spawn(Arc::clone(&self).accept(listener, by, Some(leads)));
                        }
                        Err(error) => warn!(%error, "cannot listen for a redirected client"),
                    }
                }
            }
        }
    }

    /// Whether `address` is one of the engine's own: connecting to it would only come back.
    pub(crate) fn is_own_address(&self, address: SocketAddr) -> bool {
        lock(&self.listeners).iter().any(|own| {
            let is_ip = own.ip() == address.ip() || (own.ip().is_unspecified() && address.ip().is_loopback());
            own.port() == address.port() && is_ip
        })
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        lock(&self.connections)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("target", &self.target).field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineBuilder")
            .field("target", &self.target)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

fn bind(address: SocketAddr, is_transparent: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if is_transparent {
        transparent::allow_any_address(&socket, address);
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn until(moment: Option<std::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

/// Why connections close then.
const SHUTDOWN: &str = "the proxy shuts down";
/// Clients that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// Pause after a failure to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// How long connections that were given up may take to end.
const LAST_MOMENT: Duration = Duration::from_secs(1);
/// How often expired redirects are looked for.
const HOUSE_KEEPING: Duration = Duration::from_secs(1);
