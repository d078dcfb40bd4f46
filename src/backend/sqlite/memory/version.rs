//! One state of a database in memory.

use std::sync::Arc;

const PAGE: usize = 4096;
/// Pages per segment: what is copied (as pointers) by the first change to one of them.
const SEGMENT: usize = 256;

type Page = [u8; PAGE];

/// The bytes of a database file. A clone costs a pointer per MiB and shares every page until one of the two changes it.
#[derive(Clone, Default)]
pub(super) struct Version {
    segments: Vec<Arc<Segment>>,
    size: usize,
}

/// Pages that were never written are absent and read as zeroes.
#[derive(Clone)]
struct Segment([Option<Arc<Page>>; SEGMENT]);

impl Default for Segment {
    fn default() -> Self {
        Segment([const { None }; SEGMENT])
    }
}

impl Version {
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Reads at an offset. Beyond the end there are zeroes; says whether all of it was there.
    pub(super) fn read(&self, buffer: &mut [u8], offset: usize) -> bool {
        let there = self.size.saturating_sub(offset).min(buffer.len());
        buffer[there..].fill(0);
        let mut at = 0;
        while at < there {
            let (page, within) = ((offset + at) / PAGE, (offset + at) % PAGE);
            let length = (PAGE - within).min(there - at);
            let target = &mut buffer[at..at + length];
            match self.page(page) {
                Some(bytes) => target.copy_from_slice(&bytes[within..within + length]),
                None => target.fill(0),
            }
            at += length;
        }
        there == buffer.len()
    }

    /// Writes at an offset; the database grows as needed.
    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) {
        let mut at = 0;
        while at < bytes.len() {
            let (page, within) = ((offset + at) / PAGE, (offset + at) % PAGE);
            let length = (PAGE - within).min(bytes.len() - at);
            let source = &bytes[at..at + length];
            let slot = self.slot(page);
            match <&Page>::try_from(source) {
                // A whole page takes the place of what was there, which is then not copied first.
                Ok(whole) => *slot = Some(Arc::new(*whole)),
                Err(_) => {
                    let page = slot.get_or_insert_with(|| Arc::new([0; PAGE]));
                    Arc::make_mut(page)[within..within + length].copy_from_slice(source);
                }
            }
            at += length;
        }
        self.size = self.size.max(offset + bytes.len());
    }

    /// Forgets what is behind this size; SQLite only ever makes a file smaller.
    pub(super) fn truncate(&mut self, size: usize) {
        let pages = size.div_ceil(PAGE);
        self.segments.truncate(pages.div_ceil(SEGMENT));
        if let Some(last) = self.segments.last_mut().filter(|_| !pages.is_multiple_of(SEGMENT)) {
            Arc::make_mut(last).0[pages % SEGMENT..].fill(None);
        }
        self.size = self.size.min(size);
    }

    fn page(&self, page: usize) -> Option<&Page> {
        self.segments.get(page / SEGMENT)?.0[page % SEGMENT].as_deref()
    }

    fn slot(&mut self, page: usize) -> &mut Option<Arc<Page>> {
        let segment = page / SEGMENT;
        if segment >= self.segments.len() {
            self.segments.resize_with(segment + 1, Arc::default);
        }
        &mut Arc::make_mut(&mut self.segments[segment]).0[page % SEGMENT]
    }
}

#[cfg(test)]
mod tests {
    use super::{PAGE, SEGMENT, Version};

    fn read(version: &Version, offset: usize, length: usize) -> Vec<u8> {
        let mut bytes = vec![0xEE; length];
        version.read(&mut bytes, offset);
        bytes
    }

    #[test]
    fn what_was_written_is_read_across_pages_and_segments() {
        let mut version = Version::default();
        let bytes: Vec<u8> = (0..3 * PAGE).map(|at| u8::try_from(at % 251).unwrap()).collect();
        for offset in [0, 5, PAGE - 1, SEGMENT * PAGE - PAGE - 7] {
            version.write(&bytes, offset);
            assert_eq!(read(&version, offset, bytes.len()), bytes);
        }
        assert_eq!(version.size(), SEGMENT * PAGE - PAGE - 7 + bytes.len());
    }

    #[test]
    fn gaps_and_what_is_behind_the_end_are_zeroes() {
        let mut version = Version::default();
        version.write(&[1], 2 * PAGE);
        assert_eq!(read(&version, PAGE, 2), [0, 0]);
        assert_eq!(read(&version, 2 * PAGE, 3), [1, 0, 0]);
        assert!(!version.read(&mut [0; 2], 2 * PAGE));
        assert!(version.read(&mut [0; 1], 2 * PAGE));
    }

    #[test]
    fn a_clone_does_not_see_what_is_written_later() {
        let mut version = Version::default();
        version.write(&[1; 2 * PAGE], 0);
        let before = version.clone();
        version.write(&[2; PAGE], 0);
        version.write(&[3], PAGE + 9);
        assert_eq!(read(&before, 0, 2 * PAGE), [1; 2 * PAGE]);
        assert_eq!((read(&version, 0, 1), read(&version, PAGE + 9, 1)), (vec![2], vec![3]));
    }

    #[test]
    fn what_was_cut_off_does_not_come_back() {
        let mut version = Version::default();
        version.write(&vec![7; 300 * PAGE], 0);
        version.truncate(2 * PAGE);
        assert_eq!(version.size(), 2 * PAGE);
        version.write(&[1], 299 * PAGE);
        assert_eq!(read(&version, 2 * PAGE, PAGE), [0; PAGE]);
        assert_eq!(read(&version, 280 * PAGE, PAGE), [0; PAGE]);
        version.truncate(0);
        assert_eq!((version.size(), read(&version, 0, 4)), (0, vec![0; 4]));
    }
}
