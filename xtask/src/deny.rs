//! What may come in from outside. `cargo deny` checks `deny.toml` where it is installed; where it is not, the part of it
//! that needs no database is checked here: licences, sources, banned and doubled crates. Advisories need `cargo deny`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand, Package};
use serde::Deserialize;

const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deny.toml");
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The part of `deny.toml` that is checked here.
#[derive(Debug, Deserialize)]
struct Policy {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    #[serde(default)]
    deny_multiple_versions: bool,
}

pub fn check() -> Result<()> {
    if has_cargo_deny() {
        return run_cargo_deny();
    }
    println!(
        "xtask: cargo-deny is not installed; checking licences, sources and bans without it, advisories not at all"
    );
    let text = fs::read_to_string(CONFIGURATION).context("reading deny.toml")?;
    let policy: Policy = toml::from_str(&text).context("deny.toml")?;
    let metadata = MetadataCommand::new()
        .exec()
        .context("asking cargo for the dependencies")?;
    let used = used_packages()?;
    let broken = violations(&metadata, &used, &policy);
    if broken.is_empty() {
        println!("xtask: {} packages keep to deny.toml", used.len());
        return Ok(());
    }
    bail!("against deny.toml:\n  {}", broken.join("\n  "))
}

fn has_cargo_deny() -> bool {
    let mut command = Command::new("cargo");
    command
        .args(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn run_cargo_deny() -> Result<()> {
    let status = Command::new("cargo")
        .args(["deny", "check", "licenses", "bans", "sources"])
        .status()?;
    if !status.success() {
        bail!("cargo deny found something; its reason is above");
    }
    Ok(())
}

/// Name and version of every package that is compiled on some platform. The metadata also lists those that only a weak
/// feature (`ring?/std`) mentions, and which nobody turns on.
fn used_packages() -> Result<BTreeSet<String>> {
    let arguments = [
        "tree",
        "--workspace",
        "--target",
        "all",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let output = Command::new("cargo")
        .args(arguments)
        .output()
        .context("asking cargo for the tree")?;
    if !output.status.success() {
        bail!(
            "cargo tree failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .lines()
        .map(|line| {
            line.split_whitespace()
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect())
}

fn violations(metadata: &Metadata, used: &BTreeSet<String>, policy: &Policy) -> Vec<String> {
    let mut broken = Vec::new();
    let mut versions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let packages = metadata.packages.iter();
    for package in
        packages.filter(|package| used.contains(&format!("{} v{}", package.name, package.version)))
    {
        broken.extend(wrong_with(package, policy));
        versions
            .entry(package.name.as_str())
            .or_default()
            .insert(package.version.to_string());
    }
    for ban in policy
        .bans
        .deny
        .iter()
        .filter(|ban| ban.deny_multiple_versions)
    {
        if let Some(found) = versions
            .get(ban.name.as_str())
            .filter(|found| found.len() > 1)
        {
            broken.push(format!(
                "{} is there in more than one version: {found:?}",
                ban.name
            ));
        }
    }
    broken
}

fn wrong_with(package: &Package, policy: &Policy) -> Vec<String> {
    let name = format!("{} {}", package.name, package.version);
    let mut wrong = Vec::new();
    if package
        .source
        .as_ref()
        .is_some_and(|source| source.repr != CRATES_IO)
    {
        wrong.push(format!("{name} does not come from crates.io"));
    }
    match package.license.as_deref() {
        Some(license) if allowed(license, &policy.licenses.allow) => {}
        Some(license) => wrong.push(format!(
            "{name} has a licence that is not allowed: {license}"
        )),
        None => wrong.push(format!("{name} names no licence")),
    }
    let banned = policy
        .bans
        .deny
        .iter()
        .any(|ban| ban.name == package.name.as_str() && !ban.deny_multiple_versions);
    if banned {
        wrong.push(format!("{name} is banned"));
    }
    wrong
}

/// Whether an SPDX expression can be met with the allowed licences. `OR` binds weakest; a `WITH` exception only adds rights.
/// The old `A/B` means `A OR B`.
fn allowed(expression: &str, licences: &BTreeSet<String>) -> bool {
    let text = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let tokens: Vec<&str> = text.split_whitespace().collect();
    let mut reader = Expression {
        tokens: &tokens,
        licences,
    };
    reader.any() && reader.tokens.is_empty()
}

struct Expression<'a> {
    tokens: &'a [&'a str],
    licences: &'a BTreeSet<String>,
}

impl Expression<'_> {
    fn any(&mut self) -> bool {
        let mut met = self.all();
        while self.takes("OR") {
            met |= self.all();
        }
        met
    }

    fn all(&mut self) -> bool {
        let mut met = self.one();
        while self.takes("AND") {
            met &= self.one();
        }
        met
    }

    fn one(&mut self) -> bool {
        if self.takes("(") {
            let met = self.any();
            return self.takes(")") && met;
        }
        let Some((licence, rest)) = self.tokens.split_first() else {
            return false;
        };
        self.tokens = rest;
        if self.takes("WITH") {
            self.tokens = self.tokens.get(1..).unwrap_or_default();
        }
        self.licences.contains(*licence)
    }

    fn takes(&mut self, token: &str) -> bool {
        let found = self.tokens.first() == Some(&token);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_met_by_any_choice_but_needs_all_parts() {
        let licences = ["MIT", "Apache-2.0"].map(str::to_owned).into();
        for met in [
            "MIT",
            "MIT/GPL-3.0",
            "GPL-3.0 OR Apache-2.0",
            "(MIT OR GPL-3.0) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(allowed(met, &licences), "{met}");
        }
        for unmet in [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR GPL-3.0) AND GPL-3.0",
            "",
            "MIT )",
        ] {
            assert!(!allowed(unmet, &licences), "{unmet}");
        }
    }

    #[test]
    fn what_the_workspace_brings_in_is_allowed() {
        check().unwrap();
    }
}
