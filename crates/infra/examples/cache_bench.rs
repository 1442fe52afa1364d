//! How fast the medical cache answers, from this process and from Redis, sealed and opened as always. Markdown.
//!
//!     cargo run --release -p hysio-infra --example cache_bench -- rediss://:PASSWORD@HOST:PORT [CA_FILE]
//!
//! `benches/cache.sh` runs it against the Redis of a cluster.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use futures::future::join_all;
use hysio_infra::{
    cipher::{DataKey, FacilityKeys, IndexRoot},
    redis::{
        Node,
        cache::{Found, Key, Kind, MedicalCache},
    },
    trust,
};
use hysio_model::{
    id::FacilityId,
    transcript::{Language, Segment, Transcript},
};

const ENTRIES: usize = 200;
const ROUNDS: usize = 50;
/// Callers at once in the second run: as fast as it goes.
const AT_ONCE: usize = 32;
/// In the third, so many ask in a second, whether or not those before have their answer; more than an app answers requests.
const A_SECOND: u32 = 1_000;
/// Sentences of a consultation of ten minutes.
const SENTENCES: usize = 120;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments
        .next()
        .ok_or("rediss://:PASSWORD@HOST:PORT [CA_FILE]")?;
    if let Some(authority) = arguments.next() {
        trust::also(authority.as_ref())?;
    }
    let facility = FacilityId(1);
    let key = DataKey::generate(facility, 1);
    let keys = FacilityKeys::new(
        facility,
        vec![key],
        IndexRoot::generate().for_facility(facility),
    )?;
    // Without room of its own, a process finds everything in Redis.
    let nearby = MedicalCache::new(64, Some(Node::new(&address)?));
    let distant = MedicalCache::new(0, Some(Node::new(&address)?));
    let bytes = serde_json::to_vec(&transcript())?.len();
    println!("Transcripts of {bytes} bytes, {ENTRIES} of them.\n");
    println!("| found | load | p50 µs | p99 µs | most µs | a second |\n|---|---|---|---|---|---|");
    for (name, cache, found) in [
        ("in this process", &nearby, Found::Here),
        ("in Redis", &distant, Found::Redis),
    ] {
        // Filled, and seen to be there.
        for _ in 0..2 {
            round(cache, &keys, Load::AtOnce(1)).await;
        }
        for load in [
            Load::AtOnce(1),
            Load::AtOnce(AT_ONCE),
            Load::ASecond(A_SECOND),
        ] {
            let begun = Instant::now();
            let mut times = Vec::new();
            for _ in 0..ROUNDS {
                for (time, from) in round(cache, &keys, load).await {
                    if from != found {
                        return Err(format!("{from:?}, not {found:?}").into());
                    }
                    times.push(time);
                }
            }
            println!("{}", row(name, load, times, begun.elapsed()));
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Load {
    /// Whoever has an answer asks again.
    AtOnce(usize),
    ASecond(u32),
}

/// Every entry once.
async fn round(cache: &MedicalCache, keys: &FacilityKeys, load: Load) -> Vec<(Duration, Found)> {
    let entries: Vec<usize> = (0..ENTRIES).collect();
    match load {
        Load::AtOnce(callers) => {
            let mut times = Vec::with_capacity(ENTRIES);
            for some in entries.chunks(callers) {
                let asking = some
                    .iter()
                    .map(|entry| ask(cache, keys, *entry, Instant::now()));
                times.extend(join_all(asking).await);
            }
            times
        }
        Load::ASecond(rate) => {
            let (begun, every) = (Instant::now(), Duration::from_secs(1) / rate);
            let asking = (0..).zip(entries).map(|(turn, entry)| async move {
                let due = begun + every * turn;
                tokio::time::sleep_until(due.into()).await;
                // The timer is a millisecond late on its own, which is not the cache's.
                ask(cache, keys, entry, Instant::now()).await
            });
            join_all(asking).await
        }
    }
}

async fn ask(
    cache: &MedicalCache,
    keys: &FacilityKeys,
    entry: usize,
    begun: Instant,
) -> (Duration, Found) {
    let load = async { Ok::<_, Infallible>(Some(transcript())) };
    let key = Key::of(Kind::Transcription, keys, &format!("encounter-{entry}/1"));
    let Ok((value, found)) = cache.get(Kind::Transcription, &key, keys, load).await;
    let took = begun.elapsed();
    assert_eq!(value.map(|it| it.segments.len()), Some(SENTENCES));
    (took, found)
}

fn row(name: &str, load: Load, mut times: Vec<Duration>, all: Duration) -> String {
    times.sort_unstable();
    let at = |share: f64| {
        let place = ((times.len() - 1) as f64 * share).round() as usize;
        times[place].as_secs_f64() * 1e6
    };
    let a_second = times.len() as f64 / all.as_secs_f64();
    let load = match load {
        Load::AtOnce(1) => "one at a time".to_owned(),
        Load::AtOnce(callers) => format!("{callers} at once"),
        Load::ASecond(rate) => format!("{rate} a second"),
    };
    format!(
        "| {name} | {load} | {:.0} | {:.0} | {:.0} | {a_second:.0} |",
        at(0.5),
        at(0.99),
        at(1.0)
    )
}

fn transcript() -> Transcript {
    let segments = (0..SENTENCES).map(|number| Segment {
        start: number as f64 * 5.0,
        end: number as f64 * 5.0 + 4.5,
        text: "The patient tells of a pain in the chest that began on Monday and gets worse on the stairs.".into(),
        confidence: 0.91,
        words: Vec::new(),
    });
    Transcript {
        language: Language::English,
        duration_seconds: SENTENCES as f64 * 5.0,
        segments: segments.collect(),
        model: "bench".into(),
    }
}
