//! What the models have in common: loading an ONNX file and naming what is wrong with it.

use std::path::{Path, PathBuf};

use rten::ModelOptions;

use crate::narrow;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the speech model {0} is missing: run ./hysio install")]
    Missing(PathBuf),
    #[error("read the speech model {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the speech model {path} is damaged: run ./hysio install ({reason})")]
    Damaged { path: PathBuf, reason: String },
    #[error("run the speech model: {0}")]
    Run(String),
    #[error("cancelled")]
    Cancelled,
}

impl From<rten::RunError> for Error {
    fn from(error: rten::RunError) -> Self {
        Self::Run(error.to_string())
    }
}

pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| {
        let path = path.to_owned();
        if source.kind() == std::io::ErrorKind::NotFound {
            Error::Missing(path)
        } else {
            Error::Read { path, source }
        }
    })
}

pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    serde_json::from_slice(&read(path)?).map_err(|error| damaged(path, &error))
}

pub fn load(path: &Path) -> Result<rten::Model, Error> {
    let mut bytes = read(path)?;
    narrow::where_needed(&mut bytes).map_err(|error| damaged(path, &error))?;
    ModelOptions::with_all_ops()
        // Packed weights are a second copy of the weights and gain no speed with these models.
        .prepack_weights(false)
        .load(bytes)
        .map_err(|error| damaged(path, &error))
}

pub fn damaged(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::Damaged {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
