//! Ids of sessions and times of events.

use std::cell::RefCell;
use std::fmt;
use std::time::SystemTime;

use jiff::Timestamp;

/// Returns a new session id: 26 characters that sort by time (a ULID in lower case).
pub fn session_id(time: SystemTime) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let millis = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let mut value = (millis & ((1 << 48) - 1)) << 80 | fastrand::u128(..) >> 48;
    let mut text = [b'0'; 26];
    for place in text.iter_mut().rev() {
        *place = ALPHABET[(value & 31) as usize];
        value >>= 5;
    }
    String::from_utf8_lossy(&text).into_owned()
}

thread_local! {
    /// The second formatted last on this thread.
    static SECOND: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

/// A time as transcripts have it: RFC 3339, UTC, microseconds. Formatted once for a batch of events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp([u8; STAMP]);

/// Length of a time in a transcript.
pub(crate) const STAMP: usize = "1970-01-01T00:00:00.000000Z".len();

impl Stamp {
    /// Formats a time.
    pub fn of(time: SystemTime) -> Stamp {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut text = *b"1970-01-01T00:00:00.000000Z";
        // the second changes seldom: only its fraction is formatted anew
        SECOND.with_borrow_mut(|(second, known)| {
            if *second != since.as_secs() || known.is_empty() {
                *second = since.as_secs();
                let whole = i64::try_from(*second).ok().and_then(|second| Timestamp::from_second(second).ok());
                *known = format!("{:.0}", whole.unwrap_or(Timestamp::UNIX_EPOCH));
            }
            let whole = known.trim_end_matches('Z').as_bytes();
            if let Some(place) = text.get_mut(..whole.len()) {
                place.copy_from_slice(whole);
            }
        });
        let mut micros = since.subsec_micros();
        for digit in text[STAMP - 7..STAMP - 1].iter_mut().rev() {
            *digit = b'0' + (micros % 10) as u8;
            micros /= 10;
        }
        Stamp(text)
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ids_sort_by_time_and_differ() {
        let early = session_id(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let late = session_id(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_001));
        assert!(early < late, "{early} {late}");
        assert_eq!(early.len(), 26);
        let again = session_id(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        assert_ne!(early, again);
        assert_eq!(early[..10], again[..10]);
    }

    #[test]
    fn times_have_microseconds() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_795_348_801_234_567);
        assert_eq!(Stamp::of(time).as_str(), "2026-11-22T12:00:01.234567Z");
        assert_eq!(Stamp::of(time + Duration::from_micros(1_765_434)).as_str(), "2026-11-22T12:00:03.000001Z");
        assert_eq!(Stamp::of(SystemTime::UNIX_EPOCH).as_str(), "1970-01-01T00:00:00.000000Z");
    }
}
