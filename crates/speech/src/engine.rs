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
    whisper::{Heard, Whisper, decode::Listener, segments},
};

/// Chunks listened to for the language: a minute is enough, and one may be atypical.
const LANGUAGE_CHUNKS_MAX: usize = 2;

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
        let pool = pool(self.threads);
        let cancelled = || watch.cancelled.load(Ordering::Relaxed);
        let chunks = self.chunks(audio, &pool, &cancelled)?;
        let language = match options.language {
            Some(language) => language,
            None => self.language(audio, &chunks, options.model, &pool, &cancelled)?,
        };
        let model = options.model.for_language(language);
        let heard = if chunks.is_empty() {
            Vec::new()
        } else {
            let work = Work {
                whisper: self.whisper(model)?,
                audio,
                language,
                watch,
            };
            work.hear_all(&chunks, &pool, self.threads)?
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

    fn chunks(
        &self,
        audio: &Audio,
        pool: &Arc<ThreadPool>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<Chunk>, Error> {
        let samples = &audio.samples;
        let probabilities = self
            .voice_activity
            .probabilities(samples, pool, cancelled)?;
        let regions = vad::regions(&probabilities, Thresholds::default());
        Ok(chunk::plan(&regions, &probabilities, samples.len()))
    }

    /// English where nobody speaks.
    fn language(
        &self,
        audio: &Audio,
        chunks: &[Chunk],
        choice: Choice,
        pool: &Arc<ThreadPool>,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Language, Error> {
        if chunks.is_empty() {
            return Ok(Language::English);
        }
        let model = choice.for_language(Language::English);
        let listener = Listener {
            whisper: self.whisper(model)?,
            pool,
            cancelled,
        };
        let mut lead = 0.0;
        for chunk in chunks.iter().take(LANGUAGE_CHUNKS_MAX) {
            let encoded = listener
                .whisper
                .encode(&audio.samples[chunk.samples.clone()], pool)?;
            let [(_, english), (_, dutch)] = listener.languages(&encoded)?;
            lead += english - dutch;
        }
        Ok(if lead >= 0.0 {
            Language::English
        } else {
            Language::Dutch
        })
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
                let heard = self.hear(chunk, pool)?;
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                done.push((index, heard));
                self.report(chunks, done.iter().map(|(index, _)| *index));
            }
            Ok(())
        };
        let workers = threads.min(chunks.len());
        if workers == 1 {
            worker(pool)?;
        } else {
            std::thread::scope(|scope| {
                let spawn = |_| scope.spawn(|| worker(&self::pool(threads / workers)));
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

    fn hear(&self, chunk: &Chunk, pool: &Arc<ThreadPool>) -> Result<Vec<Heard>, Error> {
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
        let encoded = self
            .whisper
            .encode(&self.audio.samples[chunk.samples.clone()], pool)?;
        let Some(decoded) = listener.decode(&encoded, self.language, seconds)? else {
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
