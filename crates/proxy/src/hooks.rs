//! The engine's own hooks.

pub mod redirect;

pub use redirect::Redirects;
