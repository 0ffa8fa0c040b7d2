//! The conformance suite on the device there is: the twin always, an accelerator when one is asked for or present.

use openledger_kernels::{
	device::{
		conformance::{self, Extent},
		Count, Cuda, Device, DeviceError, Element, Gemm, Op, Ptr, RmsNorm, SiluMul, Stream, Twin,
		WeightFormat, Weights,
	},
	gemm, rms_norm, silu_mul, Arithmetic, Inputs, Level, Matrix, Pool, Values,
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

/// f32 values in the twin's arena, one buffer after the other.
struct Arena {
	twin: Twin,
	next: usize,
}

impl Arena {
	fn put(&mut self, bytes: &[u8]) -> Ptr {
		let at = self.twin.arena().start.at(self.next);
		self.next += bytes.len().next_multiple_of(256);
		self.twin
			.write(at, bytes)
			.expect("the arena is large enough");
		at
	}

	fn values(&mut self, values: &[f32]) -> Ptr {
		let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
		self.put(&bytes)
	}

	fn count(&mut self, most: usize) -> Count {
		let at = self.put(&(most as u32).to_le_bytes());
		Count { at, most }
	}

	fn run(&self, op: impl Into<Op>, out: Ptr, len: usize) -> Vec<f32> {
		self.twin
			.launch(Stream::Compute, &op.into())
			.expect("the operation can be done");
		let mut bytes = vec![0; len * 4];
		self.twin
			.read(out, &mut bytes)
			.expect("the operation was done");
		bytes
			.chunks_exact(4)
			.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
			.collect()
	}
}

fn close(what: &str, got: &[f32], want: &[f32], tolerance: f32) {
	assert_eq!(got.len(), want.len());
	for (i, (got, want)) in got.iter().zip(want).enumerate() {
		assert!(
			(got - want).abs() <= tolerance * want.abs().max(1.0),
			"{what} {i}: {got} and {want}"
		);
	}
}

#[test]
fn the_processors_kernels_and_the_twin_should_agree() {
	let mut random = 7u64;
	let mut values = |len: usize| -> Vec<f32> {
		(0..len)
			.map(|_| {
				random = random
					.wrapping_mul(6_364_136_223_846_793_005)
					.wrapping_add(1_442_695_040_888_963_407);
				(random >> 40) as f32 / (1u32 << 23) as f32 - 1.0
			})
			.collect()
	};
	let (rows, n, k) = (5, 70, 96);
	let pool = Pool::serial();
	for level in Level::available() {
		let mut arena = Arena {
			twin: Twin::new(8 << 20).expect("8 MiB"),
			next: 0,
		};
		let (x, w) = (values(rows * k), values(n * k));
		let out = arena.values(&vec![f32::NAN; rows * n]);
		let op = Gemm {
			element: Element::F32,
			x: arena.values(&x),
			weights: Weights {
				format: WeightFormat::F32,
				data: arena.values(&w),
				scales: Ptr(0),
				n,
				k,
			},
			out: Element::F32,
			y: out,
			rows: arena.count(rows),
			library: false,
		};
		let got = arena.run(op, out, rows * n);
		let matrix = Matrix::new(&pool, &[&Values::F32(w)], k);
		let mut want = vec![0.0; rows * n];
		gemm(
			&pool,
			level,
			Arithmetic::Exact,
			&mut want,
			&x,
			&matrix,
			rows,
			&mut Inputs::default(),
		);
		close("product", &got, &want, 1e-5);

		let weight = values(k);
		let out = arena.values(&vec![f32::NAN; rows * k]);
		let op = RmsNorm {
			element: Element::F32,
			x: arena.values(&x),
			add: None,
			weight: arena.values(&weight),
			eps: 1e-5,
			width: k,
			gather: None,
			rows: arena.count(rows),
			out,
		};
		let got = arena.run(op, out, rows * k);
		let mut want = vec![0.0; rows * k];
		rms_norm(level, &mut want, &x, &weight, 1e-5);
		close("norm", &got, &want, 1e-5);

		let both = values(rows * 2 * n);
		let out = arena.values(&vec![f32::NAN; rows * n]);
		let op = SiluMul {
			element: Element::F32,
			gate_up: arena.values(&both),
			rows: arena.count(rows),
			width: n,
			out,
		};
		let got = arena.run(op, out, rows * n);
		let mut want = vec![0.0; rows * n];
		silu_mul(level, &mut want, &both, n);
		close("silu", &got, &want, 1e-5);
	}
}
