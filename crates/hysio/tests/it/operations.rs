//! The operators' page in a real browser: what is decided and changed appears by itself, and the emergency switch asks twice.

use hysio::{
    commands,
    scaler::{LEASE, policy_files::Current, store::Decisions},
};
use hysio_control::tick::{Actor, tick};
use hysio_scaling::Resource;
use hysio_testkit::{Browser, Microphone};
use serde_json::json;

use crate::{
    evidence::{picture, sign_in, wait_for},
    world::World,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_decisions_and_changes_come_and_declares_an_emergency() {
    let world = World::new().await;
    let workers = Resource::TranscriptionWorkers;
    world.db.found_target(workers, 1).await.expect("founded");
    let long = std::time::Duration::from_secs(60);
    world.db.hold_lease(LEASE, "x/1", long).await.expect("held");
    let browser = Browser::start(Microphone::Absent).await.expect("Chromium");
    let base = format!("http://{}", world.address);
    sign_in(&browser, &base, "operator").await;
    let page = browser.page();
    page.goto(&format!("{base}/operations"))
        .await
        .expect("opened");
    wait_for(&browser, ".tile").await;

    declare(&browser).await;
    wait_for(&browser, ".message.error strong").await;
    let emergency = world.db.emergency().await.expect("asked");
    assert_eq!(emergency.expect("declared").reason, "a wave of influenza");

    // The scaler's next look: its decision and the change appear without anybody loading the page again.
    let current = Current::load(None).expect("the built-in policies");
    let observer = commands::scaler::world(&world.config, &world.db).expect("a world");
    let decisions = Decisions::new(world.db.clone(), current.digest());
    let actor = Actor {
        user: "scaler".into(),
        pid: 1,
    };
    let ticked = tick(&current.policies, &observer, &decisions, &world.db, &actor);
    let ticked = ticked.await.expect("ticked");
    assert_eq!(ticked.begun.len(), 1, "{:?}", ticked.decision);
    wait_for(&browser, ".steps .step").await;
    let words = "return document.querySelector('main').innerText;";
    let said = page.execute(words, vec![]).await.expect("read");
    let said = said.as_str().expect("words");
    for expected in [
        "1 → 3",
        "pandemic_response is declared by",
        "at the gates",
        "Name of operator",
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }
    // What every policy wanted is a click away.
    page.execute("document.querySelector('.decision').open = true;", vec![])
        .await
        .expect("opened");
    wait_for(&browser, ".decision[open] tbody .chip.active").await;
    picture(&browser, "operations").await;
    browser.close().await.expect("closed");
}

/// Once without being sure, which is refused, then for good.
async fn declare(browser: &Browser) {
    let page = browser.page();
    page.execute(
        "document.querySelector('.message.info button').click();",
        vec![],
    )
    .await
    .expect("clicked");
    wait_for(browser, "dialog textarea").await;
    let fill = "document.querySelector('dialog textarea').value = 'a wave of influenza';
        document.querySelector('dialog [type=submit]').click();";
    page.execute(fill, vec![]).await.expect("filled in");
    wait_for(browser, "dialog .message.error:not(:empty)").await;
    let sure = "document.querySelector('dialog [type=checkbox]').click();
        document.querySelector('dialog [type=submit]').click();";
    page.execute(sure, vec![json!(null)]).await.expect("sure");
}
