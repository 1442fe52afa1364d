//! Whisper (Radford et al. 2022) as two ONNX graphs: an encoder over 30 s of log-mel, and a decoder that says token after
//! token, with what it has computed so far kept in a [`Cache`]. Which token is taken is the business of [`decode`].

pub mod decode;
mod rules;
pub mod segments;

use std::sync::Arc;

use hysio_model::transcript::Language;
use rten::{NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::{NdTensor, NdTensorView, Tensor, prelude::*};
use serde::Deserialize;

use crate::{
    mel::{BINS, FRAMES, MelSpectrogram},
    model::{Folder, Model},
    runtime::{self, Error},
    vocabulary::{Token, Vocabulary},
};

pub use segments::Heard;

pub struct Whisper {
    pub vocabulary: Vocabulary,
    mel: MelSpectrogram,
    encoder: Graph,
    decoder: Graph,
    ports: Ports,
    dimensions: Dimensions,
}

struct Graph(rten::Model);

impl Graph {
    fn id(&self, name: &str) -> Result<NodeId, Error> {
        self.0
            .node_id(name)
            .map_err(|error| Error::Run(error.to_string()))
    }
}

/// `config.json`, the parts that are used.
#[derive(Clone, Copy, Deserialize)]
struct Dimensions {
    decoder_layers: usize,
    decoder_attention_heads: usize,
    d_model: usize,
}

/// The inputs and outputs of both graphs.
struct Ports {
    features: NodeId,
    hidden_out: NodeId,
    tokens: NodeId,
    hidden_in: NodeId,
    use_cache: NodeId,
    logits: NodeId,
    /// Four a layer: decoder key and value, encoder key and value.
    past: Vec<NodeId>,
    present: Vec<NodeId>,
}

/// What the encoder heard in one chunk.
pub struct Encoded(Value);

/// What the decoder remembers: its own keys and values, and those of the chunk, which never change.
pub struct Cache {
    own: Vec<Value>,
    chunk: Vec<Value>,
}

impl Whisper {
    pub fn load(folder: &Folder, model: Model) -> Result<Self, Error> {
        let encoder = Graph(runtime::load(&folder.encoder(model))?);
        let decoder = Graph(runtime::load(&folder.decoder(model))?);
        let dimensions: Dimensions = runtime::read_json(&folder.file(model, "config.json"))?;
        Ok(Self {
            vocabulary: Vocabulary::load(
                &folder.file(model, "vocab.json"),
                &folder.file(model, "generation_config.json"),
            )?,
            mel: MelSpectrogram::default(),
            ports: Ports::of(&encoder, &decoder, dimensions.decoder_layers)?,
            encoder,
            decoder,
            dimensions,
        })
    }

    /// Hears up to 30 s.
    pub fn encode(&self, samples: &[f32], pool: &Arc<ThreadPool>) -> Result<Encoded, Error> {
        let mel = self.mel.compute(samples);
        let features = NdTensorView::from_data([1, BINS, FRAMES], mel.as_slice());
        let [hidden] = self.encoder.0.run_n(
            vec![(self.ports.features, features.into())],
            [self.ports.hidden_out],
            Some(options(pool)),
        )?;
        Ok(Encoded(hidden))
    }

    /// Reads the prompt. Gives the logits after each of its tokens, and the memory to go on with.
    pub fn start(
        &self,
        encoded: &Encoded,
        prompt: &[Token],
        pool: &Arc<ThreadPool>,
    ) -> Result<(Logits, Cache), Error> {
        let empty = self.empty_cache();
        let (logits, present) = self.run_decoder(encoded, prompt, &empty, false, pool)?;
        let (mut own, mut chunk) = (Vec::new(), Vec::new());
        for (i, value) in present.into_iter().enumerate() {
            if is_own(i) {
                own.push(value);
            } else {
                chunk.push(contiguous(value));
            }
        }
        Ok((logits, Cache { own, chunk }))
    }

    /// Says one more token. Gives the logits after it.
    pub fn step(
        &self,
        encoded: &Encoded,
        token: Token,
        cache: &mut Cache,
        pool: &Arc<ThreadPool>,
    ) -> Result<Logits, Error> {
        let (logits, present) = self.run_decoder(encoded, &[token], cache, true, pool)?;
        cache.own = present;
        Ok(logits)
    }

    fn run_decoder(
        &self,
        encoded: &Encoded,
        tokens: &[Token],
        cache: &Cache,
        use_cache: bool,
        pool: &Arc<ThreadPool>,
    ) -> Result<(Logits, Vec<Value>), Error> {
        let ports = &self.ports;
        let tokens: Vec<i32> = tokens.iter().map(|token| *token as i32).collect();
        let tokens = NdTensor::from_data([1, tokens.len()], tokens);
        let flag = NdTensor::from_data([1], vec![i32::from(use_cache)]);
        let mut inputs: Vec<(NodeId, ValueOrView)> = vec![
            (ports.tokens, tokens.into()),
            (ports.hidden_in, (&encoded.0).into()),
            (ports.use_cache, flag.into()),
        ];
        let (mut own, mut chunk) = (cache.own.iter(), cache.chunk.iter());
        for (i, port) in ports.past.iter().enumerate() {
            let value = if is_own(i) { own.next() } else { chunk.next() };
            let value = value.ok_or_else(|| Error::Run("the cache is incomplete".into()))?;
            inputs.push((*port, value.into()));
        }
        // With a cache, the chunk's own keys and values come back empty: don't ask for them.
        let kept = ports.present.iter().enumerate();
        let kept = kept
            .filter(|(i, _)| !use_cache || is_own(*i))
            .map(|(_, port)| *port);
        let outputs: Vec<NodeId> = std::iter::once(ports.logits).chain(kept).collect();
        let mut values = self.decoder.0.run(inputs, &outputs, Some(options(pool)))?;
        let present = values.split_off(1);
        let logits = values
            .pop()
            .ok_or_else(|| Error::Run("no logits came back".into()))?;
        Ok((Logits::of(logits)?, present))
    }

    fn empty_cache(&self) -> Cache {
        let heads = self.dimensions.decoder_attention_heads;
        let shape = [1, heads, 0, self.dimensions.d_model / heads];
        let empty = || -> Vec<Value> {
            (0..2 * self.dimensions.decoder_layers)
                .map(|_| NdTensor::<f32, 4>::zeros(shape).into())
                .collect()
        };
        Cache {
            own: empty(),
            chunk: empty(),
        }
    }

    /// How likely each language is, as unnormalised log-probabilities, from the logits after the start token.
    pub fn language_scores(&self, logits: &[f32]) -> [(Language, f32); 2] {
        [Language::English, Language::Dutch].map(|language| {
            let token = self.vocabulary.language(language);
            let score = token.and_then(|token| logits.get(token as usize));
            (language, score.copied().unwrap_or(f32::MIN))
        })
    }
}

/// In the order of its axes in memory: what is read anew for every token must not be rearranged every time.
fn contiguous(value: Value) -> Value {
    match value.as_tensor_view::<f32>() {
        Some(view) if !view.is_contiguous() => {
            Tensor::from_data(view.shape(), view.to_vec()).into()
        }
        Some(_) | None => value,
    }
}

/// The first two of four values a layer are the decoder's own.
fn is_own(i: usize) -> bool {
    i % 4 < 2
}

impl Ports {
    fn of(encoder: &Graph, decoder: &Graph, layers: usize) -> Result<Self, Error> {
        let cached = |prefix: &str| -> Result<Vec<NodeId>, Error> {
            let of_layer = |layer| {
                [
                    "decoder.key",
                    "decoder.value",
                    "encoder.key",
                    "encoder.value",
                ]
                .map(|part| decoder.id(&format!("{prefix}.{layer}.{part}")))
            };
            (0..layers).flat_map(of_layer).collect()
        };
        Ok(Self {
            features: encoder.id("input_features")?,
            hidden_out: encoder.id("last_hidden_state")?,
            tokens: decoder.id("input_ids")?,
            hidden_in: decoder.id("encoder_hidden_states")?,
            use_cache: decoder.id("use_cache_branch")?,
            logits: decoder.id("logits")?,
            past: cached("past_key_values")?,
            present: cached("present")?,
        })
    }
}

/// For each token that was read, a score for every token that could follow.
pub struct Logits(NdTensor<f32, 3>);

impl Logits {
    fn of(value: Value) -> Result<Self, Error> {
        let tensor = value.try_into();
        tensor
            .map(Self)
            .map_err(|error: rten::TryFromValueError| Error::Run(error.to_string()))
    }

    /// After the token at `position`.
    pub fn after(&self, position: usize) -> Vec<f32> {
        self.0.slice((0, position)).iter().copied().collect()
    }

    pub fn last(&self) -> Vec<f32> {
        self.after(self.0.size(1) - 1)
    }
}

fn options(pool: &Arc<ThreadPool>) -> RunOptions {
    RunOptions::default().with_thread_pool(Some(Arc::clone(pool)))
}
