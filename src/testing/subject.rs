//! The store under test.

use super::clock::TestClock;
use super::place::Place;
use crate::error::{Error, ErrorCode, Result};
use crate::model::Millis;
use crate::platform::{Clock, MaybeSend};
use crate::store::{Options, Store, Transaction, Tx};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;

/// A store under test, its clock, and the place where it lives. Clones are one subject.
#[derive(Clone)]
pub struct Subject {
    inner: Rc<Inner>,
}

struct Inner {
    place: Box<dyn Place>,
    clock: TestClock,
    options: RefCell<Options>,
    store: RefCell<Store>,
    /// Whether something was written since the store was opened.
    wrote: Cell<bool>,
}

/// Runs one case on a fresh store in this place, and checks afterwards that the store is sound.
///
/// # Panics
/// When the store does not open, the case fails, or the database is damaged after it.
pub async fn run<F: Future<Output = ()>>(place: impl Place + 'static, case: impl FnOnce(Subject) -> F) {
    let subject = Subject::open(place).await;
    case(subject.clone()).await;
    subject.end().await;
}

impl Subject {
    /// Opens an empty store.
    ///
    /// # Panics
    /// When it does not open.
    pub async fn open(place: impl Place + 'static) -> Self {
        let clock = TestClock::default();
        let options = Store::options().clock(clock.clone());
        let store = place.open(options.clone()).await.expect("the store opens");
        let (options, store) = (RefCell::new(options), RefCell::new(store));
        Subject { inner: Rc::new(Inner { place: Box::new(place), clock, options, store, wrote: Cell::new(false) }) }
    }

    /// The store itself, for what has no method here. It is replaced when the subject is reopened.
    #[must_use]
    pub fn store(&self) -> Store {
        self.inner.store.borrow().clone()
    }

    /// Whether the store is found again after it was closed.
    #[must_use]
    pub fn keeps(&self) -> bool {
        self.inner.place.keeps()
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.inner.clock.now()
    }

    /// Lets so many milliseconds pass.
    pub fn advance(&self, millis: i64) {
        self.inner.clock.advance(millis);
    }

    /// Writes, as [`Store::write`].
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write<T: MaybeSend + 'static, E: From<Error> + MaybeSend + 'static>(
        &self,
        body: impl FnMut(&Tx<'_>) -> Result<T, E> + MaybeSend + 'static,
    ) -> Result<T, E> {
        self.inner.wrote.set(true);
        self.store().write(body).await
    }

    /// Reads, as [`Store::read`]; where the place says so, from the store reopened.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn read<T: MaybeSend + 'static, E: From<Error> + MaybeSend + 'static>(
        &self,
        body: impl FnMut(&Tx<'_>) -> Result<T, E> + MaybeSend + 'static,
    ) -> Result<T, E> {
        if self.inner.wrote.get() && self.inner.place.reopens() {
            self.reopen().await;
        }
        self.store().read(body).await
    }

    /// Begins an explicit transaction.
    ///
    /// # Panics
    /// When the store does not allow it.
    pub async fn begin(&self) -> Transaction {
        self.inner.wrote.set(true);
        self.store().begin().await.expect("a transaction begins")
    }

    /// Closes the store and opens the same one again; does nothing where the store is not kept.
    ///
    /// # Panics
    /// When it does not close or open.
    pub async fn reopen(&self) {
        if self.keeps() {
            let options = self.inner.options.borrow().clone();
            self.reopen_with(options).await;
        }
    }

    /// Changes the options and opens the store again with them; where it is not kept, an empty one.
    ///
    /// # Panics
    /// When it does not close or open.
    pub async fn change_options(&self, change: impl FnOnce(Options) -> Options) {
        let options = change(self.inner.options.borrow().clone());
        self.inner.options.replace(options.clone());
        self.reopen_with(options).await;
    }

    async fn reopen_with(&self, options: Options) {
        self.store().close().await.expect("the store closes");
        let store = self.inner.place.open(options).await.expect("the store opens again");
        self.inner.store.replace(store);
        self.inner.wrote.set(false);
    }

    /// Whatever a case did, the database is sound; then it is closed.
    async fn end(self) {
        match self.store().check_integrity().await {
            Ok(found) => assert_eq!(found, ["ok"], "the database is sound after the case"),
            Err(error) => assert_eq!(error.code(), ErrorCode::Closed, "{error}"),
        }
        self.store().close().await.expect("the store closes");
    }
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Subject").field("now", &self.now()).finish_non_exhaustive()
    }
}
