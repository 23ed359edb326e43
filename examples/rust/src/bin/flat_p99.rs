//! An HTTP service whose pings are answered in time while it computes all it can.
//!
//! Shown: what a ping takes while nothing else happens, while handlers compute on the threads that
//! serve sockets, and while they hand the same work to a pool. The pool's lane is short, so what
//! cannot be done soon is refused with 503 instead of waiting.
//!
//! ```sh
//! cargo run --release -p cenote-examples --bin flat_p99
//! ```

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Router, routing::get};
use cenote::{Lane, LaneConfig, Pool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

const PHASE: Duration = Duration::from_secs(1);
const PING_EVERY: Duration = Duration::from_millis(2);

/// The work of one request: 10 ms of a CPU.
fn compute() {
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(10) {
        std::hint::black_box((1..1_000_u64).fold(1, u64::wrapping_mul));
    }
}

/// As one should not: meanwhile this thread of the runtime serves nobody.
async fn inline() {
    compute();
}

async fn pooled(State(lane): State<Lane>) -> Result<(), StatusCode> {
    let task = lane
        .try_spawn(compute)
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    task.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

/// Sends a request, and returns the status of the answer.
async fn status(address: SocketAddr, path: &str) -> std::io::Result<u16> {
    let mut client = TcpStream::connect(address).await?;
    client
        .write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())
        .await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    status.ok_or_else(|| std::io::Error::other(answer))
}

/// Pings the service for a while, beside clients that each want work done all the time.
async fn phase(
    name: &str,
    address: SocketAddr,
    work: Option<&'static str>,
    clients: usize,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let began = Instant::now();
    let mut working = JoinSet::new();
    if let Some(path) = work {
        for _ in 0..clients {
            working.spawn(async move {
                let (mut done, mut refused) = (0, 0);
                while began.elapsed() < PHASE {
                    if status(address, path).await? == 200 {
                        done += 1;
                    } else {
                        refused += 1;
                        sleep(Duration::from_millis(20)).await; // then asks again
                    }
                }
                std::io::Result::Ok((done, refused))
            });
        }
    }
    // A ping is due every 2 ms, whether or not the one before was answered.
    let mut pings = JoinSet::new();
    let mut ticks = interval(PING_EVERY);
    while began.elapsed() < PHASE {
        let due = ticks.tick().await;
        pings.spawn(async move { (status(address, "/ping").await, due.elapsed()) });
    }
    let mut times = Vec::new();
    while let Some(ping) = pings.join_next().await {
        let (answer, time) = ping?;
        assert_eq!(answer?, 200);
        times.push(time);
    }
    times.sort_unstable();
    let (mut done, mut refused) = (0, 0);
    while let Some(client) = working.join_next().await {
        let (its_done, its_refused) = client??;
        done += its_done;
        refused += its_refused;
    }
    let pings = times.len();
    let [p50, p99] = [50, 99].map(|part| times[(pings - 1) * part / 100].as_secs_f64() * 1e3);
    println!("| {name:<14} | {p50:>8.2} | {p99:>8.2} | {pings:>5} | {done:>4} | {refused:>7} |");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    // A CPU is left for the threads that serve sockets.
    let cpus = std::thread::available_parallelism()?.get();
    let workers = (cpus - 1).clamp(1, 4);
    let pool = Pool::builder()
        .threads(workers)
        .name("compute")
        .lane("work", LaneConfig::new().queue_limit(2 * workers))
        .build()?;
    let app = Router::new()
        .route("/ping", get(async || "pong\n"))
        .route("/inline", get(inline))
        .route("/pooled", get(pooled))
        .with_state(pool.lane("work").expect("it was configured"));

    let server = runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()?;
    let listener = server.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
    let address = listener.local_addr()?;
    server.spawn(axum::serve(listener, app).into_future());

    // Whoever measures has a thread of its own.
    let client = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    println!("| work           | p50, ms  | p99, ms  | pings | done | refused |");
    println!("|----------------|---------:|---------:|------:|-----:|--------:|");
    let phases = [
        ("none", None),
        ("in the handler", Some("/inline")),
        ("on the pool", Some("/pooled")),
    ];
    for (name, work) in phases {
        client.block_on(phase(name, address, work, 8 * workers))?;
    }
    server.shutdown_background();
    println!("closed: {}", pool.blocking_close(Duration::from_secs(5)));
    Ok(())
}
