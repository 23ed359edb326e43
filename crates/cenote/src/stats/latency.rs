//! Records latencies as they occur: a histogram with one writer and any number of readers.
//!
//! A value costs about 2 ns. The buckets are log-linear, as an HDR histogram's: 32 to each power of
//! two, so that a bucket is at most 1/32 of its value wide, from 1 ns to 2^40 ns (18 minutes); what
//! is longer counts in the last bucket. Sum, least and greatest value are exact. Latencies lie
//! close together, so the buckets of a power of two, 256 bytes, are allocated with its first value.
//!
//! Reading happens in [`Histogram::of`](super::Histogram::of), beside the writer and without
//! stopping it: a value that is being recorded may be missing from one of the parts.

use std::sync::OnceLock;

use super::counter::Counter;

/// How many buckets share a power of two, as a power of two.
const PRECISION: u32 = 5;
/// Values from 2 to this power on share the last bucket.
const RANGE: u32 = 40;
/// The buckets of a power of two. The values below 32, too few for that many buckets, share a
/// group.
const GROUP: usize = 1 << PRECISION;
const GROUPS: usize = (RANGE - PRECISION + 1) as usize;
/// All buckets.
pub(super) const BUCKETS: usize = GROUPS * GROUP;

/// A latency histogram that one thread at a time writes.
#[derive(Debug)]
pub(crate) struct LatencyRecorder {
    groups: [OnceLock<Box<[Counter; GROUP]>>; GROUPS],
    sum: Counter,
    /// The greatest value.
    max: Counter,
    /// The complement of the least value, which only rises, as the greatest does.
    min_complement: Counter,
}

impl Default for LatencyRecorder {
    fn default() -> Self {
        LatencyRecorder {
            groups: [const { OnceLock::new() }; GROUPS],
            sum: Counter::default(),
            max: Counter::default(),
            min_complement: Counter::default(),
        }
    }
}

impl LatencyRecorder {
    /// Records one value.
    #[inline]
    pub(crate) fn record(&self, nanos: u64) {
        self.sum.add(nanos);
        self.max.raise(nanos);
        self.min_complement.raise(!nanos);
        let bucket = index(nanos);
        self.groups[bucket / GROUP].get_or_init(Box::default)[bucket % GROUP].add(1);
    }

    /// Adds the counts to `totals`.
    pub(super) fn add_counts_to(&self, totals: &mut [u64; BUCKETS]) {
        for (group, totals) in self.groups.iter().zip(totals.as_chunks_mut::<GROUP>().0) {
            let Some(counts) = group.get() else { continue };
            for (count, total) in counts.iter().zip(totals) {
                *total += count.get();
            }
        }
    }

    /// The sum of all values.
    pub(super) fn sum(&self) -> u64 {
        self.sum.get()
    }

    /// The greatest value; 0 if there is none.
    pub(super) fn max(&self) -> u64 {
        self.max.get()
    }

    /// The least value; `u64::MAX` if there is none.
    pub(super) fn min(&self) -> u64 {
        !self.min_complement.get()
    }
}

/// The bucket of a value.
#[inline]
fn index(nanos: u64) -> usize {
    let nanos = nanos.min((1 << RANGE) - 1);
    // Values without a bit above the precision are handled as if they had that bit: not shifted.
    let top = (nanos | (1 << PRECISION)).ilog2();
    let shift = top - PRECISION;
    // The top bit is inside `nanos >> shift` and counts as one more power of two.
    ((u64::from(shift) << PRECISION) + (nanos >> shift)) as usize
}

/// The value in the middle of a bucket, which stands for all of its values.
pub(super) fn middle(index: usize) -> u64 {
    let shift = (index >> PRECISION).saturating_sub(1);
    let leading = (index - (shift << PRECISION)) as u64;
    (leading << shift) + ((1 << shift) >> 1)
}

#[cfg(all(test, not(cenote_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_bucket_holds_its_middle() {
        for bucket in 0..BUCKETS {
            assert_eq!(index(middle(bucket)), bucket);
        }
    }

    #[test]
    fn small_values_have_a_bucket_each() {
        for nanos in 0..2 << PRECISION {
            assert_eq!(middle(index(nanos)), nanos);
        }
    }

    #[test]
    fn what_is_too_long_counts_in_the_last_bucket() {
        for nanos in [(1 << RANGE) - 1, 1 << RANGE, u64::MAX] {
            assert_eq!(index(nanos), BUCKETS - 1);
        }
    }

    #[test]
    fn an_empty_recorder_has_neither_least_nor_greatest() {
        let recorder = LatencyRecorder::default();
        assert_eq!(
            (recorder.min(), recorder.max(), recorder.sum()),
            (u64::MAX, 0, 0)
        );
    }

    proptest! {
        #[test]
        fn a_bucket_is_narrow(nanos in 0_u64..1 << RANGE) {
            let error = middle(index(nanos)).abs_diff(nanos);
            prop_assert!(error * 64 <= nanos, "{nanos} is off by {error}");
        }

        #[test]
        fn buckets_are_in_the_order_of_their_values(a: u64, b: u64) {
            prop_assert_eq!(index(a.min(b)) <= index(a.max(b)), true);
        }

        #[test]
        fn sum_least_and_greatest_are_exact(
            values in prop::collection::vec(0_u64..1 << 45, 1..50),
        ) {
            let recorder = LatencyRecorder::default();
            for &value in &values {
                recorder.record(value);
            }
            prop_assert_eq!(Some(recorder.min()), values.iter().copied().min());
            prop_assert_eq!(Some(recorder.max()), values.iter().copied().max());
            prop_assert_eq!(recorder.sum(), values.iter().sum::<u64>());
        }
    }
}
