//! The Node addon: `cenote-park`'s wait inside libuv, for JavaScript.
//!
//! This file only translates. JavaScript opens a station on its own thread's loop
//! ([`open_loop`]), is called back when there is work, and rings other threads' loops by number
//! ([`ring`]). What a station does is in `station.rs`; the words that both sides share are in
//! `words.rs`.

mod ringer;
mod station;
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

use crate::station::{Config, OpenError, Station, Values};
use crate::words::Words;

thread_local! {
    /// The stations of this thread's loop, by number. A station leaves it when it is freed.
    static STATIONS: RefCell<HashMap<u32, *const Station>> = RefCell::new(HashMap::new());
}

/// Removes a station that is about to be freed from its thread's table.
fn forget(number: u32) {
    // At the very end of a thread the table may be gone already, and with it the entry.
    let _ = STATIONS.try_with(|stations| stations.borrow_mut().remove(&number));
}

/// Runs `f` on a station of this thread, if it is still there.
fn with_station(number: u32, f: impl FnOnce(&Station)) {
    let station = STATIONS.with(|stations| stations.borrow().get(&number).copied());
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
/// arguments when the epoch moved. `referenced` holds the loop open from the start.
///
/// # Errors
///
/// Where the host has no libuv that can carry the wait, or refuses a handle.
#[napi]
pub fn open_loop(
    env: Env,
    words: Unknown,
    drain: Unknown,
    max_spin_us: u32,
    turn_budget_us: u32,
    referenced: bool,
) -> Result<u32> {
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
        referenced,
    };
    let event_loop = env.get_uv_event_loop()?.cast();
    // SAFETY: the environment that called, its own loop, and values live in this call's scope.
    let station = unsafe { Station::open(uv, env.raw(), event_loop, shared, &values, &config) }
        .map_err(|error| {
            let reason = match error {
                OpenError::Uv(code) => format!("libuv refused a handle (error {code})"),
                OpenError::Napi(status) => format!("N-API refused a call (status {status})"),
            };
            Error::new(Status::GenericFailure, reason)
        })?;
    // SAFETY: just opened; its handles cannot have closed before the loop runs again.
    let number = unsafe { &*station }.number();
    STATIONS.with(|stations| stations.borrow_mut().insert(number, station));
    Ok(number)
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
pub fn close_loop(station: u32) {
    with_station(station, Station::close);
}

/// Changes the limits of a station of this thread.
#[napi]
pub fn configure_loop(station: u32, max_spin_us: u32, turn_budget_us: u32) {
    with_station(station, |station| {
        station.configure(micros(max_spin_us), micros(turn_budget_us));
    });
}

/// Holds this thread's loop open at once; the station lets go by itself when the words say so.
#[napi]
pub fn reference_loop(station: u32) {
    with_station(station, Station::reference);
}

/// Rings a loop, of any thread. One that is gone is left alone.
#[napi]
pub fn ring(station: u32) {
    ringer::ring(station);
}

/// How many stations are open in this process.
#[napi]
pub fn open_stations() -> u32 {
    u32::try_from(ringer::count()).unwrap_or(u32::MAX)
}
