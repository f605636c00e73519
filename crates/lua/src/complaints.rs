//! [`Complaints`]: says that calls were lost, but not once for every command.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::fault::Fault;
use crate::host::lock;

/// What was complained of lately.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<HashMap<(Option<u32>, String), Known>>);

#[derive(Debug)]
struct Known {
    said: Instant,
    /// How often it happened since.
    unsaid: u64,
}

impl Complaints {
    /// Counts a lost call. Returns how many like it were not told of, if this one is to be told.
    pub(crate) fn count(&self, fault: &Fault, now: Instant) -> Option<u64> {
        let mut known = lock(&self.0);
        // what a line says may differ from call to call
        let key = (fault.line, if fault.line.is_some() { String::new() } else { fault.message.clone() });
        if let Some(known) = known.get_mut(&key) {
            if now < known.said + QUIET {
                known.unsaid += 1;
                return None;
            }
            known.said = now;
            return Some(std::mem::take(&mut known.unsaid));
        }
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(key, Known { said: now, unsaid: 0 });
        Some(0)
    }

    /// Forgets all: the script is another.
    pub(crate) fn clear(&self) {
        lock(&self.0).clear();
    }
}

/// How long the same complaint is not repeated.
const QUIET: Duration = Duration::from_secs(60);
/// Complaints that are told apart.
const MOST_KNOWN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_line_is_complained_of_once_a_minute() {
        let complaints = Complaints::default();
        let fault = |line, message: &str| Fault { message: message.into(), line: Some(line) };
        let start = Instant::now();
        assert_eq!(complaints.count(&fault(1, "a"), start), Some(0));
        assert_eq!(complaints.count(&fault(1, "b"), start), None);
        assert_eq!(complaints.count(&fault(2, "a"), start), Some(0));
        assert_eq!(complaints.count(&fault(1, "a"), start + QUIET), Some(1));
        complaints.clear();
        assert_eq!(complaints.count(&fault(1, "a"), start + QUIET), Some(0));
    }
}
