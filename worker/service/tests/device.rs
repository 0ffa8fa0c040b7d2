//! The choice of a device, and the doctor, as the program does them.

#![allow(clippy::unwrap_used)]

use openledger_engine::{device::find, DeviceChoice};
use serde_json::Value;
use std::process::{Command, Output};

fn worker(arguments: &[&str]) -> Output {
	Command::new(env!("CARGO_BIN_EXE_openledger-worker"))
		.args(arguments)
		.env_remove("OPENLEDGER_DEVICE")
		.output()
		.unwrap()
}

#[test]
fn a_gpu_that_is_not_there_should_be_missed_by_name() {
	let error = match find(DeviceChoice::Cuda(0)) {
		Err(error) => error.to_string(),
		// This machine has one: then it has no hundredth.
		Ok(_) => find(DeviceChoice::Cuda(99)).err().unwrap().to_string(),
	};
	assert!(error.contains("--device cuda:"), "{error}");
	assert!(
		error.contains("--device cpu"),
		"what helps is said: {error}"
	);
	assert!(
		error.contains("CUDA") || error.contains("GPU"),
		"what is missing is said: {error}"
	);
	assert!(find(DeviceChoice::Cpu).unwrap().is_none());
	find(DeviceChoice::Auto).unwrap();

	let done = worker(&["doctor", "--device", "cuda:99"]);
	assert!(!done.status.success());
	let text = String::from_utf8(done.stdout).unwrap();
	assert!(
		text.contains("GPU  none") && text.contains("--device cuda:99"),
		"{text}"
	);
	let done = worker(&["serve", "--offline", "--model", "none", "--device", "gpu"]);
	let text = String::from_utf8(done.stderr).unwrap();
	assert!(text.contains("use auto, cpu, cuda or cuda:N"), "{text}");
}

#[test]
fn the_doctor_should_report_as_json() {
	let done = worker(&["doctor", "--device", "cpu", "--json"]);
	assert!(done.status.success());
	let report: Value = serde_json::from_slice(&done.stdout).unwrap();
	assert_eq!(report["healthy"], true);
	let processor = &report["processor"];
	assert!(processor["threads"].as_u64().unwrap() > 0);
	assert!(processor["bandwidth"].as_f64().unwrap() > 1e8);
	assert!(processor["serves"].is_array() && report["device"].is_null());
}
