//! The hashes of an RFC 6962 tree, and the part of the tree that is needed to append to it.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize, de::Error as _};

/// SHA-256. As text: 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The hash of parts that follow each other.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(part);
        }
        let digest = context.finish();
        Self(digest.as_ref().try_into().expect("SHA-256 gives 32 bytes"))
    }

    /// The hash of a leaf (RFC 6962, section 2.1).
    #[must_use]
    pub fn of_leaf(content: &[u8]) -> Self {
        Self::of(&[&[0], content])
    }

    /// The hash of an inner node (RFC 6962, section 2.1).
    #[must_use]
    pub fn of_node(left: Self, right: Self) -> Self {
        Self::of(&[&[1], &left.0, &right.0])
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| "a hash is 64 hex digits")?;
        Ok(Self(bytes))
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = &'static str;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self).map_err(|_| "a hash is 32 bytes")
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// The right edge of the tree: the roots of its complete subtrees, largest first. Appending takes O(log n) hashes and no
/// other part of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// How many leaves the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("a peak for each bit of the size");
            node = Hash::of_node(left, node);
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The tree's root; of an empty tree, the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev().copied();
        match peaks.next() {
            None => Hash::of(&[]),
            Some(smallest) => peaks.fold(smallest, |right, left| Hash::of_node(left, right)),
        }
    }

    /// Size (u64, big-endian), then the peaks.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        bytes.extend(self.peaks.iter().flat_map(|peak| peak.0));
        bytes
    }

    /// None when the bytes have not as many peaks as the size asks for. Whether they are the right ones shows by the
    /// root.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk()?;
        let size = u64::from_be_bytes(*size);
        let (peaks, left_over) = rest.as_chunks::<32>();
        let right_count = u32::try_from(peaks.len()) == Ok(size.count_ones());
        (right_count && left_over.is_empty()).then(|| Self {
            size,
            peaks: peaks.iter().copied().map(Hash).collect(),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The leaves of the test vectors of Google's certificate-transparency code.
    pub(in crate::audit) fn vector_leaves() -> Vec<Vec<u8>> {
        [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ]
        .iter()
        .map(|text| hex::decode(text).unwrap())
        .collect()
    }

    #[test]
    fn the_roots_are_those_of_the_certificate_transparency_vectors() {
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut frontier = Frontier::default();
        assert_eq!(frontier.root().to_string(), roots[0]);
        for (leaf, root) in vector_leaves().iter().zip(&roots[1..]) {
            frontier.push(Hash::of_leaf(leaf));
            assert_eq!(frontier.root().to_string(), *root);
        }
    }

    #[test]
    fn a_stored_frontier_goes_on_where_it_was() {
        let leaf = |n: u64| Hash::of_leaf(&n.to_be_bytes());
        let mut whole = Frontier::default();
        for n in 0..200 {
            let mut resumed = Frontier::from_bytes(&whole.to_bytes()).unwrap();
            whole.push(leaf(n));
            resumed.push(leaf(n));
            assert_eq!(resumed, whole);
        }
        let bytes = whole.to_bytes();
        assert!(Frontier::from_bytes(&bytes[..bytes.len() - 1]).is_none());
        assert!(Frontier::from_bytes(&bytes[..bytes.len() - 32]).is_none());
        assert!(Frontier::from_bytes(&[0; 7]).is_none());
    }
}
