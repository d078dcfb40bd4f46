//! JavaScript without its comments: every byte of the package is loaded by every visitor, and the types carry the docs.
//!
//! Only lines that are nothing but comment are dropped, and none within a template literal. That is less than a minifier
//! does, and cannot change what the code means.

/// Drops comment lines and empty lines.
pub fn strip(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let (mut in_block, mut in_template) = (false, false);
    for line in source.lines() {
        let text = line.trim();
        if in_block {
            in_block = !text.ends_with("*/");
            continue;
        }
        if !in_template {
            if text.is_empty() || text.starts_with("//") {
                continue;
            }
            // A comment with code behind it on the same line stays.
            let closes = text.find("*/").map(|at| at + 2);
            if text.starts_with("/*") && closes.is_none_or(|end| end == text.len()) {
                in_block = closes.is_none();
                continue;
            }
        }
        if text.matches('`').count() % 2 == 1 {
            in_template = !in_template;
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::strip;

    #[test]
    fn lines_of_comment_go_and_code_stays() {
        let source = "// one\n/** two\n * three\n */\nconst a = 1; // stays\n\n  /* four */\n/* five */ b();\n";
        assert_eq!(strip(source), "const a = 1; // stays\n/* five */ b();\n");
    }

    #[test]
    fn what_stands_in_a_template_stays() {
        let source = "const a = `\n// text\n/* text */\n`;\n// comment\n";
        assert_eq!(strip(source), "const a = `\n// text\n/* text */\n`;\n");
    }
}
