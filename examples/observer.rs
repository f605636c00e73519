//! A proxy with an observer of its own: counts the verbs of every session.
//!
//! cargo run --example observer -- messenger.example

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use mitmsn_proxy::{About, Engine, Event, Observer, Target};
use msnp::flow::Address;
use msnp::{Command, Verb};

#[derive(Default)]
struct Counter {
    verbs: Mutex<BTreeMap<Verb, u64>>,
}

impl Counter {
    fn count(&self, command: &Command) {
        if let Ok(mut verbs) = self.verbs.lock() {
            *verbs.entry(command.verb()).or_default() += 1;
        }
    }
}

impl Observer for Counter {
    #[expect(clippy::print_stdout, reason = "a program's own output")]
    fn observe(&self, event: &Event<'_>, about: &About<'_>) {
        match event {
            Event::Commands(run) => run.commands().for_each(|command| self.count(&command)),
            Event::Changed(changed) => self.count(&changed.received),
            Event::SessionEnded => {
                println!("{} is over; so far:", about.session.account().unwrap_or("somebody's session"));
                for (verb, count) in self.verbs.lock().iter().flat_map(|verbs| verbs.iter()) {
                    println!("{count:>8} {verb}");
                }
            }
            _ => {}
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = std::env::args().nth(1).ok_or("which server?")?;
    let server = Address::parse(&server).ok_or("expected host or host:port")?;
    let engine = Engine::builder(Target::Fixed(server)).observer(Arc::new(Counter::default())).start().await?;
    tokio::signal::ctrl_c().await?;
    engine.shutdown().await;
    Ok(())
}
