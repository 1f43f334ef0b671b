#!/usr/bin/env bash
# usage: xcframework.sh CHECKOUT HEADERS OUT: makes OUT/TuquanFFI.xcframework, on macOS with Xcode.
# Called by `cargo xtask package apple`, which makes HEADERS from the library.
set -euo pipefail

root=$1 headers=$2 out=$3
own=$(cd "$(dirname "$0")" && pwd)
# Rust's C code must not ask for a newer system than the app does.
export IPHONEOS_DEPLOYMENT_TARGET=17.0
if [ -z "${TUQUAN_COMMIT:-}" ]; then
  TUQUAN_COMMIT=$(git -C "$root" rev-parse --short=12 HEAD)
fi
export TUQUAN_COMMIT

target_dir=${CARGO_TARGET_DIR:-$root/target}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# slice TARGET ARCH SDK PLATFORM: makes the archive of a target as it ships, in a folder of its name.
slice() {
  local target=$1 arch=$2 sdk=$3 platform=$4 built version slice
  slice="$work/$target"
  mkdir -p "$slice"
  rustup target add "$target"
  (cd "$root" && cargo build --profile ship --package tuquan-ffi --target "$target")
  built="$target_dir/$target/ship/libtuquan_ffi.a"
  version=$(xcrun --sdk "$sdk" --show-sdk-version)
  # One object, in which references are bound already: an app that links the system's SQLite too
  # would else get some of its functions from there.
  xcrun --sdk "$sdk" ld -r -arch "$arch" \
    -platform_version "$platform" "$IPHONEOS_DEPLOYMENT_TARGET" "$version" \
    -exported_symbols_list "$own/exported.txt" \
    -all_load "$built" -o "$slice/tuquan_ffi.o"
  xcrun strip -S "$slice/tuquan_ffi.o"
  xcrun libtool -static -o "$slice/libtuquan_ffi.a" "$slice/tuquan_ffi.o"
  only_calls "$slice/libtuquan_ffi.a"
}

# Fails if an archive shows what exported.txt does not name, or nothing at all.
only_calls() {
  local names others
  names=$(xcrun nm -gUj "$1" | grep '^_' || true)
  others=$(printf '%s\n' "$names" | grep -Ev '^_(uni)?ffi_tuquan_' || true)
  if [ -z "$names" ] || [ -n "$others" ]; then
    echo "$1 shows what it should not, or nothing: ${others:0:400}" >&2
    return 1
  fi
}

slice aarch64-apple-ios arm64 iphoneos ios
slice aarch64-apple-ios-sim arm64 iphonesimulator ios-simulator
slice x86_64-apple-ios x86_64 iphonesimulator ios-simulator
# Both processors of a simulator are one library to Xcode.
mkdir -p "$work/simulator"
xcrun lipo -create "$work"/{aarch64-apple-ios-sim,x86_64-apple-ios}/libtuquan_ffi.a \
  -output "$work/simulator/libtuquan_ffi.a"

mkdir -p "$out"
rm -rf "$out/TuquanFFI.xcframework" "$out/TuquanFFI.xcframework.zip"
xcodebuild -create-xcframework \
  -library "$work/aarch64-apple-ios/libtuquan_ffi.a" -headers "$headers" \
  -library "$work/simulator/libtuquan_ffi.a" -headers "$headers" \
  -output "$out/TuquanFFI.xcframework"

# For a release: the archive that a package names by address and checksum.
ditto -c -k --keepParent "$out/TuquanFFI.xcframework" "$out/TuquanFFI.xcframework.zip"
swift package compute-checksum "$out/TuquanFFI.xcframework.zip"
