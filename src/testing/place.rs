//! Where a store under test lives.

use crate::error::Result;
use crate::store::{Options, Store};
use std::any::Any;
use std::future::Future;
use std::pin::Pin;

/// A store that is being opened.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<Store>> + 'a>>;

/// Where one store lives: what opens an empty one and, when it keeps what is written, opens the same one again.
pub trait Place {
    /// Opens the store: an empty one the first time, after that with all that was kept.
    fn open(&self, options: Options) -> Opening<'_>;

    /// Whether a store that is closed is found again with what was written; if not, every opening gives an empty one.
    fn keeps(&self) -> bool;

    /// Whether the store is to be closed and opened again between every write and the read that follows.
    fn reopens(&self) -> bool {
        false
    }
}

/// A place that a URL names, such as `sqlite:PATH`.
pub struct Url {
    text: String,
    keeps: bool,
    reopens: bool,
    guards: Vec<Box<dyn Any>>,
}

impl Url {
    /// `memory:`.
    #[must_use]
    pub fn memory() -> Self {
        Url { keeps: false, ..Url::kept("memory:") }
    }

    /// A URL of a store that is kept, where none is yet.
    #[must_use]
    pub fn kept(url: impl Into<String>) -> Self {
        Url { text: url.into(), keeps: true, reopens: false, guards: Vec::new() }
    }

    /// Closed and opened again between every write and the read that follows.
    #[must_use]
    pub fn reopened(mut self) -> Self {
        self.reopens = true;
        self
    }

    /// Together with something that has to live as long, such as a temporary folder.
    #[must_use]
    pub fn with(mut self, guard: impl Any) -> Self {
        self.guards.push(Box::new(guard));
        self
    }
}

impl Place for Url {
    fn open(&self, options: Options) -> Opening<'_> {
        Box::pin(options.open(&self.text))
    }

    fn keeps(&self) -> bool {
        self.keeps
    }

    fn reopens(&self) -> bool {
        self.reopens
    }
}
