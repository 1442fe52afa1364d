//! Weights of seven bits, for processors that multiply bytes with AVX2 alone: their instruction adds two products in sixteen bits and
//! cuts off what does not fit, and whole sentences come out as noise. With VNNI, as on newer ones, nothing is done.
//!
//! A weight and its zero point are halved and the scale doubled, so that what they stand for stays, but for half a step
//! ("reduce range" in ONNX Runtime's quantiser). The file is changed where it lies in memory: all lengths stay as they are.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use rten_gemm::GemmExecutor;

/// The file is not one of ONNX.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no ONNX file, at byte {0}")]
pub struct Malformed(usize);

type Result<T> = std::result::Result<T, Malformed>;

/// Narrows all weights, if this machine needs it.
pub fn where_needed(model: &mut [u8]) -> Result<()> {
    if GemmExecutor::<u8, i8, i32>::default().may_saturate() {
        narrow(model)?;
    }
    Ok(())
}

/// Returns how many tensors of weights were narrowed.
fn narrow(model: &mut [u8]) -> Result<usize> {
    let mut found = Found::default();
    for graph in parts(model, 0..model.len(), MODEL_GRAPH)? {
        found.read(model, graph)?;
    }
    let names: Vec<String> = found.tensors.keys().cloned().collect();
    let mut narrowed = 0;
    for name in names.iter().filter_map(|it| it.strip_suffix("_quantized")) {
        let tensor = |suffix: &str| found.tensors.get(&format!("{name}{suffix}"));
        let parts = (
            tensor("_quantized"),
            tensor("_zero_point"),
            tensor("_scale"),
        );
        if let (Some(weights), Some(zero), Some(scale)) = parts
            && let Some(kind) = found.kind(name, weights)
        {
            change(model, kind, weights, zero, scale)?;
            narrowed += 1;
        }
    }
    Ok(narrowed)
}

/// On which side of a product weights are, and how they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Bytes from 0, on the left of a convolution: up to 127.
    Convolution,
    /// Bytes from 0 that are taken for signed ones by 128 less: 64 to each side.
    Unsigned,
    Signed,
}

impl Kind {
    /// A zero point, halved.
    fn zero(self, zero: i32) -> i32 {
        match self {
            Self::Convolution | Self::Signed => zero.div_euclid(2),
            Self::Unsigned => 128 + (zero - 128).div_euclid(2),
        }
    }

    fn weight(self, weight: i32, zero: i32) -> i32 {
        let half = (f64::from(weight - zero) / 2.0).round_ties_even() as i32;
        let range = match self {
            Self::Convolution => 0..=127,
            Self::Unsigned => 64..=192,
            Self::Signed => -64..=64,
        };
        (self.zero(zero) + half).clamp(*range.start(), *range.end())
    }

    fn read(self, byte: u8) -> i32 {
        match self {
            Self::Signed => i32::from(byte.cast_signed()),
            Self::Convolution | Self::Unsigned => i32::from(byte),
        }
    }
}

fn change(
    model: &mut [u8],
    kind: Kind,
    weights: &Tensor,
    zero: &Tensor,
    scale: &Tensor,
) -> Result<()> {
    let zero_byte = match (&zero.raw, &zero.ints) {
        (Some(raw), _) if raw.len() == 1 => model[raw.start],
        // A varint; a negative one has its low bits first too.
        (_, Some(ints)) => varint(model, ints.start)?.0.to_le_bytes()[0],
        _ => return Ok(()),
    };
    let old = kind.read(zero_byte);
    let new = kind.zero(old);
    for byte in &mut model[weights.raw.clone().unwrap_or_default()] {
        *byte = kind.weight(kind.read(*byte), old).to_le_bytes()[0];
    }
    match (&zero.raw, &zero.ints) {
        (Some(raw), _) if raw.len() == 1 => model[raw.start] = new.to_le_bytes()[0],
        (_, Some(ints)) => write_varint(&mut model[ints.clone()], i64::from(new).cast_unsigned()),
        _ => {}
    }
    let floats = scale.floats.clone().or_else(|| scale.raw.clone());
    for four in model[floats.unwrap_or_default()].chunks_exact_mut(4) {
        let value = f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
        four.copy_from_slice(&(value * 2.0).to_le_bytes());
    }
    Ok(())
}

/// In as many bytes as there are.
fn write_varint(bytes: &mut [u8], mut value: u64) {
    let last = bytes.len().saturating_sub(1);
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = (value & 0x7f) as u8 | if at < last { 0x80 } else { 0 };
        value >>= 7;
    }
}

/// Where the parts of a tensor lie.
#[derive(Clone, Debug, Default)]
struct Tensor {
    data_type: u64,
    raw: Option<Range<usize>>,
    floats: Option<Range<usize>>,
    ints: Option<Range<usize>>,
}

#[derive(Default)]
struct Found {
    tensors: HashMap<String, Tensor>,
    /// Weights of convolutions.
    kernels: HashSet<String>,
}

// Fields of `onnx.proto`.
const MODEL_GRAPH: u64 = 7;
const GRAPH_NODE: u64 = 1;
const GRAPH_INITIALIZER: u64 = 5;
const NODE_INPUT: u64 = 1;
const NODE_OP_TYPE: u64 = 4;
const NODE_ATTRIBUTE: u64 = 5;
const ATTRIBUTE_GRAPH: u64 = 6;
const TENSOR_DATA_TYPE: u64 = 2;
const TENSOR_FLOATS: u64 = 4;
const TENSOR_INTS: u64 = 5;
const TENSOR_NAME: u64 = 8;
const TENSOR_RAW: u64 = 9;
const UINT8: u64 = 2;
const INT8: u64 = 3;

impl Found {
    fn read(&mut self, model: &[u8], graph: Range<usize>) -> Result<()> {
        for tensor in parts(model, graph.clone(), GRAPH_INITIALIZER)? {
            self.tensor(model, tensor)?;
        }
        for node in parts(model, graph, GRAPH_NODE)? {
            let kinds = parts(model, node.clone(), NODE_OP_TYPE)?;
            let is_convolution = kinds.iter().any(|it| &model[it.clone()] == b"ConvInteger");
            let inputs = parts(model, node.clone(), NODE_INPUT)?;
            if let (true, Some(kernel)) = (is_convolution, inputs.get(1)) {
                self.kernels.insert(text(model, kernel));
            }
            for attribute in parts(model, node, NODE_ATTRIBUTE)? {
                for graph in parts(model, attribute, ATTRIBUTE_GRAPH)? {
                    self.read(model, graph)?;
                }
            }
        }
        Ok(())
    }

    fn tensor(&mut self, model: &[u8], within: Range<usize>) -> Result<()> {
        let (mut tensor, mut name) = (Tensor::default(), String::new());
        for (field, range) in fields(model, within)? {
            match field {
                TENSOR_DATA_TYPE => tensor.data_type = varint(model, range.start)?.0,
                TENSOR_FLOATS => tensor.floats = Some(range),
                TENSOR_INTS => tensor.ints = Some(range),
                TENSOR_NAME => name = text(model, &range),
                TENSOR_RAW => tensor.raw = Some(range),
                _ => {}
            }
        }
        self.tensors.insert(name, tensor);
        Ok(())
    }

    fn kind(&self, name: &str, weights: &Tensor) -> Option<Kind> {
        match weights.data_type {
            UINT8 if self.kernels.contains(&format!("{name}_quantized")) => Some(Kind::Convolution),
            UINT8 => Some(Kind::Unsigned),
            INT8 => Some(Kind::Signed),
            _ => None,
        }
    }
}

fn text(model: &[u8], range: &Range<usize>) -> String {
    String::from_utf8_lossy(&model[range.clone()]).into_owned()
}

/// Where the values of one field lie.
fn parts(model: &[u8], within: Range<usize>, wanted: u64) -> Result<Vec<Range<usize>>> {
    let all = fields(model, within)?;
    let wanted = all.into_iter().filter(|(field, _)| *field == wanted);
    Ok(wanted.map(|(_, range)| range).collect())
}

/// The fields of a message in the encoding of Protocol Buffers, and where their values lie.
fn fields(model: &[u8], within: Range<usize>) -> Result<Vec<(u64, Range<usize>)>> {
    let (mut at, mut found) = (within.start, Vec::new());
    while at < within.end {
        let (tag, value) = varint(model, at)?;
        let (start, end) = match tag & 7 {
            0 => (value, varint(model, value)?.1),
            1 => (value, value + 8),
            2 => {
                let (length, start) = varint(model, value)?;
                let length = usize::try_from(length).map_err(|_| Malformed(at))?;
                (start, start.checked_add(length).ok_or(Malformed(at))?)
            }
            5 => (value, value + 4),
            _ => return Err(Malformed(at)),
        };
        if end > within.end {
            return Err(Malformed(at));
        }
        found.push((tag >> 3, start..end));
        at = end;
    }
    Ok(found)
}

/// The number there, and where it ends.
fn varint(model: &[u8], at: usize) -> Result<(u64, usize)> {
    let mut value = 0;
    for (count, byte) in model
        .get(at..)
        .unwrap_or_default()
        .iter()
        .take(10)
        .enumerate()
    {
        value |= u64::from(byte & 0x7f) << (7 * count);
        if byte & 0x80 == 0 {
            return Ok((value, at + count + 1));
        }
    }
    Err(Malformed(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_weights_stand_for_stays_within_half_a_step_and_no_sum_of_two_is_cut_off() {
        for (kind, all) in [
            (Kind::Convolution, 0..=255),
            (Kind::Unsigned, 0..=255),
            (Kind::Signed, -128..=127),
        ] {
            for zero in all.clone() {
                for weight in all.clone() {
                    let (now, at) = (kind.weight(weight, zero), kind.zero(zero));
                    let (was, is) = (weight - zero, 2 * (now - at));
                    assert!(
                        (was - is).abs() <= 2,
                        "{kind:?} {weight} {zero}: {was} {is}"
                    );
                    // The other side: any signed byte beside a kernel, any unsigned one beside weights of a matrix.
                    let largest = match kind {
                        Kind::Convolution => 128 * now.abs(),
                        Kind::Unsigned => 255 * (now - 128).abs(),
                        Kind::Signed => 255 * now.abs(),
                    };
                    assert!(2 * largest <= i32::from(i16::MAX), "{kind:?} {now}");
                }
            }
        }
    }

    fn field(number: u8, value: &[u8]) -> Vec<u8> {
        let length = u8::try_from(value.len()).unwrap();
        [&[number << 3 | 2, length], value].concat()
    }

    fn tensor(name: &str, data_type: u8, values: &[u8]) -> Vec<u8> {
        let tensor = [&[2 << 3, data_type][..], &field(8, name.as_bytes()), values].concat();
        field(5, &tensor)
    }

    fn model(op: &str) -> Vec<u8> {
        let inputs = ["x", "w_quantized"]
            .map(|name| field(1, name.as_bytes()))
            .concat();
        let node = field(1, &[inputs, field(4, op.as_bytes())].concat());
        let graph = [
            node,
            tensor("w_quantized", 2, &field(9, &[0, 200, 255])),
            // 200, in two bytes.
            tensor("w_zero_point", 2, &field(5, &[0xc8, 0x01])),
            tensor("w_scale", 1, &field(4, &0.5_f32.to_le_bytes())),
        ];
        field(7, &graph.concat())
    }

    #[test]
    fn a_model_is_narrowed_where_it_lies() {
        for (op, weights, zero) in [
            ("MatMulInteger", [64, 164, 192], [0xa4, 0x01]),
            ("ConvInteger", [0, 100, 127], [0xe4, 0x00]),
        ] {
            let mut narrowed = model(op);
            assert_eq!(narrow(&mut narrowed), Ok(1));
            let mut expected = model(op);
            let end = expected.len();
            let replace = |bytes: &mut Vec<u8>, old: &[u8], new: &[u8]| {
                let at = bytes.windows(old.len()).rposition(|it| it == old).unwrap();
                bytes[at..at + new.len()].copy_from_slice(new);
            };
            replace(&mut expected, &[0, 200, 255], &weights);
            replace(&mut expected, &[0xc8, 0x01], &zero);
            replace(
                &mut expected,
                &0.5_f32.to_le_bytes(),
                &1.0_f32.to_le_bytes(),
            );
            assert_eq!(narrowed.len(), end);
            assert_eq!(narrowed, expected, "{op}");
        }
    }

    #[test]
    fn what_is_no_model_is_refused_and_never_read_beyond() {
        for bytes in [
            &b"not a model"[..],
            &[0x3a, 0x7f, 1],
            &[0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        ] {
            assert!(narrow(&mut bytes.to_vec()).is_err(), "{bytes:?}");
        }
        assert_eq!(narrow(&mut []), Ok(0));
    }
}
