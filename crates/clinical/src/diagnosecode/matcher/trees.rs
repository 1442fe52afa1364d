//! Gradient-boosted trees: the score is the sum of one leaf of each.

/// Trees one behind the other. Node numbers count from the start of all.
#[derive(Debug)]
pub(super) struct Trees {
    roots: Vec<usize>,
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Copy)]
enum Node {
    Split {
        feature: usize,
        threshold: f32,
        left: usize,
        right: usize,
    },
    Leaf(f32),
}

impl Trees {
    /// A line is `feature threshold left right`, with nodes numbered from the tree's first line, or a leaf's value; an
    /// empty line ends a tree; `#` begins a comment. Nothing if a line is none of these, or names a feature or a node
    /// that does not exist or lies before it.
    pub(super) fn parse(table: &str, features: usize) -> Option<Self> {
        let mut trees = Self {
            roots: Vec::new(),
            nodes: Vec::new(),
        };
        let mut root = 0;
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            if line.is_empty() {
                trees.finish(root, features)?;
                root = trees.nodes.len();
                continue;
            }
            trees.nodes.push(Node::parse(line, root)?);
        }
        trees.finish(root, features)?;
        Some(trees)
    }

    pub(super) fn score(&self, features: &[f32]) -> f32 {
        self.roots
            .iter()
            .map(|root| self.leaf(*root, features))
            .sum()
    }

    fn finish(&mut self, root: usize, features: usize) -> Option<()> {
        let end = self.nodes.len();
        let is_sound = |(at, node): (usize, &Node)| match *node {
            Node::Leaf(_) => true,
            Node::Split {
                feature,
                left,
                right,
                ..
            } => feature < features && left.min(right) > at && left.max(right) < end,
        };
        if root == end {
            return Some(());
        }
        self.roots.push(root);
        (root..end)
            .zip(&self.nodes[root..])
            .all(is_sound)
            .then_some(())
    }

    /// Children lie behind their parent, so the walk ends.
    fn leaf(&self, root: usize, features: &[f32]) -> f32 {
        let mut at = root;
        loop {
            match self.nodes[at] {
                Node::Leaf(value) => return value,
                Node::Split {
                    feature,
                    threshold,
                    left,
                    right,
                } => {
                    at = if features[feature] <= threshold {
                        left
                    } else {
                        right
                    };
                }
            }
        }
    }
}

impl Node {
    fn parse(line: &str, root: usize) -> Option<Self> {
        let columns: Vec<&str> = line.split(' ').collect();
        match columns.as_slice() {
            [value] => Some(Self::Leaf(value.parse().ok()?)),
            [feature, threshold, left, right] => Some(Self::Split {
                feature: feature.parse().ok()?,
                threshold: threshold.parse().ok()?,
                left: root + left.parse::<usize>().ok()?,
                right: root + right.parse::<usize>().ok()?,
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leaves_that_the_features_lead_to_are_added_up() {
        let trees = Trees::parse("# x\n0 0.5 1 2\n-1\n1 2 3 4\n2\n3\n\n10\n", 2).expect("sound");
        assert!((trees.score(&[0.5, 9.0]) - 9.0).abs() < 1e-6);
        assert!((trees.score(&[0.6, 2.0]) - 12.0).abs() < 1e-6);
        assert!((trees.score(&[0.6, 2.1]) - 13.0).abs() < 1e-6);
    }

    #[test]
    fn a_tree_that_could_not_end_or_reads_what_is_not_there_is_refused() {
        for table in ["0 1 0 0", "0 1 1 2\n1\n", "5 1 1 2\n1\n2\n", "0 1 1\n", "x"] {
            assert!(Trees::parse(table, 2).is_none(), "{table}");
        }
    }
}
