//! Small readers over the characters of one text.
//!
//! Each looks at one place and returns where it ends, or `None` if the text is different there.
//! The characters are folded already: lower case, no accents.

/// The characters of one text.
pub(super) struct Cursor {
    pub(super) chars: Vec<char>,
}

impl Cursor {
    /// Reads AM or PM in any of its spellings; returns whether it is PM.
    pub(super) fn half(&self, at: usize) -> Option<(bool, usize)> {
        let at = self.skip_spaces(at);
        let afternoon = match self.peek(at)? {
            'a' => false,
            'p' => true,
            _ => return None,
        };
        let at = self.one_of(at + 1, ". ").unwrap_or(at + 1);
        let at = self.one_of(at, "m")?;
        let at = self.one_of(at, ".").unwrap_or(at);
        self.peek(at).is_none_or(|c| !c.is_alphanumeric()).then_some((afternoon, at))
    }

    /// Reads a separator of a slash date; a slash may have a space before it.
    pub(super) fn separator(&self, at: usize) -> Option<(char, usize)> {
        let slash = self.skip_spaces(at);
        let at = if self.peek(slash) == Some('/') { slash } else { at };
        let c = self.peek(at).filter(|c| matches!(c, '/' | '.' | '-'))?;
        Some((c, at + 1))
    }

    /// Reads an English month, whole or shortened.
    pub(super) fn month_word(&self, at: usize) -> Option<(u32, usize)> {
        const MONTHS: [&str; 12] =
            ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        let letters = self.chars.iter().skip(at).take_while(|c| c.is_alphabetic());
        let word: String = letters.collect();
        let index = MONTHS.iter().position(|month| word.starts_with(month))?;
        let next = at + word.chars().count();
        Some((u32::try_from(index).ok()? + 1, self.one_of(next, ".").unwrap_or(next)))
    }

    /// Passes over exactly this word.
    pub(super) fn word(&self, at: usize, word: &str) -> Option<usize> {
        let count = word.chars().count();
        let same = self.chars.iter().skip(at).take(count).copied().eq(word.chars());
        (same && self.peek(at + count).is_none_or(|c| !c.is_alphabetic())).then_some(at + count)
    }

    /// Reads a whole run of digits if its length is allowed.
    pub(super) fn number<T: TryFrom<u32> + Default>(
        &self,
        at: usize,
        lengths: std::ops::RangeInclusive<usize>,
    ) -> Option<(T, usize)> {
        let run = self.digits(at);
        lengths.contains(&run).then(|| (self.value(at, run), at + run))
    }

    /// Returns the number that so many digits make.
    pub(super) fn value<T: TryFrom<u32> + Default>(&self, at: usize, count: usize) -> T {
        let digits = self.chars.iter().skip(at).take(count).filter_map(|c| c.to_digit(10));
        let value = digits.fold(0_u32, |sum, digit| sum.wrapping_mul(10).wrapping_add(digit));
        T::try_from(value).unwrap_or_default()
    }

    /// Counts the digits from here on.
    pub(super) fn digits(&self, at: usize) -> usize {
        self.chars.iter().skip(at).take_while(|c| c.is_ascii_digit()).count()
    }

    /// Passes over one of these characters.
    pub(super) fn one_of(&self, at: usize, accepted: &str) -> Option<usize> {
        self.peek(at).filter(|c| accepted.contains(*c)).map(|_| at + 1)
    }

    /// Passes over white space.
    pub(super) fn skip_spaces(&self, at: usize) -> usize {
        at + self.chars.iter().skip(at).take_while(|c| c.is_whitespace()).count()
    }

    /// Returns the character here.
    pub(super) fn peek(&self, at: usize) -> Option<char> {
        self.chars.get(at).copied()
    }
}
