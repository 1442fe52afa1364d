//! Prints, for texts whose codes are known, the features of each suggestion and whether it is right: the table that the
//! weights of the ranking are fitted from (`scripts/catalogue/fit_ranker.py`).
//!
//! `ranking_table CATALOGUE ROWS.jsonl [LIMIT] > table.tsv`

use std::{collections::HashSet, fs, path::Path};

use anyhow::{Context, Result};
use hysio_clinical::diagnosecode::{Engine, Query};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, catalogue, rows, rest @ ..] = arguments.as_slice() else {
        anyhow::bail!("usage: ranking_table CATALOGUE ROWS.jsonl [LIMIT]");
    };
    let limit = rest.first().map_or(Ok(50), |limit| limit.parse())?;
    let engine = Engine::open(Path::new(catalogue))?;
    for (number, line) in fs::read_to_string(rows)?.lines().enumerate() {
        let row: serde_json::Value = serde_json::from_str(line)?;
        let text = row["text"].as_str().context("no text")?;
        let gold: HashSet<String> = row["gold"]
            .as_array()
            .context("no gold")?
            .iter()
            .filter_map(|code| Some(code.as_str()?.replace('.', "")))
            .collect();
        let query = Query {
            limit,
            ..Query::default()
        };
        for explained in engine.explain(text, &query)? {
            let code = explained.suggestion.code.replace('.', "");
            let right = gold.iter().any(|gold| code.starts_with(gold.as_str()));
            let near = gold.iter().any(|gold| gold.get(..3) == code.get(..3));
            print!(
                "{number}\t{}\t{}\t{}\t{}",
                explained.suggestion.code,
                u8::from(right),
                u8::from(near),
                gold.len()
            );
            for (name, value) in explained.features {
                print!("\t{name}={value}");
            }
            println!();
        }
    }
    Ok(())
}
