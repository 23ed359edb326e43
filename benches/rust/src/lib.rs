//! Measures cenote and its peers side by side. `README.md` says what each figure claims and how to
//! compare.
//!
//! One run is rounds of scenarios. Each figure comes from a fresh process: the program starts
//! itself once for every scenario, pool and round ([`child`]), so that no pool sees another's
//! threads, and what is counted per process (CPU time, memory, allocations) belongs to one pool
//! alone. Within a round all pools run a scenario one after the other.
//!
//! Dependencies point one way: `run` → `scenarios` → `pools`; `report` and `bars` know only
//! figures.

pub mod bars;
pub mod child;
pub mod clock;
pub mod contender;
pub mod counting;
pub mod effort;
pub mod machine;
pub mod options;
pub mod pools;
pub mod report;
mod run;
pub mod scenarios;
pub mod statistics;

pub use run::{run, run_as_bench};
