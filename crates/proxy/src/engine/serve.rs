//! One client from accept to close: its first line, where that leads, the connection to the server, the relay.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use msnp::argument::Scope;
use msnp::codec::Span;
use msnp::flow::{Address, Opening};
use msnp::{Command, Direction};
use msnp_transcript::event::JoinedBy;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{debug, info, warn};

use crate::connection::{Connection, Ending};
use crate::engine::{SHUTDOWN, Shared, Target};
use crate::hooks::redirect::plain;
use crate::observer::{Changed, Event};
use crate::relay::{Relay, Reporter};
use crate::routes::{Found, Route};
use crate::session::Session;
use crate::transparent;

impl Shared {
    /// Serves one client in a task of its own.
    pub(super) fn spawn(
        self: &Arc<Self>,
        socket: TcpStream,
        client: SocketAddr,
        listener: SocketAddr,
        follows: Option<(Route, u16)>,
        permit: OwnedSemaphorePermit,
    ) {
        let reached = match socket.local_addr() {
            Ok(reached) => reached,
            Err(error) => {
                debug!(%error, "a client left before it was served");
                return;
            }
        };
        let (client, reached) = (canonical(client), canonical(reached));
        let home = follows.as_ref().map_or(reached.port(), |(_, home)| *home);
        let follows = follows.map(|(route, _)| route);
        let connection = Connection::by(listener, home, self.number(), client, reached);
        let entry = Entry { engine: Arc::clone(self), connection: Arc::clone(&connection) };
        self.registry().insert(connection.number, (Arc::clone(&connection), None));
        if self.stop.is_cancelled() {
            // the others have been told before this one was in the list
            connection.close(SHUTDOWN);
        }
        let number = connection.number;
        let engine = Arc::clone(self);
        let task = self.tasks.spawn(async move {
            let _entry = entry;
            let _permit = permit;
            serve(engine, connection, socket, follows).await;
        });
        // the task may have ended, and taken itself out of the list, by now
        if let Some((_, handle)) = self.registry().get_mut(&number) {
            *handle = Some(task.abort_handle());
        }
    }
}

/// Takes the connection out of the list when its task ends, however it ends.
struct Entry {
    engine: Arc<Shared>,
    connection: Arc<Connection>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.connection.inbox().close();
        self.engine.registry().remove(&self.connection.number);
    }
}

async fn serve(engine: Arc<Shared>, connection: Arc<Connection>, socket: TcpStream, follows: Option<Route>) {
    let accepted = SystemTime::now();
    let number = connection.number;
    if let Err(error) = socket.set_nodelay(true) {
        debug!(connection = number, %error, "cannot switch off delays");
    }
    let mut relay = Relay::new(Arc::clone(&engine), Arc::clone(&connection), Reporter::new(accepted));
    let opening = match first_command(&mut relay, &socket).await {
        First::Command(opening) => opening,
        First::Nothing => {
            debug!(connection = number, client = %connection.client, "closed without a byte");
            return;
        }
        First::Ordered(ending) => {
            debug!(connection = number, "ended before the first command was whole");
            return discard(&mut relay, ending.0.to_owned());
        }
    };
    let upstream = match route(&mut relay, &socket, &opening, follows) {
        Ok(upstream) => upstream,
        Err(problem) => return refuse(&mut relay, &problem),
    };
    debug!(connection = number, client = %connection.client, server = %upstream, "connecting");
    let server = tokio::select! {
        // boxed, so that the idle task does not carry the room for it
        connected = Box::pin(connect(&engine, &upstream)) => {
            connected.map_err(|problem| format!("cannot connect to {}: {problem}", connection.upstream()))
        }
        ending = std::future::poll_fn(|cx| connection.inbox().poll_end(cx)) => {
            return discard(&mut relay, ending.0.to_owned());
        }
    };
    let server = match server {
        Ok(server) => server,
        Err(problem) => {
            refuse(&mut relay, &problem);
            // first it may have been this one's own
            if engine.routes.forget_upstream(plain(connection.client.ip()), &upstream) > 0 {
                let to = &upstream;
                warn!(connection = number, %to, "redirects of this client's address to that server are forgotten");
            }
            return;
        }
    };
    let local = server.local_addr().ok();
    if let (Target::Original, Some(local)) = (&engine.target, local) {
        engine.outgoing.insert(local);
    }
    let mut sockets = [socket, server];
    relay.run(&mut sockets).await;
    if let Some(local) = local {
        engine.outgoing.remove(&local);
    }
    let (by, reason) = relay.verdict();
    close(&mut relay, by, reason);
}

/// How the wait for a client's first command ended.
enum First {
    /// It is whole, or it is clear that none will come.
    Command(Opening),
    /// The client is gone without a word.
    Nothing,
    /// Somebody ended the connection, though the client had said something.
    Ordered(Ending),
}

/// Reads until the client's first command is whole, and leaves all in the lane.
async fn first_command(relay: &mut Relay, socket: &TcpStream) -> First {
    let patience = relay.engine.settings.limits.opening_timeout;
    let mut deadline = Instant::now() + patience;
    let connection = Arc::clone(&relay.connection);
    let direction = Direction::ClientToServer;
    let lane = &mut relay.lanes[direction.index()];
    loop {
        // the lane's own codec starts over when the relay takes the bytes in
        let mut codec = lane.codec.clone();
        let mut rest = &lane.partial[..];
        loop {
            let span = if lane.at_end { codec.finish(rest) } else { codec.next_span(rest) };
            match span {
                Some(Span::Command(span)) => {
                    return First::Command(Opening::of(&Command::from_span(direction, rest, span)));
                }
                Some(Span::Opaque(_)) if codec.is_opaque() => return First::Command(Opening::Other),
                // a blank line
                Some(Span::Opaque(len)) => rest = &rest[len..],
                None if lane.at_end && lane.partial.is_empty() => return First::Nothing,
                None if lane.at_end => return First::Command(Opening::Other),
                None => break,
            }
        }
        let ready = tokio::select! {
            ready = socket.readable() => ready,
            () = tokio::time::sleep_until(deadline.into()) => return First::Command(Opening::Other),
            ending = std::future::poll_fn(|cx| connection.inbox().poll_end(cx)) => {
                return if lane.partial.is_empty() { First::Nothing } else { First::Ordered(ending) };
            }
        };
        lane.partial.reserve(FIRST_READ);
        let read = ready.and_then(|()| socket.try_read_buf(&mut lane.partial));
        match read {
            Ok(0) => lane.at_end = true,
            Ok(count) => {
                lane.received += count as u64;
                deadline = Instant::now() + patience;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                debug!(connection = connection.number, %error, "the client is gone");
                lane.at_end = true;
            }
        }
    }
}

/// Decides where the connection leads, and to which session it belongs if that can be told already.
fn route(relay: &mut Relay, socket: &TcpStream, opening: &Opening, follows: Option<Route>) -> Result<Address, String> {
    let engine = Arc::clone(&relay.engine);
    let connection = Arc::clone(&relay.connection);
    let client = plain(connection.client.ip());
    let mut scope = Scope { server: opening.server(), version: None };
    let found = match follows {
        Some(route) => {
            engine.routes.remove(&route);
            Found::Route(route, JoinedBy::Redirect)
        }
        None => engine.routes.find(opening, client),
    };
    let target = match &engine.target {
        Target::Fixed(address) => address.clone(),
        Target::Original => original(&engine, socket, &connection)?,
    };
    let is_transparent = engine.target == Target::Original;
    let (upstream, known) = match found {
        Found::Route(route, by) => {
            let upstream = if is_transparent { target } else { route.upstream };
            (upstream, Some((route.session, Some((route.from, by)))))
        }
        Found::Upstream(upstream) => {
            let upstream = if is_transparent { target } else { upstream };
            relay.reporter.wait_for_account((!is_transparent).then(|| upstream.clone()));
            (upstream, None)
        }
        Found::UnknownCookie => {
            warn!(connection = connection.number, to = %target, "a switchboard with an unknown cookie: a session of its own");
            (target, Some((new_session(&engine), None)))
        }
        Found::Nothing => (target, Some((new_session(&engine), None))),
    };
    connection.set_upstream(Address { port: Some(upstream.port()), ..upstream.clone() }.to_string());
    let is_switchboard = matches!(opening, Opening::Caller { .. } | Opening::Callee { .. });
    if let Some((session, joined)) = known {
        if is_switchboard {
            scope.version = session.version();
            relay.facts.version = session.version();
        }
        relay.reporter.set_opening(scope);
        relay.reporter.begin(session, joined, &engine, &connection);
        if is_switchboard && joined.is_none() {
            let text = "the cookie is unknown: this switchboard could not be joined to a session";
            relay.reporter.tell(Event::Note(text.into()), SystemTime::now(), scope, &engine, &connection);
        }
    } else {
        relay.reporter.set_opening(scope);
    }
    Ok(upstream)
}

fn new_session(engine: &Shared) -> Arc<Session> {
    Arc::new(Session::start(engine.observers.clone(), SystemTime::now()))
}

/// Returns where a client meant to go that the kernel brought here.
fn original(engine: &Shared, socket: &TcpStream, connection: &Connection) -> Result<Address, String> {
    if engine.outgoing.contains(&connection.client) {
        return Err("this is the proxy's own connection, redirected to itself: exempt it from the firewall rule".into());
    }
    let target = canonical(transparent::original_target(socket, connection.reached));
    if engine.is_own_address(target) {
        return Err(format!("the client meant {target}, which is the proxy itself: it was not redirected here"));
    }
    Ok(Address { host: target.ip().to_string(), port: Some(target.port()) })
}

/// Connects to a server: every address that its name has, one after the other, in the time that is set for all.
async fn connect(engine: &Shared, upstream: &Address) -> io::Result<TcpStream> {
    let attempt = async {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        let addresses: Vec<SocketAddr> = match upstream.host.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, upstream.port())],
            Err(_) => tokio::net::lookup_host((upstream.host.as_str(), upstream.port())).await?.collect(),
        };
        for address in addresses {
            if engine.is_own_address(address) {
                last = io::Error::new(io::ErrorKind::AddrInUse, format!("{address} is the proxy itself"));
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(server) => {
                    server.set_nodelay(true)?;
                    return Ok(server);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    };
    match tokio::time::timeout(engine.settings.limits.connect_timeout, attempt).await {
        Ok(result) => result,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")),
    }
}

/// Closes a client that cannot be served.
fn refuse(relay: &mut Relay, problem: &str) {
    warn!(connection = relay.connection.number, client = %relay.connection.client, "{problem}");
    discard(relay, problem.to_owned());
}

/// Closes a client before it had a server. What it said is recorded as not sent.
fn discard(relay: &mut Relay, reason: String) {
    let connection = Arc::clone(&relay.connection);
    let engine = Arc::clone(&relay.engine);
    let lane = &mut relay.lanes[Direction::ClientToServer.index()];
    let partial = std::mem::take(&mut lane.partial);
    let mut events = Vec::new();
    let mut at = 0;
    while let Some(span) = lane.codec.finish(&partial[at..]) {
        let bytes = &partial[at..at + span.len()];
        at += span.len();
        events.push(match span {
            Span::Command(span) => {
                let received = Command::from_span(Direction::ClientToServer, bytes, span);
                relay.facts.learn(&received);
                Event::Changed(Changed {
                    received,
                    sent: Some(Vec::new()),
                    by: Vec::new(),
                    delay: None,
                    held: None,
                    tags: Vec::new(),
                })
            }
            Span::Opaque(_) => Event::Note("bytes that cannot be framed were not sent".into()),
        });
    }
    // only now, since the account may decide to which session the connection belongs
    relay.reporter.learn(&relay.facts, &engine, &connection);
    relay.reporter.decide(&relay.facts, &engine, &connection);
    let scope = Scope { server: relay.facts.server, version: relay.facts.version };
    for event in events {
        relay.reporter.tell(event, SystemTime::now(), scope, &engine, &connection);
    }
    close(relay, "proxy", Some(reason));
}

fn close(relay: &mut Relay, by: &'static str, reason: Option<String>) {
    let connection = Arc::clone(&relay.connection);
    let engine = Arc::clone(&relay.engine);
    let bytes = [relay.lanes[0].received, relay.lanes[1].received];
    let scope = Scope { server: relay.facts.server, version: relay.facts.version };
    relay.reporter.decide(&relay.facts, &engine, &connection);
    let number = connection.number;
    match &reason {
        Some(reason) if by == "server" => warn!(connection = number, reason, "the server is gone"),
        Some(reason) => info!(connection = number, by, reason, "closed"),
        None => debug!(connection = number, by, "closed"),
    }
    relay.reporter.tell(Event::Closed { by, reason, bytes }, SystemTime::now(), scope, &engine, &connection);
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(plain(address.ip()), address.port())
}

/// Room for the first line of a client.
const FIRST_READ: usize = 2048;
