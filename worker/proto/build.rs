//! Generates the gRPC code from `proto/`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
	let descriptor =
		std::path::PathBuf::from(std::env::var("OUT_DIR")?).join("openledger_descriptor.bin");
	tonic_prost_build::configure()
		.file_descriptor_set_path(descriptor)
		.compile_protos(
			&["proto/openledger/inference/v1/inference.proto"],
			&["proto"],
		)?;
	Ok(())
}
