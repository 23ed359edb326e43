//! One dependency hangs, and the rest of the service goes on: a lane for it (a bulkhead), and a
//! circuit breaker from a crate of its own (`recloser`).
//!
//! The lane bounds how many threads the dependency can take, for as long as it hangs. The breaker
//! keeps callers from waiting for it in vain, and finds out when it is back.
//!
//! ```sh
//! cargo run -p cenote-examples --bin bulkheads_breaker
//! ```

use std::sync::{Arc, RwLock};
use std::time::Duration;

use cenote::{LaneConfig, RunError};
use recloser::{Error, Recloser};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = cenote::Pool::builder()
        .threads(2)
        .lane("payments", LaneConfig::new().max_running(1).queue_limit(8))
        .build()?;
    let payments = pool.lane("payments").expect("it was configured");
    // Half of the last two calls failed: it opens, for 1 s; then it lets a call through, to see.
    let breaker = Recloser::custom()
        .error_rate(0.5)
        .closed_len(2)
        .half_open_len(1)
        .open_wait(Duration::from_secs(1))
        .build();

    // The dependency: a call takes a lock, and hangs for as long as somebody else has it. It knows
    // no cancellation.
    let dependency = Arc::new(RwLock::new(()));
    let pay = || {
        breaker.call(|| {
            let dependency = Arc::clone(&dependency);
            payments
                .task()
                // a call that cannot even start is dropped
                .queue_timeout(Duration::from_millis(300))
                // one that hangs is given up; its thread hangs on
                .timeout(Duration::from_millis(300))
                .blocking_run(move || drop(dependency.read()))
        })
    };
    let code = |result: Result<(), Error<RunError>>| match result {
        Ok(()) => "paid",
        Err(Error::Inner(error)) => error.code(),
        Err(Error::Rejected) => "refused by the breaker",
    };

    println!("up:       {}", code(pay()));
    let outage = dependency.write();
    let mut hung = 0;
    loop {
        let result = pay();
        if matches!(result, Err(Error::Rejected)) {
            break;
        }
        hung += 1;
        println!("down:     {}", code(result));
    }
    println!("down:     {} after {hung} calls", code(pay()));
    for page in 0..1_000 {
        assert_eq!(pool.blocking_run(move || page + 1)?, page + 1);
    }
    println!(
        "          1000 pages served meanwhile; payments holds {} thread",
        payments.stats().running
    );
    drop(outage);
    while pay().is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("up again: {}", code(pay()));
    println!("closed: {}", pool.blocking_close(Duration::from_secs(10)));
    Ok(())
}
