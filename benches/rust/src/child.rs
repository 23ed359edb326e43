//! One measurement, one process: both sides of it.
//!
//! The program starts itself with `--child SCENARIO CONTENDER`; that process measures, prints the
//! figures as one JSON array on stdout, and ends. One that takes too long is ended and counts as
//! failed.

use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::contender::Contender;
use crate::effort::Effort;
use crate::pools::THREAD_LIMIT_VARIABLE;
use crate::scenarios::{Outcome, Scenario};

/// The first argument of a process that measures.
pub const FLAG: &str = "--child";
/// The last one, for short measurements.
const QUICK: &str = "--quick";
/// No measurement takes a fifth of this.
const LIMIT: Duration = Duration::from_secs(60);

/// Has `program` measure one contender in one scenario.
///
/// # Errors
///
/// What went wrong: wrong results, a crash, a hang.
pub fn measure(program: &Path, scenario: &Scenario, contender: Contender, quick: bool) -> Outcome {
    let mut child = Command::new(program)
        .args([FLAG, scenario.name, contender.name()])
        .args(quick.then_some(QUICK))
        .env(THREAD_LIMIT_VARIABLE, scenario.workers.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("could not start {}: {error}", program.display()))?;
    let mut output = child.stdout.take().expect("stdout is piped");
    let (send, text) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        let read = output.read_to_string(&mut text);
        // Nobody listens any more if the limit has passed.
        let _ = send.send(read.map(|_| text));
    });
    let Ok(text) = text.recv_timeout(LIMIT) else {
        // Both fail only if it has just ended by itself.
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("no result within {LIMIT:?}"));
    };
    let status = child.wait().map_err(|error| error.to_string())?;
    let text = text.map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(format!("{status}: {}", text.trim()));
    }
    let values: Vec<f64> =
        serde_json::from_str(&text).map_err(|error| format!("{error} in {text:?}"))?;
    if values.len() == scenario.figures.len() {
        Ok(values)
    } else {
        Err(format!(
            "{} figures instead of {}",
            values.len(),
            scenario.figures.len()
        ))
    }
}

/// The other side: measures what the arguments after [`FLAG`] say, and prints it.
pub fn serve(scenarios: &[Scenario], args: &[String]) -> ExitCode {
    match asked(scenarios, args)
        .and_then(|(scenario, contender, effort)| (scenario.measure)(contender, &effort))
    {
        Ok(values) => {
            println!("{}", serde_json::json!(values));
            ExitCode::SUCCESS
        }
        Err(message) => {
            println!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn asked<'a>(
    scenarios: &'a [Scenario],
    args: &[String],
) -> Result<(&'a Scenario, Contender, Effort), String> {
    let [scenario, contender, rest @ ..] = args else {
        return Err(format!("{FLAG} needs a scenario and a contender"));
    };
    let effort = match rest {
        [] => Effort::FULL,
        [quick] if quick == QUICK => Effort::QUICK,
        _ => return Err(format!("unknown arguments {rest:?}")),
    };
    let scenario = scenarios
        .iter()
        .find(|one| one.name == scenario)
        .ok_or_else(|| format!("no scenario is called {scenario}"))?;
    let contender = Contender::from_name(contender)
        .ok_or_else(|| format!("no contender is called {contender}"))?;
    Ok((scenario, contender, effort))
}
