//! What a fake container does: the few commands that a script of a test may hold.
//! Pure: a script and the number of the attempt in, what happens out.

use std::time::Duration;

/// What a step does when it is played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Act {
    /// How long it takes.
    pub(crate) lasts: Duration,
    /// It never ends by itself.
    pub(crate) hangs: bool,
    /// The results that it leaves.
    pub(crate) results: Vec<(String, String)>,
    /// Its exit code.
    pub(crate) exit_code: i32,
}

/// Reads a script. Its lines are `sleep SECONDS`, `result NAME=VALUE`, `exit CODE`, `hang`, and
/// `fail-before ATTEMPT` (exit 1 in attempts before that one, counted from zero); others do nothing.
pub(crate) fn read(script: &str, attempt: usize) -> Act {
    let mut act = Act::default();
    for line in script.lines() {
        let (command, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        match command {
            "sleep" => act.lasts += Duration::from_secs(rest.trim().parse().unwrap_or(1)),
            "hang" => act.hangs = true,
            "result" => {
                let (name, value) = rest.split_once('=').unwrap_or((rest, ""));
                act.results.push((name.trim().to_owned(), value.to_owned()));
            }
            "exit" => act.exit_code = rest.trim().parse().unwrap_or(1),
            "fail-before" if rest.trim().parse().is_ok_and(|until: usize| attempt < until) => {
                act.exit_code = 1
            }
            _ => continue,
        }
        if act.hangs || act.exit_code != 0 {
            break;
        }
    }
    act
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_played_up_to_its_failure() {
        let act = read("#!/bin/sh\nsleep 2\nresult a=b=c\nexit 3\nresult x=y", 0);
        assert_eq!(act.lasts, Duration::from_secs(2));
        assert_eq!(act.results, [("a".to_owned(), "b=c".to_owned())]);
        assert_eq!(act.exit_code, 3);
        assert_eq!(read("fail-before 2", 1).exit_code, 1);
        assert_eq!(read("fail-before 2", 2).exit_code, 0);
        assert!(read("hang\nexit 1", 0).hangs);
    }
}
