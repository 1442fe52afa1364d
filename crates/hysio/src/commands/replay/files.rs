//! A folder of policies as names and texts, in and out.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context as _;

/// What is YAML or JSON in a folder.
pub fn read(folder: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let name = folder.display();
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| format!("read {name}"))? {
        let path = entry?.path();
        let wanted = path
            .extension()
            .is_some_and(|it| it == "yaml" || it == "yml" || it == "json");
        if let Some(file) = path.file_name().filter(|_| wanted) {
            let text =
                fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            files.insert(file.to_string_lossy().into_owned(), text);
        }
    }
    anyhow::ensure!(
        !files.is_empty(),
        "{name}: no policies in it: put manifests and a limits.yaml there"
    );
    Ok(files)
}

/// Writes them into a folder that is new or empty: what is in use is never written over.
pub fn write(folder: &Path, files: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let name = folder.display();
    fs::create_dir_all(folder).with_context(|| format!("make {name}"))?;
    let is_empty = fs::read_dir(folder)
        .with_context(|| format!("read {name}"))?
        .next()
        .is_none();
    anyhow::ensure!(is_empty, "{name} is not empty: name a new folder");
    for (file, text) in files {
        let path = folder.join(file);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
