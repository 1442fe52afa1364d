//! The whole way from sound to transcript: find speech, cut into chunks, hear the chunks in parallel, put the segments together.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use hysio_model::transcript::{Language, Transcript};
use rten::ThreadPool;

use crate::{
    audio::{Audio, SAMPLE_RATE},
    chunk::{self, Chunk},
    model::{Choice, Folder, Model},
    runtime::Error,
    vad::{self, Thresholds, VoiceActivity},
    whisper::{Encoded, Heard, Whisper, decode::Listener, segments},
};

/// Chunks listened to for the language: a minute is enough, and one may be atypical.
const LANGUAGE_CHUNKS_MAX: usize = 2;
/// The quick model may decide alone when it finds one language twenty times likelier than the other.
const SURE_LEAD: f32 = 3.0;

/// The models in memory, each loaded when first needed. Shared between threads; every call brings its own state.
pub struct Engine {
    folder: Folder,
    threads: usize,
    voice_activity: VoiceActivity,
    base: OnceLock<Whisper>,
    small: OnceLock<Whisper>,
    loading: Mutex<()>,
}

/// What to hear a recording with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    pub model: Choice,
    /// Found out when not given.
    pub language: Option<Language>,
}

/// How far the work is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    pub seconds_done: f64,
    pub seconds_total: f64,
}

/// A transcript, and for each of its segments how likely the model thought it that nobody spoke (0 to 1).
#[derive(Clone, Debug, PartialEq)]
pub struct Transcription {
    pub transcript: Transcript,
    pub no_speech: Vec<f32>,
}

/// Who watches a piece of work: told how far it is, asked whether to stop.
pub struct Watch<'a> {
    pub progress: &'a (dyn Fn(Progress) + Sync),
    pub cancelled: &'a AtomicBool,
}

/// The threads that a call works on, and whether it is to go on.
struct Place<'a> {
    pool: Arc<ThreadPool>,
    cancelled: &'a (dyn Fn() -> bool + Sync),
}

impl Engine {
    /// Loads the voice-activity model, and the chosen speech model unless that depends on the language.
    /// `threads` is the number of cores that one call of [`Engine::transcribe`] may use.
    ///
    /// # Errors
    /// When a model is missing or damaged.
    pub fn load(folder: Folder, choice: Choice, threads: usize) -> Result<Self, Error> {
        let engine = Self {
            voice_activity: VoiceActivity::load(&folder.voice_activity())?,
            folder,
            threads: threads.max(1),
            base: OnceLock::new(),
            small: OnceLock::new(),
            loading: Mutex::new(()),
        };
        if let Choice::Fixed(model) = choice {
            engine.whisper(model)?;
        }
        Ok(engine)
    }

    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Hears a recording. Blocks until done or cancelled.
    ///
    /// # Errors
    /// When a model is missing, damaged or fails, and when cancelled.
    pub fn transcribe(
        &self,
        audio: &Audio,
        options: Options,
        watch: &Watch<'_>,
    ) -> Result<Transcription, Error> {
        let place = Place {
            pool: pool(self.threads),
            cancelled: &|| watch.cancelled.load(Ordering::Relaxed),
        };
        let chunks = self.chunks(audio, &place)?;
        let (language, encoded) = match options.language {
            Some(language) => (language, Vec::new()),
            None => self.language(audio, &chunks, options.model, &place)?,
        };
        let model = options.model.for_language(language);
        let heard = if chunks.is_empty() {
            Vec::new()
        } else {
            let work = Work {
                whisper: self.whisper(model)?,
                audio,
                language,
                encoded,
                watch,
            };
            work.hear_all(&chunks, &place.pool, self.threads)?
        };
        let no_speech = heard.iter().map(|it| it.no_speech).collect();
        let transcript = Transcript {
            language,
            duration_seconds: audio.duration_seconds(),
            segments: heard.into_iter().map(|it| it.segment).collect(),
            model: model.name().to_owned(),
        };
        Ok(Transcription {
            transcript,
            no_speech,
        })
    }

    fn chunks(&self, audio: &Audio, place: &Place<'_>) -> Result<Vec<Chunk>, Error> {
        let samples = &audio.samples;
        // The model is so small that a second thread only costs; and on a thread of its pool, no window waits for a switch.
        let pool = pool(1);
        let listen = || {
            self.voice_activity
                .probabilities(samples, &pool, place.cancelled)
        };
        let probabilities = pool.run(listen)?;
        let regions = vad::regions(&probabilities, Thresholds::default());
        Ok(chunk::plan(&regions, &probabilities, samples.len()))
    }

    /// The likelier language, English where nobody speaks; and the first chunks as that language's model heard them, where it
    /// has.
    fn language(
        &self,
        audio: &Audio,
        chunks: &[Chunk],
        choice: Choice,
        place: &Place<'_>,
    ) -> Result<(Language, Vec<Encoded>), Error> {
        if chunks.is_empty() {
            return Ok((Language::English, Vec::new()));
        }
        let quick = choice.for_language(Language::English);
        let careful = choice.for_language(Language::Dutch);
        let (mut lead, mut encoded) = self.lead_of_english(quick, audio, chunks, place)?;
        let mut heard_by = quick;
        if lead.abs() < SURE_LEAD && careful != quick {
            (lead, encoded) = self.lead_of_english(careful, audio, chunks, place)?;
            heard_by = careful;
        }
        let language = if lead >= 0.0 {
            Language::English
        } else {
            Language::Dutch
        };
        if heard_by != choice.for_language(language) {
            encoded.clear();
        }
        Ok((language, encoded))
    }

    /// By how much English is likelier than Dutch, as a log-probability; and what was encoded to find out.
    fn lead_of_english(
        &self,
        model: Model,
        audio: &Audio,
        chunks: &[Chunk],
        place: &Place<'_>,
    ) -> Result<(f32, Vec<Encoded>), Error> {
        let listener = Listener {
            whisper: self.whisper(model)?,
            pool: &place.pool,
            cancelled: place.cancelled,
        };
        let (mut lead, mut heard) = (0.0, Vec::new());
        for chunk in chunks.iter().take(LANGUAGE_CHUNKS_MAX) {
            let samples = &audio.samples[chunk.samples.clone()];
            let encoded = listener.whisper.encode(samples, &place.pool)?;
            let [(_, english), (_, dutch)] = listener.languages(&encoded)?;
            lead += english - dutch;
            heard.push(encoded);
        }
        Ok((lead, heard))
    }

    fn whisper(&self, model: Model) -> Result<&Whisper, Error> {
        let slot = match model {
            Model::Base => &self.base,
            Model::Small => &self.small,
        };
        if let Some(whisper) = slot.get() {
            return Ok(whisper);
        }
        let _one_at_a_time = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.get().is_none() {
            let whisper = Whisper::load(&self.folder, model)?;
            return Ok(slot.get_or_init(|| whisper));
        }
        Ok(slot.get_or_init(|| unreachable!("just seen to be there")))
    }
}

/// One recording being heard.
struct Work<'a> {
    whisper: &'a Whisper,
    audio: &'a Audio,
    language: Language,
    /// The first chunks, where the encoder has heard them already.
    encoded: Vec<Encoded>,
    watch: &'a Watch<'a>,
}

impl Work<'_> {
    /// A single chunk has all threads to itself; several are heard side by side, a thread each, which wastes no time waiting.
    fn hear_all(
        &self,
        chunks: &[Chunk],
        pool: &Arc<ThreadPool>,
        threads: usize,
    ) -> Result<Vec<Heard>, Error> {
        let queue = Mutex::new(chunks.iter().enumerate().collect::<VecDeque<_>>());
        let done = Mutex::new(Vec::with_capacity(chunks.len()));
        let next = || {
            queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front()
        };
        let worker = |pool: &Arc<ThreadPool>| -> Result<(), Error> {
            while let Some((index, chunk)) = next() {
                let heard = self.hear(index, chunk, pool)?;
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                done.push((index, heard));
                self.report(chunks, done.iter().map(|(index, _)| *index));
            }
            Ok(())
        };
        let workers = threads.min(chunks.len());
        if workers == 1 {
            pool.run(|| worker(pool))?;
        } else {
            std::thread::scope(|scope| {
                let spawn = |_| {
                    scope.spawn(|| {
                        let pool = self::pool(threads / workers);
                        pool.run(|| worker(&pool))
                    })
                };
                let handles: Vec<_> = (0..workers).map(spawn).collect();
                let join = |handle: std::thread::ScopedJoinHandle<'_, Result<(), Error>>| {
                    let died = |_| Err(Error::Run("a worker thread died".to_owned()));
                    handle.join().unwrap_or_else(died)
                };
                handles
                    .into_iter()
                    .map(join)
                    .collect::<Result<Vec<()>, Error>>()
            })?;
        }
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(index, _)| *index);
        Ok(done.into_iter().flat_map(|(_, heard)| heard).collect())
    }

    fn hear(
        &self,
        index: usize,
        chunk: &Chunk,
        pool: &Arc<ThreadPool>,
    ) -> Result<Vec<Heard>, Error> {
        let cancelled = || self.watch.cancelled.load(Ordering::Relaxed);
        if cancelled() {
            return Err(Error::Cancelled);
        }
        let listener = Listener {
            whisper: self.whisper,
            pool,
            cancelled: &cancelled,
        };
        let seconds = chunk.samples.len() as f64 / SAMPLE_RATE as f64;
        let fresh;
        let encoded = match self.encoded.get(index) {
            Some(encoded) => encoded,
            None => {
                let samples = &self.audio.samples[chunk.samples.clone()];
                fresh = self.whisper.encode(samples, pool)?;
                &fresh
            }
        };
        let Some(decoded) = listener.decode(encoded, self.language, seconds)? else {
            return Ok(Vec::new());
        };
        let offset = chunk.samples.start as f64 / SAMPLE_RATE as f64;
        let mut heard = segments::segments(&decoded, &self.whisper.vocabulary, offset, seconds);
        heard.retain(|it| overlaps_speech(it.segment.start, it.segment.end, &chunk.speech));
        Ok(heard)
    }

    fn report(&self, chunks: &[Chunk], done: impl Iterator<Item = usize>) {
        let speech = |chunk: &Chunk| chunk.samples.len();
        let all: usize = chunks.iter().map(speech).sum();
        let done: usize = done.map(|index| speech(&chunks[index])).sum();
        let seconds_total = self.audio.duration_seconds();
        (self.watch.progress)(Progress {
            seconds_done: seconds_total * done as f64 / all.max(1) as f64,
            seconds_total,
        });
    }
}

/// Whether somebody speaks in that time at all; words about silence are inventions.
fn overlaps_speech(start: f64, end: f64, speech: &[Range<usize>]) -> bool {
    let at = |seconds: f64| (seconds * SAMPLE_RATE as f64) as usize;
    let (start, end) = (at(start), at(end).max(at(start) + 1));
    speech
        .iter()
        .any(|range| range.start < end && start < range.end)
}

fn pool(threads: usize) -> Arc<ThreadPool> {
    Arc::new(ThreadPool::with_num_threads(threads.max(1)))
}
