//! Where the pool fits into other crates, each behind the feature of its name.

#[cfg(feature = "futures")]
pub mod futures;
#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(feature = "tower")]
pub mod tower;
#[cfg(feature = "tracing")]
pub mod tracing;
// What the rest of the crate calls is there, and does nothing.
#[cfg(not(feature = "tracing"))]
pub(crate) mod tracing;
