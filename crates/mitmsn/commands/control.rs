//! The control interface of `mitmsn proxy`, and how the other commands reach it.

use std::io::{BufRead, BufReader, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use mitmsn_proxy::hooks::Breakpoints;
use mitmsn_proxy::{Engine, EngineBuilder};
use mitmsn_web::token::Access;
use mitmsn_web::types::Problem;
use mitmsn_web::{Live, Server};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tracing::warn;
use ureq::Agent;
use ureq::http::{Response, StatusCode};

use crate::cli::Reach;
use crate::config::{Config, Control};

/// A control interface that listens already, so that a taken address is known before the proxy starts.
pub(super) struct Prepared {
    listener: TcpListener,
    live: Arc<Live>,
    breakpoints: Arc<Breakpoints>,
}

impl Prepared {
    /// Listens, if the configuration says so. The default address may be taken by another proxy: then there is none.
    pub(super) async fn new(config: &Config) -> Result<Option<Prepared>> {
        if !config.control.enabled {
            return Ok(None);
        }
        let listener = match Server::bind(config.control.listen).await {
            Ok(listener) => listener,
            Err(error) if config.control.listen == Control::default().listen => {
                warn!(%error, "no control interface: name another address with --control, or none with --no-control");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let live = Arc::new(Live::new(config.control.history, config.keep_secrets));
        Ok(Some(Prepared { listener, live, breakpoints: Arc::default() }))
    }

    /// Joins the engine that is being built.
    pub(super) fn join(&self, builder: EngineBuilder) -> EngineBuilder {
        builder.hook(Arc::clone(&self.breakpoints) as _).observer(Arc::clone(&self.live) as _)
    }

    /// Starts to answer.
    pub(super) fn start(
        self,
        engine: &Arc<Engine>,
        config: &Config,
        with: impl FnOnce(&mut mitmsn_web::Control),
    ) -> Result<Server> {
        let upstream = if config.transparent { "transparent".to_owned() } else { config.upstream.clone() };
        let server = Server::start(self.listener, Arc::clone(engine), self.live, self.breakpoints, |control| {
            control.upstream = upstream;
            with(control);
        });
        Ok(server?)
    }
}

/// The commands of scripts, as the interface calls them.
#[cfg(feature = "lua")]
pub(super) struct Calls(pub(super) Arc<mitmsn_lua::Scripts>);

#[cfg(feature = "lua")]
impl mitmsn_web::Callable for Calls {
    fn commands(&self) -> Vec<String> {
        self.0.commands().into_iter().map(|command| command.name).collect()
    }

    fn call(&self, name: &str, arguments: &[String]) -> Result<String, String> {
        self.0.call(name, arguments).map_err(|error| error.to_string())
    }
}

/// A running proxy, as the other commands reach it.
pub(crate) struct Remote {
    agent: Agent,
    access: Access,
}

impl Remote {
    /// Finds the proxy: the one that is named, or the only one that there is.
    pub(crate) fn find(reach: &Reach) -> Result<Remote> {
        let access = match reach.control {
            Some(address) => named(address)?,
            None => only()?,
        };
        let config = Agent::config_builder().http_status_as_error(false).max_redirects(0);
        Ok(Remote { agent: config.timeout_connect(Some(PATIENCE)).build().into(), access })
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, route: &str) -> Result<T> {
        let request = self.agent.get(self.url(route)).header("authorization", self.bearer());
        self.read(request.call())
    }

    pub(crate) fn post<T: DeserializeOwned>(&self, route: &str, body: &impl Serialize) -> Result<T> {
        let request = self.agent.post(self.url(route)).header("authorization", self.bearer());
        self.read(request.send_json(body))
    }

    pub(crate) fn delete<T: DeserializeOwned>(&self, route: &str) -> Result<T> {
        let request = self.agent.delete(self.url(route)).header("authorization", self.bearer());
        self.read(request.call())
    }

    /// Follows a stream of events: `each` is given the name of the event, if it has one, its id and its data. Returns when
    /// the proxy has ended.
    pub(crate) fn follow(
        &self,
        route: &str,
        mut each: impl FnMut(&str, Option<u64>, &str) -> Result<bool>,
    ) -> Result<()> {
        let request = self.agent.get(self.url(route)).header("authorization", self.bearer());
        let response = self.check(request.call())?;
        let mut lines = BufReader::new(response.into_body().into_with_config().limit(u64::MAX).reader());
        let (mut name, mut id, mut data) = (String::new(), None, String::new());
        loop {
            let mut line = String::new();
            match lines.read_line(&mut line) {
                Ok(0) => return Ok(()),
                // the proxy ended in the middle of a line
                Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                    return Ok(());
                }
                read => read.context("the stream of events broke off")?,
            };
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                if !data.is_empty() && !each(&name, id, &data)? {
                    return Ok(());
                }
                (name, id, data) = (String::new(), None, String::new());
            } else if let Some(value) = line.strip_prefix("event: ") {
                value.clone_into(&mut name);
            } else if let Some(value) = line.strip_prefix("id: ") {
                id = value.parse().ok();
            } else if let Some(value) = line.strip_prefix("data: ") {
                data.push_str(value);
            }
        }
    }

    fn read<T: DeserializeOwned>(&self, response: Result<Response<ureq::Body>, ureq::Error>) -> Result<T> {
        let mut response = self.check(response)?;
        let text = response.body_mut().with_config().limit(LARGEST_ANSWER).read_to_string();
        let text = text.context("the proxy's answer broke off")?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is no answer of this version of mitmsn", excerpt(&text)))
    }

    fn check(&self, response: Result<Response<ureq::Body>, ureq::Error>) -> Result<Response<ureq::Body>> {
        let address = self.access.address;
        let mut response = response.map_err(|error| {
            anyhow!("cannot reach the proxy at {address}: {error}; is `mitmsn proxy` running there?")
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let text = response.body_mut().read_to_string().unwrap_or_default();
        let Ok(problem) = serde_json::from_str::<Problem>(&text) else {
            bail!("{address} answers {status}: {}", excerpt(&text));
        };
        let mut error = problem.error;
        if status == StatusCode::UNAUTHORIZED {
            error += "; the file may be left over from a proxy that is gone";
        }
        for candidate in problem.candidates {
            error += "\n  ";
            error += &candidate;
        }
        bail!(error)
    }

    fn url(&self, route: &str) -> String {
        let ip = self.access.address.ip();
        // where the proxy listens on every address, this machine is one of them
        let ip = match (ip.is_unspecified(), ip.is_ipv6()) {
            (true, true) => "[::1]".to_owned(),
            (true, false) => "127.0.0.1".to_owned(),
            (false, true) => format!("[{ip}]"),
            (false, false) => ip.to_string(),
        };
        format!("http://{ip}:{}{route}", self.access.address.port())
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.access.token)
    }
}

fn named(address: SocketAddr) -> Result<Access> {
    if let Ok(token) = std::env::var("MITMSN_TOKEN") {
        return Ok(Access { address, token, pid: 0 });
    }
    let access = Access::find(address.port()).map_err(|error| {
        let folder = mitmsn_web::token::folder().map(|folder| folder.display().to_string()).unwrap_or_default();
        anyhow!("no token for {address} in {folder}: {error}; for a proxy of another machine set MITMSN_TOKEN")
    })?;
    Ok(Access { address, ..access })
}

fn only() -> Result<Access> {
    let mut all = Access::all();
    // files that a killed proxy left behind
    if all.len() > 1 {
        all.retain(|access| std::net::TcpStream::connect_timeout(&access.address, PATIENCE).is_ok());
    }
    match &all[..] {
        [] => bail!("no proxy is running here, or it runs without control (start it with `mitmsn proxy UPSTREAM`)"),
        [one] => Ok(one.clone()),
        several => {
            let addresses: Vec<String> = several.iter().map(|access| access.address.to_string()).collect();
            bail!("several proxies are running: name one with --control: {}", addresses.join(", "))
        }
    }
}

fn excerpt(text: &str) -> String {
    let short: String = text.chars().take(200).collect();
    if short.is_empty() { "nothing".to_owned() } else { short }
}

/// How long a connection to the proxy may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest answer that is read.
const LARGEST_ANSWER: u64 = 256 << 20;
