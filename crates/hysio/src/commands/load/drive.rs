//! The load: each clinician's requests, when they are due, and what is counted.
//!
//! An open loop sends at the times a schedule says, whatever the answers; a latency is counted from when the request was
//! due, so that a server which stalls cannot hide it by slowing its clients down ("coordinated omission"). A closed loop
//! sends the next request when the last is answered, and so finds the most the machine can do.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};

use super::{
    client::{Answer, NoAnswer},
    clinic::{Clinician, Draft, note},
    processes::{Processes, Usage},
    tally::{Ending, Kind, Tally},
};

/// Before a request is sent a second time, as the page waits; doubled each time.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// After the end, how long what was due before may still take.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug)]
pub enum Load {
    /// Requests a second, all clinicians together.
    Open { per_second: f64 },
    /// Requests under way at any time.
    Closed { at_once: usize },
}

#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub warm_up: Duration,
    pub counted: Duration,
    /// How often a request is sent that is not answered.
    pub tries: u32,
}

pub struct Outcome {
    pub load: Load,
    pub tally: Tally,
    pub seconds: f64,
    /// Of a `hysio up` that was named.
    pub usage: Option<Usage>,
}

/// What every request of a run is counted by.
#[derive(Clone)]
struct Run {
    tally: Arc<Mutex<Tally>>,
    from: Instant,
    until: Instant,
    tries: u32,
}

/// What a clinician asks for next.
enum Wish {
    Read(String),
    /// By its place among their own.
    Save(usize),
}

/// Applies the load, and gives the clinicians back with their newest versions.
pub async fn drive(
    clinicians: Vec<Clinician>,
    load: Load,
    times: Times,
    processes: Option<&Processes>,
) -> anyhow::Result<(Vec<Clinician>, Outcome)> {
    let begin = Instant::now();
    let from = begin + times.warm_up;
    let run = Run {
        tally: Arc::default(),
        from,
        until: from + times.counted,
        tries: times.tries,
    };
    let working = set_to_work(clinicians, load, begin, &run);
    sleep_until(run.from).await;
    let before = processes.map(Processes::sample).transpose()?;
    show_progress(&run, load).await;
    let after = processes.map(Processes::sample).transpose()?;
    let clinicians = working.join_all().await.into_iter().flatten().collect();
    let tally = std::mem::take(&mut *run.tally.lock().expect("not poisoned"));
    let outcome = Outcome {
        load,
        tally,
        seconds: times.counted.as_secs_f64(),
        usage: after
            .zip(before)
            .map(|(after, before)| after.since(&before)),
    };
    Ok((clinicians, outcome))
}

fn set_to_work(
    clinicians: Vec<Clinician>,
    load: Load,
    begin: Instant,
    run: &Run,
) -> JoinSet<Vec<Clinician>> {
    let mut working = JoinSet::new();
    match load {
        Load::Open { per_second } => {
            let pause = clinicians.len() as f64 / per_second;
            for clinician in clinicians {
                working.spawn(on_schedule(clinician, begin, pause, run.clone()));
            }
        }
        Load::Closed { at_once } => {
            let mut shares: Vec<Vec<Clinician>> = Vec::new();
            shares.resize_with(at_once, Vec::new);
            for (number, clinician) in clinicians.into_iter().enumerate() {
                shares[number % at_once].push(clinician);
            }
            for share in shares.into_iter().filter(|share| !share.is_empty()) {
                working.spawn(one_after_another(share, run.clone()));
            }
        }
    }
    working
}

/// One clinician of an open loop: requests at random times, `pause` seconds apart on average.
async fn on_schedule(
    mut clinician: Clinician,
    begin: Instant,
    pause: f64,
    run: Run,
) -> Vec<Clinician> {
    let mut due = begin + random_pause(pause);
    while due < run.until {
        if Instant::now() > run.until + PATIENCE {
            run.unsent(due, pause);
            break;
        }
        sleep_until(due).await;
        let kind = Kind::any();
        run.ask(&mut clinician, kind, due).await;
        due += random_pause(pause);
    }
    vec![clinician]
}

/// A share of the clinicians of a closed loop, in turn.
async fn one_after_another(mut clinicians: Vec<Clinician>, run: Run) -> Vec<Clinician> {
    let mut next = 0;
    while Instant::now() < run.until {
        let (kind, sent) = (Kind::any(), Instant::now());
        run.ask(&mut clinicians[next], kind, sent).await;
        next = (next + 1) % clinicians.len();
    }
    clinicians
}

/// Arrivals of a Poisson process.
fn random_pause(mean_seconds: f64) -> Duration {
    Duration::from_secs_f64(-mean_seconds * (1.0 - fastrand::f64()).ln())
}

impl Run {
    /// Asks until there is an answer, as often as may be; what counts is the last.
    async fn ask(&self, clinician: &mut Clinician, kind: Kind, due: Instant) {
        let wish = clinician.wish(kind);
        let mut wait = ASK_AGAIN_AFTER;
        for try_number in 1.. {
            let ending = clinician.ask(&wish).await;
            if try_number >= self.tries || !ending.may_pass() {
                return self.record(due, kind, ending);
            }
            self.tally.lock().expect("not poisoned").asked_again += 1;
            sleep(wait).await;
            wait *= 2;
        }
    }

    fn record(&self, due: Instant, kind: Kind, ending: Ending) {
        if due >= self.from && due < self.until {
            let mut tally = self.tally.lock().expect("not poisoned");
            let second = (due - self.from).as_secs();
            tally.record(kind, second, due.elapsed(), ending);
        }
    }

    fn unsent(&self, due: Instant, pause: f64) {
        let left = (self.until - due.max(self.from)).as_secs_f64() / pause;
        let mut tally = self.tally.lock().expect("not poisoned");
        tally.unsent(left.ceil() as u64);
    }
}

impl Clinician {
    fn wish(&self, kind: Kind) -> Wish {
        match kind {
            Kind::ReadRecord => {
                let id = self.readable[fastrand::usize(..self.readable.len())];
                Wish::Read(format!("/api/records/{id}"))
            }
            Kind::ListPatients => Wish::Read("/api/patients".to_owned()),
            Kind::SaveNote => Wish::Save(fastrand::usize(..self.own.len())),
        }
    }

    async fn ask(&mut self, wish: &Wish) -> Ending {
        match wish {
            Wish::Read(path) => ending(&self.browser.get(path).await),
            Wish::Save(draft) => self.save(*draft).await,
        }
    }

    /// Saves one of the own notes. A newer version than the one known is taken over for the next time.
    async fn save(&mut self, draft: usize) -> Ending {
        let draft = &mut self.own[draft];
        let before = draft.version;
        let mut body = serde_json::to_value(note(draft.version)).expect("a note has a JSON form");
        body["version"] = json!(draft.version);
        let path = format!("/api/records/{}", draft.id);
        let answer = self.browser.put(&path, body.to_string().into_bytes()).await;
        let Ok(said) = &answer else {
            draft.may_have_saved_on(before);
            return ending(&answer);
        };
        let said: Value = serde_json::from_slice(&said.body).unwrap_or_default();
        let (saved, newer) = (
            said["version"].as_i64(),
            said["current"]["version"].as_i64(),
        );
        if let Some(version) = saved.or(newer) {
            draft.version = i32::try_from(version).unwrap_or(draft.version);
        }
        if newer.is_some() {
            return Ending::Stale;
        }
        let ending = ending(&answer);
        match ending {
            Ending::Done => draft.has_saved_on(before),
            // Refused before anything was begun.
            Ending::Status(400..500) | Ending::Stale => {}
            Ending::Status(_) | Ending::Timeout | Ending::Disconnected => {
                draft.may_have_saved_on(before);
            }
        }
        ending
    }
}

impl Draft {
    fn has_saved_on(&mut self, before: i32) {
        self.acknowledged.push(self.version);
        self.built_on.insert(before);
    }

    fn may_have_saved_on(&mut self, before: i32) {
        self.unanswered += 1;
        self.built_on.insert(before);
    }
}

fn ending(answer: &Result<Answer, NoAnswer>) -> Ending {
    match answer {
        Ok(answer) if answer.status.is_success() && !answer.body.is_empty() => Ending::Done,
        Ok(answer) => Ending::Status(answer.status.as_u16()),
        Err(NoAnswer::Timeout) => Ending::Timeout,
        Err(NoAnswer::Disconnected) => Ending::Disconnected,
    }
}

async fn show_progress(run: &Run, load: Load) {
    let bar = ProgressBar::new_spinner();
    let mut tick = interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = sleep_until(run.until) => break,
            _ = tick.tick() => {}
        }
        let tally = run.tally.lock().expect("not poisoned");
        let all = tally.all();
        let errors: u64 = tally.errors().values().sum();
        bar.set_message(format!(
            "{load:?}: {} s, {} answered, p95 {:.1} ms, {errors} errors",
            run.from.elapsed().as_secs(),
            all.len(),
            all.value_at_quantile(0.95) as f64 / 1_000.0,
        ));
        bar.tick();
    }
    bar.finish_and_clear();
}
