//! The conformance suite on the device there is: the twin always, an accelerator when one is asked for or present.

use openledger_kernels::device::{
	conformance::{self, Extent},
	Cuda, Device, DeviceError, Twin,
};

fn suite(device: &dyn Device) {
	let seed = std::env::var("OPENLEDGER_SEED")
		.ok()
		.and_then(|seed| seed.parse().ok())
		.unwrap_or_else(|| {
			let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
			now.map_or(0, |now| now.as_nanos() as u64)
		});
	println!("{:?}, OPENLEDGER_SEED={seed}", device.info());
	let result = conformance::run(device, seed, Extent::Whole, |case| {
		println!(
			"{:40} {:.3} of the error allowed, {:.2} s",
			case.name, case.error, case.seconds
		);
	});
	if let Err(failed) = result {
		panic!("{failed}");
	}
}

#[test]
fn the_twin_should_conform() {
	suite(&Twin::new(conformance::ARENA_BYTES).expect("the twin needs 96 MiB"));
}

/// With `OPENLEDGER_DEVICE=cuda` there must be a GPU; without it, one is used if there is.
#[test]
fn a_gpu_should_conform() {
	let asked = match std::env::var("OPENLEDGER_DEVICE").as_deref() {
		Ok("cuda") => true,
		Ok("twin") => return,
		Ok(other) => panic!("OPENLEDGER_DEVICE={other}: use cuda or twin"),
		Err(_) => false,
	};
	match Cuda::open(0, conformance::ARENA_BYTES) {
		Ok(device) => suite(&device),
		Err(DeviceError::Absent(why)) if !asked => println!("no GPU: {why}"),
		Err(error) => panic!("{error}"),
	}
}

#[test]
fn a_machine_without_a_gpu_should_be_told_so_and_nothing_else_should_happen() {
	// Wherever there is a GPU, it is described; elsewhere the error says what is missing.
	match Cuda::probe(0) {
		Ok(info) => assert_eq!(info.kind, "cuda"),
		Err(error) => {
			let text = error.to_string();
			assert!(text.contains("CUDA") || text.contains("GPU"), "{text}");
		}
	}
	let error = Cuda::probe(4096).map(|info| info.name);
	assert!(matches!(error, Err(DeviceError::Absent(_))), "{error:?}");
}
