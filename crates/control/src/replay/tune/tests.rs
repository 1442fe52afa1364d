use std::sync::atomic::{AtomicUsize, Ordering};

use hysio_scaling::{
    capacity::size::Service,
    policies::knobs::{find, turned},
};

use super::*;
use crate::replay::equal_cost::{Comparison, Contender};

fn files() -> BTreeMap<String, String> {
    let limits =
        "resources:\n  transcription_workers: {min: 1, max: 40, scale_in_after_seconds: 300}\n";
    let hpa = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: workers}\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: transcription-workers}\n  minReplicas: 1\n  maxReplicas: 40\n  metrics:\n  - type: Resource\n    resource: {name: cpu, target: {type: Utilization, averageUtilization: 90}}\n";
    [("limits.yaml", limits), ("hpa.yaml", hpa)]
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .into()
}

/// Twelve hours of minutes with a busy middle, turned by some hours.
fn demand(shift: usize) -> Demand {
    let rates: Vec<f64> = (0..720)
        .map(|minute| {
            if ((minute + shift) % 720) / 180 == 1 {
                8.0
            } else {
                2.0
            }
        })
        .collect();
    Demand {
        start: "2024-05-01T00:00:00Z".parse().unwrap(),
        step_seconds: 60.0,
        values: rates.clone(),
        rates,
    }
}

fn with_contest<T>(demand: &Demand, what: impl FnOnce(&Contest) -> T) -> T {
    let service = Service::Gamma { mean: 1.0, cv: 0.5 };
    let needed = demand.needed(&service, "p95<5s".parse().unwrap()).unwrap();
    let signals = BTreeMap::new();
    let before = BTreeMap::new();
    what(&Contest {
        demand,
        needed: &needed,
        settings: Settings {
            seed: 1,
            service,
            objective_seconds: 5.0,
            replicas_at_start: 4,
            startup_seconds: 60.0,
            drain_seconds: 30.0,
            failures_a_day: 0.0,
            quota: 40,
            chaos: Vec::new(),
        },
        resource: Resource::TranscriptionWorkers,
        signals: &signals,
        before: &before,
        forecasts: hysio_scaling::forecast::policy::Kept::default(),
    })
}

const SEARCH: Search = Search {
    seed: 7,
    runs: 60,
    misses: Misses::LateJobs,
};

fn points() -> Vec<Point> {
    let knobs = find(&files(), Resource::TranscriptionWorkers);
    with_contest(&demand(0), |contest| {
        SEARCH.points(&files(), &knobs, contest, &|| {}).unwrap()
    })
}

#[test]
fn the_same_search_finds_the_same_points() {
    let (first, again) = (points(), points());
    assert_eq!(
        serde_json::to_string(&first).unwrap(),
        serde_json::to_string(&again).unwrap()
    );
    assert!(first.len() > 40, "{}", first.len());
}

#[test]
fn nothing_on_the_front_is_beaten_and_it_has_better_points_than_a_target_that_is_too_high() {
    let points = points();
    let front = front(&points, Misses::LateJobs);
    assert!(front.len() > 2);
    for pair in front.windows(2) {
        assert!(pair[0].score.replica_hours <= pair[1].score.replica_hours);
        assert!(pair[0].score.late_jobs > pair[1].score.late_jobs);
    }
    let least = front.last().unwrap().score.late_jobs;
    assert!(least < 0.5 * points[0].score.late_jobs, "{least}");
}

const LATE: Promise = Promise {
    misses: Misses::LateJobs,
    allowed: 0.0,
};

#[test]
fn where_the_objective_is_met_less_cost_is_better_and_a_missed_one_is_not_made_up_for() {
    let points = points();
    let stated = points[0].score;
    // Twice as many may be late: whoever keeps to that and costs least.
    let allowed = 2.0 * stated.late_jobs / MARGIN;
    let promise = Promise { allowed, ..LATE };
    let chosen = best(&points, promise.with_a_margin()).map(|it| it.score);
    let cost = chosen.map_or(0.95 * stated.replica_hours, |it| it.replica_hours);
    for point in &points {
        let keeps = point.score.late_jobs <= 2.0 * stated.late_jobs;
        assert!(!keeps || point.score.replica_hours >= cost - 1e-9);
    }
    assert!(chosen.is_none_or(|it| it.late_jobs <= 2.0 * stated.late_jobs));
    // Nothing may be late: then it is the misses that count.
    if let Some(point) = best(&points, LATE) {
        assert!(point.score.late_jobs <= stated.late_jobs);
    }
}

#[test]
fn what_wins_only_where_it_was_learnt_is_not_recommended() {
    let knobs = find(&files(), Resource::TranscriptionWorkers);
    let stated: Vec<f64> = knobs.iter().map(|knob| knob.value).collect();
    let at = knobs
        .iter()
        .position(|it| it.key == "averageUtilization")
        .unwrap();
    // A setting that was seen to be good, and is bad: the highest target there is.
    let mut bad = stated.clone();
    bad[at] = 95.0;
    with_contest(&demand(90), |held_out| {
        let honest = |values: &[f64]| {
            held_out
                .run(&turned(&files(), &knobs, values))
                .unwrap()
                .score
        };
        let (score, of_bad) = (honest(&stated), honest(&bad));
        assert!(of_bad.late_jobs > score.late_jobs);
        let lucky = Score {
            late_jobs: 0.0,
            ..score
        };
        let points = [(stated, score), (bad, lucky)].map(|(values, score)| Point { values, score });
        let advice = advise(&points, LATE, &files(), &knobs, held_out).unwrap();
        assert!(
            matches!(&advice, Advice::Keep { why } if why.contains("only on the days")),
            "{advice:?}"
        );
    });
}

#[test]
fn what_also_wins_on_held_out_days_is_recommended_and_read_again() {
    let knobs = find(&files(), Resource::TranscriptionWorkers);
    let points = points();
    with_contest(&demand(90), |held_out| {
        // Against a stated setting that is as dear as it gets.
        let mut points = points.clone();
        points[0].score.replica_hours *= 10.0;
        let advice = advise(&points, LATE, &files(), &knobs, held_out).unwrap();
        if let Advice::Take {
            values, held_out, ..
        } = advice
        {
            let files = turned(&files(), &knobs, &values);
            assert!(Policies::read(&files).is_ok());
            assert!(held_out.late_jobs.is_finite());
        }
    });
}

#[test]
fn each_choice_of_a_key_leaves_the_rest_as_it_is_stated() {
    let knobs = find(&files(), Resource::TranscriptionWorkers);
    let all = each_choice("averageUtilization", &knobs);
    assert_eq!(all.len(), 16);
    for (values, target) in all
        .iter()
        .zip((4..).map(|twentieth| 5.0 * f64::from(twentieth)))
    {
        for (knob, value) in knobs.iter().zip(values) {
            let is_turned = knob.key == "averageUtilization";
            assert_eq!(
                *value,
                if is_turned { target } else { knob.value },
                "{knob:?}"
            );
        }
    }
    assert!(each_choice("percentile", &knobs).is_empty());
}

#[test]
fn a_forecast_is_followed_along_its_percentile_and_what_has_none_is_retuned() {
    let mut with_forecast = files();
    let forecast = "forecast:\n  policies:\n  - {name: f, resource: transcription_workers, signal: s, per_instance: 2, percentile: 95, most: 40}\n";
    with_forecast.insert("forecast.yaml".to_owned(), forecast.to_owned());
    let [plain, along] = [files(), with_forecast];
    let [plain, along] =
        [&plain, &along].map(|files| Contender::new(files, Resource::TranscriptionWorkers));
    let search = Search { runs: 20, ..SEARCH };
    let replayed = AtomicUsize::new(0);
    let count = || {
        replayed.fetch_add(1, Ordering::Relaxed);
    };
    let curves = with_contest(&demand(0), |learnt| {
        with_contest(&demand(90), |held_out| {
            let curve = |it: &Contender| it.curve(&search, learnt, held_out, &count).unwrap();
            let reference = curve(&plain);
            assert!((21..=plain.replays(&search)).contains(&replayed.swap(0, Ordering::Relaxed)));
            let policy = curve(&along);
            assert_eq!(replayed.swap(0, Ordering::Relaxed), along.replays(&search));
            [reference, policy]
        })
    });
    assert_eq!(along.replays(&search), 16);
    let [reference, _] = &curves;
    let itself = Comparison::of(reference, reference).unwrap();
    assert_eq!((itself.under_ratio, itself.actions_ratio), (1.0, 1.0));
}
