//! The server: what it reaches, where it listens, how it ends.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use mitmsn_proxy::hooks::Breakpoints;
use mitmsn_proxy::observers::Recording;
use mitmsn_proxy::rules::Rules;
use mitmsn_proxy::{Connection, Engine};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::api;
use crate::error::ApiError;
use crate::live::{Candidate, Live};
use crate::target;
use crate::token::Access;

/// What the control interface reaches.
pub struct Control {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The observer that knows what goes on; one of the engine's.
    pub live: Arc<Live>,
    /// The breakpoints; one of the engine's hooks.
    pub breakpoints: Arc<Breakpoints>,
    /// The rules, if there are any.
    pub rules: Option<Arc<Rules>>,
    /// The recording, if there is one.
    pub recording: Option<Arc<Recording>>,
    /// The scripts, if there are any.
    pub scripts: Option<Arc<dyn Callable>>,
    /// Where connections lead, in words.
    pub upstream: String,
    access: Access,
    stop: CancellationToken,
}

/// Something whose commands can be called by name.
pub trait Callable: Send + Sync {
    /// Returns the names of the commands.
    fn commands(&self) -> Vec<String>;

    /// Calls one, on a thread that may block.
    ///
    /// # Errors
    ///
    /// What went wrong, with file and line.
    fn call(&self, name: &str, arguments: &[String]) -> Result<String, String>;
}

/// A running control interface.
#[derive(Debug)]
pub struct Server {
    control: Arc<Control>,
    file: Option<PathBuf>,
    task: tokio::task::JoinHandle<()>,
}

/// Why the control interface cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for control: {problem}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        problem: io::Error,
    },
    /// There is no token.
    #[error("cannot make a token: {0}")]
    Token(io::Error),
}

impl Server {
    /// Listens, so that a failure is known before the proxy starts.
    ///
    /// # Errors
    ///
    /// If the address cannot be listened on.
    pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
        TcpListener::bind(address).await.map_err(|problem| ServeError::Listen { address, problem })
    }

    /// Starts to answer.
    ///
    /// # Errors
    ///
    /// If there is no token.
    pub fn start(
        listener: TcpListener,
        engine: Arc<Engine>,
        live: Arc<Live>,
        breakpoints: Arc<Breakpoints>,
        with: impl FnOnce(&mut Control),
    ) -> Result<Server, ServeError> {
        let address = listener.local_addr().map_err(ServeError::Token)?;
        let access = Access::new(address).map_err(ServeError::Token)?;
        let file =
            access.write().inspect_err(|error| warn!(%error, "cannot write the file with the control token")).ok();
        if !address.ip().is_loopback() {
            warn!(%address, "control is open to other machines: whoever has the token reads and sends everything");
        }
        let stop = CancellationToken::new();
        let mut control = Control {
            engine,
            live,
            breakpoints,
            rules: None,
            recording: None,
            scripts: None,
            upstream: String::new(),
            access,
            stop: stop.clone(),
        };
        with(&mut control);
        let control = Arc::new(control);
        let routes = api::routes(Arc::clone(&control));
        let task = tokio::spawn(async move {
            let served = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned());
            if let Err(error) = served.await {
                warn!(%error, "the control interface has ended");
            }
        });
        if let Some(file) = &file {
            info!(%address, token = %file.display(), "control");
        }
        Ok(Server { control, file, task })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.control.access.address
    }

    /// Returns the file with the token, if it could be written.
    pub fn file(&self) -> Option<&PathBuf> {
        self.file.as_ref()
    }

    /// Ends it: streams are closed, the file is removed.
    pub async fn stop(self) {
        self.control.stop.cancel();
        self.control.access.remove();
        // requests that wait for something are not waited for
        self.task.abort();
        let _ = self.task.await;
    }
}

impl Control {
    pub(crate) fn token(&self) -> &str {
        &self.access.token
    }

    /// Waits until the server stops.
    pub(crate) fn stopped(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Finds the connection that a request means.
    pub(crate) fn find(&self, name: &str) -> Result<(Candidate, Arc<Connection>), ApiError> {
        let open = self.live.candidates();
        let candidate = target::resolve(name, &open)?.clone();
        let connections = self.engine.connections();
        let connection = connections.into_iter().find(|connection| connection.number == candidate.number);
        let gone = || ApiError::missing(format!("connection {} has just been closed", candidate.number));
        Ok((candidate.clone(), connection.ok_or_else(gone)?))
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("access", &self.access).finish_non_exhaustive()
    }
}
