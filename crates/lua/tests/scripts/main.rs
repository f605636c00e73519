//! What scripts can do, what they cannot, and what they cannot do to others.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod declaration;
mod editing;
mod examples;
mod limits;
mod live;
mod sandbox;
mod set;
mod support;
