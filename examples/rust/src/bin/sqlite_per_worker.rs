//! A database connection for each worker: opened on its thread, lent to tasks, closed on its
//! thread.
//!
//! A connection is never shared, so there is no lock around it and no pool of connections beside
//! the pool of threads, and a prepared statement stays prepared. Callers may be async or blocking;
//! SQLite's calls block only workers.
//!
//! ```sh
//! cargo run -p cenote-examples --bin sqlite_per_worker
//! ```

use std::time::Duration;

use rusqlite::{Connection, params};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("cenote-sqlite-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("orders.db");
    Connection::open(&file)?.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE orders (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL);",
    )?;

    let path = file.clone();
    let pool = cenote::Pool::builder()
        .threads(4)
        .name("db")
        // An error or a panic in here is tried again `init_retries` times; `build` fails if no
        // worker succeeds.
        .worker_state(move |worker| {
            println!("{} opens its connection", worker.name);
            let connection = Connection::open(&path)?;
            connection.busy_timeout(Duration::from_secs(10))?;
            Ok::<_, rusqlite::Error>(connection)
        })
        .build()?;

    // `blocking_spawn` waits where the queue is full; from async code it is `spawn(…).await`.
    let inserts: Vec<_> = (1..=100_i64)
        .map(|cents| {
            pool.blocking_spawn(move || {
                cenote::with_state(|db: &mut Connection| {
                    db.prepare_cached("INSERT INTO orders (cents) VALUES (?1)")?
                        .execute(params![cents])
                })
            })
        })
        .collect::<Result<_, _>>()?;
    for insert in inserts {
        // The outer error is the pool's (a panic, a shutdown), the inner one SQLite's.
        insert.join()??;
    }
    let total: i64 = pool.blocking_run(|| {
        cenote::with_state(|db: &mut Connection| {
            db.query_row("SELECT sum(cents) FROM orders", [], |row| row.get(0))
        })
    })??;
    println!("100 orders, {total} cents");

    // The connections are closed on their threads; then nobody has the file any more.
    println!("closed: {}", pool.blocking_close(Duration::from_secs(10)));
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
