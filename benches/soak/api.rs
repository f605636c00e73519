//! The control interface of the proxy under test.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use serde_json::Value;

/// An open connection, as the interface lists it.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) number: u64,
    pub(crate) is_board: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Api {
    agent: ureq::Agent,
    address: String,
    bearer: String,
}

impl Api {
    pub(crate) fn new(access: &Value) -> Result<Api> {
        let text = |name: &str| Some(access.get(name)?.as_str()?.to_owned());
        let address = text("address").context("no address in the file of the control interface")?;
        let token = text("token").context("no token in the file of the control interface")?;
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        Ok(Api { agent: config.build().into(), address, bearer: format!("Bearer {token}") })
    }

    pub(crate) fn get(&self, route: &str) -> Result<Value> {
        let request = self.agent.get(self.url(route)).header("authorization", &self.bearer);
        let mut response = request.call().with_context(|| format!("GET {route}"))?;
        if response.status() != 200 {
            bail!("GET {route}: {}: {}", response.status(), response.body_mut().read_to_string().unwrap_or_default());
        }
        response.body_mut().with_config().limit(MOST_BODY).read_json().with_context(|| format!("GET {route}"))
    }

    /// Returns the status too: that something has gone on by itself is no error.
    pub(crate) fn post(&self, route: &str, body: &Value) -> Result<(u16, Value)> {
        let request = self.agent.post(self.url(route)).header("authorization", &self.bearer);
        let mut response = request.send_json(body).with_context(|| format!("POST {route}"))?;
        let answer = response.body_mut().with_config().limit(MOST_BODY).read_json().unwrap_or_default();
        Ok((response.status().as_u16(), answer))
    }

    pub(crate) fn delete(&self, route: &str) -> Result<u16> {
        let request = self.agent.delete(self.url(route)).header("authorization", &self.bearer);
        Ok(request.call().with_context(|| format!("DELETE {route}"))?.status().as_u16())
    }

    /// Returns an open connection of somebody whose name is known.
    pub(crate) fn any_connection(&self, random: &mut Rng) -> Result<Option<Open>> {
        let sessions = self.get("/api/sessions")?;
        let named = sessions.as_array().into_iter().flatten().filter(|session| session.get("account").is_some());
        let connections = named.filter_map(|session| session["connections"].as_array()).flatten();
        let open: Vec<&Value> = connections.filter(|connection| connection.get("closed").is_none()).collect();
        Ok(random.choice(open).and_then(|connection| {
            let number = connection["number"].as_u64()?;
            Some(Open { number, is_board: connection["server"] == "sb" })
        }))
    }

    /// Follows the events for a while, and is gone without a word.
    pub(crate) fn follow(&self, query: &str, time: Duration, reads: bool) -> Result<()> {
        let mut socket = TcpStream::connect(&self.address)?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let (address, bearer) = (&self.address, &self.bearer);
        write!(socket, "GET /api/events{query} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {bearer}\r\n\r\n")?;
        let start = Instant::now();
        let mut buffer = [0; 4096];
        while start.elapsed() < time {
            if reads {
                // nothing may come for a while
                let _ = socket.read(&mut buffer);
            } else {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Ok(())
    }

    fn url(&self, route: &str) -> String {
        format!("http://{}{route}", self.address)
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
const MOST_BODY: u64 = 64 << 20;
