//! Blanking out what is not code in a Rust source: comments, strings, characters.

/// Makes blanks of letters; lines stay where they are.
pub fn blank(letters: &mut [char]) {
    for letter in letters.iter_mut().filter(|letter| **letter != '\n') {
        *letter = ' ';
    }
}

/// The text with comments, strings and characters as blanks; lines stay where they are.
pub fn blank_literals(text: &str) -> Vec<char> {
    let mut letters: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < letters.len() {
        let end = literal_end(&letters, at);
        if end > at {
            blank(&mut letters[at..end]);
            at = end;
        } else {
            at += 1;
        }
    }
    letters
}

/// Where the comment or literal that begins here ends; `at` itself if none does.
fn literal_end(letters: &[char], at: usize) -> usize {
    let rest = &letters[at..];
    let after_word = at > 0 && (letters[at - 1].is_alphanumeric() || letters[at - 1] == '_');
    match rest {
        ['/', '/', ..] => at + rest.iter().position(|letter| *letter == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => at + block_comment(rest),
        ['"', ..] => at + quoted(rest, '"'),
        ['r', '"' | '#', ..] if !after_word => at + raw_string(rest),
        ['b', 'r', '"' | '#', ..] if !after_word => at + 1 + raw_string(&rest[1..]),
        // A lifetime has no closing quote.
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => at + quoted(rest, '\''),
        _ => at,
    }
}

fn block_comment(letters: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < letters.len() {
        match letters[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(letters: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < letters.len() && letters[at] != quote {
        at += if letters[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(letters.len())
}

/// `r"…"`, `r#"…"#`; 0 for a raw identifier.
fn raw_string(letters: &[char]) -> usize {
    let hashes = letters[1..].iter().take_while(|letter| **letter == '#').count();
    if letters.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = 2 + hashes;
    let length = letters[body..].windows(closing.len()).position(|window| window == closing);
    length.map_or(letters.len(), |length| body + length + closing.len())
}
