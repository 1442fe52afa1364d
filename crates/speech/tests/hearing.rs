//! The engine with its real models: what is said comes out, what is not said doesn't.

use std::{
    path::PathBuf,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use hysio_model::transcript::Language;
use hysio_speech::{
    Choice, Engine, Error, Folder, Model, Options, Progress, Transcription, Watch,
    audio::{Audio, Limits, SAMPLE_RATE, decode_file},
};

#[test]
fn speech_becomes_its_words_with_times_and_confidence() {
    let transcription = hear(&media("jfk.opus"), Options::default());
    let transcript = &transcription.transcript;
    let words: String = transcript
        .text()
        .to_lowercase()
        .chars()
        .filter(|it| it.is_alphabetic() || *it == ' ')
        .collect();
    assert_eq!(
        words,
        "and so my fellow americans ask not what your country can do for you \
         ask what you can do for your country"
    );
    assert_eq!(transcript.language, Language::English);
    assert_eq!(transcript.model, Model::Base.name());
    assert_eq!(transcription.no_speech.len(), transcript.segments.len());
    let mut before = 0.0;
    for segment in &transcript.segments {
        assert!(
            segment.start >= before && segment.end > segment.start,
            "{segment:?}"
        );
        assert!(segment.end <= transcript.duration_seconds + 0.1);
        assert!(segment.confidence > 0.5 && segment.confidence <= 1.0);
        let words: Vec<&str> = segment.words.iter().map(|it| it.text.as_str()).collect();
        assert_eq!(words.join(" "), segment.text);
        before = segment.start;
    }
}

#[test]
fn where_nobody_speaks_nothing_is_written() {
    let mut random = 1_u32;
    let mut noise = move || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let step = std::f32::consts::TAU * 440.0 / SAMPLE_RATE as f32;
    let seconds = 0..20 * SAMPLE_RATE;
    let sounds = [
        ("silence", vec![0.0; 20 * SAMPLE_RATE]),
        ("nothing", Vec::new()),
        ("a click", vec![0.9]),
        (
            "a tone",
            seconds
                .clone()
                .map(|i| 0.3 * (i as f32 * step).sin())
                .collect(),
        ),
        (
            "quiet noise",
            seconds.clone().map(|_| 0.01 * noise()).collect(),
        ),
        ("loud noise", seconds.map(|_| 0.5 * noise()).collect()),
    ];
    for (name, samples) in sounds {
        let audio = Audio {
            samples,
            warnings: Vec::new(),
        };
        let transcript = hear(&audio, Options::default()).transcript;
        assert_eq!(transcript.text(), "", "{name}");
        assert_eq!(transcript.segments, [], "{name}");
    }
}

#[test]
fn dutch_is_recognised_and_heard_by_the_careful_model() {
    let transcript = hear(&media("dutch.opus"), Options::default()).transcript;
    assert_eq!(transcript.language, Language::Dutch);
    assert_eq!(transcript.model, Model::Small.name());
    let text = transcript.text().to_lowercase();
    assert!(text.contains("pijn op de borst"), "{text}");
}

#[test]
fn a_long_recording_is_heard_in_parts_and_in_order() {
    let clip = media("jfk.opus");
    let mut long = Audio::default();
    for _ in 0..3 {
        long.samples.extend(&clip.samples);
        long.samples.extend(vec![0.0; 4 * SAMPLE_RATE]);
    }
    let told = Mutex::new(Vec::new());
    let watch = Watch {
        progress: &|at| told.lock().expect("not poisoned").push(at),
        cancelled: &AtomicBool::new(false),
    };
    let heard = engine()
        .transcribe(&long, english(), &watch)
        .expect("a transcript");
    let text = heard.transcript.text().to_lowercase();
    assert_eq!(text.matches("fellow americans").count(), 3, "{text}");
    let starts: Vec<f64> = heard
        .transcript
        .segments
        .iter()
        .map(|it| it.start)
        .collect();
    assert!(starts.is_sorted(), "{starts:?}");
    let told = told.into_inner().expect("not poisoned");
    let done: Vec<f64> = told.iter().map(|it| it.seconds_done).collect();
    assert!(done.is_sorted() && done.len() > 1, "{done:?}");
    let end = Progress {
        seconds_done: long.duration_seconds(),
        seconds_total: long.duration_seconds(),
    };
    assert_eq!(told.last(), Some(&end));
}

#[test]
fn what_is_said_twice_is_written_twice() {
    let clip = media("jfk.opus");
    let mut twice = clip.clone();
    twice.samples.extend(vec![0.0; SAMPLE_RATE]);
    twice.samples.extend(&clip.samples);
    let text = hear(&twice, english()).transcript.text().to_lowercase();
    assert_eq!(text.matches("fellow americans").count(), 2, "{text}");
}

#[test]
fn work_that_nobody_wants_any_more_stops() {
    let clip = media("jfk.opus");
    let cancelled = AtomicBool::new(true);
    let watch = Watch {
        progress: &|_| {},
        cancelled: &cancelled,
    };
    let stopped = engine().transcribe(&clip, english(), &watch);
    assert!(matches!(stopped, Err(Error::Cancelled)));

    let mut long = Audio::default();
    for _ in 0..6 {
        long.samples.extend(&clip.samples);
        long.samples.extend(vec![0.0; 4 * SAMPLE_RATE]);
    }
    let cancelled = AtomicBool::new(false);
    let watch = Watch {
        progress: &|_| cancelled.store(true, Ordering::Relaxed),
        cancelled: &cancelled,
    };
    let stopped = engine().transcribe(&long, english(), &watch);
    assert!(matches!(stopped, Err(Error::Cancelled)));
}

#[test]
fn a_missing_or_damaged_model_says_what_to_do() {
    let empty = tempfile::tempdir().expect("a folder");
    let missing = Engine::load(Folder::new(empty.path()), Choice::Auto, 1).err();
    let message = missing.expect("no model").to_string();
    assert!(
        message.contains("silero_vad.onnx") && message.contains("./hysio install"),
        "{message}"
    );

    let folder = empty.path().join("silero-vad");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("silero_vad.onnx"), b"not a model").expect("a file");
    let damaged = Engine::load(Folder::new(empty.path()), Choice::Auto, 1).err();
    assert!(
        matches!(damaged, Some(Error::Damaged { .. })),
        "{damaged:?}"
    );
}

fn english() -> Options {
    Options {
        language: Some(Language::English),
        model: Choice::Fixed(Model::Base),
    }
}

fn hear(audio: &Audio, options: Options) -> Transcription {
    let watch = Watch {
        progress: &|_| {},
        cancelled: &AtomicBool::new(false),
    };
    engine()
        .transcribe(audio, options, &watch)
        .expect("a transcript")
}

fn media(name: &str) -> Audio {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/media");
    let path = PathBuf::from(folder).join(name);
    decode_file(&path, Limits::default()).expect("sound")
}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let folder = std::env::var_os("HYSIO_TEST_MODELS").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vendor/speech")),
            PathBuf::from,
        );
        Engine::load(Folder::new(&folder), Choice::Auto, 2).unwrap_or_else(|error| {
            panic!("these tests need the speech models in {folder:?} (./hysio install): {error}")
        })
    })
}
