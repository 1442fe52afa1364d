//! The API's description, as committed.

#[test]
fn the_committed_description_is_what_the_routes_say() {
    let path = hysio_testkit::repository_dir().join("docs/api/openapi.json");
    let committed = std::fs::read_to_string(&path).expect("docs/api/openapi.json is there");
    assert_eq!(
        committed.trim(),
        hysio::http::app::openapi().trim(),
        "write it anew: ./hysio openapi > docs/api/openapi.json"
    );
}
