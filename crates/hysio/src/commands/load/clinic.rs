//! The people and what they work on: facilities, clinicians who have signed in, patients with a draft record each.
//!
//! Made through the product's own store, so that everything is sealed and indexed as in production. Sessions are written
//! directly: signing in is slow on purpose, and limited.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use hysio_clinical::records::{Demographics, MedicalRecord, Note, Sex};
use hysio_infra::{
    cipher::MasterKeys,
    postgres::{
        Database, Tx,
        accounts::{self, NewUser},
        encounters::{self, NewEncounter},
        migrate, patients, records, sessions, suggestions,
    },
};
use hysio_model::{
    Role, Specialty,
    diagnosis::{CodeSystem, Suggestion},
    id::{FacilityId, RecordId, UserId},
    transcript::Language,
};
use jiff::civil::date;
use sha2::{Digest as _, Sha256};
use tokio_postgres::Client;

use super::client::{Browser, Target};
use crate::{config::Config, start};

const CLINICIANS_OF_A_FACILITY: usize = 50;
const PATIENTS_OF_A_CLINICIAN: usize = 5;
/// Clinicians whose patients are written at once.
const WRITERS: usize = 4;
const SESSION: Duration = Duration::from_secs(12 * 3_600);

pub struct Clinician {
    pub facility: FacilityId,
    pub browser: Browser,
    /// What this clinician edits, and nobody else.
    pub own: Vec<Draft>,
    /// What this clinician reads: every record of the facility.
    pub readable: Arc<[RecordId]>,
}

pub struct Draft {
    pub id: RecordId,
    pub version: i32,
    /// Versions whose saving was answered with success.
    pub acknowledged: Vec<i32>,
    /// Saves that got no answer, or one that tells nothing.
    pub unanswered: usize,
    /// Versions on which something was saved, or may have been.
    pub built_on: BTreeSet<i32>,
}

/// Fills the configured installation, and signs everybody in.
pub async fn open(
    config: &Config,
    db: &Database,
    target: &Target,
    count: usize,
) -> anyhow::Result<Vec<Clinician>> {
    let mut owner = migrate::connect(&start::owner_config(config)?).await?;
    let master = MasterKeys::load(&config.paths.master_key())?;
    let mut clinicians = Vec::new();
    while clinicians.len() < count {
        let name = format!("Practice {}", clinicians.len() / CLINICIANS_OF_A_FACILITY);
        let facility = accounts::add_facility(&mut owner, &master, &name).await?.id;
        let people = CLINICIANS_OF_A_FACILITY.min(count - clinicians.len());
        let first = u32::try_from(clinicians.len())?;
        clinicians.extend(practice(&owner, db, facility, people, target, first).await?);
    }
    settle(&owner).await?;
    Ok(clinicians)
}

async fn practice(
    owner: &Client,
    db: &Database,
    facility: FacilityId,
    people: usize,
    target: &Target,
    first: u32,
) -> anyhow::Result<Vec<Clinician>> {
    let mut users = Vec::new();
    for number in 0..people {
        users.push(accounts::add_user(owner, &user(facility, number)).await?);
    }
    let signed_in: Vec<(String, Vec<Draft>)> = stream::iter(users)
        .map(|user| async move {
            let cookie = sign_in(db, facility, user).await?;
            anyhow::Ok((cookie, patients_of(db, facility, user).await?))
        })
        .buffer_unordered(WRITERS)
        .try_collect()
        .await?;
    let readable: Arc<[RecordId]> = signed_in
        .iter()
        .flat_map(|(_, own)| own.iter().map(|draft| draft.id))
        .collect();
    let clinician = |(number, (cookie, own))| Clinician {
        facility,
        browser: Browser::new(target.clone(), first + number, cookie),
        own,
        readable: readable.clone(),
    };
    Ok((0..).zip(signed_in).map(clinician).collect())
}

fn user(facility: FacilityId, number: usize) -> NewUser {
    NewUser {
        facility: Some(facility),
        email: format!("clinician-{number}@practice-{facility}"),
        name: format!("Clinician {number}"),
        // No password matches this.
        password_hash: "-".into(),
        role: Role::Clinician,
        specialty: Some(Specialty::GeneralPractice),
        language: Language::English,
    }
}

async fn sign_in(db: &Database, facility: FacilityId, user: UserId) -> anyhow::Result<String> {
    let mut token = [0_u8; 32];
    aws_lc_rs::rand::fill(&mut token).context("no random numbers can be had")?;
    let hash: [u8; 32] = Sha256::digest(token).into();
    let session = sessions::NewSession {
        user,
        facility: Some(facility),
        role: Role::Clinician,
        lifetime: SESSION,
    };
    let tx = db.platform_tx().await?;
    sessions::open(&tx, &hash, &session).await?;
    tx.commit(&[]).await?;
    Ok(format!("hysio_session={}", URL_SAFE_NO_PAD.encode(token)))
}

async fn patients_of(
    db: &Database,
    facility: FacilityId,
    user: UserId,
) -> anyhow::Result<Vec<Draft>> {
    let tx = db.tx(facility).await?;
    let mut drafts = Vec::new();
    for _ in 0..PATIENTS_OF_A_CLINICIAN {
        let id = draft(&tx, user).await?;
        drafts.push(Draft {
            id,
            version: 1,
            acknowledged: Vec::new(),
            unanswered: 0,
            built_on: BTreeSet::new(),
        });
    }
    tx.commit(&[]).await?;
    Ok(drafts)
}

/// A new patient's encounter, with codes and a draft record.
async fn draft(tx: &Tx, user: UserId) -> anyhow::Result<RecordId> {
    let patient = patients::insert(tx, demographics(), user).await?.id;
    let new = NewEncounter {
        patient,
        clinician: user,
        specialty: Some(Specialty::GeneralPractice),
        language: Some(Language::English),
        code_system: CodeSystem::Icd10Cm,
    };
    let encounter = encounters::insert(tx, new).await?;
    for (code, title) in CODES {
        let suggestion = Suggestion {
            system: CodeSystem::Icd10Cm,
            code: code.into(),
            title: title.into(),
            probability: 0.8,
            billable: true,
            evidence: vec![],
            ..Suggestion::default()
        };
        suggestions::add_by_hand(tx, encounter, &suggestion, None).await?;
    }
    let content = MedicalRecord {
        note: note(1),
        codes: vec![],
        transcript: [STORY, FINDINGS, PLAN].concat(),
    };
    Ok(records::insert(tx, encounter, patient, &content, Some(user)).await?)
}

/// What the store has no call for: drafted encounters without a recording, sessions that were last seen at different times
/// (each is written again once a minute), and statistics for the planner, which autovacuum would make later.
async fn settle(owner: &Client) -> anyhow::Result<()> {
    owner
        .batch_execute(
            "UPDATE encounters SET state = 'drafted';
             UPDATE sessions SET last_seen_at = now() - random() * interval '1 minute';
             ANALYZE",
        )
        .await?;
    Ok(())
}

fn demographics() -> Demographics {
    let given = ["Anna", "Bram", "Carla", "Daan", "Eva", "Finn", "Greta"];
    let family = ["Jansen", "de Vries", "Bakker", "Visser", "Smit", "Meijer"];
    let born = date(fastrand::i16(1930..2020), fastrand::i8(1..=12), 15);
    Demographics {
        given_name: given[fastrand::usize(..given.len())].into(),
        family_name: family[fastrand::usize(..family.len())].into(),
        birth_date: born,
        sex: Sex::Female,
        mrn: Some(format!("{:012}", fastrand::u64(..1_000_000_000_000))),
    }
}

/// The note as the clinician saves it on top of `version`.
pub fn note(version: i32) -> Note {
    Note {
        subjective: format!("{STORY} Edited after version {version}."),
        objective: FINDINGS.into(),
        assessment:
            "Low back pain without signs of nerve root compression. Hypertension, not at goal."
                .into(),
        plan: PLAN.into(),
    }
}

const CODES: [(&str, &str); 3] = [
    ("M54.50", "Low back pain, unspecified"),
    ("I10", "Essential (primary) hypertension"),
    ("Z79.899", "Other long term (current) drug therapy"),
];
const STORY: &str = "Low back pain for three weeks after lifting a box, worse when sitting and better when walking. No fever, \
no weight loss, no trouble with bladder or bowel, no numbness. Took paracetamol with some effect. Known hypertension, takes \
amlodipine 5 mg once a day, forgets it about twice a week. Sleeps six hours, works at a desk, walks the dog every evening.";
const FINDINGS: &str = "Blood pressure 148 over 92, pulse 76 and regular. Lumbar flexion limited by pain, no tenderness over \
the spinous processes. Straight leg raise negative on both sides, strength and reflexes normal and the same on both sides.";
const PLAN: &str = "Stay active, paracetamol 1 g up to three times a day for a week, naproxen only if that is not enough. \
Amlodipine up to 10 mg. Physiotherapy if no better after two weeks. Come back at once with weakness, numbness between the \
legs or trouble passing water. Blood pressure at home for a week, then check here in four weeks.";
