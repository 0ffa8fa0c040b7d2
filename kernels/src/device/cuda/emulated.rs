//! The kernels' own sources, compiled for this processor, under the suite every device must pass.
//!
//! What it cannot show: speed, memory ordering between threads, and what only a device's compiler does.

use std::{
	ffi::{c_char, c_int, c_void, CString},
	path::{Path, PathBuf},
	process::Command,
};

use super::launch::{lower, Config, Launch, Work, COUNTERS, KERNELS, SOURCES};
use crate::device::{
	conformance::{self, Extent},
	twin::Executor,
	Arena, DeviceError, Op, Ptr, Twin,
};

const PAGE: usize = 256;

type Run = unsafe extern "C" fn(*const c_char, *const u32, u32, u32, *const c_void) -> c_int;

extern "C" {
	fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
	fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// Memory whose addresses are the host's own, and the kernels that work on it.
struct Emulator {
	memory: Vec<u8>,
	start: usize,
	bytes: usize,
	config: Config,
	run: Run,
}

/// Compiles the kernels for this processor.
fn compile() -> PathBuf {
	let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("cuda/host");
	let out = std::env::temp_dir().join(format!("openledger-kernels-{}", std::process::id()));
	std::fs::create_dir_all(&out).expect("the temporary folder can be written");
	let registry: String = KERNELS
		.iter()
		.map(|name| format!("KERNEL_NAME({name})\n"))
		.collect();
	std::fs::write(out.join("registry.h"), registry).expect("the temporary folder can be written");
	let library = out.join("kernels.so");
	let compiled = Command::new("g++")
		.args(["-std=c++17", "-O2", "-march=native", "-ffp-contract=off"])
		.args([
			"-fPIC",
			"-shared",
			"-Wall",
			"-Werror",
			"-Wno-unknown-pragmas",
		])
		.arg("-I")
		.arg(&out)
		.arg(sources.join("host.cpp"))
		.arg("-o")
		.arg(&library)
		.output()
		.expect("g++ compiles the kernels for this test; scripts/setup.sh installs it");
	assert!(
		compiled.status.success(),
		"{}",
		String::from_utf8_lossy(&compiled.stderr)
	);
	library
}

impl Emulator {
	fn new(bytes: usize) -> Self {
		let library = compile();
		let path = CString::new(library.to_string_lossy().as_bytes()).expect("no zero in a path");
		// SAFETY: loads the library that was just compiled, which has no constructors, and takes the one function of
		// the type that host.cpp declares.
		let run = unsafe {
			let loaded = dlopen(path.as_ptr(), 2);
			assert!(!loaded.is_null(), "{} cannot be loaded", library.display());
			let symbol = dlsym(loaded, c"run_kernel".as_ptr());
			assert!(!symbol.is_null(), "run_kernel is missing");
			std::mem::transmute::<*mut c_void, Run>(symbol)
		};
		if let Some(folder) = library.parent() {
			let _ = std::fs::remove_dir_all(folder);
		}
		let workspace_bytes = 16 << 20;
		let mut memory = vec![0xff; bytes + workspace_bytes + PAGE];
		let start = (memory.as_ptr() as usize).next_multiple_of(PAGE) - memory.as_ptr() as usize;
		let base = memory.as_ptr() as u64 + start as u64;
		memory[start + bytes..][..4 * COUNTERS].fill(0);
		Self {
			memory,
			start,
			bytes,
			config: Config {
				// So few that products are both split and not.
				processors: 4,
				counters: Ptr(base + bytes as u64),
				workspace: Ptr(base + (bytes + 4 * COUNTERS) as u64),
				workspace_bytes: workspace_bytes - 4 * COUNTERS,
			},
			run,
		}
	}

	fn place(&self, at: Ptr, len: usize) -> Result<usize, DeviceError> {
		match self.arena().holds(at, len) {
			true => Ok((at.0 - self.arena().start.0) as usize + self.start),
			false => Err(DeviceError::Table(format!("{len} bytes at {:#x}", at.0))),
		}
	}

	fn kernel(&self, launch: &Launch) -> Result<(), DeviceError> {
		let name = CString::new(launch.kernel).expect("no zero in a name");
		// SAFETY: the kernel gets arguments of its own type, whose addresses the operation's check has admitted.
		let result = unsafe {
			(self.run)(
				name.as_ptr(),
				launch.grid.as_ptr(),
				launch.threads,
				launch.shared,
				launch.arguments.as_ptr().cast(),
			)
		};
		match result {
			0 => Ok(()),
			code => Err(DeviceError::Driver {
				call: launch.kernel,
				why: format!("the emulator gave {code}"),
			}),
		}
	}
}

impl Executor for Emulator {
	fn arena(&self) -> Arena {
		Arena {
			start: Ptr(self.memory.as_ptr() as u64 + self.start as u64),
			bytes: self.bytes,
		}
	}

	fn run(&mut self, op: &Op) -> Result<(), DeviceError> {
		let mut works = Vec::new();
		lower(&self.config, op, |work| works.push(work));
		for work in works {
			match work {
				Work::Kernel(launch) => self.kernel(&launch)?,
				Work::Copy { from, to, bytes } => {
					let content = self.bytes(from, bytes)?.to_vec();
					self.bytes_mut(to, bytes)?.copy_from_slice(&content);
				}
				Work::Library(_) => return Err(DeviceError::shape("gemm", "there is no library")),
			}
		}
		Ok(())
	}

	fn bytes(&self, at: Ptr, len: usize) -> Result<&[u8], DeviceError> {
		let place = self.place(at, len)?;
		Ok(&self.memory[place..place + len])
	}

	fn bytes_mut(&mut self, at: Ptr, len: usize) -> Result<&mut [u8], DeviceError> {
		let place = self.place(at, len)?;
		Ok(&mut self.memory[place..place + len])
	}
}

#[test]
fn the_kernels_should_conform_when_a_processor_runs_their_sources() {
	let device = Twin::with(
		Box::new(Emulator::new(conformance::ARENA_BYTES)),
		"the kernels on a processor",
	);
	let extent = match std::env::var_os("OPENLEDGER_WHOLE") {
		Some(_) => Extent::Whole,
		None => Extent::Small,
	};
	let seed = u64::from(std::process::id());
	let result = conformance::run(&device, seed, extent, |case| {
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
fn every_kernel_should_be_in_the_sources_and_the_other_way_round() {
	let mut found = Vec::new();
	for (_, source) in SOURCES {
		for line in source.lines().filter(|l| l.starts_with("KERNEL(")) {
			let name = line
				.split(") ")
				.nth(1)
				.and_then(|rest| rest.split('(').next());
			found.extend(name.map(str::to_string));
		}
		for line in source.lines().filter(|l| l.starts_with("GEMM_ROWS(")) {
			let name = line["GEMM_ROWS(".len()..].split(',').next().unwrap_or("");
			found.push(format!("gemm_rows8_{name}"));
			found.push(format!("gemm_rows16_{name}"));
		}
	}
	found.sort_unstable();
	let mut known: Vec<&str> = KERNELS.to_vec();
	known.sort_unstable();
	assert_eq!(found, known);
}
