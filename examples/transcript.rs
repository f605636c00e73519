//! Reads a transcript: prints every text message in it, with who said it.
//!
//! cargo run --example transcript -- session.jsonl

use std::path::Path;

use msnp::Direction;
use msnp::command::lossy;
use msnp_transcript::screen::Tracker;
use msnp_transcript::{Event, Reader};

#[expect(clippy::print_stdout, reason = "a program's own output")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("which transcript?")?;
    let mut tracker = Tracker::default();
    for event in Reader::open(Path::new(&file))? {
        let event = event?;
        tracker.learn(&event);
        let Event::Command(event) = &event else { continue };
        let command = event.command()?;
        if command.verb().as_str() != "MSG" || !command.headers().is("text/plain") {
            continue;
        }
        let speaker = match command.direction() {
            Direction::ClientToServer => tracker.account(&event.stem.session, event.connection).to_owned(),
            Direction::ServerToClient => lossy(command.argument(0).unwrap_or_default()).into_owned(),
        };
        println!("{} {speaker}: {}", event.stem.time, lossy(command.text()));
    }
    Ok(())
}
