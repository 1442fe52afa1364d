//! The words that support a suggestion, as a clinician sees them in a real browser: exactly those, whatever stands before.

use std::time::Duration;

use hysio_testkit::{Browser, Microphone};
use serde_json::{Value, json};

use crate::{
    learning::{dictate, world},
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
    page.goto(&format!("{base}/sign-in")).await.expect("opened");
    let sign_in = "const [address, password, done] = arguments;
        fetch('/api/session', {method: 'POST', headers: {'Content-Type': 'application/json', 'X-Hysio-Request': '1'},
            body: JSON.stringify({email: address, password})}).then((answer) => done(answer.status));";
    let signed_in = page
        .execute_async(sign_in, vec![json!("anna@north"), json!(PASSWORD)])
        .await
        .expect("signed in");
    assert_eq!(signed_in, json!(200));
    let id = encounter["id"].as_str().expect("an id");
    page.goto(&format!("{base}/encounters/{id}"))
        .await
        .expect("opened");
    let card = format!(".suggestion[data-id='{}']", first["id"].as_str().expect("an id"));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let is_there = "return document.querySelector(arguments[0]) !== null;";
    while page.execute(is_there, vec![json!(card)]).await.ok() != Some(json!(true)) {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the suggestions are not shown"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
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
    if let Some(folder) = std::env::var_os("HYSIO_SCREENSHOTS") {
        let file = std::path::Path::new(&folder).join("evidence.png");
        browser.screenshot(file).await.expect("written");
    }
    browser.close().await.expect("closed");
}
