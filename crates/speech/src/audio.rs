//! Sound in any file form, as the models want it: 16 kHz, mono.
//!
//! The content decides what a file is, never its name. Whatever can be decoded is used: a recording that was cut off or has
//! damaged parts gives what is there and a [`Warning`]. The length is bounded while decoding, so that a header can't
//! lie the process out of memory. Video tracks are ignored.

mod container;
mod opus;
mod resample;

use std::{
    fmt,
    fs::File,
    io::{self, Cursor},
    path::Path,
    sync::Arc,
};

use symphonia::core::io::MediaSource;

/// Samples a second that every model here works on.
pub const SAMPLE_RATE: usize = 16_000;

/// Mono sound at [`SAMPLE_RATE`], between -1 and 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Audio {
    pub samples: Vec<f32>,
    /// What was not as it should be; the sound is usable all the same.
    pub warnings: Vec<Warning>,
}

impl Audio {
    #[must_use]
    pub fn duration_seconds(&self) -> f64 {
        self.samples.len() as f64 / SAMPLE_RATE as f64
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The file ends before the recording does.
    Truncated,
    /// That many packets could not be decoded and are missing.
    Damaged { packets: u64 },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the file is cut off; what is there was used"),
            Self::Damaged { packets } => {
                write!(f, "{packets} damaged packets of sound were left out")
            }
        }
    }
}

/// How much sound is accepted.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub seconds_max: u32,
}

impl Default for Limits {
    /// Two hours: longer than any consultation, and 460 MB of samples.
    fn default() -> Self {
        Self {
            seconds_max: 2 * 60 * 60,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("open the file")]
    Open(#[source] std::io::Error),
    #[error("the file is empty: record again or choose another file")]
    Empty,
    #[error(
        "this is not an audio file that can be read: use WAV, FLAC, MP3, OGG, Opus, M4A, MP4 or WebM"
    )]
    NotAudio,
    #[error("the file holds no audio track")]
    NoAudioTrack,
    #[error("the audio codec is not supported: {0}")]
    UnsupportedCodec(String),
    #[error("the audio has {0} channels: up to {CHANNELS_MAX} are supported")]
    Channels(usize),
    #[error(
        "the audio has an impossible sample rate of {0} Hz: {RATE_MIN} to {RATE_MAX} are supported"
    )]
    Rate(u32),
    #[error("nothing in the file could be decoded: it is damaged or cut off at the very start")]
    Undecodable,
    #[error("the recording is longer than {seconds_max} seconds: split it")]
    TooLong { seconds_max: u32 },
}

/// More channels than any recorder of speech has.
const CHANNELS_MAX: usize = 32;
const RATE_MIN: u32 = 4_000;
const RATE_MAX: u32 = 384_000;

/// Decodes a whole file that is in memory.
///
/// # Errors
/// When it is empty, no audio, too long, or nothing of it can be decoded.
pub fn decode<B>(bytes: B, limits: Limits) -> Result<Audio, Error>
where
    B: AsRef<[u8]> + Send + Sync + 'static,
{
    if bytes.as_ref().is_empty() {
        return Err(Error::Empty);
    }
    let bytes = Shared(Arc::new(bytes));
    guarded(&|| Ok(Box::new(Cursor::new(bytes.clone()))), limits)
}

/// Decodes a file without reading it into memory.
///
/// # Errors
/// As [`decode`], and when the file can't be opened.
pub fn decode_file(path: &Path, limits: Limits) -> Result<Audio, Error> {
    let file = File::open(path).map_err(Error::Open)?;
    let metadata = file.metadata().map_err(Error::Open)?;
    if metadata.is_dir() {
        return Err(Error::Open(std::io::ErrorKind::IsADirectory.into()));
    }
    if metadata.is_file() && metadata.len() == 0 {
        return Err(Error::Empty);
    }
    guarded(&|| Ok(Box::new(File::open(path)?)), limits)
}

/// Bytes that can be read from the start again without being copied.
struct Shared<B>(Arc<B>);

impl<B> Clone for Shared<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Shared<B> {
    fn as_ref(&self) -> &[u8] {
        B::as_ref(&self.0)
    }
}

/// The decoders are other people's code run on anybody's bytes: a panic in one means a damaged file, not a dead service.
fn guarded(
    open: &dyn Fn() -> io::Result<Box<dyn MediaSource>>,
    limits: Limits,
) -> Result<Audio, Error> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        container::decode(open, limits)
    }))
    .unwrap_or(Err(Error::Undecodable))
}
