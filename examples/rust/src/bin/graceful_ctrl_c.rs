//! Ctrl-C ends the program in order: no new batch, the current one is finished, within a limit.
//!
//! A second Ctrl-C ends it at once: what is queued is cancelled, and what runs is asked to stop.
//!
//! ```sh
//! cargo run -p cenote-examples --bin graceful_ctrl_c           # until Ctrl-C
//! cargo run -p cenote-examples --bin graceful_ctrl_c -- self   # sends itself one (Unix)
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const BATCH: usize = 50;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let interrupts_itself = std::env::args().any(|argument| argument == "self");
    let pool = cenote::Pool::builder().threads(2).build()?;
    let done = Arc::new(AtomicUsize::new(0));
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);

    let mut accepted = 0;
    for number in 1.. {
        let mut batch = Vec::new();
        for _ in 0..BATCH {
            let done = Arc::clone(&done);
            batch.push(
                pool.spawn(move || {
                    std::thread::sleep(Duration::from_millis(2)); // stands for work
                    done.fetch_add(1, Ordering::Relaxed);
                })
                .await?,
            );
            accepted += 1;
        }
        println!("batch {number} of {BATCH} tasks is queued");
        if number == 2 && interrupts_itself {
            #[cfg(unix)]
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::INT)?;
            #[cfg(not(unix))]
            break;
        }
        let finished = async {
            for task in batch {
                task.await?;
            }
            Ok::<_, cenote::JoinError>(())
        };
        tokio::select! {
            biased;
            _ = &mut interrupted => break,
            result = finished => result?,
        }
    }

    println!("interrupted: finishing what was accepted, for at most 10 s");
    let report = tokio::select! {
        report = pool.close(Duration::from_secs(10)) => report,
        _ = tokio::signal::ctrl_c() => {
            println!("again: {} queued tasks cancelled", pool.shutdown_now());
            pool.close(Duration::from_secs(1)).await
        }
    };
    println!(
        "{} of {accepted} tasks done; {report}",
        done.load(Ordering::Relaxed)
    );
    Ok(())
}
