//! A certificate authority of the cluster's own, and a certificate for each server. They last as long as a trial does; an
//! installation has those of its organisation.

use std::{fs, io::Write as _, net::IpAddr, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use super::{
    plan::{DATABASES, Plan},
    secrets::private,
};

const SERVERS: [&str; 4] = ["nginx", "postgres", "pgbouncer", "redis"];

/// Makes what is missing.
pub(super) fn ensure(plan: &Plan) -> anyhow::Result<()> {
    if plan.tls("ca.pem").exists() {
        return Ok(());
    }
    fs::create_dir_all(plan.state.join("etc/tls"))?;
    let key = KeyPair::generate()?;
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority
        .distinguished_name
        .push(DnType::CommonName, "Hysio cluster of this machine");
    let certificate = authority.self_signed(&key)?;
    let issuer = Issuer::new(authority, key);
    for name in SERVERS {
        server(plan, name, &issuer)?;
    }
    // Last: with it the work is done.
    fs::write(plan.tls("ca.pem"), certificate.pem())?;
    Ok(())
}

fn server(plan: &Plan, name: &str, issuer: &Issuer<'_, KeyPair>) -> anyhow::Result<()> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    let databases = (0..DATABASES.len()).map(Plan::database_host);
    let addresses = databases.chain([IpAddr::from([127, 0, 0, 1])]);
    params
        .subject_alt_names
        .extend(addresses.map(SanType::IpAddress));
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    write_key(&plan.tls(&format!("{name}.key")), &key.serialize_pem())?;
    fs::write(plan.tls(&format!("{name}.pem")), certificate.pem())?;
    Ok(())
}

fn write_key(path: &Path, pem: &str) -> anyhow::Result<()> {
    Ok(private(path)?.write_all(pem.as_bytes())?)
}
