//! What pools are put under load.

use std::time::Duration;

/// What the pool under load is like.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) threads: std::ops::RangeInclusive<usize>,
    pub(crate) max_spin: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) grow_after: Duration,
    pub(crate) concurrency: usize,
    pub(crate) queue_limit: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Shape {
            threads: 2..=2,
            max_spin: Duration::from_micros(20),
            idle_timeout: Duration::from_secs(10),
            grow_after: Duration::from_millis(5),
            concurrency: 64,
            queue_limit: 64,
        }
    }
}

/// The shapes that every run tries, by name.
pub(crate) fn shapes() -> Vec<(&'static str, Shape)> {
    vec![
        ("default", Shape::default()),
        (
            "no spin",
            Shape {
                max_spin: Duration::ZERO,
                ..Shape::default()
            },
        ),
        (
            "grows and retires",
            Shape {
                threads: 1..=4,
                max_spin: Duration::ZERO,
                idle_timeout: Duration::from_micros(200),
                grow_after: Duration::from_micros(100),
                ..Shape::default()
            },
        ),
        (
            "narrow",
            Shape {
                threads: 3..=3,
                concurrency: 1,
                queue_limit: 2,
                ..Shape::default()
            },
        ),
        (
            "one worker",
            Shape {
                threads: 1..=1,
                ..Shape::default()
            },
        ),
        (
            "many threads",
            Shape {
                threads: 12..=12,
                max_spin: Duration::from_micros(5),
                ..Shape::default()
            },
        ),
    ]
}
