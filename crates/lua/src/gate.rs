//! [`Gate`]: lets one at a time to a value, and nobody wait longer than they want to.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A value that one caller at a time can have.
pub(crate) struct Gate<T> {
    slot: Mutex<Slot<T>>,
    freed: Condvar,
}

struct Slot<T> {
    /// Absent while somebody has it.
    value: Option<T>,
    /// Since when.
    taken: Instant,
}

/// The value, until it is dropped.
pub(crate) struct Pass<'a, T> {
    gate: &'a Gate<T>,
    value: Option<T>,
}

impl<T> Gate<T> {
    pub(crate) fn new(value: T) -> Gate<T> {
        Gate { slot: Mutex::new(Slot { value: Some(value), taken: Instant::now() }), freed: Condvar::new() }
    }

    /// Returns the value if nobody has it.
    pub(crate) fn try_enter(&self) -> Option<Pass<'_, T>> {
        self.take(self.lock())
    }

    /// Waits for the value, but not longer than `patience`. Whoever has had it for much longer than that already will
    /// not give it back in time: then there is no wait at all.
    pub(crate) fn enter(&self, patience: Duration) -> Option<Pass<'_, T>> {
        let slot = self.lock();
        if slot.value.is_none() && slot.taken.elapsed() > patience * 2 {
            return None;
        }
        let waited = self.freed.wait_timeout_while(slot, patience, |slot| slot.value.is_none());
        let (slot, _) = waited.unwrap_or_else(PoisonError::into_inner);
        self.take(slot)
    }

    fn take(&self, mut slot: MutexGuard<'_, Slot<T>>) -> Option<Pass<'_, T>> {
        let value = slot.value.take()?;
        slot.taken = Instant::now();
        Some(Pass { gate: self, value: Some(value) })
    }

    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Deref for Pass<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("it is only given back by the drop")
    }
}

impl<T> DerefMut for Pass<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("it is only given back by the drop")
    }
}

impl<T> Drop for Pass<'_, T> {
    fn drop(&mut self) {
        self.gate.lock().value = self.value.take();
        self.gate.freed.notify_one();
    }
}

impl<T> fmt::Debug for Gate<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_has_it_and_the_next_waits_for_it() {
        let gate = Gate::new(1);
        let mut first = gate.try_enter().unwrap();
        assert!(gate.try_enter().is_none());
        std::thread::scope(|scope| {
            let second = scope.spawn(|| *gate.enter(Duration::from_secs(20)).unwrap());
            *first = 2;
            drop(first);
            assert_eq!(second.join().unwrap(), 2);
        });
    }

    #[test]
    fn nobody_waits_longer_than_asked() {
        let gate = Gate::new(());
        let _first = gate.try_enter().unwrap();
        let start = Instant::now();
        assert!(gate.enter(Duration::from_millis(20)).is_none());
        assert!(start.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn who_panics_gives_it_back() {
        let gate = Gate::new(());
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _pass = gate.try_enter();
            panic!("on purpose");
        }));
        assert!(caught.is_err() && gate.try_enter().is_some());
    }
}
