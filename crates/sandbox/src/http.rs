//! The HTTP endpoints that clients log in with: the nexus and its login page (MSNP8 to MSNP12), and the ticket service
//! (MSNP15, MSN 7.5). One request a connection.

pub(crate) mod message;
mod passport;
mod rst;

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::connection::lock;
use crate::world::World;
use message::{Message, MessageError, Request, Response};

/// Where the nexus is.
pub(crate) const NEXUS_PATH: &str = "/rdr/pprdr.asp";
/// Where the nexus sends clients to.
const LOGIN_PATH: &str = "/login2.srf";
/// Where the ticket service is.
pub(crate) const RST_PATH: &str = "/RST.srf";

/// How long a whole exchange may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long the connection stays readable after the answer, so that it arrives.
const LINGER: Duration = Duration::from_secs(2);

/// Serves one connection.
pub(crate) async fn serve(mut stream: TcpStream, world: &Mutex<World>) {
    let Ok(local) = stream.local_addr() else { return };
    let exchange = async {
        let response = match Message::read(&mut stream, message::Side::Server).await {
            Ok(message) => answer(&message, local, world),
            Err(MessageError::Io(_)) => return,
            Err(MessageError::TooLarge { .. }) => Response::status(413, "Content Too Large"),
            Err(_) => Response::status(400, "Bad Request"),
        };
        if stream.write_all(&response.into_bytes()).await.is_ok() && stream.shutdown().await.is_ok() {
            let mut rest = [0; 1024];
            let discard = async { while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
            let _ = timeout(LINGER, discard).await;
        }
    };
    let _ = timeout(TIMEOUT, exchange).await;
}

fn answer(message: &Message, local: SocketAddr, world: &Mutex<World>) -> Response {
    let Some(request) = Request::of(message) else { return Response::status(400, "Bad Request") };
    let host = message.header("Host").filter(|host| !host.is_empty()).map_or_else(|| local.to_string(), str::to_owned);
    let path = request.path();
    // libpurple asks for //RST.srf; the live service had a second path for @msn.com accounts
    let page = path.rsplit('/').next().unwrap_or_default();
    match (request.method, page) {
        ("GET", _) if path == NEXUS_PATH => passport::nexus(&host),
        ("GET", _) if path == LOGIN_PATH => {
            passport::login(message.header("Authorization"), &mut lock(world), Instant::now())
        }
        ("POST", "RST.srf" | "RST2.srf") => rst::tickets(&message.body, &mut lock(world), Instant::now()),
        (_, "RST.srf" | "RST2.srf") => Response::status(405, "Method Not Allowed"),
        _ => Response::status(404, "Not Found"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use crate::world::Addresses;

    fn ask(request: &[u8], world: &Mutex<World>) -> String {
        let message = Message::parse(request, message::Side::Server).unwrap().unwrap();
        String::from_utf8(answer(&message, "127.0.0.1:80".parse().unwrap(), world).into_bytes()).unwrap()
    }

    fn world() -> Mutex<World> {
        Mutex::new(World::new(&Options::default(), Addresses::default()))
    }

    #[test]
    fn the_nexus_names_the_login_page_on_the_host_that_was_asked() {
        let answer = ask(b"GET /rdr/pprdr.asp HTTP/1.1\r\nHost: nexus.example:8080\r\n\r\n", &world());
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\nPassportURLs: DALogin=http://nexus.example:8080/login2.srf\r\n"), "{answer}");
        let answer = ask(b"GET http://n.example/rdr/pprdr.asp HTTP/1.0\r\n\r\n", &world());
        assert!(answer.contains("\r\nPassportURLs: DALogin=http://127.0.0.1:80/login2.srf\r\n"), "{answer}");
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for (request, status) in [
            ("GET / HTTP/1.1\r\n\r\n", "404"),
            ("GET /RST.srf HTTP/1.1\r\n\r\n", "405"),
            ("POST /rdr/pprdr.asp HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "404"),
        ] {
            assert_eq!(&ask(request.as_bytes(), &world())[9..12], status, "{request}");
        }
    }
}
