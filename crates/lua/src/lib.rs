//! Scripts in Luau that see and change commands, as hooks of `mitmsn-proxy`.
//!
//! Start at [`Scripts`]. `docs/scripts.md` of the project is for those who write scripts, and `config/scripts` has examples.
//!
//! Each script has a world of its own, without files, processes and network, in which its memory is limited, and each
//! call its time. A call that fails is lost alone; what becomes of the command then is the script's to say.

mod agenda;
mod api;
mod background;
mod complaints;
mod declaration;
mod effects;
mod fault;
mod gate;
mod host;
mod options;
mod people;
mod sandbox;
mod script;
mod scripts;
mod settings;
mod states;
mod vm;
mod watchdog;

pub use background::Background;
pub use script::Script;
pub use scripts::{CallError, CommandInfo, Scripts, SetError};
pub use settings::Settings;
