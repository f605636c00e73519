//! The times that lines of logs begin with.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::Offset;

/// A time of day, with its date if the log has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Clock {
    date: Option<Date>,
    time: Time,
    /// How far it is from UTC.
    offset: Offset,
}

impl Clock {
    /// Whether the date is known.
    pub(super) fn has_date(self) -> bool {
        self.date.is_some()
    }

    /// Returns the time, given the one before: a clock without a date goes on from there.
    pub(super) fn after(self, before: Option<SystemTime>) -> SystemTime {
        match self.date {
            Some(date) => {
                let at = self.offset.to_timestamp(date.to_datetime(self.time)).unwrap_or(Timestamp::UNIX_EPOCH);
                SystemTime::from(at)
            }
            None => {
                let of_day = self.time.duration_since(Time::midnight());
                let of_day = Duration::try_from(of_day).unwrap_or_default();
                let before =
                    before.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok()).unwrap_or_default();
                let midnight = Duration::from_secs(before.as_secs() / DAY * DAY);
                let mut since = midnight + of_day;
                // half a day back is midnight in between, less is a clock that was set or lines out of order
                if since + Duration::from_secs(DAY / 2) < before {
                    since += Duration::from_secs(DAY);
                }
                SystemTime::UNIX_EPOCH + since
            }
        }
    }
}

/// Finds the time at the beginning of a line, and returns what follows it.
pub(super) fn clock(line: &[u8]) -> (Option<Clock>, &[u8]) {
    let start = line.trim_ascii_start();
    let open = start.strip_prefix(b"(").or_else(|| start.strip_prefix(b"["));
    let mut cursor = Cursor { rest: open.unwrap_or(start) };
    let Some(clock) = cursor.clock() else { return (None, line) };
    let rest = match open {
        Some(_) => cursor.rest.strip_prefix(b")").or_else(|| cursor.rest.strip_prefix(b"]")).unwrap_or(cursor.rest),
        None => cursor.rest,
    };
    (Some(clock), rest)
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    /// `[YYYY-MM-DD(T| )]HH:MM:SS[(.|,)fraction][ AM| PM][Z|+HH:MM]`
    fn clock(&mut self) -> Option<Clock> {
        let date = self.date();
        if date.is_some() && !self.skip(b"T") && !self.skip(b" ") {
            return None;
        }
        let mut hour = self.number(1, 2)?;
        self.expect(b":")?;
        let minute = self.number(2, 2)?;
        self.expect(b":")?;
        let second = self.number(2, 2)?;
        let nanos = if self.skip(b".") || self.skip(b",") { self.fraction()? } else { 0 };
        let half = [(&b" AM"[..], 0), (b" am", 0), (b" PM", 12), (b" pm", 12)];
        if let Some((_, hours)) = half.into_iter().find(|(text, _)| self.skip(text)) {
            hour = hour % 12 + hours;
        }
        let offset = if date.is_some() { self.offset() } else { Offset::UTC };
        let time = Time::new(hour as i8, minute as i8, second.min(59) as i8, nanos).ok()?;
        Some(Clock { date, time, offset })
    }

    fn date(&mut self) -> Option<Date> {
        let before = self.rest;
        let date = (|| {
            let year = self.number(4, 4)?;
            let sign: &[u8] = if self.skip(b"-") { b"-" } else { self.expect(b"/").map(|()| &b"/"[..])? };
            let month = self.number(2, 2)?;
            self.expect(sign)?;
            Date::new(year as i16, month as i8, self.number(2, 2)? as i8).ok()
        })();
        if date.is_none() {
            self.rest = before;
        }
        date
    }

    fn offset(&mut self) -> Offset {
        let before = self.rest;
        if self.skip(b"Z") {
            return Offset::UTC;
        }
        self.skip(b" ");
        let offset = (|| {
            let sign = if self.skip(b"+") { 1 } else { self.expect(b"-").map(|()| -1)? };
            let hours = self.number(2, 2)?;
            self.skip(b":");
            let minutes = self.number(2, 2)?;
            Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
        })();
        if offset.is_none() {
            self.rest = before;
        }
        offset.unwrap_or(Offset::UTC)
    }

    fn fraction(&mut self) -> Option<i32> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (fraction, rest) = self.rest.split_at(digits);
        self.rest = rest;
        let nanos =
            (0..9).fold(0, |value, place| value * 10 + fraction.get(place).map_or(0, |digit| i32::from(digit - b'0')));
        (digits > 0).then_some(nanos)
    }

    fn number(&mut self, fewest: usize, most: usize) -> Option<i32> {
        let digits = self.rest.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.rest.split_at(digits);
        if digits < fewest {
            return None;
        }
        self.rest = rest;
        Some(number.iter().fold(0, |value, digit| value * 10 + i32::from(digit - b'0')))
    }

    fn expect(&mut self, text: &[u8]) -> Option<()> {
        self.skip(text).then_some(())
    }

    fn skip(&mut self, text: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

/// A day, in seconds.
const DAY: u64 = 86400;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> (String, String) {
        let (clock, rest) = clock(line.as_bytes());
        let time = clock.map(|clock| msnp_transcript::id::Stamp::of(clock.after(None)).to_string());
        (time.unwrap_or_default(), String::from_utf8(rest.to_vec()).unwrap())
    }

    #[test]
    fn times_are_read_in_the_clothes_they_come_in() {
        for (line, time, rest) in [
            ("(12:00:01) msn: x", "1970-01-01T12:00:01.000000Z", " msn: x"),
            ("(01:02:03 PM) msn: x", "1970-01-01T13:02:03.000000Z", " msn: x"),
            ("[11:44:10 DEBUG papyon] x", "1970-01-01T11:44:10.000000Z", " DEBUG papyon] x"),
            ("12:00:01.234 alice", "1970-01-01T12:00:01.234000Z", " alice"),
            ("2010-05-05 11:44:10,5 x", "2010-05-05T11:44:10.500000Z", " x"),
            ("[2010-05-05T11:44:10+02:00] x", "2010-05-05T09:44:10.000000Z", " x"),
            ("2010/05/05 11:44:10Z x", "2010-05-05T11:44:10.000000Z", " x"),
            ("2010-05-05 >>> PNG", "", "2010-05-05 >>> PNG"),
            (">>> PNG", "", ">>> PNG"),
            ("25:00:00 x", "", "25:00:00 x"),
        ] {
            assert_eq!(read(line), (time.into(), rest.into()), "{line}");
        }
    }

    #[test]
    fn a_clock_without_a_date_goes_over_midnight() {
        let at = |text: &str, before| clock(text.as_bytes()).0.unwrap().after(before);
        let late = at("23:59:59", None);
        let early = at("00:00:01", Some(late));
        assert_eq!(early.duration_since(late).unwrap(), Duration::from_secs(2));
        let again = at("00:00:00", Some(early));
        assert_eq!(early.duration_since(again).unwrap(), Duration::from_secs(1));
    }
}
