//! A lane against a plain model of it, for random sequences of pushes, aborts, takes, and places
//! among the running, on one thread.
//!
//! The model is a list of what lies in the lane. It says which task is next, whether a worker would
//! find one, and what is counted; so does the lane, after every step.

use proptest::prelude::*;

use super::gate::Refused;
use super::lane::{BANDS, Batch, LaneQueue, Taken};
use super::run_list::RunLists;
use crate::task::cell::{self, Kind, Meta, Ran, Running, TaskRef, Work};
use crate::task::joiner::Joiner;
use crate::task::outcome::Outcome;

/// By so much a task counts as later for each band below the highest.
const AGING: u64 = 5;

struct Nothing;

impl Work for Nothing {
    type Output = ();

    fn run(self, running: Running<Self>) -> Ran {
        Ran::Settled(running.settle(Ok(())))
    }
}

fn task(kind: Kind, band: u8, submitted: u64, guarded: bool) -> (TaskRef, Joiner<()>) {
    let meta = Meta {
        pool: 0,
        lane: 0,
        band,
        kind,
        may_settle_early: false,
    };
    let (task, second) = cell::new(Nothing, meta, submitted, guarded);
    // SAFETY: the second reference, and the output of `Nothing`.
    (task, unsafe { Joiner::new(second) })
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Push {
        kind: Kind,
        band: u8,
        guarded: bool,
    },
    /// Aborts one of those that lie in the lane.
    Abort(prop::sample::Index),
    /// Reserves a place among the running, for a task that came another way.
    Begin,
    /// One of the running has ended.
    End,
    Pop {
        locals: bool,
        /// How many at most. 0: the worker's tasks are not short.
        batch: usize,
    },
    PopUnrun,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![3 => Just(Kind::Closure), 1 => Just(Kind::Local)];
    prop_oneof![
        4 => (kind, 0..BANDS as u8, prop::bool::weighted(0.2))
            .prop_map(|(kind, band, guarded)| Step::Push { kind, band, guarded }),
        2 => any::<prop::sample::Index>().prop_map(Step::Abort),
        1 => Just(Step::Begin),
        2 => Just(Step::End),
        4 => (any::<bool>(), 0_usize..8).prop_map(|(locals, batch)| Step::Pop { locals, batch }),
        1 => Just(Step::PopUnrun),
    ]
}

/// A task that lies in the lane.
struct Queued {
    kind: Kind,
    band: u8,
    submitted: u64,
    /// It counts towards the limit.
    placed: bool,
    settled: bool,
    handle: Joiner<()>,
}

impl Queued {
    fn rank(&self) -> u64 {
        self.submitted + AGING * u64::from(self.band)
    }
}

struct Model {
    limit: usize,
    max_running: usize,
    queued: Vec<Queued>,
    running: usize,
}

impl Model {
    fn placed(&self) -> usize {
        self.queued.iter().filter(|task| task.placed).count()
    }

    fn dead(&self) -> usize {
        self.queued.len() - self.placed()
    }

    fn has_place(&self) -> bool {
        self.running < self.max_running
    }

    /// Where the task lies that is next: the earliest, where a lower band counts as later. Of
    /// several the closure, then the higher band.
    fn first(&self, locals: bool) -> Option<usize> {
        let mut tasks: Vec<usize> = (0..self.queued.len())
            .filter(|&at| locals || self.queued[at].kind == Kind::Closure)
            .collect();
        tasks.sort_by_key(|&at| {
            let task = &self.queued[at];
            (task.rank(), task.kind as u8, task.band)
        });
        tasks.first().copied()
    }

    /// A settled one that has no place needs none. (Of settled ones that kept theirs one cannot say
    /// that they are, as long as there are none without.)
    fn needs_place(&self, at: usize) -> bool {
        self.dead() == 0 || !self.queued[at].settled
    }

    /// The first of that kind and band, if none of another is due before it.
    fn next_of(&self, kind: Kind, band: u8, locals: bool) -> Option<usize> {
        let at = (self.queued.iter()).position(|task| (task.kind, task.band) == (kind, band))?;
        let others = (self.queued.iter())
            .filter(|task| (task.kind, task.band) != (kind, band))
            .filter(|task| locals || task.kind == Kind::Closure);
        let due = others.map(Queued::rank).min();
        due.is_none_or(|due| self.queued[at].rank() <= due)
            .then_some(at)
    }

    /// Which task a worker would get.
    fn next(&self, locals: bool) -> Option<usize> {
        self.first(locals)
            .filter(|&at| self.has_place() || !self.needs_place(at))
    }
}

struct Lane {
    lane: LaneQueue,
    model: Model,
    now: u64,
}

impl Lane {
    fn new(limit: usize, max_running: usize) -> Self {
        Lane {
            lane: LaneQueue::new(limit, max_running, AGING),
            model: Model {
                limit,
                max_running,
                queued: Vec::new(),
                running: 0,
            },
            now: 0,
        }
    }

    fn push(&mut self, kind: Kind, band: u8, guarded: bool) {
        self.now += 1;
        let (task, handle) = task(kind, band, self.now, guarded);
        // What was taken and the gate was not told of counts for some time; it never does where
        // each take is told at once.
        let admitted = self.lane.gate().count();
        match self.lane.push(task) {
            Ok(count) => {
                assert_eq!(count, admitted + 1);
                self.model.queued.push(Queued {
                    kind,
                    band,
                    submitted: self.now,
                    placed: true,
                    settled: false,
                    handle,
                });
            }
            Err((task, refused)) => {
                assert_eq!((admitted, refused), (self.model.limit, Refused::Full));
                // As whoever is refused does.
                assert!(task.header().state().start());
                task.run_started(false);
            }
        }
    }

    fn abort(&mut self, which: prop::sample::Index) {
        if self.model.queued.is_empty() {
            return;
        }
        let at = which.index(self.model.queued.len());
        let dead = self.model.dead();
        let task = &mut self.model.queued[at];
        let settled = task.handle.task().settle_queued(Outcome::Aborted);
        assert_eq!(settled, !task.settled);
        if !settled {
            return;
        }
        task.settled = true;
        let gives_up = dead < self.model.limit;
        task.placed = !gives_up;
        // Nobody waits for the room.
        let header = self.model.queued[at].handle.task().header();
        assert_eq!(self.lane.forget(header), Some(false));
    }

    fn pop(&mut self, locals: bool, batch: usize) {
        let expected = self.model.next(locals);
        let lists = RunLists::new(1);
        let batch = (batch > 0).then_some(Batch {
            lists: &lists,
            seat: 0,
            most: batch,
            workers: 1,
        });
        let taken = self.lane.pop(0, locals, false, batch);
        assert_eq!(taken.is_some(), expected.is_some());
        let (Some(taken), Some(at)) = (taken, expected) else {
            return;
        };
        let (kind, band) = (self.model.queued[at].kind, self.model.queued[at].band);
        let runs = self.model.needs_place(at);
        let mut listed = taken.listed;
        self.took(taken, at, runs);
        let most = match batch {
            Some(batch) if kind == Kind::Closure && self.model.max_running == usize::MAX => {
                let share = self.model.placed();
                (batch.most - 1).min(share).min(self.model.limit / 8)
            }
            _ => 0,
        };
        for _ in 0..most {
            let Some(at) = self.model.next_of(kind, band, locals) else {
                break;
            };
            let task = lists.take(0).expect("it was listed").task;
            listed -= 1;
            self.ran(task, at);
        }
        assert_eq!(listed, 0);
        assert!(!lists.has_task());
    }

    fn pop_unrun(&mut self) {
        let expected = self.model.first(true);
        let taken = self.lane.pop_unrun();
        assert_eq!(taken.is_some(), expected.is_some());
        if let (Some(taken), Some(at)) = (taken, expected) {
            self.took(taken, at, false);
        }
    }

    fn took(&mut self, taken: Taken, at: usize, runs: bool) {
        assert_eq!(taken.runs, runs);
        assert!(!taken.wanted_room);
        if let Some(more) = taken.more {
            assert!(self.model.queued.iter().any(|task| task.kind == more));
        }
        if runs && self.model.max_running != usize::MAX {
            self.model.running += 1;
        }
        self.ran(taken.task, at);
    }

    /// Does with it as a worker does.
    fn ran(&mut self, task: TaskRef, at: usize) {
        let expected = self.model.queued.remove(at);
        let header = task.header();
        assert_eq!(header.submitted, expected.submitted, "another task is next");
        let sole = header.state().try_start(false);
        if sole.is_some() || header.state().start() {
            assert!(!expected.settled);
            task.run_started(sole.unwrap_or(false));
        } else {
            assert!(expected.settled);
            task.discard();
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Push {
                kind,
                band,
                guarded,
            } => self.push(kind, band, guarded),
            Step::Abort(which) => self.abort(which),
            Step::Begin if self.model.max_running == usize::MAX => assert!(self.lane.begin()),
            Step::Begin => {
                let begins = self.model.has_place();
                assert_eq!(self.lane.begin(), begins);
                self.model.running += usize::from(begins);
            }
            Step::End if self.model.running == 0 => {}
            Step::End => {
                self.model.running -= 1;
                assert_eq!(self.lane.end(), !self.model.queued.is_empty());
            }
            Step::Pop { locals, batch } => self.pop(locals, batch),
            Step::PopUnrun => self.pop_unrun(),
        }
    }

    /// What the lane says of itself is what the model says.
    fn check(&self) {
        let model = &self.model;
        for locals in [false, true] {
            assert_eq!(
                self.lane.has_task(locals),
                model.next(locals).is_some(),
                "a worker that looks, with locals {locals}"
            );
        }
        assert_eq!(self.lane.len(), model.placed());
        assert!(self.lane.gate().count() >= model.placed());
        assert_eq!(self.lane.has_no_dead(), model.dead() == 0);
        assert_eq!(self.lane.is_empty(), model.queued.is_empty());
        assert_eq!(self.lane.reachable().len(), model.queued.len());
    }
}

proptest! {
    #[test]
    fn a_lane_does_what_a_plain_list_would(
        limit in prop_oneof![Just(2_usize), Just(20), Just(1_000)],
        max_running in prop_oneof![2 => 1_usize..4, 1 => Just(usize::MAX)],
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut lane = Lane::new(limit, max_running);
        for step in steps {
            lane.step(step);
            lane.check();
        }
        while lane.model.first(true).is_some() {
            lane.pop_unrun();
            lane.check();
        }
    }
}

#[test]
fn a_settled_task_behind_one_that_waits_for_a_place_is_no_task_to_take() {
    let mut lane = Lane::new(20, 1);
    lane.step(Step::Begin);
    for _ in 0..2 {
        lane.push(Kind::Closure, 0, false);
    }
    lane.model.queued[1].settled = true;
    let behind = lane.model.queued[1].handle.task().clone();
    assert!(behind.settle_queued(Outcome::Aborted));
    assert_eq!(lane.lane.forget(behind.header()), Some(false));
    lane.model.queued[1].placed = false;
    assert!(!lane.lane.has_task(true), "a worker would never sleep");
    lane.check();
    lane.step(Step::End);
    assert!(lane.lane.has_task(true));
}
