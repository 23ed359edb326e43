//! Where the pool fits into other crates, each behind the feature of its name.

#[cfg(feature = "metrics")]
pub mod metrics;
