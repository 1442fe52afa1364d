//! `hysio transcribe`: sound files to text, on this machine, without a server.

pub mod engine;
pub mod progress;
mod render;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use hysio_speech::{
    Engine, Transcription, Watch,
    audio::{self, Limits, Warning},
};

use self::{engine::EngineArguments, progress::Progress};

#[derive(Debug, Args)]
pub struct Command {
    /// Audio or video files: WAV, FLAC, MP3, OGG, Opus, M4A, MP4, WebM.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How to print the transcript.
    #[arg(long, value_enum, default_value_t, conflicts_with = "json")]
    format: Format,
    /// One JSON object a line and file.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArguments,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// For people: times, and doubtful words marked.
    #[default]
    Text,
    Srt,
    Vtt,
}

impl Command {
    /// Goes on with the next file when one fails; fails in the end if any did.
    pub fn run(self) -> anyhow::Result<()> {
        let engine = self.engine.load()?;
        let mut failed = 0;
        for file in &self.files {
            if let Err(error) = self.one(&engine, file) {
                eprintln!("hysio: {}: {error:#}", file.display());
                failed += 1;
            }
        }
        match failed {
            0 => Ok(()),
            _ => anyhow::bail!("{failed} of {} files not transcribed", self.files.len()),
        }
    }

    fn one(&self, engine: &Engine, file: &Path) -> anyhow::Result<()> {
        let audio = audio::decode_file(file, Limits::default())?;
        for warning in &audio.warnings {
            eprintln!("hysio: {}: {warning}", file.display());
        }
        let progress = Progress::start(&file.display().to_string());
        let watch = Watch {
            progress: &|at| progress.report(at),
            cancelled: &AtomicBool::new(false),
        };
        let transcription = engine.transcribe(&audio, self.engine.options(), &watch)?;
        progress.finish();
        let text = self.rendered(file, &transcription, &audio.warnings)?;
        std::io::stdout()
            .write_all(text.as_bytes())
            .context("write the transcript")
    }

    fn rendered(
        &self,
        file: &Path,
        transcription: &Transcription,
        warnings: &[Warning],
    ) -> anyhow::Result<String> {
        let transcript = &transcription.transcript;
        if self.json {
            return render::json(file, transcript, warnings);
        }
        Ok(match self.format {
            Format::Text => render::text(file, transcript),
            Format::Srt => hysio_speech::captions::srt(transcript),
            Format::Vtt => hysio_speech::captions::vtt(transcript),
        })
    }
}
