//! Proofs about the tree (RFC 6962, sections 2.1.1 and 2.1.2): that an entry is in it, and that an earlier tree is the
//! beginning of a later one. Making one reads all leaf hashes; checking one takes O(log n).

use super::tree::{Frontier, Hash};

/// The hashes that lead from leaf `index` to the root of the tree of `leaves`, from the bottom up.
///
/// # Panics
/// When there is no such leaf.
#[must_use]
pub fn inclusion_proof(leaves: &[Hash], index: usize) -> Vec<Hash> {
    assert!(
        index < leaves.len(),
        "no leaf {index} among {}",
        leaves.len()
    );
    let mut path = Vec::new();
    let (mut leaves, mut index) = (leaves, index);
    while leaves.len() > 1 {
        let (left, right) = leaves.split_at(split(leaves.len()));
        if index < left.len() {
            path.push(root(right));
            leaves = left;
        } else {
            path.push(root(left));
            index -= left.len();
            leaves = right;
        }
    }
    path.reverse();
    path
}

/// The hashes that show that the tree of the first `old_size` leaves is the beginning of the tree of all.
///
/// # Panics
/// When there are fewer leaves than that, or `old_size` is 0.
#[must_use]
pub fn consistency_proof(leaves: &[Hash], old_size: usize) -> Vec<Hash> {
    assert!(
        (1..=leaves.len()).contains(&old_size),
        "no tree of {old_size} within {}",
        leaves.len()
    );
    let mut path = Vec::new();
    let (mut leaves, mut old_size) = (leaves, old_size);
    let mut is_old_root = true;
    while old_size < leaves.len() {
        let (left, right) = leaves.split_at(split(leaves.len()));
        if old_size <= left.len() {
            path.push(root(right));
            leaves = left;
        } else {
            path.push(root(left));
            old_size -= left.len();
            leaves = right;
            is_old_root = false;
        }
    }
    if !is_old_root {
        path.push(root(leaves));
    }
    path.reverse();
    path
}

/// Whether the proof leads from the leaf at `index` to the root of a tree of `size` leaves (RFC 9162, section 2.1.3.2).
#[must_use]
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, root: Hash, proof: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    let (mut position, mut last) = (index, size - 1);
    let mut node = leaf;
    for step in proof {
        if last == 0 {
            return false;
        }
        if position % 2 == 1 || position == last {
            node = Hash::of_node(*step, node);
            while position.is_multiple_of(2) && position != 0 {
                position /= 2;
                last /= 2;
            }
        } else {
            node = Hash::of_node(node, *step);
        }
        position /= 2;
        last /= 2;
    }
    last == 0 && node == root
}

/// Whether the proof shows that the old tree is the beginning of the new one (RFC 9162, section 2.1.4.2). The empty tree
/// is the beginning of every tree.
#[must_use]
pub fn verify_consistency(old: (u64, Hash), new: (u64, Hash), proof: &[Hash]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size > new_size || old_size == 0 || old_size == new_size {
        let empty = old_size == 0 && old_root == Hash::of(&[]);
        return proof.is_empty() && (empty || (old_size == new_size && old_root == new_root));
    }
    let mut steps = proof.iter().copied();
    let first = if old_size.is_power_of_two() {
        Some(old_root)
    } else {
        steps.next()
    };
    let Some(first) = first else { return false };
    let shift = (old_size - 1).trailing_ones();
    let (mut position, mut last) = ((old_size - 1) >> shift, (new_size - 1) >> shift);
    let (mut old_node, mut new_node) = (first, first);
    for step in steps {
        if last == 0 {
            return false;
        }
        if position % 2 == 1 || position == last {
            old_node = Hash::of_node(step, old_node);
            new_node = Hash::of_node(step, new_node);
            while position.is_multiple_of(2) && position != 0 {
                position /= 2;
                last /= 2;
            }
        } else {
            new_node = Hash::of_node(new_node, step);
        }
        position /= 2;
        last /= 2;
    }
    last == 0 && old_node == old_root && new_node == new_root
}

fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.push(*leaf);
    }
    frontier.root()
}

/// The largest power of two below `size`, for a size above 1.
fn split(size: usize) -> usize {
    1 << (size - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use ct_merkle::{
        ConsistencyProof, HashableLeaf, InclusionProof, RootHash, mem_backed_tree::MemoryBackedTree,
    };
    use sha2::Sha256;

    use super::*;
    use crate::audit::tree::tests::vector_leaves;

    #[derive(Clone)]
    struct Content(u64);

    impl HashableLeaf for Content {
        fn hash<H: ct_merkle::digest::Update>(&self, hasher: &mut H) {
            hasher.update(&self.0.to_be_bytes());
        }
    }

    const LARGEST: usize = 40;

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count as u64)
            .map(|n| Hash::of_leaf(&n.to_be_bytes()))
            .collect()
    }

    #[test]
    fn proofs_are_those_of_an_independent_implementation() {
        let mut tree = MemoryBackedTree::<Sha256, Content>::new();
        for size in 1..=LARGEST {
            tree.push(Content(size as u64 - 1));
            let leaves = leaves(size);
            let theirs: RootHash<Sha256> = tree.root();
            assert_eq!(theirs.as_bytes().as_slice(), root(&leaves).0);
            for index in 0..size {
                let proof: InclusionProof<Sha256> = tree.prove_inclusion(index);
                assert_eq!(proof.as_bytes(), flat(&inclusion_proof(&leaves, index)));
            }
            for old_size in 1..size {
                let proof: ConsistencyProof<Sha256> = tree.prove_consistency(size - old_size);
                assert_eq!(
                    proof.as_bytes(),
                    flat(&consistency_proof(&leaves, old_size))
                );
            }
        }
    }

    #[test]
    fn a_right_proof_is_accepted_and_any_other_refused() {
        for size in 1..=LARGEST {
            let leaves = leaves(size);
            let whole = root(&leaves);
            for index in 0..size {
                let proof = inclusion_proof(&leaves, index);
                let holds = |leaf, index: usize, size: usize, root, proof: &[Hash]| {
                    verify_inclusion(leaf, index as u64, size as u64, root, proof)
                };
                assert!(holds(leaves[index], index, size, whole, &proof));
                assert!(!holds(Hash([7; 32]), index, size, whole, &proof));
                assert!(!holds(leaves[index], index, size, Hash([7; 32]), &proof));
                assert!(!holds(leaves[index], size, size, whole, &proof));
                if size > 1 {
                    assert!(!holds(
                        leaves[index],
                        (index + 1) % size,
                        size,
                        whole,
                        &proof
                    ));
                }
                for bad in spoilt(&proof) {
                    assert!(!holds(leaves[index], index, size, whole, &bad));
                }
            }
            for old_size in 1..=size {
                let proof = consistency_proof(&leaves, old_size);
                let old = (old_size as u64, root(&leaves[..old_size]));
                let new = (size as u64, whole);
                assert!(verify_consistency(old, new, &proof));
                assert!(!verify_consistency((old.0, Hash([7; 32])), new, &proof));
                assert!(!verify_consistency(old, (new.0, Hash([7; 32])), &proof));
                assert!(!verify_consistency((new.0 + 1, old.1), new, &proof));
                for bad in spoilt(&proof) {
                    assert!(!verify_consistency(old, new, &bad));
                }
            }
        }
    }

    #[test]
    fn the_vectors_of_certificate_transparency_hold() {
        let leaves: Vec<Hash> = vector_leaves()
            .iter()
            .map(|leaf| Hash::of_leaf(leaf))
            .collect();
        let hex = |proof: Vec<Hash>| proof.iter().map(Hash::to_string).collect::<Vec<_>>();
        assert_eq!(
            hex(inclusion_proof(&leaves, 0)),
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ]
        );
        assert_eq!(
            hex(consistency_proof(&leaves, 6)),
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
    }

    fn flat(proof: &[Hash]) -> Vec<u8> {
        proof.iter().flat_map(|hash| hash.0).collect()
    }

    fn spoilt(proof: &[Hash]) -> Vec<Vec<Hash>> {
        let mut bad = vec![[proof, &[Hash([7; 32])]].concat()];
        for at in 0..proof.len() {
            let mut changed = proof.to_vec();
            changed[at].0[0] ^= 1;
            bad.push(changed);
            let mut dropped = proof.to_vec();
            dropped.remove(at);
            bad.push(dropped);
        }
        bad
    }
}
