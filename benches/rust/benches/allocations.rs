//! Allocations a task. A program of its own, because the allocator that counts costs every pool
//! time.

use cenote_bench::counting::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> std::process::ExitCode {
    cenote_bench::run_as_bench(&cenote_bench::scenarios::ALLOCATIONS)
}
