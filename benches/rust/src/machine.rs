//! What a run was made on and with: processors, kernel, compiler, versions of the peers. And this
//! process's memory.

use std::fs;
use std::process::Command;
use std::thread;

/// Memory of this process that is in RAM, in KiB. `None` where the system does not say (it is
/// Linux's `/proc/self/smaps_rollup`, which is exact; `statm` may lag behind by megabytes).
pub fn resident_kib() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    resident_in(&text)
}

fn resident_in(smaps: &str) -> Option<f64> {
    let line = smaps.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Lines that say what machine, compiler and versions a table belongs to.
pub fn description() -> Vec<String> {
    let cpus = thread::available_parallelism().map_or(0, usize::from);
    let mut lines = vec![format!(
        "{cpus} CPUs ({}), {} {}, {}",
        processor().unwrap_or_else(|| "unknown".to_owned()),
        std::env::consts::OS,
        kernel(),
        compiler().unwrap_or_else(|| "an unknown compiler".to_owned()),
    )];
    lines.push(peer_versions().join(", "));
    lines
}

/// What else happened on the machine while something was measured.
#[derive(Debug)]
pub struct Surroundings {
    load: Option<String>,
    stolen: Option<f64>,
}

impl Surroundings {
    /// Begins to watch.
    pub fn watch() -> Surroundings {
        let load = fs::read_to_string("/proc/loadavg").ok();
        Surroundings {
            load: load.and_then(|text| Some(text.split(' ').next()?.to_owned())),
            stolen: stolen_seconds(),
        }
    }

    /// In words: how busy the machine was before, and what the hypervisor took from it since.
    /// `None` where the system says neither.
    pub fn describe(&self) -> Option<String> {
        let load = self.load.as_ref()?;
        let stolen = stolen_seconds()? - self.stolen?;
        Some(format!(
            "load average when it began: {load}; CPU time stolen meanwhile by the hypervisor: {stolen:.2} s"
        ))
    }
}

/// CPU time that the hypervisor gave to others while this machine wanted it, since the start, over
/// all CPUs.
fn stolen_seconds() -> Option<f64> {
    stolen_in(&fs::read_to_string("/proc/stat").ok()?)
}

fn stolen_in(stat: &str) -> Option<f64> {
    // In hundredths of a second: user, nice, system, idle, iowait, irq, softirq, steal.
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: f64 = line.split_whitespace().nth(7)?.parse().ok()?;
    Some(ticks / 100.0)
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn kernel() -> String {
    rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned()
}

fn compiler() -> Option<String> {
    let output = Command::new("rustc").arg("--version").output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// Name and version of everything that the manifest pins exactly: the peers.
pub fn peer_versions() -> Vec<String> {
    pinned_in(include_str!("../Cargo.toml"))
}

fn pinned_in(manifest: &str) -> Vec<String> {
    manifest
        .lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(" = ")?;
            let version = value.split_once("\"=")?.1.split_once('"')?.0;
            Some(format!("{name} {version}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_kib() {
        assert_eq!(
            resident_in("55d0-7ffc ---p [rollup]\nRss:   1234 kB\nPss: 1 kB\n"),
            Some(1234.0)
        );
        assert_eq!(resident_in("nothing here"), None);
    }

    #[test]
    fn stolen_time_is_the_eighth_number() {
        assert_eq!(stolen_in("cpu  1 2 3 4 5 6 7 250 9 0\ncpu0 1\n"), Some(2.5));
        assert_eq!(stolen_in("nothing here"), None);
    }

    #[test]
    fn exact_versions_are_found_in_either_form() {
        let manifest = "name = \"x\"\na = \"=1.2.3\"\nb = { version = \"=4.5.6\", features = [] }\nc = \"7\"\n";
        assert_eq!(pinned_in(manifest), ["a 1.2.3", "b 4.5.6"]);
    }

    #[test]
    fn every_peer_has_a_version() {
        let versions = peer_versions().join(", ");
        for name in [
            "rayon-core",
            "tokio",
            "tokio-util",
            "threadpool",
            "rusty_pool",
            "blocking",
            "crossfire",
            "affinitypool",
        ] {
            assert!(versions.contains(name), "{name} in {versions}");
        }
    }
}
