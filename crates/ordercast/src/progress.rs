//! How far it is: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
const TEMPLATE: &str = "{bar:40} {pos}/{len} {rate} {eta} left {msg}";

/// How far a command is.
pub(crate) struct Progress {
    bar: ProgressBar,
    /// When the next line is due; none on a terminal.
    line_due: Option<Mutex<Instant>>,
}

impl Progress {
    pub(crate) fn start(total: u64) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let target = if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        // The library's own rate has four digits after the point.
        let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.0}/s", state.per_sec());
        });
        let bar = ProgressBar::with_draw_target(Some(total), target).with_style(style);
        Self { bar, line_due: (!is_terminal).then(|| Mutex::new(Instant::now() + LINE_EVERY)) }
    }

    /// Adds to the number that is done.
    pub(crate) fn step(&self, count: u64) {
        self.bar.inc(count);
        let Some(due) = &self.line_due else { return };
        let mut due = due.lock().unwrap_or_else(PoisonError::into_inner);
        if Instant::now() >= *due {
            *due = Instant::now() + LINE_EVERY;
            let (done, total) = (self.bar.position(), self.bar.length().unwrap_or(0));
            let (rate, left) = (self.bar.per_sec(), self.bar.eta().as_secs());
            eprintln!("{done} of {total}, {rate:.0}/s, {left} s left {}", self.bar.message());
        }
    }

    /// Says why it does not go on; an empty text when it does.
    pub(crate) fn say(&self, what: &str) {
        if self.bar.message() != what {
            self.bar.set_message(what.to_owned());
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
