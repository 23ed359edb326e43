//! A lane as a `tower` service: permits, and the middleware that exists on top.
#![cfg(feature = "tower")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cenote::tower::ResponseFuture;
use cenote::{JoinHandle, Lane, LaneConfig, Pool, RunError, with_state};
use tokio::time::timeout;
use tower::retry::Policy;
use tower::retry::budget::{Budget, TpsBudget};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_resilience_circuitbreaker::CircuitBreakerLayer;

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// One worker, and a lane with room for so many.
fn lane(queue_limit: usize) -> (Pool, Lane) {
    let pool = Pool::builder()
        .threads(1)
        .lane("db", LaneConfig::new().queue_limit(queue_limit))
        .build()
        .unwrap();
    let lane = pool.lane("db").unwrap();
    (pool, lane)
}

/// Occupies the worker until the sender is dropped.
fn occupy(pool: &Pool) -> (mpsc::Sender<()>, JoinHandle<()>) {
    let (release, released) = mpsc::channel::<()>();
    let (began, begun) = mpsc::channel();
    let task = pool
        .try_spawn(move || {
            began.send(()).unwrap();
            let _ = released.recv();
        })
        .unwrap();
    begun.recv().unwrap();
    (release, task)
}

fn poll_ready<R, S: Service<R>>(service: &mut S) -> Poll<Result<(), S::Error>> {
    service.poll_ready(&mut Context::from_waker(Waker::noop()))
}

fn is_pending(future: impl Future) -> bool {
    pin!(future)
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_pending()
}

#[tokio::test]
async fn readiness_is_a_place_in_the_queue_of_its_own() {
    let (pool, lane) = lane(1);
    let mut service = lane.service(|n: u32| n + 1);
    let mut clone = service.clone();
    assert!(matches!(poll_ready(&mut service), Poll::Ready(Ok(()))));
    assert!(
        matches!(poll_ready(&mut service), Poll::Ready(Ok(()))),
        "it has it already"
    );
    assert!(poll_ready(&mut clone).is_pending(), "a clone has no place");
    assert!(lane.try_spawn(|| ()).unwrap_err().is_full());
    // What was ready does not fail, whatever was queued since.
    let (release, busy) = occupy(&pool);
    let response = service.call(1);
    assert!(poll_ready(&mut clone).is_pending());
    drop(release);
    assert_eq!(response.await.unwrap(), 2);
    busy.await.unwrap();
    timeout(LONG, clone.ready()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_dropped_service_gives_its_place_to_one_that_waits() {
    let (_pool, lane) = lane(1);
    let mut holder = lane.service(|n: u32| n);
    let mut waiting = holder.clone();
    holder.ready().await.unwrap();
    let ready = {
        let mut ready = Box::pin(async move { waiting.ready().await.map(drop) });
        poll_fn(|context| {
            assert!(ready.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        ready
    };
    drop(holder);
    timeout(LONG, ready).await.unwrap().unwrap();
}

#[tokio::test]
#[should_panic(expected = "without a `poll_ready`")]
async fn a_call_without_readiness_panics() {
    let (_pool, lane) = lane(1);
    let _response: ResponseFuture<u32> = lane.service(|n: u32| n).call(1);
}

#[tokio::test]
async fn a_closed_pool_is_an_error_of_readiness_also_for_who_was_ready() {
    let (pool, lane) = lane(4);
    let mut ready = lane.service(|n: u32| n);
    let mut clone = ready.clone();
    ready.ready().await.unwrap();
    assert!(pool.close(LONG).await.is_clean());
    for service in [&mut ready, &mut clone] {
        let error = service.ready().await.unwrap_err();
        assert!(
            matches!(&error, RunError::Spawn(error) if error.is_closed()),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_panic_is_the_error_of_its_response() {
    let (_pool, lane) = lane(4);
    let service = lane.service(|n: u32| 10 / n);
    let error = service.clone().oneshot(0).await.unwrap_err();
    assert!(
        matches!(&error, RunError::Join(error) if error.is_panic()),
        "{error}"
    );
    assert_eq!(service.oneshot(5).await.unwrap(), 2);
}

#[tokio::test]
async fn handlers_can_ask_for_the_worker_state_or_are_futures() {
    let pool = Pool::builder()
        .threads(1)
        .worker_state(|_| Ok::<_, std::io::Error>(Vec::<u32>::new()))
        .build()
        .unwrap();
    let remember = pool.service(|n: u32| {
        with_state(|all: &mut Vec<u32>| {
            all.push(n);
            all.len()
        })
    });
    assert_eq!(remember.clone().oneshot(7).await.unwrap(), 1);
    assert_eq!(remember.oneshot(8).await.unwrap(), 2);
    let later = pool.service_local(|n: u32| async move {
        let n = Rc::new(n);
        tokio::time::sleep(Duration::from_millis(2)).await;
        *n * 2
    });
    assert_eq!(later.oneshot(21).await.unwrap(), 42);
}

#[tokio::test]
async fn a_response_that_is_dropped_takes_its_request_out_of_the_queue() {
    let (pool, lane) = lane(4);
    let (release, busy) = occupy(&pool);
    let ran = Arc::new(AtomicUsize::new(0));
    let mut service = lane.service({
        let ran = Arc::clone(&ran);
        move |()| ran.fetch_add(1, Ordering::SeqCst)
    });
    let dropped = service.ready().await.unwrap().call(());
    let kept = service.ready().await.unwrap().call(());
    drop(dropped);
    drop(release);
    busy.await.unwrap();
    assert_eq!(kept.await.unwrap(), 0, "the one before did not run");
    assert_eq!(ran.load(Ordering::SeqCst), 1);
    assert_eq!(lane.stats().outcomes.aborted, 1);
}

#[tokio::test]
async fn the_options_of_a_service_hold_for_its_requests() {
    let (pool, lane) = lane(4);
    let (release, busy) = occupy(&pool);
    let service = lane
        .service(|()| ())
        .queue_timeout(Duration::from_millis(5));
    let error = service.oneshot(()).await.unwrap_err();
    assert!(
        matches!(&error, RunError::Join(error) if error.is_queue_timed_out()),
        "{error}"
    );
    drop(release);
    busy.await.unwrap();
    let stuck = lane
        .service_local(|()| std::future::pending::<()>())
        .timeout(Duration::from_millis(5));
    let error = stuck.oneshot(()).await.unwrap_err();
    assert!(
        matches!(&error, RunError::Join(error) if error.is_timed_out()),
        "{error}"
    );
}

#[tokio::test]
async fn load_shed_sheds_what_the_queue_has_no_room_for() {
    let (pool, lane) = lane(1);
    let (release, busy) = occupy(&pool);
    let mut service = ServiceBuilder::new()
        .load_shed()
        .service(lane.service(|n: u32| n));
    let queued = service.ready().await.unwrap().call(1);
    let shed = service.ready().await.unwrap().call(2).await.unwrap_err();
    assert!(shed.is::<tower::load_shed::error::Overloaded>(), "{shed}");
    drop(release);
    assert_eq!(queued.await.unwrap(), 1);
    busy.await.unwrap();
    assert_eq!(service.ready().await.unwrap().call(3).await.unwrap(), 3);
}

/// A shedding service that was not ready stays in the list of those who wait. It must not keep a
/// waker from the others.
#[tokio::test]
async fn who_sheds_takes_no_room_from_who_waits() {
    let (pool, lane) = lane(1);
    let (release, busy) = occupy(&pool);
    let queued = lane.try_spawn(|| ()).unwrap();
    let mut shedding = ServiceBuilder::new()
        .load_shed()
        .service(lane.service(|n: u32| n));
    shedding.ready().await.unwrap().call(1).await.unwrap_err();
    let waiting = tokio::spawn({
        let lane = lane.clone();
        async move { lane.run(|| "its turn").await }
    });
    tokio::task::yield_now().await;
    drop(release);
    assert_eq!(
        timeout(LONG, waiting).await.unwrap().unwrap().unwrap(),
        "its turn"
    );
    queued.await.unwrap();
    busy.await.unwrap();
}

#[tokio::test]
async fn a_timeout_gives_up_and_aborts() {
    let (_pool, lane) = lane(4);
    let (stopped, was_stopped) = mpsc::channel();
    let service = ServiceBuilder::new()
        .timeout(Duration::from_millis(20))
        .service(lane.service(move |()| {
            let token = cenote::token();
            while !token.is_cancelled() {
                std::thread::sleep(Duration::from_millis(1));
            }
            stopped.send(()).unwrap();
        }));
    let error = service.oneshot(()).await.unwrap_err();
    assert!(error.is::<tower::timeout::error::Elapsed>(), "{error}");
    was_stopped.recv_timeout(LONG).unwrap();
}

#[tokio::test]
async fn a_concurrency_limit_and_a_buffer_compose() {
    let pool = Pool::builder().threads(4).build().unwrap();
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let service = {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        ServiceBuilder::new()
            .buffer(32)
            .concurrency_limit(2)
            .service(pool.service(move |n: u32| {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(1));
                running.fetch_sub(1, Ordering::SeqCst);
                n
            }))
    };
    let requests: Vec<_> = (0..32)
        .map(|n| tokio::spawn(service.clone().oneshot(n)))
        .collect();
    for (n, request) in requests.into_iter().enumerate() {
        assert_eq!(request.await.unwrap().unwrap(), n as u32);
    }
    assert!(most.load(Ordering::SeqCst) <= 2);
    // The buffer's task holds a ready service: it does not hold up the end.
    assert!(pool.close(LONG).await.is_clean());
}

/// Retries errors, as far as the budget goes.
#[derive(Clone)]
struct WithBudget(Arc<TpsBudget>);

impl<T, E> Policy<u32, T, E> for WithBudget {
    type Future = std::future::Ready<()>;

    fn retry(&mut self, _: &mut u32, result: &mut Result<T, E>) -> Option<Self::Future> {
        if result.is_ok() {
            self.0.deposit();
            return None;
        }
        self.0.withdraw().then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &u32) -> Option<u32> {
        Some(*request)
    }
}

#[tokio::test]
async fn retries_stop_when_their_budget_is_spent() {
    let (_pool, lane) = lane(4);
    let attempts = Arc::new(AtomicUsize::new(0));
    let handler = {
        let attempts = Arc::clone(&attempts);
        move |failures: u32| {
            let attempt = attempts.fetch_add(1, Ordering::SeqCst) as u32;
            if attempt < failures {
                Err("not yet")
            } else {
                Ok(attempt)
            }
        }
    };
    // At least 1 retry a second, over 10 seconds: 10 to begin with.
    let budget = Arc::new(TpsBudget::new(Duration::from_secs(10), 1, 0.0));
    let service = ServiceBuilder::new().retry(WithBudget(budget)).service(
        lane.service(handler)
            .map_result(|result| Ok::<_, BoxError>(result??)),
    );
    assert_eq!(service.clone().oneshot(3).await.unwrap(), 3);
    attempts.store(0, Ordering::SeqCst);
    let error = service.oneshot(1_000).await.unwrap_err();
    assert_eq!(error.to_string(), "not yet");
    assert!(attempts.load(Ordering::SeqCst) <= 11, "{attempts:?}");
}

#[tokio::test]
async fn a_breaker_opens_over_one_lane_and_the_other_goes_on() {
    let pool = Pool::builder()
        .threads(2)
        .lane("db", LaneConfig::new().max_running(1).queue_limit(8))
        .build()
        .unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let query = {
        let calls = Arc::clone(&calls);
        move |is_down: bool| {
            calls.fetch_add(1, Ordering::SeqCst);
            if is_down {
                Err("connection refused")
            } else {
                Ok("row")
            }
        }
    };
    let breaker = CircuitBreakerLayer::builder()
        .failure_rate_threshold(0.5)
        .sliding_window_size(4)
        .minimum_number_of_calls(4)
        .wait_duration_in_open(Duration::from_secs(60))
        .build()
        .unwrap();
    let database = ServiceBuilder::new().layer(breaker).service(
        pool.lane("db")
            .unwrap()
            .service(query)
            .map_result(|result| Ok::<_, BoxError>(result??)),
    );
    assert_eq!(database.clone().oneshot(false).await.unwrap(), "row");
    for _ in 0..3 {
        let error = database.clone().oneshot(true).await.unwrap_err();
        assert!(error.to_string().contains("connection refused"), "{error}");
    }
    let error = database.clone().oneshot(false).await.unwrap_err();
    assert!(error.to_string().contains("open"), "{error}");
    assert_eq!(
        calls.load(Ordering::SeqCst),
        4,
        "the open breaker let a call through: {error}"
    );
    assert_eq!(pool.run(|| "another lane").await.unwrap(), "another lane");
}

#[tokio::test]
async fn a_service_can_be_named_and_moved() {
    fn is_send_sync<T: Send + Sync>(_: &T) {}
    let (_pool, lane) = lane(1);
    let mut service = lane.service(|n: u32| n);
    is_send_sync(&service);
    assert_eq!(service.lane().name(), "db");
    let response = service.ready().await.unwrap().call(1);
    is_send_sync(&response);
    assert!(!is_pending(async { drop(response) }));
}
