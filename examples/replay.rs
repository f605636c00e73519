//! Plays the server of a recorded session to a live client, twice as fast as it was, and prints what the client did
//! differently.
//!
//! cargo run --example replay -- session.jsonl

use std::path::Path;

use msnp_replay::server::{Options, Pace, Server};
use msnp_replay::{Outcome, Script};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a program's own output")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("which transcript?")?;
    let script = Script::open(Path::new(&file))?;
    for dialogue in &script.dialogues {
        println!("#{} {}: {} commands", dialogue.connection, dialogue.server, dialogue.steps.len());
    }
    let options = Options { pace: Pace::Recorded(2.0), ..Options::default() };
    let server = Server::bind(script, ([127, 0, 0, 1], 1863).into(), options, None).await?;
    println!("listening on {}; it ends with the last recorded connection, or with Ctrl-C", server.address());
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let report = server.run(interrupted).await;
    for different in &report.different {
        println!("{} {} was not as recorded:", different.place, different.verb);
        for argument in &different.arguments {
            println!("  {}: {} instead of {}", argument.name, argument.live, argument.recorded);
        }
    }
    for line in &report.missing {
        println!("{} {} is missing", line.place, line.text);
    }
    match report.result {
        Outcome::Same => println!("the client did what was recorded"),
        Outcome::Different => println!("the client did something else"),
    }
    Ok(())
}
