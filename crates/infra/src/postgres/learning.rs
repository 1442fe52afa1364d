//! What decisions on codes have taught a facility. See `docs/adr/0010-learning-from-use.md`.

use hysio_clinical::{
    diagnosecode::learning::Lesson,
    records::{Decision, Suggested},
};
use hysio_model::{Specialty, id::UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use super::{Error, Result, Tx, suggestions::Held};
use crate::cipher::Place;

const FIELD: &str = "lessons";
/// Lessons that one facility's coding looks at. A clinic of ten specialties decides on a few thousand different codes.
const LESSONS_MAX: i64 = 10_000;
/// Decisions that a count must have to be shared.
pub const SHARED_DECISIONS_MIN: u32 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether decisions are counted and move the ranking.
    pub enabled: bool,
    /// Whether counts that other facilities share move it too.
    pub uses_shared: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            uses_shared: false,
        }
    }
}

/// A lesson as it is kept.
#[derive(Debug, Clone)]
pub struct Entry {
    pub key: Vec<u8>,
    pub content: Content,
}

/// What is sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Content {
    pub lesson: Lesson,
    /// Earlier decisions are not in the counts.
    pub since: Timestamp,
    /// Switched off by an administrator: counted on, but moves nothing.
    pub off: bool,
}

pub async fn settings(tx: &Tx) -> Result<Settings> {
    let row = tx
        .query_opt("SELECT enabled, uses_shared FROM learning_settings", &[])
        .await?;
    Ok(row.map_or_else(Settings::default, |row| Settings {
        enabled: row.get("enabled"),
        uses_shared: row.get("uses_shared"),
    }))
}

pub async fn set(tx: &Tx, settings: Settings, by: UserId) -> Result<()> {
    tx.execute(
        "INSERT INTO learning_settings (facility_id, enabled, uses_shared, changed_by) VALUES ($1, $2, $3, $4)
         ON CONFLICT (facility_id) DO UPDATE SET enabled = $2, uses_shared = $3, changed_by = $4, changed_at = now()",
        &[
            &tx.facility().0,
            &settings.enabled,
            &settings.uses_shared,
            &by.0,
        ],
    )
    .await?;
    Ok(())
}

/// Everything that the facility has learnt.
pub async fn all(tx: &Tx) -> Result<Vec<Entry>> {
    tx.query(
        "SELECT key, content FROM lessons ORDER BY key LIMIT $1",
        &[&LESSONS_MAX],
    )
    .await?
    .iter()
    .map(|row| from_row(tx, row))
    .collect()
}

/// What moves the ranking: nothing where learning is off.
pub async fn for_coding(tx: &Tx) -> Result<Vec<Lesson>> {
    let settings = settings(tx).await?;
    if !settings.enabled {
        return Ok(Vec::new());
    }
    let entries = all(tx).await?;
    let mut lessons: Vec<Lesson> = entries
        .into_iter()
        .filter(|entry| !entry.content.off)
        .map(|entry| entry.content.lesson)
        .collect();
    if settings.uses_shared {
        lessons.extend(shared_by_others(tx).await?);
    }
    Ok(lessons)
}

/// Moves the counts with a decision, in its transaction. `before` is the suggestion as it was; it has the lock. Whether the
/// decision that now stands is counted.
pub async fn decided(tx: &Tx, before: &Held, now: Decision) -> Result<bool> {
    if before.suggested.decision == now {
        return Ok(before.counted);
    }
    if before.counted {
        let was = before.suggested.decision;
        let earlier = before.decided_at;
        for lesson in lessons_of(&before.suggested, before.specialty) {
            change(tx, &lesson, |content| {
                if earlier.is_some_and(|at| at >= content.since) {
                    count(content, was, -1);
                }
            })
            .await?;
        }
    }
    if now == Decision::Pending || !settings(tx).await?.enabled {
        return Ok(false);
    }
    for lesson in lessons_of(&before.suggested, before.specialty) {
        let since: Timestamp = tx.query_one("SELECT now()", &[]).await?.get(0);
        create(tx, &lesson, since).await?;
        change(tx, &lesson, |content| count(content, now, 1)).await?;
    }
    Ok(true)
}

/// Forgets a lesson. False when there is none.
pub async fn forget(tx: &Tx, key: &[u8]) -> Result<bool> {
    Ok(tx
        .execute("DELETE FROM lessons WHERE key = $1", &[&key])
        .await?
        == 1)
}

/// Switches a lesson off or on. False when there is none.
pub async fn switch(tx: &Tx, key: &[u8], off: bool) -> Result<bool> {
    update(tx, key, |content| content.off = off).await
}

/// Shares the counts of codes that were decided often enough, in place of what was shared before. Returns how many.
pub async fn share(tx: &Tx) -> Result<u64> {
    unshare(tx).await?;
    let mut shared = 0;
    for Entry { content, .. } in all(tx).await? {
        let lesson = content.lesson;
        let decided = lesson.accepted + lesson.rejected;
        if content.off || lesson.phrase.is_some() || decided < SHARED_DECISIONS_MIN {
            continue;
        }
        shared += tx
            .execute(
                "INSERT INTO shared_lessons (facility_id, system, code, specialty, accepted, rejected)
                 VALUES ($1, $2, $3, $4, $5, $6)",
                &[
                    &tx.facility().0,
                    &lesson.system.as_str(),
                    &lesson.code,
                    &lesson.specialty.map_or("", Specialty::as_str),
                    &number(lesson.accepted),
                    &number(lesson.rejected),
                ],
            )
            .await?;
    }
    Ok(shared)
}

/// Takes back what was shared.
pub async fn unshare(tx: &Tx) -> Result<u64> {
    tx.execute("DELETE FROM shared_lessons", &[]).await
}

/// How many counts the facility shares, and since when.
pub async fn shared(tx: &Tx) -> Result<Option<(i64, Timestamp)>> {
    let row = tx
        .query_one("SELECT count(*), max(shared_at) FROM shared_lessons", &[])
        .await?;
    let at: Option<Timestamp> = row.get(1);
    Ok(at.map(|at| (row.get(0), at)))
}

async fn shared_by_others(tx: &Tx) -> Result<Vec<Lesson>> {
    let rows = tx
        .query(
            "SELECT system, code, specialty, accepted, rejected FROM lessons_shared_by_others()",
            &[],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let (code, specialty): (String, &str) = (row.get("code"), row.get("specialty"));
            let system: &str = row.get("system");
            let many = |column: &str| u32::try_from(row.get::<_, i64>(column)).unwrap_or(u32::MAX);
            Ok(Lesson {
                system: system
                    .parse()
                    .map_err(|_| Error::corrupt("shared_lessons", "system", &code))?,
                title: String::new(),
                billable: false,
                specialty: specialty.parse().ok(),
                phrase: None,
                accepted: many("accepted"),
                rejected: many("rejected"),
                shared: true,
                code,
            })
        })
        .collect()
}

/// What a decision on a suggestion teaches: its code, and the words that it is suggested for, where they were taught.
fn lessons_of(suggested: &Suggested, specialty: Option<Specialty>) -> Vec<Lesson> {
    let suggestion = &suggested.suggestion;
    let phrase = suggestion
        .learnt
        .as_ref()
        .and_then(|learnt| learnt.phrase.clone());
    let lesson = |phrase| Lesson {
        system: suggestion.system,
        code: suggestion.code.clone(),
        title: suggestion.title.clone(),
        billable: suggestion.billable,
        specialty,
        phrase,
        accepted: 0,
        rejected: 0,
        shared: false,
    };
    [None]
        .into_iter()
        .chain(phrase.map(Some))
        .map(lesson)
        .collect()
}

fn count(content: &mut Content, decision: Decision, by: i32) {
    let number = match decision {
        Decision::Accepted => &mut content.lesson.accepted,
        Decision::Rejected => &mut content.lesson.rejected,
        Decision::Pending => return,
    };
    *number = number.saturating_add_signed(by);
}

async fn create(tx: &Tx, lesson: &Lesson, since: Timestamp) -> Result<()> {
    let key = key(tx, lesson);
    let content = Content {
        lesson: lesson.clone(),
        since,
        off: false,
    };
    tx.execute(
        "INSERT INTO lessons (facility_id, key, content) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        &[&tx.facility().0, &key, &tx.seal(&place(&key), &content)?],
    )
    .await?;
    Ok(())
}

async fn change(tx: &Tx, lesson: &Lesson, by: impl FnOnce(&mut Content)) -> Result<bool> {
    update(tx, &key(tx, lesson), by).await
}

/// Reads, changes and writes one row under its lock. A lesson of which no decision is left goes.
async fn update(tx: &Tx, key: &[u8], by: impl FnOnce(&mut Content)) -> Result<bool> {
    let row = tx
        .query_opt(
            "SELECT key, content FROM lessons WHERE key = $1 FOR UPDATE",
            &[&key],
        )
        .await?;
    let Some(row) = row else { return Ok(false) };
    let mut content = from_row(tx, &row)?.content;
    by(&mut content);
    if content.lesson.accepted == 0 && content.lesson.rejected == 0 {
        return forget(tx, key).await;
    }
    let sealed = tx.seal(&place(key), &content)?;
    tx.execute(
        "UPDATE lessons SET content = $2 WHERE key = $1",
        &[&key, &sealed],
    )
    .await?;
    Ok(true)
}

fn key(tx: &Tx, lesson: &Lesson) -> Vec<u8> {
    let value = [
        lesson.system.as_str(),
        &lesson.code,
        lesson.specialty.map_or("", Specialty::as_str),
        lesson.phrase.as_deref().unwrap_or_default(),
    ]
    .join("\u{1f}");
    tx.keys().index().exact(FIELD, &value).to_vec()
}

fn place(key: &[u8]) -> Place {
    Place::new("lessons", "content", hex(key))
}

/// A key as the API names it.
#[must_use]
pub fn hex(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The key that [`hex`] wrote.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

fn number(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn from_row(tx: &Tx, row: &Row) -> Result<Entry> {
    let key: Vec<u8> = row.get("key");
    let content = tx.open(&place(&key), row.get("content"))?;
    Ok(Entry { key, content })
}
