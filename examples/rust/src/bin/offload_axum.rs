//! CPU work of an HTTP server, done on a pool of its own, so that the threads that serve sockets
//! never compute.
//!
//! Shown: a full queue answers 503 at once instead of growing; a client that goes away cancels its
//! work; a limit on the time in the queue and on the run.
//!
//! ```sh
//! cargo run -p cenote-examples --bin offload_axum           # serves, sends itself requests
//! cargo run -p cenote-examples --bin offload_axum -- stay   # serves until Ctrl-C
//! curl localhost:3000/primes/100000
//! ```

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Router, routing::get};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Counts the primes up to `limit` the slow way, and looks at its token now and then.
fn primes(limit: u64) -> usize {
    let token = cenote::token();
    (2..=limit)
        .take_while(|n| n % 1024 != 0 || !token.is_cancelled())
        .filter(|n| (2..).take_while(|d| d * d <= *n).all(|d| n % d != 0))
        .count()
}

async fn handler(
    State(pool): State<cenote::Pool>,
    Path(limit): Path<u64>,
) -> Result<String, (StatusCode, String)> {
    let task = pool
        .task()
        .queue_timeout(Duration::from_millis(500))
        .timeout(Duration::from_secs(2));
    let unavailable =
        |error: &dyn std::error::Error| (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n"));
    let handle = task
        .try_spawn(move || primes(limit))
        .map_err(|full| unavailable(&full))?;
    // When the client goes away, axum drops this future, and the handle with it.
    let count = handle
        .abort_on_drop()
        .await
        .map_err(|error| unavailable(&error))?;
    Ok(format!("{count} primes up to {limit}\n"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = cenote::Pool::builder()
        .name("compute")
        .queue_limit(100)
        .build()?;
    let app = Router::new()
        .route("/primes/{limit}", get(handler))
        .with_state(pool.clone());
    let stay = std::env::args().any(|argument| argument == "stay");
    let listener =
        tokio::net::TcpListener::bind(("127.0.0.1", if stay { 3000 } else { 0 })).await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(axum::serve(listener, app).into_future());
    if stay {
        println!("serving on http://{address}/primes/100000");
        tokio::signal::ctrl_c().await?;
    }
    for limit in [10, 1_000, 100_000] {
        let mut client = tokio::net::TcpStream::connect(address).await?;
        client
            .write_all(format!("GET /primes/{limit} HTTP/1.0\r\n\r\n").as_bytes())
            .await?;
        let mut answer = String::new();
        client.read_to_string(&mut answer).await?;
        print!("{}", answer.rsplit("\r\n").next().unwrap_or_default());
    }
    server.abort();
    println!("closed: {}", pool.close(Duration::from_secs(5)).await);
    Ok(())
}
