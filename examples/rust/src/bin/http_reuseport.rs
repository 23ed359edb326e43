//! An HTTP server without a hop: each worker has a listener of its own on the same port
//! (`SO_REUSEPORT`), as a background future. Linux deals out the connections among them, and a
//! handler runs on the worker that accepted.
//!
//! The same workers still run the pool's tasks; a handler that has to compute for long gives that
//! to another pool.
//!
//! ```sh
//! cargo run -p cenote-examples --bin http_reuseport   # serves, sends itself 64 requests, and ends
//! ```

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Barrier, mpsc};
use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use cenote::CancellationToken;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;

/// Where ports cannot be shared there is one.
const LISTENERS: usize = if cfg!(unix) { 2 } else { 1 };

fn bind(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    #[cfg(unix)]
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn handle(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
    Ok(Response::new(
        cenote::current().expect("it runs on a worker").name,
    ))
}

async fn serve(socket: TcpSocket, listening: mpsc::Sender<()>, stop: CancellationToken) {
    let listener = socket.listen(1024).expect("the port is bound");
    listening.send(()).expect("main waits for it");
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                let connection = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(handle));
                tokio::task::spawn_local(connection); // background, too: `close` waits for it
            }
            // Out of file descriptors, say: no reason to spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = cenote::Pool::builder()
        .threads(LISTENERS)
        .name("http")
        .build()?;
    let stop = CancellationToken::new();
    let (listening, listens) = mpsc::channel();
    // As many closures as workers, each held at the barrier: so each worker gets one.
    let barrier = Arc::new(Barrier::new(LISTENERS));
    let mut address = SocketAddr::from(([127, 0, 0, 1], 0));
    for _ in 0..LISTENERS {
        let socket = bind(address)?;
        address = socket.local_addr()?;
        let (barrier, listening, stop) = (Arc::clone(&barrier), listening.clone(), stop.clone());
        pool.try_spawn(move || {
            barrier.wait();
            cenote::spawn_background(|| serve(socket, listening, stop));
        })?
        .detach();
    }
    listens.iter().take(LISTENERS).for_each(drop);

    let mut served = BTreeMap::<String, usize>::new();
    for _ in 0..64 {
        let (mut client, mut answer) = (TcpStream::connect(address)?, String::new());
        client.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        client.read_to_string(&mut answer)?;
        *served
            .entry(answer.lines().last().unwrap_or_default().to_owned())
            .or_default() += 1;
    }
    println!("64 requests, served by {served:?}");
    stop.cancel();
    println!("closed: {}", pool.blocking_close(Duration::from_secs(5)));
    Ok(())
}
