//! What the recorded client says, as it goes to the live server.

use msnp::flow::{Address, Opening, RedirectKind};
use msnp::{Command, Direction, challenge};
use msnp_transcript::diff::volatile::{GUID, starts_with_guid};

use super::{Action, Performance};
use crate::adapt;
use crate::report::drawn;
use crate::script::Dialogue;

impl Performance {
    /// Returns a recorded command as it goes to the live server; `None` if there is nothing to say.
    pub(super) fn prepared(&mut self, part: usize, step: usize) -> Option<Command> {
        let said = self.dialogue(part).steps[step].clone();
        let mut command = adapt::fill(&said.command, &said.masked);
        if let Some((recorded, live)) = self.accounts(part) {
            adapt::rename(&mut command, &recorded, &live);
        }
        adapt::replace_guids(&mut command, &self.guids);
        match command.verb().as_bytes() {
            b"QRY" => {
                let Some(challenge) = self.parts[part].challenge.take() else {
                    let text = format!(
                        "{} {} is left out: the server did not challenge",
                        self.place(part, None),
                        drawn(&said.command)
                    );
                    self.report.note(text);
                    self.parts[part].unsaid.push(step);
                    return None;
                };
                self.parts[part].answer(&mut command, &challenge);
            }
            b"CVR" => {
                let hop = self.cause(part).and_then(|(from, step)| self.parts[from].hop(step));
                let index = said.command.argument(9).and(hop);
                if let Some(hop) = index {
                    // it was one argument of the server's
                    let _ = command.set_argument(9, &hop);
                }
            }
            _ => {}
        }
        self.show_cookie(part, step, &mut command);
        let account = self.scripts[self.parts[part].script].account.clone().unwrap_or_default();
        // what is missing was named before anything was said
        let _ = self.secrets.complete(&mut command, &said, &account, Some(&self.parts[part].questions));
        if said.masked.iter().any(|place| place == "args[5]")
            && let Some(machine) = self.machine(part)
        {
            // it was one argument of the client's
            let _ = command.set_argument(5, &machine);
        }
        self.parts[part].facts.learn(&command);
        Some(command)
    }

    /// Returns the machine that a client calls itself on switchboards (MSNP16 and later). In its login it is masked, and both
    /// have to be the same.
    fn machine(&self, part: usize) -> Option<Vec<u8>> {
        let dialogues = &self.scripts[self.parts[part].script].dialogues;
        dialogues.iter().flat_map(Dialogue::requests).find_map(|(_, step)| {
            let who = step.command.argument(1)?;
            let (_, endpoint) = who.split_at_checked(who.len().checked_sub(GUID + 2)?)?;
            let text = std::str::from_utf8(endpoint).ok()?;
            let is_one = matches!(Opening::of(&step.command), Opening::Caller { .. } | Opening::Callee { .. });
            (is_one && text.strip_prefix('{').is_some_and(|text| starts_with_guid(text.as_bytes())))
                .then(|| endpoint.to_vec())
        })
    }

    /// Puts the live cookie and session id into the first command on a switchboard.
    fn show_cookie(&self, part: usize, step: usize, command: &mut Command) {
        let is_first = self.dialogue(part).requests().next().is_some_and(|(first, _)| first == step);
        let Some((from, at)) = self.cause(part).filter(|_| is_first) else { return };
        let (cookie, session) = match self.parts[from].redirects.get(&at).map(|redirect| &redirect.kind) {
            Some(RedirectKind::Switchboard { cookie }) => (cookie, None),
            Some(RedirectKind::Invitation { cookie, session }) => (cookie, Some(session)),
            _ => return,
        };
        // each was one argument of the server's
        let _ = command.set_argument(2, cookie);
        if let Some(session) = session {
            let _ = command.set_argument(3, session);
        }
    }

    /// Returns where a part connects to.
    pub(super) fn address(&self, part: usize) -> Option<Address> {
        if let Some(address) = &self.parts[part].sent_to {
            return Some(address.clone());
        }
        let cause = self.cause(part);
        let live = cause.and_then(|(from, step)| self.parts[from].redirects.get(&step));
        if let Some(redirect) = live {
            return Some(redirect.address.clone());
        }
        // a server that does not send its clients on takes their login itself
        let from = cause.and_then(|(from, _)| self.parts[from].address.clone());
        let is_login = matches!(self.dialogue(part).opening(), Opening::Login { .. } | Opening::Other);
        is_login.then(|| from.unwrap_or_else(|| self.to.clone()))
    }

    /// A challenge that the recording does not have has to be answered too, or the server ends the connection.
    pub(super) fn answer_challenge(&mut self, part: usize, command: &Command) {
        self.report.note(format!("{}: answered a challenge that the recording does not have", self.place(part, None)));
        let version = self.parts[part].facts.version.or(self.dialogue(part).version);
        let Some(product) = version.and_then(challenge::product_for) else { return };
        let last = self.dialogue(part).requests().filter_map(|(_, step)| step.command.transaction_id()).max();
        let id = self.parts[part].own_id(last.map_or(0, |id| id.0));
        let line = format!("QRY {id} {}", product.id);
        let Ok(mut answer) = Command::new(Direction::ClientToServer, line.as_bytes(), Some(b"")) else { return };
        let challenge = command.argument(1).unwrap_or_default().to_vec();
        self.parts[part].answer(&mut answer, &challenge);
        self.pending.push_back(Action::Say { part, command: answer });
    }
}
