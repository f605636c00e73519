//! Scripted peers on loopback sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use super::{PATIENCE, TICK};

/// A scripted server: hands its connections out one by one.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepted: Receiver<TcpStream>,
}

/// One end of a dialogue: a client's socket or a server's.
pub(crate) struct Peer {
    name: &'static str,
    pub(crate) socket: TcpStream,
}

impl Server {
    pub(crate) fn start() -> Server {
        Server::at("127.0.0.1:0")
    }

    pub(crate) fn at(address: &str) -> Server {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, accepted) = mpsc::channel();
        std::thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                if sender.send(socket).is_err() {
                    return;
                }
            }
        });
        Server { address, accepted }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Waits for the next connection.
    pub(crate) fn accept(&self) -> Peer {
        Peer::of("server", self.accepted.recv_timeout(PATIENCE).expect("a connection arrives"))
    }

    /// Whether a connection is there already that nobody has accepted.
    pub(crate) fn has_another(&self) -> bool {
        self.accepted.try_recv().is_ok()
    }
}

impl Peer {
    pub(crate) fn to(address: SocketAddr) -> Peer {
        Peer::of("client", TcpStream::connect(address).unwrap())
    }

    fn of(name: &'static str, socket: TcpStream) -> Peer {
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Peer { name, socket }
    }

    pub(crate) fn sends(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends every byte in a segment of its own, as far as the system lets.
    pub(crate) fn dribbles(&mut self, bytes: impl AsRef<[u8]>) {
        for byte in bytes.as_ref() {
            self.socket.write_all(&[*byte]).unwrap();
        }
    }

    /// Waits for exactly these bytes.
    pub(crate) fn sees(&mut self, expected: impl AsRef<[u8]>) {
        let expected = expected.as_ref();
        let mut seen = vec![0; expected.len()];
        let mut count = 0;
        while count < expected.len() {
            match self.socket.read(&mut seen[count..]) {
                Ok(0) => break,
                Ok(read) => count += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    panic!("{} sees {error} behind {:?}", self.name, String::from_utf8_lossy(&seen[..count]));
                }
            }
            // no need to wait for the rest of what is wrong already
            if seen[..count] != expected[..count] {
                break;
            }
        }
        if seen[..count] != *expected {
            let (seen, expected) = (String::from_utf8_lossy(&seen[..count]), String::from_utf8_lossy(expected));
            panic!("{} sees\n{seen:?}\nnot\n{expected:?}", self.name);
        }
    }

    /// Waits for a line and returns it, its end included.
    pub(crate) fn sees_line(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while line.last() != Some(&b'\n') {
            self.socket.read_exact(&mut byte).unwrap();
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }

    /// Reads so many bytes, or fewer if the stream ends before.
    pub(crate) fn reads(&mut self, count: u64) -> Vec<u8> {
        let mut seen = Vec::new();
        (&mut self.socket).take(count).read_to_end(&mut seen).unwrap();
        seen
    }

    /// Reads lines up to this one.
    pub(crate) fn sees_until(&mut self, line: &str) {
        while self.sees_line() != line {}
    }

    /// Waits for the stream to be reset and checks that nothing came before that.
    pub(crate) fn sees_reset(&mut self) {
        let read = self.socket.read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(read, Err(ErrorKind::ConnectionReset), "{} is not reset", self.name);
    }

    /// Waits for the end of the stream and checks that nothing came before it.
    pub(crate) fn sees_end(&mut self) {
        assert_eq!(String::from_utf8_lossy(&self.reads_to_end()), "", "{} sees more", self.name);
    }

    /// Sends until the socket takes no more, and returns how many bytes that were.
    pub(crate) fn fills_up(&mut self, bytes: &[u8]) -> usize {
        self.socket.set_nonblocking(true).unwrap();
        let mut count = 0;
        let mut last = Instant::now();
        // full for a while, since the proxy takes some
        while last.elapsed() < Duration::from_millis(200) {
            match self.socket.write(&bytes[count % bytes.len()..]) {
                Ok(written) => {
                    count += written;
                    last = Instant::now();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(TICK),
                Err(error) => panic!("{} cannot send: {error}", self.name),
            }
        }
        self.socket.set_nonblocking(false).unwrap();
        count
    }

    /// Reads all that comes until the stream ends, in whatever way.
    pub(crate) fn reads_to_end(&mut self) -> Vec<u8> {
        let mut seen = Vec::new();
        match self.socket.read_to_end(&mut seen) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => {
                panic!("{} sees {error} behind {} bytes", self.name, seen.len());
            }
        }
        seen
    }

    /// Says that it will send no more.
    pub(crate) fn ends(&mut self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    /// Checks that nothing came so far, without waiting.
    pub(crate) fn sees_nothing_yet(&mut self) {
        self.socket.set_nonblocking(true).unwrap();
        let mut byte = [0];
        let peeked = self.socket.peek(&mut byte).map_err(|error| error.kind());
        self.socket.set_nonblocking(false).unwrap();
        assert_eq!(peeked, Err(ErrorKind::WouldBlock), "{} sees something", self.name);
    }

    /// Returns a second handle on the same socket.
    pub(crate) fn handle(&self) -> Peer {
        Peer { name: self.name, socket: self.socket.try_clone().unwrap() }
    }
}

/// A server whose queue is full: who connects gets no answer at all.
pub(crate) struct Full {
    pub(crate) address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
    _listener: tokio::net::TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Full {
    pub(crate) fn start() -> Full {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let entered = runtime.enter();
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        drop(entered);
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(socket) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            waiting.push(socket);
        }
        Full { address, _runtime: runtime, _listener: listener, _waiting: waiting }
    }
}

/// Carries a client through the first exchange of a login, and returns its server's end.
pub(crate) fn log_in(client: &mut Peer, server: &Server, account: &str) -> Peer {
    client.sends("VER 1 MSNP9 MSNP8 CVR0\r\n");
    let mut server = server.accept();
    server.sees("VER 1 MSNP9 MSNP8 CVR0\r\n");
    server.sends("VER 1 MSNP8\r\n");
    client.sees("VER 1 MSNP8\r\n");
    client.sends(format!("USR 2 TWN I {account}\r\n"));
    server.sees(format!("USR 2 TWN I {account}\r\n"));
    server
}
