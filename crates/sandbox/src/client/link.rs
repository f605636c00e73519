//! [`Link`]: one connection of a scripted client. A task reads it all the time and answers challenges.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use msnp::{Codec, Command, Direction, Frame, Limits, Version, challenge};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::codec::Decoder;

use super::error::ClientError;

/// How many received commands are remembered, and how many may wait for somebody to ask for them.
const MAX_COMMANDS: usize = 10_000;
/// The port of addresses that name none.
const DEFAULT_PORT: u16 = 1863;

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    address: String,
    timeout: Duration,
    shared: Arc<Shared>,
    reader: JoinHandle<()>,
}

/// What the link and its reading task share.
#[derive(Debug)]
struct Shared {
    inbox: Mutex<Inbox>,
    arrived: Notify,
    writer: tokio::sync::Mutex<Writer>,
}

/// Numbers and writes in one: what gets the next id also leaves next.
#[derive(Debug)]
struct Writer {
    stream: OwnedWriteHalf,
    last_id: u32,
}

#[derive(Debug, Default)]
struct Inbox {
    received: VecDeque<Command>,
    unread: VecDeque<Command>,
    is_closed: bool,
}

impl Link {
    /// Connects to an address as a server names it.
    pub(super) async fn connect(address: &str, version: Version, limit: Duration) -> Result<Link, ClientError> {
        let (host, port) = split_address(address)?;
        let failed = |source| ClientError::Connect { address: address.into(), source };
        let stream = timeout(limit, TcpStream::connect((host, port)))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let (reader, writer) = stream.into_split();
        let shared = Arc::new(Shared {
            inbox: Mutex::default(),
            arrived: Notify::new(),
            writer: tokio::sync::Mutex::new(Writer { stream: writer, last_id: 0 }),
        });
        let reader = tokio::spawn(read_all(reader, shared.clone(), version));
        Ok(Link { address: address.into(), timeout: limit, shared, reader })
    }

    /// Sends a command as it is, with the payload's length appended.
    pub(super) async fn send(&mut self, line: &str, payload: Option<&[u8]>) -> Result<(), ClientError> {
        self.in_time(self.shared.write(line, payload)).await
    }

    async fn in_time<R>(&self, sending: impl Future<Output = io::Result<R>>) -> Result<R, ClientError> {
        let sent = timeout(self.timeout, sending).await;
        let sent = sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        sent.map_err(|source| ClientError::Broken { address: self.address.clone(), source })
    }

    /// Sends a command with the next transaction id, and returns the id.
    pub(super) async fn send_numbered(
        &mut self,
        verb: &str,
        arguments: &str,
        payload: Option<&[u8]>,
    ) -> Result<String, ClientError> {
        let id = self.in_time(self.shared.write_numbered(verb, arguments, payload)).await?;
        Ok(id.to_string())
    }

    /// Sends a command with the next transaction id, and returns the first command that answers it.
    pub(super) async fn request(
        &mut self,
        verb: &str,
        arguments: &str,
        payload: Option<&[u8]>,
    ) -> Result<Command, ClientError> {
        self.request_any(verb, arguments, payload, &[verb]).await
    }

    /// Like [`request`](Link::request), where the answer may have one of several verbs.
    pub(super) async fn request_any(
        &mut self,
        verb: &str,
        arguments: &str,
        payload: Option<&[u8]>,
        answers: &[&str],
    ) -> Result<Command, ClientError> {
        let id = self.send_numbered(verb, arguments, payload).await?;
        let answers = |command: &Command| {
            (command.verb().is_error() || answers.contains(&command.verb().as_str()))
                && command.argument(0) == Some(id.as_bytes())
        };
        let reply = self.wait_for(&format!("answer to {verb}"), answers).await?;
        match reply.verb().error_code() {
            Some(code) => Err(ClientError::Refused { verb: verb.into(), code }),
            None => Ok(reply),
        }
    }

    /// Waits for a command that nobody has waited for yet; those before it stay.
    pub(super) async fn wait_for(
        &mut self,
        awaited: &str,
        mut predicate: impl FnMut(&Command) -> bool,
    ) -> Result<Command, ClientError> {
        let shared = &self.shared;
        let address = &self.address;
        let arrival = async {
            loop {
                {
                    let mut inbox = shared.inbox();
                    if let Some(place) = inbox.unread.iter().position(&mut predicate)
                        && let Some(command) = inbox.unread.remove(place)
                    {
                        return Ok(command);
                    }
                    if inbox.is_closed {
                        return Err(ClientError::Closed { address: address.clone(), awaited: awaited.into() });
                    }
                }
                shared.arrived.notified().await;
            }
        };
        timeout(self.timeout, arrival).await.unwrap_or_else(|_| {
            Err(ClientError::Timeout { address: address.clone(), awaited: awaited.into(), timeout: self.timeout })
        })
    }

    /// Says goodbye and waits until the server has closed the connection.
    pub(super) async fn leave(&mut self) -> Result<(), ClientError> {
        self.send("OUT", None).await?;
        match self.wait_for("end of the connection", |_| false).await {
            Err(ClientError::Closed { .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        }
    }

    /// Returns the commands received, in order.
    pub(super) fn received(&self) -> Vec<Command> {
        self.shared.inbox().received.iter().cloned().collect()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(&self, line: &str, payload: Option<&[u8]>) -> io::Result<()> {
        self.writer.lock().await.write(line, payload).await
    }

    async fn write_numbered(&self, verb: &str, arguments: &str, payload: Option<&[u8]>) -> io::Result<u32> {
        let mut writer = self.writer.lock().await;
        writer.last_id += 1;
        let id = writer.last_id;
        let line = if arguments.is_empty() { format!("{verb} {id}") } else { format!("{verb} {id} {arguments}") };
        writer.write(&line, payload).await?;
        Ok(id)
    }
}

impl Writer {
    async fn write(&mut self, line: &str, payload: Option<&[u8]>) -> io::Result<()> {
        let mut bytes = line.as_bytes().to_vec();
        if let Some(payload) = payload {
            bytes.extend_from_slice(format!(" {}", payload.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(payload.unwrap_or_default());
        self.stream.write_all(&bytes).await
    }
}

impl Inbox {
    fn push(&mut self, command: Command) {
        for queue in [&mut self.received, &mut self.unread] {
            if queue.len() == MAX_COMMANDS {
                queue.pop_front();
            }
            queue.push_back(command.clone());
        }
    }
}

/// Returns argument `index` of a command as text.
pub(super) fn text(command: &Command, index: usize) -> Option<String> {
    String::from_utf8(command.argument(index)?.to_vec()).ok()
}

/// Reads until the connection ends or says what is no command.
async fn read_all(mut stream: OwnedReadHalf, shared: Arc<Shared>, version: Version) {
    let mut codec = Codec::new(Direction::ServerToClient, Limits::default());
    let mut buffer = BytesMut::new();
    'connection: while stream.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
        while let Ok(Some(frame)) = codec.decode(&mut buffer) {
            let Frame::Command(command) = frame else { break 'connection };
            if command.verb().as_str() == "CHL" && answer(&command, &shared, version).await.is_none() {
                break 'connection;
            }
            shared.inbox().push(command);
            shared.arrived.notify_one();
        }
    }
    shared.inbox().is_closed = true;
    shared.arrived.notify_one();
}

/// Answers a challenge.
async fn answer(command: &Command, shared: &Shared, version: Version) -> Option<()> {
    let product = challenge::product_for(version)?;
    let answer = challenge::answer(command.argument(1)?, product, version);
    shared.write_numbered("QRY", product.id, Some(answer.as_bytes())).await.ok()?;
    Some(())
}

fn split_address(address: &str) -> Result<(&str, u16), ClientError> {
    let bad = || ClientError::BadAddress { address: address.into() };
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or_else(bad)?,
        None => address.find(':').map_or((address, ""), |colon| address.split_at(colon)),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().map_err(|_| bad())?,
        None if port.is_empty() => DEFAULT_PORT,
        None => return Err(bad()),
    };
    if host.is_empty() { Err(bad()) } else { Ok((host, port)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_a_host_and_perhaps_a_port() {
        assert_eq!(split_address("127.0.0.1:1864").unwrap(), ("127.0.0.1", 1864));
        assert_eq!(split_address("[::1]:1864").unwrap(), ("::1", 1864));
        assert_eq!(split_address("messenger.example").unwrap(), ("messenger.example", 1863));
        assert_eq!(split_address("[::1]").unwrap(), ("::1", 1863));
        for bad in ["", ":1863", "host:", "host:x", "[::1", "[::1]x", "::1", "host:99999"] {
            assert!(split_address(bad).is_err(), "{bad}");
        }
    }
}
