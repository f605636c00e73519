//! Times as people write them.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// What a time written by a person stands for: from the first microsecond up to before the second. UTC, as transcripts are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Period {
    /// Where it starts, in microseconds since 1970.
    pub start: i64,
    /// Where it has ended.
    pub end: i64,
}

impl Period {
    /// Reads a year, a month (`2026-11`), a day (`2026-11-22`), a time of a day (`2026-11-22T19:00`, with a space as well), or
    /// a time with an offset (RFC 3339).
    pub fn parse(text: &str) -> Option<Period> {
        let text = text.trim();
        if let Ok(time) = text.parse::<Timestamp>() {
            let start = time.as_microsecond();
            return Some(Period { start, end: start.saturating_add(1) });
        }
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let parts: Vec<&str> = text.split('-').collect();
        let (first, length) = match parts[..] {
            [year] if year.len() == 4 && is_number(year) => (format!("{text}-01-01"), 1.year()),
            [year, month] if is_number(year) && is_number(month) => (format!("{text}-01"), 1.month()),
            [year, month, day] if [year, month, day].into_iter().all(is_number) => (text.to_owned(), 1.day()),
            _ => {
                let start = micros(text.parse::<DateTime>().ok()?)?;
                return Some(Period { start, end: start.saturating_add(1) });
            }
        };
        let first: Date = first.parse().ok()?;
        let after = first.checked_add(length).ok()?;
        Some(Period {
            start: micros(first.to_datetime(jiff::civil::Time::midnight()))?,
            end: micros(after.at(0, 0, 0, 0))?,
        })
    }
}

fn micros(time: DateTime) -> Option<i64> {
    time.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let day = 86_400_000_000;
        let start = "2026-11-22T00:00:00Z".parse::<Timestamp>().unwrap().as_microsecond();
        assert_eq!(Period::parse("2026-11-22"), Some(Period { start, end: start + day }));
        assert_eq!(Period::parse("2026-11").map(|period| period.end - period.start), Some(30 * day));
        assert_eq!(Period::parse("2024").map(|period| period.end - period.start), Some(366 * day));
        for text in ["2026-11-22T01:00", "2026-11-22 01:00", "2026-11-22T02:00:00+01:00", "2026-11-22T01:00:00Z"] {
            let found = Period::parse(text).map(|period| period.start - start);
            assert_eq!(found, Some(3_600_000_000), "{text}");
        }
        for bad in ["", "yesterday", "2026-13", "2026-02-30", "26", "2026-11-22T25:00"] {
            assert_eq!(Period::parse(bad), None, "{bad}");
        }
    }
}
