//! Opus packets, which symphonia finds but does not decode.

use opus_decoder::OpusDecoder;
use symphonia::core::{audio::Channels, codecs::audio::AudioCodecParameters};

use super::{Error, SAMPLE_RATE};

/// The longest packet: 120 ms (RFC 6716, section 3.2.5).
const PACKET_SAMPLES_MAX: usize = SAMPLE_RATE * 120 / 1000;

/// Decodes straight to [`SAMPLE_RATE`], which Opus can do by itself.
pub struct Opus {
    decoder: OpusDecoder,
    channels: usize,
    samples: Vec<f32>,
}

impl Opus {
    pub fn new(parameters: &AudioCodecParameters) -> Result<Self, Error> {
        let channels = parameters.channels.as_ref().map_or(1, Channels::count);
        if !(1..=2).contains(&channels) {
            return Err(Error::UnsupportedCodec(format!(
                "Opus with {channels} channels"
            )));
        }
        let decoder = OpusDecoder::new(SAMPLE_RATE as u32, channels)
            .map_err(|error| Error::UnsupportedCodec(error.to_string()))?;
        Ok(Self {
            decoder,
            channels,
            samples: vec![0.0; PACKET_SAMPLES_MAX * channels],
        })
    }

    /// Interleaved samples, channels and rate; nothing when the packet is damaged.
    pub fn decode(&mut self, packet: &[u8]) -> Option<(&[f32], usize, u32)> {
        let frames = self
            .decoder
            .decode_float(packet, &mut self.samples, false)
            .ok()?;
        let samples = self.samples.get(..frames * self.channels)?;
        Some((samples, self.channels, SAMPLE_RATE as u32))
    }
}
