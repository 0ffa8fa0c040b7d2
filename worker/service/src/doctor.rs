//! `openledger-worker doctor`: what this machine has, whether it computes rightly, and what it could serve.
//!
//! What a model needs follows from its shape: weights, and per token of context the keys and values of all layers. The
//! speed beside it is a bound, not a promise: one answer's tokens per second if nothing but the weights were read.

use crate::settings::Doctor;
use openledger_engine::{
	device::{self, check},
	machine::{self, Bandwidth, Processor},
	DeviceChoice,
};
use serde::Serialize;
use std::{fmt, process::ExitCode};

const GIB: f64 = (1u64 << 30) as f64;

/// Largest relative error of the processor's self-test.
const PROCESSOR_TOLERANCE: f64 = 1e-5;

/// Bytes that a device's speed is measured with.
const SPEED_BYTES: usize = 256 << 20;

/// Memory that a model may take of what is free, in percent.
const SHARE: f64 = 90.0;

/// Of what a model leaves, the part for KV, in percent; the rest is for adapters.
const KV_SHARE: f64 = 80.0;

/// The shape of a well-known model, as far as memory depends on it.
struct Shape {
	name: &'static str,
	hidden: usize,
	feed_forward: usize,
	layers: usize,
	q: usize,
	kv: usize,
	vocabulary: usize,
	tied: bool,
}

const SHAPES: [Shape; 7] = [
	Shape {
		name: "SmolLM2-135M",
		hidden: 576,
		feed_forward: 1536,
		layers: 30,
		q: 576,
		kv: 192,
		vocabulary: 49_152,
		tied: true,
	},
	Shape {
		name: "Qwen2.5-0.5B",
		hidden: 896,
		feed_forward: 4864,
		layers: 24,
		q: 896,
		kv: 128,
		vocabulary: 151_936,
		tied: true,
	},
	Shape {
		name: "Qwen3-1.7B",
		hidden: 2048,
		feed_forward: 6144,
		layers: 28,
		q: 2048,
		kv: 1024,
		vocabulary: 151_936,
		tied: true,
	},
	Shape {
		name: "Llama-3.1-8B",
		hidden: 4096,
		feed_forward: 14_336,
		layers: 32,
		q: 4096,
		kv: 1024,
		vocabulary: 128_256,
		tied: false,
	},
	Shape {
		name: "Qwen3-14B",
		hidden: 5120,
		feed_forward: 17_408,
		layers: 40,
		q: 5120,
		kv: 1024,
		vocabulary: 151_936,
		tied: false,
	},
	Shape {
		name: "Qwen3-32B",
		hidden: 5120,
		feed_forward: 25_600,
		layers: 64,
		q: 8192,
		kv: 1024,
		vocabulary: 151_936,
		tied: false,
	},
	Shape {
		name: "Llama-3.1-70B",
		hidden: 8192,
		feed_forward: 28_672,
		layers: 80,
		q: 8192,
		kv: 1024,
		vocabulary: 128_256,
		tied: false,
	},
];

impl Shape {
	/// Weights in all matrices.
	fn weights(&self) -> f64 {
		let layer = self.hidden * (2 * self.q + 2 * self.kv + 3 * self.feed_forward);
		let tables = if self.tied { 1 } else { 2 };
		(layer * self.layers + tables * self.hidden * self.vocabulary) as f64
	}

	/// Keys and values of a token.
	fn kv_values(&self) -> f64 {
		(2 * self.kv * self.layers) as f64
	}

	/// Weights of an adapter of rank 16 on all linear layers.
	fn adapter(&self) -> f64 {
		let (h, f) = (self.hidden, self.feed_forward);
		let sides = 2 * (h + self.q) + 2 * (h + self.kv) + 3 * (h + f);
		(16 * sides * self.layers) as f64
	}
}

/// How weights are held: name, bytes of a weight, bytes of a value of KV.
const ON_PROCESSOR: [(&str, f64, f64); 3] = [
	("bf16", 2.0, 4.0),
	("int8", 34.0 / 32.0, 4.0),
	("Q4_1", 20.0 / 32.0, 4.0),
];
const ON_DEVICE: [(&str, f64, f64); 2] = [("bf16", 2.0, 2.0), ("int8", 1.0, 2.0)];

/// A model that fits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fits {
	/// Model.
	pub model: &'static str,
	/// How its weights are held.
	pub weights: &'static str,
	/// Bytes of them.
	pub weight_bytes: u64,
	/// Tokens of context that fit beside it, of all running answers together.
	pub kv_tokens: u64,
	/// Adapters of rank 16 on all linear layers, bf16, that fit beside that; more are loaded as they are needed.
	pub adapters: u64,
	/// Tokens per second of one answer if only the weights were read.
	pub bound: f64,
}

/// What fits into so much memory of such a speed.
fn fits(memory: u64, bandwidth: f64, formats: &[(&'static str, f64, f64)]) -> Vec<Fits> {
	let usable = memory as f64 * SHARE / 100.0;
	let mut list = Vec::new();
	for shape in &SHAPES {
		for (name, weight, value) in formats {
			let bytes = shape.weights() * weight;
			let left = usable - bytes;
			let tokens = (left * KV_SHARE / 100.0 / (shape.kv_values() * value)).floor();
			// Less than one context of usual length is no service.
			if tokens < 4096.0 {
				continue;
			}
			let adapters = left * (100.0 - KV_SHARE) / 100.0 / (shape.adapter() * 2.0);
			list.push(Fits {
				model: shape.name,
				weights: name,
				weight_bytes: bytes as u64,
				kv_tokens: tokens as u64,
				adapters: adapters as u64,
				bound: bandwidth / bytes,
			});
		}
	}
	list
}

/// The processor.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessorReport {
	/// What it calls itself.
	pub name: String,
	/// Threads.
	pub threads: usize,
	/// Sets of instructions that kernels exist for.
	pub levels: Vec<&'static str>,
	/// Bytes of memory.
	pub memory: u64,
	/// Bytes that are free.
	pub free_memory: u64,
	/// Bytes per second that all threads read together.
	pub bandwidth: f64,
	/// Largest relative error at each set of instructions.
	pub errors: Vec<(&'static str, f64)>,
	/// Whether those are small enough.
	pub passed: bool,
	/// What it can serve.
	pub serves: Vec<Fits>,
}

/// A GPU.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceReport {
	/// What it is called.
	pub name: String,
	/// Compute capability.
	pub capability: (u32, u32),
	/// Version of the driver.
	pub driver: u32,
	/// Bytes of memory.
	pub memory: u64,
	/// Bytes that were free.
	pub free_memory: u64,
	/// Where the kernels come from.
	pub kernels: &'static str,
	/// Bytes per second from pinned host memory to the device.
	pub to_device: f64,
	/// And back.
	pub from_device: f64,
	/// Within the device, reading and writing.
	pub bandwidth: f64,
	/// Largest difference from the processor on a small model with adapters.
	pub error: f64,
	/// The kernel that computes wrongly, if one does.
	pub failed: Option<String>,
	/// Whether that is small enough.
	pub passed: bool,
	/// What it can serve.
	pub serves: Vec<Fits>,
}

/// What the doctor found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
	/// The processor.
	pub processor: ProcessorReport,
	/// The GPU, if one was asked for and can be used.
	pub device: Option<DeviceReport>,
	/// Why no GPU can be used.
	pub no_device: Option<String>,
	/// Whether everything that was asked for is there and computes rightly.
	pub healthy: bool,
}

fn processor() -> ProcessorReport {
	let found = Processor::of_this_machine();
	let bandwidth = Bandwidth::new(found.threads).best(3);
	let errors = machine::self_test();
	ProcessorReport {
		passed: errors
			.iter()
			.all(|(_, error)| *error <= PROCESSOR_TOLERANCE),
		serves: fits(found.free_memory, bandwidth, &ON_PROCESSOR),
		name: found.name,
		threads: found.threads,
		levels: found.levels,
		memory: found.memory,
		free_memory: found.free_memory,
		bandwidth,
		errors,
	}
}

fn examine(open: &device::Opener) -> anyhow::Result<DeviceReport> {
	let opened = open()?;
	let info = opened.info().clone();
	let speeds = check::speeds(&*opened, SPEED_BYTES)?;
	let kernels = check::kernels(&*opened);
	let error = check::conforms(&opened)?;
	Ok(DeviceReport {
		passed: error <= check::TOLERANCE && kernels.is_ok(),
		failed: kernels.err(),
		serves: fits(info.free_bytes as u64, speeds.inside, &ON_DEVICE),
		name: info.name,
		capability: info.capability,
		driver: info.driver,
		memory: info.total_bytes as u64,
		free_memory: info.free_bytes as u64,
		kernels: info.kernels,
		to_device: speeds.to_device,
		from_device: speeds.from_device,
		bandwidth: speeds.inside,
		error,
	})
}

/// Examines this machine.
pub fn report(choice: DeviceChoice) -> Report {
	let processor = processor();
	// With `auto`, too, what is missing shall be said.
	let wanted = match choice {
		DeviceChoice::Auto => DeviceChoice::Cuda(0),
		other => other,
	};
	let found = device::find(wanted).map_err(anyhow::Error::from);
	let examined = found.and_then(|open| open.as_ref().map(examine).transpose());
	let (device, no_device) = match examined {
		Ok(device) => (device, None),
		Err(error) => (None, Some(format!("{error:#}"))),
	};
	let missing = matches!(choice, DeviceChoice::Cuda(_)) && device.is_none();
	Report {
		healthy: processor.passed && !missing && device.as_ref().is_none_or(|d| d.passed),
		processor,
		device,
		no_device,
	}
}

fn table(f: &mut fmt::Formatter<'_>, serves: &[Fits]) -> fmt::Result {
	if serves.is_empty() {
		return writeln!(f, "  It has too little memory for any model in the list.");
	}
	writeln!(
		f,
		"  {:<16} {:<5} {:>9} {:>12} {:>9} {:>12}",
		"can serve", "as", "weights", "KV tokens", "adapters", "bound, tok/s"
	)?;
	for row in serves {
		writeln!(
			f,
			"  {:<16} {:<5} {:>5.1} GiB {:>12} {:>9} {:>12.0}",
			row.model,
			row.weights,
			row.weight_bytes as f64 / GIB,
			row.kv_tokens,
			row.adapters,
			row.bound
		)?;
	}
	Ok(())
}

fn verdict(passed: bool) -> &'static str {
	match passed {
		true => "passed",
		false => "FAILED: do not serve with it",
	}
}

impl fmt::Display for Report {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let cpu = &self.processor;
		let name = if cpu.name.is_empty() {
			"unnamed"
		} else {
			&cpu.name
		};
		writeln!(f, "Processor  {name}, {} threads", cpu.threads)?;
		writeln!(f, "  instructions  {}", cpu.levels.join(", "))?;
		writeln!(
			f,
			"  memory        {:.1} GiB, {:.1} free, read at {:.1} GB/s",
			cpu.memory as f64 / GIB,
			cpu.free_memory as f64 / GIB,
			cpu.bandwidth / 1e9
		)?;
		let worst = cpu.errors.iter().fold(0f64, |worst, (_, e)| worst.max(*e));
		writeln!(
			f,
			"  self-test     {} (largest error {worst:.0e})",
			verdict(cpu.passed)
		)?;
		table(f, &cpu.serves)?;
		writeln!(f)?;
		match (&self.device, &self.no_device) {
			(Some(gpu), _) => {
				let (major, minor) = gpu.capability;
				writeln!(
					f,
					"GPU  {}, compute capability {major}.{minor}, driver {}, kernels: {}",
					gpu.name, gpu.driver, gpu.kernels
				)?;
				writeln!(
					f,
					"  memory        {:.1} GiB, {:.1} free, copied at {:.0} GB/s (read and written)",
					gpu.memory as f64 / GIB,
					gpu.free_memory as f64 / GIB,
					gpu.bandwidth / 1e9
				)?;
				writeln!(
					f,
					"  host          {:.1} GB/s to it, {:.1} GB/s from it (pinned)",
					gpu.to_device / 1e9,
					gpu.from_device / 1e9
				)?;
				writeln!(
					f,
					"  self-test     {} (largest difference {:.0e})",
					verdict(gpu.passed),
					gpu.error
				)?;
				if let Some(failed) = &gpu.failed {
					writeln!(f, "                {failed}")?;
				}
				table(f, &gpu.serves)?;
			}
			(None, Some(why)) => writeln!(f, "GPU  none: {why}")?,
			(None, None) => writeln!(f, "GPU  not looked for")?,
		}
		writeln!(
			f,
			"\nKV tokens: context of all running answers together. Adapters: of rank 16 on all linear layers, beside \
			 that; more\nare loaded when they are asked for. Bound: one answer if nothing but the weights were read."
		)
	}
}

/// Prints what the doctor found; fails if something does not compute rightly or what was asked for is not there.
pub fn run(settings: Doctor) -> ExitCode {
	let report = report(settings.device);
	match settings.json {
		true => match serde_json::to_string_pretty(&report) {
			Ok(text) => println!("{text}"),
			Err(error) => {
				eprintln!("openledger-worker: {error}");
				return ExitCode::FAILURE;
			}
		},
		false => print!("{report}"),
	}
	match report.healthy {
		true => ExitCode::SUCCESS,
		false => ExitCode::FAILURE,
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn what_fits_should_follow_from_memory_and_speed() {
		let list = fits(141_000_000_000, 4.8e12, &ON_DEVICE);
		let find = |model: &str, weights: &str| {
			let row = list
				.iter()
				.find(|f| f.model == model && f.weights == weights);
			row.cloned()
				.unwrap_or_else(|| panic!("{model} {weights} fits"))
		};
		let llama = find("Llama-3.1-8B", "bf16");
		// 8.03 billion parameters.
		assert!(
			(16.0e9..16.2e9).contains(&(llama.weight_bytes as f64)),
			"{llama:?}"
		);
		assert!((290.0..300.0).contains(&llama.bound));
		// 128 KiB a token, four fifths of 111 GB.
		assert!((660_000..690_000).contains(&llama.kv_tokens), "{llama:?}");
		assert!(
			(255..270).contains(&llama.adapters),
			"84 MB each: {llama:?}"
		);
		assert!(!list
			.iter()
			.any(|f| f.model == "Llama-3.1-70B" && f.weights == "bf16"));
		find("Llama-3.1-70B", "int8");
		assert!(fits(1 << 28, 1e10, &ON_PROCESSOR).is_empty());
	}

	#[test]
	fn the_doctor_should_examine_a_machine_and_say_what_it_can_serve() {
		let open: device::Opener = Box::new(|| {
			let twin = device::Twin::new(128 << 20)?;
			Ok(std::sync::Arc::new(twin))
		});
		let device = examine(&open).unwrap_or_else(|e| panic!("{e}"));
		assert!(device.passed && device.error > 0.0 && device.bandwidth > 0.0);
		let mut report = report(DeviceChoice::Cpu);
		assert!(report.healthy && report.device.is_none());
		assert!(report.processor.bandwidth > 1e8);
		let text = report.to_string();
		assert!(
			text.contains("not looked for") && text.contains("passed"),
			"{text}"
		);
		report.device = Some(device);
		let text = report.to_string();
		assert!(
			text.contains("GB/s to it") && text.contains("can serve"),
			"{text}"
		);
	}
}
