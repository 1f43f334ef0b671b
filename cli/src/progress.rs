//! Progress of work that takes over a second, on a terminal only.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Returns a bar on stderr, which stays hidden where nobody watches.
pub(crate) fn bar(label: &str, all: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr_with_hz(5)
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(all), target).with_message(label.to_owned());
    match ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
