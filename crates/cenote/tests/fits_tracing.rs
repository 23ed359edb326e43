//! What a pool tells a `tracing` subscriber: the spans of spawners in their tasks, and events of
//! its life.
#![cfg(feature = "tracing")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use cenote::{Pool, Scope};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber, info, info_span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// What was told, a line each: `LEVEL spans: message field=value`, and `closed span`.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Recorder;

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => write!(self.0, "{value:?}").unwrap(),
            name => write!(self.0, " {name}={value:?}").unwrap(),
        }
    }
}

/// What a span was called, with its fields.
struct Name(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut name = Text(attributes.metadata().name().to_owned());
        attributes.record(&mut name);
        let span = context.span(id).unwrap();
        span.extensions_mut().insert(Name(name.0));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() != "cenote"
            && !event.metadata().target().starts_with("fits_tracing")
        {
            return;
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        let spans: Vec<String> = context
            .event_scope(event)
            .map(|scope| {
                scope
                    .from_root()
                    .map(|span| span.extensions().get::<Name>().unwrap().0.clone())
                    .collect()
            })
            .unwrap_or_default();
        let line = format!(
            "{} {}: {}",
            event.metadata().level(),
            spans.join("/"),
            text.0
        );
        lines().push(line);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).unwrap();
        lines().push(format!(
            "closed {}",
            span.extensions().get::<Name>().unwrap().0
        ));
    }
}

fn lines() -> MutexGuard<'static, Vec<String>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn record() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::subscriber::set_global_default(Registry::default().with(Recorder)).unwrap();
    });
}

/// The lines that have this in them, so far.
fn lines_with(what: &str) -> Vec<String> {
    lines()
        .iter()
        .filter(|line| line.contains(what))
        .cloned()
        .collect()
}

/// Waits for so many lines that have this in them.
fn await_lines(what: &str, count: usize) -> Vec<String> {
    let deadline = Instant::now() + LONG;
    loop {
        let found = lines_with(what);
        if found.len() >= count {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "{count} lines with {what:?}: {found:#?}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn tasks_of_every_kind_run_in_the_span_of_their_spawner() {
    record();
    let pool = Pool::builder().threads(2).build().unwrap();
    let span = info_span!("request", id = "kinds");
    let tasks = span.in_scope(|| {
        let closure = pool.try_spawn(|| info!("closure")).unwrap();
        let future = pool
            .try_spawn_local(|| {
                info!("making");
                async {
                    info!("before");
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    info!("after");
                }
            })
            .unwrap();
        let permit = pool.try_reserve().unwrap().spawn(|| info!("permit"));
        [closure, future, permit]
    });
    for task in tasks {
        task.join().unwrap();
    }
    span.in_scope(|| pool.scope(|scope: &Scope<'_, '_>| drop(scope.spawn(|| info!("scoped")))));
    let told = lines_with("request id=\"kinds\": ");
    for what in ["closure", "making", "before", "after", "permit", "scoped"] {
        let line = format!("INFO request id=\"kinds\": {what}");
        assert!(told.contains(&line), "{line} is not in {told:#?}");
    }
}

#[test]
fn a_worker_is_in_no_span_once_the_task_is_over_also_after_a_panic() {
    record();
    let pool = Pool::builder().threads(1).build().unwrap();
    let span = info_span!("over");
    let panicked =
        span.in_scope(|| pool.try_spawn(|| std::panic::resume_unwind(Box::new("on purpose"))));
    assert!(panicked.unwrap().join().unwrap_err().is_panic());
    let waiting = span
        .in_scope(|| pool.try_spawn_local(std::future::pending::<()>))
        .unwrap();
    pool.blocking_run(|| info!("in no span")).unwrap();
    assert_eq!(lines_with("in no span"), ["INFO : in no span"]);
    drop(waiting);
}

#[test]
fn a_span_closes_with_its_task_and_stays_open_for_what_the_task_left_behind() {
    record();
    let pool = Pool::builder().threads(1).build().unwrap();
    for n in 1..=500 {
        let task = info_span!("short").in_scope(|| pool.try_spawn(|| ()));
        task.unwrap().join().unwrap();
        assert_eq!(lines_with("closed short").len(), n);
    }
    // A task that never runs.
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (began, begun) = std::sync::mpsc::channel();
    let busy = pool
        .try_spawn(move || {
            began.send(()).unwrap();
            let _ = released.recv();
        })
        .unwrap();
    begun.recv().unwrap();
    let queued = info_span!("queued")
        .in_scope(|| pool.try_spawn(|| ()))
        .unwrap();
    assert!(lines_with("closed queued").is_empty());
    assert!(queued.abort());
    drop(release);
    busy.join().unwrap();
    // The worker drops it on its way to this one.
    pool.blocking_run(|| ()).unwrap();
    assert_eq!(lines_with("closed queued").len(), 1);

    let go = Arc::new(tokio::sync::Notify::new());
    let left_behind = {
        let go = Arc::clone(&go);
        move || {
            cenote::spawn_background(|| async move {
                go.notified().await;
                info!("exported");
            });
        }
    };
    info_span!("long")
        .in_scope(|| pool.try_spawn(left_behind))
        .unwrap()
        .join()
        .unwrap();
    assert!(lines_with("closed long").is_empty());
    go.notify_one();
    await_lines("closed long", 1);
    assert_eq!(lines_with("exported"), ["INFO long: exported"]);
}

#[test]
fn the_life_of_a_pool_is_told() {
    record();
    let pool = Pool::builder()
        .threads(1..=2)
        .name("lively")
        .grow_after(Duration::from_millis(1))
        .idle_timeout(Duration::from_millis(10))
        .build()
        .unwrap();
    await_lines(r#"DEBUG : worker started worker="lively-0""#, 1);
    let (release, released) = std::sync::mpsc::channel::<()>();
    let busy = pool
        .try_spawn(move || {
            let _ = released.recv();
        })
        .unwrap();
    pool.blocking_run(|| ()).unwrap();
    await_lines(r#"DEBUG : worker started worker="lively-1""#, 1);
    await_lines("DEBUG : pool grows queued=1", 1);
    await_lines(r#"DEBUG : worker ended worker="lively-1" retired=true"#, 1);
    let report = pool.blocking_close(Duration::from_millis(5));
    assert_eq!(report.running, 1);
    await_lines("DEBUG : pool closes", 1);
    await_lines(
        "WARN : pool not done at its limit queued=0 running=1 background=0 blocking=0 threads=1",
        1,
    );
    await_lines("DEBUG : pool shut down cancelled=0", 1);
    drop(release);
    busy.join().unwrap();
    await_lines(r#"DEBUG : worker ended worker="lively-0" retired=false"#, 1);
    await_lines("DEBUG : pool ended", 1);
}

#[test]
fn failures_of_worker_state_are_told() {
    record();
    let error = Pool::builder()
        .threads(1)
        .worker_state(|_| Err::<(), _>(std::io::Error::other("no such database")))
        .init_retries(1)
        .build()
        .unwrap_err();
    assert_eq!(error.code(), "CENOTE_WORKER_INIT");
    assert_eq!(
        lines_with("worker state not made error=worker_state failed: no such database").len(),
        2
    );
    let broken = await_lines(
        "pool without workers error=worker_state failed: no such database",
        1,
    );
    assert!(broken[0].starts_with(Level::ERROR.as_str()), "{broken:?}");
}
