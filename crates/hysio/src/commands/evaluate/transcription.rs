//! `hysio evaluate transcription`: word error rate per recording and over all, speed, and what it cost in CPU and memory.

mod normalise;
mod report;
mod resources;
mod score;

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::Instant,
};

use anyhow::Context as _;
use clap::Args;
use hysio_speech::{
    Engine, Watch,
    audio::{self, Limits},
};

use self::{
    normalise::Normaliser,
    report::{Recording, Report},
    resources::Resources,
};
use crate::commands::transcribe::{engine::EngineArguments, progress::Progress};

#[derive(Debug, Args)]
pub struct Command {
    /// A folder with recordings, each with its text beside it in NAME.txt.
    dir: PathBuf,
    /// One JSON object with everything.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArguments,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        let pairs = pairs(&self.dir)?;
        let normaliser = Normaliser::load(&self.engine.folder()?)?;
        let engine = self.engine.load()?;
        let before = Resources::used();
        let recordings = pairs
            .iter()
            .map(|pair| self.measure(&engine, &normaliser, pair))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let report = Report::new(recordings, &before, &Resources::used());
        if self.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            print!("{}", report.table());
        }
        Ok(())
    }

    fn measure(
        &self,
        engine: &Engine,
        normaliser: &Normaliser,
        pair: &Pair,
    ) -> anyhow::Result<Recording> {
        let name = pair.name();
        let reference = std::fs::read_to_string(&pair.reference)
            .with_context(|| format!("read the reference {}", pair.reference.display()))?;
        let started = Instant::now();
        let audio = audio::decode_file(&pair.audio, Limits::default())
            .with_context(|| format!("decode {name}"))?;
        let progress = Progress::start(&name);
        let watch = Watch {
            progress: &|at| progress.report(at),
            cancelled: &AtomicBool::new(false),
        };
        let transcript = engine
            .transcribe(&audio, self.engine.options(), &watch)
            .with_context(|| format!("transcribe {name}"))?
            .transcript;
        progress.finish();
        let language = self.engine.language.unwrap_or(transcript.language);
        let words = |text: &str| normaliser.words(text, language);
        Ok(Recording {
            name,
            language,
            model: transcript.model.clone(),
            audio_seconds: audio.duration_seconds(),
            elapsed_seconds: started.elapsed().as_secs_f64(),
            errors: score::errors(&words(&reference), &words(&transcript.text())),
        })
    }
}

/// A recording and its reference.
struct Pair {
    audio: PathBuf,
    reference: PathBuf,
}

impl Pair {
    fn name(&self) -> String {
        let name = self.audio.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

/// Every file of the folder that has a `.txt` of the same name beside it, by name.
fn pairs(dir: &Path) -> anyhow::Result<Vec<Pair>> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))?;
    let mut pairs = Vec::new();
    for entry in entries {
        let audio = entry?.path();
        let reference = audio.with_extension("txt");
        if audio.is_file() && audio != reference && reference.is_file() {
            pairs.push(Pair { audio, reference });
        }
    }
    pairs.sort_by(|a, b| a.audio.cmp(&b.audio));
    anyhow::ensure!(
        !pairs.is_empty(),
        "{} holds no recording with a .txt of the same name beside it",
        dir.display()
    );
    Ok(pairs)
}
