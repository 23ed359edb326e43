//! Percentiles of many samples, medians of a few rounds, and arrivals at random.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Durations of which percentiles are wanted. Recording is a push: the histogram is built
/// afterwards, so that the measured loop does as little as it can besides what it measures.
#[derive(Debug, Default)]
pub struct Samples {
    nanos: Vec<u64>,
}

impl Samples {
    /// Room for `capacity` samples, so that recording them allocates nothing.
    pub fn with_capacity(capacity: usize) -> Samples {
        Samples {
            nanos: Vec::with_capacity(capacity),
        }
    }

    /// Adds one.
    pub fn record(&mut self, sample: Duration) {
        self.nanos
            .push(u64::try_from(sample.as_nanos()).unwrap_or(u64::MAX));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.nanos.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nanos.is_empty()
    }

    /// The percentiles, to three significant digits. All zero if there are no samples.
    pub fn summary(&self) -> Summary {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, LONGEST, 3)
            .expect("bounds and digits are allowed");
        for &nanos in &self.nanos {
            histogram.saturating_record(nanos);
        }
        let at = |quantile| Duration::from_nanos(histogram.value_at_quantile(quantile));
        Summary {
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: Duration::from_nanos(self.nanos.iter().copied().max().unwrap_or(0)),
        }
    }
}

/// What is longer counts as this: a minute, in nanoseconds.
const LONGEST: u64 = 60_000_000_000;

/// Percentiles of [`Samples`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Half of the samples are at most this.
    pub p50: Duration,
    /// 99 in 100 are at most this.
    pub p99: Duration,
    /// 999 in 1000 are at most this.
    pub p999: Duration,
    /// The largest, exactly.
    pub max: Duration,
}

/// In microseconds, with fraction.
pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// In milliseconds, with fraction.
pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The median of a few values, with the smallest and the largest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of these values; `None` if there are none.
    pub fn of(values: &[f64]) -> Option<Spread> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Spread { median, min, max })
    }
}

/// How a few values lie: for figures that are one of two things, of which a median is only the more
/// frequent.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// The smallest, those at a quarter, at half and at three quarters, and the largest.
    pub quartiles: [f64; 5],
    /// How many values each side has, and their median, where there is a gap; else of all.
    pub sides: Vec<(usize, f64)>,
}

impl Distribution {
    /// A gap is where a value is at least so many times the one below it.
    const GAP: f64 = 1.5;
    /// Fewer values than this are strays, not a side.
    const SIDE: usize = 2;

    /// Of these values; `None` if there are too few for two sides.
    pub fn of(values: &[f64]) -> Option<Distribution> {
        if values.len() < 2 * Self::SIDE {
            return None;
        }
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        // The value of the rank next to that share of the way.
        let at = |quarter: usize| sorted[((sorted.len() - 1) * quarter + 2) / 4];
        let quartiles = [at(0), at(1), Spread::of(&sorted)?.median, at(3), at(4)];
        let widest = (Self::SIDE..=sorted.len() - Self::SIDE)
            .map(|cut| (cut, sorted[cut] / sorted[cut - 1]))
            .max_by(|a, b| a.1.total_cmp(&b.1));
        let parts = match widest {
            Some((cut, gap)) if gap >= Self::GAP => vec![&sorted[..cut], &sorted[cut..]],
            _ => vec![&sorted[..]],
        };
        let sides = parts
            .into_iter()
            .filter_map(|part| Some((part.len(), Spread::of(part)?.median)))
            .collect();
        Some(Distribution { quartiles, sides })
    }
}

/// When tasks arrive, counted from the start: a Poisson process of `per_second` for `length`, the
/// same for the same `seed`.
pub fn arrivals(per_second: f64, length: Duration, seed: u64) -> Vec<Duration> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut due = Vec::new();
    let mut at = 0.0;
    loop {
        // 1 - u is in (0, 1], so its logarithm is finite.
        at += -(1.0 - random.f64()).ln() / per_second;
        if at >= length.as_secs_f64() {
            return due;
        }
        due.push(Duration::from_secs_f64(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_one_to_a_thousand() {
        let mut samples = Samples::with_capacity(1_000);
        for n in 1..=1_000_u64 {
            samples.record(Duration::from_nanos(n));
        }
        let summary = samples.summary();
        assert_eq!(samples.len(), 1_000);
        assert_eq!(summary.p50, Duration::from_nanos(500));
        assert_eq!(summary.p99, Duration::from_nanos(990));
        assert_eq!(summary.p999, Duration::from_nanos(999));
        assert_eq!(summary.max, Duration::from_nanos(1_000));
    }

    #[test]
    fn percentiles_of_long_times_are_exact_to_a_thousandth() {
        let mut samples = Samples::default();
        for seconds in 1..=10 {
            samples.record(Duration::from_secs(seconds));
        }
        let p50 = samples.summary().p50.as_secs_f64();
        assert!((p50 / 5.0 - 1.0).abs() < 0.001, "{p50}");
        samples.record(Duration::from_secs(3_600));
        assert!(samples.summary().p999.as_secs_f64() > 59.9);
        assert_eq!(samples.summary().max, Duration::from_secs(3_600));
    }

    #[test]
    fn no_samples_have_no_percentiles() {
        assert!(Samples::default().is_empty());
        assert_eq!(Samples::default().summary().p99, Duration::ZERO);
    }

    #[test]
    fn the_median_does_not_depend_on_the_order() {
        let odd = Spread::of(&[3.0, 1.0, 2.0]).expect("three values");
        assert_eq!((odd.median, odd.min, odd.max), (2.0, 1.0, 3.0));
        let even = Spread::of(&[4.0, 1.0, 3.0, 2.0]).expect("four values");
        assert_eq!(even.median, 2.5);
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn values_on_two_sides_of_a_gap_are_told_apart() {
        let values = [14.0, 2.0, 2.2, 15.0, 2.1, 16.0, 2.3, 2.2];
        let two = Distribution::of(&values).expect("eight values");
        assert_eq!(two.sides, [(5, 2.2), (3, 15.0)]);
        assert_eq!(two.quartiles, [2.0, 2.2, 2.25, 14.0, 16.0]);
    }

    #[test]
    fn a_single_stray_is_no_side() {
        let one = Distribution::of(&[2.0, 2.1, 2.2, 2.3, 40.0]).expect("five values");
        assert_eq!(one.sides, [(5, 2.2)]);
        assert_eq!(Distribution::of(&[1.0, 2.0, 9.0]), None);
    }

    #[test]
    fn arrivals_come_at_the_rate_and_in_order() {
        let due = arrivals(4_000.0, Duration::from_secs(5), 7);
        // Twenty thousand expected; five standard deviations are seven hundred.
        assert!((19_300..20_700).contains(&due.len()), "{}", due.len());
        assert!(due.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(due, arrivals(4_000.0, Duration::from_secs(5), 7));
        assert_ne!(due, arrivals(4_000.0, Duration::from_secs(5), 8));
    }
}
