//! A small addon whose async functions run on cenote: each export is one thing that
//! `runtime.test.mjs` looks at.
#![allow(missing_docs, reason = "an addon for tests, with no users in Rust")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use cenote_napi::Runtime;
use napi::bindgen_prelude::{Error, Result, shutdown_async_runtime, start_async_runtime};
use napi_derive::napi;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Futures that were dropped before they had finished.
static DROPPED: AtomicU32 = AtomicU32::new(0);

#[napi_derive::module_init]
fn init() {
    let runtime = Runtime::new()
        .configure(|futures| futures.threads(2).name("test-futures"))
        .configure_blocking(|blocking| blocking.threads(1..=4).name("test-blocking"));
    cenote_napi::register(runtime);
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::from_reason(error.to_string())
}

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

#[napi]
pub async fn add(a: u32, b: u32) -> u32 {
    a + b
}

#[napi]
pub async fn name_of_worker() -> String {
    let worker = cenote::current()
        .map(|worker| worker.name)
        .unwrap_or_default();
    assert_eq!(worker, thread_name());
    worker
}

#[napi]
pub async fn sleep(ms: u32) -> u32 {
    tokio::time::sleep(Duration::from_millis(ms.into())).await;
    ms
}

/// A round trip over a socket on the loopback device, both ends in this future.
#[napi]
pub async fn echo(text: String) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    let (mut server, _) = listener.accept().await?;
    client.write_all(text.as_bytes()).await?;
    client.shutdown().await?;
    let mut heard = String::new();
    server.read_to_string(&mut heard).await?;
    Ok(heard)
}

#[napi]
pub async fn fail() -> Result<()> {
    Err(failed("as it should"))
}

/// Without the panic hook's message on the console.
#[napi]
pub async fn panic() {
    std::panic::resume_unwind(Box::new("in the future"));
}

/// Blocks a thread for blocking work, and says which.
#[napi]
pub async fn block(ms: u32) -> Result<String> {
    let work = move || {
        thread::sleep(Duration::from_millis(ms.into()));
        thread_name()
    };
    cenote_napi::spawn_blocking(work)
        .map_err(failed)?
        .await
        .map_err(failed)
}

/// Runs until it is asked to stop; true if it was.
#[napi]
pub async fn block_until_stopped() -> Result<bool> {
    let work = || {
        let token = cenote::token();
        while !token.is_cancelled() {
            thread::sleep(Duration::from_millis(1));
        }
        true
    };
    cenote_napi::spawn_blocking(work)
        .map_err(failed)?
        .await
        .map_err(failed)
}

struct CountDrop;

impl Drop for CountDrop {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Never finishes.
#[napi]
pub async fn hang() {
    let _dropped = CountDrop;
    std::future::pending::<()>().await;
}

#[napi]
pub fn dropped() -> u32 {
    DROPPED.load(Ordering::Relaxed)
}

#[napi]
pub fn is_running() -> bool {
    cenote_napi::pool().is_some()
}

#[napi]
pub fn completed() -> u32 {
    let stats = cenote_napi::pool().map(|pool| pool.stats());
    stats.map_or(0, |stats| stats.outcomes().completed as u32)
}

/// Ends every pool of the addon, as the end of its last environment does.
#[napi]
pub fn shut_down() {
    shutdown_async_runtime();
}

#[napi]
pub fn start() {
    start_async_runtime();
}
