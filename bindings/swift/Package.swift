// swift-tools-version: 6.0
// Assembled by `cargo xtask journey swift` and `cargo xtask package apple`, which put the generated
// sources and headers beside the hand-written ones; in the checkout alone it does not build.
import PackageDescription

#if os(Linux)
// The library as cargo built it, in the folder that TUQUAN_LIBRARY names.
let library = Context.environment["TUQUAN_LIBRARY"] ?? "."
let native = Target.systemLibrary(name: "TuquanFFI")
let linking: [LinkerSetting] = [
    .unsafeFlags(["-L\(library)", "-Xlinker", "-rpath", "-Xlinker", library]),
    .linkedLibrary("tuquan_ffi"),
]
#else
let native = Target.binaryTarget(name: "TuquanFFI", path: "TuquanFFI.xcframework")
let linking: [LinkerSetting] = []
#endif

let package = Package(
    name: "TuquanKit",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "TuquanKit", targets: ["TuquanKit", "TuquanRust"])],
    targets: [
        native,
        // Both generated files in one module: each uses the other's types without an import.
        .target(name: "TuquanRust", dependencies: ["TuquanFFI"], linkerSettings: linking),
        .target(name: "TuquanKit", dependencies: ["TuquanRust"]),
        .executableTarget(name: "TuquanBench", dependencies: ["TuquanKit"]),
        .testTarget(name: "TuquanKitTests", dependencies: ["TuquanKit"]),
    ],
    swiftLanguageModes: [.v6]
)
