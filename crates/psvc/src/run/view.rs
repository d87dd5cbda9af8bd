//! Shows a run: a live block of tasks above which log lines scroll, or plain lines without a terminal.
//! Progress goes to standard error and logs to standard output, so that both can be redirected.
//! Invariant: nothing is shown twice; a line of a log is never mixed with another.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::model::{Row, State};

/// Where a run is shown.
pub(crate) struct View {
    live: Option<MultiProgress>,
    bars: BTreeMap<String, ProgressBar>,
    shown: BTreeMap<String, Shown>,
    /// Logs go to standard error when standard output is for programs.
    logs_to_stderr: bool,
    progress: bool,
}

struct Shown {
    state: State,
    note: String,
    since: Option<Instant>,
}

impl View {
    pub(crate) fn new(logs_to_stderr: bool) -> Self {
        let live = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self { live, bars: BTreeMap::new(), shown: BTreeMap::new(), logs_to_stderr, progress: true }
    }

    /// Shows logs and nothing else.
    pub(crate) fn logs_only() -> Self {
        Self {
            live: None,
            bars: BTreeMap::new(),
            shown: BTreeMap::new(),
            logs_to_stderr: false,
            progress: false,
        }
    }

    /// Shows where the tasks are now.
    pub(crate) fn update(&mut self, rows: &[Row]) {
        if !self.progress {
            return;
        }
        for row in rows {
            let before = self.shown.get(&row.name);
            let unchanged = before.is_some_and(|before| before.state == row.state && before.note == row.note);
            if unchanged {
                continue;
            }
            let state_changed = before.is_none_or(|before| before.state != row.state);
            let since = match before.and_then(|before| before.since) {
                None if row.state == State::Running => Some(Instant::now()),
                since => since,
            };
            if self.live.is_some() {
                self.draw(row, since);
            } else if state_changed && row.state != State::Waiting {
                let note = if row.note.is_empty() { String::new() } else { format!(": {}", row.note) };
                let took = took(row.state, since);
                self.say(&format!("{} {}{took}{note}", row.name, row.state.word()));
            }
            self.shown.insert(row.name.clone(), Shown { state: row.state, note: row.note.clone(), since });
        }
    }

    /// One line of a step's log.
    pub(crate) fn log(&self, task: &str, step: &str, line: &str) {
        let print = || {
            let text = format!("[{task} : {step}] {line}\n");
            // A reader that went away must not end the run.
            let _gone = if self.logs_to_stderr {
                anstream::stderr().write_all(text.as_bytes())
            } else {
                anstream::stdout().write_all(text.as_bytes())
            };
        };
        match &self.live {
            Some(live) => live.suspend(print),
            None => print(),
        }
    }

    /// One line about the run as a whole.
    pub(crate) fn say(&self, line: &str) {
        let print = || {
            let _gone = writeln!(anstream::stderr(), "{line}");
        };
        match &self.live {
            Some(live) => live.suspend(print),
            None => print(),
        }
    }

    /// Leaves the last state of the tasks on the screen.
    pub(crate) fn finish(&mut self) {
        for bar in self.bars.values() {
            bar.abandon();
        }
    }

    fn draw(&mut self, row: &Row, since: Option<Instant>) {
        let Some(live) = &self.live else { return };
        let bar = self.bars.entry(row.name.clone()).or_insert_with(|| live.add(ProgressBar::new_spinner()));
        let (symbol, colour) = match row.state {
            State::Waiting => ("·", "\u{1b}[2m"),
            State::Running => ("", "\u{1b}[36m"),
            State::Succeeded => ("✓", "\u{1b}[32m"),
            State::Failed => ("✗", "\u{1b}[31m"),
            State::Skipped => ("-", "\u{1b}[2m"),
        };
        let after = match row.after.as_slice() {
            [] => String::new(),
            after => format!("  \u{1b}[2m← {}\u{1b}[0m", after.join(", ")),
        };
        let note = if row.note.is_empty() { String::new() } else { format!("  {}", row.note) };
        let text = format!("{colour}{}\u{1b}[0m{}{note}{after}", row.name, took(row.state, since));
        let template = match row.state {
            State::Running => "{spinner:.cyan} {msg} {elapsed:.dim}",
            _ => "{msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
        }
        if row.state == State::Running {
            bar.reset_elapsed();
            bar.enable_steady_tick(std::time::Duration::from_millis(100));
            bar.set_message(text);
        } else {
            bar.disable_steady_tick();
            bar.set_message(format!("{colour}{symbol}\u{1b}[0m {text}"));
        }
    }
}

fn took(state: State, since: Option<Instant>) -> String {
    match since {
        Some(since) if state.is_final() => format!(" in {}", seconds(since)),
        _ => String::new(),
    }
}

/// The time since then, in a form for people: `0.21s`, `12.3s`, `3m05s`.
pub(crate) fn seconds(since: Instant) -> String {
    let elapsed = since.elapsed();
    match elapsed.as_secs() {
        0..10 => format!("{:.2}s", elapsed.as_secs_f64()),
        10..60 => format!("{:.1}s", elapsed.as_secs_f64()),
        whole => format!("{}m{:02}s", whole / 60, whole % 60),
    }
}
