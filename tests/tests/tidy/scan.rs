//! Just enough of Rust's lexing to tell code from comments, texts and tests.

/// Returns `text` with comments and the contents of literals blanked; lines stay where they are.
pub(crate) fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end > at {
            out.extend(chars[at..end].iter().map(|c| blank(*c)));
            at = end;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

fn blank(c: char) -> char {
    if c == '\n' { c } else { ' ' }
}

/// Returns where the comment or literal at `at` ends, or `at` when none starts there.
fn literal_end(chars: &[char], at: usize) -> usize {
    let ahead = |n: usize| chars.get(at + n).copied().unwrap_or('\0');
    let in_word = at > 0 && is_word(chars[at - 1]);
    match (chars[at], ahead(1)) {
        ('/', '/') => position(chars, at, |c| c == '\n'),
        ('/', '*') => block_end(chars, at),
        ('"', _) => text_end(chars, at + 1),
        ('r', '"' | '#') if !in_word => raw_end(chars, at, at + 1),
        ('b', 'r') if !in_word && matches!(ahead(2), '"' | '#') => raw_end(chars, at, at + 2),
        ('\'', '\\') => position(chars, at + 3, |c| c == '\'') + 1,
        ('\'', _) if ahead(2) == '\'' => at + 3,
        _ => at,
    }
}

fn position(chars: &[char], from: usize, found: impl Fn(char) -> bool) -> usize {
    let rest = chars.get(from..).unwrap_or_default();
    from + rest.iter().position(|c| found(*c)).unwrap_or(rest.len())
}

fn block_end(chars: &[char], at: usize) -> usize {
    let (mut depth, mut here) = (0, at);
    while here + 1 < chars.len() {
        match (chars[here], chars[here + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                here += 1;
                continue;
            }
        }
        here += 2;
        if depth == 0 {
            return here;
        }
    }
    chars.len()
}

fn text_end(chars: &[char], mut here: usize) -> usize {
    while here < chars.len() {
        match chars[here] {
            '\\' => here += 2,
            '"' => return here + 1,
            _ => here += 1,
        }
    }
    chars.len()
}

/// A raw text; a raw name such as `r#type` is no literal.
fn raw_end(chars: &[char], at: usize, mut here: usize) -> usize {
    let hashes = position(chars, here, |c| c != '#') - here;
    here += hashes;
    if chars.get(here) != Some(&'"') {
        return at;
    }
    loop {
        here = position(chars, here + 1, |c| c == '"');
        if here >= chars.len() {
            return chars.len();
        }
        let closing = chars.get(here + 1..here + 1 + hashes);
        if closing.is_some_and(|closing| closing.iter().all(|c| *c == '#')) {
            return here + 1 + hashes;
        }
    }
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Returns the byte offset after the brace that closes the one at `open`.
pub(crate) fn close(code: &str, open: usize) -> usize {
    let mut depth = 0_i32;
    for (at, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open + at + 1;
        }
    }
    code.len()
}

/// Blanks items under `#[cfg(test)]` and `#[test]` in what [`code`] returned.
pub(crate) fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    for marker in ["#[cfg(test)]", "#[test]"] {
        let mut from = 0;
        while let Some(found) = out[from..].find(marker) {
            let start = from + found;
            let rest = &out[start..];
            let end = match (rest.find('{'), rest.find(';')) {
                (Some(brace), semicolon) if semicolon.is_none_or(|s| brace < s) => {
                    close(&out, start + brace)
                }
                (_, Some(semicolon)) => start + semicolon + 1,
                _ => out.len(),
            };
            let blanked: String = out[start..end].chars().map(blank).collect();
            from = start + blanked.len();
            out.replace_range(start..end, &blanked);
        }
    }
    out
}

/// Returns the byte offsets at which `word` stands as a whole word.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(|at| {
        let before = code[..*at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// Returns the line number of a byte offset.
pub(crate) fn line(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

#[test]
fn comments_and_literals_are_blanked_and_code_is_not() {
    let text = "let a = \"x.unwrap() \\\" {\"; // unwrap()\n/* a /* b */ { */ let b = 'c'; let c = '{';\n\
                let d = r#\"dbg! \" {\"#; fn e<'a>(r#type: &'a str) {}";
    let code = code(text);
    assert!(!code.contains("unwrap") && !code.contains("dbg"));
    assert_eq!(code.matches('{').count(), 1);
    assert!(code.contains("fn e<'a>(r#type: &'a str) {}"));
    assert_eq!(code.lines().count(), text.lines().count());
}

#[test]
fn tests_are_blanked_and_what_follows_is_not() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { c.unwrap() } }\n#[cfg(test)]\nmod d;\nfn e() {}";
    let code = without_tests(&code(text));
    assert!(code.contains("fn a") && code.contains("fn e"));
    assert!(!code.contains("unwrap") && !code.contains("mod d"));
}

#[test]
fn a_word_is_a_whole_word() {
    assert_eq!(words("unsafe_code unsafe (unsafe)", "unsafe").count(), 2);
}
