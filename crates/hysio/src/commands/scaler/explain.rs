//! A decision as people read it: what is to be done about each resource, and the proposals side by side.

use std::io::{self, Write};

use comfy_table::Table;
use hysio_scaling::{
    Proposal, Wants,
    decide::{Decision, Outcome, Verdict},
};

/// # Errors
/// When `out` cannot be written.
pub fn print(mut out: impl Write, decision: &Decision, json: bool) -> io::Result<()> {
    if json {
        serde_json::to_writer_pretty(&mut out, decision)?;
        return writeln!(out);
    }
    for outcome in &decision.outcomes {
        writeln!(out, "{}", sentence(outcome))?;
        for limit in &outcome.limits {
            writeln!(out, "  limit: {limit}")?;
        }
        if !outcome.proposals.is_empty() {
            writeln!(out, "{}\n", table(outcome))?;
        }
    }
    Ok(())
}

/// What is to be done, in a sentence.
#[must_use]
pub fn sentence(outcome: &Outcome) -> String {
    let resource = outcome.resource;
    match &outcome.verdict {
        Verdict::Plan { to, because } => {
            format!("{resource}: {} → {to}, because {because}", outcome.current)
        }
        Verdict::NoPlan { why } => format!("{resource}: stays at {} – {why}", outcome.current),
    }
}

fn table(outcome: &Outcome) -> Table {
    let mut table = crate::commands::table::table();
    table.set_header(["policy", "wants", "saw", "limits"]);
    for proposal in &outcome.proposals {
        let chosen = outcome.chosen.as_ref() == Some(&proposal.policy);
        let name = if chosen {
            format!("{} (chosen)", proposal.policy)
        } else {
            proposal.policy.to_string()
        };
        table.add_row([
            name,
            wants(&proposal.wants),
            saw(proposal),
            proposal.limits.join("; "),
        ]);
    }
    table
}

/// A wish, in a few words.
#[must_use]
pub fn wants(wants: &Wants) -> String {
    match wants {
        Wants::Count { count } => count.to_string(),
        Wants::AtLeast { count } => format!("at least {count}"),
        Wants::Hold { why } => format!("no fewer: {why}"),
        Wants::Nothing { why } => format!("nothing: {why}"),
    }
}

fn saw(proposal: &Proposal) -> String {
    proposal
        .evidence
        .iter()
        .map(|evidence| {
            format!(
                "{} {} ({})",
                evidence.signal, evidence.value, evidence.against
            )
        })
        .collect::<Vec<_>>()
        .join("\n")
}
