//! The count of allocations, in a program that counts them.

use std::hint::black_box;

use cenote_bench::counting::{CountingAllocator, allocations};
use cenote_bench::effort::Effort;
use cenote_bench::scenarios::ALLOCATIONS;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// One test, since whatever another one allocates meanwhile would be counted too.
#[test]
fn allocations_are_counted_for_every_contender() {
    let before = allocations();
    for _ in 0..100 {
        drop(black_box(Box::new(1)));
    }
    let mut grown = Vec::with_capacity(1);
    grown.extend([1, 2, 3]);
    black_box(grown);
    let counted = allocations() - before;
    // The test harness's own thread may add a few.
    assert!((102..150).contains(&counted), "{counted}");

    let [scenario] = &ALLOCATIONS;
    for &contender in scenario.contenders {
        let values = (scenario.measure)(contender, &Effort::SMOKE)
            .unwrap_or_else(|message| panic!("{}: {message}", contender.name()));
        // Cenote uses the memory of tasks again; everybody else asks for it each time.
        let least = if contender.name().starts_with("cenote") {
            0.0
        } else {
            0.5
        };
        assert!(
            values.iter().all(|value| (least..100.0).contains(value)),
            "a task without memory of its own: {}, {values:?}",
            contender.name()
        );
    }
}
