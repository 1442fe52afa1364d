//! The walls between the crates: who may depend on whom, and what may never get below the binary.
//!
//! Only normal dependencies count: tests may use what they like.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// Each crate and the crates of ours that it may depend on.
const EDGES: [(&str, &[&str]); 9] = [
    ("hysio-model", &[]),
    ("hysio-scaling", &["hysio-model"]),
    ("hysio-speech", &["hysio-model"]),
    ("hysio-clinical", &["hysio-model"]),
    ("hysio-control", &["hysio-scaling", "hysio-model"]),
    (
        "hysio-infra",
        &[
            "hysio-control",
            "hysio-clinical",
            "hysio-scaling",
            "hysio-model",
        ],
    ),
    (
        "hysio",
        &[
            "hysio-infra",
            "hysio-control",
            "hysio-clinical",
            "hysio-speech",
            "hysio-scaling",
            "hysio-model",
        ],
    ),
    // For tests only. It shares the starter of the embedded database with the product.
    ("hysio-testkit", &["hysio-infra", "hysio-model"]),
    ("xtask", &[]),
];

/// Crates that decide must be unable to await, open a socket, or speak to a server, by themselves or through others.
const PURE: [&str; 2] = ["hysio-model", "hysio-scaling"];
const IMPURE: [&str; 13] = [
    "tokio",
    "async-std",
    "smol",
    "mio",
    "sqlx",
    "tokio-postgres",
    "deadpool-postgres",
    "redis",
    "kube",
    "axum",
    "hyper",
    "reqwest",
    "ureq",
];

pub fn check() -> Result<()> {
    let metadata = MetadataCommand::new()
        .exec()
        .context("asking cargo for the dependencies")?;
    let graph = Graph::of(&metadata)?;
    let mut broken = broken_edges(&graph, &EDGES);
    broken.extend(PURE.iter().flat_map(|name| impure_paths(&graph, name)));
    if broken.is_empty() {
        println!("xtask: the walls between the crates stand");
        return Ok(());
    }
    bail!(
        "a wall between the crates is broken:\n  {}",
        broken.join("\n  ")
    )
}

/// Normal dependencies by package name, for the features in use. Two versions of a crate count as one.
#[derive(Debug, Default)]
struct Graph {
    members: BTreeSet<String>,
    edges: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn of(metadata: &Metadata) -> Result<Self> {
        let names: BTreeMap<&PackageId, String> = metadata
            .packages
            .iter()
            .map(|package| (&package.id, package.name.to_string()))
            .collect();
        let resolved = metadata
            .resolve
            .as_ref()
            .context("cargo resolved no dependencies")?;
        let mut graph = Self::default();
        for member in &metadata.workspace_members {
            graph.members.insert(names[member].clone());
        }
        for node in &resolved.nodes {
            let targets = graph.edges.entry(names[&node.id].clone()).or_default();
            for dependency in &node.deps {
                if dependency
                    .dep_kinds
                    .iter()
                    .any(|kind| kind.kind == DependencyKind::Normal)
                {
                    targets.insert(names[&dependency.pkg].clone());
                }
            }
        }
        Ok(graph)
    }

    fn direct(&self, name: &str) -> impl Iterator<Item = &str> {
        self.edges
            .get(name)
            .into_iter()
            .flatten()
            .map(String::as_str)
    }
}

fn broken_edges(graph: &Graph, allowed: &[(&str, &[&str])]) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = allowed.iter().copied().collect();
    let mut broken = Vec::new();
    for member in &graph.members {
        let Some(targets) = allowed.get(member.as_str()) else {
            broken.push(format!("{member} is not in the list of crates: add it to xtask/src/walls.rs and ARCHITECTURE.md"));
            continue;
        };
        for target in graph
            .direct(member)
            .filter(|target| graph.members.contains(*target))
        {
            if !targets.contains(&target) {
                broken.push(format!("{member} may not depend on {target}"));
            }
        }
    }
    broken
}

/// The shortest way from a pure crate to each impure one that it reaches.
fn impure_paths(graph: &Graph, pure: &str) -> Vec<String> {
    let mut paths: BTreeMap<&str, String> = BTreeMap::from([(pure, pure.to_owned())]);
    let mut next = vec![pure];
    let mut found = Vec::new();
    while !next.is_empty() {
        let mut after = Vec::new();
        for name in next {
            for target in graph.direct(name) {
                if paths.contains_key(target) {
                    continue;
                }
                let path = format!("{} → {target}", paths[name]);
                if IMPURE.contains(&target) {
                    found.push(format!("{pure} may not reach {target}, and does: {path}"));
                }
                paths.insert(target, path);
                after.push(target);
            }
        }
        next = after;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_through_a_wall_is_named() {
        let graph = graph(&["care", "scale"], &[("care", "scale"), ("care", "serde")]);
        let allowed: [(&str, &[&str]); 2] = [("care", &[]), ("scale", &[])];
        assert_eq!(
            broken_edges(&graph, &allowed),
            ["care may not depend on scale"]
        );
    }

    #[test]
    fn an_allowed_edge_and_a_foreign_crate_are_fine() {
        let graph = graph(&["care", "scale"], &[("scale", "care"), ("care", "serde")]);
        let allowed: [(&str, &[&str]); 2] = [("care", &[]), ("scale", &["care"])];
        assert!(broken_edges(&graph, &allowed).is_empty());
    }

    #[test]
    fn a_crate_that_nobody_listed_is_named() {
        let broken = broken_edges(&graph(&["new"], &[]), &[]);
        assert!(
            broken[0].starts_with("new is not in the list"),
            "{broken:?}"
        );
    }

    #[test]
    fn the_way_to_a_runtime_is_shown_and_a_cycle_ends() {
        let edges = [
            ("pure", "schema"),
            ("schema", "web"),
            ("web", "tokio"),
            ("web", "schema"),
        ];
        let found = impure_paths(&graph(&["pure"], &edges), "pure");
        assert_eq!(
            found,
            ["pure may not reach tokio, and does: pure → schema → web → tokio"]
        );
    }

    #[test]
    fn every_crate_of_this_workspace_keeps_to_its_walls() {
        check().unwrap();
    }

    fn graph(members: &[&str], edges: &[(&str, &str)]) -> Graph {
        let mut graph = Graph {
            members: members.iter().map(|&name| name.to_owned()).collect(),
            ..Graph::default()
        };
        for (from, to) in edges {
            graph
                .edges
                .entry((*from).to_owned())
                .or_default()
                .insert((*to).to_owned());
        }
        graph
    }
}
