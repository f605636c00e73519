//! Durations, counted in buckets rather than kept.

use std::collections::BTreeMap;

use serde::Serialize;

/// Counts durations in buckets that are at most a sixteenth of their value wide, so that any number of them takes at most a
/// thousand counters and every percentile is right to within about 3 %.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Histogram {
    buckets: BTreeMap<u16, u64>,
    count: u64,
    min: u64,
    max: u64,
    sum: u128,
}

/// What a histogram holds, in seconds.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct Times {
    /// How many.
    pub count: u64,
    /// The shortest.
    pub min: f64,
    /// Half are no longer.
    pub p50: f64,
    /// Nine of ten are no longer.
    pub p90: f64,
    /// 99 of 100 are no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
}

impl Histogram {
    /// Counts a duration, in microseconds.
    pub fn add(&mut self, micros: u64) {
        self.min = if self.count == 0 { micros } else { self.min.min(micros) };
        self.max = self.max.max(micros);
        self.count += 1;
        self.sum += u128::from(micros);
        *self.buckets.entry(bucket(micros)).or_default() += 1;
    }

    /// Returns the sum; `None` if nothing was counted.
    pub fn times(&self) -> Option<Times> {
        (self.count > 0).then(|| Times {
            count: self.count,
            min: seconds(self.min),
            p50: seconds(self.percentile(50)),
            p90: seconds(self.percentile(90)),
            p99: seconds(self.percentile(99)),
            max: seconds(self.max),
            mean: self.sum as f64 / self.count as f64 / 1e6,
        })
    }

    /// Returns the value that `percent` of all do not exceed, as the middle of its bucket.
    fn percentile(&self, percent: u64) -> u64 {
        let wanted = (u128::from(self.count) * u128::from(percent)).div_ceil(100).max(1);
        let mut passed = 0u128;
        for (&bucket, &count) in &self.buckets {
            passed += u128::from(count);
            if passed >= wanted {
                return middle(bucket).clamp(self.min, self.max);
            }
        }
        self.max
    }
}

/// How many buckets each power of two has, as a power of two.
const BITS: u32 = 4;
const STEPS: u64 = 1 << BITS;

fn bucket(value: u64) -> u16 {
    if value < STEPS {
        return value as u16;
    }
    let exponent = value.ilog2() - BITS;
    (u64::from(exponent + 1) * STEPS + (value >> exponent) - STEPS) as u16
}

fn middle(bucket: u16) -> u64 {
    let (exponent, step) = (u32::from(bucket) / STEPS as u32, u64::from(bucket) % STEPS);
    match exponent {
        0 => step,
        exponent => {
            let low = (STEPS + step) << (exponent - 1);
            low + ((1u64 << (exponent - 1)) >> 1)
        }
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentiles_of_a_hundred_values_are_theirs() {
        let mut histogram = Histogram::default();
        (1..=100).for_each(|millis| histogram.add(millis * 1000));
        let times = histogram.times().unwrap();
        let near = |value: f64, expected: f64| (value - expected).abs() <= expected * 0.035;
        assert!(near(times.p50, 0.05) && near(times.p90, 0.09) && near(times.p99, 0.099), "{times:?}");
        assert_eq!((times.count, times.min, times.max), (100, 0.001, 0.1));
        assert_eq!(Histogram::default().times(), None);
    }

    proptest! {
        #[test]
        fn a_bucket_is_near_its_values(value in any::<u64>(), shift in 0u32..64) {
            let value = value >> shift;
            let found = middle(bucket(value));
            prop_assert!(found.abs_diff(value) <= value / 32 + 1, "{value} {found}");
            prop_assert!(bucket(value) < 1000);
        }

        #[test]
        fn percentiles_are_in_order(values in prop::collection::vec(any::<u64>(), 1..50)) {
            let mut histogram = Histogram::default();
            values.iter().for_each(|value| histogram.add(*value));
            let times = histogram.times().unwrap();
            prop_assert!(times.min <= times.p50 && times.p50 <= times.p90 && times.p90 <= times.p99 && times.p99 <= times.max);
        }
    }
}
