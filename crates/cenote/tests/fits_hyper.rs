//! A pool as hyper's executor: HTTP/2 between a client and a server whose connections and streams
//! run on workers.
#![cfg(feature = "hyper")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use cenote::Pool;
use cenote::hyper::LocalExecutor;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2 as client;
use hyper::rt::Executor;
use hyper::server::conn::http2 as server;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

async fn name_of_worker(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    let worker = cenote::current()
        .map(|worker| worker.name)
        .unwrap_or_default();
    Ok(Response::new(format!(
        "{} by {worker}",
        request.uri().path()
    )))
}

async fn get(sender: &mut client::SendRequest<Empty<Bytes>>, path: &str) -> String {
    let request = Request::builder()
        .uri(format!("http://localhost{path}"))
        .body(Empty::new())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn http2_runs_on_the_workers() {
    let pool = Pool::builder().threads(2).name("http").build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = {
        let pool = pool.clone();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = stream.into_std().unwrap();
            let executor = pool.clone();
            pool.execute(async move {
                let stream = TokioIo::new(TcpStream::from_std(stream).unwrap());
                let connection = server::Builder::new(executor)
                    .serve_connection(stream, service_fn(name_of_worker));
                let _ = connection.await;
            });
        })
    };
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    // The client's own tasks, too.
    let (mut sender, connection) = client::handshake(pool.lane("main").unwrap(), stream)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    accepting.await.unwrap();
    for n in 0..20 {
        let answer = tokio::time::timeout(LONG, get(&mut sender, &format!("/{n}")))
            .await
            .unwrap();
        assert!(answer.starts_with(&format!("/{n} by http-")), "{answer}");
    }
    drop(sender);
    connection.await.unwrap().unwrap();
    assert!(pool.close(LONG).await.is_clean());
}

#[tokio::test]
async fn a_future_that_is_not_accepted_is_dropped_and_counted() {
    let pool = Pool::builder().threads(1).build().unwrap();
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    assert!(pool.close(LONG).await.is_clean());
    pool.execute(async move { sender.send(()) });
    assert!(receiver.await.is_err());
    assert_eq!(pool.stats().outcomes().rejected, 1);
}

#[test]
fn a_local_executor_keeps_futures_on_its_worker() {
    assert!(LocalExecutor::current().is_none());
    let pool = Pool::builder().threads(2).build().unwrap();
    let (sender, receiver) = mpsc::channel();
    pool.try_spawn(move || {
        let executor = LocalExecutor::current().unwrap();
        let counter = Rc::new(Cell::new(0));
        for _ in 0..10 {
            let (counter, sender) = (Rc::clone(&counter), sender.clone());
            executor.execute(async move {
                tokio::task::yield_now().await;
                counter.set(counter.get() + 1);
                sender.send(counter.get()).unwrap();
            });
        }
    })
    .unwrap()
    .detach();
    let counted: Vec<u32> = (0..10)
        .map(|_| receiver.recv_timeout(LONG).unwrap())
        .collect();
    assert_eq!(counted, (1..=10).collect::<Vec<_>>());
}
