//! The real browser.

use std::path::PathBuf;

use hysio_testkit::{Browser, Microphone};

#[tokio::test]
async fn a_page_runs_its_scripts_and_can_be_looked_at() {
    let browser = Browser::start(Microphone::Absent).await.unwrap();
    browser
        .page()
        .goto(
            "data:text/html,<h1></h1><script>document.querySelector('h1').textContent=6*7</script>",
        )
        .await
        .unwrap();
    let heading = browser
        .page()
        .find(fantoccini::Locator::Css("h1"))
        .await
        .unwrap();
    assert_eq!(heading.text().await.unwrap(), "42");

    let place = tempfile::tempdir().unwrap();
    let file: PathBuf = place.path().join("page.png");
    browser.screenshot(&file).await.unwrap();
    let image = std::fs::read(&file).unwrap();
    assert_eq!(&image[..8], b"\x89PNG\r\n\x1a\n");
    browser.close().await.unwrap();
}
