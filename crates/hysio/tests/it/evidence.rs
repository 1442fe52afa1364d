//! The words that support a suggestion, as a clinician sees them in a real browser: exactly those, whatever stands before.

use std::time::Duration;

use hysio_testkit::{Browser, Microphone};
use serde_json::{Value, json};

use crate::{
    learning::{decide, dictate, world},
    world::PASSWORD,
};

/// A letter outside the basic plane, a joined emoji and a letter that grows in lower case: one code point, or several, and
/// more UTF-16 units.
const DICTATED: &str = "𝔘 👩‍⚕️ İ. Pain in the left knee. Essential hypertension.";

#[tokio::test(flavor = "multi_thread")]
async fn looking_at_a_suggestion_lights_the_words_of_its_evidence_in_transcript_and_note() {
    let world = world().await;
    let anna = world.sign_in("anna@north").await;
    let encounter = dictate(&world, &anna, DICTATED).await;
    let first = &encounter["suggestions"][0];
    let expected: Vec<&str> = first["evidence"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|evidence| evidence["text"].as_str().expect("words"))
        .collect();
    assert!(!expected.is_empty());

    let browser = Browser::start(Microphone::Absent).await.expect("Chromium");
    let page = browser.page();
    let base = format!("http://{}", world.address);
    sign_in(&browser, &base, "anna@north").await;
    let id = encounter["id"].as_str().expect("an id");
    page.goto(&format!("{base}/encounters/{id}"))
        .await
        .expect("opened");
    let card = format!(
        ".suggestion[data-id='{}']",
        first["id"].as_str().expect("an id")
    );
    wait_for(&browser, &card).await;
    let look = "document.querySelector(arguments[0]).focus();
        const texts = (selector) => [...document.querySelectorAll(selector)].map((one) => one.firstChild.textContent);
        return {transcript: texts('.evidence.lit'), note: texts('.note-marks mark')};";
    let lit: Value = page
        .execute(look, vec![json!(card)])
        .await
        .expect("looked at");
    assert_eq!(lit["transcript"], json!(expected), "{lit}");
    let marked = lit["note"].as_array().expect("a list");
    assert!(!marked.is_empty(), "the draft says it too: {lit}");
    for word in marked {
        let word = word.as_str().expect("words").to_lowercase();
        assert!(
            expected.iter().any(|said| said.to_lowercase() == word),
            "{word} is no evidence"
        );
    }
    picture(&browser, "evidence").await;
    page.execute("document.querySelector('.note').scrollIntoView();", vec![])
        .await
        .expect("scrolled");
    picture(&browser, "note").await;
    browser.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_sees_what_was_learnt_and_can_forget_it() {
    let world = world().await;
    let anna = world.sign_in("anna@north").await;
    let encounter = dictate(&world, &anna, DICTATED).await;
    let code = encounter["suggestions"][0]["code"]
        .as_str()
        .expect("a code")
        .to_owned();
    decide(&anna, &encounter, &code, "accepted").await;
    let browser = Browser::start(Microphone::Absent).await.expect("Chromium");
    let base = format!("http://{}", world.address);
    sign_in(&browser, &base, "admin@north").await;
    let page = browser.page();
    page.goto(&format!("{base}/admin")).await.expect("opened");
    let row = "[aria-labelledby='learning-title'] tbody tr";
    wait_for(&browser, row).await;
    let words = page
        .execute(
            "return document.querySelector(arguments[0]).innerText;",
            vec![json!(row)],
        )
        .await
        .expect("read");
    let words = words.as_str().expect("words");
    assert!(words.contains(&code) && words.contains("1 / 1"), "{words}");
    picture(&browser, "learning").await;
    page.execute(
        "[...document.querySelectorAll(arguments[0] + ' button')].at(-1).click();",
        vec![json!(row)],
    )
    .await
    .expect("clicked");
    wait_for(&browser, "[aria-labelledby='learning-title'] .state").await;
    browser.close().await.expect("closed");
}

pub async fn sign_in(browser: &Browser, base: &str, address: &str) {
    let page = browser.page();
    page.goto(&format!("{base}/sign-in")).await.expect("opened");
    let script = "const [address, password, done] = arguments;
        fetch('/api/session', {method: 'POST', headers: {'Content-Type': 'application/json', 'X-Hysio-Request': '1'},
            body: JSON.stringify({email: address, password})}).then((answer) => done(answer.status));";
    let status = page
        .execute_async(script, vec![json!(address), json!(PASSWORD)])
        .await
        .expect("asked");
    assert_eq!(status, json!(200));
}

pub async fn wait_for(browser: &Browser, selector: &str) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let is_there = "return document.querySelector(arguments[0]) !== null;";
    let page = browser.page();
    while page.execute(is_there, vec![json!(selector)]).await.ok() != Some(json!(true)) {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{selector} is not shown"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Kept to be looked at, where somebody wants to.
pub async fn picture(browser: &Browser, name: &str) {
    if let Some(folder) = std::env::var_os("HYSIO_SCREENSHOTS") {
        let file = std::path::Path::new(&folder).join(format!("{name}.png"));
        browser.screenshot(file).await.expect("written");
    }
}
