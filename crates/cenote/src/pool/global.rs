//! The global pool: one for a process, made at its first use.
//!
//! It is for code that is handed no pool. Guaranteed: there is at most one in a process, whoever
//! asks first; it is never dropped; a forked child has one of its own. What could not be made is
//! tried again at the next call.

use std::env;
use std::ffi::OsString;
use std::time::Duration;

use once_cell::sync::OnceCell;

use super::builder::Builder;
use super::error::{BuildCause, BuildError};
use super::handle::Pool;
use super::threads::Threads;
use crate::os::per_process::PerProcess;

static GLOBAL: PerProcess<OnceCell<Pool>> = PerProcess::new();

const THREADS: &str = "CENOTE_THREADS";
const MAX_SPIN_US: &str = "CENOTE_MAX_SPIN_US";

fn place() -> &'static OnceCell<Pool> {
    GLOBAL.get_or_make(OnceCell::new)
}

impl Pool {
    /// The process's global pool, made at the first use. It is for code that is handed no pool; who
    /// wants limits of its own builds one.
    ///
    /// It has every default, except for what the environment says, which is read when it is made:
    ///
    /// | variable | sets | values |
    /// |---|---|---|
    /// | `CENOTE_THREADS` | [`threads`](Builder::threads) | `4`, `2..=8`, `..=8` |
    /// | `CENOTE_MAX_SPIN_US` | [`max_spin`](Builder::max_spin) | whole microseconds; `0` never spins |
    ///
    /// A variable that is set to nothing is as one that is not set. A program that wants it
    /// otherwise says so in its `main`, by [`Builder::build_global`].
    ///
    /// It is never dropped: at the end of the process its threads stop where they are. To have
    /// accepted tasks run first, [`close`](Self::close) it at the end of `main`; a global pool that
    /// was closed stays, and refuses tasks. A process that is forked off has a global pool of its
    /// own.
    ///
    /// # Panics
    ///
    /// If the pool cannot be made, with the error of [`try_global`](Self::try_global): a variable
    /// has a bad value, or no thread could be started.
    ///
    /// # Examples
    ///
    /// ```
    /// use cenote::Pool;
    ///
    /// fn checksum(bytes: Vec<u8>) -> Result<u32, cenote::RunError> {
    ///     Pool::global().blocking_run(move || bytes.iter().map(|&byte| u32::from(byte)).sum())
    /// }
    ///
    /// assert_eq!(checksum(vec![1, 2, 3])?, 6);
    /// # Ok::<(), cenote::RunError>(())
    /// ```
    #[track_caller]
    pub fn global() -> &'static Pool {
        match Pool::try_global() {
            Ok(pool) => pool,
            Err(error) => panic!("no global pool: {error}"),
        }
    }

    /// [`global`](Self::global) that does not panic.
    ///
    /// # Errors
    ///
    /// If the pool does not exist yet, and cannot be made: with `CENOTE_BAD_VARIABLE` if the value
    /// of a variable is bad, else as [`Builder::build`]. The next call tries again.
    ///
    /// # Examples
    ///
    /// ```
    /// match cenote::Pool::try_global() {
    ///     Ok(pool) => println!("{} threads", pool.stats().threads),
    ///     Err(error) => eprintln!("{error}"), // names the variable, and its value
    /// }
    /// ```
    pub fn try_global() -> Result<&'static Pool, BuildError> {
        place().get_or_try_init(|| build(|name| env::var_os(name)))
    }
}

impl Builder {
    /// Builds the [global pool](Pool::global) in this way. For `main`, before anything else uses
    /// it. The environment is not looked at.
    ///
    /// Functions of the builder must not use the global pool themselves: they may run before it
    /// exists, and would wait for it for ever.
    ///
    /// # Errors
    ///
    /// With `CENOTE_GLOBAL_EXISTS` if there is a global pool already, which stays as it is; else as
    /// [`build`](Self::build).
    ///
    /// # Examples
    ///
    /// ```
    /// use cenote::Pool;
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let pool = Pool::builder().threads(2).name("global").build_global()?;
    ///     assert!(std::ptr::eq(pool, Pool::global()));
    ///     let error = Pool::builder().build_global().unwrap_err();
    ///     assert_eq!(error.code(), "CENOTE_GLOBAL_EXISTS");
    ///     Ok(())
    /// }
    /// ```
    pub fn build_global(self) -> Result<&'static Pool, BuildError> {
        let mut builder = Some(self);
        let pool = place().get_or_try_init(|| match builder.take() {
            Some(builder) => builder.build(),
            None => unreachable!("it is called once at most"),
        })?;
        match builder {
            None => Ok(pool),
            Some(_) => Err(BuildError(BuildCause::GlobalExists)),
        }
    }
}

fn build(variable: impl Fn(&str) -> Option<OsString>) -> Result<Pool, BuildError> {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let (threads, max_spin) = (set(THREADS), set(MAX_SPIN_US));
    let mut builder = Builder::new();
    if let Some(value) = &threads {
        let threads = value.to_str().and_then(parse_threads).ok_or_else(|| {
            let problem = "it has to be a number of threads, or the least and the most: \
                           `4`, `2..=8`, `..=8`";
            bad(THREADS, value, problem)
        })?;
        builder = builder.threads(threads);
    }
    if let Some(value) = &max_spin {
        let micros = value.to_str().and_then(|text| text.trim().parse().ok());
        let micros = micros.ok_or_else(|| {
            let problem = "it has to be a whole number of microseconds, such as `20`";
            bad(MAX_SPIN_US, value, problem)
        })?;
        builder = builder.max_spin(Duration::from_micros(micros));
    }
    builder.build().map_err(|error| match error.0 {
        // Out of its range: what the user has set is the variable.
        BuildCause::BadOption {
            option: option @ ("threads" | "max_spin"),
            problem,
        } => {
            let (name, value) = match option {
                "threads" => (THREADS, &threads),
                _ => (MAX_SPIN_US, &max_spin),
            };
            bad(name, &value.clone().unwrap_or_default(), problem)
        }
        _ => error,
    })
}

fn bad(name: &'static str, value: &OsString, problem: impl Into<String>) -> BuildError {
    BuildError(BuildCause::BadVariable {
        name,
        value: value.to_string_lossy().into_owned(),
        problem: problem.into(),
    })
}

fn parse_threads(text: &str) -> Option<Threads> {
    let number = |text: &str| text.trim().parse::<usize>().ok();
    Some(match text.split_once("..=") {
        None => Threads::from(number(text)?),
        Some((least, most)) if least.trim().is_empty() => Threads::from(..=number(most)?),
        Some((least, most)) => Threads::from(number(least)?..=number(most)?),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &str) -> Result<Pool, BuildError> {
        build(|asked| (asked == name).then(|| value.into()))
    }

    #[test]
    fn good_values_set_what_they_name() {
        for (value, least, most) in [
            ("3", 3, 3),
            (" 2 ", 2, 2),
            ("2..=4", 2, 4),
            ("1 ..= 2", 1, 2),
            ("..=3", 1, 3),
        ] {
            let pool = with(THREADS, value).unwrap();
            let config = &pool.shared().config;
            assert_eq!((config.min_threads, config.max_threads), (least, most));
        }
        for (value, micros) in [("0", 0), ("7", 7), ("1000000", 1_000_000)] {
            let pool = with(MAX_SPIN_US, value).unwrap();
            let max_spin = pool.shared().config.max_spin;
            assert_eq!(max_spin, Duration::from_micros(micros));
        }
    }

    #[test]
    fn what_is_set_to_nothing_is_not_set() {
        let cpus = std::thread::available_parallelism().unwrap().get();
        let pool = build(|_| Some(OsString::new())).unwrap();
        assert_eq!(pool.shared().config.max_threads, cpus);
        assert_eq!(pool.shared().config.max_spin, Duration::from_micros(20));
    }

    #[test]
    fn a_bad_value_is_an_error_that_names_it_and_its_variable() {
        let threads = [
            "0", "four", "-1", "2..8", "8..=2", "..=0", "..=", "4..=", "4097", "1.5",
        ];
        let spins = ["fast", "-1", "20us", "1000001", "0.5"];
        let all = threads.map(|value| (THREADS, value)).into_iter();
        for (name, value) in all.chain(spins.map(|value| (MAX_SPIN_US, value))) {
            let error = with(name, value).unwrap_err();
            assert_eq!(error.code(), "CENOTE_BAD_VARIABLE", "{name}={value}");
            let text = error.to_string();
            assert!(text.contains(name), "{text}");
            assert!(text.contains(&format!("{value:?}")), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_no_text_is_bad() {
        use std::os::unix::ffi::OsStringExt;
        let error = build(|_| Some(OsString::from_vec(vec![b'4', 0xff]))).unwrap_err();
        assert_eq!(error.code(), "CENOTE_BAD_VARIABLE");
    }
}
