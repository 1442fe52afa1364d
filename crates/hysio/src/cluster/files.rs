//! The configuration of the servers: the files of `deploy/` as they are, and what differs from place to place.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
};

use anyhow::Context as _;
use nix::unistd::User;
use rust_embed::RustEmbed;
use serde_json::json;

use super::{
    plan::{DATABASES, Plan, QUEUE_NODES},
    secrets::{Secrets, private},
};

/// What the program was built with: a cluster needs no checkout.
#[derive(RustEmbed)]
#[folder = "../../deploy"]
#[exclude = "*.md"]
#[exclude = "kubernetes/*"]
#[exclude = "aws/*"]
struct Deploy;

/// Folders whose files are written here; those of `deploy/…/site` are examples for others.
const COPIED: [&str; 6] = [
    "postgres/",
    "pgbouncer/",
    "pgbackrest/",
    "redis/",
    "nginx/",
    "prometheus/",
];
/// What was written last is archived after so many seconds, if not before.
const ARCHIVE_SECONDS: u32 = 60;

pub(super) fn write(plan: &Plan, secrets: &Secrets) -> anyhow::Result<()> {
    for name in Deploy::iter().filter(|name| COPIED.iter().any(|part| name.starts_with(part))) {
        let file = Deploy::get(&name).context("a file that is embedded is there")?;
        let path = plan.etc(&name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // Where the databases are is kept through restarts: a failover has changed it.
        if name == "pgbouncer/databases.ini" || name == "pgbouncer/pools.ini" {
            continue;
        }
        fs::write(&path, &file.data)?;
        if name.ends_with(".sh") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
    }
    pgbouncer(plan, secrets)?;
    pgbackrest(plan, secrets)?;
    if plan.redis {
        redis(plan, secrets)?;
    }
    nginx(plan)?;
    targets(plan)
}

fn pgbouncer(plan: &Plan, secrets: &Secrets) -> anyhow::Result<()> {
    let address = plan.pgbouncer();
    let tls = |file: &str| plan.tls(file).display().to_string();
    fs::write(
        plan.etc("pgbouncer/site.ini"),
        format!(
            "listen_addr = {}\nlisten_port = {}\nunix_socket_dir =\npidfile = {}\nlogfile = {}\nclient_tls_key_file = {}\n\
             client_tls_cert_file = {}\nserver_tls_ca_file = {}\n",
            address.ip(),
            address.port(),
            plan.run().join("pgbouncer.pid").display(),
            plan.log("pgbouncer").display(),
            tls("pgbouncer.key"),
            tls("pgbouncer.pem"),
            tls("ca.pem"),
        ),
    )?;
    let users = [
        ("hysio_owner", &secrets.owner),
        ("hysio_app", &secrets.app),
        ("pgbouncer_admin", &secrets.pgbouncer_admin),
    ];
    let mut text = String::new();
    for (user, password) in users {
        writeln!(text, "\"{user}\" \"{password}\"")?;
    }
    private(&plan.etc("pgbouncer/userlist.txt"))?.write_all(text.as_bytes())?;
    let pools = plan.etc("pgbouncer/pools.ini");
    if !pools.exists() {
        let file = Deploy::get("pgbouncer/pools.ini").context("it is embedded")?;
        fs::write(&pools, &file.data)?;
    }
    let databases = plan.etc("pgbouncer/databases.ini");
    if !databases.exists() {
        fs::write(
            &databases,
            crate::pgbouncer::databases_ini(
                &Plan::database_host(0).to_string(),
                &[1, 2].map(|number| Plan::database_host(number).to_string()),
                plan.database_port(),
            ),
        )?;
    }
    Ok(())
}

/// Each server's own folder; they share one repository.
fn pgbackrest(plan: &Plan, secrets: &Secrets) -> anyhow::Result<()> {
    let (repository, temporary) = (plan.backups("pgbackrest"), plan.run().join("pgbackrest"));
    for folder in [&repository, &temporary] {
        fs::create_dir_all(folder)?;
    }
    for name in DATABASES {
        let [_, site] = plan.pgbackrest(name);
        fs::create_dir_all(&site)?;
        let temporary = temporary.display();
        let text = format!(
            "[global]\nrepo1-path={}\nrepo1-cipher-pass={}\nlock-path={temporary}\nspool-path={temporary}\nlog-path={temporary}\n\n\
             [hysio]\npg1-path={}\npg1-port={}\npg1-socket-path={}\npg1-user=postgres\n",
            repository.display(),
            secrets.backups,
            plan.data(name).display(),
            plan.database_port(),
            socket(plan, name).display(),
        );
        private(&site.join("site.conf"))?.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// The settings of a server that archives its log.
fn archive(plan: &Plan, name: &str) -> String {
    if !plan.backups {
        return "archive_mode = off\n".to_owned();
    }
    let [config, site] = plan.pgbackrest(name);
    format!(
        "archive_mode = on\narchive_timeout = {ARCHIVE_SECONDS}s\n\
         archive_command = 'pgbackrest --config={} --config-include-path={} --stanza=hysio archive-push %p'\n",
        config.display(),
        site.display()
    )
}

fn redis(plan: &Plan, secrets: &Secrets) -> anyhow::Result<()> {
    for number in 0..QUEUE_NODES {
        let name = format!("redis{}", number + 1);
        let node = format!(
            "tls-cluster yes\ntls-replication yes\ncluster-port {}\nmasterauth {}\n",
            plan.queue_bus(number),
            secrets.redis
        );
        redis_site(
            plan,
            secrets,
            &name,
            "queue",
            plan.queue_node(number).port(),
            &node,
        )?;
    }
    redis_site(
        plan,
        secrets,
        "redis-cache",
        "cache",
        plan.cache().port(),
        "",
    )
}

fn redis_site(
    plan: &Plan,
    secrets: &Secrets,
    name: &str,
    kind: &str,
    port: u16,
    more: &str,
) -> anyhow::Result<()> {
    let etc = plan.etc("redis");
    let text = format!(
        "include {}\ninclude {}\nbind 127.0.0.1\nport 0\ntls-port {port}\ntls-auth-clients no\ntls-protocols \"TLSv1.2 TLSv1.3\"\n\
         tls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ndir {}\nlogfile {}\nrequirepass {}\n{more}",
        etc.join("common.conf").display(),
        etc.join(format!("{kind}.conf")).display(),
        plan.tls("redis.pem").display(),
        plan.tls("redis.key").display(),
        plan.tls("ca.pem").display(),
        plan.data(name).display(),
        plan.log(name).display(),
        secrets.redis,
    );
    fs::create_dir_all(plan.data(name))?;
    Ok(private(&etc.join(format!("{name}.conf")))?.write_all(text.as_bytes())?)
}

fn nginx(plan: &Plan) -> anyhow::Result<()> {
    let site = plan.etc("nginx/site");
    let write = |name: &str, text: String| fs::write(site.join(name), text);
    write(
        "paths.conf",
        format!(
            "pid {};\nerror_log {} crit;\n",
            plan.run().join("nginx.pid").display(),
            plan.log("nginx-error").display()
        ),
    )?;
    let temporary = plan.data("nginx");
    fs::create_dir_all(&temporary)?;
    let mut text = format!(
        "access_log {} counts buffer=32k flush=5s;\n",
        plan.log("nginx-access").display()
    );
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(text, "{kind}_temp_path {};", temporary.join(kind).display())?;
    }
    write("temporary.conf", text)?;
    write("proxies.conf", String::new())?;
    write("listen-plain.conf", format!("listen {};\n", plan.http()))?;
    write(
        "listen.conf",
        format!(
            "listen {} ssl http2;\nssl_certificate {};\nssl_certificate_key {};\n",
            plan.https(),
            plan.tls("nginx.pem").display(),
            plan.tls("nginx.key").display()
        ),
    )?;
    write(
        "listen-inside.conf",
        format!("listen {};\nallow 127.0.0.0/8;\ndeny all;\n", plan.inside()),
    )?;
    write("upstreams.conf", upstreams(plan)?)?;
    Ok(())
}

/// The upstreams of the example with this machine's instances.
fn upstreams(plan: &Plan) -> anyhow::Result<String> {
    let example = Deploy::get("nginx/site/upstreams.conf").context("it is embedded")?;
    let mut text = String::new();
    for line in std::str::from_utf8(&example.data)?.lines() {
        let Some((indent, server)) = line.split_once("server ") else {
            writeln!(text, "{line}")?;
            continue;
        };
        let (host, settings) = server.split_once(' ').context("a server has settings")?;
        // The first of each kind stands for all of them.
        let addresses: Vec<_> = match host {
            "app1.hysio.internal:3000" => (0..plan.apps).map(|n| plan.app(n)).collect(),
            "transcription1.hysio.internal:8080" => (0..plan.transcription)
                .map(|n| plan.transcription_at(n))
                .collect(),
            "diagnosecode1.hysio.internal:8081" => (0..plan.diagnosecode)
                .map(|n| plan.diagnosecode_at(n))
                .collect(),
            _ => Vec::new(),
        };
        for address in addresses {
            writeln!(text, "{indent}server {address} {settings}")?;
        }
    }
    Ok(text)
}

fn targets(plan: &Plan) -> anyhow::Result<()> {
    let list = |addresses: Vec<std::net::SocketAddr>| -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    };
    let targets = json!([
        { "labels": { "service": "app" }, "targets": list((0..plan.apps).map(|n| plan.app(n)).collect()) },
        { "labels": { "service": "transcription" }, "targets": list((0..plan.transcription).map(|n| plan.transcription_at(n)).collect()) },
        { "labels": { "service": "diagnosecode" }, "targets": list((0..plan.diagnosecode).map(|n| plan.diagnosecode_at(n)).collect()) },
    ]);
    fs::write(
        plan.etc("prometheus/targets/hysio.json"),
        targets.to_string(),
    )?;
    Ok(())
}

/// The settings of one database server beside those of `deploy/`.
pub(super) fn database(plan: &Plan, number: usize, size: &str) -> anyhow::Result<()> {
    let name = DATABASES[number];
    // Beside the data, as on Debian: what is copied or rewound from another server is the data alone.
    let etc = database_etc(plan, name);
    fs::create_dir_all(&etc)?;
    for file in ["pg_hba.conf", "pg_ident.conf"] {
        fs::copy(plan.etc("postgres").join(file), etc.join(file))?;
    }
    fs::copy(plan.etc("postgres/postgresql.conf"), etc.join("hysio.conf"))?;
    fs::write(etc.join("size.conf"), size)?;
    fs::write(
        etc.join("site.conf"),
        format!(
            "listen_addresses = '{}'\nport = {}\nunix_socket_directories = '{}'\nssl_cert_file = '{}'\nssl_key_file = '{}'\n\
             ssl_ca_file = '{}'\ncluster_name = '{name}'\nhba_file = '{}'\nident_file = '{}'\n{}",
            Plan::database_host(number),
            plan.database_port(),
            socket(plan, name).display(),
            plan.tls("postgres.pem").display(),
            plan.tls("postgres.key").display(),
            plan.tls("ca.pem").display(),
            etc.join("pg_hba.conf").display(),
            etc.join("pg_ident.conf").display(),
            archive(plan, name),
        ),
    )?;
    // In the order in which Debian's conf.d is read: by name, and the place has the last word.
    fs::write(
        etc.join("postgresql.conf"),
        "include 'hysio.conf'\ninclude 'size.conf'\ninclude 'site.conf'\n",
    )?;
    Ok(())
}

pub(super) fn database_etc(plan: &Plan, name: &str) -> std::path::PathBuf {
    plan.etc("postgres").join(name)
}

/// One folder each, as all of them have the same port.
pub(super) fn socket(plan: &Plan, name: &str) -> std::path::PathBuf {
    plan.run().join(name)
}

/// Everything that servers read or write belongs to their user; nothing else is theirs.
pub(super) fn hand_over(place: &Path, user: Option<&User>) -> anyhow::Result<()> {
    let Some(user) = user else { return Ok(()) };
    chown(place, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
        .with_context(|| format!("{} cannot be given to {}", place.display(), user.name))?;
    if place.is_dir() {
        for entry in fs::read_dir(place)? {
            let entry = entry?;
            if !entry.file_type()?.is_symlink() {
                hand_over(&entry.path(), Some(user))?;
            }
        }
    }
    Ok(())
}
