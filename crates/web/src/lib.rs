//! The control interface of a running proxy: HTTP and JSON, for the command line, for scripts and for other programs.
//!
//! `docs/api.md` of the project documents every route. What the routes take and return is in [`types`], which the command
//! line uses too. It is reached from this machine only unless told otherwise, and needs the token that each start makes
//! anew ([`token`]).

mod api;
mod error;
mod guard;
mod live;
mod ring;
mod server;
mod target;
pub mod token;
pub mod types;

pub use live::Live;
pub use server::{Callable, Control, ServeError, Server};
