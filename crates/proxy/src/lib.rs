//! The engine: accepts clients, connects them to servers, frames both directions, asks hooks, tells observers.
//!
//! Start at [`Engine`]; write a [`Hook`] to change traffic and an [`Observer`] to be told of it. `examples/` of the
//! project has a program for each.

pub mod connection;
pub mod engine;
pub mod fault;
pub mod holds;
pub mod hook;
pub mod hooks;
pub mod injection;
pub mod observer;
pub mod observers;
pub mod rules;
pub mod session;
pub mod settings;
pub mod transactions;

mod buffers;
mod lane;
mod relay;
mod routes;
mod transparent;

pub use connection::Connection;
pub use engine::{Engine, EngineBuilder, EngineError, Target};
pub use fault::Fault;
pub use hook::{Context, Hold, Hook, Interest, Verdict};
pub use injection::Injection;
pub use observer::{About, Event, Observer};
pub use session::Session;
pub use settings::Settings;
