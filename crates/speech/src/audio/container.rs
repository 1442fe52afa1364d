//! A file to mono samples: find the audio track, decode packet after packet, mix down, resample.

use std::io;

use symphonia::core::{
    codecs::{
        CodecParameters,
        audio::{
            AudioCodecParameters, AudioDecoder, AudioDecoderOptions, well_known::CODEC_ID_OPUS,
        },
    },
    errors::Error as MediaError,
    formats::{FormatOptions, FormatReader, Track, TrackType, probe::Hint},
    io::{MediaSource, MediaSourceStream, ReadOnlySource},
    meta::MetadataOptions,
    packet::Packet,
};

use super::{
    Audio, CHANNELS_MAX, Error, Limits, RATE_MAX, RATE_MIN, SAMPLE_RATE, Warning, opus::Opus,
    resample::Resampler,
};

/// A file that is this much shorter than it says is cut off; headers round, so not every difference counts.
const SHORTFALL_SECONDS: f64 = 0.5;

/// `open` gives the same file from its start, each time.
pub fn decode(
    open: &dyn Fn() -> io::Result<Box<dyn MediaSource>>,
    limits: Limits,
) -> Result<Audio, Error> {
    let source = || open().map_err(Error::Open);
    let mut format = match probe(source()?) {
        // Some readers look for the end of the file first, and give up where it was cut off: read it straight through.
        Err(_) => probe(Box::new(ReadOnlySource::new(source()?)))?,
        Ok(format) => format,
    };
    let track = speech_track(format.as_ref())?;
    let (track_id, declared_seconds) = (track.id, declared_seconds(track));
    let mut decoder = Decoder::of(audio_parameters(track).ok_or(Error::NoAudioTrack)?)?;
    let mut sink = Sink::new(limits);

    let end = loop {
        match format.next_packet() {
            Ok(Some(packet)) if packet.track_id == track_id => {
                decoder.decode(&packet, &mut sink)?;
            }
            Ok(Some(_)) => {}
            Ok(None) => break End::Proper,
            Err(MediaError::ResetRequired) => {
                let Some(parameters) = format.tracks().iter().find_map(audio_parameters) else {
                    break End::CutOff;
                };
                decoder = Decoder::of(parameters)?;
            }
            // Live recordings have no end mark: they just end.
            Err(MediaError::IoError(error))
                if error.kind() == io::ErrorKind::UnexpectedEof && declared_seconds.is_none() =>
            {
                break End::Proper;
            }
            Err(_) => break End::CutOff,
        }
    };
    sink.finish(end, declared_seconds)
}

#[derive(Clone, Copy)]
enum End {
    Proper,
    CutOff,
}

fn probe(source: Box<dyn MediaSource>) -> Result<Box<dyn FormatReader>, Error> {
    symphonia::default::get_probe()
        .probe(
            &Hint::new(),
            MediaSourceStream::new(source, Default::default()),
            FormatOptions::default(),
            MetadataOptions::default(),
        )
        .map_err(|_| Error::NotAudio)
}

fn speech_track(format: &dyn FormatReader) -> Result<&Track, Error> {
    format
        .default_track(TrackType::Audio)
        .or_else(|| format.first_track(TrackType::Audio))
        .ok_or(Error::NoAudioTrack)
}

fn audio_parameters(track: &Track) -> Option<&AudioCodecParameters> {
    track.codec_params.as_ref().and_then(CodecParameters::audio)
}

/// How long the file says it is, where it says so.
fn declared_seconds(track: &Track) -> Option<f64> {
    let duration = track.duration?;
    let time = track.time_base?.calc_duration(duration)?;
    Some(time.as_secs_f64())
}

enum Decoder {
    Symphonia(Box<dyn AudioDecoder>, Vec<f32>),
    Opus(Box<Opus>),
}

impl Decoder {
    fn of(parameters: &AudioCodecParameters) -> Result<Self, Error> {
        if parameters.codec == CODEC_ID_OPUS {
            return Opus::new(parameters).map(|opus| Self::Opus(Box::new(opus)));
        }
        symphonia::default::get_codecs()
            .make_audio_decoder(parameters, &AudioDecoderOptions::default())
            .map(|decoder| Self::Symphonia(decoder, Vec::new()))
            .map_err(|error| Error::UnsupportedCodec(error.to_string()))
    }

    fn decode(&mut self, packet: &Packet, sink: &mut Sink) -> Result<(), Error> {
        match self {
            Self::Symphonia(decoder, interleaved) => match decoder.decode(packet) {
                Ok(buffer) => {
                    let spec = buffer.spec();
                    let (rate, channels) = (spec.rate(), spec.channels().count());
                    buffer.copy_to_vec_interleaved(interleaved);
                    sink.push(interleaved, channels, rate)
                }
                Err(_) => sink.damaged(),
            },
            Self::Opus(opus) => match opus.decode(&packet.data) {
                Some((interleaved, channels, rate)) => sink.push(interleaved, channels, rate),
                None => sink.damaged(),
            },
        }
    }
}

/// Where decoded sound goes: mixed down, resampled and counted against the limit.
struct Sink {
    limits: Limits,
    resampler: Option<Resampler>,
    mono: Vec<f32>,
    samples: Vec<f32>,
    damaged_packets: u64,
}

impl Sink {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            resampler: None,
            mono: Vec::new(),
            samples: Vec::new(),
            damaged_packets: 0,
        }
    }

    fn push(&mut self, interleaved: &[f32], channels: usize, rate: u32) -> Result<(), Error> {
        if interleaved.is_empty() {
            return Ok(());
        }
        if channels == 0 || channels > CHANNELS_MAX {
            return Err(Error::Channels(channels));
        }
        if !(RATE_MIN..=RATE_MAX).contains(&rate) {
            return Err(Error::Rate(rate));
        }
        mix_down(interleaved, channels, &mut self.mono);
        if self.resampler.as_ref().is_none_or(|it| it.rate() != rate) {
            self.flush();
            self.resampler = Some(Resampler::new(rate));
        }
        if let Some(resampler) = &mut self.resampler {
            resampler.push(&self.mono, &mut self.samples);
        }
        let samples_max = self.limits.seconds_max as usize * SAMPLE_RATE;
        if self.samples.len() > samples_max {
            return Err(Error::TooLong {
                seconds_max: self.limits.seconds_max,
            });
        }
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "an arm beside push")]
    fn damaged(&mut self) -> Result<(), Error> {
        self.damaged_packets += 1;
        Ok(())
    }

    fn flush(&mut self) {
        if let Some(resampler) = self.resampler.take() {
            resampler.finish(&mut self.samples);
        }
    }

    fn finish(mut self, end: End, declared_seconds: Option<f64>) -> Result<Audio, Error> {
        self.flush();
        if self.samples.is_empty() {
            return Err(Error::Undecodable);
        }
        let mut audio = Audio {
            samples: self.samples,
            warnings: Vec::new(),
        };
        let missing = declared_seconds.unwrap_or(0.0) - audio.duration_seconds();
        if matches!(end, End::CutOff) || missing > SHORTFALL_SECONDS {
            audio.warnings.push(Warning::Truncated);
        }
        if self.damaged_packets > 0 {
            let packets = self.damaged_packets;
            audio.warnings.push(Warning::Damaged { packets });
        }
        Ok(audio)
    }
}

/// The mean of the channels; what is not a finite number becomes silence.
fn mix_down(interleaved: &[f32], channels: usize, mono: &mut Vec<f32>) {
    mono.clear();
    mono.extend(interleaved.chunks_exact(channels).map(|frame| {
        let mean = frame.iter().sum::<f32>() / channels as f32;
        if mean.is_finite() {
            mean.clamp(-1.0, 1.0)
        } else {
            0.0
        }
    }));
}
