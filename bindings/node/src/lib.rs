//! The Node addon: `cenote-park`'s wait inside libuv, for JavaScript.
//!
//! This file only translates. JavaScript opens a station on its own thread's loop
//! ([`open_loop`]), is called back when there is work, and rings other threads' loops by number
//! ([`ring`]). What a station does is in `station.rs`; the words that both sides share are in
//! `words.rs`.
//!
//! JavaScript holds a station's number as a double. A number that no station of this thread has, or
//! ever had, is left alone everywhere.

mod callback;
mod event_loop;
mod handles;
mod ringer;
mod station;
mod threads;
mod uv;
mod words;

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr;
use std::time::Duration;

use napi::bindgen_prelude::{Env, Error, JsValue, Result, Status, Unknown};
use napi::sys;
use napi_derive::napi;

use crate::ringer::Number;
use crate::station::{Config, OpenError, Station, Values};
use crate::words::Words;

thread_local! {
    /// The stations of this thread's loop, by number. A station leaves it when it is freed.
    static STATIONS: RefCell<HashMap<Number, *const Station>> = RefCell::new(HashMap::new());
}

/// Removes a station that is about to be freed from its thread's table.
fn forget(number: Number) {
    // At the very end of a thread the table may be gone already, and with it the entry.
    let _ = STATIONS.try_with(|stations| stations.borrow_mut().remove(&number));
}

/// Runs `f` on a station of this thread, if it is still there.
fn with_station(number: f64, f: impl FnOnce(&Station)) {
    let number = Number::from_js(number);
    let station = STATIONS.with(|stations| stations.borrow().get(&number?).copied());
    if let Some(station) = station {
        // SAFETY: an entry leaves the table before its station is freed, on this same thread.
        f(unsafe { &*station });
    }
}

fn micros(us: u32) -> Duration {
    Duration::from_micros(us.into())
}

/// Whether the host has a libuv that can carry the wait. Without it [`open_loop`] fails.
#[napi]
pub fn available() -> bool {
    uv::uv().is_some()
}

/// Opens a station on this thread's loop and returns the number to ring it by.
///
/// `words` is an `Int32Array` of 64 over a `SharedArrayBuffer`, `drain` is called without
/// arguments when the epoch moved. The station does not hold the loop open until it is told to.
///
/// # Errors
///
/// Where the host has no libuv that can carry the wait, or refuses a handle; and when 2^53 stations
/// have been opened in this process. Nothing is left behind then.
#[napi]
pub fn open_loop(
    env: Env,
    words: Unknown,
    drain: Unknown,
    max_spin_us: u32,
    turn_budget_us: u32,
) -> Result<f64> {
    let uv = uv::uv().ok_or_else(|| {
        Error::new(
            Status::GenericFailure,
            "this runtime exports no libuv that can carry the wait",
        )
    })?;
    let data = words_data(env.raw(), words.raw())?;
    // A worker that ends must not unmap the code that another thread's loop still calls.
    napi::bindgen_prelude::retain_current_module_for_unload_safety();
    // SAFETY: `words_data` checked length and alignment, and the station references the array for
    // as long as it reads it.
    let shared = unsafe { Words::new(data.cast()) };
    let values = Values {
        words: words.raw(),
        drain: drain.raw(),
    };
    let config = Config {
        max_spin: micros(max_spin_us),
        turn_budget: micros(turn_budget_us),
    };
    let event_loop = env.get_uv_event_loop()?.cast();
    // SAFETY: the environment that called, its own loop, and values live in this call's scope.
    let station = unsafe { Station::open(uv, env.raw(), event_loop, shared, &values, &config) }
        .map_err(|error| {
            let reason = match error {
                OpenError::Uv(code) => format!("libuv refused a handle (error {code})"),
                OpenError::Napi(status) => format!("N-API refused a call (status {status})"),
                OpenError::Numbers => "this process has used up the numbers of stations".into(),
            };
            Error::new(Status::GenericFailure, reason)
        })?;
    // SAFETY: just opened; its handles cannot have closed before the loop runs again.
    let number = unsafe { &*station }.number();
    STATIONS.with(|stations| stations.borrow_mut().insert(number, station));
    Ok(number.to_js())
}

/// The memory of the shared words, checked.
fn words_data(env: sys::napi_env, words: sys::napi_value) -> Result<*mut c_void> {
    let mut kind = 0;
    let mut length = 0;
    let mut data = ptr::null_mut();
    // SAFETY: the environment that called and a value of its scope; unwanted results are null.
    let status = unsafe {
        sys::napi_get_typedarray_info(
            env,
            words,
            &mut kind,
            &mut length,
            &mut data,
            ptr::null_mut(),
            ptr::null_mut(),
        )
    };
    let fits = status == sys::Status::napi_ok
        && kind == sys::TypedarrayType::int32_array
        && length == words::LEN
        && data.cast::<u64>().is_aligned()
        && !data.is_null();
    fits.then_some(data).ok_or_else(|| {
        Error::new(
            Status::InvalidArg,
            format!(
                "words must be an Int32Array of {} aligned to 8 bytes",
                words::LEN
            ),
        )
    })
}

/// Closes a station of this thread; one that is not there is left alone.
#[napi]
pub fn close_loop(station: f64) {
    with_station(station, Station::close);
}

/// Changes the limits of a station of this thread, and whether it spins as ever while CPU time is
/// scarce.
#[napi]
pub fn configure_loop(
    station: f64,
    max_spin_us: u32,
    turn_budget_us: u32,
    spin_under_pressure: bool,
) {
    let config = Config {
        max_spin: micros(max_spin_us),
        turn_budget: micros(turn_budget_us),
    };
    with_station(station, |station| {
        station.configure(&config, spin_under_pressure)
    });
}

/// Holds this thread's loop open at once; the station lets go by itself when the words say so.
#[napi]
pub fn reference_loop(station: f64) {
    with_station(station, Station::reference);
}

/// Rings a loop, of any thread. One that is gone is left alone.
#[napi]
pub fn ring(station: f64) {
    if let Some(number) = Number::from_js(station) {
        ringer::ring(number);
    }
}

/// How many CPUs this process may use, by its affinity and by its cgroup's quota; at least one.
#[napi]
pub fn cpus() -> u32 {
    u32::try_from(cenote_park::cpus()).unwrap_or(u32::MAX)
}

/// The CPU time in ms of a thread of this process, by the number in its loop's words; -1 where
/// there is no such thread, or the system does not say.
#[napi]
pub fn thread_cpu_ms(thread: i32) -> f64 {
    threads::cpu_ms(thread)
}

/// How many stations are open in this process.
#[napi]
pub fn open_stations() -> u32 {
    u32::try_from(ringer::count()).unwrap_or(u32::MAX)
}

/// Where the words lie that JavaScript and native code share, as native code has it.
#[napi(object)]
pub struct Layout {
    /// Indices, values and lengths, by their names in `words.ts`.
    pub numbers: HashMap<String, u32>,
    /// What `kStageNames` lists.
    pub stages: Vec<String>,
}

/// The layout that this addon was compiled with. A test holds `words.ts` against it.
#[napi]
pub fn layout() -> Layout {
    let number = |&(name, value): &(&str, usize)| (name.into(), value as u32);
    Layout {
        numbers: words::LAYOUT.iter().map(number).collect(),
        stages: words::STAGES.map(|(name, _)| name.into()).into(),
    }
}
