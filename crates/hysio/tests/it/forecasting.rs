//! Forecasts that decide live, over what the scaler measured.

use hysio::{
    commands,
    scaler::{policy_files::Current, store::Decisions},
};
use hysio_control::tick::{Actor, tick};
use hysio_infra::embedded_postgres::Login;
use hysio_scaling::{Resource, Wants, policies::Policies};

use crate::world::World;

/// Sessions of twelve days, every minute: 100 at night and 300 from 9 to 17 o'clock.
async fn twelve_days_of_sessions(world: &World) {
    let client = world
        .database
        .connect(Login::Superuser)
        .await
        .expect("connected");
    client
        .execute(
            "INSERT INTO scaling_samples (at, series, value)
             SELECT at, 'active_sessions', CASE WHEN extract(hour FROM at AT TIME ZONE 'UTC') BETWEEN 9 AND 16 THEN 300 ELSE 100 END
             FROM generate_series(now() - interval '12 days', now(), interval '1 minute') AS at",
            &[],
        )
        .await
        .expect("stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forecast_that_is_new_begins_with_what_was_measured_before_it() {
    let world = World::new().await;
    let founded = world
        .db
        .found_target(Resource::TranscriptionWorkers, 1)
        .await;
    founded.expect("founded");
    let forecast = "forecast:\n  policies:\n  - {name: sessions, resource: transcription_workers, signal: active_sessions, per_instance: 100, most: 4}\n";
    let mut files = Current::load(None).expect("the built-in policies").files;
    files.insert("forecast.yaml".to_owned(), forecast.to_owned());
    let policies = Policies::read(&files).expect("good");
    world.db.keep_policies("d", &files).await.expect("kept");
    let observer = commands::scaler::world(&world.config, &world.db).expect("a world");
    let decisions = Decisions::new(world.db.clone(), "d".to_owned());
    let actor = Actor {
        user: "scaler".into(),
        pid: 1,
    };
    assert_eq!(
        decisions.learn(&policies).await.expect("asked"),
        0,
        "nothing was measured yet"
    );
    twelve_days_of_sessions(&world).await;
    assert_eq!(decisions.learn(&policies).await.expect("learnt"), 1);
    let ticked = tick(&policies, &observer, &decisions, &world.db, &actor)
        .await
        .expect("ticked");
    let mut proposals = ticked.decision.outcomes.iter().flat_map(|it| &it.proposals);
    let wants = &proposals
        .find(|it| it.policy == "forecast/sessions")
        .expect("the forecast's")
        .wants;
    assert!(matches!(wants, Wants::AtLeast { .. }), "{wants:?}");
    // What lives is left alone.
    assert_eq!(decisions.learn(&policies).await.expect("asked"), 0);
}
