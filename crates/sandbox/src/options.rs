//! What a sandbox is started with: [`Options`], [`Account`], [`Challenges`].

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// How a sandbox is set up. The default listens on loopback, on ports that the system chooses.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the dispatch server listens. Default `127.0.0.1:0`.
    pub dispatch: SocketAddr,
    /// Where the notification server listens. Default `127.0.0.1:0`.
    pub notification: SocketAddr,
    /// Where the switchboards listen. Default `127.0.0.1:0`.
    pub switchboard: SocketAddr,
    /// Where the HTTP endpoints of the logins (nexus, login, RST) listen. Default `127.0.0.1:0`.
    pub http: SocketAddr,
    /// The host that `XFR` and `RNG` name instead of the address listened on; the ports stay. Default: none.
    pub public_host: Option<String>,
    /// Who can log in. Default: `alice@example.com` and `bob@example.com`, password `password`, on each other's lists.
    pub accounts: Vec<Account>,
    /// The time until the next ping that `QNG` announces, in whole seconds on the wire. Default 50 s.
    pub ping: Duration,
    /// When clients are challenged. Default: once, right after login.
    pub challenges: Challenges,
    /// How many connections are served at once, over all listeners; others are closed at once. Default 1024.
    pub max_connections: usize,
}

impl Default for Options {
    fn default() -> Options {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Options {
            dispatch: anywhere,
            notification: anywhere,
            switchboard: anywhere,
            http: anywhere,
            public_host: None,
            accounts: vec![
                Account::new("alice@example.com", "password", "Alice").with_contact("bob@example.com"),
                Account::new("bob@example.com", "password", "Bob").with_contact("alice@example.com"),
            ],
            ping: Duration::from_secs(50),
            challenges: Challenges::AfterLogin,
            max_connections: 1024,
        }
    }
}

/// One person who can log in.
#[derive(Clone)]
pub struct Account {
    /// The e-mail address; upper and lower case are the same.
    pub email: String,
    /// The password.
    pub password: String,
    /// The friendly name, as people read it (not percent-encoded).
    pub name: String,
    /// E-mail addresses of other accounts, which are on the forward and allow lists from the start.
    pub contacts: Vec<String>,
}

impl Account {
    /// Returns an account without contacts.
    pub fn new(email: &str, password: &str, name: &str) -> Account {
        Account { email: email.into(), password: password.into(), name: name.into(), contacts: Vec::new() }
    }

    /// Returns the account with one more contact.
    pub fn with_contact(mut self, email: &str) -> Account {
        self.contacts.push(email.into());
        self
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("email", &self.email)
            .field("name", &self.name)
            .field("contacts", &self.contacts)
            .finish_non_exhaustive()
    }
}

/// When clients of MSNP6 and later are sent a `CHL`. An answer that is wrong, or not there after 50 seconds, is told
/// with error 540 and ends the connection; some clients (msnp11-sdk 0.13) never answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Challenges {
    /// Never.
    Never,
    /// Once, right after login.
    #[default]
    AfterLogin,
    /// Right after login, and this long after each right answer.
    Every(Duration),
}
