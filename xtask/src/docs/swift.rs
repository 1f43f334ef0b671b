//! Pages for Swift: DocC on what the compiler knows of both modules.
//!
//! Nothing is linked: each module is only read by the compiler, which writes its symbols. Must not
//! know: what the calls do.

use std::fs;
use std::path::{Path, PathBuf};

use super::Sources;
use crate::cargo::run as call;
use crate::swift::Swift;
use crate::{Outcome, swiftpm};

/// The modules, each after those that it uses.
const MODULES: [&str; 2] = ["TuquanRust", "TuquanKit"];

/// Makes them.
pub(super) fn make(sources: &Sources, to: &Path) -> Outcome {
    let package = sources.build.join("swift");
    swiftpm::assemble(&sources.root, &sources.generated.join("swift"), &package)?;
    let made = sources.build.join("swift-symbols");
    fs::remove_dir_all(&made).ok();
    let docs = Docs { swift: Swift::find_or_install()?, seen: sources.out.clone(), package, made };
    let mut archives = Vec::new();
    for module in MODULES {
        docs.read(module)?;
        archives.push(docs.convert(module)?);
    }
    let merged = docs.made.join("tuquan.doccarchive");
    let mut merge = docs.swift.tool("docc", &[&docs.seen]);
    call(merge.arg("merge").args(archives).arg("--output-path").arg(&merged))?;
    fs::remove_dir_all(to).ok();
    fs::rename(&merged, to).map_err(|error| format!("{}: {error}", to.display()))
}

struct Docs {
    swift: Swift,
    /// The folder that the toolchain must see.
    seen: PathBuf,
    package: PathBuf,
    made: PathBuf,
}

impl Docs {
    /// Has the compiler read a module and write its symbols.
    fn read(&self, module: &str) -> Outcome {
        let symbols = self.made.join(module);
        fs::create_dir_all(&symbols).map_err(|error| format!("{}: {error}", symbols.display()))?;
        let sources = self.package.join("Sources");
        let folder = sources.join(module);
        let entries =
            fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let files = entries.flatten().map(|entry| entry.path());
        let files = files.filter(|path| path.extension().is_some_and(|end| end == "swift"));
        let mut compile = self.swift.tool("swiftc", &[&self.seen]);
        compile.args(["-swift-version", "6", "-parse-as-library", "-module-name", module]);
        compile.args(["-package-name", "tuquan"]);
        compile.arg("-emit-module").arg("-emit-module-path");
        compile.arg(self.made.join(module).with_extension("swiftmodule"));
        compile.arg("-I").arg(&self.made).arg("-I").arg(sources.join("TuquanFFI"));
        compile.arg("-emit-symbol-graph").arg("-emit-symbol-graph-dir").arg(&symbols);
        call(compile.args(files))
    }

    /// Makes a module's pages.
    fn convert(&self, module: &str) -> Result<PathBuf, String> {
        let archive = self.made.join(module).with_extension("doccarchive");
        let mut docc = self.swift.tool("docc", &[&self.seen]);
        docc.args(["convert", "--warnings-as-errors", "--fallback-display-name", module]);
        docc.args(["--fallback-bundle-identifier", &format!("vn.tuquan.{module}")]);
        docc.arg("--additional-symbol-graph-dir").arg(self.made.join(module));
        call(docc.arg("--transform-for-static-hosting").arg("--output-path").arg(&archive))?;
        Ok(archive)
    }
}
