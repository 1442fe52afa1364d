//! What the commands print: tables and sentences for people, JSON for programs.

use anyhow::Result;
use comfy_table::{Table, presets::NOTHING};
use hysio_infra::{
    backup::{Created, Damaged, Listing, Manifest, Store, Verified},
    postgres::backups::{NewBackup, Noted},
};
use indicatif::HumanBytes;
use serde_json::{Value, json};

pub fn created(created: &Created, as_json: bool) -> Result<()> {
    let manifest = &created.manifest;
    if as_json {
        let mut value = summary(manifest);
        value["path"] = json!(created.path);
        value["removed"] = json!(created.removed);
        return print(&value);
    }
    println!(
        "backup {} is complete: {} in {} files, in {}",
        manifest.id,
        HumanBytes(manifest.bytes()),
        manifest.count(),
        created.path.display()
    );
    for id in &created.removed {
        println!("removed {id}, which was one too many (backup.keep)");
    }
    if manifest.with_keys {
        println!(
            "The keys are in it: whoever has this backup can read every record. Keep it under lock and key."
        );
    } else {
        println!(
            "The master key is not in it, and without that key nobody can read it: keep a copy of the key elsewhere."
        );
    }
    Ok(())
}

pub fn elsewhere(made: &NewBackup, as_json: bool) -> Result<()> {
    if as_json {
        return print(
            &json!({ "id": made.id, "taken_at": made.taken_at, "bytes": made.bytes, "path": made.path }),
        );
    }
    println!(
        "backup {} is complete: {}, {}",
        made.id,
        made.path,
        HumanBytes(made.bytes)
    );
    Ok(())
}

/// Backups of an external database, as they were noted.
pub fn noted(noted: &[Noted], as_json: bool) -> Result<()> {
    if as_json {
        let all: Vec<Value> = noted
            .iter()
            .map(|it| json!({ "id": it.id, "taken_at": it.taken_at, "bytes": it.bytes, "path": it.path }))
            .collect();
        return print(&json!({ "backups": all }));
    }
    if noted.is_empty() {
        println!("no backup was noted");
        return Ok(());
    }
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_header(["ID", "TAKEN AT", "SIZE", "WHERE"]);
    for it in noted {
        table.add_row([
            it.id.to_string(),
            format!("{:.0}", it.taken_at),
            HumanBytes(it.bytes).to_string(),
            it.path.clone(),
        ]);
    }
    println!("{table}");
    Ok(())
}

pub fn list(store: &Store, listing: &Listing, as_json: bool) -> Result<()> {
    if as_json {
        let damaged: Vec<Value> = listing
            .damaged
            .iter()
            .map(|damaged| json!({ "id": damaged.id, "problem": damaged.error.to_string() }))
            .collect();
        let backups: Vec<Value> = listing.backups.iter().map(summary).collect();
        return print(&json!({ "backups": backups, "damaged": damaged }));
    }
    if listing.backups.is_empty() && listing.damaged.is_empty() {
        println!("no backups in {}", store.path().display());
        return Ok(());
    }
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_header(["ID", "TAKEN AT", "SIZE", "FILES", "RECORDINGS", "KEYS"]);
    for manifest in &listing.backups {
        table.add_row([
            manifest.id.to_string(),
            format!("{:.0}", manifest.taken_at),
            HumanBytes(manifest.bytes()).to_string(),
            manifest.files.len().to_string(),
            manifest.recordings.len().to_string(),
            if manifest.with_keys { "inside" } else { "-" }.to_owned(),
        ]);
    }
    for damaged in &listing.damaged {
        table.add_row([damaged.id.to_string(), "damaged".to_owned()]);
    }
    println!("{table}");
    Ok(())
}

pub fn verified(
    results: &[(Manifest, Verified)],
    damaged: &[Damaged],
    as_json: bool,
) -> Result<()> {
    if as_json {
        let found: Vec<Value> = results
            .iter()
            .map(|(manifest, found)| verification(manifest, found))
            .chain(damaged.iter().map(|damaged| {
                json!({ "id": damaged.id, "good": false, "problems": [{ "what": damaged.error.to_string() }] })
            }))
            .collect();
        return print(&json!(found));
    }
    for (manifest, found) in results {
        if found.is_good() {
            println!(
                "{}: good; {} files, {}, and the log since",
                manifest.id,
                found.files,
                HumanBytes(found.bytes)
            );
        }
        for problem in found.problems.iter().chain(&found.log_problems) {
            println!(
                "{}: {} {}",
                manifest.id,
                problem.path.display(),
                problem.what
            );
        }
    }
    for damaged in damaged {
        println!("{}: {}", damaged.id, damaged.error);
    }
    Ok(())
}

fn verification(manifest: &Manifest, found: &Verified) -> Value {
    let problems = |problems: &[hysio_infra::backup::Problem]| -> Vec<Value> {
        problems
            .iter()
            .map(|problem| json!({ "path": problem.path, "what": problem.what }))
            .collect()
    };
    json!({
        "id": manifest.id,
        "good": found.is_good(),
        "files": found.files,
        "bytes": found.bytes,
        "problems": problems(&found.problems),
        "log_problems": problems(&found.log_problems),
    })
}

fn summary(manifest: &Manifest) -> Value {
    json!({
        "id": manifest.id,
        "taken_at": manifest.taken_at,
        "bytes": manifest.bytes(),
        "files": manifest.files.len(),
        "recordings": manifest.recordings.len(),
        "with_keys": manifest.with_keys,
        "hysio": manifest.hysio,
    })
}

pub fn print(value: &Value) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
