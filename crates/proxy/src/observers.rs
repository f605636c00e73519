//! The engine's own observers.

pub mod console;
pub mod convert;
pub mod outlet;
pub mod recorder;

pub use console::Console;
pub use outlet::Outlet;
pub use recorder::Recording;
