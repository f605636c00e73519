//! A small MSN Messenger server for MSNP2 to MSNP12 and MSNP15, and scripted clients for it.
//!
//! It is something to try the proxy on without anybody's account: a dispatch server, a notification server, switchboards
//! and the HTTP endpoints of the logins ([`Sandbox`]), and clients that do what real ones do ([`client::Client`]). It
//! keeps everything in memory. Passwords, cookies and tickets are checked, but they guard nothing: the random numbers are
//! not cryptographic, and nothing is encrypted. Do not put it where strangers can reach it.
//!
//! Not served: MSNP13, 14 and 16 and later, the HTTP gateway, the SOAP services of address books and offline messages,
//! mail and paging. Documented commands that are not served get error 502, commands of another version 715, unknown ones
//! 200.
//!
//! ```no_run
//! # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
//! use msnp_sandbox::client::{Client, Login};
//! use msnp_sandbox::{Options, Sandbox};
//!
//! let sandbox = Sandbox::start(Options::default()).await?;
//! let mut alice = Client::login(&Login::to(&sandbox, "alice@example.com", "password", msnp::Version(12))).await?;
//! alice.set_status("NLN").await?;
//! sandbox.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod boards;
pub mod client;
mod code;
mod connection;
#[cfg(test)]
mod dialogue;
mod expiring;
mod http;
mod notification;
mod options;
mod outbox;
mod output;
mod request;
mod sandbox;
mod shapes;
mod switchboard;
mod users;
mod world;

pub use options::{Account, Challenges, Options};
pub use sandbox::{Accepted, Error, Sandbox};
