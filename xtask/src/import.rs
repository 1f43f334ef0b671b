//! What the generator of the command line expects beside it: the closed list of categories.

use tuquan_core::domain::category::Category;

/// The tokens of the categories, in their order.
pub(crate) const CATEGORIES: [&str; 18] = [
    "fire_electric",
    "medical",
    "wellbeing",
    "theft",
    "fight",
    "bullying",
    "substance",
    "health",
    "traffic",
    "outsider",
    "hazard",
    "online",
    "mediation",
    "noise",
    "weather",
    "lostfound",
    "gooddeed",
    "unsorted",
];

/// Tells whether only category and building of such an event may be written in the clear.
pub(crate) fn is_sealed(token: &str) -> bool {
    Category::from_token(token).is_some_and(Category::is_sealed)
}
