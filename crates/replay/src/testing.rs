//! What the tests share: transcripts written as dialogues.

use std::fmt::Write;
use std::path::Path;

use msnp::{Command, Direction};
use msnp_transcript::Reader;
use msnp_transcript::event::Sent;

use crate::error::Error;
use crate::script::Script;

/// Reads a script: a line for each command, with milliseconds, the connection, `>` from the client or `<` from the
/// server, and the command with `|` before its payload; or `closed` and by whom.
pub(crate) fn script(dialogue: &str) -> Script {
    read(&transcript(dialogue)).unwrap()
}

/// Reads the text of a transcript.
pub(crate) fn read(text: &str) -> Result<Script, Error> {
    let name = Path::new("t.jsonl");
    Script::read(Reader::new(text.as_bytes(), name), name)
}

/// Writes a dialogue as a transcript, masked as the proxy masks it.
pub(crate) fn transcript(dialogue: &str) -> String {
    let mut text = String::new();
    let mut line = |kind: &str, millis: u64, rest: serde_json::Value| {
        let time = format!("2026-11-22T12:{:02}:{:02}.{:03}000Z", millis / 60_000, millis / 1000 % 60, millis % 1000);
        let seq = text.lines().count();
        let mut event = serde_json::json!({"type": kind, "seq": seq, "time": time, "session": "01jd"});
        event.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        writeln!(text, "{event}").unwrap();
    };
    let session = serde_json::json!({"format": "mitmsn-transcript", "version": 1, "software": "test"});
    line("session", 0, session);
    let mut opened = Vec::new();
    for row in dialogue.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let [millis, connection, way, rest] = row.splitn(4, ' ').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let (millis, number): (u64, u64) = (millis.parse().unwrap(), connection[1..].parse().unwrap());
        if !opened.contains(&number) {
            opened.push(number);
            let address = "192.0.2.9:1863";
            let event =
                serde_json::json!({"connection": number, "client": address, "listener": address, "upstream": ""});
            line("connection-opened", millis, event);
        }
        if way == "closed" {
            let event = serde_json::json!({"connection": number, "by": rest, "client_bytes": 0, "server_bytes": 0});
            line("connection-closed", millis, event);
            continue;
        }
        let direction = if way == ">" { Direction::ClientToServer } else { Direction::ServerToClient };
        let command = command(direction, rest);
        let masked = msnp_transcript::mask::mask_command(&command);
        let shown = masked.as_ref().map_or(&command, |masked| &masked.command);
        let mut event = serde_json::to_value(Sent::of(shown)).unwrap();
        let fields = event.as_object_mut().unwrap();
        fields.insert("connection".into(), number.into());
        fields.insert("origin".into(), "peer".into());
        if let Some(masked) = masked {
            fields.insert("masked".into(), masked.places.into());
        }
        line("command", millis, event);
    }
    text
}

/// Makes a command of a line and, behind `|`, its payload with `\r\n` as people write it. Its length is appended.
pub(crate) fn command(direction: Direction, text: &str) -> Command {
    match text.split_once('|') {
        Some((line, payload)) => {
            let payload = payload.replace("\\r\\n", "\r\n");
            Command::new(direction, line.as_bytes(), Some(payload.as_bytes())).unwrap()
        }
        None => Command::new(direction, text.as_bytes(), None).unwrap(),
    }
}

/// Makes a client's command.
pub(crate) fn client(text: &str) -> Command {
    command(Direction::ClientToServer, text)
}

/// Makes a server's command.
pub(crate) fn server(text: &str) -> Command {
    command(Direction::ServerToClient, text)
}
