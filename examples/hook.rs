//! A proxy with a hook of its own: whoever says "!time" in a conversation gets the answer from the proxy.
//!
//! cargo run --example hook -- messenger.example

use std::sync::Arc;
use std::time::SystemTime;

use mitmsn_proxy::{Context, Engine, Hook, Interest, Target, Verdict};
use msnp::flow::Address;
use msnp::{Command, Direction, Verb};

struct Clock;

const MSG: Verb = Verb::new(*b"MSG").expect("three capitals");

impl Hook for Clock {
    fn name(&self) -> &str {
        "clock"
    }

    // all other commands pass without this hook, at no cost
    fn interest(&self) -> Interest {
        Interest::nothing().and(Direction::ClientToServer, MSG)
    }

    fn command(&self, command: &mut Command, context: &mut Context<'_>) -> Verdict {
        if !command.headers().is("text/plain") || command.text() != b"!time" {
            return Verdict::forward();
        }
        let seconds = context.time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let payload = format!("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\n{seconds}");
        let line = format!("MSG {} Clock", context.account);
        match Command::new(Direction::ServerToClient, line.as_bytes(), Some(payload.as_bytes())) {
            Ok(answer) => Verdict::reply(answer),
            Err(_) => Verdict::forward(),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = std::env::args().nth(1).ok_or("which server?")?;
    let server = Address::parse(&server).ok_or("expected host or host:port")?;
    let engine =
        Engine::builder(Target::Fixed(server)).listen(([127, 0, 0, 1], 1863)).hook(Arc::new(Clock)).start().await?;
    for address in engine.addresses() {
        #[expect(clippy::print_stdout, reason = "a program's own output")]
        {
            println!("listening on {address}; Ctrl-C ends it");
        }
    }
    tokio::signal::ctrl_c().await?;
    engine.shutdown().await;
    Ok(())
}
