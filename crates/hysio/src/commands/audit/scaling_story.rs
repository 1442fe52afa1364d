//! The trail's entries about capacity as people read them: one paragraph a change, step by step, and emergencies between them.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use hysio_infra::audit::Entry;
use jiff::Timestamp;
use serde_json::Value;

/// Collects what is about scaling, and tells it when all is read.
#[derive(Default)]
pub struct ScalingStory {
    chapters: Vec<Vec<Entry>>,
    /// Where the chapter of a change is.
    by_change: HashMap<String, usize>,
}

impl ScalingStory {
    #[must_use]
    pub fn is_about(entry: &Entry) -> bool {
        let action = &entry.event.action;
        action.starts_with("scaling.") || action.starts_with("emergency.")
    }

    pub fn add(&mut self, entry: Entry) {
        if !Self::is_about(&entry) {
            return;
        }
        if entry.event.action.starts_with("emergency.") {
            self.chapters.push(vec![entry]);
            return;
        }
        let next = self.chapters.len();
        let at = *self
            .by_change
            .entry(entry.event.resource_id.clone())
            .or_insert(next);
        if at == next {
            self.chapters.push(Vec::new());
        }
        self.chapters[at].push(entry);
    }

    /// # Errors
    /// When it cannot be written.
    pub fn tell(mut self, out: &mut impl Write) -> io::Result<()> {
        if self.chapters.is_empty() {
            return writeln!(out, "nothing was scaled yet");
        }
        for chapter in &mut self.chapters {
            // Entries get their places in the log a little later than their times, and not always in that order.
            chapter.sort_by_key(|entry| entry.event.at);
        }
        self.chapters.sort_by_key(|chapter| chapter[0].event.at);
        let mut day = None;
        for chapter in &self.chapters {
            let date = chapter[0].event.at.to_zoned(jiff::tz::TimeZone::UTC).date();
            if day != Some(date) {
                day = Some(date);
                writeln!(out, "\n{date} (UTC)")?;
            }
            writeln!(out)?;
            if chapter[0].event.action.starts_with("emergency.") {
                emergency(out, &chapter[0])?;
            } else {
                change(out, chapter)?;
            }
        }
        Ok(())
    }
}

fn emergency(out: &mut impl Write, entry: &Entry) -> io::Result<()> {
    let event = &entry.event;
    let what = match event.action.as_str() {
        "emergency.declare" => format!(
            "an emergency is declared: {}, until {} at most",
            text(&event.details, "scenario"),
            text(&event.details, "ends_at"),
        ),
        "emergency.end" => format!(
            "the emergency has ended by itself: {}",
            text(&event.details, "scenario")
        ),
        _ => format!(
            "the emergency is over: {}",
            text(&event.details, "scenario")
        ),
    };
    writeln!(out, "{}  {what}  {}", clock(event.at), place(entry))?;
    writeln!(
        out,
        "          by {}: {}",
        event.actor,
        text(&event.details, "reason")
    )
}

fn change(out: &mut impl Write, chapter: &[Entry]) -> io::Result<()> {
    let first = &chapter[0].event;
    let begun = first.at;
    writeln!(
        out,
        "{}  {}: {} → {}, {}",
        clock(begun),
        first.resource,
        first.details["old"],
        first.details["new"],
        ending(chapter)
    )?;
    writeln!(
        out,
        "          by {} (process {}): {}",
        first.actor,
        first.details["pid"],
        text(&first.details, "justification")
    )?;
    if let Some(plan) = first.details["plan"].as_str() {
        writeln!(out, "          decided as {plan}")?;
    }
    for entry in chapter {
        step(out, begun, entry)?;
    }
    Ok(())
}

fn step(out: &mut impl Write, begun: Timestamp, entry: &Entry) -> io::Result<()> {
    let details = &entry.event.details;
    let word = text(details, "action");
    let after = entry.event.at.duration_since(begun).as_secs_f64();
    let said = match details["gates"].as_array() {
        Some(gates) => gate_words(gates),
        None if ["FAILED", "STUCK", "SUPERSEDED"].contains(&word) => {
            text(details, "justification").to_owned()
        }
        None if word.starts_with("ROLLBACK") => format!("to {}", details["new"]),
        None => String::new(),
    };
    let line = format!("  {after:+8.2} s  {word:<18}  {said}");
    writeln!(out, "{}  {}", line.trim_end(), place(entry))
}

/// The gates that did not pass with what they found; of those that did, the names.
fn gate_words(gates: &[Value]) -> String {
    let passed = |gate: &&Value| gate["verdict"] == "pass";
    let failed: Vec<String> = gates
        .iter()
        .filter(|gate| !passed(gate))
        .map(|gate| {
            format!(
                "{} {}: {}",
                text(gate, "gate"),
                text(gate, "verdict"),
                text(gate, "facts")
            )
        })
        .collect();
    if !failed.is_empty() {
        return failed.join("; ");
    }
    let names: Vec<&str> = gates
        .iter()
        .filter(passed)
        .map(|gate| text(gate, "gate"))
        .collect();
    format!("{} gates: {}", names.len(), names.join(", "))
}

fn ending(chapter: &[Entry]) -> &'static str {
    let word = chapter
        .last()
        .map_or("", |entry| text(&entry.event.details, "action"));
    match word {
        "COMPLETED" => "completed",
        "FAILED" => "refused",
        "ROLLBACK_COMPLETED" => "rolled back",
        "SUPERSEDED" => "superseded by a newer change",
        _ => "under way",
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn clock(at: Timestamp) -> impl std::fmt::Display {
    at.strftime("%H:%M:%S")
}

fn place(entry: &Entry) -> String {
    entry
        .leaf
        .map_or("(not in the log yet)".to_owned(), |leaf| {
            format!("(#{})", leaf.index)
        })
}

#[cfg(test)]
mod tests {
    use hysio_model::audit::{AuditEvent, Outcome};
    use serde_json::json;

    use super::*;

    fn entry(action: &str, id: &str, millis: i64, details: Value) -> Entry {
        let at = Timestamp::from_millisecond(1_764_000_000_000 + millis).unwrap();
        Entry {
            event: AuditEvent {
                id: uuid::Uuid::nil(),
                at,
                facility: None,
                actor: "scaler".to_owned(),
                action: action.to_owned(),
                resource: "transcription_workers".to_owned(),
                resource_id: id.to_owned(),
                outcome: Outcome::Success,
                details,
            },
            leaf: None,
        }
    }

    fn step(id: &str, word: &str, millis: i64, gates: Option<Value>) -> Entry {
        let mut details =
            json!({"action": word, "old": 1, "new": 3, "justification": "a long queue", "pid": 7});
        if let Some(gates) = gates {
            details["gates"] = gates;
        }
        entry(&format!("scaling.{word}"), id, millis, details)
    }

    #[test]
    fn changes_that_went_on_at_once_are_told_one_after_the_other_with_what_failed() {
        let silent = json!([{"gate": "monitoring", "verdict": "fail", "facts": "app does not answer"},
                            {"gate": "audit_trail", "verdict": "pass", "facts": "whole"}]);
        let good = json!([{"gate": "audit_trail", "verdict": "pass", "facts": "whole"}]);
        let mut story = ScalingStory::default();
        for entry in [
            step("a", "INITIATED", 0, None),
            step("b", "INITIATED", 100, None),
            entry("record.sign", "x", 150, json!({})),
            step("a", "GATES_PASSED", 200, Some(good)),
            step("b", "FAILED", 300, Some(silent)),
            entry(
                "emergency.declare",
                "e",
                400,
                json!({"scenario": "pandemic_response", "reason": "a wave", "ends_at": "noon"}),
            ),
            step("a", "COMPLETED", 1_500, None),
        ] {
            story.add(entry);
        }
        let mut out = Vec::new();
        story.tell(&mut out).unwrap();
        let told = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = told.lines().map(str::trim).collect();
        let at = |start: &str| {
            lines
                .iter()
                .position(|line| line.contains(start))
                .unwrap_or_else(|| panic!("{start} in {told}"))
        };
        assert!(
            at("1 → 3, completed") < at("1 gates: audit_trail"),
            "{told}"
        );
        assert!(at("COMPLETED") < at("1 → 3, refused"), "{told}");
        assert!(
            at("refused") < at("monitoring fail: app does not answer"),
            "{told}"
        );
        assert!(at("monitoring fail") < at("pandemic_response"), "{told}");
        assert!(!told.contains("record.sign"), "{told}");
    }
}
