//! What runs, for people and programs.

use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};
use jiff::Timestamp;

use crate::cluster::state::{Phase, State};

pub fn show(state: &State, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(state)?);
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY);
    table.set_header(["service", "is", "pid", "address", "started", "since"]);
    for (name, kept) in &state.services {
        let is = match kept.phase {
            Phase::Running => "running",
            Phase::Down => "down",
            Phase::Fenced => "fenced off",
        };
        let seconds = Timestamp::now().duration_since(kept.since).as_secs();
        table.add_row([
            name.clone(),
            is.to_owned(),
            kept.pid.map_or_else(String::new, |pid| pid.to_string()),
            kept.address
                .map_or_else(String::new, |address| address.to_string()),
            format!("{}×", kept.starts),
            format!("{seconds} s"),
        ]);
    }
    println!("{table}");
    let (plan, up) = (
        &state.plan,
        if state.ready { "up" } else { "being started" },
    );
    println!(
        "The cluster in {} is {up}: {}",
        plan.state.display(),
        plan.public_url()
    );
    println!(
        "Other commands work with it by  HYSIO_CONFIG={}",
        plan.operator_config().display()
    );
    Ok(())
}
