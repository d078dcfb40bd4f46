//! A segment as the body of a base record: LZ4, block by block.
//!
//! ```text
//!  0  length of the segment (4 bytes)
//!  4  length of every block as it is stored (4 bytes each)
//!     the blocks, each of 64 KiB of the segment; one that LZ4 makes no shorter is stored as it is
//! ```
//!
//! All numbers are little-endian. Blocks know nothing of each other, so that damage to one leaves the others to be rescued.

use super::pages::SEGMENT;
use lz4_flex::block::{compress_into, decompress_into, get_maximum_output_size};

/// As far back as LZ4 looks, so that little is lost by cutting here.
const BLOCK: usize = 64 * 1024;
const NUMBER: usize = size_of::<u32>();

/// The body for these bytes, of which there are at most a segment.
pub(super) fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut end = NUMBER + bytes.len().div_ceil(BLOCK) * NUMBER;
    let mut body = vec![0; end];
    put_number(&mut body, 0, bytes.len());
    for (number, block) in bytes.chunks(BLOCK).enumerate() {
        body.resize(end + get_maximum_output_size(block.len()), 0);
        let length = match compress_into(block, &mut body[end..]) {
            Ok(length) if length < block.len() => length,
            _ => {
                body[end..end + block.len()].copy_from_slice(block);
                block.len()
            }
        };
        put_number(&mut body, NUMBER + number * NUMBER, length);
        end += length;
    }
    body.truncate(end);
    body
}

/// The length of the segment that a body stands for.
pub(super) fn unpacked_length(body: &[u8]) -> Option<usize> {
    number(body.get(..NUMBER)?).try_into().ok().filter(|length| *length <= SEGMENT)
}

/// Adds the bytes that a body stands for. Of a block that cannot be read, what can be, and zeros.
pub(super) fn unpack(body: &[u8], into: &mut Vec<u8>) -> Result<(), &'static str> {
    let short = "it is too short";
    let length = unpacked_length(body).ok_or(short)?;
    let (_, body) = body.split_at(NUMBER);
    let (lengths, mut rest) = body.split_at_checked(length.div_ceil(BLOCK) * NUMBER).ok_or(short)?;
    let mut outcome = Ok(());
    // Where it stays in the processor's cache, unlike what it is added to.
    let mut block = vec![0; BLOCK.min(length)];
    for (place, stored) in lengths.chunks_exact(NUMBER).enumerate() {
        let block = &mut block[..BLOCK.min(length - place * BLOCK)];
        let (stored, after) = rest.split_at(rest.len().min(number(stored) as usize));
        rest = after;
        if stored.len() == block.len() {
            into.extend_from_slice(stored);
            continue;
        }
        if decompress_into(stored, block).ok() != Some(block.len()) {
            outcome = Err("a block of it cannot be read");
            block.fill(0);
            let _ = decompress_into(stored, block);
        }
        into.extend_from_slice(block);
    }
    if rest.is_empty() { outcome } else { Err("it is too long") }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn put_number(body: &mut [u8], at: usize, number: usize) {
    body[at..at + NUMBER].copy_from_slice(&(number as u32).to_le_bytes());
}

/// Packs and unpacks segments of every kind, whole and damaged.
///
/// # Errors
/// What is wrong, as text.
#[cfg(feature = "testing")]
pub fn check_segments() -> Result<(), String> {
    // xorshift: what LZ4 makes no shorter.
    let mut state = 0x9e37_79b9_u32;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let lengths = [4096, BLOCK - 4096, BLOCK, BLOCK + 4096, SEGMENT - 4096, SEGMENT];
    for (kind, length) in (0..4).flat_map(|kind| lengths.map(|length| (kind, length))) {
        let whole: Vec<u8> = (0..length)
            .map(|at| match kind {
                0 => 0,
                1 => b"the same words again and again; "[at % 32],
                2 => random() as u8,
                _ => {
                    if at / 5000 % 2 == 0 {
                        random() as u8
                    } else {
                        (at / 300) as u8
                    }
                }
            })
            .collect();
        let body = pack(&whole);
        let told = |what: &str| format!("kind {kind}, {length} bytes: {what}");
        let unpacked = |body: &[u8]| {
            let mut bytes = Vec::new();
            (unpack(body, &mut bytes), bytes)
        };
        if unpacked_length(&body) != Some(length) || unpacked(&body) != (Ok(()), whole.clone()) {
            return Err(told("it is not the same when it comes back"));
        }
        if kind < 2 && body.len() > length / 20 || body.len() > length + 128 {
            return Err(told(&format!("its body has {} bytes", body.len())));
        }
        let (outcome, bytes) = unpacked(&body[..body.len() - 1]);
        if outcome.is_ok() || bytes.len() != length || unpacked(&[&body[..], &[0]].concat()).0.is_ok() {
            return Err(told("a body of another length is taken"));
        }
        // A block that is damaged costs no other one.
        let mut damaged = body.clone();
        let blocks = NUMBER + length.div_ceil(BLOCK) * NUMBER;
        damaged[blocks..blocks + number(&body[NUMBER..2 * NUMBER]) as usize].fill(0xff);
        let (_, bytes) = unpacked(&damaged);
        if bytes.len() != length || bytes.get(BLOCK..) != whole.get(BLOCK..) {
            return Err(told("a damaged block costs others"));
        }
    }
    Ok(())
}
