//! The archived write-ahead log: the names of its segments, which of them are needed, and how little room they take.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::replication::Lsn;
use super::{Cluster, Error, Manifest, Progress, Result, Stage, Watcher, files};

const COMPRESSED: &str = ".gz";

/// A segment's place in the log, whatever its timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    pub number: u64,
    pub timeline: u32,
}

impl Segment {
    /// `000000010000000A000000FF`: timeline, then the number in two parts.
    fn parse(name: &str, segment_bytes: u64) -> Option<Self> {
        if name.len() != 24 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let part = |range: std::ops::Range<usize>| u64::from_str_radix(name.get(range)?, 16).ok();
        let per_part = (1_u64 << 32) / segment_bytes;
        Some(Self {
            timeline: u32::try_from(part(0..8)?).ok()?,
            number: part(8..16)? * per_part + part(16..24)?,
        })
    }

    fn name(self, segment_bytes: u64) -> String {
        let per_part = (1_u64 << 32) / segment_bytes;
        format!(
            "{:08X}{:08X}{:08X}",
            self.timeline,
            self.number / per_part,
            self.number % per_part
        )
    }
}

impl Cluster {
    /// The first segment that a restored backup replays.
    pub(super) fn first_segment(&self) -> u64 {
        Lsn::parse(&self.start_lsn).map_or(0, |lsn| lsn.0 / self.segment_bytes)
    }
}

/// Compresses the plain segments of an archive, one by one. A segment that the server archives again is plain again.
pub(super) fn compress(archive: &Path, watcher: &dyn Watcher) -> Result<usize> {
    let mut compressed = 0;
    for path in files::read_dir(archive)? {
        let name = file_name(&path);
        if Segment::parse(&name, 1 << 24).is_none() {
            continue;
        }
        if watcher.cancelled() {
            break;
        }
        compress_one(&path, &archive.join(format!("{name}{COMPRESSED}")))?;
        compressed += 1;
    }
    Ok(compressed)
}

fn compress_one(plain: &Path, compressed: &Path) -> Result<()> {
    let draft = compressed.with_extension("gz.partial");
    let mut from = File::open(plain).map_err(Error::io("read", plain))?;
    let to = File::create(&draft).map_err(Error::io("create", &draft))?;
    let mut encoder = GzEncoder::new(BufWriter::new(to), Compression::fast());
    let written = io::copy(&mut from, &mut encoder)
        .and_then(|_| encoder.finish())
        .and_then(|writer| writer.into_inner().map_err(io::IntoInnerError::into_error))
        .and_then(|file| file.sync_all());
    if let Err(error) = written {
        files::remove_file(&draft)?;
        return Err(Error::io("write", &draft)(error));
    }
    fs::rename(&draft, compressed).map_err(Error::io("rename", &draft))?;
    files::sync_dir(compressed.parent().unwrap_or(compressed))?;
    files::remove_file(plain)
}

/// Removes the segments that no backup of this cluster needs. Histories of timelines are small and stay.
pub(super) fn prune(archive: &Path, system: u64, manifests: &[Manifest]) -> Result<()> {
    let oldest = manifests
        .iter()
        .map(|manifest| &manifest.cluster)
        .filter(|cluster| cluster.system_identifier == system)
        .min_by_key(|cluster| cluster.first_segment());
    let Some(oldest) = oldest else {
        return Ok(());
    };
    for path in files::read_dir(archive)? {
        let name = file_name(&path);
        let segment = Segment::parse(plain_name(&name), oldest.segment_bytes);
        if segment.is_some_and(|segment| segment.number < oldest.first_segment()) {
            files::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Puts every segment from the backup's first on, and every history, into `replay`, plain. The sources are archives, and
/// last the `pg_wal` of a cluster that did not archive everything. Returns how many segments there are then.
pub(super) fn collect(
    sources: &[PathBuf],
    cluster: &Cluster,
    replay: &Path,
    watcher: &dyn Watcher,
) -> Result<usize> {
    let needed = |name: &str| {
        Segment::parse(name, cluster.segment_bytes)
            .is_some_and(|segment| segment.number >= cluster.first_segment())
    };
    let mut found = Vec::new();
    for source in sources {
        found.extend(files::read_dir(source)?);
    }
    let total = found.len() as u64 * cluster.segment_bytes;
    for (index, path) in found.iter().enumerate() {
        let name = file_name(path);
        let plain = plain_name(&name);
        let target = replay.join(plain);
        if (needed(plain) || plain.ends_with(".history")) && !target.exists() {
            copy_plain(path, &target, watcher)?;
        }
        watcher.progress(Progress {
            stage: Stage::Log,
            done: (index as u64 + 1) * cluster.segment_bytes,
            total,
        });
    }
    let segments = segments_in(replay, cluster.segment_bytes)?;
    Ok(segments.len())
}

/// The first segment that is missing between the backup's first and the last there is.
pub(super) fn first_gap(
    dirs: &[&Path],
    cluster: &Cluster,
    last_needed: Option<u64>,
) -> Result<Option<String>> {
    let mut found = BTreeSet::new();
    for dir in dirs {
        found.extend(segments_in(dir, cluster.segment_bytes)?);
    }
    let numbers: BTreeSet<u64> = found.iter().map(|segment| segment.number).collect();
    let last = numbers.last().copied().max(last_needed);
    let Some(last) = last else { return Ok(None) };
    let missing = (cluster.first_segment()..=last).find(|number| !numbers.contains(number));
    Ok(missing.map(|number| {
        let before = found.iter().rfind(|segment| segment.number < number);
        let timeline = before.map_or(cluster.timeline, |segment| segment.timeline);
        Segment { number, timeline }.name(cluster.segment_bytes)
    }))
}

/// Whether each compressed segment of an archive can be read to its end; names those that cannot.
pub(super) fn unreadable(
    archive: &Path,
    cluster: &Cluster,
    watcher: &dyn Watcher,
) -> Result<Vec<PathBuf>> {
    let mut broken = Vec::new();
    let paths = files::read_dir(archive)?;
    let total = paths.len() as u64 * cluster.segment_bytes;
    for (index, path) in paths.into_iter().enumerate() {
        if watcher.cancelled() {
            return Err(Error::Cancelled);
        }
        let name = file_name(&path);
        let segment = Segment::parse(plain_name(&name), cluster.segment_bytes);
        if segment.is_some_and(|segment| segment.number >= cluster.first_segment())
            && !has_length(&path, cluster.segment_bytes)
        {
            broken.push(path);
        }
        watcher.progress(Progress {
            stage: Stage::Log,
            done: (index as u64 + 1) * cluster.segment_bytes,
            total,
        });
    }
    Ok(broken)
}

fn has_length(path: &Path, bytes: u64) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    let read = if file_name(path).ends_with(COMPRESSED) {
        io::copy(&mut GzDecoder::new(BufReader::new(file)), &mut io::sink())
    } else {
        io::copy(&mut BufReader::new(file), &mut io::sink())
    };
    read.is_ok_and(|read| read == bytes)
}

/// The timeline that a cluster with this `pg_wal` writes.
pub(super) fn last_timeline(log: &Path, segment_bytes: u64) -> Result<Option<u32>> {
    let segments = segments_in(log, segment_bytes)?;
    Ok(segments.iter().map(|segment| segment.timeline).max())
}

fn segments_in(dir: &Path, segment_bytes: u64) -> Result<BTreeSet<Segment>> {
    let paths = files::read_dir(dir)?;
    Ok(paths
        .iter()
        .filter_map(|path| Segment::parse(plain_name(&file_name(path)), segment_bytes))
        .collect())
}

/// Copies a segment or a history, compressed or not. One that is compressed meanwhile is read compressed.
fn copy_plain(from: &Path, to: &Path, watcher: &dyn Watcher) -> Result<()> {
    let open = |path: &Path| File::open(path).map_err(Error::io("read", path));
    let compressed = PathBuf::from(format!("{}{COMPRESSED}", from.display()));
    if file_name(from).ends_with(COMPRESSED) {
        decompress(&open(from)?, from, to)
    } else if !from.exists() && compressed.exists() {
        decompress(&open(&compressed)?, &compressed, to)
    } else {
        files::copy(open(from)?, to, watcher, &mut |_| {}).map(drop)
    }
}

fn decompress(file: &File, from: &Path, to: &Path) -> Result<()> {
    let mut target = File::create(to).map_err(Error::io("create", to))?;
    let mut decoder = GzDecoder::new(BufReader::new(file));
    let mut plain = Vec::new();
    io::Read::read_to_end(&mut decoder, &mut plain).map_err(|error| Error::Damaged {
        path: from.to_owned(),
        detail: error.to_string(),
    })?;
    target
        .write_all(&plain)
        .and_then(|()| target.sync_all())
        .map_err(Error::io("write", to))
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn plain_name(name: &str) -> &str {
    name.strip_suffix(COMPRESSED).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::super::Unwatched;
    use super::*;

    fn cluster(start_lsn: &str) -> Cluster {
        Cluster {
            system_identifier: 1,
            timeline: 1,
            start_lsn: start_lsn.to_owned(),
            end_lsn: start_lsn.to_owned(),
            segment_bytes: 1 << 24,
        }
    }

    #[test]
    fn a_segments_name_is_its_place() {
        let segment = Segment::parse("000000020000000A000000FF", 1 << 24).unwrap();
        assert_eq!((segment.timeline, segment.number), (2, 0xAFF));
        assert_eq!(segment.name(1 << 24), "000000020000000A000000FF");
        for other in [
            "00000002.history",
            "archtemp",
            "00000002000000A000000FF.partial",
        ] {
            assert_eq!(Segment::parse(other, 1 << 24), None, "{other}");
        }
    }

    #[test]
    fn a_missing_segment_is_named() {
        let place = tempfile::tempdir().unwrap();
        for name in [
            "000000010000000000000002",
            "000000010000000000000003.gz",
            "000000010000000000000005",
        ] {
            fs::write(place.path().join(name), b"").unwrap();
        }
        let gap = |lsn| first_gap(&[place.path()], &cluster(lsn), None).unwrap();
        assert_eq!(
            gap("0/2000028").as_deref(),
            Some("000000010000000000000004")
        );
        assert_eq!(gap("0/5000028"), None);
        assert_eq!(
            gap("0/1000028").as_deref(),
            Some("000000010000000000000001")
        );
    }

    #[test]
    fn a_compressed_segment_is_the_same_segment() {
        let place = tempfile::tempdir().unwrap();
        let (archive, replay) = (place.path().join("archive"), place.path().join("replay"));
        for dir in [&archive, &replay] {
            fs::create_dir(dir).unwrap();
        }
        let content: Vec<u8> = (0..100_000_u32)
            .map(|number| (number % 251) as u8)
            .collect();
        let name = "000000010000000000000002";
        fs::write(archive.join(name), &content).unwrap();
        assert_eq!(compress(&archive, &Unwatched).unwrap(), 1);
        assert!(!archive.join(name).exists());
        let found = collect(
            std::slice::from_ref(&archive),
            &cluster("0/2000028"),
            &replay,
            &Unwatched,
        )
        .unwrap();
        assert_eq!(found, 1);
        assert_eq!(fs::read(replay.join(name)).unwrap(), content);
        let path = archive.join(format!("{name}.gz"));
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        let cluster = Cluster {
            segment_bytes: 1 << 24,
            ..cluster("0/2000028")
        };
        assert_eq!(unreadable(&archive, &cluster, &Unwatched).unwrap(), [path]);
    }
}
