//! What the parts of a page mean, for screen readers: headings, paragraphs, tables. Becomes the tags of the file.

use std::num::NonZeroU16;

use krilla::{
    geom::Rect,
    tagging::{BBox, Identifier, Node, TableHeaderScope, Tag, TagGroup, TagKind, TagTree},
};

#[derive(Clone, Copy)]
pub struct NodeId(usize);

pub enum Kind {
    Heading {
        level: u16,
        title: String,
    },
    Paragraph,
    Table,
    Row,
    RowHead,
    ColumnHead,
    Cell,
    Figure {
        alternative: String,
        page: usize,
        place: Rect,
    },
}

#[derive(Default)]
pub struct Structure {
    nodes: Vec<(Kind, Vec<Child>)>,
    roots: Vec<NodeId>,
}

enum Child {
    Node(NodeId),
    Content(Identifier),
}

impl Structure {
    pub fn add(&mut self, kind: Kind, parent: Option<NodeId>) -> NodeId {
        let node = NodeId(self.nodes.len());
        self.nodes.push((kind, Vec::new()));
        match parent {
            Some(parent) => self.nodes[parent.0].1.push(Child::Node(node)),
            None => self.roots.push(node),
        }
        node
    }

    /// Says that this drawn content belongs to the node.
    pub fn attach(&mut self, node: NodeId, content: Identifier) {
        self.nodes[node.0].1.push(Child::Content(content));
    }

    pub fn into_tags(self, language: &str) -> TagTree {
        let mut nodes: Vec<_> = self.nodes.into_iter().map(Some).collect();
        let mut tree = TagTree::new().with_lang(Some(language.to_owned()));
        for root in self.roots {
            tree.push(group(&mut nodes, root));
        }
        tree
    }
}

/// At most three deep: table, row, cell.
fn group(nodes: &mut [Option<(Kind, Vec<Child>)>], node: NodeId) -> TagGroup {
    let (kind, children) = nodes[node.0].take().expect("a node has one parent");
    let children = children
        .into_iter()
        .map(|child| match child {
            Child::Node(node) => Node::from(group(nodes, node)),
            Child::Content(content) => Node::from(content),
        })
        .collect();
    TagGroup::with_children(tag(kind), children)
}

fn tag(kind: Kind) -> TagKind {
    match kind {
        Kind::Heading { level, title } => Tag::Hn(
            NonZeroU16::new(level).unwrap_or(NonZeroU16::MIN),
            Some(title),
        )
        .into(),
        Kind::Paragraph => Tag::P.into(),
        Kind::Table => Tag::Table.into(),
        Kind::Row => Tag::TR.into(),
        Kind::RowHead => Tag::TH(TableHeaderScope::Row).into(),
        Kind::ColumnHead => Tag::TH(TableHeaderScope::Column).into(),
        Kind::Cell => Tag::TD.into(),
        Kind::Figure {
            alternative,
            page,
            place,
        } => Tag::Figure(Some(alternative))
            .with_bbox(Some(BBox::new(page, place)))
            .into(),
    }
}
