//! Which models there are and how their folder looks.
//!
//! ```text
//! <models>/whisper-base/{config,generation_config,vocab}.json   likewise whisper-small
//! <models>/whisper-base/onnx/{encoder_model,decoder_model_merged}_quantized.onnx
//! <models>/silero-vad/silero_vad.onnx
//! ```

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use hysio_model::transcript::Language;

/// A speech model that can be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Model {
    /// Whisper base: quick, good English, unusable Dutch.
    Base,
    /// Whisper small: the careful one, and the only one for Dutch.
    Small,
}

impl Model {
    pub const ALL: [Self; 2] = [Self::Base, Self::Small];

    /// The name of its folder, and what a transcript says heard it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "whisper-base",
            Self::Small => "whisper-small",
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which model is to hear a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Choice {
    /// The quickest that serves the language: base for English, small for Dutch.
    #[default]
    Auto,
    Fixed(Model),
}

impl Choice {
    /// The model, once the language is known.
    #[must_use]
    pub fn for_language(self, language: Language) -> Model {
        match (self, language) {
            (Self::Fixed(model), _) => model,
            (Self::Auto, Language::English) => Model::Base,
            (Self::Auto, Language::Dutch) => Model::Small,
        }
    }
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "base" | "whisper-base" => Ok(Self::Fixed(Model::Base)),
            "small" | "whisper-small" => Ok(Self::Fixed(Model::Small)),
            _ => Err(format!(
                "model {text:?} is unknown: use base, small or auto"
            )),
        }
    }
}

/// The folder that holds all models.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The speech models that are there.
    #[must_use]
    pub fn installed(&self) -> Vec<Model> {
        let there = |model: &Model| self.decoder(*model).is_file();
        Model::ALL.into_iter().filter(there).collect()
    }

    pub(crate) fn voice_activity(&self) -> PathBuf {
        self.0.join("silero-vad/silero_vad.onnx")
    }

    pub(crate) fn encoder(&self, model: Model) -> PathBuf {
        self.file(model, "onnx/encoder_model_quantized.onnx")
    }

    pub(crate) fn decoder(&self, model: Model) -> PathBuf {
        self.file(model, "onnx/decoder_model_merged_quantized.onnx")
    }

    pub(crate) fn file(&self, model: Model, name: &str) -> PathBuf {
        self.0.join(model.name()).join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_takes_the_quick_model_only_where_it_serves() {
        assert_eq!(Choice::Auto.for_language(Language::English), Model::Base);
        assert_eq!(Choice::Auto.for_language(Language::Dutch), Model::Small);
        let fixed = Choice::Fixed(Model::Base);
        assert_eq!(fixed.for_language(Language::Dutch), Model::Base);
    }

    #[test]
    fn an_unknown_model_is_refused_with_the_known_ones() {
        let message = "huge".parse::<Choice>().expect_err("unknown");
        assert!(message.contains("base, small or auto"));
        assert_eq!("Small".parse(), Ok(Choice::Fixed(Model::Small)));
    }
}
