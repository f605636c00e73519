//! Dialogues with the servers, without sockets: what a client says, what it is answered, what it is told unasked.

use bytes::Bytes;
use msnp::{Direction, Version, challenge, codec};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::connection::{LIMITS, Session, answer};
use crate::notification::{Notification, Role};
use crate::options::{Account, Challenges, Options};
use crate::outbox::Outbox;
use crate::output::Output;
use crate::switchboard::Switchboard;
use crate::world::{Addresses, Ticket, World};

/// A server and its connections.
pub(crate) struct Dialogue {
    pub(crate) world: World,
}

/// One connection, as its client sees it.
pub(crate) struct Line {
    session: Box<dyn Session>,
    queue: mpsc::Receiver<Bytes>,
    closing: CancellationToken,
    is_closed: bool,
}

impl Dialogue {
    /// Starts a server with Alice and Bob, who know each other, and Carol, who knows nobody.
    pub(crate) fn new(challenges: Challenges) -> Dialogue {
        let mut options = Options { challenges, ..Options::default() };
        options.accounts.push(Account::new("carol@example.com", "password", "Carol C"));
        let addresses = Addresses {
            dispatch: "192.0.2.1:1863".into(),
            notification: "192.0.2.10:1863".into(),
            switchboard: "192.0.2.20:1863".into(),
        };
        Dialogue { world: World::new(&options, addresses) }
    }

    /// Connects to the dispatch or the notification server.
    pub(crate) fn connect(&self, role: Role) -> Line {
        let peer = "198.51.100.7:1863".parse().unwrap();
        Line::new(|outbox| Box::new(Notification::new(role, peer, outbox, Instant::now())))
    }

    /// Connects to a switchboard.
    pub(crate) fn connect_to_switchboard(&self) -> Line {
        Line::new(|outbox| Box::new(Switchboard::new(outbox, Instant::now())))
    }

    /// Connects to the notification server and logs in.
    pub(crate) fn log_in(&mut self, email: &str, version: u8) -> Line {
        let mut line = self.connect(Role::Notification);
        self.say(&mut line, &format!("VER 1 MSNP{version} CVR0\r\n"));
        let scheme = ["MD5", "TWN", "SSO"][usize::from(version > 7) + usize::from(version > 12)];
        let asked = self.say(&mut line, &format!("USR 2 {scheme} I {email}\r\n"));
        let secret = (scheme == "SSO").then(|| "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned());
        let ticket = self.world.issue_ticket(Ticket { email: email.into(), secret: secret.clone() }, Instant::now());
        let last = asked.trim_end().rsplit(' ').next().unwrap().to_owned();
        let proof = match &secret {
            Some(secret) => challenge::sso_response(secret.as_bytes(), last.as_bytes(), [7; 8]).unwrap(),
            None => String::new(),
        };
        let answer = match scheme {
            "MD5" => challenge::md5_login(last.as_bytes(), b"password"),
            _ => format!("t={ticket}&p= {proof}"),
        };
        let done = self.say(&mut line, &format!("USR 3 {scheme} S {answer}\r\n"));
        assert!(done.starts_with(&format!("USR 3 OK {email}")), "{done}");
        line
    }

    /// Connects to the notification server, logs in and goes online.
    pub(crate) fn go_online(&mut self, email: &str, version: u8) -> Line {
        let mut line = self.log_in(email, version);
        self.say(&mut line, "CHG 4 NLN 0\r\n");
        line
    }

    /// Sends bytes, usually one command, and returns the answer to them.
    pub(crate) fn say(&mut self, line: &mut Line, bytes: &str) -> String {
        let mut output = Output::default();
        for frame in codec::frames(Direction::ClientToServer, LIMITS, bytes.as_bytes(), &[bytes.len().max(1)]) {
            answer(line.session.as_mut(), &frame, &mut self.world, &mut output);
        }
        line.is_closed |= output.closes();
        self.world.deliver();
        text(&output.into_bytes())
    }

    /// Ends a connection.
    pub(crate) fn hang_up(&mut self, mut line: Line) {
        line.session.leave(&mut self.world);
        self.world.deliver();
    }
}

impl Line {
    fn new(open: impl FnOnce(Outbox) -> Box<dyn Session>) -> Line {
        let (outbox, queue, closing) = Outbox::new();
        Line { session: open(outbox), queue, closing, is_closed: false }
    }

    /// Returns what was told unasked since the last time.
    pub(crate) fn told(&mut self) -> String {
        std::iter::from_fn(|| self.queue.try_recv().ok()).map(|bytes| text(&bytes)).collect()
    }

    /// Lets time pass to the next deadline, and returns what is told then; `None` if there is none.
    pub(crate) fn wait(&mut self) -> Option<String> {
        let deadline = self.session.deadline()?;
        let mut output = Output::default();
        self.session.expire(deadline, &mut output);
        self.is_closed |= output.closes();
        Some(text(&output.into_bytes()))
    }

    /// Whether the server has ended the connection.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed || self.closing.is_cancelled()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Returns the version that a test names by its number.
pub(crate) fn versions() -> impl Iterator<Item = u8> {
    crate::notification::SERVED.into_iter().map(|Version(number)| number)
}
