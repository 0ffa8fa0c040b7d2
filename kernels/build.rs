//! Builds in the kernels that `make kernels` compiled, if it has: `kernels/cuda/built/` is not in the repository.

use std::{env, fs, path::Path};

fn main() {
	println!("cargo::rustc-check-cfg=cfg(embedded_kernels)");
	// The whole folder: a path that is not there, as `cuda/built` may be, would count as changed each time.
	println!("cargo::rerun-if-changed=cuda");
	println!("cargo::rerun-if-changed=build.rs");
	let built = Path::new("cuda/built");
	let Some(out) = env::var_os("OUT_DIR") else {
		return;
	};
	let out = Path::new(&out);
	let (Ok(cubin), Ok(mut ptx), Ok(of)) = (
		fs::read(built.join("sm_90.cubin")),
		fs::read(built.join("compute_80.ptx")),
		fs::read_to_string(built.join("sources")),
	) else {
		return;
	};
	// Kernels of other sources than those of this build would be given the wrong arguments.
	let mut sources = String::new();
	for name in [
		"common.cuh",
		"tables.cuh",
		"rows.cu",
		"gemm.cu",
		"attention.cu",
		"lora.cu",
		"sample.cu",
	] {
		sources.push_str(&fs::read_to_string(Path::new("cuda").join(name)).unwrap_or_default());
	}
	if sources != of {
		println!("cargo::warning=kernels/cuda/built is of older sources and is left out: run `make kernels`");
		return;
	}
	ptx.push(0);
	let written = fs::write(out.join("sm_90.cubin"), cubin)
		.and_then(|()| fs::write(out.join("compute_80.ptx"), ptx));
	if written.is_ok() {
		println!("cargo::rustc-cfg=embedded_kernels");
	}
}
