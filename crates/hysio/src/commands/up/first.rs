//! The first start: keys, schema, a facility, and people who can sign in.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use hysio_infra::{
    audit::SigningKeys,
    cipher::MasterKeys,
    postgres::{
        accounts::{self, NewUser},
        migrate,
    },
};
use hysio_model::{Role, Specialty, id::FacilityId, transcript::Language};

use crate::{commands::audit::ORIGIN, config::Config, http::hash_password, start::owner_config};

/// Whether no database was ever started in the data directory.
#[must_use]
pub fn is_new(config: &Config) -> bool {
    config.database.url.is_none() && !config.paths.data.join("postgres").exists()
}

/// A data directory with keys. New keys are made for a new directory only: an old one without its keys is a loss that a
/// new key would hide.
pub fn prepare(config: &Config, is_new: bool) -> anyhow::Result<()> {
    let data = &config.paths.data;
    // Others may pass through, as the database's own user must, but not look around.
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(data)
        .with_context(|| format!("{} cannot be made", data.display()))?;
    let (master, audit) = (config.paths.master_key(), config.paths.audit_key());
    if is_new {
        for path in [&master, &audit] {
            if let Some(parent) = path.parent() {
                fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(parent)?;
            }
        }
        if !master.exists() {
            MasterKeys::generate_file(&master)?;
        }
        if !audit.exists() {
            SigningKeys::generate_file(&audit, ORIGIN)?;
        }
    }
    MasterKeys::load(&master).map(drop).with_context(|| {
        format!(
            "{} holds data that cannot be read without its master key",
            data.display()
        )
    })?;
    SigningKeys::load(&audit)?;
    Ok(())
}

/// What to tell the person who started Hysio.
pub struct Welcome {
    sign_in: Option<PathBuf>,
    new: Option<Vec<(&'static str, &'static str, String)>>,
}

/// Brings the schema up to date; a database without people gets a facility and one person of each role.
pub async fn found(config: &Config) -> anyhow::Result<Welcome> {
    let master = MasterKeys::load(&config.paths.master_key())?;
    let mut client = migrate::connect(&owner_config(config)?).await?;
    let migrated = migrate::migrate(&mut client, &master).await?;
    for name in migrated.applied {
        tracing::info!(migration = name, "applied");
    }
    if let Some(waits) = migrated.waits {
        tracing::warn!(
            migration = waits.migration,
            why = waits.why,
            "not applied yet"
        );
    }
    let file = config.paths.data.join("first-sign-in.txt");
    if accounts::any_user(&client).await? {
        return Ok(Welcome {
            sign_in: file.exists().then_some(file),
            new: None,
        });
    }
    let facility = match accounts::facilities(&client).await?.first() {
        Some(facility) => facility.id,
        None => {
            accounts::add_facility(&mut client, &master, "My practice")
                .await?
                .id
        }
    };
    let people = add_people(&client, facility).await?;
    write_private(&file, &people)?;
    Ok(Welcome {
        sign_in: Some(file),
        new: Some(people),
    })
}

async fn add_people(
    client: &tokio_postgres::Client,
    facility: FacilityId,
) -> anyhow::Result<Vec<(&'static str, &'static str, String)>> {
    let people = [
        (Role::Clinician, "clinician@hysio.local", "First Clinician"),
        (
            Role::FacilityAdmin,
            "admin@hysio.local",
            "First Administrator",
        ),
        (Role::Operator, "operator@hysio.local", "First Operator"),
        (Role::Auditor, "auditor@hysio.local", "First Auditor"),
    ];
    let mut added = Vec::new();
    for (role, email, name) in people {
        let password = password()?;
        let user = NewUser {
            facility: [Role::Clinician, Role::FacilityAdmin]
                .contains(&role)
                .then_some(facility),
            email: email.to_owned(),
            name: name.to_owned(),
            password_hash: hash_password(&password)?,
            role,
            specialty: (role == Role::Clinician).then_some(Specialty::GeneralPractice),
            language: Language::English,
        };
        accounts::add_user(client, &user).await?;
        added.push((role.as_str(), email, password));
    }
    Ok(added)
}

/// 16 characters of 32 that are not mistaken for each other: 80 random bits.
fn password() -> anyhow::Result<String> {
    const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567892";
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).context("no random numbers can be had")?;
    let letters: Vec<String> = bytes
        .chunks(4)
        .map(|four| {
            four.iter()
                .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
                .collect()
        })
        .collect();
    Ok(letters.join("-"))
}

fn write_private(
    path: &Path,
    people: &[(&'static str, &'static str, String)],
) -> anyhow::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    writeln!(
        file,
        "# The first people of this installation. Change these passwords (./hysio user password --email …), then delete this file."
    )?;
    for (role, email, password) in people {
        writeln!(file, "{role}\t{email}\t{password}")?;
    }
    Ok(())
}

impl Welcome {
    pub fn print(&self, config: &Config) {
        println!("\n  Hysio is running: open {}\n", config.http.public_url);
        for (role, email, password) in self.new.iter().flatten() {
            println!("    {role:<15} {email:<24} {password}");
        }
        if let Some(file) = &self.sign_in {
            println!(
                "    {} {}",
                if self.new.is_some() {
                    "\n    kept in"
                } else {
                    "sign in as in"
                },
                file.display()
            );
        }
        println!(
            "\n  Ctrl-C stops it; the data stays in {}.\n",
            config.paths.data.display()
        );
    }
}
