//! The figures of an evaluation, as a table and as JSON.

use comfy_table::{CellAlignment, Table, presets};
use hysio_model::transcript::Language;
use serde::Serialize;

use super::{resources::Resources, score::Errors};

#[derive(Debug, Serialize)]
pub struct Recording {
    pub name: String,
    pub language: Language,
    pub model: String,
    pub audio_seconds: f64,
    /// From opening the file to the finished transcript.
    pub elapsed_seconds: f64,
    pub errors: Errors,
}

#[derive(Debug, Serialize)]
pub struct Report {
    recordings: Vec<Recording>,
    errors: Errors,
    word_error_rate: Option<f64>,
    audio_seconds: f64,
    audio_seconds_per_second: f64,
    cpu_seconds_per_audio_second: Option<f64>,
    peak_megabytes: Option<f64>,
}

impl Report {
    pub fn new(recordings: Vec<Recording>, before: &Resources, after: &Resources) -> Self {
        let errors = recordings
            .iter()
            .fold(Errors::default(), |sum, it| sum + it.errors);
        let audio_seconds: f64 = recordings.iter().map(|it| it.audio_seconds).sum();
        let elapsed: f64 = recordings.iter().map(|it| it.elapsed_seconds).sum();
        let cpu_seconds = after.cpu_seconds.zip(before.cpu_seconds);
        Self {
            recordings,
            errors,
            word_error_rate: errors.rate(),
            audio_seconds,
            audio_seconds_per_second: audio_seconds / elapsed.max(f64::EPSILON),
            cpu_seconds_per_audio_second: cpu_seconds
                .map(|(after, before)| (after - before) / audio_seconds.max(f64::EPSILON)),
            peak_megabytes: after.peak_megabytes,
        }
    }

    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header([
            "recording",
            "model",
            "seconds",
            "words",
            "WER",
            "sub",
            "del",
            "ins",
            "x real time",
        ]);
        for it in &self.recordings {
            let speed = it.audio_seconds / it.elapsed_seconds.max(f64::EPSILON);
            table.add_row(row(&it.name, &it.model, it.audio_seconds, it.errors, speed));
        }
        let speed = self.audio_seconds_per_second;
        table.add_row(row("all", "", self.audio_seconds, self.errors, speed));
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        format!("{table}\n{}\n", self.cost())
    }

    fn cost(&self) -> String {
        let known = |value: Option<f64>, digits: usize| {
            value.map_or("unknown".to_owned(), |value| format!("{value:.digits$}"))
        };
        let cpu = known(self.cpu_seconds_per_audio_second, 3);
        let memory = known(self.peak_megabytes, 0);
        format!("CPU seconds per audio second: {cpu}; peak memory: {memory} MB")
    }
}

fn row(name: &str, model: &str, seconds: f64, errors: Errors, speed: f64) -> [String; 9] {
    let rate = errors.rate();
    [
        name.to_owned(),
        model.to_owned(),
        format!("{seconds:.1}"),
        errors.words.to_string(),
        rate.map_or("-".to_owned(), |rate| format!("{:.2} %", 100.0 * rate)),
        errors.substitutions.to_string(),
        errors.deletions.to_string(),
        errors.insertions.to_string(),
        format!("{speed:.1}"),
    ]
}
