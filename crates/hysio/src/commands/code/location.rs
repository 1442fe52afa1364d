//! Where the catalogue is.

use std::path::{Path, PathBuf};

use clap::Args;

/// Below the project's folder, or that of the executable.
const DEFAULT: &str = "vendor/catalogue/hysio.catalogue";

#[derive(Debug, Clone, Args)]
pub struct CatalogueFile {
    /// The catalogue file; if not given, vendor/catalogue/hysio.catalogue here or above the executable.
    #[arg(long, env = "HYSIO__CATALOGUE", value_name = "FILE")]
    catalogue: Option<PathBuf>,
}

impl CatalogueFile {
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.catalogue.clone().unwrap_or_else(default_path)
    }
}

/// The default in the working directory, else above the executable; where neither is there, the first, for messages.
#[must_use]
pub fn default_path() -> PathBuf {
    let here = PathBuf::from(DEFAULT);
    if here.exists() {
        return here;
    }
    let executable = std::env::current_exe().ok();
    executable
        .as_deref()
        .into_iter()
        .flat_map(Path::ancestors)
        .map(|folder| folder.join(DEFAULT))
        .find(|path| path.exists())
        .unwrap_or(here)
}
