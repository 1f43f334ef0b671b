//! Figures: what a window of time held, counted from the views.
//!
//! Every formula stands in `docs` under its name and in [`figures`] in SQL; nothing is kept, so
//! the same rows and window always give the same figures. Invariant: no figure is about a person,
//! and these are for inside the school only: nothing here hides small counts. Must not know:
//! packs, sessions, who asks, words and layout of a printed report.

pub mod figures;
pub mod window;

pub use figures::{Cut, CutKey, Figures, Share, Spread, figures, figures_by};
pub use window::Window;
