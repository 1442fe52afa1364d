//! How far the work is: a bar on a terminal, nothing elsewhere.

use std::{io::IsTerminal as _, sync::Arc};

use hysio_infra::backup::{Progress, Stage};
use indicatif::{ProgressBar, ProgressStyle};

#[derive(Clone)]
pub enum Bar {
    Shown(Arc<Shown>),
    Hidden,
}

pub struct Shown(ProgressBar);

impl Bar {
    pub fn new(wanted: bool) -> Self {
        if !wanted || !std::io::stderr().is_terminal() {
            return Self::Hidden;
        }
        let style = ProgressStyle::with_template(
            "{msg:10} {wide_bar} {bytes} of {total_bytes}, {eta} left",
        );
        let bar = ProgressBar::new(0);
        bar.set_style(style.expect("the template is well-formed"));
        Self::Shown(Arc::new(Shown(bar)))
    }

    pub fn finish(&self) {
        if let Self::Shown(shown) = self {
            shown.0.finish_and_clear();
        }
    }
}

impl Shown {
    pub fn report(&self, at: Progress) {
        if self.0.message() != at.stage.as_str() {
            self.0.set_message(Stage::as_str(at.stage));
            self.0.reset_eta();
        }
        self.0.set_length(at.total);
        self.0.set_position(at.done);
    }
}
