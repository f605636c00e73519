//! A client, a server and an injector that talk in any order, to check the translation against.

use std::collections::VecDeque;
use std::time::Instant;

use msnp::argument::Scope;
use msnp::{Command, Direction, TransactionId};

use super::{Recipient, Transactions};
use crate::injection::Injection;

/// A transaction that the server may answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    /// By the client, under this id of its own.
    Client(u32),
    ByInjection,
}

/// Plays any interleaving of commands of a client, injections, dropped commands, answers and pushes, and checks what must
/// hold: the client gets every answer to its own commands under its own id and nothing else, the injector gets its own, and
/// the server sees no id twice. The body of a fuzz target.
///
/// # Panics
///
/// If it does not hold.
pub fn check_any_interleaving(input: &[u8]) {
    let Some((&start, steps)) = input.split_first_chunk::<4>() else { return };
    let mut ids = Transactions::default();
    let mut client = u32::from_le_bytes(start);
    let mut asked: Vec<(u32, Asked)> = Vec::new();
    let mut pings: VecDeque<Asked> = VecDeque::new();
    let now = Instant::now();
    for step in steps.chunks(2).take(2000) {
        let (what, how) = (step[0], *step.last().unwrap_or(&0));
        match what % 8 {
            0..=2 => {
                client = next(client, how, ids.is_shifted);
                let command = command(Direction::ClientToServer, &format!("URL {client} INBOX"));
                let number = ids.outgoing(TransactionId(client), command.verb()).unwrap_or(client);
                let is_new = !asked.iter().any(|(id, _)| *id == number);
                assert!(is_new || !ids.is_shifted || client == 0, "id {number} is used twice");
                // a dropped command is never answered, and its id never used again
                if what % 8 != 2 && client != 0 {
                    asked.push((number, Asked::Client(client)));
                }
            }
            3 => {
                let injection = Injection::new(command(Direction::ClientToServer, "URL 0 INBOX")).numbered();
                if let Some(sent) = ids.inject(injection, Scope::default(), now) {
                    let number = sent.transaction_id().map_or(0, |id| id.0);
                    assert_ne!(number, 0);
                    assert!(!asked.iter().any(|(id, _)| *id == number), "id {number} is used twice");
                    asked.push((number, Asked::ByInjection));
                }
            }
            4 if !asked.is_empty() => {
                let (number, who) = asked.remove(usize::from(how) % asked.len());
                let reply = match how & 1 {
                    0 => command(Direction::ServerToClient, &format!("URL {number} /x https://h")),
                    _ => command(Direction::ServerToClient, &format!("500 {number}")),
                };
                let recipient = ids.incoming(&reply, Scope::default(), now);
                match (who, &recipient) {
                    (Asked::Client(own), Recipient::Client) => assert_eq!(own, number),
                    (Asked::Client(own), Recipient::ClientAs(id)) => assert_eq!(own, *id),
                    (Asked::ByInjection, Recipient::Injector(_)) => {}
                    _ => panic!("the answer to {who:?} under {number} went to {recipient:?}"),
                }
            }
            5 => {
                for push in ["ADC 0 RL N=bob@example.com F=Bob", "NLN NLN bob@example.com Bob 0", "CHL 0 155"] {
                    let push = command(Direction::ServerToClient, push);
                    assert_eq!(ids.incoming(&push, Scope::default(), now), Recipient::Client);
                }
            }
            6 => {
                let ping = command(Direction::ClientToServer, "PNG");
                let who = match how & 1 {
                    0 => {
                        ids.note_ping();
                        Some(Asked::Client(0))
                    }
                    _ => ids.inject(ping.into(), Scope::default(), now).map(|_| Asked::ByInjection),
                };
                pings.extend(who);
            }
            7 if !pings.is_empty() => {
                // the client first, as long as it waits for one
                let own = pings.iter().position(|who| matches!(who, Asked::Client(_)));
                let who = pings.remove(own.unwrap_or(0));
                if ids.is_on() {
                    let recipient = ids.incoming(&command(Direction::ServerToClient, "QNG 50"), Scope::default(), now);
                    assert_eq!(recipient == Recipient::Client, who != Some(Asked::ByInjection), "{who:?}");
                } else {
                    ids.note_pong();
                }
            }
            _ => {}
        }
    }
}

/// Returns the client's next id: one more, a gap, the same again, or from anywhere. Before an injection took an id the
/// proxy keeps no more than the latest, so that there it only counts up.
fn next(id: u32, how: u8, is_shifted: bool) -> u32 {
    match how {
        0..=199 => id.wrapping_add(1),
        200..=229 => id.wrapping_add(u32::from(how)),
        230..=239 if is_shifted => id,
        240..=249 if is_shifted => u32::from(how - 240),
        250..=255 if is_shifted => u32::MAX - u32::from(how - 250),
        _ => id.wrapping_add(2),
    }
}

fn command(direction: Direction, line: &str) -> Command {
    Command::new(direction, line.as_bytes(), None).expect("the model speaks in lines")
}
