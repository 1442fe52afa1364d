//! The trail as people read it.

use std::io::{self, Write};

use hysio_infra::audit::Entry;

/// Prints entries as a story, with a heading for each day, or as JSON Lines.
pub struct Page<W> {
    out: W,
    json: bool,
    day: Option<jiff::civil::Date>,
}

impl<W: Write> Page<W> {
    pub fn new(out: W, json: bool) -> Self {
        Self {
            out,
            json,
            day: None,
        }
    }

    /// # Errors
    /// When it cannot be written.
    pub fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        if self.json {
            serde_json::to_writer(&mut self.out, entry)?;
            return writeln!(self.out);
        }
        let at = entry.event.at.to_zoned(jiff::tz::TimeZone::UTC);
        if self.day != Some(at.date()) {
            self.day = Some(at.date());
            writeln!(self.out, "\n{} (UTC)", at.date())?;
        }
        writeln!(
            self.out,
            "  {}  {}",
            at.strftime("%H:%M:%S"),
            sentence(entry)
        )
    }
}

/// Who did what to what, and how it ended.
fn sentence(entry: &Entry) -> String {
    let event = &entry.event;
    let place = entry.leaf.map_or("not in the log yet".to_owned(), |leaf| {
        format!("#{}", leaf.index)
    });
    let facility = event
        .facility
        .map_or(String::new(), |facility| format!(" at facility {facility}"));
    let details = match &event.details {
        serde_json::Value::Object(members) => members
            .iter()
            .map(|(name, value)| format!(" {name}={value}"))
            .collect(),
        serde_json::Value::Null => String::new(),
        other @ (serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_)
        | serde_json::Value::Array(_)) => format!(" {other}"),
    };
    format!(
        "{:<8} {} did {} on {} {}{facility}{details}  ({place})",
        event.outcome.as_str(),
        event.actor,
        event.action,
        event.resource,
        event.resource_id,
    )
}

#[cfg(test)]
mod tests {
    use hysio_model::{
        audit::{AuditEvent, Outcome},
        id::FacilityId,
    };
    use serde_json::json;

    use super::*;

    fn event(n: u128, at: &str) -> AuditEvent {
        AuditEvent {
            id: uuid::Uuid::from_u128(n),
            at: at.parse().unwrap(),
            facility: Some(FacilityId(3)),
            actor: "worker".to_owned(),
            action: "record.draft".to_owned(),
            resource: "record".to_owned(),
            resource_id: "12".to_owned(),
            outcome: Outcome::Success,
            details: json!({"version": 2}),
        }
    }

    #[test]
    fn entries_read_like_a_story() {
        let mut out = Vec::new();
        let mut page = Page::new(&mut out, false);
        for at in ["2026-11-23T23:59:59.5Z", "2026-11-24T00:00:00Z"] {
            page.entry(&Entry {
                event: event(1, at),
                leaf: None,
            })
            .unwrap();
        }
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\n2026-11-23 (UTC)\n  23:59:59  success  worker did record.draft on record 12 at facility 3 version=2  (not in the log yet)\n\
             \n2026-11-24 (UTC)\n  00:00:00  success  worker did record.draft on record 12 at facility 3 version=2  (not in the log yet)\n"
        );
    }
}
