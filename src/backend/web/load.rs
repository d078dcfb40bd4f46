//! Opening: the fence against the writer before, then everything that is kept, verified.

use super::idb::{self, BASE, Database, LOG, Missing};
use super::pages::{self, Fault, PAGE, Pages, SEGMENT, SEGMENT_PAGES};
use super::record::{self, FLAG_OPTIMISTIC, FLAG_PACKED, HEADER, Header, Kind, Place};
use super::segment;
use crate::error::{Error, ErrorCode, Result};
use crate::platform::BoxFuture;
use futures_channel::oneshot;
use js_sys::{Array, Uint8Array};
use std::collections::{BTreeSet, VecDeque};
use std::task::Poll;
use wasm_bindgen::prelude::*;
use web_sys::{IdbCursorWithValue, IdbKeyRange, IdbRequest};

/// Base records asked for at once. Chromium reads each from a file of its own, several at a time if each is a request of
/// its own, but those of one `getAll` one after the other.
const BASES_AHEAD: usize = 64;
/// Log records in one batch.
const LOG_BATCH: u32 = 2_000;

/// What a store holds, and where its writer goes on.
pub(super) struct Loaded {
    pub(super) pages: Pages,
    pub(super) epoch: u32,
    pub(super) generation: u64,
    pub(super) tail: Place,
    pub(super) bases: u32,
    /// The segments that the log changes.
    pub(super) unfolded: BTreeSet<u32>,
    /// The last record of every epoch before this one that is still in the log.
    pub(super) old_epochs: Vec<Place>,
    pub(super) log_bytes: usize,
    pub(super) log_records: usize,
}

fn corrupt(what: impl std::fmt::Display) -> Error {
    ErrorCode::Corrupt.error(format!("the stored database is damaged: {what}"))
}

fn unreadable(error: &JsValue) -> Error {
    idb::failure(ErrorCode::Unavailable, "IndexedDB could not be read", error)
}

/// The header of a record in the log that has no body.
pub(super) fn empty(kind: Kind, generation: u64, pages: u32, tail: Place, bases: u32) -> Header {
    Header { kind, flags: 0, generation, pages, tail, part: 0, parts: 1, bases, entries: 0 }
}

/// Opens the database of a store, making it when it is new.
pub(super) async fn open(store: &str) -> Result<Database> {
    let first = record::seal(&empty(Kind::Epoch, 0, 0, Place::default(), 0), &[]);
    let database = idb::open(store, Missing::Create, &first).await?;
    database.ok_or_else(|| ErrorCode::Unavailable.error("IndexedDB could not be opened"))
}

/// Begins a new epoch and loads what is kept. From here on the writer before can add nothing.
pub(super) async fn load(database: &Database) -> Result<Loaded> {
    for _ in 0..8 {
        let (last, fenced) = fence(database).await?;
        let mut replay = Replay::new(last.header, last.place);
        let log = log_batch(database, replay.tail, false)?;
        // No writer can change the base any more: each of its steps adds to the log, which the fence has locked.
        let bases = replay.bases(database).await;
        fenced.await?;
        bases?;
        replay.log(database, log, Damage::Refuse).await?;
        match replay.gap {
            None => return replay.finish(last.place.epoch + 1, last.header),
            // A writer that had to leave in a hurry may come back to fill this; then all is read again.
            Some(gap) => drop(stand_in(database, gap, last.header).await),
        }
    }
    Err(ErrorCode::Locked.error("another writer keeps writing to this store"))
}

/// What there is, read without a fence and past any damage: the file of a store that cannot be opened.
pub(super) async fn salvage(store: &str) -> Result<Option<Pages>> {
    let Some(database) = idb::open(store, Missing::Refuse, &[]).await? else { return Ok(None) };
    let tail = Place::default();
    let mut replay = Replay::new(empty(Kind::Epoch, 0, 0, tail, 0), tail);
    let outcome = async {
        replay.any_bases(&database).await?;
        let log = log_batch(&database, replay.tail, false)?;
        replay.log(&database, log, Damage::Skip).await
    };
    let read = outcome.await;
    database.close();
    read?;
    let pages = replay.page_count.max(replay.pages.size().div_ceil(PAGE) as u32);
    replay.pages.loaded(pages)?;
    Ok(Some(replay.pages))
}

/// The last record, with what it and those before it know of the tail.
struct Last {
    place: Place,
    header: Header,
    /// The oldest record looked at was issued while the one before it was under way.
    behind: bool,
}

impl Last {
    /// A record that was issued behind a step of folding does not know the tail that this step achieved.
    fn after(mut self, older: &Last) -> Self {
        if older.header.tail > self.header.tail {
            self.header.tail = older.header.tail;
            self.header.bases = older.header.bases;
        }
        Last { behind: older.behind, ..self }
    }
}

/// In one transaction: looks at the last record, adds a tombstone after it, where its writer would add next, and the
/// first record of the new epoch. Gives the last record as soon as it is read, and what becomes of the transaction.
async fn fence(database: &Database) -> Result<(Last, BoxFuture<'static, Result<()>>)> {
    let transaction = idb::logging(database, false).map_err(|error| unreadable(&error))?;
    let log = transaction.object_store(LOG).map_err(|error| unreadable(&error))?;
    let request = log
        .open_cursor_with_range_and_direction(&JsValue::UNDEFINED, web_sys::IdbCursorDirection::Prev)
        .map_err(|error| unreadable(&error))?;
    let (sender, found) = oneshot::channel();
    let (mut sender, mut newer) = (Some(sender), None::<Last>);
    let on_last = {
        let (request, transaction) = (request.clone(), transaction.clone());
        Closure::<dyn FnMut()>::new(move || {
            let cursor = request.result().unwrap_or_default();
            let last = match (last_record(&cursor), newer.take()) {
                (Ok(record), Some(newer)) => Ok(newer.after(&record)),
                (Err(_), Some(newer)) if cursor.is_null() => Ok(Last { behind: false, ..newer }),
                (record, _) => record,
            };
            let done = match &last {
                Ok(last) if last.behind => cursor.unchecked_into::<IdbCursorWithValue>().continue_(),
                Ok(last) => begin_epoch(&log, last),
                Err(_) => Err(JsValue::NULL),
            };
            if done.is_err() {
                let _ = transaction.abort();
            }
            match last {
                Ok(last) if last.behind && done.is_ok() => newer = Some(last),
                last => drop(sender.take().map(|sender| sender.send(last))),
            }
        })
    };
    request.set_onsuccess(Some(on_last.as_ref().unchecked_ref()));
    let fencing = Fencing { request, _on_last: on_last };
    let completed = idb::completion(&transaction);
    let mut ended: BoxFuture<'static, Result<()>> = Box::pin(async move {
        let completed = completed.await;
        drop(fencing);
        completed.map_err(|error| match idb::exception_name(&error).as_str() {
            "QuotaExceededError" => idb::failure(ErrorCode::Quota, "the store could not be opened for writing", &error),
            _ => unreadable(&error),
        })
    });
    let mut found = std::pin::pin!(found);
    // A transaction that fails may end without having told of a record.
    let found = std::future::poll_fn(|context| match found.as_mut().poll(context) {
        Poll::Ready(found) => Poll::Ready(Ok(found)),
        Poll::Pending => ended.as_mut().poll(context).map(Err),
    });
    match found.await {
        Ok(Ok(Ok(last))) => Ok((last, ended)),
        Ok(Ok(Err(error))) => {
            let _ = ended.await;
            Err(error)
        }
        Ok(Err(_)) => Err(corrupt("the log is empty")),
        Err(ended) => Err(ended.err().unwrap_or_else(|| corrupt("the log is empty"))),
    }
}

/// The cursor of a fence, which is listened to.
struct Fencing {
    request: IdbRequest,
    _on_last: Closure<dyn FnMut()>,
}

impl Drop for Fencing {
    fn drop(&mut self) {
        self.request.set_onsuccess(None);
    }
}

fn last_record(cursor: &JsValue) -> Result<Last> {
    let cursor: &IdbCursorWithValue = cursor.dyn_ref().ok_or_else(|| corrupt("the log is empty"))?;
    let place =
        cursor.key().ok().as_ref().and_then(idb::place).ok_or_else(|| corrupt("a key of the log is not ours"))?;
    let value = cursor.value().unwrap_or_default();
    let (header, _) = verified(&value, place)?;
    Ok(Last { place, header, behind: header.flags & FLAG_OPTIMISTIC != 0 })
}

fn begin_epoch(log: &web_sys::IdbObjectStore, last: &Last) -> Result<(), JsValue> {
    let Header { generation, pages, tail, bases, .. } = last.header;
    let add = |place, kind| {
        let record = record::seal(&empty(kind, generation, pages, tail, bases), &[]);
        log.add_with_key(&Uint8Array::from(&*record), &idb::key(place)).map(|_| ())
    };
    add(Place { number: last.place.number + 1, ..last.place }, Kind::Tombstone)?;
    add(Place { epoch: last.place.epoch + 1, number: 0 }, Kind::Epoch)
}

/// Closes a gap that a writer left, so that it cannot be filled any more.
async fn stand_in(database: &Database, gap: Place, last: Header) -> Result<(), JsValue> {
    let transaction = idb::logging(database, false)?;
    let record = record::seal(&empty(Kind::Tombstone, last.generation, last.pages, last.tail, last.bases), &[]);
    transaction.object_store(LOG)?.add_with_key(&Uint8Array::from(&*record), &idb::key(gap))?;
    idb::completion(&transaction).await
}

/// The record's header and its bytes, checked against its checksum.
fn verified(value: &JsValue, place: Place) -> Result<(Header, Vec<u8>)> {
    let wrong = |what: &str| corrupt(format!("record {}/{}: {what}", place.epoch, place.number));
    let bytes = value.dyn_ref::<Uint8Array>().ok_or_else(|| wrong("it holds no bytes"))?.to_vec();
    let (header, checksum) = Header::read(&bytes).map_err(wrong)?;
    if record::checksum(&bytes[..HEADER], &bytes[HEADER..]) != checksum {
        return Err(wrong("its checksum does not fit"));
    }
    Ok((header, bytes))
}

/// A base record, asked for now.
fn base_record(database: &Database, segment: u32) -> Result<impl Future<Output = Result<JsValue, JsValue>> + use<>> {
    let store = idb::reading(database, BASE).map_err(|error| unreadable(&error))?;
    Ok(idb::answer(&store.get(&segment.into()).map_err(|error| unreadable(&error))?))
}

/// Keys and values of a batch of the log.
type LogBatch = (Result<JsValue, JsValue>, Result<JsValue, JsValue>);

/// A batch of the log, asked for now.
fn log_batch(database: &Database, from: Place, open: bool) -> Result<impl Future<Output = LogBatch> + use<>> {
    let range = IdbKeyRange::lower_bound_with_open(&idb::key(from), open).map_err(|error| unreadable(&error))?;
    let store = idb::reading(database, LOG).map_err(|error| unreadable(&error))?;
    let keys = store.get_all_keys_with_key_and_limit(&range, LOG_BATCH).map_err(|error| unreadable(&error))?;
    let values = store.get_all_with_key_and_limit(&range, LOG_BATCH).map_err(|error| unreadable(&error))?;
    let (keys, values) = (idb::answer(&keys), idb::answer(&values));
    Ok(async move { (keys.await, values.await) })
}

/// How much of a database of so many pages a segment holds.
fn base_length(pages: u32, segment: u32) -> usize {
    let before = segment as usize * SEGMENT;
    (pages as usize * PAGE).saturating_sub(before).min(SEGMENT)
}

/// What to do with a record that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Damage {
    Refuse,
    Skip,
}

/// Puts base and log together.
struct Replay {
    pages: Pages,
    /// Room for the base record that is looked at.
    body: Vec<u8>,
    page_count: u32,
    /// The generation that each base record holds.
    generations: Vec<u64>,
    expected_bases: u32,
    tail: Place,
    last: Place,
    generation: u64,
    next: Place,
    gap: Option<Place>,
    unfolded: BTreeSet<u32>,
    old_epochs: Vec<Place>,
    log_bytes: usize,
    log_records: usize,
}

impl Replay {
    fn new(header: Header, last: Place) -> Self {
        Replay {
            pages: Pages::tracked(),
            body: Vec::new(),
            page_count: 0,
            generations: Vec::new(),
            expected_bases: header.bases,
            tail: header.tail,
            last,
            generation: 0,
            next: header.tail,
            gap: None,
            unfolded: BTreeSet::new(),
            old_epochs: Vec::new(),
            log_bytes: 0,
            log_records: 0,
        }
    }

    /// Reads the base records, each into its segment's memory as it comes.
    async fn bases(&mut self, database: &Database) -> Result<()> {
        let mut coming = VecDeque::new();
        loop {
            let asked = (self.generations.len() + coming.len()) as u32;
            // Beyond the expected ones there may be those that a round of folding which was not finished has written.
            if coming.is_empty() || (coming.len() < BASES_AHEAD && asked <= self.expected_bases) {
                coming.push_back(base_record(database, asked)?);
                continue;
            }
            let Some(next) = coming.pop_front() else { continue };
            let value = next.await.map_err(|error| unreadable(&error))?;
            let segment = self.generations.len() as u32;
            if value.is_undefined() {
                return if segment < self.expected_bases { Err(corrupt("a base record is missing")) } else { Ok(()) };
            }
            let generation = self.base(segment, &value, Damage::Refuse)?;
            self.generations.push(generation);
        }
    }

    /// Reads whatever base records there are, each into the segment that its key names.
    async fn any_bases(&mut self, database: &Database) -> Result<()> {
        let store = idb::reading(database, BASE).map_err(|error| unreadable(&error))?;
        let request = store.get_all_keys().map_err(|error| unreadable(&error))?;
        let keys: Array = idb::answer(&request).await.map_err(|error| unreadable(&error))?.unchecked_into();
        for key in keys.iter() {
            let Some(segment) = key.as_f64().filter(|number| *number >= 0.0) else { continue };
            #[allow(clippy::cast_sign_loss)] // just checked
            let segment = segment as u32;
            let store = idb::reading(database, BASE).map_err(|error| unreadable(&error))?;
            let request = store.get(&key).map_err(|error| unreadable(&error))?;
            let value = idb::answer(&request).await.map_err(|error| unreadable(&error))?;
            self.generations.resize(segment as usize, 0);
            let generation = match self.base(segment, &value, Damage::Skip) {
                Err(error) if error.code() != ErrorCode::Corrupt => return Err(error),
                read => read.unwrap_or(0),
            };
            self.generations.push(generation);
        }
        Ok(())
    }

    fn base(&mut self, segment: u32, value: &JsValue, damage: Damage) -> Result<u64> {
        let wrong = |what: &str| corrupt(format!("base record {segment}: {what}"));
        let value: &Uint8Array = value.dyn_ref().ok_or_else(|| wrong("it holds no bytes"))?;
        let Some(length) = (value.length() as usize).checked_sub(HEADER) else {
            return Err(wrong("it is too short"));
        };
        let mut head = [0; HEADER];
        value.subarray(0, HEADER as u32).copy_to(&mut head);
        let stored = value.subarray(HEADER as u32, value.length());
        self.body.try_reserve(length).map_err(|_| Fault::OutOfMemory)?;
        let body = &*stored.copy_to_uninit(&mut self.body.spare_capacity_mut()[..length]);
        let header = match Header::read(&head) {
            Ok((header, checksum)) if record::checksum(&head, body) == checksum => Ok(header),
            Ok(_) => Err("its checksum does not fit"),
            Err(what) => Err(what),
        };
        let packed = record::flags(&head) & FLAG_PACKED != 0;
        let length = if packed { segment::unpacked_length(body) } else { Some(body.len()) };
        let length = length.filter(|length| record::is_segment(*length));
        let length = length.ok_or_else(|| wrong("its length is not a segment's"))?;
        let header = match header {
            Ok(header) if header.kind != Kind::Base || header.entries != segment => {
                return Err(wrong("it is not this segment's"));
            }
            Ok(header) if length != base_length(header.pages, segment) => Err("it is shorter than it should be"),
            header => header,
        };
        match header {
            Ok(_) if packed && damage == Damage::Refuse => self.pages.load_packed(segment, length, stored)?,
            Err(what) if damage == Damage::Refuse => return Err(wrong(what)),
            // To be rescued, a segment with something wrong is better than none; all of the log goes on top of it.
            _ => {
                let mut memory = pages::segment_memory()?;
                if packed {
                    let _ = segment::unpack(body, &mut memory);
                } else {
                    memory.extend_from_slice(body);
                }
                self.pages.load_segment(segment, memory)?;
            }
        }
        Ok(header.map_or(0, |header| header.generation))
    }

    /// Replays the log from its tail on.
    async fn log(&mut self, database: &Database, first: impl Future<Output = LogBatch>, damage: Damage) -> Result<()> {
        let mut from = self.tail;
        let mut batch = first.await;
        loop {
            let (keys, values) = batch;
            let keys: Array = keys.map_err(|error| unreadable(&error))?.unchecked_into();
            let values: Array = values.map_err(|error| unreadable(&error))?.unchecked_into();
            for (key, value) in keys.iter().zip(values.iter()) {
                let place = idb::place(&key).ok_or_else(|| corrupt("a key of the log is not ours"))?;
                from = place;
                match self.record(place, &value, damage) {
                    Ok(()) => {}
                    Err(error) if damage == Damage::Skip && error.code() == ErrorCode::Corrupt => {}
                    Err(error) => return Err(error),
                }
            }
            if keys.length() < LOG_BATCH {
                return Ok(());
            }
            batch = log_batch(database, from, true)?.await;
        }
    }

    fn record(&mut self, place: Place, value: &JsValue, damage: Damage) -> Result<()> {
        // The epochs of writers after the last known one are ours, begun by `fence`.
        if damage == Damage::Refuse && place.epoch > self.last.epoch {
            return Ok(());
        }
        let (header, bytes) = verified(value, place)?;
        let body = &bytes[HEADER..];
        self.log_bytes += bytes.len();
        self.log_records += 1;
        if damage == Damage::Refuse && !self.is_next(place, header)? {
            return Ok(());
        }
        match header.kind {
            Kind::Tombstone => return Ok(()),
            Kind::Data => self.data(header, body).map_err(|fault| match fault {
                Fault::Damaged(what) => corrupt(format!("record {}/{}: {what}", place.epoch, place.number)),
                Fault::OutOfMemory => fault.into(),
            })?,
            // It repeats the record before it, which does not count when it stands behind a gap.
            Kind::Epoch => {}
            Kind::Fold | Kind::Image | Kind::Base => self.resize(header)?,
        }
        self.generation = header.generation;
        Ok(())
    }

    /// Whether this record counts: it is the one after the last, or the first of the next epoch.
    fn is_next(&mut self, place: Place, header: Header) -> Result<bool> {
        if self.ended(place.epoch) {
            return Ok(false);
        }
        if place.epoch > self.next.epoch {
            let next = self.next.epoch + 1;
            if (place.epoch, place.number) != (next, 0) {
                return Err(corrupt(format!("record {next}/0 is missing")));
            }
            self.end(self.next.epoch);
        } else if place.number > self.next.number {
            // Only a record that was issued while the one before it was under way may stand behind a gap.
            if header.flags & FLAG_OPTIMISTIC == 0 {
                return Err(corrupt(format!("record {}/{} is missing", self.next.epoch, self.next.number)));
            }
            self.gap = Some(self.next);
            self.end(place.epoch);
            return Ok(false);
        }
        if header.kind == Kind::Tombstone {
            self.end(place.epoch);
            return Ok(false);
        }
        self.next = Place { epoch: place.epoch, number: place.number + 1 };
        Ok(true)
    }

    fn ended(&self, epoch: u32) -> bool {
        self.old_epochs.last().is_some_and(|old| old.epoch == epoch)
    }

    /// The epoch has no more records that count.
    fn end(&mut self, epoch: u32) {
        if !self.ended(epoch) {
            self.old_epochs.push(Place { epoch, number: self.next.number.saturating_sub(1) });
        }
    }

    fn data(&mut self, header: Header, body: &[u8]) -> Result<(), Fault> {
        self.resize(header)?;
        let Replay { pages, generations, unfolded, .. } = self;
        record::ranges(body, header.entries, |page, offset, bytes| {
            if page >= header.pages {
                return Err(Fault::Damaged("a page of it lies beyond the end"));
            }
            let segment = page / SEGMENT_PAGES;
            if generations.get(segment as usize).is_some_and(|folded| *folded >= header.generation) {
                return Ok(());
            }
            unfolded.insert(segment);
            pages.load(bytes, page as usize * PAGE + offset)
        })
    }

    /// The database had so many pages at this record; what is cut off reads as zeros when it grows again.
    fn resize(&mut self, header: Header) -> Result<(), Fault> {
        let Header { pages, generation, .. } = header;
        if pages < self.page_count {
            let cut = pages as usize * PAGE..self.page_count as usize * PAGE;
            for segment in cut.start / SEGMENT..cut.end.div_ceil(SEGMENT) {
                if self.generations.get(segment).is_some_and(|folded| *folded >= generation) {
                    continue;
                }
                let start = cut.start.max(segment * SEGMENT);
                let end = cut.end.min((segment + 1) * SEGMENT);
                self.pages.clear(start, end)?;
                // Its base record still has what was cut off.
                self.unfolded.insert(segment as u32);
            }
        }
        self.page_count = pages;
        Ok(())
    }

    fn finish(mut self, epoch: u32, last: Header) -> Result<Loaded> {
        // What was never folded has to be folded once, so that the base has no gaps.
        let segments = self.page_count.div_ceil(SEGMENT_PAGES);
        self.unfolded.extend(self.generations.len() as u32..segments);
        self.pages.loaded(self.page_count)?;
        Ok(Loaded {
            pages: self.pages,
            epoch,
            generation: self.generation.max(last.generation),
            tail: self.tail,
            bases: self.expected_bases,
            unfolded: self.unfolded,
            old_epochs: self.old_epochs,
            log_bytes: self.log_bytes,
            log_records: self.log_records,
        })
    }
}
