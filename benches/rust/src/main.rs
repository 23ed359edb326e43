//! The latency harness as a plain program: what `cargo bench --bench latency` runs, for profilers
//! and for the tests.

fn main() -> std::process::ExitCode {
    cenote_bench::run(&cenote_bench::scenarios::LATENCY, std::env::args().skip(1))
}
