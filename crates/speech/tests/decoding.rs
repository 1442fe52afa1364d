//! Every form of sound that is promised, whole, cut off, damaged and lied about.

use std::{fs, path::PathBuf};

use hysio_speech::audio::{Audio, Error, Limits, SAMPLE_RATE, Warning, decode, decode_file};
use proptest::prelude::*;

/// The same two seconds in each form; FLAC at 16 kHz is the truth.
const LOSSY: [&str; 8] = [
    "two_seconds.mp3",
    "two_seconds.ogg",
    "two_seconds.opus",
    "two_seconds.m4a",
    "two_seconds.fragmented.mp4",
    "two_seconds.webm",
    "two_seconds.opus.mp4",
    "video.webm",
];

#[test]
fn every_form_gives_the_same_sound() {
    let truth = decoded("two_seconds.flac");
    assert_eq!(truth.samples.len(), 2 * SAMPLE_RATE);
    for name in LOSSY {
        let audio = decoded(name);
        let seconds = audio.duration_seconds();
        assert!((1.9..2.2).contains(&seconds), "{name}: {seconds} s");
        let likeness = likeness(&truth.samples, &audio.samples);
        assert!(likeness > 0.95, "{name}: {likeness}");
        assert_eq!(audio.warnings, [], "{name}");
    }
}

#[test]
fn a_file_on_disk_is_read_like_one_in_memory() {
    for name in ["two_seconds.flac", "two_seconds.webm", "two_seconds.m4a"] {
        let from_disk = decode_file(&path(name), Limits::default()).expect("sound");
        assert_eq!(from_disk, decoded(name), "{name}");
    }
}

#[test]
fn wav_of_any_rate_and_number_of_channels_is_read() {
    for (rate, channels) in [
        (8_000, 1),
        (16_000, 1),
        (44_100, 2),
        (48_000, 2),
        (48_000, 6),
    ] {
        let audio = decode(wav(rate, channels, 1.0), Limits::default()).expect("sound");
        assert_eq!(
            audio.samples.len(),
            SAMPLE_RATE,
            "{rate} Hz, {channels} channels"
        );
        let loudest = audio.samples[1000..15_000]
            .iter()
            .fold(0.0, |a: f32, b| a.max(b.abs()));
        assert!(
            (0.45..0.55).contains(&loudest),
            "{rate} Hz, {channels}: {loudest}"
        );
    }
}

#[test]
fn what_is_no_sound_is_refused_with_the_way_out() {
    let refused = |bytes: &[u8]| decode(bytes.to_vec(), Limits::default()).expect_err("no sound");
    assert!(matches!(refused(b""), Error::Empty));
    let picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".repeat(50);
    let page = "<html><body>Not found</body></html>".repeat(20);
    for bytes in [
        b"hello".as_slice(),
        &picture,
        page.as_bytes(),
        &[0; 5000],
        b"%PDF-1.7",
    ] {
        let error = refused(bytes);
        assert!(matches!(error, Error::NotAudio), "{error}");
        assert!(error.to_string().contains("use WAV, FLAC, MP3"));
    }
}

#[test]
fn a_missing_file_a_folder_and_an_empty_file_are_told_apart() {
    let refused = |path: &str| decode_file(path.as_ref(), Limits::default()).expect_err("no file");
    assert!(matches!(refused("/nowhere/visit.wav"), Error::Open(_)));
    assert!(matches!(refused("/tmp"), Error::Open(_)));
    assert!(matches!(
        refused("/dev/null"),
        Error::NotAudio | Error::Empty
    ));
}

#[test]
fn a_recording_that_is_cut_off_gives_what_is_there() {
    // An MP4 keeps its index at the end or its sound in one fragment, and two seconds of Vorbis are a single page: of these,
    // nothing whole is left.
    let lost = [
        "two_seconds.m4a",
        "two_seconds.fragmented.mp4",
        "two_seconds.opus.mp4",
        "two_seconds.ogg",
    ];
    for name in LOSSY.into_iter().chain(["two_seconds.flac"]) {
        let mut bytes = bytes(name);
        bytes.truncate(bytes.len() * 6 / 10);
        let decoded = decode(bytes, Limits::default());
        if lost.contains(&name) {
            let refused = matches!(decoded, Err(Error::Undecodable | Error::NotAudio));
            assert!(refused, "{name}: {decoded:?}");
            continue;
        }
        let seconds = decoded
            .unwrap_or_else(|it| panic!("{name}: {it}"))
            .duration_seconds();
        assert!((0.5..1.6).contains(&seconds), "{name}: {seconds} s");
    }
}

#[test]
fn a_wav_whose_header_claims_more_than_there_is_says_so() {
    let mut bytes = wav(16_000, 1, 2.0);
    bytes.truncate(44 + 16_000 * 2);
    let audio = decode(bytes, Limits::default()).expect("half of it");
    assert_eq!(audio.samples.len(), SAMPLE_RATE);
    assert_eq!(audio.warnings, [Warning::Truncated]);
}

#[test]
fn an_impossible_rate_is_refused() {
    for rate in [1, 100, 4_000_000] {
        let error = decode(wav(rate, 1, 100.0 / rate as f32), Limits::default());
        assert!(
            matches!(error, Err(Error::Rate(it)) if it == rate),
            "{error:?}"
        );
    }
}

#[test]
fn a_small_file_of_endless_sound_fails_at_the_limit() {
    let limits = Limits { seconds_max: 1 };
    let error = decode(bytes("two_seconds.opus"), limits).expect_err("too long");
    assert!(matches!(error, Error::TooLong { seconds_max: 1 }));
    assert!(error.to_string().contains("longer than 1 seconds"));
}

#[test]
fn a_file_cut_at_any_place_neither_panics_nor_grows() {
    for name in LOSSY.into_iter().chain(["two_seconds.flac"]) {
        let whole = bytes(name);
        for part in 0..40 {
            let cut = whole[..whole.len() * part / 40].to_vec();
            if let Ok(audio) = decode(cut, Limits::default()) {
                assert!(audio.duration_seconds() < 2.5, "{name}, {part}/40");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rubbish_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..4000)) {
        let _ = decode(bytes, SHORT);
    }

    #[test]
    fn damage_is_survived(
        file in 0..LOSSY.len(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..30),
    ) {
        let mut bytes = bytes(LOSSY[file]);
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(audio) = decode(bytes, SHORT) {
            // The filter of the resampler swings a little beyond full scale.
            prop_assert!(audio.samples.iter().all(|it| (-2.0..=2.0).contains(it)));
        }
    }
}

const SHORT: Limits = Limits { seconds_max: 60 };

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/media")).join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn decoded(name: &str) -> Audio {
    decode(bytes(name), Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The largest normalised correlation over shifts of up to an eighth of a second: encoders add some delay.
fn likeness(truth: &[f32], other: &[f32]) -> f32 {
    let middle = &truth[SAMPLE_RATE / 2..SAMPLE_RATE * 3 / 2];
    let energy = |samples: &[f32]| samples.iter().map(|it| it * it).sum::<f32>().sqrt();
    (SAMPLE_RATE * 3 / 8..SAMPLE_RATE * 5 / 8)
        .map(|start| {
            let part = &other[start..start + middle.len()];
            let product: f32 = middle.iter().zip(part).map(|(a, b)| a * b).sum();
            product / (energy(middle) * energy(part))
        })
        .fold(0.0, f32::max)
}

/// A tone at half of full scale on every channel, as 16-bit PCM.
fn wav(rate: u32, channels: u16, seconds: f32) -> Vec<u8> {
    let frames = (seconds * rate as f32) as u32;
    let data_bytes = frames * u32::from(channels) * 2;
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + data_bytes).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    wav.extend(1_u16.to_le_bytes());
    wav.extend(channels.to_le_bytes());
    wav.extend(rate.to_le_bytes());
    wav.extend(rate.wrapping_mul(u32::from(channels) * 2).to_le_bytes());
    wav.extend((channels * 2).to_le_bytes());
    wav.extend(16_u16.to_le_bytes());
    wav.extend(b"data");
    wav.extend(data_bytes.to_le_bytes());
    for frame in 0..frames {
        let angle = std::f32::consts::TAU * 440.0 * frame as f32 / rate as f32;
        let sample = (angle.sin() * 0.5 * f32::from(i16::MAX)) as i16;
        for _ in 0..channels {
            wav.extend(sample.to_le_bytes());
        }
    }
    wav
}
