//! Recordings that come in: whole, broken, too large, twice.

use reqwest::{Method, StatusCode, multipart};
use serde_json::json;

use crate::world::{WAV, World};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_audio_is_refused_and_leaves_nothing() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let (_, encounter) = world.encounter(&anna).await;
    for (content, status) in [
        (&b""[..], StatusCode::UNPROCESSABLE_ENTITY),
        (b"hello, I am a text", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (b"%PDF-1.7 not audio", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (
            b"\x89PNG\r\n\x1a\n picture",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
    ] {
        let refused = anna.upload(&encounter, "k", content).await;
        assert_eq!(refused.status, status, "{}", refused.text);
    }
    let now = anna.get(&format!("/api/encounters/{encounter}")).await;
    assert_eq!(now.body["state"], "open");
    assert_eq!(files(&world), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_is_too_large_is_refused_and_leaves_nothing() {
    let world = World::with(|config| config.http.upload_bytes_max = 100_000).await;
    let anna = world.sign_in("anna@north").await;
    let (_, encounter) = world.encounter(&anna).await;
    let mut large = WAV.to_vec();
    large.resize(300_000, 0);
    let refused = anna.upload(&encounter, "k", &large).await;
    assert_eq!(
        refused.status,
        StatusCode::PAYLOAD_TOO_LARGE,
        "{}",
        refused.text
    );
    assert_eq!(files(&world), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_upload_twice_is_one_recording_and_another_under_its_key_is_refused() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let (_, encounter) = world.encounter(&anna).await;
    let first = anna.upload(&encounter, "k", WAV).await;
    let again = anna.upload(&encounter, "k", WAV).await;
    assert_eq!(
        (first.status, again.status),
        (StatusCode::ACCEPTED, StatusCode::ACCEPTED),
        "{}",
        again.text
    );
    assert_eq!(first.body["recording_id"], again.body["recording_id"]);
    let mut other = WAV.to_vec();
    other.push(1);
    assert_eq!(
        anna.upload(&encounter, "k", &other).await.body["type"],
        "/problems/idempotency-key-reused"
    );
    assert_eq!(
        anna.upload(&encounter, "k2", WAV).await.body["type"],
        "/problems/not-now"
    );
    assert_eq!(files(&world), 1, "what was refused is not kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audio_that_comes_back_is_the_audio_that_was_sent() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let (_, encounter) = world.encounter(&anna).await;
    let mut long = WAV.to_vec();
    long.extend((0..300_000_u32).map(|n| u8::try_from(n % 251).unwrap()));
    let accepted = anna.upload(&encounter, "k", &long).await;
    let path = format!(
        "/api/recordings/{}/audio",
        accepted.body["recording_id"].as_str().unwrap()
    );
    let whole = anna
        .request(Method::GET, &path)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_eq!(&whole[..], &long[..]);
    let part = anna
        .request(Method::GET, &path)
        .header("Range", "bytes=100000-100009")
        .send()
        .await
        .unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(&part.bytes().await.unwrap()[..], &long[100_000..100_010]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_without_key_or_file_says_what_is_missing() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let (_, encounter) = world.encounter(&anna).await;
    let form = multipart::Form::new().text("encounter_id", encounter.clone());
    let without_key = anna
        .send(
            anna.request(Method::POST, "/api/transcription")
                .multipart(form),
        )
        .await;
    assert_eq!(without_key.body["type"], "/problems/idempotency-key-needed");
    let form = multipart::Form::new().text("encounter_id", encounter);
    let without_file = anna
        .send(
            anna.request(Method::POST, "/api/transcription")
                .header("Idempotency-Key", "k")
                .multipart(form),
        )
        .await;
    assert_eq!(
        without_file.body["field"],
        json!("file"),
        "{}",
        without_file.text
    );
}

fn files(world: &World) -> usize {
    fn count(dir: &std::path::Path) -> usize {
        let entries = std::fs::read_dir(dir)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path());
        entries
            .map(|path| if path.is_dir() { count(&path) } else { 1 })
            .sum()
    }
    count(&world.folder.path().join("recordings"))
}
