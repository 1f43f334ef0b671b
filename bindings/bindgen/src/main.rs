//! Makes the Kotlin, Swift and Python sources from the built library; a crate of its own, because
//! this feature of uniffi must never be in a library that ships.

fn main() {
    uniffi::uniffi_bindgen_main();
}
