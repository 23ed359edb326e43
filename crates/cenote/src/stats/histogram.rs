//! A distribution of times, as a snapshot shows it.
//!
//! It is put together from the recorders of the workers, and has their buckets. Quantiles and
//! counts below a limit are within 1.6 % of the true time (from 18 minutes on they stay at that);
//! count, sum, mean, least and greatest are exact.

use std::fmt;
use std::time::Duration;

use super::latency::{BUCKETS, LatencyRecorder, middle};

/// A distribution of times: how many there were, and how long they took.
///
/// Everything since the pool was built counts. For the last minute only, keep the snapshot from a
/// minute ago and ask [`since`](Histogram::since).
///
/// ```
/// use std::time::Duration;
///
/// let pool = cenote::Pool::builder().threads(1).build()?;
/// pool.blocking_run(|| std::thread::sleep(Duration::from_millis(5)))?;
///
/// let run_time = pool.stats().run_time;
/// println!("p99 {:?} of {} tasks", run_time.value_at_quantile(0.99), run_time.count());
/// println!("{run_time:?}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Histogram {
    /// The counts of the recorders' buckets, up to the last that is not 0.
    counts: Vec<u64>,
    /// The sum of `counts`.
    count: u64,
    /// The sum of all values, in nanoseconds.
    sum: u64,
    /// The least value in nanoseconds; `u64::MAX` if there is none.
    min: u64,
    /// The greatest value in nanoseconds; 0 if there is none.
    max: u64,
}

impl Histogram {
    /// Merges recorders.
    pub(crate) fn of<'a>(recorders: impl IntoIterator<Item = &'a LatencyRecorder>) -> Histogram {
        let mut histogram = Histogram::default();
        let mut totals = [0; BUCKETS];
        for recorder in recorders {
            recorder.add_counts_to(&mut totals);
            histogram.sum += recorder.sum();
            histogram.min = histogram.min.min(recorder.min());
            histogram.max = histogram.max.max(recorder.max());
        }
        if let Some(least) = totals.iter().position(|&count| count > 0) {
            // A value that is being recorded may be counted and not have moved the ends yet.
            if histogram.min == u64::MAX {
                histogram.min = middle(least);
            }
            histogram.max = histogram.max.max(histogram.min);
        }
        let longest = totals.iter().rposition(|&count| count > 0);
        histogram.counts = totals[..longest.map_or(0, |longest| longest + 1)].to_vec();
        histogram.count = histogram.counts.iter().sum();
        histogram
    }

    /// The value of a bucket. A bucket may reach beyond the true ends.
    fn value(&self, bucket: usize) -> u64 {
        middle(bucket).max(self.min).min(self.max)
    }

    /// How many times were recorded.
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1).build()?;
    /// assert_eq!(pool.stats().run_time.count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether none was recorded. All the times below are zero then.
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1).build()?;
    /// assert!(pool.stats().run_time.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// The least time, exactly.
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1).build()?;
    /// println!("at best {:?}", pool.stats().run_time.min());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn min(&self) -> Duration {
        if self.is_empty() {
            Duration::ZERO
        } else {
            Duration::from_nanos(self.min)
        }
    }

    /// The greatest time, exactly.
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1).build()?;
    /// println!("at worst {:?}", pool.stats().run_time.max());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.max)
    }

    /// The sum of all times, exactly.
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1).build()?;
    /// println!("{:?} in tasks", pool.stats().run_time.sum());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum)
    }

    /// The arithmetic mean, exactly.
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1).build()?;
    /// println!("{:?} on average", pool.stats().run_time.mean());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mean(&self) -> Duration {
        Duration::from_nanos(self.sum.checked_div(self.count()).unwrap_or(0))
    }

    /// The time that a share `quantile` of all times did not exceed: 0.5 for the median, 0.99 for
    /// the 99th percentile. Within 1.6 %.
    ///
    /// Below 0 the quantile counts as 0, which gives the least time, and above 1 as 1, which gives
    /// the greatest.
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1).build()?;
    /// let wait = pool.stats().queue_wait;
    /// println!("99 % waited no longer than {:?}", wait.value_at_quantile(0.99));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn value_at_quantile(&self, quantile: f64) -> Duration {
        if quantile <= 0.0 {
            return self.min();
        }
        if quantile >= 1.0 || self.is_empty() {
            return self.max();
        }
        let rank = (quantile * self.count as f64).ceil().max(1.0) as u64;
        let mut counted = 0;
        let bucket = self.counts.iter().position(|&count| {
            counted += count;
            counted >= rank
        });
        // None: rounding took the rank above the count.
        bucket.map_or(self.max(), |bucket| {
            Duration::from_nanos(self.value(bucket))
        })
    }

    /// How many times were no longer than `limit`: for service levels, and for the fixed buckets of
    /// other monitoring systems. Times within 1.6 % of the limit may count on either side.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = cenote::Pool::builder().threads(1).build()?;
    /// pool.blocking_run(|| ())?;
    /// let waits = pool.stats().queue_wait;
    /// let quick = waits.count_up_to(Duration::from_millis(10));
    /// println!("{quick} of {} tasks began within 10 ms", waits.count());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count_up_to(&self, limit: Duration) -> u64 {
        let limit = crate::clock::nanos(limit);
        if limit >= self.max {
            return self.count();
        }
        let within = self.counts.iter().enumerate();
        within
            .take_while(|(bucket, _)| middle(*bucket) <= limit)
            .map(|(_, count)| count)
            .sum()
    }

    /// Adds the times of `other` to these.
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1).build()?;
    /// let stats = pool.stats();
    /// let mut from_submission_to_end = stats.queue_wait.clone();
    /// from_submission_to_end.merge(&stats.run_time);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn merge(&mut self, other: &Histogram) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// The times that were recorded after `earlier`, an older snapshot of the same distribution.
    ///
    /// Least and greatest are within 1.6 % here, as the quantiles are: a snapshot does not tell
    /// when its extremes occurred.
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1).build()?;
    /// let before = pool.stats().run_time;
    /// pool.blocking_run(|| ())?;
    /// let after = pool.stats().run_time;
    /// println!("meanwhile: {:?}", after.since(&before));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn since(&self, earlier: &Histogram) -> Histogram {
        let mut recent = Histogram::default();
        for (bucket, &count) in self.counts.iter().enumerate() {
            let before = earlier.counts.get(bucket).copied().unwrap_or(0);
            let count = count.saturating_sub(before);
            if count > 0 {
                let known = self.value(bucket);
                recent.min = recent.min.min(known);
                recent.max = recent.max.max(known);
                recent.counts.resize(bucket, 0);
                recent.counts.push(count);
                recent.count += count;
            }
        }
        recent.sum = self.sum.saturating_sub(earlier.sum);
        recent
    }
}

impl Default for Histogram {
    /// An empty distribution.
    fn default() -> Self {
        Histogram {
            counts: Vec::new(),
            count: 0,
            sum: 0,
            min: u64::MAX,
            max: 0,
        }
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count())
            .field("p50", &self.value_at_quantile(0.5))
            .field("p90", &self.value_at_quantile(0.9))
            .field("p99", &self.value_at_quantile(0.99))
            .field("p99.9", &self.value_at_quantile(0.999))
            .field("max", &self.max())
            .finish()
    }
}

#[cfg(all(test, not(cenote_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn histogram(values: &[u64]) -> Histogram {
        let recorder = LatencyRecorder::default();
        for &value in values {
            recorder.record(value);
        }
        Histogram::of([&recorder])
    }

    /// Half of a bucket's width.
    fn near(measured: Duration, exact: u64) -> bool {
        let measured = crate::clock::nanos(measured);
        measured.abs_diff(exact) * 64 <= exact
    }

    #[test]
    fn an_empty_histogram_is_all_zero() {
        for empty in [Histogram::default(), histogram(&[])] {
            assert!(empty.is_empty());
            assert_eq!((empty.min(), empty.max(), empty.mean()), Default::default());
            assert_eq!(empty.value_at_quantile(0.0), Duration::ZERO);
            assert_eq!(empty.value_at_quantile(0.5), Duration::ZERO);
            assert_eq!(empty.value_at_quantile(1.0), Duration::ZERO);
            assert_eq!(empty.count_up_to(Duration::MAX), 0);
        }
    }

    #[test]
    fn the_ends_and_the_mean_are_exact() {
        let histogram = histogram(&[1_000_003, 2_000_003, 3_000_003]);
        assert_eq!(histogram.min(), Duration::from_nanos(1_000_003));
        assert_eq!(histogram.value_at_quantile(0.0), histogram.min());
        assert_eq!(histogram.value_at_quantile(-1.0), histogram.min());
        assert_eq!(histogram.max(), Duration::from_nanos(3_000_003));
        assert_eq!(histogram.value_at_quantile(1.0), histogram.max());
        assert_eq!(histogram.value_at_quantile(2.0), histogram.max());
        assert_eq!(histogram.mean(), Duration::from_nanos(2_000_003));
        assert_eq!(histogram.sum(), Duration::from_nanos(6_000_009));
    }

    #[test]
    fn what_lasts_for_hours_keeps_its_exact_maximum() {
        let three_hours = 3 * 3600 * 1_000_000_000;
        let histogram = histogram(&[10, 20, three_hours]);
        assert_eq!(histogram.max(), Duration::from_nanos(three_hours));
        assert_eq!(histogram.count(), 3);
    }

    #[test]
    fn debug_shows_the_percentiles() {
        let shown = format!("{:?}", histogram(&[20; 100]));
        assert_eq!(
            shown,
            "Histogram { count: 100, p50: 20ns, p90: 20ns, p99: 20ns, p99.9: 20ns, max: 20ns }"
        );
    }

    #[test]
    fn since_leaves_only_what_came_after() {
        let earlier = histogram(&[100, 200, 5_000_000]);
        let later = histogram(&[100, 200, 5_000_000, 30, 40]);
        let recent = later.since(&earlier);
        assert_eq!(recent.count(), 2);
        assert_eq!(recent.min(), Duration::from_nanos(30));
        assert_eq!(recent.max(), Duration::from_nanos(40));
        assert_eq!(recent.sum(), Duration::from_nanos(70));
        assert!(later.since(&later).is_empty());
    }

    proptest! {
        #[test]
        fn quantiles_are_those_of_the_sorted_values(
            mut values in prop::collection::vec(0_u64..1 << 39, 1..200),
            quantile in 0.0_f64..1.0,
        ) {
            let histogram = histogram(&values);
            values.sort_unstable();
            let rank = (quantile * values.len() as f64).ceil().max(1.0) as usize;
            let measured = histogram.value_at_quantile(quantile);
            // Rounding of the rank itself may choose a neighbour.
            let candidates = &values[rank.saturating_sub(2)..(rank + 1).min(values.len())];
            prop_assert!(candidates.iter().any(|&exact| near(measured, exact)),
                "{measured:?} is none of {candidates:?}");
            prop_assert!(measured >= histogram.min() && measured <= histogram.max());
        }

        #[test]
        fn merging_is_recording_together(
            a in prop::collection::vec(0_u64..1 << 39, 0..50),
            b in prop::collection::vec(0_u64..1 << 39, 0..50),
        ) {
            let mut merged = histogram(&a);
            merged.merge(&histogram(&b));
            let together = histogram(&[a, b].concat());
            prop_assert_eq!(&merged, &together);
        }

        #[test]
        fn recorders_merge_as_histograms_do(
            a in prop::collection::vec(0_u64..1 << 39, 0..50),
            b in prop::collection::vec(0_u64..1 << 39, 0..50),
        ) {
            let recorders = [&a, &b].map(|values| {
                let recorder = LatencyRecorder::default();
                values.iter().for_each(|&value| recorder.record(value));
                recorder
            });
            let merged = Histogram::of(&recorders);
            prop_assert_eq!(&merged, &histogram(&[a, b].concat()));
        }

        #[test]
        fn counting_up_to_a_limit_is_right_away_from_the_limit(
            values in prop::collection::vec(0_u64..1 << 39, 1..100),
            limit in 0_u64..1 << 39,
        ) {
            let counted = histogram(&values).count_up_to(Duration::from_nanos(limit));
            let count = |within: fn(u64) -> u64| {
                values.iter().filter(|&&value| within(value) <= limit).count() as u64
            };
            let surely = count(|value| value + value / 30);
            let possibly = count(|value| value - value / 30);
            prop_assert!(surely <= counted && counted <= possibly, "{surely} {counted} {possibly}");
        }
    }
}
