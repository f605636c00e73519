//! [`Expiring`]: secrets that are handed out, taken back, and forgotten after a while (tickets and cookies).

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// Values by secret. The oldest are forgotten when there are too many.
#[derive(Debug)]
pub(crate) struct Expiring<T> {
    lifetime: Duration,
    limit: usize,
    entries: HashMap<String, (Instant, T)>,
}

impl<T> Expiring<T> {
    /// Returns a store whose values live so long, and of which there are at most `limit`.
    pub(crate) fn new(lifetime: Duration, limit: usize) -> Expiring<T> {
        Expiring { lifetime, limit, entries: HashMap::new() }
    }

    /// Keeps a value under a secret.
    pub(crate) fn insert(&mut self, secret: String, value: T, now: Instant) {
        if self.entries.len() >= self.limit {
            let lifetime = self.lifetime;
            self.entries.retain(|_, (since, _)| now.duration_since(*since) < lifetime);
        }
        if self.entries.len() >= self.limit
            && let Some(oldest) = self.entries.iter().min_by_key(|(_, (since, _))| *since)
        {
            let oldest = oldest.0.clone();
            self.entries.remove(&oldest);
        }
        self.entries.insert(secret, (now, value));
    }

    /// Returns the value, if the secret is known and not too old.
    pub(crate) fn get(&self, secret: &str, now: Instant) -> Option<&T> {
        let (since, value) = self.entries.get(secret)?;
        (now.duration_since(*since) < self.lifetime).then_some(value)
    }

    /// Returns the value and forgets it, if the secret is known and not too old.
    pub(crate) fn take(&mut self, secret: &str, now: Instant) -> Option<T> {
        let (since, value) = self.entries.remove(secret)?;
        (now.duration_since(since) < self.lifetime).then_some(value)
    }

    /// Forgets what is not worth keeping.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.entries.retain(|_, (_, value)| keep(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_can_be_taken_once_and_in_time() {
        let now = Instant::now();
        let mut store = Expiring::new(Duration::from_secs(120), 10);
        store.insert("a".into(), 1, now);
        store.insert("b".into(), 2, now);
        assert_eq!(store.take("a", now + Duration::from_secs(119)), Some(1));
        assert_eq!(store.take("a", now + Duration::from_secs(119)), None);
        assert_eq!(store.get("b", now + Duration::from_secs(120)), None);
    }

    #[test]
    fn the_oldest_makes_room() {
        let now = Instant::now();
        let mut store = Expiring::new(Duration::from_secs(120), 2);
        for (second, secret) in ["a", "b", "c"].into_iter().enumerate() {
            store.insert(secret.into(), second, now + Duration::from_secs(second as u64));
        }
        let now = now + Duration::from_secs(3);
        assert_eq!((store.get("a", now), store.get("b", now), store.get("c", now)), (None, Some(&1), Some(&2)));
    }
}
