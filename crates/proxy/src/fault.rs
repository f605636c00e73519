//! Faults: what a bad network does to one direction of a connection, named as toxiproxy names it.
//!
//! A [`Fault`] begins with a connection ([`StreamFault`], `[[fault]]` of the configuration) or with a command (`fault` of a
//! rule, [`Verdict::faults`] of any hook). Either way it works on the bytes that the lane has put in order, between the
//! lane and the socket; what it keeps waiting counts as what waits for the socket does.
//!
//! [`Verdict::faults`]: crate::hook::Verdict::faults

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;

mod gate;
mod stage;
mod table;

pub(crate) use stage::{News, Stage, Strike};
pub(crate) use table::{OF_RULE, read};
pub use table::{StreamFault, check};

/// A fault that begins.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Fault {
    /// Who is to blame, for the transcript: a rule, or a fault of the configuration.
    pub name: Arc<str>,
    /// What it does.
    pub kind: Kind,
    /// Where its chances come from: the same seed has the same jitter and the same pieces. By default they differ each
    /// time.
    pub seed: Option<u64>,
}

/// What a fault does, with toxiproxy's names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// Bytes arrive later, in order: by `latency`, and up to `jitter` more or less. With a command: that command does.
    Latency {
        /// How much later.
        latency: Duration,
        /// How much that varies.
        jitter: Duration,
    },
    /// No more than so many bytes pass in a second.
    Bandwidth {
        /// Thousands of bytes a second, from 1.
        rate: u64,
    },
    /// The end of the stream is passed on later.
    SlowClose {
        /// How much later.
        delay: Duration,
    },
    /// Nothing passes any more, and after `timeout` the connection is closed; never, if that is zero. What waits is lost
    /// when the sender closes its side.
    Timeout {
        /// How long after it began.
        timeout: Duration,
    },
    /// Nothing passes any more, and after `timeout` both sides are reset.
    ResetPeer {
        /// How long after the first byte that did not pass.
        timeout: Duration,
    },
    /// Bytes leave in small pieces. With a command: that command does.
    Slicer {
        /// Bytes of a piece, from 1.
        average_size: u64,
        /// How many bytes a piece may have more or less; less than `average_size`.
        size_variation: u64,
        /// Pause behind each piece.
        delay: Duration,
    },
    /// So many bytes pass, then the connection is closed. With a command: so many of its own, and a command that is not
    /// longer passes whole and closes nothing.
    LimitData {
        /// How many.
        bytes: u64,
    },
}

impl Fault {
    /// Returns a fault with the name of its kind.
    pub fn new(kind: Kind) -> Fault {
        Fault { name: kind.name().into(), kind, seed: None }
    }

    /// Names who is to blame.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Fault {
        self.name = name.into();
        self
    }

    /// Makes it repeatable.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Fault {
        self.seed = Some(seed);
        self
    }
}

impl Kind {
    /// Returns toxiproxy's name: `latency`, `limit_data`.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Latency { .. } => "latency",
            Kind::Bandwidth { .. } => "bandwidth",
            Kind::SlowClose { .. } => "slow_close",
            Kind::Timeout { .. } => "timeout",
            Kind::ResetPeer { .. } => "reset_peer",
            Kind::Slicer { .. } => "slicer",
            Kind::LimitData { .. } => "limit_data",
        }
    }

    /// Whether it does anything to a command of this length.
    pub(crate) fn concerns(&self, length: usize) -> bool {
        !matches!(self, Kind::LimitData { bytes } if *bytes >= length as u64)
    }

    /// Whether it is about more than the command with which it begins.
    fn outlasts_command(&self) -> bool {
        !matches!(self, Kind::Latency { .. } | Kind::Slicer { .. } | Kind::LimitData { .. })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |time: &Duration| if time.is_zero() { "0s".to_owned() } else { format!("{time:?}") };
        f.write_str(self.name())?;
        match self {
            Kind::Latency { latency, jitter } => write!(f, " {}, jitter {}", time(latency), time(jitter)),
            Kind::Bandwidth { rate } => write!(f, " {rate} KB/s"),
            Kind::SlowClose { delay } => write!(f, " {}", time(delay)),
            Kind::Timeout { timeout } | Kind::ResetPeer { timeout } => write!(f, " {}", time(timeout)),
            Kind::Slicer { average_size, size_variation, delay } => {
                write!(f, " {average_size} bytes, variation {size_variation}, delay {}", time(delay))
            }
            Kind::LimitData { bytes } => write!(f, " {bytes} bytes"),
        }
    }
}

/// Takes the latencies out of the faults of a command: what they come to delays it as any other delay does.
pub(crate) fn delay(given: Option<Duration>, faults: &mut Vec<Fault>) -> Option<Duration> {
    let mut delay = given;
    faults.retain(|fault| {
        let Kind::Latency { latency, jitter } = fault.kind else { return true };
        let late = vary(latency, jitter, &mut chances(fault.seed, &[]));
        delay = Some(delay.unwrap_or_default().saturating_add(late));
        false
    });
    delay
}

/// Returns what decides by chance: always the same for a seed and the same parts.
pub(crate) fn chances(seed: Option<u64>, parts: &[u64]) -> Rng {
    match seed {
        Some(seed) => Rng::with_seed(parts.iter().fold(scatter(seed), |hash, part| scatter(hash ^ part))),
        None => Rng::new(),
    }
}

/// Makes a number of which every bit depends on every bit of another (the finalizer of SplitMix64): connections one and
/// two have nothing in common.
fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Returns `latency`, and up to `jitter` more or less.
fn vary(latency: Duration, jitter: Duration, chances: &mut Rng) -> Duration {
    if jitter.is_zero() {
        return latency;
    }
    let seconds = latency.as_secs_f64() + jitter.as_secs_f64() * (chances.f64() * 2.0 - 1.0);
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(FOREVER)
}

/// Returns the moment `delay` later, or one that nobody lives to see.
pub(crate) fn later(moment: Instant, delay: Duration) -> Instant {
    moment.checked_add(delay.min(FOREVER)).unwrap_or(moment)
}

/// Longer than any connection lasts, and short enough to be added to any moment.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_decides_the_same_and_connections_differ() {
        let draws = |seed, connection| {
            let mut chances = chances(Some(seed), &[connection]);
            [0; 8].map(|_: u8| chances.u8(..))
        };
        assert_eq!(draws(42, 1), draws(42, 1));
        assert_ne!(draws(42, 1), draws(42, 2));
        assert_ne!(draws(42, 1), draws(43, 1));
    }

    #[test]
    fn a_toxicity_of_one_half_affects_about_half_of_the_connections() {
        let affected = (1..=1000).filter(|&connection| chances(Some(7), &[connection]).f64() < 0.5).count();
        assert!((450..550).contains(&affected), "{affected}");
    }

    #[test]
    fn jitter_goes_both_ways_and_never_below_nothing() {
        let mut chances = chances(Some(1), &[]);
        let (latency, jitter) = (Duration::from_millis(100), Duration::from_millis(20));
        let drawn: Vec<Duration> = (0..100).map(|_| vary(latency, jitter, &mut chances)).collect();
        assert!(drawn.iter().all(|drawn| (latency - jitter..=latency + jitter).contains(drawn)));
        assert!(drawn.iter().any(|drawn| *drawn < latency) && drawn.iter().any(|drawn| *drawn > latency));
        let drawn: Vec<Duration> = (0..100).map(|_| vary(Duration::ZERO, jitter, &mut chances)).collect();
        assert!(drawn.iter().any(Duration::is_zero) && drawn.iter().any(|drawn| !drawn.is_zero()));
    }

    #[test]
    fn the_latencies_of_a_command_add_up_to_its_delay() {
        let latency = |ms| Kind::Latency { latency: Duration::from_millis(ms), jitter: Duration::ZERO };
        let rest = Fault::new(Kind::Bandwidth { rate: 1 });
        let mut faults = vec![Fault::new(latency(100)), rest.clone(), Fault::new(latency(20))];
        assert_eq!(delay(Some(Duration::from_millis(3)), &mut faults), Some(Duration::from_millis(123)));
        assert_eq!(faults, [rest]);
        assert_eq!(delay(None, &mut faults), None);
    }

    #[test]
    fn no_delay_is_too_long_to_be_waited_for() {
        let now = Instant::now();
        assert!(later(now, Duration::MAX) > now);
        let _ = vary(Duration::MAX, Duration::MAX, &mut chances(Some(1), &[]));
    }
}
