//! The closed category list and the ordered rules that lead a foreign word to it.
//!
//! Rules compare on the fold and on whole words; the first rule that matches decides.

use serde::Deserialize;
use tuquan_core::domain::category::Category;

use super::text::fold;
use crate::words::Said;

/// Returns whether rows of this category carry no text and no exact place.
pub(crate) fn is_sealed(category: &str) -> bool {
    Category::from_token(category).is_some_and(Category::is_sealed)
}

/// Returns the token of the closed list with this spelling.
pub(super) fn token(name: &str) -> Option<&'static str> {
    Category::from_token(name).map(Category::token)
}

/// One rule as the mapping file writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleText {
    to: String,
    #[serde(default)]
    equals: Vec<String>,
    #[serde(default)]
    contains: Vec<String>,
}

/// An ordered list of rules, ready to compare.
#[derive(Clone, Debug)]
pub(super) struct Rules(Vec<(&'static str, Patterns)>);

impl Rules {
    /// Checks the tokens and folds the patterns.
    pub(super) fn new(rules: &[RuleText]) -> Result<Self, Said> {
        let rules = rules.iter().map(|rule| {
            let to = token(&rule.to)
                .ok_or_else(|| Said::new("mapping.category", &[("text", &rule.to)]))?;
            Ok((to, Patterns::new(&rule.equals, &rule.contains)))
        });
        rules.collect::<Result<_, Said>>().map(Self)
    }

    /// Returns the category of the first matching rule.
    pub(super) fn find(&self, value: &str) -> Option<&'static str> {
        let folded = fold(value);
        self.0.iter().find(|(_, patterns)| patterns.match_folded(&folded)).map(|(to, _)| *to)
    }
}

/// Words to look for in one value.
#[derive(Clone, Debug, Default)]
pub(super) struct Patterns {
    equals: Vec<String>,
    contains: Vec<String>,
}

impl Patterns {
    /// Folds the patterns; a `contains` pattern that ends in `*` matches the start of a word.
    pub(super) fn new(equals: &[String], contains: &[String]) -> Self {
        let contains = contains.iter().map(|pattern| {
            let end = if pattern.ends_with('*') { "" } else { " " };
            format!(" {}{end}", fold(pattern))
        });
        Self { equals: equals.iter().map(|e| fold(e)).collect(), contains: contains.collect() }
    }

    /// Returns whether the value matches one of the patterns.
    pub(super) fn matches(&self, value: &str) -> bool {
        self.match_folded(&fold(value))
    }

    fn match_folded(&self, folded: &str) -> bool {
        if folded.is_empty() {
            return false;
        }
        let padded = format!(" {folded} ");
        self.equals.iter().any(|equal| equal == folded)
            || self.contains.iter().any(|part| padded.contains(part.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let rule = |to: &str, equals: &[&str], contains: &[&str]| RuleText {
            to: to.into(),
            equals: equals.iter().map(|s| (*s).into()).collect(),
            contains: contains.iter().map(|s| (*s).into()).collect(),
        };
        Rules::new(&[
            rule("hazard", &["Alarm"], &[]),
            rule("fire_electric", &[], &["fire", "chập điện"]),
            rule("theft", &[], &["trộm*"]),
        ])
        .unwrap()
    }

    #[test]
    fn the_first_matching_rule_decides_on_whole_words() {
        let rules = rules();
        assert_eq!(rules.find("FIRE, alarm"), Some("fire_electric"));
        assert_eq!(rules.find("alarm"), Some("hazard"));
        assert_eq!(rules.find("firearm"), None);
        assert_eq!(rules.find("CHAP DIEN tang 3"), Some("fire_electric"));
        assert_eq!(rules.find("Trộmcắp xe"), Some("theft"));
        assert_eq!(rules.find(""), None);
    }

    #[test]
    fn a_rule_cannot_lead_out_of_the_closed_list() {
        let rule = RuleText { to: "opinion".into(), equals: vec![], contains: vec!["x".into()] };
        assert!(Rules::new(&[rule]).is_err());
    }
}
