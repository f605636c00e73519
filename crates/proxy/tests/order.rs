//! In which order observers are told and peers are served.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use mitmsn_proxy::hook::Interest;
use mitmsn_proxy::observer::{About, Event, Observer};
use mitmsn_proxy::{Engine, Target};
use msnp::flow::Address;

/// Looks, when it is told of an `XFR`, whether the client has it already.
#[derive(Debug)]
struct Watcher {
    client: Mutex<Option<TcpStream>>,
    found: mpsc::Sender<bool>,
}

impl Observer for Watcher {
    fn interest(&self) -> Interest {
        Interest::everything()
    }

    fn observe(&self, event: &Event<'_>, _: &About<'_>) {
        let is_redirect = match event {
            Event::Commands(run) => run.commands().any(|command| command.verb().as_str() == "XFR"),
            Event::Changed(changed) => changed.received.verb().as_str() == "XFR",
            _ => false,
        };
        if let (true, Some(client)) = (is_redirect, &*self.client.lock().unwrap()) {
            client.set_nonblocking(true).unwrap();
            let peeked = client.peek(&mut [0]);
            client.set_nonblocking(false).unwrap();
            let has_it = !peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
            self.found.send(has_it).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_told_of_before_the_client_can_follow_it() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = upstream.local_addr().unwrap().port();
    let (found, finds) = mpsc::channel();
    let watcher = Arc::new(Watcher { client: Mutex::default(), found });
    let engine = Engine::builder(Target::Fixed(Address { host: "127.0.0.1".into(), port: Some(port) }))
        .listen(([127, 0, 0, 1], 0))
        .observer(Arc::clone(&watcher) as _)
        .start()
        .await
        .unwrap();
    let address = engine.addresses()[0];
    tokio::task::spawn_blocking(move || {
        let mut client = TcpStream::connect(address).unwrap();
        *watcher.client.lock().unwrap() = Some(client.try_clone().unwrap());
        client.write_all(b"VER 1 MSNP8 CVR0\r\n").unwrap();
        let (mut server, _) = upstream.accept().unwrap();
        let line = "XFR 2 SB 127.0.0.1:1863 CKI 17262740.1050826919.32308\r\n";
        server.write_all(line.as_bytes()).unwrap();
        assert!(!finds.recv_timeout(Duration::from_secs(20)).unwrap(), "the client had it before it was told of");
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut received = String::new();
        BufReader::new(client).read_line(&mut received).unwrap();
        assert!(received.starts_with("XFR 2 SB 127.0.0.1:") && received.ends_with("32308\r\n"), "{received}");
    })
    .await
    .unwrap();
    assert!(engine.shutdown().await);
}
