//! Where the kernels come from: built in, or compiled by NVRTC when a device is opened.

use std::{
	collections::HashMap,
	ffi::{c_void, CString},
};

use cudarc::{
	driver::{result, sys},
	nvrtc,
};

use super::{
	driver::{call, Context},
	functions,
	launch::{HEADERS, SOURCES},
};
use crate::device::DeviceError;

/// Built by `make kernels`: machine code for compute capability 9.0.
#[cfg(embedded_kernels)]
const CUBIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sm_90.cubin"));
/// Built by `make kernels`: PTX for 8.0 and newer, ended by a zero.
#[cfg(embedded_kernels)]
const PTX: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/compute_80.ptx"));
#[cfg(not(embedded_kernels))]
const CUBIN: &[u8] = &[];
#[cfg(not(embedded_kernels))]
const PTX: &[u8] = &[];

/// `embedded` or `nvrtc`.
pub(super) fn origin(_: (u32, u32)) -> &'static str {
	match PTX.is_empty() {
		false => "embedded",
		true => "nvrtc",
	}
}

type Loaded = (sys::CUmodule, HashMap<&'static str, sys::CUfunction>);

fn module(image: &[u8]) -> Result<Loaded, DeviceError> {
	// SAFETY: the image is machine code or text ended by a zero, as the compilers wrote it; the context is bound.
	let module = call("cuModuleLoadData", unsafe {
		result::module::load_data(image.as_ptr().cast::<c_void>())
	})?;
	match functions(module) {
		Ok(functions) => Ok((module, functions)),
		Err(error) => {
			// SAFETY: just loaded, and nothing of it is used.
			let _ = unsafe { result::module::unload(module) };
			Err(error)
		}
	}
}

/// One program of all sources.
fn program() -> String {
	let mut text = String::new();
	for (_, part) in HEADERS.iter().chain(SOURCES) {
		for line in part.lines() {
			if !line.starts_with("#include") && !line.starts_with("#pragma once") {
				text.push_str(line);
				text.push('\n');
			}
		}
	}
	text
}

/// PTX by NVRTC.
fn compile(capability: (u32, u32)) -> Result<Vec<u8>, DeviceError> {
	// SAFETY: loading the library runs its own initialisers, which is what is wanted.
	if !unsafe { nvrtc::sys::is_culib_present() } {
		return Err(DeviceError::Absent(
			"the kernels were not built in and NVRTC (libnvrtc.so) was not found; run `make kernels` and build \
			 again, or install NVRTC"
				.into(),
		));
	}
	let failed = |call: &'static str, error: nvrtc::result::NvrtcError| DeviceError::Driver {
		call,
		why: format!("{error:?}"),
	};
	let source = CString::new(program()).map_err(|_| DeviceError::Driver {
		call: "nvrtcCreateProgram",
		why: "a source with a zero in it".into(),
	})?;
	let program = nvrtc::result::create_program(&source, Some(c"kernels.cu"))
		.map_err(|error| failed("nvrtcCreateProgram", error))?;
	let architecture = format!(
		"--gpu-architecture=compute_{}{}",
		capability.0, capability.1
	);
	// SAFETY: the program was just made and is destroyed once, at the end.
	unsafe {
		let compiled =
			nvrtc::result::compile_program(program, &["--std=c++17".to_string(), architecture]);
		let result = match compiled {
			Ok(()) => nvrtc::result::get_ptx(program).map_err(|e| failed("nvrtcGetPTX", e)),
			Err(error) => {
				let log = nvrtc::result::get_program_log(program).unwrap_or_default();
				let log: Vec<u8> = log.iter().map(|c| *c as u8).collect();
				Err(DeviceError::Driver {
					call: "nvrtcCompileProgram",
					why: format!("{error:?}: {}", String::from_utf8_lossy(&log)),
				})
			}
		};
		let _ = nvrtc::result::destroy_program(program);
		result.map(|ptx| ptx.iter().map(|c| *c as u8).collect())
	}
}

/// Loads the kernels for a device whose context is bound.
pub(super) fn load(context: &Context, capability: (u32, u32)) -> Result<Loaded, DeviceError> {
	context.bind()?;
	if !PTX.is_empty() {
		if capability == (9, 0) {
			if let Ok(loaded) = module(CUBIN) {
				return Ok(loaded);
			}
		}
		// An older driver does not know this PTX's version; a compiler of its age may be there.
		return module(PTX).or_else(|first| match compile(capability) {
			Ok(ptx) => module(&ptx),
			Err(_) => Err(first),
		});
	}
	let mut ptx = compile(capability)?;
	if ptx.last() != Some(&0) {
		ptx.push(0);
	}
	module(&ptx)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_program_should_hold_every_source_and_include_nothing() {
		let text = program();
		assert!(!text.contains("#include"));
		for name in super::super::launch::KERNELS {
			assert!(
				text.contains(
					name.trim_start_matches("gemm_rows8_")
						.trim_start_matches("gemm_rows16_")
				),
				"{name}"
			);
		}
	}
}
