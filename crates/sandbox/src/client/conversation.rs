//! [`Conversation`]: a switchboard connection of a scripted client.

use msnp::Command;

use super::Login;
use super::error::ClientError;
use super::link::{Link, text};

/// A conversation on a switchboard. Dropping it closes its connection without a word.
#[derive(Debug)]
pub struct Conversation {
    link: Link,
    address: String,
    email: String,
    others: Vec<String>,
}

impl Conversation {
    /// Opens a conversation with the cookie of `XFR SB`.
    pub(super) async fn open(login: &Login, address: &str, cookie: &str) -> Result<Conversation, ClientError> {
        let mut conversation = Conversation::connect(login, address).await?;
        conversation.link.request("USR", &format!("{} {cookie}", login.email), None).await?;
        Ok(conversation)
    }

    /// Joins a conversation with the cookie and the session id of `RNG`.
    pub(super) async fn join(
        login: &Login,
        address: &str,
        cookie: &str,
        session: &str,
    ) -> Result<Conversation, ClientError> {
        let mut conversation = Conversation::connect(login, address).await?;
        conversation.link.request("ANS", &format!("{} {cookie} {session}", login.email), None).await?;
        for present in conversation.received().iter().filter(|command| command.verb().as_str() == "IRO") {
            conversation.others.extend(text(present, 3));
        }
        Ok(conversation)
    }

    async fn connect(login: &Login, address: &str) -> Result<Conversation, ClientError> {
        let link = Link::connect(address, login.version, login.timeout).await?;
        Ok(Conversation { link, address: address.into(), email: login.email.clone(), others: Vec::new() })
    }

    /// Invites somebody. They are there when [`wait_for_participant`](Conversation::wait_for_participant) returns.
    ///
    /// # Errors
    ///
    /// If the server refuses (217: not online) or is silent.
    pub async fn invite(&mut self, email: &str) -> Result<(), ClientError> {
        self.link.request("CAL", email, None).await?;
        Ok(())
    }

    /// Waits until one more person has joined, and returns their e-mail address.
    ///
    /// # Errors
    ///
    /// If nobody does in time.
    pub async fn wait_for_participant(&mut self) -> Result<String, ClientError> {
        let joined = self.link.wait_for("JOI", |command| command.verb().as_str() == "JOI").await?;
        let email = text(&joined, 0).ok_or_else(|| ClientError::unexpected("JOI email name", &joined))?;
        self.others.push(email.clone());
        Ok(email)
    }

    /// Waits until a participant has left, and returns their e-mail address.
    ///
    /// # Errors
    ///
    /// If nobody does in time.
    pub async fn wait_for_departure(&mut self) -> Result<String, ClientError> {
        let left = self.link.wait_for("BYE", |command| command.verb().as_str() == "BYE").await?;
        let email = text(&left, 0).ok_or_else(|| ClientError::unexpected("BYE email", &left))?;
        self.others.retain(|other| *other != email);
        Ok(email)
    }

    /// Sends a text, and waits until the switchboard has acknowledged it. If nobody is there yet, waits for somebody
    /// first, as clients do after an invitation.
    ///
    /// # Errors
    ///
    /// If it was not delivered, or the server is silent.
    pub async fn send_text(&mut self, message: &str) -> Result<(), ClientError> {
        if self.others.is_empty() {
            self.wait_for_participant().await?;
        }
        let payload = format!(
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\
             X-MMS-IM-Format: FN=MS%20Shell%20Dlg; EF=; CO=0; CS=0; PF=0\r\n\r\n{message}"
        );
        let reply = self.link.request_any("MSG", "A", Some(payload.as_bytes()), &["ACK", "NAK"]).await?;
        if reply.verb().as_str() == "NAK" { Err(ClientError::NotDelivered) } else { Ok(()) }
    }

    /// Tells the others that this client is typing. Nothing is acknowledged.
    ///
    /// # Errors
    ///
    /// If the connection broke.
    pub async fn send_typing(&mut self) -> Result<(), ClientError> {
        let payload = format!(
            "MIME-Version: 1.0\r\nContent-Type: text/x-msmsgscontrol\r\nTypingUser: {}\r\n\r\n\r\n",
            self.email
        );
        self.link.send_numbered("MSG", "U", Some(payload.as_bytes())).await?;
        Ok(())
    }

    /// Shakes the others' windows. Nothing is acknowledged.
    ///
    /// # Errors
    ///
    /// If the connection broke.
    pub async fn send_nudge(&mut self) -> Result<(), ClientError> {
        let payload = b"MIME-Version: 1.0\r\nContent-Type: text/x-msnmsgr-datacast\r\n\r\nID: 1\r\n\r\n";
        self.link.send_numbered("MSG", "U", Some(payload)).await?;
        Ok(())
    }

    /// Waits for the next message of any kind (text, typing, nudge), and returns its command.
    ///
    /// # Errors
    ///
    /// If there is none in time.
    pub async fn next_message(&mut self) -> Result<Command, ClientError> {
        self.link.wait_for("MSG", |command| command.verb().as_str() == "MSG").await
    }

    /// Sends a command with the next transaction id, and returns the command that answers it, `ACK` and `NAK` included.
    /// The payload's length is appended to the line.
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
        self.link.request_any(verb, arguments, payload, &[verb, "ACK", "NAK"]).await
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

    /// Leaves, and waits until the switchboard has closed the connection.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub async fn leave(mut self) -> Result<(), ClientError> {
        self.link.leave().await
    }

    /// Returns the commands received from the switchboard, in order; the newest 10 000 if there are more.
    pub fn received(&self) -> Vec<Command> {
        self.link.received()
    }

    /// Returns the address of the switchboard, as the client was told it.
    pub fn connected_to(&self) -> &str {
        &self.address
    }

    /// Returns who else is in the conversation, as far as this client has been asked to notice.
    pub fn others(&self) -> &[String] {
        &self.others
    }
}
