//! A file in memory that knows what of it is not kept yet.
//!
//! Bytes live in segments of 1 MiB. Those that opening has loaded stay packed, as they were kept, until somebody touches
//! them. Changes are tracked in pages of 4 KiB:
//!
//! - *staged*: written by a SQLite transaction that has not committed. The image from before it is held.
//! - *dirty*: committed, but not flushed. The image from the last flush is held, so that a flush can log the bytes that
//!   differ and nothing else.
//!
//! SQLite writes pages only while it commits (cache spill is off), so between two calls nothing is staged. A flush does
//! not rely on that: it takes the last committed image of a staged page.

use super::segment;
use crate::error::{Error, ErrorCode};
use js_sys::Uint8Array;
use std::collections::{BTreeMap, HashMap};

/// The unit of tracking and of SQLite's own pages.
pub(crate) const PAGE: usize = 4096;
/// The unit of memory and of base records.
pub(crate) const SEGMENT: usize = 1 << 20;
/// Pages in a segment.
pub(crate) const SEGMENT_PAGES: u32 = (SEGMENT / PAGE) as u32;

/// What a page was; `None` when it was not there, which reads as zeros.
type Image = Option<Box<[u8]>>;

/// The bytes of one file.
#[derive(Default)]
pub(crate) struct Pages {
    segments: Vec<Segment>,
    /// Segments before this one are not packed.
    unpacked: usize,
    size: usize,
    /// The size at the last commit.
    committed_size: usize,
    /// The size at the last flush.
    flushed_size: usize,
    tracked: bool,
    staged: HashMap<u32, Image>,
    dirty: BTreeMap<u32, Image>,
}

/// The memory of a segment.
enum Segment {
    /// All of its bytes, with zeros beyond the end of the file.
    Plain(Box<[u8]>),
    /// The body of its base record, whose checksum was right; in JavaScript's memory, which can be given back.
    Packed(Uint8Array),
}

impl Segment {
    /// A segment of zeros.
    fn zeros() -> Result<Self, Fault> {
        Ok(Segment::Plain(filled(segment_memory()?)))
    }

    fn plain(&mut self) -> Result<&mut [u8], Fault> {
        if let Segment::Packed(body) = self {
            let mut stored = Vec::new();
            let length = body.length() as usize;
            stored.try_reserve_exact(length).map_err(|_| Fault::OutOfMemory)?;
            let stored = body.copy_to_uninit(&mut stored.spare_capacity_mut()[..length]);
            let mut memory = segment_memory()?;
            segment::unpack(stored, &mut memory).map_err(Fault::Damaged)?;
            *self = Segment::Plain(filled(memory));
        }
        match self {
            Segment::Plain(bytes) => Ok(bytes),
            Segment::Packed(_) => Err(Fault::Damaged("it cannot be unpacked")),
        }
    }
}

/// Why bytes cannot be had or put.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// There is no memory for them.
    OutOfMemory,
    /// What was loaded cannot be unpacked.
    Damaged(&'static str),
}

impl Fault {
    pub(crate) fn what(self) -> &'static str {
        match self {
            Fault::OutOfMemory => "no memory left for the database",
            Fault::Damaged(what) => what,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::OutOfMemory => ErrorCode::Quota.error(fault.what()),
            Fault::Damaged(what) => ErrorCode::Corrupt.error(format!("the stored database is damaged: {what}")),
        }
    }
}

impl Pages {
    /// An empty file whose changes are tracked.
    pub(crate) fn tracked() -> Self {
        Pages { tracked: true, ..Pages::default() }
    }

    /// The length in bytes.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The number of pages at the last flush.
    pub(crate) fn flushed_pages(&self) -> u32 {
        pages_in(self.flushed_size)
    }

    /// The number of pages at the last commit.
    pub(crate) fn committed_pages(&self) -> u32 {
        pages_in(self.committed_size)
    }

    /// Whether something committed is not flushed.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty() || self.committed_size != self.flushed_size
    }

    /// How many bytes are committed and not flushed, in whole pages.
    pub(crate) fn dirty_bytes(&self) -> usize {
        self.dirty.len() * PAGE
    }

    /// Copies as much as there is from `offset` on.
    pub(crate) fn read(&mut self, buffer: &mut [u8], offset: usize) -> Result<usize, Fault> {
        let length = buffer.len().min(self.size.saturating_sub(offset));
        let mut copied = 0;
        while copied < length {
            let at = offset + copied;
            let (segment, within) = (at / SEGMENT, at % SEGMENT);
            let chunk = (length - copied).min(SEGMENT - within);
            let bytes = self.segments[segment].plain()?;
            buffer[copied..copied + chunk].copy_from_slice(&bytes[within..within + chunk]);
            copied += chunk;
        }
        Ok(length)
    }

    /// Writes, growing the file as needed.
    pub(crate) fn write(&mut self, bytes: &[u8], offset: usize) -> Result<(), Fault> {
        if bytes.is_empty() {
            return Ok(());
        }
        let end = offset.checked_add(bytes.len()).ok_or(Fault::OutOfMemory)?;
        self.reserve(end)?;
        self.stage(offset / PAGE, end.div_ceil(PAGE))?;
        self.put(bytes, offset)?;
        self.size = self.size.max(end);
        Ok(())
    }

    /// Cuts the file.
    pub(crate) fn truncate(&mut self, size: usize) -> Result<(), Fault> {
        self.stage(size / PAGE, self.size.div_ceil(PAGE))?;
        self.cut(size)
    }

    /// SQLite has committed: what was staged may be flushed.
    pub(crate) fn commit(&mut self) {
        for (page, image) in self.staged.drain() {
            self.dirty.entry(page).or_insert(image);
        }
        self.committed_size = self.size;
    }

    /// All that is here is kept already: an image was swapped in and written.
    pub(crate) fn adopt(&mut self) {
        self.staged.clear();
        self.dirty.clear();
        self.committed_size = self.size;
        self.flushed_size = self.size;
    }

    /// Changes are not tracked from now on: nothing is kept.
    pub(crate) fn untrack(&mut self) {
        self.tracked = false;
        self.adopt();
    }

    /// Calls `each` with every dirty page that the committed file has: its number, its committed bytes, and what they
    /// were at the last flush. Then nothing is dirty any more.
    pub(crate) fn take_dirty(&mut self, mut each: impl FnMut(u32, &[u8], Option<&[u8]>)) {
        let pages = self.committed_pages();
        let flushed = self.flushed_pages();
        for (page, image) in std::mem::take(&mut self.dirty) {
            if page >= pages {
                continue;
            }
            // What lies beyond the flushed end is not kept, whatever the memory held there before.
            let before = image.as_deref().filter(|_| page < flushed);
            match self.staged.get(&page) {
                None => each(page, self.page(page), before),
                Some(Some(committed)) => each(page, committed, before),
                Some(None) => each(page, &[0; PAGE], before),
            }
        }
        self.flushed_size = self.committed_size;
    }

    /// The bytes of a segment as they were at the last flush.
    pub(crate) fn flushed_segment(&mut self, segment: u32) -> Result<Vec<u8>, Fault> {
        let start = segment as usize * SEGMENT;
        let length = self.flushed_size.saturating_sub(start).min(SEGMENT);
        let mut bytes = vec![0; length];
        self.read(&mut bytes, start)?;
        let first = segment * SEGMENT_PAGES;
        for page in first..first + pages_in(length) {
            let Some(image) = self.dirty.get(&page).or_else(|| self.staged.get(&page)) else { continue };
            let within = (page - first) as usize * PAGE;
            let part = &mut bytes[within..(within + PAGE).min(length)];
            match image {
                Some(image) => part.copy_from_slice(&image[..part.len()]),
                None => part.fill(0),
            }
        }
        Ok(bytes)
    }

    /// The committed file, segment by segment.
    pub(crate) fn committed_segment(&mut self, segment: usize) -> Result<Option<Vec<u8>>, Fault> {
        let start = segment * SEGMENT;
        if start >= self.committed_size {
            return Ok(None);
        }
        let mut bytes = vec![0; (self.committed_size - start).min(SEGMENT)];
        self.read(&mut bytes, start)?;
        let first = start / PAGE;
        for (&page, image) in &self.staged {
            let Some(within) = (page as usize).checked_sub(first).map(|pages| pages * PAGE) else { continue };
            if within >= bytes.len() {
                continue;
            }
            let end = (within + PAGE).min(bytes.len());
            match image {
                Some(image) => bytes[within..end].copy_from_slice(&image[..end - within]),
                None => bytes[within..end].fill(0),
            }
        }
        Ok(Some(bytes))
    }

    /// Lays down what was loaded: no change to be flushed.
    pub(crate) fn load(&mut self, bytes: &[u8], offset: usize) -> Result<(), Fault> {
        self.reserve(offset + bytes.len())?;
        self.put(bytes, offset)?;
        self.size = self.size.max(offset + bytes.len());
        Ok(())
    }

    /// Lays down a segment, or the beginning of one, in [`segment_memory`].
    pub(crate) fn load_segment(&mut self, segment: u32, memory: Vec<u8>) -> Result<(), Fault> {
        let length = memory.len();
        self.lay(segment, length, Segment::Plain(filled(memory)))
    }

    /// Lays down the body of a base record, of a segment of this length.
    pub(crate) fn load_packed(&mut self, segment: u32, length: usize, body: Uint8Array) -> Result<(), Fault> {
        self.lay(segment, length, Segment::Packed(body))
    }

    fn lay(&mut self, segment: u32, length: usize, memory: Segment) -> Result<(), Fault> {
        let start = segment as usize * SEGMENT;
        self.reserve(start)?;
        self.size = self.size.max(start + length);
        match self.segments.get_mut(segment as usize) {
            Some(there) => *there = memory,
            None => self.segments.push(memory),
        }
        Ok(())
    }

    /// Whether a segment still is packed.
    pub(crate) fn has_packed(&self) -> bool {
        self.segments.iter().any(|segment| matches!(segment, Segment::Packed(_)))
    }

    /// Unpacks one segment that still is packed. Whether there may be more.
    pub(crate) fn unpack_one(&mut self) -> Result<bool, Fault> {
        while let Some(segment) = self.segments.get_mut(self.unpacked) {
            let packed = matches!(segment, Segment::Packed(_));
            segment.plain()?;
            self.unpacked += 1;
            if packed {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes loaded bytes zeros again, as far as there are any.
    pub(crate) fn clear(&mut self, from: usize, to: usize) -> Result<(), Fault> {
        self.zero(from, to.min(self.segments.len() * SEGMENT))
    }

    /// Loading is over: the file has so many pages, and all of it is kept.
    pub(crate) fn loaded(&mut self, pages: u32) -> Result<(), Fault> {
        let size = pages as usize * PAGE;
        self.reserve(size)?;
        if size < self.size {
            self.cut(size)?;
        }
        self.size = size;
        self.committed_size = size;
        self.flushed_size = size;
        Ok(())
    }

    /// A page that was written.
    fn page(&self, page: u32) -> &[u8] {
        let at = page as usize * PAGE;
        match &self.segments[at / SEGMENT] {
            Segment::Plain(bytes) => &bytes[at % SEGMENT..at % SEGMENT + PAGE],
            Segment::Packed(_) => unreachable!("writing has unpacked it"),
        }
    }

    fn cut(&mut self, size: usize) -> Result<(), Fault> {
        // Segments that go as a whole need no zeros.
        self.zero(size, self.size.min(size.next_multiple_of(SEGMENT)))?;
        self.segments.truncate(size.div_ceil(SEGMENT));
        self.size = size;
        Ok(())
    }

    /// Holds the images of pages that are about to change for the first time since the last commit.
    fn stage(&mut self, from: usize, to: usize) -> Result<(), Fault> {
        if !self.tracked {
            return Ok(());
        }
        for page in from..to {
            let (number, start) = (page as u32, page * PAGE);
            if start >= self.size {
                self.staged.entry(number).or_insert(None);
            } else if !self.staged.contains_key(&number) {
                let within = start % SEGMENT;
                let image = self.segments[start / SEGMENT].plain()?[within..within + PAGE].into();
                self.staged.insert(number, Some(image));
            }
        }
        Ok(())
    }

    fn reserve(&mut self, size: usize) -> Result<(), Fault> {
        while self.segments.len() * SEGMENT < size {
            self.segments.push(Segment::zeros()?);
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8], offset: usize) -> Result<(), Fault> {
        let mut copied = 0;
        while copied < bytes.len() {
            let at = offset + copied;
            let (segment, within) = (at / SEGMENT, at % SEGMENT);
            let chunk = (bytes.len() - copied).min(SEGMENT - within);
            self.segments[segment].plain()?[within..within + chunk].copy_from_slice(&bytes[copied..copied + chunk]);
            copied += chunk;
        }
        Ok(())
    }

    /// Bytes beyond the end are zeros, so that growing again shows nothing of what was cut off.
    fn zero(&mut self, from: usize, to: usize) -> Result<(), Fault> {
        let mut at = from;
        while at < to {
            let (segment, within) = (at / SEGMENT, at % SEGMENT);
            let chunk = (to - at).min(SEGMENT - within);
            self.segments[segment].plain()?[within..within + chunk].fill(0);
            at += chunk;
        }
        Ok(())
    }
}

/// Room for the bytes of a segment.
pub(crate) fn segment_memory() -> Result<Vec<u8>, Fault> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(SEGMENT).map_err(|_| Fault::OutOfMemory)?;
    Ok(memory)
}

/// A segment that begins with these bytes and goes on with zeros.
fn filled(mut memory: Vec<u8>) -> Box<[u8]> {
    assert!(memory.len() <= SEGMENT && memory.capacity() >= SEGMENT, "not a segment's memory");
    let rest = &mut memory.spare_capacity_mut()[..];
    // SAFETY: all of the rest is written, and it lies within the capacity. Not `resize`, which writes byte by byte where
    // code is made small.
    unsafe {
        rest.as_mut_ptr().write_bytes(0, rest.len());
        memory.set_len(memory.capacity());
    }
    memory.truncate(SEGMENT);
    memory.into_boxed_slice()
}

fn pages_in(size: usize) -> u32 {
    u32::try_from(size.div_ceil(PAGE)).unwrap_or(u32::MAX)
}
