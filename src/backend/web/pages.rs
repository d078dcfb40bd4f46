//! A file in memory that knows what of it is not kept yet.
//!
//! Bytes live in segments of 1 MiB whose addresses never change. Changes are tracked in pages of 4 KiB:
//!
//! - *staged*: written by a SQLite transaction that has not committed. The image from before it is held.
//! - *dirty*: committed, but not flushed. The image from the last flush is held, so that a flush can log the bytes that
//!   differ and nothing else.
//!
//! SQLite writes pages only while it commits (cache spill is off), so between two calls nothing is staged. A flush does
//! not rely on that: it takes the last committed image of a staged page.

use js_sys::Uint8Array;
use std::collections::{BTreeMap, HashMap};
use std::mem::MaybeUninit;

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
    segments: Vec<Box<[u8]>>,
    size: usize,
    /// The size at the last commit.
    committed_size: usize,
    /// The size at the last flush.
    flushed_size: usize,
    tracked: bool,
    staged: HashMap<u32, Image>,
    dirty: BTreeMap<u32, Image>,
}

/// What memory could not hold.
pub(crate) struct OutOfMemory;

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
    pub(crate) fn read(&self, buffer: &mut [u8], offset: usize) -> usize {
        let length = buffer.len().min(self.size.saturating_sub(offset));
        let mut copied = 0;
        while copied < length {
            let at = offset + copied;
            let (segment, within) = (at / SEGMENT, at % SEGMENT);
            let chunk = (length - copied).min(SEGMENT - within);
            buffer[copied..copied + chunk].copy_from_slice(&self.segments[segment][within..within + chunk]);
            copied += chunk;
        }
        length
    }

    /// Writes, growing the file as needed.
    pub(crate) fn write(&mut self, bytes: &[u8], offset: usize) -> Result<(), OutOfMemory> {
        if bytes.is_empty() {
            return Ok(());
        }
        let end = offset.checked_add(bytes.len()).ok_or(OutOfMemory)?;
        self.reserve(end)?;
        self.stage(offset / PAGE, end.div_ceil(PAGE));
        self.put(bytes, offset);
        self.size = self.size.max(end);
        Ok(())
    }

    /// Cuts the file.
    pub(crate) fn truncate(&mut self, size: usize) {
        self.stage(size / PAGE, self.size.div_ceil(PAGE));
        self.zero(size, self.size);
        self.segments.truncate(size.div_ceil(SEGMENT));
        self.size = size;
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
    pub(crate) fn flushed_segment(&self, segment: u32) -> Vec<u8> {
        let start = segment as usize * SEGMENT;
        let length = self.flushed_size.saturating_sub(start).min(SEGMENT);
        let mut bytes = vec![0; length];
        self.read(&mut bytes, start);
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
        bytes
    }

    /// The committed file, segment by segment.
    pub(crate) fn committed_segment(&self, segment: usize) -> Option<Vec<u8>> {
        let start = segment * SEGMENT;
        if start >= self.committed_size {
            return None;
        }
        let mut bytes = vec![0; (self.committed_size - start).min(SEGMENT)];
        self.read(&mut bytes, start);
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
        Some(bytes)
    }

    /// Lays down what was loaded: no change to be flushed.
    pub(crate) fn load(&mut self, bytes: &[u8], offset: usize) -> Result<(), OutOfMemory> {
        self.reserve(offset + bytes.len())?;
        self.put(bytes, offset);
        self.size = self.size.max(offset + bytes.len());
        Ok(())
    }

    /// Lays down a segment, or the beginning of one, straight from JavaScript's memory, and shows it.
    pub(crate) fn load_segment(&mut self, segment: u32, bytes: &Uint8Array) -> Result<&mut [u8], OutOfMemory> {
        let (start, length) = (segment as usize * SEGMENT, bytes.length() as usize);
        self.reserve(start)?;
        if segment as usize == self.segments.len() {
            let memory = new_segment(|memory| bytes.copy_to_uninit(&mut memory[..length]).len())?;
            self.segments.push(memory);
        } else {
            bytes.copy_to(&mut self.segments[segment as usize][..length]);
        }
        self.size = self.size.max(start + length);
        Ok(&mut self.segments[segment as usize][..length])
    }

    /// Makes loaded bytes zeros again, as far as there are any.
    pub(crate) fn clear(&mut self, from: usize, to: usize) {
        self.zero(from, to.min(self.segments.len() * SEGMENT));
    }

    /// Loading is over: the file has so many pages, and all of it is kept.
    pub(crate) fn loaded(&mut self, pages: u32) -> Result<(), OutOfMemory> {
        let size = pages as usize * PAGE;
        self.reserve(size)?;
        if size < self.size {
            self.zero(size, self.size);
            self.segments.truncate(size.div_ceil(SEGMENT));
        }
        self.size = size;
        self.committed_size = size;
        self.flushed_size = size;
        Ok(())
    }

    fn page(&self, page: u32) -> &[u8] {
        let at = page as usize * PAGE;
        &self.segments[at / SEGMENT][at % SEGMENT..at % SEGMENT + PAGE]
    }

    /// Holds the images of pages that are about to change for the first time since the last commit.
    fn stage(&mut self, from: usize, to: usize) {
        if !self.tracked {
            return;
        }
        for page in from..to {
            let (number, start) = (page as u32, page * PAGE);
            if start >= self.size {
                self.staged.entry(number).or_insert(None);
            } else if !self.staged.contains_key(&number) {
                let image = self.page(number).into();
                self.staged.insert(number, Some(image));
            }
        }
    }

    fn reserve(&mut self, size: usize) -> Result<(), OutOfMemory> {
        while self.segments.len() * SEGMENT < size {
            self.segments.push(new_segment(|_| 0)?);
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8], offset: usize) {
        let mut copied = 0;
        while copied < bytes.len() {
            let at = offset + copied;
            let (segment, within) = (at / SEGMENT, at % SEGMENT);
            let chunk = (bytes.len() - copied).min(SEGMENT - within);
            self.segments[segment][within..within + chunk].copy_from_slice(&bytes[copied..copied + chunk]);
            copied += chunk;
        }
    }

    /// Bytes beyond the end are zeros, so that growing again shows nothing of what was cut off.
    fn zero(&mut self, from: usize, to: usize) {
        let mut at = from;
        while at < to {
            let (segment, within) = (at / SEGMENT, at % SEGMENT);
            let chunk = (to - at).min(SEGMENT - within);
            self.segments[segment][within..within + chunk].fill(0);
            at += chunk;
        }
    }
}

/// A segment whose first bytes `fill` writes, saying how many, and the rest of which is zeros.
fn new_segment(fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> usize) -> Result<Box<[u8]>, OutOfMemory> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(SEGMENT).map_err(|_| OutOfMemory)?;
    let filled = fill(&mut memory.spare_capacity_mut()[..SEGMENT]);
    assert!(filled <= SEGMENT, "a segment is longer than one");
    // SAFETY: there is room for SEGMENT bytes; `fill` has written the first ones and this writes the rest.
    unsafe {
        // Not `resize`, which writes byte by byte where code is made small.
        memory.as_mut_ptr().add(filled).write_bytes(0, SEGMENT - filled);
        memory.set_len(SEGMENT);
    }
    Ok(memory.into_boxed_slice())
}

fn pages_in(size: usize) -> u32 {
    u32::try_from(size.div_ceil(PAGE)).unwrap_or(u32::MAX)
}
