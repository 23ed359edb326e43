//! Every program in `src/bin` runs to its end and says what it is there to show.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Far beyond what any of them takes: a limit for one that hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs an example, given by its path, and returns what it printed.
fn run(example: &str, arguments: &[&str]) -> String {
    let mut child = Command::new(example)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example starts");
    let mut output = child.stdout.take().expect("it is piped");
    let (ended, end) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        let read = output.read_to_string(&mut text);
        // Nobody listens any more if it took too long.
        let _ = ended.send(read.map(|_| text));
    });
    let Ok(text) = end.recv_timeout(LIMIT) else {
        child
            .kill()
            .expect("the example is a child of this process");
        panic!("{example} was still running after {LIMIT:?}");
    };
    let text = text.expect("an example prints text");
    let status = child
        .wait()
        .expect("the example is a child of this process");
    assert!(
        status.success(),
        "{example}: {status}, after it printed:\n{text}"
    );
    text
}

fn assert_lines(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(
            text.lines().any(|printed| printed == *line),
            "no line {line:?} in:\n{text}"
        );
    }
}

#[test]
fn offload_axum_answers_with_what_the_pool_computed() {
    assert_lines(
        &run(env!("CARGO_BIN_EXE_offload_axum"), &[]),
        &[
            "4 primes up to 10",
            "168 primes up to 1000",
            "9592 primes up to 100000",
            "closed: nothing was left",
        ],
    );
}

#[test]
fn flat_p99_answers_every_ping_and_refuses_only_what_its_lane_has_no_room_for() {
    let text = run(env!("CARGO_BIN_EXE_flat_p99"), &[]);
    // Of the columns: pings, done, refused.
    let row = |work: &str| -> [u32; 3] {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("| {work} ")));
        let line = line.unwrap_or_else(|| panic!("no row {work:?} in:\n{text}"));
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        [4, 5, 6].map(|cell| cells[cell].parse().expect("a count"))
    };
    let [pings, done, refused] = row("none");
    assert!(pings > 0, "in:\n{text}");
    assert_eq!((done, refused), (0, 0), "in:\n{text}");
    let [pings, done, refused] = row("in the handler");
    assert!(pings > 0 && done > 0, "in:\n{text}");
    assert_eq!(refused, 0, "in:\n{text}");
    // More clients than workers and places in the queue: some are refused, and others served.
    let [pings, done, refused] = row("on the pool");
    assert!(pings > 0 && done > 0 && refused > 0, "in:\n{text}");
    assert_lines(&text, &["closed: nothing was left"]);
}

#[test]
fn sqlite_per_worker_opens_one_connection_for_each_of_its_workers() {
    let text = run(env!("CARGO_BIN_EXE_sqlite_per_worker"), &[]);
    let opened = |worker: usize| format!("db-{worker} opens its connection");
    for worker in 0..4 {
        let count = text.lines().filter(|line| *line == opened(worker)).count();
        assert_eq!(count, 1, "worker {worker} in:\n{text}");
    }
    assert_lines(
        &text,
        &["100 orders, 5050 cents", "closed: nothing was left"],
    );
}

#[test]
fn graceful_ctrl_c_finishes_what_was_accepted() {
    let text = run(env!("CARGO_BIN_EXE_graceful_ctrl_c"), &["self"]);
    let last = text.lines().last().unwrap_or_default();
    let (tasks, report) = last.split_once("; ").unwrap_or_default();
    assert_eq!(report, "nothing was left", "in:\n{text}");
    let words: Vec<_> = tasks.split(' ').collect();
    let [done, "of", accepted, "tasks", "done"] = words[..] else {
        panic!("no count of tasks in:\n{text}");
    };
    assert_eq!(done, accepted, "in:\n{text}");
    assert!(text.contains("interrupted"), "in:\n{text}");
}

#[test]
fn bulkheads_breaker_serves_on_through_an_outage_and_recovers() {
    let text = run(env!("CARGO_BIN_EXE_bulkheads_breaker"), &[]);
    assert_lines(
        &text,
        &[
            "up:       paid",
            "down:     CENOTE_TASK_TIMED_OUT",
            "          1000 pages served meanwhile; payments holds 1 thread",
            "up again: paid",
            "closed: nothing was left",
        ],
    );
    assert!(
        text.contains("down:     refused by the breaker after "),
        "in:\n{text}"
    );
}

#[test]
fn pinned_workers_have_one_cpu_each_and_share_them_out() {
    let text = run(env!("CARGO_BIN_EXE_pinned_workers"), &[]);
    let mut rows = text
        .lines()
        .filter_map(|line| line.split_once(" may use CPUs "));
    let (main, all) = rows.next().expect("the first line is of main");
    assert_eq!(main, "main");
    let all: Vec<_> = all.split(", ").collect();
    // Only Linux tells what a thread is pinned to.
    if cfg!(target_os = "linux") {
        let own: Vec<_> = rows.map(|(_, cpu)| cpu).collect();
        assert_eq!(own, all, "in:\n{text}");
    }
    assert_lines(&text, &["closed: nothing was left"]);
}

#[test]
fn nice_workers_yield_and_nobody_else_does() {
    let text = run(env!("CARGO_BIN_EXE_nice_workers"), &[]);
    let niceness = |who: &str| -> i32 {
        let line = text.lines().find(|line| line.starts_with(who));
        let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
        value.unwrap_or_else(|| panic!("no niceness of {who} in:\n{text}"))
    };
    // Only Linux has one for each thread.
    if cfg!(target_os = "linux") {
        let main = niceness("main");
        assert_eq!(niceness("requests-0"), main);
        assert_eq!(niceness("thumbnails-0"), (main + 10).min(19));
    }
    assert_lines(&text, &["closed: nothing was left"]);
}

#[test]
fn http_reuseport_serves_every_request_on_its_own_workers() {
    let text = run(env!("CARGO_BIN_EXE_http_reuseport"), &[]);
    assert_lines(&text, &["closed: nothing was left"]);
    let served: Vec<usize> = text
        .split("\"http-")
        .skip(1)
        .filter_map(|worker| worker.split([' ', ',', '}']).nth(1)?.parse().ok())
        .collect();
    assert_eq!(served.iter().sum::<usize>(), 64, "in:\n{text}");
    // Only Linux deals connections out among the sockets of one port.
    if cfg!(target_os = "linux") {
        assert_eq!(served.len(), 2, "in:\n{text}");
    }
}
