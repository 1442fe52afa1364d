//! The arguments that choose and find the speech models.

use std::{
    num::NonZero,
    path::{Path, PathBuf},
};

use clap::Args;
use hysio_model::transcript::Language;
use hysio_speech::{Choice, Engine, Folder, Options};

/// Where `./hysio install` puts the models, below the checkout.
const MODELS: &str = "vendor/speech";

#[derive(Debug, Args)]
pub struct EngineArguments {
    /// What is spoken: en or nl. Found out when not given.
    #[arg(long)]
    pub language: Option<Language>,
    /// base (quick), small (careful) or auto: base for English, small for Dutch.
    #[arg(long, default_value = "auto")]
    pub model: Choice,
    /// The folder with the speech models [default: vendor/speech here, or above the program]
    #[arg(long, env = "HYSIO__SPEECH__MODELS", value_name = "DIR")]
    pub models: Option<PathBuf>,
    /// Cores to use [default: all]
    #[arg(long)]
    pub threads: Option<NonZero<usize>>,
}

impl EngineArguments {
    pub fn load(&self) -> anyhow::Result<Engine> {
        let threads = self.threads.map_or_else(cores, NonZero::get);
        Ok(Engine::load(self.folder()?, self.model, threads)?)
    }

    pub fn folder(&self) -> anyhow::Result<Folder> {
        let folder = match &self.models {
            Some(folder) => folder.clone(),
            None => default_folder()?,
        };
        Ok(Folder::new(folder))
    }

    pub fn options(&self) -> Options {
        Options {
            model: self.model,
            language: self.language,
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// `vendor/speech` in the working directory, or beside any folder above the program.
fn default_folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().unwrap_or_default();
    let candidates = program.ancestors().skip(1).map(|it| it.join(MODELS));
    std::iter::once(Path::new(MODELS).to_owned())
        .chain(candidates)
        .find(|folder| folder.is_dir())
        .ok_or_else(|| {
            anyhow::anyhow!(
                "the speech models are not installed: run ./hysio install, \
                 or name their folder with --models or HYSIO__SPEECH__MODELS"
            )
        })
}
