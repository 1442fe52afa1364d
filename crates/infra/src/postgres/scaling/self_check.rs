//! What a process finds out about itself before it calls itself ready, and again from time to time: that it can decrypt what
//! it must work with, write to the audit trail, and see one facility at a time.

use hysio_model::{
    audit::{AuditEvent, Outcome},
    id::FacilityId,
};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::{
    cipher::Place,
    postgres::{Database, Error, Result, audit, migrate, records},
};

/// Facilities that are tried, the newest data keys first.
const FACILITIES_TRIED: i64 = 5;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelfCheck {
    pub encryption: bool,
    pub audit: bool,
    pub access_control: bool,
    /// What did not hold, in words without data.
    pub trouble: Option<String>,
}

impl SelfCheck {
    #[must_use]
    pub fn passed(&self) -> bool {
        self.encryption && self.audit && self.access_control && self.trouble.is_none()
    }
}

impl Database {
    /// Tries all three, and whether the schema still works for this program. An outage is a check that did not pass, with the
    /// reason.
    pub async fn self_check(&self) -> SelfCheck {
        let mut troubles = Vec::new();
        let mut note = |what: &str, result: Result<()>| match result {
            Ok(()) => true,
            Err(error) => {
                troubles.push(format!("{what}: {error}"));
                false
            }
        };
        let encryption = note("encryption", self.check_encryption().await);
        let audit = note("audit", self.check_audit().await);
        let access_control = note("access control", self.check_access_control().await);
        note("schema", self.check_schema().await);
        SelfCheck {
            encryption,
            audit,
            access_control,
            trouble: (!troubles.is_empty()).then(|| troubles.join("; ")),
        }
    }

    /// A later version may have taken away what this one needs, while it hung.
    async fn check_schema(&self) -> Result<()> {
        let tx = self.platform_tx().await?;
        let oldest = tx
            .query_one("SELECT oldest FROM schema_support", &[])
            .await?;
        tx.commit(&[]).await?;
        migrate::must_be_supported(oldest.get(0))
    }

    /// Opens the newest stored record of some facilities, and a value sealed just now for those without one.
    async fn check_encryption(&self) -> Result<()> {
        for facility in self.facilities_with_keys().await? {
            self.seal_and_open(facility).await?;
            records::open_newest(&self.tx(facility).await?).await?;
        }
        Ok(())
    }

    pub(super) async fn seal_and_open(&self, facility: FacilityId) -> Result<()> {
        let tx = self.tx(facility).await?;
        let place = Place::new("self_check", "value", "probe");
        let sealed = tx.seal(&place, &"probe")?;
        let opened: String = tx.open(&place, &sealed)?;
        if opened == "probe" {
            Ok(())
        } else {
            Err(Error::corrupt("self_check", "value", facility))
        }
    }

    pub(super) async fn facilities_with_keys(&self) -> Result<Vec<FacilityId>> {
        let tx = self.platform_tx().await?;
        let rows = tx
            .query(
                "SELECT facility_id FROM encryption_keys WHERE purpose = 'data' GROUP BY facility_id ORDER BY max(created_at) DESC LIMIT $1",
                &[&FACILITIES_TRIED],
            )
            .await?;
        tx.commit(&[]).await?;
        Ok(rows.iter().map(|row| FacilityId(row.get(0))).collect())
    }

    /// Writes an entry and rolls it back: what is checked is the way, not the trail.
    pub(super) async fn check_audit(&self) -> Result<()> {
        let tx = self.platform_tx().await?;
        let probe = [AuditEvent {
            id: Uuid::now_v7(),
            at: Timestamp::now(),
            facility: None,
            actor: "self-check".into(),
            action: "self_check.probe".into(),
            resource: "audit_trail".into(),
            resource_id: "probe".into(),
            outcome: Outcome::Success,
            details: json!(null),
        }];
        let columns = audit::Columns::from(&probe[..]);
        tx.execute(audit::INSERT, &columns.params()).await?;
        Ok(())
    }

    /// Row-level security is in force for this role, and without a facility nothing is seen.
    async fn check_access_control(&self) -> Result<()> {
        let tx = self.platform_tx().await?;
        let row = tx
            .query_one(
                "SELECT row_security_active('patients') AND row_security_active('patient_records') AND NOT r.rolsuper AND NOT r.rolbypassrls,
                        (SELECT count(*) FROM (SELECT 1 FROM patients LIMIT 1) p)
                 FROM pg_roles r WHERE r.rolname = current_user",
                &[],
            )
            .await?;
        tx.commit(&[]).await?;
        let (active, seen): (bool, i64) = (row.get(0), row.get(1));
        if active && seen == 0 {
            Ok(())
        } else {
            Err(Error::Settings(
                "row-level security is not in force for this role: connect as hysio_app".into(),
            ))
        }
    }
}
