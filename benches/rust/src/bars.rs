//! The bars that cenote is held to, and how far a run met them. Data first, one function to judge
//! it.

use crate::contender::Contender;
use crate::report::Results;

/// The largest value that meets a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// This many of the figure's unit.
    Absolute(f64),
    /// This many times the best peer's.
    TimesBestPeer(f64),
    /// This many times the best peer's that is a pool, and no bare channel.
    TimesBestPool(f64),
    /// This many times that of the best peer that sleeps at once when it waits.
    TimesBestSleeper(f64),
    /// This many times that contender's, and so much more.
    TimesPlus(f64, Contender, f64),
}

impl Limit {
    /// For the table: with the name of who set it, where it is a comparison.
    pub fn in_words(&self, opponent: Option<Contender>) -> String {
        let name = opponent.map_or("", Contender::name);
        let times = |factor: f64| {
            if factor == 1.0 {
                String::new()
            } else {
                format!("{factor} × ")
            }
        };
        match self {
            Limit::Absolute(most) => format!("≤ {most}"),
            Limit::TimesBestPeer(factor) => format!("≤ {}best peer ({name})", times(*factor)),
            Limit::TimesBestPool(factor) => format!("≤ {}best pool ({name})", times(*factor)),
            Limit::TimesBestSleeper(factor) => {
                format!("≤ {}best peer that does not spin ({name})", times(*factor))
            }
            Limit::TimesPlus(factor, _, 0.0) => format!("≤ {}{name}", times(*factor)),
            Limit::TimesPlus(factor, _, more) => format!("≤ {}{name} + {more}", times(*factor)),
        }
    }
}

/// A figure of cenote, and what it may be at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// What the table calls it, with the unit.
    pub what: &'static str,
    /// Where it is measured.
    pub scenario: &'static str,
    /// Which figure of it.
    pub figure: &'static str,
    /// Which cenote.
    pub contender: Contender,
    /// At most this.
    pub limit: Limit,
}

const fn bar(
    what: &'static str,
    (scenario, figure): (&'static str, &'static str),
    limit: Limit,
) -> Bar {
    Bar {
        what,
        scenario,
        figure,
        contender: Contender::Cenote,
        limit,
    }
}

/// All bars, in the order of the table. They are for a machine with two CPUs.
pub static BARS: [Bar; 23] = {
    use Contender::{BareCacheLines, CenoteNoSpin, Crossbeam, SpawnBlocking};
    use Limit::{Absolute, TimesBestPeer, TimesBestPool, TimesBestSleeper, TimesPlus};
    [
        bar(
            "round trip p50, µs",
            ("roundtrip", "p50"),
            TimesPlus(2.0, BareCacheLines, 0.0),
        ),
        bar(
            "round trip p99, µs",
            ("roundtrip", "p99"),
            TimesBestPeer(1.0),
        ),
        Bar {
            contender: CenoteNoSpin,
            ..bar(
                "round trip with `max_spin = 0`, p50, µs",
                ("roundtrip-asleep", "p50"),
                TimesBestSleeper(1.0),
            )
        },
        bar(
            "round trip with a 5 ms timer loop on each worker, p50, µs",
            ("roundtrip-timers", "p50"),
            Absolute(0.4),
        ),
        bar(
            "round trip with 512 workers : with 2, p50",
            ("workers", "512 : 2, p50"),
            Absolute(1.5),
        ),
        bar(
            "round trip awaited on a multi-thread runtime, p50, µs",
            ("awaited", "multi p50"),
            TimesPlus(0.5, SpawnBlocking, 0.0),
        ),
        bar(
            "round trip awaited on a current-thread runtime, p50, µs",
            ("awaited", "current p50"),
            Absolute(0.35),
        ),
        bar(
            "burst, one producer, ns a task",
            ("burst", "one producer"),
            Absolute(70.0),
        ),
        bar(
            "burst, one producer, ns a task",
            ("burst", "one producer"),
            TimesBestPeer(1.0),
        ),
        bar(
            "burst, four producers, ns a task",
            ("burst", "four producers"),
            TimesPlus(1.2, Crossbeam, 0.0),
        ),
        bar(
            "burst, four producers, ns a task",
            ("burst", "four producers"),
            TimesBestPool(1.0),
        ),
        bar(
            "burst, eight producers, ns a task",
            ("burst", "eight producers"),
            TimesPlus(1.2, Crossbeam, 0.0),
        ),
        bar(
            "burst, eight producers, ns a task",
            ("burst", "eight producers"),
            TimesBestPool(1.0),
        ),
        bar(
            "batch of 1,000, handed over, ns a task",
            ("batch", "handed over, p50"),
            Absolute(35.0),
        ),
        bar(
            "allocations a task, with result",
            ("allocations", "with result"),
            Absolute(1.0),
        ),
        bar(
            "allocations a task, detached",
            ("allocations", "detached"),
            Absolute(1.0),
        ),
        bar(
            "open loop p99, µs",
            ("open-loop", "p99"),
            TimesBestPeer(1.0),
        ),
        bar(
            "open loop p99.9, µs",
            ("open-loop", "p99.9"),
            TimesBestPeer(1.0),
        ),
        bar(
            "one 1 ms task per 10 ms, CPU above the work, ms/s",
            ("trickle", "CPU"),
            TimesBestPeer(1.0),
        ),
        bar("idle CPU, ms/s", ("idle", "CPU"), Absolute(1.0)),
        bar(
            "memory per idle worker, KiB",
            ("memory", "RSS"),
            TimesBestPeer(1.0),
        ),
        bar(
            "10 ms timer under saturation, p50, ms",
            ("saturated-timer", "p50"),
            Absolute(12.0),
        ),
        bar(
            "10 ms timer under saturation, worst, ms",
            ("saturated-timer", "worst"),
            Absolute(12.0),
        ),
    ]
};

/// A bar, judged.
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    /// Which.
    pub bar: &'static Bar,
    /// Who set the limit, where it is a comparison.
    pub opponent: Option<Contender>,
    /// The limit, in the figure's unit.
    pub limit: f64,
    /// The median over the rounds.
    pub measured: f64,
}

impl Verdict {
    /// Whether the figure is within the limit.
    pub fn met(&self) -> bool {
        self.measured <= self.limit
    }

    /// By what share of the limit the figure is above it.
    pub fn missed_by(&self) -> f64 {
        self.measured / self.limit - 1.0
    }
}

/// Judges all bars whose figures were measured, by their medians.
pub fn judge(results: &Results) -> Vec<Verdict> {
    BARS.iter()
        .filter_map(|bar| judge_one(bar, results))
        .collect()
}

fn judge_one(bar: &'static Bar, results: &Results) -> Option<Verdict> {
    let of = |contender| {
        let spread = results.spread(bar.scenario, contender, bar.figure)?;
        Some((contender, spread.median))
    };
    let best = |may: fn(Contender) -> bool| {
        Contender::ALL
            .into_iter()
            .filter(|&contender| contender.is_peer() && may(contender))
            .filter_map(of)
            .min_by(|a, b| a.1.total_cmp(&b.1))
    };
    let (_, measured) = of(bar.contender)?;
    let (opponent, limit) = match bar.limit {
        Limit::Absolute(most) => (None, most),
        Limit::TimesBestPeer(factor) => {
            let (peer, value) = best(|_| true)?;
            (Some(peer), value * factor)
        }
        Limit::TimesBestPool(factor) => {
            let (peer, value) = best(|contender| !contender.is_channel())?;
            (Some(peer), value * factor)
        }
        Limit::TimesBestSleeper(factor) => {
            let (peer, value) = best(|contender| !contender.spins())?;
            (Some(peer), value * factor)
        }
        Limit::TimesPlus(factor, contender, more) => {
            let (peer, value) = of(contender)?;
            (Some(peer), value * factor + more)
        }
    };
    Some(Verdict {
        bar,
        opponent,
        limit,
        measured,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::{ALLOCATIONS, LATENCY, Scenario};

    fn scenario(name: &str) -> &'static Scenario {
        LATENCY
            .iter()
            .chain(&ALLOCATIONS)
            .find(|one| one.name == name)
            .unwrap_or_else(|| panic!("no scenario {name}"))
    }

    /// The verdicts of a scenario all of whose figures are the same.
    fn judged(name: &str, values: &[(Contender, f64)]) -> Vec<Verdict> {
        let mut results = Results::default();
        let scenario = scenario(name);
        for &(contender, value) in values {
            let figures = vec![value; scenario.figures.len()];
            results.add(scenario, contender, Ok(figures));
        }
        judge(&results)
    }

    fn verdict(verdicts: &[Verdict], figure: &str, limit: Limit) -> Verdict {
        *verdicts
            .iter()
            .find(|verdict| verdict.bar.figure == figure && verdict.bar.limit == limit)
            .expect("it is judged")
    }

    #[test]
    fn every_bar_names_a_figure_that_exists_and_a_contender_that_is_measured() {
        for bar in &BARS {
            let scenario = scenario(bar.scenario);
            assert!(
                scenario.figures.iter().any(|one| one.name == bar.figure),
                "{}",
                bar.what
            );
            assert!(scenario.contenders.contains(&bar.contender), "{}", bar.what);
            if let Limit::TimesPlus(_, other, _) = bar.limit {
                assert!(scenario.contenders.contains(&other), "{}", bar.what);
            }
        }
    }

    #[test]
    fn the_best_peer_is_neither_cenote_nor_the_bare_machine() {
        let verdicts = judged(
            "roundtrip",
            &[
                (Contender::Cenote, 0.25),
                (Contender::CenoteNoSpin, 1.0),
                (Contender::BareCacheLines, 0.125),
                (Contender::Rayon, 4.0),
                (Contender::Threadpool, 3.0),
            ],
        );
        let best = verdict(&verdicts, "p99", Limit::TimesBestPeer(1.0));
        assert_eq!(best.opponent, Some(Contender::Threadpool));
        assert!(best.met(), "0.25 is below 3");
        let floor = Limit::TimesPlus(2.0, Contender::BareCacheLines, 0.0);
        let floor = verdict(&verdicts, "p50", floor);
        assert_eq!(floor.opponent, Some(Contender::BareCacheLines));
        assert!(floor.met(), "0.25 is twice 0.125, and no more");
    }

    #[test]
    fn the_best_pool_is_no_bare_channel() {
        let verdicts = judged(
            "burst",
            &[
                (Contender::Cenote, 110.0),
                (Contender::Crossbeam, 100.0),
                (Contender::Crossfire, 90.0),
                (Contender::Rayon, 120.0),
            ],
        );
        let four = |limit| verdict(&verdicts, "four producers", limit);
        let pool = four(Limit::TimesBestPool(1.0));
        assert_eq!(pool.opponent, Some(Contender::Rayon));
        assert!(pool.met());
        assert!(four(Limit::TimesPlus(1.2, Contender::Crossbeam, 0.0)).met());
        let peer = verdict(&verdicts, "one producer", Limit::TimesBestPeer(1.0));
        assert_eq!(peer.opponent, Some(Contender::Crossfire));
        assert!(!peer.met());
    }

    #[test]
    fn without_spinning_cenote_is_held_to_those_that_do_not_spin() {
        let verdicts = judged(
            "roundtrip-asleep",
            &[
                (Contender::CenoteNoSpin, 5.0),
                (Contender::BareUnpark, 1.0),
                (Contender::Threadpool, 4.0),
                (Contender::Rayon, 1.0),
            ],
        );
        let sleeper = verdict(&verdicts, "p50", Limit::TimesBestSleeper(1.0));
        assert_eq!(sleeper.opponent, Some(Contender::Threadpool));
        assert!(!sleeper.met());
        assert!((sleeper.missed_by() - 0.25).abs() < 1e-9);
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        assert!(judged("roundtrip", &[(Contender::Rayon, 1.0)]).is_empty());
    }
}
