//! Hysio's own processes in a cluster: one configuration for all, and an address for each.

use std::{fs, io::Write as _, net::SocketAddr, time::Duration};

use nix::unistd::User;

use super::{
    databases::{backup_command, failover, primary_url},
    plan::{Plan, QUEUE_NODES},
    secrets::{Secrets, private},
    supervisor::{Service, Supervisor},
};
use crate::{
    config::{Config, EngineServer, PgBouncer, Secret},
    start::SUPERVISOR,
};

/// Loading the speech models is the longest.
const READY_WITHIN: Duration = Duration::from_secs(180);

/// Where everything is, on top of what else is configured.
pub(super) fn configuration(
    plan: &Plan,
    secrets: &Secrets,
    user: Option<&User>,
    base: &Config,
) -> anyhow::Result<Config> {
    let mut config = base.clone();
    config.paths.install = std::path::absolute(&base.paths.install)?;
    config.paths.data = plan.data("hysio");
    config.paths.trusted_certificates = Some(plan.tls("ca.pem"));
    let pgbouncer = plan.pgbouncer();
    let through = |role: &str, password: &str, database: &str| {
        Some(Secret::new(format!(
            "postgres://{role}:{password}@{pgbouncer}/{database}?sslmode=require"
        )))
    };
    config.database.url = through("hysio_app", &secrets.app, "hysio");
    config.database.replica_url = through("hysio_app", &secrets.app, "hysio_readonly");
    config.database.pooled = true;
    config.database.direct_url = Some(Secret::new(primary_url(
        plan,
        "hysio_app",
        &secrets.app,
        "hysio",
    )));
    config.database.owner_url = Some(Secret::new(primary_url(
        plan,
        "hysio_owner",
        &secrets.owner,
        "hysio",
    )));
    let inside = format!("http://{}", plan.inside());
    config.transcription.engine = Some(EngineServer {
        url: inside.clone(),
        model: None,
        key_file: None,
    });
    config.diagnosecode.url = Some(inside);
    config.http.public_url = plan.public_url();
    // Where the scaler's gates look; each instance has its own by environment.
    config.http.app = plan.app(0);
    config.http.transcription = plan.transcription_at(0);
    config.http.diagnosecode = plan.diagnosecode_at(0);
    config.http.trust_forwarded_for = true;
    config.http.drain_seconds = 5;
    if plan.redis {
        let redis =
            |address: SocketAddr| Secret::new(format!("rediss://:{}@{address}", secrets.redis));
        config.redis.cluster = (0..QUEUE_NODES)
            .map(|number| redis(plan.queue_node(number)))
            .collect();
        config.redis.cache = Some(redis(plan.cache()));
    }
    config.pgbouncer = Some(PgBouncer {
        admin_url: through("pgbouncer_admin", &secrets.pgbouncer_admin, "pgbouncer")
            .unwrap_or_default(),
        directory: plan.etc("pgbouncer"),
    });
    config.failover = Some(failover(plan, secrets, user));
    config.backup.directory = Some(plan.backups("hysio"));
    if plan.backups {
        config.backup.command = backup_command(plan, user);
    }
    Ok(config)
}

pub(super) fn write(plan: &Plan, config: &Config) -> anyhow::Result<()> {
    fs::create_dir_all(plan.data("hysio"))?;
    // JSON is YAML.
    let text = serde_json::to_string_pretty(config)?;
    private(&plan.operator_config())?.write_all(text.as_bytes())?;
    // The services never get the owner's role, nor PgBouncer's console but for the scaler, which has the same file.
    let mut config = config.clone();
    config.database.owner_url = None;
    config.failover = None;
    config.backup.command = Vec::new();
    let text = serde_json::to_string_pretty(&config)?;
    Ok(private(&plan.hysio_config())?.write_all(text.as_bytes())?)
}

/// Starts the instances behind NGINX, engines first.
pub(super) fn start(plan: &Plan, supervisor: &mut Supervisor) -> anyhow::Result<()> {
    for number in 0..plan.transcription {
        supervisor.add(service(
            plan,
            "transcription",
            number,
            plan.transcription_at(number),
        )?)?;
    }
    for number in 0..plan.diagnosecode {
        supervisor.add(service(
            plan,
            "diagnosecode",
            number,
            plan.diagnosecode_at(number),
        )?)?;
    }
    for number in 0..plan.apps {
        supervisor.add(service(plan, "app", number, plan.app(number))?)?;
    }
    Ok(())
}

fn service(plan: &Plan, role: &str, number: u16, address: SocketAddr) -> anyhow::Result<Service> {
    let name = format!("{role}{}", number + 1);
    let mut service = program(plan, &name, role)?;
    service.environment.push((
        format!("HYSIO__HTTP__{}", role.to_uppercase()),
        address.to_string().into(),
    ));
    service.address = Some(address);
    Ok(service)
}

/// This very program in a role.
pub(super) fn program(plan: &Plan, name: &str, role: &str) -> anyhow::Result<Service> {
    let mut service = Service::new(name, &hysio_infra::process::this_program()?);
    service.inherits = true;
    service.arguments = vec![role.into(), "--config".into(), plan.hysio_config().into()];
    service.environment = vec![(SUPERVISOR.to_owned(), std::process::id().to_string().into())];
    service.log = Some(plan.log(name));
    Ok(service)
}

pub(super) async fn until_ready(plan: &Plan) -> anyhow::Result<()> {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(2))
        .build()?;
    let deadline = tokio::time::Instant::now() + READY_WITHIN;
    let instances = plan.addresses().into_iter().filter(|(name, _)| {
        ["app", "transcription", "diagnosecode"]
            .iter()
            .any(|role| name.starts_with(role))
    });
    for (name, address) in instances {
        let url = format!("http://{address}/ready");
        while !client
            .get(&url)
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            anyhow::ensure!(
                tokio::time::Instant::now() < deadline,
                "{name} is not ready: see {}",
                plan.log(&name).display()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}
