//! Scripted clients: they do on the wire what real ones do, one call at a time.
//!
//! A client follows redirects, connects to exactly the addresses that it is told, logs in the way its version does, and
//! answers challenges by itself. All other commands that come unasked are kept until somebody waits for them. Every wait
//! ends after [`Login::timeout`].

mod conversation;
mod error;
mod link;
mod login;
mod passport;

use std::fmt;
use std::time::Duration;

use msnp::{Command, Version};
use quick_xml::escape;

use crate::sandbox::Sandbox;
pub use conversation::Conversation;
pub use error::ClientError;
use link::Link;
pub use passport::{nexus_ticket, single_sign_on_ticket};

/// Who logs in where, and how.
#[derive(Clone)]
pub struct Login {
    /// The dispatch or notification server, `host:port`; an IPv6 address stands in brackets. Port 1863 may be left out.
    pub server: String,
    /// The account's e-mail address.
    pub email: String,
    /// Its password.
    pub password: String,
    /// The version that is offered, the only one.
    pub version: Version,
    /// Where MSNP8 to MSNP14 ask for a ticket; plain HTTP.
    pub nexus_url: String,
    /// Where MSNP15 asks for a ticket; plain HTTP.
    pub rst_url: String,
    /// Whom MSNP13 and later put on their forward and allow lists. Before, the server tells who is there.
    pub contacts: Vec<String>,
    /// How long to wait for anything. Default 10 s.
    pub timeout: Duration,
}

impl Login {
    /// Returns a login through the dispatch server of a sandbox, with the contacts that the account has there. To go
    /// through a proxy, change `server`.
    pub fn to(sandbox: &Sandbox, email: &str, password: &str, version: Version) -> Login {
        Login {
            server: sandbox.dispatch().to_string(),
            email: email.into(),
            password: password.into(),
            version,
            nexus_url: sandbox.nexus_url(),
            rst_url: sandbox.rst_url(),
            contacts: sandbox.contacts(email),
            timeout: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("server", &self.server)
            .field("email", &self.email)
            .field("version", &self.version)
            .field("nexus_url", &self.nexus_url)
            .field("rst_url", &self.rst_url)
            .finish_non_exhaustive()
    }
}

/// A client that is logged in. Dropping it closes its connection without a word, as a killed client does.
#[derive(Debug)]
pub struct Client {
    login: Login,
    link: Link,
    connected_to: Vec<String>,
}

impl Client {
    /// Connects, follows redirects, logs in, and fetches or tells the contact list. The client is not online yet:
    /// [`set_status`](Client::set_status) comes next.
    ///
    /// # Errors
    ///
    /// If the server or the login service refuses, is silent, or says what nobody expects.
    pub async fn login(login: &Login) -> Result<Client, ClientError> {
        let (link, connected_to) = login::log_in(login).await?;
        let mut client = Client { login: login.clone(), link, connected_to };
        client.synchronize().await?;
        Ok(client)
    }

    /// Changes the status (`NLN`, `BSY`, `HDN` ...). The first time, the server answers who else is there.
    ///
    /// # Errors
    ///
    /// If the server refuses or is silent.
    pub async fn set_status(&mut self, status: &str) -> Result<(), ClientError> {
        let arguments = match self.login.version.0 {
            ..=7 => status.to_owned(),
            8..=11 => format!("{status} {CAPABILITIES}"),
            _ => format!("{status} {CAPABILITIES} 0"),
        };
        self.request("CHG", &arguments, None).await?;
        Ok(())
    }

    /// Changes the personal message (MSNP11 and later).
    ///
    /// # Errors
    ///
    /// If the version has none, or the server refuses or is silent.
    pub async fn set_personal_message(&mut self, text: &str) -> Result<(), ClientError> {
        self.need("a personal message", Version(11))?;
        let document = format!("<Data><PSM>{}</PSM><CurrentMedia></CurrentMedia></Data>", escape::escape(text));
        self.request("UUX", "", Some(document.as_bytes())).await?;
        Ok(())
    }

    /// Pings, and returns after how many seconds the server wants the next ping (`None` before MSNP9).
    ///
    /// # Errors
    ///
    /// If the server is silent.
    pub async fn ping(&mut self) -> Result<Option<u64>, ClientError> {
        self.link.send("PNG", None).await?;
        let pong = self.link.wait_for("QNG", |command| command.verb().as_str() == "QNG").await?;
        Ok(pong.argument(0).and_then(|seconds| std::str::from_utf8(seconds).ok()?.parse().ok()))
    }

    /// Asks for a switchboard, connects to it and logs in there. Nobody else is in it yet.
    ///
    /// # Errors
    ///
    /// If a server refuses or is silent.
    pub async fn open_switchboard(&mut self) -> Result<Conversation, ClientError> {
        let reply = self.request("XFR", "SB", None).await?;
        let (Some(address), Some(cookie)) = (link::text(&reply, 2), link::text(&reply, 4)) else {
            return Err(ClientError::unexpected("XFR trid SB host:port CKI cookie", &reply));
        };
        self.connected_to.push(address.clone());
        Conversation::open(&self.login, &address, &cookie).await
    }

    /// Waits for an invitation, connects to the switchboard and joins the conversation.
    ///
    /// # Errors
    ///
    /// If there is none in time, or the switchboard refuses or is silent.
    pub async fn accept_invitation(&mut self) -> Result<Conversation, ClientError> {
        let ring = self.link.wait_for("RNG", |command| command.verb().as_str() == "RNG").await?;
        let (Some(session), Some(address), Some(cookie)) =
            (link::text(&ring, 0), link::text(&ring, 1), link::text(&ring, 3))
        else {
            return Err(ClientError::unexpected("RNG session host:port CKI cookie", &ring));
        };
        self.connected_to.push(address.clone());
        Conversation::join(&self.login, &address, &cookie, &session).await
    }

    /// Sends a command with the next transaction id, and returns the command that answers it. The payload's length is
    /// appended to the line.
    ///
    /// # Errors
    ///
    /// If the answer is an error, or there is none in time.
    pub async fn request(
        &mut self,
        verb: &str,
        arguments: &str,
        payload: Option<&[u8]>,
    ) -> Result<Command, ClientError> {
        self.link.request(verb, arguments, payload).await
    }

    /// Waits for a command that nobody has waited for yet, and returns it; those before it stay. `description` is for
    /// the error.
    ///
    /// # Errors
    ///
    /// If there is none in time, or the connection ends before.
    pub async fn wait_for(
        &mut self,
        description: &str,
        predicate: impl FnMut(&Command) -> bool,
    ) -> Result<Command, ClientError> {
        self.link.wait_for(description, predicate).await
    }

    /// Logs out, and waits until the server has closed the connection.
    ///
    /// # Errors
    ///
    /// If the server does not.
    pub async fn logout(mut self) -> Result<(), ClientError> {
        self.link.leave().await
    }

    /// Returns the commands received from the notification server, in order; the newest 10 000 if there are more.
    pub fn received(&self) -> Vec<Command> {
        self.link.received()
    }

    /// Returns the addresses that the client connected to, as it was told them: the login's server, those that it was
    /// redirected to, the switchboards.
    pub fn connected_to(&self) -> &[String] {
        &self.connected_to
    }

    /// Returns the version.
    pub fn version(&self) -> Version {
        self.login.version
    }

    /// Does what clients do between login and the first status.
    async fn synchronize(&mut self) -> Result<(), ClientError> {
        match self.login.version.0 {
            ..=9 => drop(self.request("SYN", "0", None).await?),
            10..=12 => drop(self.request("SYN", "0 0", None).await?),
            _ => self.tell_lists().await?,
        }
        if matches!(self.login.version.0, 11..=12) {
            self.request("GCF", "Shields.xml", None).await?;
        }
        // the list has no end mark, but what is answered now comes after it
        self.ping().await?;
        Ok(())
    }

    async fn tell_lists(&mut self) -> Result<(), ClientError> {
        self.request("BLP", "AL", None).await?;
        let entries: String = self
            .login
            .contacts
            .iter()
            .filter_map(|email| email.split_once('@'))
            .map(|(name, domain)| {
                let (name, domain) = (escape::escape(name), escape::escape(domain));
                format!(r#"<d n="{domain}"><c n="{name}" l="3" t="1"/></d>"#)
            })
            .collect();
        if !entries.is_empty() {
            self.request("ADL", "", Some(format!(r#"<ml l="1">{entries}</ml>"#).as_bytes())).await?;
        }
        Ok(())
    }

    fn need(&self, what: &'static str, since: Version) -> Result<(), ClientError> {
        let version = self.login.version;
        if version < since { Err(ClientError::NotInVersion { what, version }) } else { Ok(()) }
    }
}

/// What the client says it can do: `0x10000000`, the generation MSNC1 and nothing else.
const CAPABILITIES: u32 = 0x1000_0000;
