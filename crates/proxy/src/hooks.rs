//! The engine's own hooks.

pub mod breakpoints;
pub mod redirect;

pub use breakpoints::{Breakpoint, Breakpoints};
pub use redirect::Redirects;
