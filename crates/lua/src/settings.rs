//! What can be set of scripts, with defaults. A key of `[script]` in the configuration file is a field here.

use std::time::Duration;

use mitmsn_proxy::settings::some_time;
use serde::{Deserialize, Serialize};

/// Limits of scripts, each for every script of its own.
#[derive(Clone, PartialEq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// How long one call may take, and how long a connection waits for the call of another one to end.
    #[serde(with = "some_time")]
    pub time_limit: Duration,
    /// Most bytes that all values of a script may take together.
    pub memory_limit: usize,
    /// What `math.random` starts from; 0: something else each time.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { time_limit: Duration::from_millis(50), memory_limit: 64 << 20, seed: 0 }
    }
}
