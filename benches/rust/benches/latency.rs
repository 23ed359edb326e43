//! Every scenario but the count of allocations, which needs an allocator of its own. `--help` lists
//! the options.

fn main() -> std::process::ExitCode {
    cenote_bench::run_as_bench(&cenote_bench::scenarios::LATENCY)
}
