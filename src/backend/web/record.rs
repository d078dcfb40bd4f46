//! The records that IndexedDB keeps: a header and a body, with one checksum over both.
//!
//! ```text
//!  0  magic "SWRM"          16  page size        36  base records
//!  4  format version        20  page count       40  entries, or the segment of a base record
//!  6  kind                  24  tail epoch       44  (zero)
//!  7  flags                 28  tail number      48  checksum: xxh3 of the body, seeded with xxh3 of bytes 0–47
//!  8  generation (8 bytes)  32  part, 34 parts   56  body
//! ```
//!
//! All numbers are little-endian. The body of a log record is a list of entries, each a page with the byte ranges of it
//! that changed: page (4 bytes), number of ranges (2), and per range offset (2), length (2) and the bytes.

use super::pages::{Fault, PAGE, SEGMENT};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

const MAGIC: &[u8; 4] = b"SWRM";
const VERSION: u16 = 1;
/// The length of a header.
pub(super) const HEADER: usize = 56;
/// A record of a flush is full from this length on. Chromium keeps values below 64 KiB in its index, which is slow for many of
/// them, and takes longer to copy those above 160 KiB.
const FULL: usize = 120 * 1024;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Changed pages.
    Data = 1,
    /// The first record of an epoch: of a writer's life.
    Epoch = 2,
    /// Stands where the previous writer would write next.
    Tombstone = 3,
    /// Written with a base record, so that folding is fenced like a flush.
    Fold = 4,
    /// A segment.
    Base = 5,
    /// The whole database was replaced; what is older does not count.
    Image = 6,
}

/// Set when a record was issued while the one before it was still under way.
pub(super) const FLAG_OPTIMISTIC: u8 = 1;
/// Set on a base record whose segment is compressed (`segment.rs`).
pub(super) const FLAG_PACKED: u8 = 2;

/// A place in the log: epoch and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Place {
    pub(super) epoch: u32,
    pub(super) number: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) flags: u8,
    pub(super) generation: u64,
    pub(super) pages: u32,
    /// The oldest record that has to be replayed.
    pub(super) tail: Place,
    pub(super) part: u16,
    pub(super) parts: u16,
    /// How many base records there are, from segment 0 without gaps.
    pub(super) bases: u32,
    /// The number of entries; for a base record, its segment.
    pub(super) entries: u32,
}

impl Header {
    fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0..4].copy_from_slice(MAGIC);
        bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
        bytes[6] = self.kind as u8;
        bytes[7] = self.flags;
        bytes[8..16].copy_from_slice(&self.generation.to_le_bytes());
        bytes[16..20].copy_from_slice(&(PAGE as u32).to_le_bytes());
        bytes[20..24].copy_from_slice(&self.pages.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.tail.epoch.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.tail.number.to_le_bytes());
        bytes[32..34].copy_from_slice(&self.part.to_le_bytes());
        bytes[34..36].copy_from_slice(&self.parts.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.bases.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.entries.to_le_bytes());
        bytes
    }

    /// The header with the checksum that goes with this body.
    pub(super) fn sealed(&self, body: &[u8]) -> [u8; HEADER] {
        let mut bytes = self.bytes();
        let checksum = checksum(&bytes, body);
        bytes[48..56].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads a header and says which checksum its body must have.
    pub(super) fn read(bytes: &[u8]) -> Result<(Header, u64), &'static str> {
        if bytes.len() < HEADER || &bytes[0..4] != MAGIC {
            return Err("it is no record of ours");
        }
        let two = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let four = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let eight = |at: usize| u64::from(four(at)) | u64::from(four(at + 4)) << 32;
        if two(4) != VERSION {
            return Err("its format is newer than this code");
        }
        if four(16) as usize != PAGE {
            return Err("its page size is not ours");
        }
        let kind = match bytes[6] {
            1 => Kind::Data,
            2 => Kind::Epoch,
            3 => Kind::Tombstone,
            4 => Kind::Fold,
            5 => Kind::Base,
            6 => Kind::Image,
            _ => return Err("its kind is unknown"),
        };
        let header = Header {
            kind,
            flags: bytes[7],
            generation: eight(8),
            pages: four(20),
            tail: Place { epoch: four(24), number: four(28) },
            part: two(32),
            parts: two(34),
            bases: four(36),
            entries: four(40),
        };
        Ok((header, eight(48)))
    }
}

/// The flags of a header, whatever else is wrong with it.
pub(super) fn flags(header: &[u8]) -> u8 {
    header.get(7).copied().unwrap_or_default()
}

/// The checksum of a record; the header's own field for it counts as zero.
pub(super) fn checksum(header: &[u8], body: &[u8]) -> u64 {
    xxh3_64_with_seed(body, xxh3_64(&header[..48]))
}

/// A whole record from its parts.
pub(super) fn seal(header: &Header, body: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(HEADER + body.len());
    record.extend_from_slice(&header.sealed(body));
    record.extend_from_slice(body);
    record
}

/// Collects entries into the records of a flush: one, or as many as get full.
#[derive(Default)]
pub(super) struct Entries {
    full: Vec<Part>,
    last: Part,
}

/// A record in the making: room for the header, and the body.
#[derive(Default)]
pub(super) struct Part {
    record: Vec<u8>,
    pub(super) entries: u32,
}

impl Entries {
    /// Adds a page by what differs from `before`; nothing when it is the same.
    pub(super) fn push(&mut self, page: u32, after: &[u8], before: Option<&[u8]>) {
        if self.last.record.len() >= FULL {
            // There are many, so this one gets about as long.
            let next = Part { record: Vec::with_capacity(FULL + 2 * PAGE), entries: 0 };
            self.full.push(std::mem::replace(&mut self.last, next));
        }
        self.last.push(page, after, before);
    }

    /// The records, of which the last may be empty only if it is the only one.
    pub(super) fn parts(mut self) -> Vec<Part> {
        if self.last.entries > 0 || self.full.is_empty() {
            self.full.push(self.last);
        }
        self.full
    }
}

impl Part {
    fn push(&mut self, page: u32, after: &[u8], before: Option<&[u8]>) {
        if self.record.is_empty() {
            self.record.extend_from_slice(&[0; HEADER]);
        }
        let is_new = before.is_none();
        let before = before.unwrap_or(&ZEROS[..after.len()]);
        let start = self.record.len();
        self.record.extend_from_slice(&page.to_le_bytes());
        self.record.extend_from_slice(&[0, 0]);
        let mut ranges = 0_u16;
        let mut at = 0;
        while let Some(from) = next_difference(after, before, at) {
            let to = end_of_difference(after, before, from);
            ranges += 1;
            self.record.extend_from_slice(&(from as u16).to_le_bytes());
            self.record.extend_from_slice(&((to - from) as u16).to_le_bytes());
            self.record.extend_from_slice(&after[from..to]);
            at = to;
        }
        if ranges == 0 && !is_new {
            self.record.truncate(start);
            return;
        }
        self.record[start + 4..start + 6].copy_from_slice(&ranges.to_le_bytes());
        self.entries += 1;
    }

    /// The whole record.
    pub(super) fn sealed(mut self, header: &Header) -> Vec<u8> {
        self.record.resize(self.record.len().max(HEADER), 0);
        let (head, body) = self.record.split_at_mut(HEADER);
        head.copy_from_slice(&header.sealed(body));
        self.record
    }
}

/// What a page was that was not there.
static ZEROS: [u8; PAGE] = [0; PAGE];

/// The first byte from `at` on that differs.
fn next_difference(after: &[u8], before: &[u8], at: usize) -> Option<usize> {
    let (a, a_rest) = after[at..].as_chunks::<8>();
    let (b, b_rest) = before[at..].as_chunks::<8>();
    let differs = |(x, y): (&[u8; 8], &[u8; 8])| u64::from_le_bytes(*x) != u64::from_le_bytes(*y);
    if let Some(word) = a.iter().zip(b).position(differs) {
        let within = a[word].iter().zip(&b[word]).position(|(x, y)| x != y).unwrap_or(0);
        return Some(at + word * 8 + within);
    }
    a_rest.iter().zip(b_rest).position(|(x, y)| x != y).map(|n| at + a.len() * 8 + n)
}

/// Where the difference that begins at `from` ends: before the next eight bytes that are equal. Fewer are cheaper to log than
/// another range.
fn end_of_difference(after: &[u8], before: &[u8], from: usize) -> usize {
    let word = |bytes: &[u8], at: usize| bytes.get(at..)?.first_chunk().map(|word| u64::from_le_bytes(*word));
    let mut end = from + 1;
    while let (Some(new), Some(old)) = (word(after, end), word(before, end)) {
        match new ^ old {
            0 => return end,
            // Little-endian: the last byte that differs is the highest one.
            differs => end += 8 - differs.leading_zeros() as usize / 8,
        }
    }
    (end..after.len()).rev().find(|&at| after[at] != before[at]).map_or(end, |last| last + 1)
}

/// Calls `each` with page, offset in the page and bytes of every range in a body.
pub(super) fn ranges(
    body: &[u8],
    entries: u32,
    mut each: impl FnMut(u32, usize, &[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    const SHORT: Fault = Fault::Damaged("it is shorter than it says");
    let mut rest = body;
    let mut take = |length: usize| -> Result<&[u8], Fault> {
        let (taken, after) = rest.split_at_checked(length).ok_or(SHORT)?;
        rest = after;
        Ok(taken)
    };
    for _ in 0..entries {
        let head = take(6)?;
        let page = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        for _ in 0..u16::from_le_bytes([head[4], head[5]]) {
            let range = take(4)?;
            let offset = usize::from(u16::from_le_bytes([range[0], range[1]]));
            let length = usize::from(u16::from_le_bytes([range[2], range[3]]));
            if offset + length > PAGE {
                return Err(Fault::Damaged("a range of it leaves its page"));
            }
            each(page, offset, take(length)?)?;
        }
    }
    Ok(())
}

/// Whether a base record's length is one that a segment can have.
pub(super) fn is_segment(length: usize) -> bool {
    length <= SEGMENT && length.is_multiple_of(PAGE)
}
