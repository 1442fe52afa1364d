//! What was acknowledged against what is there.

use std::{collections::BTreeSet, fmt};

use hysio_infra::postgres::{Database, records};
use serde::Serialize;

use super::clinic::Clinician;

#[derive(Debug, Default, Serialize)]
pub struct Proof {
    /// Saves that were answered with success.
    pub acknowledged: usize,
    /// Of those, how many are there.
    pub present: usize,
    /// Saves without an answer, of which some are there and some are not.
    pub unanswered: usize,
    /// Versions that are there although nobody asked for them, or twice: no save that may have made them was sent.
    pub too_many: usize,
}

/// Reads every version of every draft again, on the primary.
pub async fn of(db: &Database, clinicians: &[Clinician]) -> anyhow::Result<Proof> {
    let mut proof = Proof::default();
    for clinician in clinicians {
        let tx = db.tx(clinician.facility).await?;
        for draft in &clinician.own {
            let versions = records::versions(&tx, draft.id).await?;
            let there: BTreeSet<i32> = versions.iter().map(|version| version.version).collect();
            let present = draft
                .acknowledged
                .iter()
                .filter(|version| there.contains(version));
            proof.present += present.count();
            proof.acknowledged += draft.acknowledged.len();
            proof.unanswered += draft.unanswered;
            // The first was there before.
            let explained =
                |version: &i32| *version == 1 || draft.built_on.contains(&(version - 1));
            proof.too_many += there.iter().filter(|version| !explained(version)).count();
        }
        tx.commit(&[]).await?;
    }
    Ok(proof)
}

impl Proof {
    pub fn holds(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.present == self.acknowledged && self.too_many == 0,
            "{} acknowledged saves are missing, and {} versions are too many",
            self.acknowledged - self.present,
            self.too_many
        );
        Ok(())
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "acknowledged {}, of which {} are there; {} without an answer; {} too many",
            self.acknowledged, self.present, self.unanswered, self.too_many
        )
    }
}
