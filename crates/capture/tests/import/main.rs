//! Imports captures that the tests write, of every shape that a capture can have.

mod damage;
mod formats;
mod links;
mod sessions;
mod streams;
mod support;
mod tshark;
