//! Mono sound of any rate to [`SAMPLE_RATE`], as a stream, so that a long recording is never held at its own rate.

use rubato::{
    Fft, FixedSync, Indexing, Resampler as _, audioadapter_buffers::direct::InterleavedSlice,
};

use super::SAMPLE_RATE;

/// Input frames worked on at a time: long enough for a sharp filter, short enough for little delay.
const BLOCK_FRAMES: usize = 4096;

pub struct Resampler {
    rate: u32,
    /// Nothing when the rate is already right.
    fft: Option<Box<Fft<f32>>>,
    pending: Vec<f32>,
    block: Vec<f32>,
    /// Output frames of the filter's delay still to be dropped.
    delay: usize,
    frames_in: usize,
    frames_out: usize,
}

impl Resampler {
    /// The rate must be within the bounds that the caller checked.
    pub fn new(rate: u32) -> Self {
        let fft = (rate as usize != SAMPLE_RATE).then(|| {
            Box::new(
                Fft::new(
                    rate as usize,
                    SAMPLE_RATE,
                    BLOCK_FRAMES,
                    1,
                    FixedSync::Input,
                )
                .expect("the rates are positive and the block is not empty"),
            )
        });
        let delay = fft.as_ref().map_or(0, |fft| fft.output_delay());
        let block = vec![0.0; fft.as_ref().map_or(0, |fft| fft.output_frames_max())];
        Self {
            rate,
            fft,
            pending: Vec::new(),
            block,
            delay,
            frames_in: 0,
            frames_out: 0,
        }
    }

    pub fn rate(&self) -> u32 {
        self.rate
    }

    pub fn push(&mut self, mono: &[f32], out: &mut Vec<f32>) {
        self.frames_in += mono.len();
        let Some(fft) = &self.fft else {
            out.extend_from_slice(mono);
            return;
        };
        self.pending.extend_from_slice(mono);
        let needed = fft.input_frames_next();
        let mut start = 0;
        while self.pending.len() - start >= needed {
            self.process(start, needed, out);
            start += needed;
        }
        self.pending.drain(..start);
    }

    /// What is still inside the filter.
    pub fn finish(mut self, out: &mut Vec<f32>) {
        let Some(needed) = self.fft.as_ref().map(|fft| fft.input_frames_next()) else {
            return;
        };
        let frames_due = (self.frames_in as u64 * SAMPLE_RATE as u64).div_ceil(self.rate.into());
        let frames_due = usize::try_from(frames_due).unwrap_or(usize::MAX);
        let rest = self.pending.len();
        self.pending.resize(needed, 0.0);
        self.process_part(rest, out);
        while self.frames_out < frames_due {
            self.process_part(0, out);
        }
        out.truncate(out.len() - (self.frames_out - frames_due));
    }

    fn process_part(&mut self, valid: usize, out: &mut Vec<f32>) {
        self.pending[valid..].fill(0.0);
        let needed = self.pending.len();
        self.process(0, needed, out);
    }

    fn process(&mut self, start: usize, len: usize, out: &mut Vec<f32>) {
        let Some(fft) = &mut self.fft else { return };
        let input = InterleavedSlice::new(&self.pending[start..start + len], 1, len)
            .expect("one channel of exactly that length");
        let frames_max = self.block.len();
        let mut output = InterleavedSlice::new_mut(&mut self.block, 1, frames_max)
            .expect("one channel of exactly that length");
        let (_, frames) = fft
            .process_into_buffer(&input, &mut output, None::<&Indexing>)
            .expect("both buffers have the sizes that the resampler asked for");
        let dropped = self.delay.min(frames);
        self.delay -= dropped;
        self.frames_out += frames - dropped;
        out.extend_from_slice(&self.block[dropped..frames]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_keeps_its_length_pitch_and_level_at_every_common_rate() {
        for rate in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000] {
            let resampled = resample(&tone(440.0, rate, 1.0), rate, 1000);
            assert_eq!(resampled.len(), SAMPLE_RATE, "at {rate} Hz");
            let expected = tone(440.0, SAMPLE_RATE as u32, 1.0);
            // The filter's delay is rounded to whole samples.
            let one_sample_late = 0.5 * std::f32::consts::TAU * 440.0 / SAMPLE_RATE as f32;
            let middle = 2000..14_000;
            for (a, b) in resampled[middle.clone()].iter().zip(&expected[middle]) {
                assert!((a - b).abs() < one_sample_late, "at {rate} Hz: {a} for {b}");
            }
        }
    }

    #[test]
    fn the_size_of_the_pieces_does_not_matter() {
        let sound = tone(300.0, 44_100, 0.7);
        assert_eq!(resample(&sound, 44_100, 7), resample(&sound, 44_100, 9000));
    }

    #[test]
    fn what_is_above_half_the_rate_is_filtered_not_folded() {
        let resampled = resample(&tone(11_000.0, 48_000, 1.0), 48_000, 4800);
        let loudest = resampled[2000..14_000]
            .iter()
            .fold(0.0, |a: f32, b| a.max(b.abs()));
        assert!(loudest < 0.01, "{loudest}");
    }

    fn resample(sound: &[f32], rate: u32, piece: usize) -> Vec<f32> {
        let mut out = Vec::new();
        let mut resampler = Resampler::new(rate);
        for piece in sound.chunks(piece) {
            resampler.push(piece, &mut out);
        }
        resampler.finish(&mut out);
        out
    }

    fn tone(hertz: f32, rate: u32, seconds: f32) -> Vec<f32> {
        let step = std::f32::consts::TAU * hertz / rate as f32;
        (0..(seconds * rate as f32) as usize)
            .map(|i| (i as f32 * step).sin() * 0.5)
            .collect()
    }
}
