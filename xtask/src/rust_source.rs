//! Reading Rust sources for the names in them. Not a parser: it knows comments, literals, braces and paths.

use crate::blank::{blank, blank_literals};

/// A source text with comments, literals and test code blanked out, so that what is left are names. Places in it are
/// those of the original.
pub struct Source(Vec<char>);

impl Source {
    /// Reads a source text.
    pub fn new(text: &str) -> Self {
        let mut source = Self(blank_literals(text));
        source.blank_tests();
        source
    }

    /// The names that follow `crate::`, or as many `super::` as lead up to the crate from this module, each with its
    /// line. A group in braces gives each of its names.
    pub fn crate_paths(&self, module: &[String]) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let mut supers = 0;
        for (start, word) in self.all_words() {
            let end = start + word.len();
            let leads = self.0[end..].starts_with(&[':', ':']);
            let continues = self.0[..start].ends_with(&[':', ':']);
            let at_crate = match word.as_str() {
                "super" if leads => {
                    supers = if continues { supers + 1 } else { 1 };
                    supers == module.len()
                }
                "crate" => leads && !continues,
                _ => false,
            };
            if at_crate {
                self.names_at(end + 2, &mut found);
            }
        }
        found
    }

    /// Where these words stand, by line.
    pub fn words<'a>(&self, words: &[&'a str]) -> Vec<(usize, &'a str)> {
        let mut found = Vec::new();
        for (start, word) in self.all_words() {
            if let Some(word) = words.iter().find(|searched| **searched == word) {
                found.push((self.line(start), *word));
            }
        }
        found
    }

    fn all_words(&self) -> Vec<(usize, String)> {
        let mut words: Vec<(usize, String)> = Vec::new();
        for (at, &letter) in self.0.iter().enumerate() {
            // An index counts characters, and so must the length of a word: names here are ASCII.
            let letter = if letter.is_ascii() { letter } else { ' ' };
            if letter.is_alphanumeric() || letter == '_' {
                match words.last_mut() {
                    Some((start, word)) if *start + word.len() == at => word.push(letter),
                    _ => words.push((at, letter.to_string())),
                }
            }
        }
        words
    }

    /// The first name at this place, or of each path in the group at this place.
    fn names_at(&self, start: usize, found: &mut Vec<(usize, String)>) {
        let rest = &self.0[start..];
        let skipped = rest.iter().take_while(|letter| letter.is_whitespace()).count();
        let start = start + skipped;
        if self.0.get(start) != Some(&'{') {
            let name: String =
                self.0[start..].iter().take_while(|letter| letter.is_alphanumeric() || **letter == '_').collect();
            // Empty after a group's last comma.
            if !name.is_empty() {
                found.push((self.line(start), name));
            }
            return;
        }
        let mut depth = 0;
        for (at, letter) in self.0.iter().enumerate().skip(start) {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 1 && matches!(letter, '{' | ',') {
                self.names_at(at + 1, found);
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn line(&self, at: usize) -> usize {
        1 + self.0[..at].iter().filter(|letter| **letter == '\n').count()
    }

    /// Blanks what `#[cfg(test)]` stands before: up to the end of the braces that follow, or to a semicolon.
    fn blank_tests(&mut self) {
        let attribute: Vec<char> = "#[cfg(test)]".chars().collect();
        let mut at = 0;
        while at + attribute.len() <= self.0.len() {
            if !self.0[at..].starts_with(&attribute) {
                at += 1;
                continue;
            }
            let start = at;
            let mut depth = 0;
            at += attribute.len();
            while at < self.0.len() {
                match self.0[at] {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                let ends = matches!(self.0[at], '}' | ';') && depth == 0;
                at += 1;
                if ends {
                    break;
                }
            }
            blank(&mut self.0[start..at]);
        }
    }
}

/// What a library's root exports from its modules: pairs of the exported name and the module.
pub fn exports(library: &str) -> Vec<(String, String)> {
    let text: String = Source::new(library).0.into_iter().collect();
    let mut found = Vec::new();
    for statement in text.split(';') {
        let Some(path) = statement.rsplit_once("pub use ").map(|(_, path)| path.trim()) else {
            continue;
        };
        let path = path.trim_start_matches("crate::").trim_start_matches("self::");
        let Some((module, rest)) = path.split_once("::") else {
            continue;
        };
        for leaf in rest.split(['{', '}', ',']) {
            let name = leaf.rsplit(" as ").next().unwrap_or(leaf).rsplit("::").next().unwrap_or(leaf).trim();
            if !name.is_empty() {
                found.push((name.to_owned(), module.to_owned()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Source, exports};

    fn paths(text: &str, module: &[&str]) -> Vec<(usize, String)> {
        Source::new(text).crate_paths(&module.iter().map(|&part| part.to_owned()).collect::<Vec<_>>())
    }

    fn found(line: usize, name: &str) -> (usize, String) {
        (line, name.to_owned())
    }

    #[test]
    fn paths_from_the_crate_are_found_singly_and_in_groups() {
        assert_eq!(paths("use crate::sql;", &["a"]), [found(1, "sql")]);
        assert_eq!(
            paths("use crate::{\n  sql::{self, x},\n  model,\n};", &["a"]),
            [found(2, "sql"), found(3, "model")]
        );
        assert_eq!(paths("fn f() { $crate::sql::f(crate::model::g()) }", &["a"]).len(), 2);
        assert!(paths("pub(crate) fn f() {}", &["a"]).is_empty());
    }

    #[test]
    fn supers_are_counted_up_to_the_crate() {
        assert_eq!(paths("use super::super::sql;", &["service", "tasks"]), [found(1, "sql")]);
        assert!(paths("use super::sql;", &["service", "tasks"]).is_empty());
    }

    #[test]
    fn literals_hide_what_is_in_them() {
        let text =
            "/* crate::a /* crate::b */ */ r#\"crate::c \" \"# '\"' crate::d \"\\\" crate::e\" fn f<'a>() { crate::g }";
        assert_eq!(paths(text, &["x"]), [found(1, "d"), found(1, "g")]);
    }

    #[test]
    fn exports_name_their_modules() {
        assert_eq!(
            exports("mod store;\npub use error::{Error, Result as R};\npub use crate::store::Store;"),
            [("Error", "error"), ("R", "error"), ("Store", "store")].map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
    }
}
