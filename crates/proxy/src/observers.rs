//! The engine's own observers.

pub mod console;
pub mod convert;
pub mod recorder;

pub use console::Console;
pub use recorder::Recording;
