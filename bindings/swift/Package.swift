// swift-tools-version: 6.0
// Assembled by `cargo xtask journey swift` and `cargo xtask package apple`, which put the generated
// sources and headers beside the hand-written ones; in the checkout alone it does not build.
import PackageDescription

var targets: [Target] = [
    .target(
        name: "TuquanKit", dependencies: ["TuquanRust"],
        resources: [.copy("PrivacyInfo.xcprivacy")]),
    .testTarget(name: "TuquanKitTests", dependencies: ["TuquanKit"]),
]
var linking: [LinkerSetting] = []
if let library = Context.environment["TUQUAN_LIBRARY"] {
    // On a desk the library is as cargo built it, in the folder that is named.
    linking = [
        .unsafeFlags(["-L\(library)", "-Xlinker", "-rpath", "-Xlinker", library]),
        .linkedLibrary("tuquan_ffi"),
    ]
    targets.append(.systemLibrary(name: "TuquanFFI"))
    targets.append(.executableTarget(name: "TuquanBench", dependencies: ["TuquanKit"]))
    targets.append(
        .executableTarget(
            name: "FirstNote", dependencies: ["TuquanKit"], path: "Examples/FirstNote"))
} else {
    targets.append(.binaryTarget(name: "TuquanFFI", path: "TuquanFFI.xcframework"))
}
// Both generated files in one module: each uses the other's types without an import.
targets.append(
    .target(name: "TuquanRust", dependencies: ["TuquanFFI"], linkerSettings: linking))

let package = Package(
    name: "TuquanKit",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "TuquanKit", targets: ["TuquanKit", "TuquanRust"])],
    targets: targets,
    swiftLanguageModes: [.v6]
)
