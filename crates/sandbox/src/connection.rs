//! One connection of a client: reads commands, has them answered, writes.
//!
//! The two servers know nothing of sockets: they are a [`Session`] each, which is told commands one [`Turn`] at a time.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use msnp::codec::Span;
use msnp::{Codec, Direction, Frame, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::codec::Decoder;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::outbox::Outbox;
use crate::output::Output;
use crate::request::Request;
use crate::world::World;

/// Longest line and payload that a client may send. The longest real ones are a login (3 KB) and a first `ADL` (7.5 KB).
pub(crate) const LIMITS: Limits = Limits { line: 16 * 1024, payload: 64 * 1024 };
/// How long one write may take before the client counts as gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection that the server ends stays readable, so that its last words arrive (a socket closed with unread
/// input is reset).
const LINGER: Duration = Duration::from_secs(2);

/// How long to wait for the payload that a line with an unknown verb might announce.
const PATIENCE: Duration = Duration::from_millis(200);

/// The server's side of a connection, without its socket.
pub(crate) trait Session: Send {
    /// Answers a command.
    fn handle(&mut self, turn: &mut Turn<'_>);
    /// Returns when [`expire`](Session::expire) is to be called, if no command comes before.
    fn deadline(&self) -> Option<Instant>;
    /// Does what is due at the deadline.
    fn expire(&mut self, now: Instant, output: &mut Output);
    /// Is told once that the connection has ended.
    fn leave(&mut self, world: &mut World);
}

/// One command and all that is needed to answer it.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) request: &'a Request<'a>,
    pub(crate) world: &'a mut World,
    pub(crate) now: Instant,
    pub(crate) output: &'a mut Output,
}

impl Turn<'_> {
    /// Appends a line that starts like the command: its verb, its transaction id.
    pub(crate) fn reply(&mut self, rest: impl std::fmt::Display) {
        self.output.line(format_args!("{} {} {rest}", self.request.verb, self.request.id));
    }
}

/// Returns the state, also when a task panicked while it had it: each command leaves it whole.
pub(crate) fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves one connection until either side ends it. `open` makes the session.
pub(crate) async fn serve(
    stream: TcpStream,
    world: &Mutex<World>,
    open: impl FnOnce(Outbox, Instant) -> Box<dyn Session>,
) {
    // answers are small and each is one write
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let (outbox, queue, closing) = Outbox::new();
    let session = open(outbox.clone(), Instant::now());
    let (mut reader, ()) = tokio::join!(
        read_commands(CommandReader::new(reader), session, outbox, world, &closing),
        write_queue(writer, queue, &closing)
    );
    let _ = timeout(LINGER, reader.discard()).await;
}

/// Has commands answered until the connection ends, and gives the socket back.
async fn read_commands(
    mut reader: CommandReader,
    mut session: Box<dyn Session>,
    outbox: Outbox,
    world: &Mutex<World>,
    closing: &CancellationToken,
) -> CommandReader {
    loop {
        let deadline = session.deadline();
        let expired = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        // room for the answer first: who does not read is not read from
        let next = async {
            let permit = outbox.reserve().await?;
            let frame = reader.next().await.ok()??;
            Some((permit, frame))
        };
        let mut output = Output::default();
        tokio::select! {
            () = closing.cancelled() => break,
            () = expired => {
                session.expire(Instant::now(), &mut output);
                let closes = output.closes();
                outbox.push(output.into_bytes());
                if closes {
                    break;
                }
            }
            next = next => {
                let Some((permit, frame)) = next else { break };
                let mut world = lock(world);
                answer(session.as_mut(), &frame, &mut world, &mut output);
                let closes = output.closes();
                permit.send(output.into_bytes());
                world.deliver();
                if closes {
                    break;
                }
            }
        }
    }
    let mut world = lock(world);
    session.leave(&mut world);
    world.deliver();
    reader
}

/// Has one frame answered. What is no command ends the connection.
pub(crate) fn answer(session: &mut dyn Session, frame: &Frame, world: &mut World, output: &mut Output) {
    let request = match frame {
        Frame::Command(command) => Request::parse(command),
        Frame::Opaque(bytes) if matches!(&bytes[..], b"\r\n" | b"\n") => return,
        Frame::Opaque(_) => None,
    };
    match request {
        Some(request) => session.handle(&mut Turn { request: &request, world, now: Instant::now(), output }),
        None => {
            debug!("what the client sent is no command");
            output.close();
        }
    }
}

/// Writes what is queued until there is nobody left who could queue more.
async fn write_queue(mut writer: OwnedWriteHalf, mut queue: mpsc::Receiver<Bytes>, closing: &CancellationToken) {
    while let Some(bytes) = queue.recv().await {
        // a connection that is to end gets no more time than its last words need
        let limit = if closing.is_cancelled() { LINGER } else { WRITE_TIMEOUT };
        let write = async {
            tokio::select! {
                result = timeout(limit, writer.write_all(&bytes)) => result.is_ok_and(|written| written.is_ok()),
                () = async { closing.cancelled().await; tokio::time::sleep(LINGER).await } => false,
            }
        };
        if !write.await {
            closing.cancel();
            return;
        }
    }
    let _ = timeout(LINGER, writer.shutdown()).await;
}

/// Cuts what a client sends into frames.
#[derive(Debug)]
struct CommandReader {
    stream: OwnedReadHalf,
    codec: Codec,
    buffer: BytesMut,
}

impl CommandReader {
    fn new(stream: OwnedReadHalf) -> CommandReader {
        CommandReader { stream, codec: Codec::new(Direction::ClientToServer, LIMITS), buffer: BytesMut::new() }
    }

    /// Returns the next frame, or `None` at the end of the stream. Cancel safe.
    async fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.codec.decode(&mut self.buffer)? {
                return Ok(Some(frame));
            }
            // an unknown verb and a number: the codec waits for what follows, the client for an answer
            let is_whole_line = matches!(self.codec.clone().finish(&self.buffer), Some(Span::Command(_)));
            let patience = if is_whole_line { PATIENCE } else { Duration::MAX };
            if let Ok(read) = timeout(patience, self.stream.read_buf(&mut self.buffer)).await
                && read? > 0
            {
                continue;
            }
            return self.codec.decode_eof(&mut self.buffer);
        }
    }

    /// Reads to the end of the stream.
    async fn discard(&mut self) {
        loop {
            self.buffer.clear();
            if !self.stream.read_buf(&mut self.buffer).await.is_ok_and(|read| read > 0) {
                return;
            }
        }
    }
}
