//! The switchboard server: one conversation a connection. Told commands like the [notification
//! server](crate::notification), without sockets.

use msnp::payload::mime::Headers;
use tokio::time::Instant;

use crate::boards::{BoardId, Participant, Pass};
use crate::code::{self, ErrorCode};
use crate::connection::{Session, Turn};
use crate::notification::LOGIN_TIMEOUT;
use crate::outbox::Outbox;
use crate::output::Output;
use crate::shapes;
use crate::world::World;

/// Longest message. A longer one ends the sender's connection.
pub(crate) const MAX_MESSAGE_BYTES: usize = 1664;

/// The server's side of one connection.
#[derive(Debug)]
pub(crate) struct Switchboard {
    outbox: Outbox,
    login_deadline: Instant,
    seat: Option<Seat>,
}

/// Who is at the other end, and in which conversation.
#[derive(Debug, Clone)]
struct Seat {
    board: BoardId,
    email: String,
    name: String,
}

impl Switchboard {
    pub(crate) fn new(outbox: Outbox, now: Instant) -> Switchboard {
        Switchboard { outbox, login_deadline: now + LOGIN_TIMEOUT, seat: None }
    }

    fn run(&mut self, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
        match (turn.request.verb.as_bytes(), &self.seat) {
            (b"USR", None) => self.usr(turn),
            (b"ANS", None) => self.ans(turn),
            (b"USR" | b"ANS", Some(_)) => Err(code::ALREADY_LOGGED_IN),
            (b"CAL", Some(seat)) => cal(seat, turn),
            (b"MSG", Some(seat)) => msg(seat, turn),
            (b"OUT", _) => {
                turn.output.close();
                Ok(())
            }
            (b"CAL" | b"MSG", None) => Err(code::NOT_LOGGED_IN),
            _ => Err(code::SYNTAX_ERROR),
        }
    }

    /// `USR trid email cookie` -> `USR trid OK email name`
    fn usr(&mut self, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
        let (email, cookie) = (turn.request.argument(0).to_lowercase(), turn.request.argument(1));
        let pass = turn.world.boards.redeem(cookie, turn.now);
        let Some(pass) = pass.filter(|pass| pass.email == email && pass.board.is_none()) else {
            turn.output.fatal(code::AUTHENTICATION_FAILED, turn.request.id);
            return Ok(());
        };
        let participant = self.participant(&pass, turn.world);
        let name = participant.name.clone();
        let board = turn.world.boards.open(participant);
        turn.reply(format_args!("OK {email} {name}"));
        self.seat = Some(Seat { board, email, name });
        Ok(())
    }

    /// `ANS trid email cookie session` -> `IRO trid index total email name [capabilities]` each, `ANS trid OK`
    fn ans(&mut self, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
        let (email, cookie) = (turn.request.argument(0).to_lowercase(), turn.request.argument(1));
        let number = turn.request.argument(2);
        let pass = turn.world.boards.redeem(cookie, turn.now).filter(|pass| pass.email == email);
        let board = pass.as_ref().and_then(|pass| pass.board).filter(|board| board.0.to_string() == number);
        let (Some(pass), Some(board)) = (pass, board) else {
            turn.output.fatal(code::AUTHENTICATION_FAILED, turn.request.id);
            return Ok(());
        };
        if turn.world.boards.contains(board, &email) {
            return Err(code::ALREADY_ON_LIST);
        }
        let participant = self.participant(&pass, turn.world);
        let present: Vec<&Participant> = turn.world.boards.others(board, &email).collect();
        for (index, other) in present.iter().enumerate() {
            let shown = shapes::participant(pass.version, &other.email, &other.name, &other.capabilities);
            turn.output.line(format_args!("IRO {} {} {} {shown}", turn.request.id, index + 1, present.len()));
        }
        for other in present {
            let Participant { email, name, capabilities, .. } = &participant;
            let shown = shapes::participant(other.version, email, name, capabilities);
            other.outbox.push(Output::of_line(format_args!("JOI {shown}")));
        }
        let name = participant.name.clone();
        if !turn.world.boards.join(board, participant) {
            turn.output.fatal(code::AUTHENTICATION_FAILED, turn.request.id);
            return Ok(());
        }
        turn.reply("OK");
        self.seat = Some(Seat { board, email, name });
        Ok(())
    }

    fn participant(&self, pass: &Pass, world: &World) -> Participant {
        let name = world.users.get(&pass.email).map_or(pass.email.as_str(), |user| &user.name);
        let capabilities = world.online.get(&pass.email).map_or("0", |online| &online.capabilities);
        Participant {
            email: pass.email.clone(),
            name: name.into(),
            capabilities: capabilities.into(),
            version: pass.version,
            outbox: self.outbox.clone(),
        }
    }
}

impl Session for Switchboard {
    fn handle(&mut self, turn: &mut Turn<'_>) {
        if let Err(code) = self.run(turn) {
            turn.output.error(code, turn.request.id);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.seat.is_none().then_some(self.login_deadline)
    }

    fn expire(&mut self, _now: Instant, output: &mut Output) {
        output.close();
    }

    fn leave(&mut self, world: &mut World) {
        if let Some(seat) = self.seat.take() {
            world.boards.leave(seat.board, &seat.email);
        }
    }
}

/// `CAL trid email` -> `CAL trid RINGING session`; the invited person's notification connection gets `RNG`
fn cal(seat: &Seat, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let email = turn.request.argument(0).to_lowercase();
    let user = turn.world.users.get(&email).ok_or(code::INVALID_USERNAME)?;
    if turn.world.boards.contains(seat.board, &email) {
        return Err(code::ALREADY_ON_LIST);
    }
    if !user.allows(&seat.email) {
        return Err(code::NOT_ON_LIST);
    }
    let online = turn.world.online.get(&email).filter(|online| online.is_visible()).ok_or(code::NOT_ONLINE)?;
    let version = online.version;
    let pass = Pass { email: email.clone(), version, board: Some(seat.board) };
    let cookie = turn.world.boards.issue(pass, turn.now);
    let address = &turn.world.addresses.switchboard;
    let line = shapes::ring(version, seat.board.0, address, &cookie, &seat.email, &seat.name);
    turn.world.tell(&email, Output::of_line(line));
    turn.reply(format_args!("RINGING {}", seat.board.0));
    Ok(())
}

/// `MSG trid U|N|A|D length` + message -> `ACK trid`, `NAK trid` or nothing; the others get `MSG`
fn msg(seat: &Seat, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let request = turn.request;
    if request.payload.len() > MAX_MESSAGE_BYTES {
        turn.output.close();
        return Ok(());
    }
    let wanted = Acknowledgement::parse(request.argument(0)).ok_or(code::INVALID_PARAMETER)?;
    let content_type = Headers::parse(request.payload).content_type();
    if wanted == Acknowledgement::Data && content_type != Some(b"application/x-msnmsgrp2p") {
        return Err(code::BAD_P2P_MESSAGE);
    }
    let bytes = Output::of_payload(format_args!("MSG {} {}", seat.email, seat.name), request.payload);
    let mut delivered = false;
    for other in turn.world.boards.others(seat.board, &seat.email) {
        other.outbox.push(bytes.clone());
        delivered = true;
    }
    match (wanted, delivered) {
        (Acknowledgement::All | Acknowledgement::Data, true) => turn.output.line(format_args!("ACK {}", request.id)),
        (Acknowledgement::None, _) | (Acknowledgement::Failure, true) => {}
        (_, false) => turn.output.line(format_args!("NAK {}", request.id)),
    }
    Ok(())
}

/// What a sender wants to be told about a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Acknowledgement {
    /// `U`: nothing.
    None,
    /// `N`: only if it was not delivered.
    Failure,
    /// `A`: either way.
    All,
    /// `D`: either way; for P2P only.
    Data,
}

impl Acknowledgement {
    fn parse(word: &str) -> Option<Acknowledgement> {
        match word {
            "U" => Some(Acknowledgement::None),
            "N" => Some(Acknowledgement::Failure),
            "A" => Some(Acknowledgement::All),
            "D" => Some(Acknowledgement::Data),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
