//! The log-mel spectrogram that Whisper was trained on (Radford et al. 2022, section 2.2): 25 ms windows every 10 ms, 80 bins
//! on Slaney's mel scale, each area-normalised, as in librosa's default.

use std::{f32::consts::TAU, sync::Arc};

use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex32};

use crate::audio::SAMPLE_RATE;

pub const BINS: usize = 80;
/// Samples from one frame to the next: 10 ms.
pub const HOP: usize = 160;
/// Frames of the window that the encoder always sees: 30 s.
pub const FRAMES: usize = 3000;

const WINDOW: usize = 400;
const SPECTRUM: usize = WINDOW / 2 + 1;

pub struct MelSpectrogram {
    fft: Arc<dyn RealToComplex<f32>>,
    window: [f32; WINDOW],
    filters: Vec<Filter>,
}

impl Default for MelSpectrogram {
    fn default() -> Self {
        Self {
            fft: RealFftPlanner::new().plan_fft_forward(WINDOW),
            window: std::array::from_fn(|i| 0.5 - 0.5 * (TAU * i as f32 / WINDOW as f32).cos()),
            filters: filters(),
        }
    }
}

impl MelSpectrogram {
    /// `BINS` rows of `FRAMES` values, row after row. Sound beyond 30 s is left out, what is missing is silence.
    #[must_use]
    pub fn compute(&self, samples: &[f32]) -> Vec<f32> {
        let samples = &samples[..samples.len().min(FRAMES * HOP)];
        let mut mel = vec![QUIETEST; BINS * FRAMES];
        let mut scratch = self.fft.make_scratch_vec();
        let mut input = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        // One frame more than the sound has hops still sees a part of it.
        let frames = (samples.len() / HOP + 2).min(FRAMES);
        for frame in 0..frames {
            self.windowed(samples, frame, &mut input);
            self.fft
                .process_with_scratch(&mut input, &mut spectrum, &mut scratch)
                .expect("the buffers were made by this very transform");
            for (bin, filter) in self.filters.iter().enumerate() {
                mel[bin * FRAMES + frame] = filter.energy(&spectrum).max(1e-10).log10();
            }
        }
        normalise(&mut mel);
        mel
    }

    /// The frame is centred on its hop; before its start the sound is mirrored, after its end there is silence.
    fn windowed(&self, samples: &[f32], frame: usize, input: &mut [f32]) {
        let start = (frame * HOP) as isize - (WINDOW / 2) as isize;
        for (i, (value, weight)) in input.iter_mut().zip(&self.window).enumerate() {
            let at = (start + i as isize).unsigned_abs();
            *value = samples.get(at).copied().unwrap_or(0.0) * weight;
        }
    }
}

/// log10 of the smallest energy that counts.
const QUIETEST: f32 = -10.0;

/// Whisper looks at 80 dB below the loudest point, and centres that around zero.
fn normalise(mel: &mut [f32]) {
    let loudest = mel.iter().copied().fold(f32::MIN, f32::max);
    for value in mel {
        *value = (value.max(loudest - 8.0) + 4.0) / 4.0;
    }
}

/// A triangle over a few neighbouring points of the spectrum.
struct Filter {
    first: usize,
    weights: Vec<f32>,
}

impl Filter {
    fn energy(&self, spectrum: &[Complex32]) -> f32 {
        let points = &spectrum[self.first..self.first + self.weights.len()];
        let weighted = points.iter().zip(&self.weights);
        weighted
            .map(|(point, weight)| point.norm_sqr() * weight)
            .sum()
    }
}

fn filters() -> Vec<Filter> {
    let top = hertz_to_mel(SAMPLE_RATE as f64 / 2.0);
    let edge = |i: usize| mel_to_hertz(top * i as f64 / (BINS + 1) as f64);
    (0..BINS)
        .map(|bin| triangle(edge(bin), edge(bin + 1), edge(bin + 2)))
        .collect()
}

fn triangle(low: f64, centre: f64, high: f64) -> Filter {
    let weight = |point: usize| {
        let hertz = (point * SAMPLE_RATE) as f64 / WINDOW as f64;
        let slope = ((hertz - low) / (centre - low)).min((high - hertz) / (high - centre));
        (slope.max(0.0) * 2.0 / (high - low)) as f32
    };
    let first = (0..SPECTRUM)
        .find(|&point| weight(point) > 0.0)
        .unwrap_or(0);
    let weights = (first..SPECTRUM)
        .map(weight)
        .take_while(|it| *it > 0.0)
        .collect();
    Filter { first, weights }
}

/// Slaney's scale: linear below 1 kHz, logarithmic above.
fn hertz_to_mel(hertz: f64) -> f64 {
    if hertz < 1000.0 {
        hertz * 3.0 / 200.0
    } else {
        15.0 + 27.0 * (hertz / 1000.0).ln() / 6.4_f64.ln()
    }
}

fn mel_to_hertz(mel: f64) -> f64 {
    if mel < 15.0 {
        mel * 200.0 / 3.0
    } else {
        1000.0 * ((mel - 15.0) * 6.4_f64.ln() / 27.0).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_flat() {
        let mel = MelSpectrogram::default().compute(&[0.0; 16_000]);
        assert_eq!(mel.len(), BINS * FRAMES);
        assert!(mel.iter().all(|value| (value + 1.5).abs() < 1e-6));
    }

    #[test]
    fn a_tone_lights_the_bin_that_covers_it() {
        let tone: Vec<f32> = (0..SAMPLE_RATE)
            .map(|i| (TAU * 1000.0 * i as f32 / SAMPLE_RATE as f32).sin())
            .collect();
        let mel = MelSpectrogram::default().compute(&tone);
        let brightest = (0..BINS)
            .max_by(|a, b| mel[a * FRAMES + 50].total_cmp(&mel[b * FRAMES + 50]))
            .expect("there are bins");
        let centre = |bin| mel_to_hertz(hertz_to_mel(8000.0) * (bin + 1) as f64 / 81.0);
        assert!((centre(brightest) - 1000.0).abs() < 40.0, "bin {brightest}");
        // Three seconds later there is silence.
        assert!(mel[brightest * FRAMES + 400] < mel[brightest * FRAMES + 50] - 1.5);
    }

    #[test]
    fn every_filter_sees_something() {
        assert!(filters().iter().all(|filter| !filter.weights.is_empty()));
    }
}
