//! A database of its own with one practice in it, thrown away afterwards. It keeps its promises all the same: a commit is
//! on disk before it is acknowledged.

use std::{os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use bytes::Bytes;
use futures::stream;
use hysio::config::Config;
use hysio_clinical::records::{Demographics, Sex};
use hysio_infra::{
    blobs::{BlobKey, Blobs},
    cipher::{MasterKeys, Place, seal_blob},
    embedded_postgres::{EmbeddedPostgres, Login, Settings as Server},
    postgres::{
        self, Database, Settings, Vault,
        accounts::{self, NewUser},
        encounters::{self, NewEncounter},
        migrate, patients, stages,
    },
};
use hysio_model::{
    Role, Specialty,
    diagnosis::CodeSystem,
    id::{EncounterId, FacilityId, JobId, PatientId, RecordingId, UserId},
    transcript::Language,
};
use jiff::civil::date;
use tempfile::TempDir;
use tokio_postgres::Client;

pub struct Practice {
    pub db: Database,
    pub owner: Client,
    pub blobs: Blobs,
    pub config: Arc<Config>,
    pub application: tokio_postgres::Config,
    facility: FacilityId,
    clinician: UserId,
    patient: PatientId,
    server: EmbeddedPostgres,
    folder: TempDir,
}

impl Practice {
    /// `install` is the folder that the installer fills.
    pub async fn open(install: &Path, config: Config) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        // The database's own user must be able to pass through.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711))?;
        let install = std::path::absolute(install.join("postgresql"))?;
        let data = folder.path().join("postgres");
        let server = EmbeddedPostgres::start(Server::new(install, data)).await?;
        let master = MasterKeys::generate_file(&folder.path().join("master.key"))?;
        let mut owner = migrate::connect(&server.config(Login::Owner)).await?;
        migrate::migrate(&mut owner, &master).await?;
        let facility = accounts::add_facility(&mut owner, &master, "Practice").await?;
        let clinician = accounts::add_user(&owner, &user(facility.id)).await?;

        let application = server.config(Login::Application);
        let client = migrate::connect(&application).await?;
        let vault = Vault::open(master, &client).await?;
        let settings = Settings::new(application.clone(), config.database.pool_size);
        let db = Database::new(&settings, vault)?;
        let tx = db.tx(facility.id).await?;
        let patient = patients::insert(&tx, demographics(), clinician).await?.id;
        tx.commit(&[]).await?;
        Ok(Self {
            db,
            owner,
            blobs: Blobs::open(folder.path().join("recordings")).await?,
            config: Arc::new(config),
            application,
            facility: facility.id,
            clinician,
            patient,
            server,
            folder,
        })
    }

    /// An encounter with a recording in storage that is not accepted yet.
    pub async fn recorded(&self) -> anyhow::Result<Recorded> {
        let tx = self.db.tx(self.facility).await?;
        let new = NewEncounter {
            patient: self.patient,
            clinician: self.clinician,
            specialty: None,
            language: Some(Language::English),
            code_system: CodeSystem::Icd10Cm,
        };
        let encounter = encounters::insert(&tx, new).await?;
        let keys = tx.shared_keys();
        tx.commit(&[]).await?;
        let recording = RecordingId::new();
        let place = Place::new("recordings", "audio", recording);
        let sealed = Bytes::from(seal_blob(&keys, &place, AUDIO));
        let key = BlobKey {
            facility: self.facility,
            recording,
        };
        self.blobs.put(key, stream::iter([Ok(sealed)])).await?;
        Ok(Recorded {
            encounter,
            recording,
        })
    }

    /// Accepts the recording, as the upload's last step does, and so queues its first job.
    pub async fn accept(&self, recorded: Recorded) -> postgres::Result<Option<JobId>> {
        let tx = self.db.tx(self.facility).await?;
        let bytes = i64::try_from(AUDIO.len()).expect("a few bytes");
        let Recorded {
            encounter,
            recording,
        } = recorded;
        let job = stages::accept(
            &tx,
            encounter,
            recording,
            "audio/wav",
            bytes,
            self.clinician,
        );
        let job = job.await?;
        let details = serde_json::json!({ "recording": recording });
        let actor = self.clinician.to_string();
        let about = ("encounter", encounter.to_string());
        let entry = stages::audit(
            Some(self.facility),
            &actor,
            "recording.accept",
            about,
            details,
        );
        tx.commit(&[entry]).await?;
        Ok(job)
    }

    pub async fn close(self) -> anyhow::Result<()> {
        self.db.close();
        self.server.stop().await?;
        Ok(self.folder.close()?)
    }
}

#[derive(Clone, Copy)]
pub struct Recorded {
    pub encounter: EncounterId,
    recording: RecordingId,
}

/// The engines do not listen to it.
const AUDIO: &[u8] = b"RIFF";

fn user(facility: FacilityId) -> NewUser {
    NewUser {
        facility: Some(facility),
        email: "clinician@practice".into(),
        name: "Clinician".into(),
        // No password matches this.
        password_hash: "-".into(),
        role: Role::Clinician,
        specialty: Some(Specialty::GeneralPractice),
        language: Language::English,
    }
}

fn demographics() -> Demographics {
    Demographics {
        given_name: "Jan".into(),
        family_name: "Jansen".into(),
        birth_date: date(1960, 1, 31),
        sex: Sex::Male,
        mrn: None,
    }
}
