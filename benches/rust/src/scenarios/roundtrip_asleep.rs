//! Round trip without spinning: cenote with `max_spin = 0`, beside the pools whose threads sleep as
//! soon as they have nothing to do.
//!
//! Who cares: whoever may not burn CPU time to wait, because the machine is shared or paid for by
//! the CPU second. The kernel's wake is then most of a round trip.
//!
//! Each process is one sample, twenty in all: where the kernel puts the two threads, on one CPU or
//! on two, it mostly settles once a process, and the two ways differ by several times. So the
//! distribution over the processes is shown as well, and which of its two sides has how many.
//!
//! Excluded and validated: as in `roundtrip`.

use super::{Figure, Processes, Scenario, roundtrip};
use crate::contender::Contender;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "roundtrip-asleep",
    title: "Round trip without spinning, over 20 processes",
    workers: 2,
    processes: Processes::InAll(20),
    contenders: &[
        Contender::CenoteNoSpin,
        Contender::SpawnBlocking,
        Contender::LocalPool,
        Contender::Threadpool,
        Contender::AsyncExecutor,
        Contender::Blocking,
        Contender::BareUnpark,
    ],
    figures: &[Figure::new("p50", "µs"), Figure::new("p99", "µs")],
    measure: roundtrip::measure,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_does_not_spin_takes_part_and_nobody_else() {
        for contender in Contender::ALL {
            let listed = SCENARIO.contenders.contains(&contender);
            assert_eq!(listed, !contender.spins(), "{}", contender.name());
        }
    }
}
