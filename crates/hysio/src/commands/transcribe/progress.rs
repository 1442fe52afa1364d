//! How far a transcription is: a bar on a terminal, a line now and then elsewhere, always on standard error.

use std::{
    io::IsTerminal as _,
    sync::atomic::{AtomicU64, Ordering},
};

use indicatif::{ProgressBar, ProgressStyle};

/// Without a terminal, a line each time this much more is done.
const LINE_PERCENT: u64 = 10;

pub struct Progress {
    name: String,
    bar: Option<ProgressBar>,
    percent_said: AtomicU64,
}

impl Progress {
    pub fn start(name: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(
                "{msg} {wide_bar} {percent}% of {len:.0} s, {eta} left",
            );
            let bar = ProgressBar::new(0);
            bar.set_style(style.expect("the template is well-formed"));
            bar.set_message(name.to_owned());
            bar
        });
        Self {
            name: name.to_owned(),
            bar,
            percent_said: AtomicU64::new(0),
        }
    }

    pub fn report(&self, at: hysio_speech::Progress) {
        if let Some(bar) = &self.bar {
            bar.set_length(at.seconds_total.round() as u64);
            bar.set_position(at.seconds_done.round() as u64);
            return;
        }
        let percent = (100.0 * at.seconds_done / at.seconds_total.max(f64::EPSILON)) as u64;
        let due = self.percent_said.load(Ordering::Relaxed) + LINE_PERCENT;
        if percent >= due && self.percent_said.fetch_max(percent, Ordering::Relaxed) < due {
            eprintln!("{}: {percent}% of {:.0} s", self.name, at.seconds_total);
        }
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
