//! What a caller's own statement may be.

/// Whether a statement begins like a query: with SELECT, WITH, VALUES or EXPLAIN. PRAGMA, ATTACH and BEGIN count as reading
/// for SQLite, not for us.
#[must_use]
pub fn is_query(sql: &str) -> bool {
    let mut rest = sql.trim_start();
    loop {
        rest = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, after)| after)
        } else {
            break;
        }
        .trim_start();
    }
    let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    ["SELECT", "WITH", "VALUES", "EXPLAIN"].iter().any(|allowed| word.eq_ignore_ascii_case(allowed))
}
