//! Where a client meant to go whose connection the kernel brought here.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use socket2::{SockRef, Socket};
use tokio::net::TcpStream;
use tracing::info;

/// Returns the address that the client meant: the one before a REDIRECT, or the local one under TPROXY.
pub(crate) fn original_target(socket: &TcpStream, reached: SocketAddr) -> SocketAddr {
    let socket = SockRef::from(socket);
    let original = match reached {
        SocketAddr::V4(_) => original_v4(&socket),
        SocketAddr::V6(_) => original_v6(&socket),
    };
    original.unwrap_or(reached)
}

#[cfg(target_os = "linux")]
fn original_v4(socket: &Socket) -> Option<SocketAddr> {
    socket.original_dst_v4().ok()?.as_socket()
}

#[cfg(target_os = "linux")]
fn original_v6(socket: &Socket) -> Option<SocketAddr> {
    socket.original_dst_v6().ok()?.as_socket()
}

#[cfg(not(target_os = "linux"))]
fn original_v4(_: &Socket) -> Option<SocketAddr> {
    None
}

#[cfg(not(target_os = "linux"))]
fn original_v6(_: &Socket) -> Option<SocketAddr> {
    None
}

/// Lets a listener take connections to any address, which TPROXY needs and only a privileged process may.
pub(crate) fn allow_any_address(listener: &Socket, address: SocketAddr) {
    if let Err(error) = set_transparent(listener, address) {
        info!(%address, %error, "not permitted to take TPROXY connections; REDIRECT works");
    }
}

#[cfg(target_os = "linux")]
fn set_transparent(listener: &Socket, address: SocketAddr) -> io::Result<()> {
    match address {
        SocketAddr::V4(_) => listener.set_ip_transparent_v4(true),
        SocketAddr::V6(_) => listener.set_ip_transparent_v6(true),
    }
}

#[cfg(not(target_os = "linux"))]
fn set_transparent(_: &Socket, _: SocketAddr) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The local addresses of the connections that the proxy itself makes: one that comes back is a loop.
#[derive(Debug, Default)]
pub(crate) struct Outgoing(Mutex<HashSet<SocketAddr>>);

impl Outgoing {
    pub(crate) fn insert(&self, address: SocketAddr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(address);
    }

    pub(crate) fn remove(&self, address: &SocketAddr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(address);
    }

    pub(crate) fn contains(&self, address: &SocketAddr) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(address)
    }
}
