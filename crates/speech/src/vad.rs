//! Where somebody speaks: Silero's voice-activity model over 32 ms windows, and the regions made of its probabilities.

use std::{ops::Range, path::Path, sync::Arc};

use rten::{Model, NodeId, RunOptions, ThreadPool};
use rten_tensor::{NdTensor, NdTensorView, prelude::*};

use crate::{audio::SAMPLE_RATE, runtime};

/// Samples a probability is for: 32 ms, as the model was trained.
pub const WINDOW: usize = 512;
/// Samples of the window before that the model wants to see again.
const CONTEXT: usize = 64;
/// Size of the model's memory from window to window: two layers of 128.
const STATE: [usize; 3] = [2, 1, 128];

pub struct VoiceActivity {
    model: Model,
    input: NodeId,
    state: NodeId,
    rate: NodeId,
    outputs: [NodeId; 2],
}

impl VoiceActivity {
    pub fn load(path: &Path) -> Result<Self, runtime::Error> {
        let model = runtime::load(path)?;
        let id = |name| {
            model
                .node_id(name)
                .map_err(|error| runtime::damaged(path, &error))
        };
        Ok(Self {
            input: id("input")?,
            state: id("state")?,
            rate: id("sr")?,
            outputs: [id("output")?, id("stateN")?],
            model,
        })
    }

    /// The probability of speech in each window of `samples`; the last one is filled up with silence.
    pub fn probabilities(
        &self,
        samples: &[f32],
        pool: &Arc<ThreadPool>,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<f32>, runtime::Error> {
        let mut state = NdTensor::<f32, 3>::zeros(STATE);
        let mut input = [0.0; CONTEXT + WINDOW];
        let mut probabilities = Vec::with_capacity(samples.len().div_ceil(WINDOW));
        for window in samples.chunks(WINDOW) {
            if cancelled() {
                return Err(runtime::Error::Cancelled);
            }
            input.copy_within(WINDOW.., 0);
            input[CONTEXT..].fill(0.0);
            input[CONTEXT..CONTEXT + window.len()].copy_from_slice(window);
            let view = NdTensorView::from_data([1, CONTEXT + WINDOW], &input);
            let [output, next] = self.model.run_n(
                vec![
                    (self.input, view.into()),
                    (self.state, state.view().into()),
                    (self.rate, NdTensor::from(SAMPLE_RATE as i32).into()),
                ],
                self.outputs,
                Some(options(pool)),
            )?;
            probabilities.push(first(&output)?);
            state = next.try_into().map_err(unexpected)?;
        }
        Ok(probabilities)
    }
}

fn options(pool: &Arc<ThreadPool>) -> RunOptions {
    RunOptions::default().with_thread_pool(Some(Arc::clone(pool)))
}

fn first(output: &rten::Value) -> Result<f32, runtime::Error> {
    let view: NdTensorView<f32, 2> = output.try_into().map_err(unexpected)?;
    Ok(view[[0, 0]])
}

fn unexpected(error: impl std::fmt::Display) -> runtime::Error {
    runtime::Error::Run(error.to_string())
}

/// How probabilities become regions. The values are Silero's own, but for the longer padding: Whisper needs the onset.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// Speech starts at this probability …
    pub on: f32,
    /// … and goes on until it falls below this one.
    pub off: f32,
    /// Silence shorter than this does not end a region.
    pub silence_min_seconds: f32,
    /// A region shorter than this is a click, not speech.
    pub speech_min_seconds: f32,
    /// Added at both ends.
    pub padding_seconds: f32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            on: 0.5,
            off: 0.35,
            silence_min_seconds: 0.3,
            speech_min_seconds: 0.1,
            padding_seconds: 0.2,
        }
    }
}

/// The windows in which somebody speaks, in order, not overlapping.
#[must_use]
pub fn regions(probabilities: &[f32], thresholds: Thresholds) -> Vec<Range<usize>> {
    let windows = |seconds: f32| (seconds * SAMPLE_RATE as f32 / WINDOW as f32).round() as usize;
    let silence_min = windows(thresholds.silence_min_seconds);
    let speech_min = windows(thresholds.speech_min_seconds).max(1);
    let padding = windows(thresholds.padding_seconds);

    let mut regions: Vec<Range<usize>> = Vec::new();
    for run in runs(probabilities, thresholds) {
        match regions.last_mut() {
            Some(last) if run.start - last.end < silence_min => last.end = run.end,
            _ => regions.push(run),
        }
    }
    regions.retain(|region| region.len() >= speech_min);
    pad(&mut regions, padding, probabilities.len());
    regions
}

/// Stretches that start above `on` and end below `off`.
fn runs(probabilities: &[f32], thresholds: Thresholds) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut start = None;
    for (at, &probability) in probabilities.iter().enumerate() {
        match start {
            None if probability >= thresholds.on => start = Some(at),
            Some(from) if probability < thresholds.off => {
                runs.push(from..at);
                start = None;
            }
            None | Some(_) => {}
        }
    }
    runs.extend(start.map(|from| from..probabilities.len()));
    runs
}

/// Grows each region by `padding` at both ends; neighbours share the silence between them.
fn pad(regions: &mut [Range<usize>], padding: usize, end: usize) {
    for i in 0..regions.len() {
        let before = if i == 0 { 0 } else { regions[i - 1].end };
        let after = regions.get(i + 1).map_or(end, |next| {
            regions[i].end + (next.start - regions[i].end) / 2
        });
        regions[i].start = regions[i].start.saturating_sub(padding).max(before);
        regions[i].end = (regions[i].end + padding).min(after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_and_clicks_make_no_region() {
        assert!(regions(&[0.0; 100], Thresholds::default()).is_empty());
        let mut click = [0.0; 100];
        click[50] = 0.9;
        assert!(regions(&click, Thresholds::default()).is_empty());
    }

    #[test]
    fn a_short_pause_does_not_split_and_a_long_one_does() {
        let speech = |ranges: &[Range<usize>]| {
            let mut probabilities = vec![0.01; 200];
            for range in ranges {
                probabilities[range.clone()].fill(0.9);
            }
            regions(&probabilities, Thresholds::default())
        };
        assert_eq!(speech(&[20..50, 54..90]), vec![14..96; 1]);
        assert_eq!(speech(&[20..50, 100..150]), [14..56, 94..156]);
        assert_eq!(speech(&[0..50, 60..200]), [0..55, 55..200]);
    }

    #[test]
    fn a_region_holds_until_the_probability_is_clearly_low() {
        let mut probabilities = vec![0.0; 60];
        probabilities[10..40].fill(0.4);
        probabilities[10] = 0.6;
        assert_eq!(
            regions(&probabilities, Thresholds::default()),
            vec![4..46; 1]
        );
    }
}
