//! How fast the API answers while many clinicians work: read a record, list patients, save a note.
//!
//! `benches/api.sh` starts an installation of its own and runs this against it. Deliberately absent: signing in (slow on
//! purpose), uploads and everything behind them, which are measured elsewhere.

mod client;
mod clinic;
mod drive;
mod processes;
mod report;
mod tally;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Parser;
use drive::{Load, Times};
use processes::Processes;

#[derive(Debug, Parser)]
struct Arguments {
    /// Where the app listens.
    #[arg(long)]
    app: SocketAddr,
    /// The data directory of the running `hysio up`.
    #[arg(long)]
    data: PathBuf,
    /// The process id of that `hysio up`.
    #[arg(long)]
    process: u32,
    /// Clinicians who are signed in.
    #[arg(long, default_value_t = 1_000)]
    clinicians: usize,
    /// Requests a second of the open loops, one after another.
    #[arg(long, value_delimiter = ',', default_value = "500,1000")]
    rates: Vec<f64>,
    /// Requests under way in the closed loop; 0 leaves it out.
    #[arg(long, default_value_t = 64)]
    at_once: usize,
    /// Seconds each load is counted.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Seconds each load goes on before it is counted.
    #[arg(long, default_value_t = 10)]
    warm_up: u64,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// One thread, so that the generator takes no more than one of the machine's cores.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let processes = Processes::of(arguments.process)?;
    eprintln!("signing {} clinicians in …", arguments.clinicians);
    let mut clinicians = clinic::open(&arguments.data, arguments.app, arguments.clinicians).await?;
    let times = Times {
        warm_up: Duration::from_secs(arguments.warm_up),
        counted: Duration::from_secs(arguments.seconds),
    };
    let mut outcomes = Vec::new();
    for load in loads(&arguments) {
        let (same, outcome) = drive::drive(clinicians, load, times, &processes).await?;
        clinicians = same;
        outcomes.push(outcome);
    }
    if arguments.json {
        println!("{:#}", report::json(clinicians.len(), &outcomes));
    } else {
        println!("{}", report::table(&outcomes));
    }
    Ok(())
}

fn loads(arguments: &Arguments) -> Vec<Load> {
    let open = arguments.rates.iter();
    let closed = Some(arguments.at_once).filter(|at_once| *at_once > 0);
    open.map(|&per_second| Load::Open { per_second })
        .chain(closed.map(|at_once| Load::Closed { at_once }))
        .collect()
}
