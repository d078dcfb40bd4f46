//! Filters: which records are meant, as a tree that knows nothing of SQL.
//!
//! A filter is true or false for every record. A comparison with an absent field is false, and `not` turns true and false
//! round, so that what a filter leaves and what its `not` leaves are together everything.

use super::{Field, Value};
use std::fmt;
use std::marker::PhantomData;

/// How deep a filter may be nested.
pub(crate) const MAX_FILTER_DEPTH: usize = 32;

/// Which records are meant: comparisons of columns, joined by `and`, `or` and `not`.
///
/// A query with a filter that is nested more than 32 deep, or has more than 500 parts, is `INVALID_ARGUMENT`.
///
/// ```
/// use swarmstore::{Filter, Task, TaskStatus};
///
/// let idle = Task::STATUS.eq(TaskStatus::Pending).and(Task::AGENT_ID.is_null());
/// let names = ["ada", "eve"];
/// let keyed = Filter::any(names.map(|name| Task::UNIQUE_KEY.eq(name)));
/// # drop(idle.or(keyed).not());
/// ```
pub struct Filter<R> {
    pub(crate) node: Node,
    depth: usize,
    of: PhantomData<fn() -> R>,
}

/// A part of a filter.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    /// What holds for one field.
    Test(&'static Field, Test),
    /// All of these.
    All(Vec<Node>),
    /// At least one of these.
    Any(Vec<Node>),
    /// Everything but this.
    Not(Box<Node>),
    /// Nested so deep that it was not kept.
    TooDeep,
}

/// What is asked of a field. NULL stands for absent; [`stored`](super::stored) made the values what they are.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    Equal(Value<'static>),
    Less(Value<'static>),
    LessOrEqual(Value<'static>),
    Greater(Value<'static>),
    GreaterOrEqual(Value<'static>),
    In(Vec<Value<'static>>),
    Like(String),
    /// An element, as JSON.
    Contains(String),
}

impl Node {
    /// Whether it leaves everything.
    pub(crate) fn is_everything(&self) -> bool {
        matches!(self, Node::All(nodes) if nodes.is_empty())
    }
}

impl<R> Filter<R> {
    /// All of these; everything when there is none.
    pub fn all(filters: impl IntoIterator<Item = Filter<R>>) -> Self {
        filters.into_iter().fold(Filter::of(Node::All(Vec::new())), Filter::and)
    }

    /// At least one of these; nothing when there is none.
    pub fn any(filters: impl IntoIterator<Item = Filter<R>>) -> Self {
        filters.into_iter().fold(Filter::of(Node::Any(Vec::new())), Filter::or)
    }

    /// Both this and the other.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        match self.node {
            Node::All(ref mut nodes) if nodes.is_empty() => other,
            Node::All(ref mut nodes) => {
                nodes.push(other.node);
                self.around(other.depth + 1)
            }
            node => Filter::of(Node::All(vec![node, other.node])).around(self.depth.max(other.depth) + 1),
        }
    }

    /// This or the other, or both.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        match self.node {
            Node::Any(ref mut nodes) if nodes.is_empty() => other,
            Node::Any(ref mut nodes) => {
                nodes.push(other.node);
                self.around(other.depth + 1)
            }
            node => Filter::of(Node::Any(vec![node, other.node])).around(self.depth.max(other.depth) + 1),
        }
    }

    /// Everything but this.
    #[must_use]
    #[allow(clippy::should_implement_trait)] // it is implemented as well, and reads better behind another filter
    pub fn not(self) -> Self {
        let depth = self.depth + 1;
        Filter::of(Node::Not(Box::new(self.node))).around(depth)
    }

    pub(crate) fn of(node: Node) -> Self {
        Filter { node, depth: 0, of: PhantomData }
    }

    /// With this depth, if it is more than before. What is too deep to be used is not kept, so that no walk over it is deep.
    fn around(mut self, depth: usize) -> Self {
        self.depth = self.depth.max(depth);
        if self.depth > MAX_FILTER_DEPTH {
            self.node = Node::TooDeep;
        }
        self
    }
}

impl<R> std::ops::Not for Filter<R> {
    type Output = Self;
    fn not(self) -> Self {
        Filter::not(self)
    }
}

impl<R> Default for Filter<R> {
    /// Everything.
    fn default() -> Self {
        Filter::all([])
    }
}

impl<R> Clone for Filter<R> {
    fn clone(&self) -> Self {
        Filter { node: self.node.clone(), depth: self.depth, of: PhantomData }
    }
}

impl<R> fmt::Debug for Filter<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.fmt(formatter)
    }
}
