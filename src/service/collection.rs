//! The operations that every mutable record has.

use super::Context;
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Filter, Mutable, Record};
use crate::sql::{Entity, Query, Sql, repository};
use std::marker::PhantomData;

/// What is particular to one kind of record when it is written.
pub(crate) trait Rules: Entity + Mutable {
    /// Whether changing one takes several statements that write, so that a failure has to undo those before it.
    const COMPOUND: bool;

    /// A new record that is ready to be inserted, with what else has to be known for that.
    type Draft: AsRef<Self> + Into<Self>;

    /// Makes and checks a new record.
    fn draft(cx: &Context<'_>, new: Self::New) -> Result<Self::Draft>;

    /// Inserts a new record; gives the one that is there instead when the caller is content with that.
    fn create(cx: &Context<'_>, draft: Self::Draft) -> Result<Self>;

    /// Whether a new record is one row and nothing more.
    fn is_plain(draft: &Self::Draft) -> bool;

    /// Carries out a patch on the record that is stored; gives the record and the places of the changed fields.
    fn change(cx: &Context<'_>, current: Self, patch: Self::Patch) -> Result<(Self, Vec<usize>)>;

    /// The record that replaces the stored one: what is the caller's comes from `new`, the rest stays.
    fn replace(cx: &Context<'_>, current: Self, new: Self::New) -> Result<Self>;

    /// The id that the caller gave, if any.
    fn given_id(new: &Self::New) -> Option<&str>;

    /// What has to be done before the record with this id is deleted. It refuses with `CONFLICT` before it changes anything.
    fn before_delete(cx: &Context<'_>, id: &str) -> Result<()>;
}

/// The records of one table, inside a transaction.
pub struct Collection<'a, E> {
    pub(super) cx: &'a Context<'a>,
    record: PhantomData<fn() -> E>,
}

#[allow(private_bounds)] // the rules are ours alone to implement
impl<'a, E: Rules> Collection<'a, E> {
    pub(super) fn new(cx: &'a Context<'a>) -> Self {
        Collection { cx, record: PhantomData }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// `CONFLICT` when its id or another unique value is taken, `INVALID_ARGUMENT` when a field is refused,
    /// `CONSTRAINT` when it refers to what is not there.
    pub fn add(&self, new: E::New) -> Result<E> {
        E::create(self.cx, E::draft(self.cx, new)?)
    }

    /// The record with this id, if there is one.
    ///
    /// # Errors
    /// What the database reports.
    pub fn get(&self, id: impl AsRef<str>) -> Result<Option<E>> {
        repository::get(self.cx.connection, id.as_ref())
    }

    /// Changes some fields.
    ///
    /// # Errors
    /// `NOT_FOUND`; `CONFLICT` when a unique value is taken or the change is not allowed now; `INVALID_ARGUMENT`.
    pub fn update(&self, id: impl AsRef<str>, patch: E::Patch) -> Result<E> {
        self.whole(|| {
            let current = self.current(id.as_ref())?;
            self.change(current, patch)
        })
    }

    /// Changes some fields if the record still has this version.
    ///
    /// # Errors
    /// As [`update`](Self::update); `CONFLICT` with the actual version when another change came first.
    pub fn update_if_version(&self, id: impl AsRef<str>, version: i64, patch: E::Patch) -> Result<E> {
        let mut current = self.current(id.as_ref())?;
        let actual = *current.stamp().2;
        if actual != version {
            let message = format!("{} {} has version {actual}, not {version}", E::TABLE, id.as_ref());
            return Err(Error::conflict(E::TABLE, id.as_ref(), message).with_actual(actual));
        }
        self.whole(|| self.change(current, patch))
    }

    /// Deletes a record; `false` when it was not there.
    ///
    /// # Errors
    /// `CONFLICT` when something still needs it.
    pub fn delete(&self, id: impl AsRef<str>) -> Result<bool> {
        // What refers to it, and may not refer to it any more in a moment, cannot be locked.
        self.cx.connection.be_alone()?;
        E::before_delete(self.cx, id.as_ref())?;
        repository::delete::<E>(self.cx.connection, id.as_ref())
    }

    /// The records that the query asks for; the first 100 in the order of their ids by default.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when the filter cannot be asked (it names the field) or `after` names no record.
    pub fn list(&self, query: &Query<E>) -> Result<Vec<E>> {
        repository::list(self.cx.connection, query)
    }

    /// How many records the query's filter leaves, whatever its page.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when the filter cannot be asked.
    pub fn count(&self, query: &Query<E>) -> Result<i64> {
        repository::count(self.cx.connection, query)
    }

    /// Whether the query's filter leaves any record, whatever its page.
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub fn exists(&self, query: &Query<E>) -> Result<bool> {
        repository::any(self.cx.connection, query)
    }

    /// The statement that [`list`](Self::list) runs, with the values that it binds.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn to_sql(&self, query: &Query<E>) -> Result<Sql> {
        repository::explain(self.cx.connection, query)
    }

    /// Changes some fields of all records that the filter leaves, all or none; gives how many they are.
    ///
    /// # Errors
    /// As [`update`](Self::update); `INVALID_ARGUMENT` when the filter cannot be asked.
    pub fn update_where(&self, filter: &Filter<E>, patch: &E::Patch) -> Result<u64> {
        let ids = repository::ids(self.cx.connection, filter)?;
        self.cx.atomically(|| ids.iter().try_for_each(|id| self.update(id, patch.clone()).map(|_| ())))?;
        Ok(ids.len() as u64)
    }

    /// Deletes all records that the filter leaves, all or none; gives how many they are. What only they need themselves is no
    /// obstacle: they go in whatever order is possible.
    ///
    /// # Errors
    /// `CONFLICT` when something that stays still needs one; `INVALID_ARGUMENT` when the filter cannot be asked.
    pub fn delete_where(&self, filter: &Filter<E>) -> Result<u64> {
        let mut ids = repository::ids(self.cx.connection, filter)?;
        let count = ids.len() as u64;
        self.cx.atomically(|| {
            while !ids.is_empty() {
                let before = ids.len();
                let mut refused = None;
                let mut left = Vec::new();
                // What needs another is mostly younger, and ids tell the time: so the last goes first.
                for id in ids.drain(..) {
                    match self.delete(&id) {
                        Ok(_) => {}
                        Err(error) if error.code() == ErrorCode::Conflict => {
                            refused = Some(error);
                            left.push(id);
                        }
                        Err(error) => return Err(error),
                    }
                }
                // The other way round the next time, so that a long line in the wrong order takes two rounds and not as many as it has.
                left.reverse();
                ids = left;
                if let Some(error) = refused.filter(|_| ids.len() == before) {
                    return Err(error);
                }
            }
            Ok(())
        })?;
        Ok(count)
    }

    /// Adds a record, or replaces all that is the caller's of the one with this id.
    ///
    /// # Errors
    /// As [`add`](Self::add), except that an existing id is no conflict.
    pub fn put(&self, new: E::New) -> Result<E> {
        let current = match E::given_id(&new) {
            Some(id) => repository::get::<E, E>(self.cx.connection, id)?,
            None => None,
        };
        let Some(current) = current else { return self.add(new) };
        self.whole(|| {
            let replaced = E::replace(self.cx, current, new)?;
            let everything: Vec<usize> = (1..E::FIELDS.len()).collect();
            self.store(replaced, everything)
        })
    }

    /// Adds several records, all or none.
    ///
    /// # Errors
    /// As [`add`](Self::add), with the index of the row that failed.
    pub fn add_many(&self, rows: impl IntoIterator<Item = E::New>) -> Result<Vec<E>> {
        let rows = rows.into_iter();
        let mut drafts = Vec::with_capacity(rows.size_hint().0);
        for (at, row) in rows.enumerate() {
            drafts.push(E::draft(self.cx, row).map_err(|error| error.at_index(at))?);
        }
        if drafts.len() > 1 && drafts.iter().all(E::is_plain) && self.insert_all(&drafts)? {
            return Ok(drafts.into_iter().map(Into::into).collect());
        }
        self.each(drafts, |draft| E::create(self.cx, draft))
    }

    /// Inserts all or, when something stands in the way of one, none.
    fn insert_all(&self, drafts: &[E::Draft]) -> Result<bool> {
        let in_the_way = || ErrorCode::Constraint.error("not all rows could be inserted");
        let inserted = self.cx.atomically(|| match repository::insert_all(self.cx.connection, drafts)? {
            true => Ok(()),
            false => Err(in_the_way()),
        });
        match inserted {
            Ok(()) => Ok(true),
            Err(error) if error.code() == ErrorCode::Constraint => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts several records, all or none.
    ///
    /// # Errors
    /// As [`put`](Self::put), with the index of the row that failed.
    pub fn put_many(&self, rows: impl IntoIterator<Item = E::New>) -> Result<Vec<E>> {
        self.each(rows, |row| self.put(row))
    }

    /// Changes several records, all or none.
    ///
    /// # Errors
    /// As [`update`](Self::update), with the index of the row that failed.
    pub fn update_many<I: AsRef<str>>(&self, rows: impl IntoIterator<Item = (I, E::Patch)>) -> Result<Vec<E>> {
        self.each(rows, |(id, patch)| self.update(id, patch))
    }

    /// Deletes several records, all or none, skipping those that are not there; gives how many were.
    ///
    /// # Errors
    /// As [`delete`](Self::delete), with the index of the row that failed.
    pub fn delete_many<I: AsRef<str>>(&self, ids: impl IntoIterator<Item = I>) -> Result<u64> {
        let deleted = self.each(ids, |id| self.delete(id))?;
        Ok(deleted.into_iter().map(u64::from).sum())
    }

    fn each<T, R>(&self, rows: impl IntoIterator<Item = T>, run: impl Fn(T) -> Result<R>) -> Result<Vec<R>> {
        let all =
            || rows.into_iter().enumerate().map(|(at, row)| run(row).map_err(|error| error.at_index(at))).collect();
        self.cx.atomically(all)
    }

    fn whole<T>(&self, run: impl FnOnce() -> Result<T>) -> Result<T> {
        if E::COMPOUND { self.cx.atomically(run) } else { run() }
    }

    pub(super) fn current(&self, id: &str) -> Result<E> {
        repository::get(self.cx.connection, id)?.ok_or_else(|| Error::not_found(E::TABLE, id))
    }

    fn change(&self, current: E, patch: E::Patch) -> Result<E> {
        let (changed, places) = E::change(self.cx, current, patch)?;
        self.store(changed, places)
    }

    /// Writes the fields at these places with a new version.
    pub(super) fn store(&self, mut record: E, mut places: Vec<usize>) -> Result<E> {
        let now = self.cx.now();
        let (_, updated_at, version) = record.stamp();
        *updated_at = now;
        *version += 1;
        self.cx.check(&record)?;
        places.extend(<E as Record>::position("updated_at"));
        places.extend(<E as Record>::position("version"));
        let places: Vec<_> = (0..<E as Record>::FIELDS.len()).filter(|place| places.contains(place)).collect();
        repository::update(self.cx.connection, &record, &places)?;
        Ok(record)
    }
}
