//! Pages for Kotlin: Dokka, as its plugin of Maven, on the wrapper and what was generated.

use std::path::Path;

use super::Sources;
use crate::Outcome;
use crate::cargo::run as call;
use crate::maven::Maven;

/// Makes them.
pub(super) fn make(sources: &Sources, to: &Path) -> Outcome {
    let project = sources.root.join("bindings/kotlin");
    let mut dokka = Maven::find()?.on(&project, &sources.build.join("kotlin"));
    dokka.env("TUQUAN_GENERATED", &sources.generated).env("TUQUAN_LIBRARY", &sources.library);
    call(dokka.arg(format!("-Dtuquan.pages={}", to.display())).arg("dokka:dokka"))
}
