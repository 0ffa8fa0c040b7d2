//! Compiles this crate a second time, to the Wasm blob that the chain stores and executes.
//!
//! `SKIP_WASM_BUILD=1` leaves the blob out: enough for checks, lints and the runtime's own tests.

#[cfg(all(feature = "std", not(feature = "metadata-hash")))]
fn main() {
	substrate_wasm_builder::WasmBuilder::build_using_defaults();
}

#[cfg(all(feature = "std", feature = "metadata-hash"))]
fn main() {
	substrate_wasm_builder::WasmBuilder::init_with_defaults()
		.enable_metadata_hash("OPEN", 18)
		.build();
}

#[cfg(not(feature = "std"))]
fn main() {}
