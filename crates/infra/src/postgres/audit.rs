//! The audit trail's rows: written with what they record, put in order afterwards (see [`crate::audit`]).

use hysio_model::audit::AuditEvent;
use jiff::Timestamp;
use postgres_types::ToSql;
use serde_json::Value;
use uuid::Uuid;

pub(super) const INSERT: &str = "INSERT INTO audit_entries (id, at, facility_id, actor, action, resource, resource_id, outcome, details)
     SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::jsonb[])";

/// Entries as columns, so that any number of them is one statement.
#[derive(Default)]
pub(super) struct Columns<'a> {
    ids: Vec<Uuid>,
    ats: Vec<Timestamp>,
    facilities: Vec<Option<i32>>,
    actors: Vec<&'a str>,
    actions: Vec<&'a str>,
    resources: Vec<&'a str>,
    resource_ids: Vec<&'a str>,
    outcomes: Vec<&'static str>,
    details: Vec<&'a Value>,
}

impl<'a> From<&'a [AuditEvent]> for Columns<'a> {
    fn from(events: &'a [AuditEvent]) -> Self {
        let mut columns = Self::default();
        for event in events {
            columns.ids.push(event.id);
            columns.ats.push(event.at);
            columns.facilities.push(event.facility.map(|id| id.0));
            columns.actors.push(&event.actor);
            columns.actions.push(&event.action);
            columns.resources.push(&event.resource);
            columns.resource_ids.push(&event.resource_id);
            columns.outcomes.push(event.outcome.as_str());
            columns.details.push(&event.details);
        }
        columns
    }
}

impl Columns<'_> {
    pub(super) fn params(&self) -> [&(dyn ToSql + Sync); 9] {
        [
            &self.ids,
            &self.ats,
            &self.facilities,
            &self.actors,
            &self.actions,
            &self.resources,
            &self.resource_ids,
            &self.outcomes,
            &self.details,
        ]
    }
}
