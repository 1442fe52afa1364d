//! Prints, for notes whose codes are known, what the matcher finds in each: the table that counts and weights of notes are
//! made from (`scripts/catalogue/fit_notes.py`).
//!
//! `note_table CATALOGUE ROWS.jsonl > table.jsonl`

use std::{fs, path::Path};

use anyhow::{Context, Result};
use hysio_clinical::diagnosecode::Engine;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, catalogue, rows] = arguments.as_slice() else {
        anyhow::bail!("usage: note_table CATALOGUE ROWS.jsonl");
    };
    let engine = Engine::open(Path::new(catalogue))?;
    for line in fs::read_to_string(rows)?.lines() {
        let row: serde_json::Value = serde_json::from_str(line)?;
        let gold: Vec<String> = row["gold"]
            .as_array()
            .context("no gold")?
            .iter()
            .filter_map(|code| Some(code.as_str()?.replace('.', "")))
            .collect();
        let evidence = engine.note_evidence(row["text"].as_str().context("no text")?);
        let table = serde_json::json!({
            "gold": gold,
            "sentences": evidence.sentences,
            "named": evidence.named,
        });
        println!("{table}");
    }
    Ok(())
}
