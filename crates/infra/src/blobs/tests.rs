use std::process::Command;

use futures::stream;

use super::*;

fn key() -> BlobKey {
    BlobKey {
        facility: FacilityId(7),
        recording: RecordingId::new(),
    }
}

fn chunks(sizes: &[usize]) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    let chunks: Vec<_> = sizes
        .iter()
        .zip(0u8..)
        .map(|(size, fill)| Ok(Bytes::from(vec![fill; *size])))
        .collect();
    stream::iter(chunks)
}

/// Every file below the directory, staged ones too.
fn files(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[tokio::test]
async fn what_was_put_is_read_back_whole_and_in_part() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path()).await.unwrap();
    let key = key();
    let written = blobs.put(key, chunks(&[3, 0, 4])).await.unwrap();
    assert_eq!(written, 7);

    let whole: Vec<Bytes> = blobs.get(key).await.unwrap().try_collect().await.unwrap();
    assert_eq!(whole.concat(), [0, 0, 0, 2, 2, 2, 2]);
    let part = blobs.get_range(key, 2..5).await.unwrap();
    assert_eq!(&part[..], [0, 2, 2]);
}

#[tokio::test]
async fn the_listing_has_complete_blobs_only() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path()).await.unwrap();
    let (first, second) = (key(), key());
    blobs.put(first, chunks(&[5])).await.unwrap();
    blobs.put(second, chunks(&[6])).await.unwrap();
    std::fs::write(
        dir.path().join(format!("7/{}#1", RecordingId::new())),
        "half",
    )
    .unwrap();
    std::fs::write(dir.path().join("7/notes.txt"), "not ours").unwrap();
    blobs.delete(first).await.unwrap();
    blobs.delete(first).await.unwrap();

    let listed: Vec<BlobInfo> = blobs.list().try_collect().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].key, listed[0].bytes), (second, 6));
    assert!(matches!(
        blobs.get(first).await.err(),
        Some(Error::NotFound(missing)) if missing == first
    ));
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path()).await.unwrap();
    let broken = chunks(&[1000]).chain(stream::iter([Err(io::Error::from(
        io::ErrorKind::ConnectionReset,
    ))]));
    let error = blobs.put(key(), broken).await.unwrap_err();
    assert!(matches!(error, Error::Source { .. }), "{error}");
    assert_eq!(files(dir.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn an_upload_that_replaces_and_fails_leaves_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path()).await.unwrap();
    let key = key();
    blobs.put(key, chunks(&[9])).await.unwrap();
    let broken = chunks(&[2]).chain(stream::iter([Err(io::Error::other("gone"))]));
    blobs.put(key, broken).await.unwrap_err();
    assert_eq!(blobs.get_range(key, 0..100).await.unwrap().len(), 9);
}

#[tokio::test]
async fn a_start_removes_what_a_killed_process_left_and_spares_running_uploads() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("7")).unwrap();
    let old = dir.path().join(format!("7/{}#1", RecordingId::new()));
    let running = dir.path().join(format!("7/{}#1", RecordingId::new()));
    std::fs::write(&running, "half").unwrap();
    let file = std::fs::File::create(&old).unwrap();
    let long_ago = SystemTime::now() - 2 * ABANDONED_AFTER;
    file.set_modified(long_ago).unwrap();

    Blobs::open(dir.path()).await.unwrap();
    assert_eq!(files(dir.path()), [running]);
}

#[test]
fn a_full_disk_or_quota_is_recognised_below_other_errors() {
    let store_error = |kind: io::ErrorKind| object_store::Error::Generic {
        store: "local",
        source: Box::new(io::Error::from(kind)),
    };
    assert!(is_full(&store_error(io::ErrorKind::StorageFull)));
    assert!(is_full(&store_error(io::ErrorKind::QuotaExceeded)));
    assert!(!is_full(&store_error(io::ErrorKind::PermissionDenied)));
}

/// Needs the right to mount; elsewhere it says that it was passed over.
#[tokio::test]
async fn a_full_disk_is_named_and_no_half_file_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
        .arg(dir.path())
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("passed over: this user may not mount a small file system");
        return;
    }
    let outcome = fill_disk(dir.path()).await;
    let unmounted = Command::new("umount").arg(dir.path()).status().unwrap();
    assert!(unmounted.success());

    let (error, left, free_after) = outcome;
    assert!(matches!(error, Error::Full { .. }), "{error}");
    assert_eq!(left.len(), 1, "only the blob that fitted: {left:?}");
    assert!(free_after > 100_000, "{free_after} bytes");
}

async fn fill_disk(dir: &Path) -> (Error, Vec<PathBuf>, u64) {
    let blobs = Blobs::open(dir).await.unwrap();
    blobs.put(key(), chunks(&[100_000])).await.unwrap();
    let error = blobs.put(key(), chunks(&[64_000; 8])).await.unwrap_err();
    (error, files(dir), blobs.free_space().unwrap())
}
