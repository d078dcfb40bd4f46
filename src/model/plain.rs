//! Looking for the end of a JSON string, eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// How many bytes there are before the first quote, backslash or control character, or before the end.
pub(super) fn length(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let special = specials(u64::from_le_bytes(*word));
        if special != 0 {
            return at * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let found = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
    words.len() * 8 + found.unwrap_or(rest.len())
}

/// The highest bits of the bytes that are special; the lowest of them is right, and zero means that there is none.
fn specials(word: u64) -> u64 {
    // Subtracting from each byte sets its highest bit when it was smaller; a borrow only reaches bytes that come later.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\'))) | control) & HIGH
}

#[cfg(test)]
mod tests {
    use super::length;

    #[test]
    fn the_first_special_byte_is_found_wherever_it_is() {
        for special in [b'"', b'\\', 0, b'\n', 0x1f] {
            for other in [b' ', b'!', b'#', b'[', b']', b'a', 0x7f, 0x80, 0x9f, 0xa2, 0xdc, 0xff] {
                for size in 0..20 {
                    let mut bytes = vec![other; size];
                    assert_eq!(length(&bytes), size, "{other}");
                    for at in (0..size).rev() {
                        bytes[at] = special;
                        assert_eq!(length(&bytes), at, "{special} among {other}");
                    }
                }
            }
        }
    }
}
