//! Restoring a cluster's database to a moment, while the cluster is down.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use hysio_infra::postgres::{backups, migrate};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::process::Command;
use uuid::Uuid;

use super::{
    databases::{folder, restore_command},
    plan::{DATABASES, Plan},
    run, servers_user,
};
use crate::{config::Config, start::owner_config};

/// Restores the first server as it was at that moment, or as far as the archive goes, and makes the others new replicas at the next
/// start. What was there is kept beside.
///
/// # Errors
/// When there is no backup from before that moment, or the log does not go that far; nothing was changed then.
pub async fn restore(plan: &Plan, until: Option<Timestamp>) -> anyhow::Result<String> {
    let user = servers_user()?;
    // In the words of PostgreSQL.
    let moment = until.map(|until| format!("{until:.6}").replace('T', " ").replace('Z', "+00"));
    let words = restore_command(plan, user.as_ref(), moment.as_deref());
    let (program, arguments) = words.split_first().context("a command has a program")?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/");
    let data = plan.data(DATABASES[0]);
    // The servers' user may not: the folder above is ours.
    let aside = set_aside(&data)?;
    folder(&data, user.as_ref())?;
    let said = match run(command, "restoring the database").await {
        Ok(said) => said,
        Err(error) => {
            if let Some(aside) = aside {
                fs::remove_dir_all(&data)?;
                fs::rename(aside, &data)?;
            }
            return Err(error);
        }
    };
    // Everything below can be done again.
    fs::write(
        plan.restored(),
        json!({ "until": until, "at": Timestamp::now() }).to_string(),
    )?;
    begin_anew(plan)?;
    Ok(said.trim().to_owned())
}

/// The first server is the primary, the others are copied from it, and nothing is left of an earlier failover.
fn begin_anew(plan: &Plan) -> anyhow::Result<()> {
    for name in &DATABASES[1..] {
        set_aside(&plan.data(name))?;
    }
    let fences = DATABASES.map(|name| plan.fence(name));
    for path in fences.iter().chain([&plan.etc("pgbouncer/databases.ini")]) {
        if path.exists() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Where it is then; nothing if there was nothing.
fn set_aside(data: &Path) -> anyhow::Result<Option<PathBuf>> {
    if !data.exists() {
        return Ok(None);
    }
    let mut name = data.as_os_str().to_owned();
    name.push(format!(
        ".before-{}",
        Timestamp::now().strftime("%Y%m%dT%H%M%SZ")
    ));
    let aside = PathBuf::from(name);
    fs::rename(data, &aside).with_context(|| format!("{} cannot be set aside", data.display()))?;
    Ok(Some(aside))
}

/// In the restored database: nobody is signed in, and its trail says what happened.
pub(super) async fn tell(plan: &Plan, config: &Config) -> anyhow::Result<()> {
    let path = plan.restored();
    if !path.exists() {
        return Ok(());
    }
    let details: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
    let mut owner = migrate::connect(&owner_config(config)?).await?;
    backups::found_restored(&mut owner, Uuid::now_v7(), details).await?;
    Ok(fs::remove_file(path)?)
}
