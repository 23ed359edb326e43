//! The command line.

use std::path::PathBuf;

use crate::contender::Contender;
use crate::scenarios::Scenario;

/// What `--help` prints.
pub const HELP: &str = "\
Measures cenote and its peers side by side.

  --scenario NAME[,NAME]   only these scenarios; a bare NAME runs those whose name contains it
  --contender NAME[,NAME]  only these contenders
  --rounds N               rounds, of which the median counts (default 3; 1 with --quick)
  --quick                  every scenario, short: rough figures, under 30 s
  --json FILE              also write all values to FILE
  --list                   print the scenarios and contenders
  --help                   print this
";

/// What a run does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Names given with `--scenario`; empty is all.
    pub scenarios: Vec<String>,
    /// Parts of names, one of which a scenario's name must contain; empty is all.
    pub filters: Vec<String>,
    /// Only these; empty is all.
    pub contenders: Vec<Contender>,
    /// `--rounds`.
    pub rounds: Option<usize>,
    /// `--quick`.
    pub quick: bool,
    /// `--json`.
    pub json: Option<PathBuf>,
    /// `--list`.
    pub list: bool,
    /// `--help`.
    pub help: bool,
    /// Whether `cargo bench` started this program. `cargo test` starts benchmarks too, without
    /// saying so.
    pub bench: bool,
}

impl Options {
    /// From the arguments after the program's name.
    ///
    /// # Errors
    ///
    /// What cannot be followed, in words.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Options, String> {
        let mut options = Options::default();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let (name, inline) = match arg.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (arg.as_str(), None),
            };
            let mut value = || {
                inline
                    .clone()
                    .or_else(|| args.next())
                    .ok_or_else(|| format!("{name} needs a value"))
            };
            match name {
                "--scenario" => options.scenarios.extend(list(&value()?)),
                "--contender" => {
                    for one in list(&value()?) {
                        let contender = Contender::from_name(&one)
                            .ok_or_else(|| format!("no contender is called {one}"))?;
                        options.contenders.push(contender);
                    }
                }
                "--rounds" => {
                    let value = value()?;
                    let rounds = value.parse().ok().filter(|&rounds| rounds > 0);
                    options.rounds =
                        Some(rounds.ok_or_else(|| format!("{value} is no number of rounds"))?);
                }
                "--quick" => options.quick = true,
                "--json" => options.json = Some(value()?.into()),
                "--list" => options.list = true,
                "--help" | "-h" => options.help = true,
                "--bench" => options.bench = true,
                other if other.starts_with('-') => return Err(format!("unknown option {other}")),
                filter => options.filters.push(filter.to_owned()),
            }
        }
        Ok(options)
    }

    /// How many rounds to run.
    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { 3 })
    }

    /// Those of `all` that are wanted.
    ///
    /// # Errors
    ///
    /// If a name given with `--scenario` is none of theirs.
    pub fn chosen<'a>(&self, all: &'a [Scenario]) -> Result<Vec<&'a Scenario>, String> {
        if let Some(unknown) = self
            .scenarios
            .iter()
            .find(|name| all.iter().all(|one| one.name != **name))
        {
            let names: Vec<_> = all.iter().map(|one| one.name).collect();
            return Err(format!(
                "no scenario is called {unknown}; there are {}",
                names.join(", ")
            ));
        }
        let wanted = |one: &&Scenario| {
            (self.scenarios.is_empty() || self.scenarios.iter().any(|name| name == one.name))
                && (self.filters.is_empty()
                    || self.filters.iter().any(|part| one.name.contains(part)))
        };
        Ok(all.iter().filter(wanted).collect())
    }

    /// Whether this contender is wanted.
    pub fn wants(&self, contender: Contender) -> bool {
        self.contenders.is_empty() || self.contenders.contains(&contender)
    }
}

fn list(value: &str) -> Vec<String> {
    value.split(',').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::LATENCY;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn no_arguments_are_everything_three_times() {
        let options = parse("").expect("nothing is valid");
        assert_eq!(options, Options::default());
        assert_eq!(options.rounds(), 3);
        assert_eq!(options.chosen(&LATENCY).expect("all").len(), LATENCY.len());
        assert!(options.wants(Contender::Rayon));
    }

    #[test]
    fn options_take_their_value_in_either_form() {
        let line =
            "--bench --quick --rounds=5 --json out.json --scenario idle,burst --contender rayon";
        let options = parse(line).expect("valid");
        assert!(options.bench && options.quick);
        assert_eq!(options.rounds(), 5);
        assert_eq!(options.json, Some("out.json".into()));
        assert_eq!(options.contenders, [Contender::Rayon]);
        assert!(!options.wants(Contender::Cenote));
        let chosen = options.chosen(&LATENCY).expect("both exist");
        assert_eq!(
            chosen.iter().map(|one| one.name).collect::<Vec<_>>(),
            ["burst", "idle"]
        );
    }

    #[test]
    fn quick_is_one_round() {
        assert_eq!(parse("--quick").expect("valid").rounds(), 1);
    }

    #[test]
    fn a_bare_name_is_part_of_a_name() {
        let chosen = parse("round").expect("valid");
        let chosen = chosen.chosen(&LATENCY).expect("a filter is never wrong");
        assert_eq!(
            chosen.iter().map(|one| one.name).collect::<Vec<_>>(),
            ["roundtrip", "roundtrip-asleep", "roundtrip-timers"]
        );
    }

    #[test]
    fn what_cannot_be_followed_is_an_error() {
        for line in [
            "--rounds",
            "--rounds 0",
            "--rounds x",
            "--fast",
            "--contender nobody",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(
            parse("--scenario nothing")
                .expect("valid")
                .chosen(&LATENCY)
                .is_err()
        );
    }
}
