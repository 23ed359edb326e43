//! The scenarios: each is a claim about one thing, measured by one function that is given a
//! contender.

mod allocations;
mod awaited;
mod awaited_many;
mod batch;
mod burst;
mod closed_loop;
mod every_worker;
mod idle;
mod memory;
mod open_loop;
mod roundtrip;
mod roundtrip_asleep;
mod roundtrip_timers;
mod saturated_timer;
mod tally;
mod trickle;
mod workers;

use crate::contender::Contender;
use crate::effort::Effort;

/// What one process measured: a value for each of the scenario's figures, in their order; or what
/// was wrong with the results, in which case nothing was measured.
pub type Outcome = Result<Vec<f64>, String>;

/// One column of a scenario's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// Its name in tables, JSON and bars.
    pub name: &'static str,
    /// Its unit, as the tables show it.
    pub unit: &'static str,
}

impl Figure {
    const fn new(name: &'static str, unit: &'static str) -> Figure {
        Figure { name, unit }
    }
}

/// How the contenders of a scenario share one round. Each process gives one value of every figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processes {
    /// So many processes each, one after the other. More than one where a measurement is short and
    /// depends on where the kernel happens to put the threads.
    Several(usize),
    /// So many processes each in the whole run, one after the other, shared out over its rounds.
    /// For figures whose distribution over the processes is shown.
    InAll(usize),
    /// One each, all at the same time: for figures that belong to a process alone while the machine
    /// does nothing.
    AtOnce,
}

impl Processes {
    /// How many processes each contender has in a round, one after the other. The rounds count from
    /// 0. A quick round has at most one.
    pub fn in_turn(self, round: usize, rounds: usize, quick: bool) -> usize {
        let count = match self {
            Processes::Several(count) => count,
            Processes::InAll(count) => count * (round + 1) / rounds - count * round / rounds,
            Processes::AtOnce => 0,
        };
        if quick { count.min(1) } else { count }
    }
}

/// A claim about one thing.
#[derive(Debug)]
pub struct Scenario {
    /// Its name on the command line and in JSON.
    pub name: &'static str,
    /// What its table is called.
    pub title: &'static str,
    /// How many workers every pool has.
    pub workers: usize,
    /// How the processes of one round are run.
    pub processes: Processes,
    /// Who can take part.
    pub contenders: &'static [Contender],
    /// What comes out.
    pub figures: &'static [Figure],
    /// Measures one contender, in this process.
    pub measure: fn(Contender, &Effort) -> Outcome,
}

/// All that needs no allocator of its own, in the order of the tables.
pub static LATENCY: [Scenario; 13] = [
    roundtrip::SCENARIO,
    roundtrip_asleep::SCENARIO,
    roundtrip_timers::SCENARIO,
    workers::SCENARIO,
    awaited::SCENARIO,
    awaited_many::SCENARIO,
    burst::SCENARIO,
    batch::SCENARIO,
    open_loop::SCENARIO,
    trickle::SCENARIO,
    idle::SCENARIO,
    memory::SCENARIO,
    saturated_timer::SCENARIO,
];

/// What needs [`CountingAllocator`](crate::counting::CountingAllocator).
pub static ALLOCATIONS: [Scenario; 1] = [allocations::SCENARIO];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = LATENCY
            .iter()
            .chain(&ALLOCATIONS)
            .map(|one| one.name)
            .collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), LATENCY.len() + ALLOCATIONS.len());
    }

    #[test]
    fn the_processes_of_a_whole_run_are_shared_out_over_its_rounds() {
        for rounds in 1..=25 {
            let shares: Vec<_> = (0..rounds)
                .map(|round| Processes::InAll(20).in_turn(round, rounds, false))
                .collect();
            assert_eq!(shares.iter().sum::<usize>(), 20, "{shares:?}");
            let (least, most) = (20 / rounds, 20_usize.div_ceil(rounds));
            assert!(shares.iter().all(|share| (least..=most).contains(share)));
        }
        assert_eq!(Processes::InAll(20).in_turn(0, 1, true), 1);
        assert_eq!(Processes::Several(3).in_turn(4, 5, false), 3);
        assert_eq!(Processes::AtOnce.in_turn(0, 3, false), 0);
    }
}
