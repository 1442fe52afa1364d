use hysio_scaling::{
    capacity::size::Service,
    policies::knobs::{find, turned},
};

use super::*;

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
fn a_search_begins_where_it_is_told_to_and_counts_that_among_its_runs() {
    let knobs = find(&files(), Resource::TranscriptionWorkers);
    let starts = each_choice("averageUtilization", &knobs);
    assert_eq!(starts.len(), 16);
    let search = Search { runs: 10, ..SEARCH };
    let points = with_contest(&demand(0), |contest| {
        search
            .points_from(&files(), &knobs, &starts, contest, &|| {})
            .unwrap()
    });
    assert_eq!(points.len(), 10);
    assert!(points[1..].iter().all(|it| starts.contains(&it.values)));
}

#[test]
fn what_was_learnt_without_a_forecast_is_taken_over_with_one_that_asks_for_nothing() {
    let mut more = files();
    let forecast = "forecast:\n  policies:\n  - {name: f, resource: transcription_workers, signal: s, per_instance: 2, percentile: 95, most: 40}\n";
    more.insert("forecast.yaml".to_owned(), forecast.to_owned());
    let knobs = [files(), more].map(|files| find(&files, Resource::TranscriptionWorkers));
    let learnt: Vec<f64> = knobs[0].iter().map(|knob| knob.choices[1]).collect();
    let taken = carried_over(&learnt, &knobs[0], &knobs[1]);
    let seen: Vec<(&str, f64)> = knobs[1]
        .iter()
        .map(|knob| knob.key.as_str())
        .zip(taken)
        .collect();
    assert_eq!(seen[..2], [("per_instance", 8.0), ("percentile", 10.0)]);
    let rest: Vec<f64> = seen[2..].iter().map(|it| it.1).collect();
    assert_eq!(rest, learnt);
}
