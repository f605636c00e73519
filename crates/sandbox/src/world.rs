//! [`World`]: everything that the servers share. One value behind one lock, changed by commands, without sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use msnp::Version;
use tokio::time::Instant;

use crate::boards::Boards;
use crate::expiring::Expiring;
use crate::options::{Challenges, Options};
use crate::outbox::Outbox;
use crate::output::Output;
use crate::shapes;
use crate::users::{List, User};

/// How long a ticket from an HTTP login is good.
const TICKET_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Most tickets at once.
const MAX_TICKETS: usize = 4096;

/// The state of the sandbox.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) online: BTreeMap<String, Online>,
    pub(crate) boards: Boards,
    pub(crate) tickets: Expiring<Ticket>,
    pub(crate) addresses: Addresses,
    pub(crate) ping: Duration,
    pub(crate) challenges: Challenges,
    logins: u64,
    /// What is written once the command that caused it has been answered.
    pending: Vec<(Outbox, Bytes)>,
}

/// The addresses that clients are sent to, `host:port`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addresses {
    pub(crate) dispatch: String,
    pub(crate) notification: String,
    pub(crate) switchboard: String,
}

/// What an HTTP login hands out.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) email: String,
    /// What proves its possession in single sign-on (base64); tickets of the nexus login have none.
    pub(crate) secret: Option<String>,
}

/// A completed login.
#[derive(Debug)]
pub(crate) struct Online {
    /// Tells this login from a later one of the same account.
    pub(crate) login: LoginId,
    pub(crate) outbox: Outbox,
    pub(crate) version: Version,
    /// `None` before the first `CHG`.
    pub(crate) status: Option<String>,
    pub(crate) capabilities: String,
    /// The display picture's MSNObject in wire form.
    pub(crate) object: Option<String>,
    /// The payload of the last `UUX`.
    pub(crate) personal_message: Vec<u8>,
}

/// The number of a login.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LoginId(u64);

impl Online {
    /// Whether others may know.
    pub(crate) fn is_visible(&self) -> bool {
        self.status.as_deref().is_some_and(|status| status != "HDN")
    }
}

/// Who sees whom: pairs of a viewer and the one seen, by e-mail address.
pub(crate) type Views = BTreeSet<(String, String)>;

impl World {
    /// Returns the state at the start: everybody offline, the accounts' contacts on each other's lists.
    pub(crate) fn new(options: &Options, addresses: Addresses) -> World {
        let mut users: BTreeMap<String, User> =
            options.accounts.iter().map(User::new).map(|user| (user.email.clone(), user)).collect();
        for account in &options.accounts {
            let email = account.email.to_lowercase();
            for contact in &account.contacts {
                befriend(&mut users, &email, &contact.to_lowercase());
            }
        }
        World {
            users,
            online: BTreeMap::new(),
            boards: Boards::new(),
            tickets: Expiring::new(TICKET_LIFETIME, MAX_TICKETS),
            addresses,
            ping: options.ping,
            challenges: options.challenges,
            logins: 0,
            pending: Vec::new(),
        }
    }

    /// Completes a login. An earlier one of the same account ends with `OUT OTH`.
    pub(crate) fn log_in(&mut self, email: &str, version: Version, outbox: Outbox) -> LoginId {
        if let Some(earlier) = self.online.get(email).map(|online| online.login) {
            if let Some(online) = self.online.get(email) {
                online.outbox.finish(Output::of_line("OUT OTH"));
            }
            self.log_out(email, earlier);
        }
        self.logins += 1;
        let login = LoginId(self.logins);
        let online = Online {
            login,
            outbox,
            version,
            status: None,
            capabilities: "0".into(),
            object: None,
            personal_message: Vec::new(),
        };
        self.online.insert(email.into(), online);
        login
    }

    /// Ends a login, if it has not been replaced by another, and tells those who saw it.
    pub(crate) fn log_out(&mut self, email: &str, login: LoginId) {
        if self.online.get(email).is_none_or(|online| online.login != login) {
            return;
        }
        let before = self.views(email);
        self.online.remove(email);
        self.announce(email, &before);
    }

    /// Tells somebody something, if they are online, after the command at hand has been answered.
    pub(crate) fn tell(&mut self, email: &str, bytes: Bytes) {
        if let Some(online) = self.online.get(email) {
            self.pending.push((online.outbox.clone(), bytes));
        }
    }

    /// Writes what was put off until the command at hand had been answered.
    pub(crate) fn deliver(&mut self) {
        for (outbox, bytes) in self.pending.drain(..) {
            outbox.push(bytes);
        }
    }

    /// Checks a password, and returns the account's e-mail address as the server writes it.
    pub(crate) fn check_password(&self, email: &str, password: &str) -> Option<&str> {
        let user = self.users.get(&email.to_lowercase())?;
        (user.password == password).then_some(user.email.as_str())
    }

    /// Hands out a ticket for an account.
    pub(crate) fn issue_ticket(&mut self, ticket: Ticket, now: Instant) -> String {
        let name = format!("{:016X}{:04X}", fastrand::u64(..), fastrand::u16(..));
        self.tickets.insert(name.clone(), ticket, now);
        name
    }

    /// Whether `viewer` sees `subject`: both are there, the one wants to know and the other lets them.
    pub(crate) fn sees(&self, viewer: &str, subject: &str) -> bool {
        let watches = self.online.get(viewer).is_some_and(|online| online.status.is_some())
            && self.users.get(viewer).is_some_and(|user| user.has(List::Forward, subject));
        watches
            && self.online.get(subject).is_some_and(Online::is_visible)
            && self.users.get(subject).is_some_and(|user| user.allows(viewer))
    }

    /// Returns who sees whom, of all pairs that somebody is part of.
    pub(crate) fn views(&self, email: &str) -> Views {
        let others = self.online.keys().filter(|other| *other != email);
        others
            .flat_map(|other| [(other.as_str(), email), (email, other.as_str())])
            .filter(|(viewer, subject)| self.sees(viewer, subject))
            .map(|(viewer, subject)| (viewer.to_owned(), subject.to_owned()))
            .collect()
    }

    /// Tells everybody who began or ceased to see somebody since `before`.
    pub(crate) fn announce(&mut self, email: &str, before: &Views) {
        let after = self.views(email);
        for (viewer, subject) in after.difference(before) {
            self.show(viewer, subject);
        }
        for (viewer, subject) in before.difference(&after) {
            if let Some(version) = self.online.get(viewer).map(|online| online.version) {
                self.tell(viewer, Output::of_line(shapes::offline(version, subject)));
            }
        }
    }

    /// Tells everybody who sees somebody how they are now.
    pub(crate) fn announce_change(&mut self, subject: &str) {
        for viewer in self.viewers(subject) {
            self.show(&viewer, subject);
        }
    }

    /// Returns everybody who sees somebody.
    pub(crate) fn viewers(&self, subject: &str) -> Vec<String> {
        self.online.keys().filter(|viewer| self.sees(viewer, subject)).cloned().collect()
    }

    /// Returns what others are told about somebody who is there.
    pub(crate) fn presence(&self, email: &str) -> Option<shapes::Presence<'_>> {
        let online = self.online.get(email)?;
        let user = self.users.get(email)?;
        Some(shapes::Presence {
            status: online.status.as_deref()?,
            email: &user.email,
            name: &user.name,
            capabilities: &online.capabilities,
            object: online.object.as_deref(),
        })
    }

    fn show(&mut self, viewer: &str, subject: &str) {
        let (Some(to), Some(presence)) = (self.online.get(viewer), self.presence(subject)) else { return };
        let mut output = Output::default();
        output.line(shapes::presence(to.version, &presence));
        self.write_personal_message(&mut output, to.version, subject);
        self.tell(viewer, output.into_bytes());
    }

    /// Appends somebody's personal message, if they have one and the version knows what that is.
    pub(crate) fn write_personal_message(&self, output: &mut Output, version: Version, subject: &str) {
        let Some(online) = self.online.get(subject) else { return };
        if let Some(line) = shapes::personal_message(version, subject)
            && !online.personal_message.is_empty()
        {
            output.payload(line, &online.personal_message);
        }
    }
}

/// Puts `friend` on `email`'s lists, and `email` on the friend's reverse list.
fn befriend(users: &mut BTreeMap<String, User>, email: &str, friend: &str) {
    let Some(friend_name) = users.get(friend).map(|user| user.name.clone()) else { return };
    let Some(user) = users.get_mut(email) else { return };
    let name = user.name.clone();
    for list in [List::Forward, List::Allow] {
        // a contact given twice is on the list already
        let _ = user.add(list, friend, Some(&friend_name));
    }
    if let Some(user) = users.get_mut(friend) {
        let _ = user.add(List::Reverse, email, Some(&name));
    }
}
